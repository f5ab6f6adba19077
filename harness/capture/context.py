"""Which session, step and agent a call belongs to: told by the program, followed through its tasks and threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import count

__all__ = ["Context", "current", "human_chat", "session"]


@dataclass(frozen=True, slots=True)
class Context:
    """What the program said of the calls that it makes now."""

    session: str | None = None
    agent: str | None = None
    parent: str | None = None
    human: bool = False
    steps: "count[int]" = field(default_factory=count)


_CURRENT: ContextVar[Context | None] = ContextVar("harness_capture", default=None)
_NOTHING = Context()


def current() -> Context:
    """What holds where this is called."""
    return _CURRENT.get() or _NOTHING


@contextmanager
def session(name: str, *, agent: str | None = None, parent: str | None = None) -> Iterator[None]:
    """Calls inside are the steps of one session, numbered from 0, of this node of the agent."""
    before = current()
    token = _CURRENT.set(Context(name, agent or before.agent, parent, before.human))
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def human_chat() -> Iterator[None]:
    """In the calls inside a person chats with the model: they are left out, unless the recorder was told to keep them.

    Belcak et al. (arXiv:2506.02153, section 6, step S1) collect the agent's non-HCI calls.
    """
    token = _CURRENT.set(replace(current(), human=True))
    try:
        yield
    finally:
        _CURRENT.reset(token)
