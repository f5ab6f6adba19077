"""What is seen of a call while it passes, and how it is handed over when it is over."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.capture.context import Context, current
from harness.capture.recorder import Recorder

if TYPE_CHECKING:
    import httpx

__all__ = ["Passing", "hand_over", "note_reply", "passing_of"]

_PATHS = ("/chat/completions", "/responses", "/messages", ":generateContent", ":streamGenerateContent")
"""How the addresses of model calls end."""


@dataclass(slots=True)
class Passing:
    """What is seen of one call while it passes; made into a line when it is over, in another thread."""

    path: str
    host: str
    body: bytes | None
    context: Context
    agent: str | None
    at: float
    started_ns: int
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Of the reply, and only what reading its body takes. Those of the request hold the key and are never touched."""
    chunks: list[tuple[int, bytes]] = field(default_factory=list)
    """Nanoseconds since the start, and the bytes that came then."""
    ended_ns: int | None = None
    broke: str | None = None
    """What ended it before its time: the kind of the error, or that the program stopped reading."""


def passing_of(request: "httpx.Request", agent: str | None) -> Passing | None:
    """The call that a request makes; None for one that is none of a model's."""
    path = request.url.path
    if request.method != "POST" or not path.endswith(_PATHS):
        return None
    body = getattr(request, "_content", None)  # a body that is streamed is not held back for us
    context = current()
    return Passing(path, request.url.host, body, context, agent, time.time(), time.perf_counter_ns())


def hand_over(call: Passing, recorder: Recorder, *, whole: bool) -> None:
    """Gives a call that is over to the recorder, once. whole: its last byte was read."""
    if call.ended_ns is not None:
        return
    call.ended_ns = time.perf_counter_ns() - call.started_ns
    if not whole and call.broke is None:
        call.broke = "closed by the program"
    step = next(call.context.steps) if call.context.session is not None else None
    if call.context.human and not recorder.keep_human_chat:
        recorder.put(lambda: None)
        return

    def line() -> bytes | None:
        from harness.capture.line import line_of  # orjson and what reads streams: not before the first call is over

        return line_of(call, step)

    recorder.put(line)


def note_reply(call: Passing, response: "httpx.Response") -> None:
    """Notes how the reply begins."""
    call.status = response.status_code
    kept = ("content-type", "content-encoding")
    call.headers = {name: value for name in kept if (value := response.headers.get(name)) is not None}
