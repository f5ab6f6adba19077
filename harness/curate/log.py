"""What curating asks of a log: its rows by number, in this process and in others, and what a row tells by itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from harness.records.logs import LogRecord

__all__ = ["Facts", "Log", "Outside", "Reader"]


class Outside(Protocol):
    """A call from outside: what the first rules ask of it."""

    @property
    def human_chat(self) -> bool | None:
        """Whether a person chats there."""

    @property
    def cached(self) -> bool | None:
        """Whether a proxy answered from its cache."""

    @property
    def agent(self) -> str | None:
        """Node of the agent, or workload."""

    @property
    def model(self) -> str | None:
        """As it was asked for."""

    @property
    def at(self) -> float | None:
        """When it was sent, in seconds since the epoch."""

    @property
    def outcome(self) -> float | None:
        """How the session ended."""


class Facts(Outside, Protocol):
    """What a row tells without a look at what was said."""

    @property
    def id(self) -> str:
        """Of the record."""

    @property
    def session(self) -> str | None:
        """As it was logged."""

    @property
    def user(self) -> str | None:
        """End user."""

    @property
    def extra(self) -> str | None:
        """JSON of what else was logged, where it may tell that the call is a planted one."""

    @property
    def messages(self) -> int:
        """How many the request has."""


class Reader(Protocol):
    """Reads rows in any process: frozen, hashable, and pickled without a key."""

    def open(self) -> Callable[[int, int], Iterator[LogRecord]]:
        """The function that gives the records of rows, from the first to before the last."""


class Log(Protocol):
    """The calls of a log, in an order that stays."""

    @property
    def reader(self) -> Reader:
        """For the processes that redact."""

    def noted(self) -> AbstractContextManager[None]:
        """The time in which the calls are read."""

    def facts(self, text: str) -> Iterator[Facts]:
        """What the rows tell, in their order. text: of rows that have it in `extra` that is given too."""

    def names(self, first: int, end: int) -> Iterator[str]:
        """The names that rows give their session, span and parent."""
