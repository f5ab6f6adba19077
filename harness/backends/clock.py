"""When bytes left and arrived: by the kernel's own stamps where it gives them, else at the socket's read and write.

The client's loop wakes late when it is busy with other replies. The moment at which bytes reached this machine does not
move with it: Linux notes it for each packet (`SO_TIMESTAMPNS`) and hands it over with the bytes, so a mark says when a
piece arrived, not when there was time to read it. Where the kernel has no stamp, the mark is the moment of the read.
"""

import platform
import socket
import struct
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import asyncio

    from _typeshed import ReadableBuffer, WriteableBuffer
    from aiohttp import StreamReader

__all__ = ["CURRENT", "BodyTooLargeError", "ClockedConnector", "Marks", "kernel_stamps", "stamped_ns"]

_SO_TIMESTAMPNS = 35  # include/uapi/asm-generic/socket.h of Linux; Python 3.11 has no name for it
_KERNEL_STAMPS = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"} and sys.maxsize > 2**32
_TIMESPEC = struct.Struct("qq")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size) if _KERNEL_STAMPS else 0
_CLOCK_APART_NS, _CLOCK_TRIES = 5_000, 10
_EARLY_S = 1.0
_PIECE_BYTES = 96
"""What a piece takes beyond its text: object, mark and two places in lists."""


class BodyTooLargeError(ValueError):
    """A reply that is larger than there is room for."""


@dataclass(slots=True)
class Marks:
    """What the clock noted of one exchange, in `perf_counter_ns`."""

    room_bytes: int
    """What the body and its marks may take."""
    sent_ns: int | None = None
    """Just before the first byte of the request was written to the socket."""
    headers_ns: int | None = None
    """Arrival of the read that completed the response's head."""
    ends: list[int] = field(default_factory=list)
    """Length of the body after each read that brought a part of it."""
    times_ns: list[int] = field(default_factory=list)
    """Arrival of the last byte of each such read."""
    drained: list[bytes] = field(default_factory=list)
    """Parts taken out of `content` because it was full."""
    content: "StreamReader | None" = None

    def begin(self) -> None:
        """Forgets what an earlier request, such as a proxy's CONNECT, left here."""
        self.sent_ns = self.headers_ns = self.content = None
        for kept in (self.ends, self.times_ns, self.drained):
            kept.clear()

    async def whole(self) -> None:
        """Returns at the last byte of the body, without waking for those before it. Raises what broke it off."""
        content = self.content
        if content is None:
            return
        error = content.exception()
        if error is not None:
            raise error
        await content.wait_eof()

    def take(self) -> list[bytes]:
        """The body as far as it came, cut where one read ended and the next began: one piece for each mark.

        What comes later on the same connection is noted no more.
        """
        rest = () if self.content is None else self.content._buffer  # read_nowait() refuses after a failure
        body = b"".join((*self.drained, *rest))
        self.content = None
        return [body[start:end] for start, end in pairwise((0, *self.ends))]


CURRENT: ContextVar[Marks | None] = ContextVar("CURRENT", default=None)
"""Where the exchange of the present task wants its marks."""


def stamped_ns(stamp_ns: int, wall_ns: int, now_ns: int, floor_ns: int) -> int:
    """The kernel's wall-clock stamp on the monotonic clock: never after `now_ns`, never before `floor_ns`.

    stamp_ns, wall_ns: wall clock, when the bytes arrived and now. now_ns: monotonic clock, now.
    floor_ns: monotonic mark that must have come before; it bounds what a set wall clock can do.
    >>> stamped_ns(1_000, 1_300, 50_300, 0)
    50000
    """
    return max(floor_ns, now_ns - max(0, wall_ns - stamp_ns))


def both_clocks() -> tuple[int, int]:
    """Wall clock and monotonic clock of one moment, in nanoseconds; read again if the process paused in between."""
    wall_ns = now_ns = 0
    for _ in range(_CLOCK_TRIES):
        before_ns, wall_ns, now_ns = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        if now_ns - before_ns < _CLOCK_APART_NS:
            break
    return wall_ns, now_ns


class ClockedSocket(socket.socket):
    """A TCP socket that knows when the bytes it last handed out had arrived, and when it last began to send."""

    __slots__ = ("arrived_ns", "kernel_stamps", "sent_ns")

    def __init__(self, family: int = -1, kind: int = -1, proto: int = -1) -> None:
        super().__init__(family, kind, proto)
        self.arrived_ns = 0
        self.sent_ns: int | None = None
        """First write since it was last set to None."""
        self.kernel_stamps = False
        if _KERNEL_STAMPS:
            try:
                self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            except OSError:  # a sandbox that forbids it: marks are taken at the read
                return
            self.kernel_stamps = True

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Like socket.recv, and notes the arrival of the last byte."""
        if not self.kernel_stamps:
            data = super().recv(bufsize, flags)
            self.arrived_ns = time.perf_counter_ns()
            return data
        data, ancillary, _, _ = self.recvmsg(bufsize, _ANCILLARY_BYTES, flags)
        self._note(ancillary)
        return data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        """Like socket.recv_into, and notes the arrival of the last byte."""
        if not self.kernel_stamps or nbytes:
            count = super().recv_into(buffer, nbytes, flags)
            self.arrived_ns = time.perf_counter_ns()
            return count
        count, ancillary, _, _ = self.recvmsg_into([buffer], _ANCILLARY_BYTES, flags)
        self._note(ancillary)
        return count

    def _note(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        if not ancillary:
            self.arrived_ns = time.perf_counter_ns()
            return
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        wall_ns, now_ns = both_clocks()
        floor_ns = max(self.arrived_ns, self.sent_ns or 0)
        self.arrived_ns = stamped_ns(seconds * 1_000_000_000 + nanoseconds, wall_ns, now_ns, floor_ns)

    def hung_up(self) -> bool:
        """Whether the other side has closed and nothing is left to read; takes nothing out of the socket."""
        try:
            return super().recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def send(self, data: "ReadableBuffer", flags: int = 0, /) -> int:
        """Like socket.send, and notes when the first of several writes began."""
        if self.sent_ns is None:
            self.sent_ns = time.perf_counter_ns()
        return super().send(data, flags)

    def sendmsg(self, *args: Any) -> int:
        """Like socket.sendmsg (asyncio writes with it from Python 3.12 on), with the same note."""
        if self.sent_ns is None:
            self.sent_ns = time.perf_counter_ns()
        return super().sendmsg(*args)


def kernel_stamps() -> bool:
    """Whether marks are the kernel's here; if not, they are taken at the read."""
    with ClockedSocket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.kernel_stamps


def clocked_socket(address: tuple[Any, ...]) -> socket.socket:
    """A ClockedSocket for one entry of `getaddrinfo`."""
    return ClockedSocket(*address[:3])


class ClockedHandler(ResponseHandler):
    """aiohttp's connection, noting the arrival of each read for the exchange that is in flight on it."""

    _socket: ClockedSocket | None = None
    _marks: Marks | None = None
    _draining = False
    _heard_s = 0.0
    _listening = False
    _replies = 0

    def __init__(self, loop: "asyncio.AbstractEventLoop", connector: "ClockedConnector") -> None:
        super().__init__(loop)
        self._connector = connector

    def connection_made(self, transport: "asyncio.BaseTransport") -> None:
        """Finds the socket below the transport, also below TLS."""
        super().connection_made(transport)
        inner = getattr(transport.get_extra_info("socket"), "_sock", None)  # asyncio wraps it in a TransportSocket
        self._socket = inner if isinstance(inner, ClockedSocket) else None

    def is_connected(self) -> bool:
        """Asked before a kept connection is used again: also false if the server closed it and no one noticed yet."""
        return super().is_connected() and not (self._socket is not None and self._socket.hung_up())

    def set_response_params(self, **settings: Any) -> None:
        """Called before a request is written: from here on the connection works for the present exchange."""
        self._marks = CURRENT.get()
        if self._marks is not None:
            self._marks.begin()
        if self._socket is not None:
            self._socket.sent_ns = None
        super().set_response_params(**settings)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Called with (message, body) when the response's head is read."""
        if self._marks is not None:
            self._marks.content = data[1]
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Notes how far the body is after each read, and when that read's last byte had arrived."""
        clock = self._socket
        arrived_ns = time.perf_counter_ns() if clock is None else clock.arrived_ns
        super().data_received(data)
        marks = self._marks
        if marks is None or marks.content is None:
            return
        if marks.headers_ns is None:
            marks.headers_ns = arrived_ns
            marks.sent_ns = None if clock is None else clock.sent_ns
        length = marks.content.total_bytes
        if length > (marks.ends[-1] if marks.ends else 0):
            marks.ends.append(length)
            marks.times_ns.append(arrived_ns)
            if length + len(marks.ends) * _PIECE_BYTES > marks.room_bytes and marks.content.exception() is None:
                marks.content.set_exception(BodyTooLargeError())
        if marks.content.is_eof():
            self._replies += 1
            if self._replies > 1:
                self._connector.note_reuse()
        elif self._reading_paused and not self._draining:
            self._drain(marks, marks.content)

    def _drain(self, marks: Marks, content: "StreamReader") -> None:
        """Takes what a full buffer holds, which makes aiohttp read on; the rest of a read may come in meanwhile."""
        self._draining = True
        try:
            while content.exception() is None and (part := content.read_nowait()):
                marks.drained.append(part)
        finally:
            self._draining = False

    def _reschedule_timeout(self) -> None:
        """Notes the end of a silence. aiohttp sets a new timer at each read, which is a third of a read's cost."""
        self._heard_s, self._listening = self._loop.time(), True
        if not self._read_timeout:
            return
        timer, due_s = self._read_timeout_handle, self._heard_s + self._read_timeout
        if timer is not None and timer.when() > due_s:  # set for an earlier reply that was given more time
            timer.cancel()
            timer = None
        if timer is None:
            self._read_timeout_handle = self._loop.call_at(due_s, self._on_read_timeout)

    def _drop_timeout(self) -> None:
        """Nobody waits any more. The timer stays for the next reply on this connection, or comes to nothing."""
        self._listening = False

    def _on_read_timeout(self) -> None:
        """Waits on if something was heard meanwhile."""
        if not self._listening:
            self._read_timeout_handle = None
            return
        left_s = self._heard_s + (self._read_timeout or 0.0) - self._loop.time()
        if left_s > 0:
            self._read_timeout_handle = self._loop.call_later(left_s, self._on_read_timeout)
            return
        super()._on_read_timeout()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever waits for the end of the body, whatever the parser made of the loss; notes an early close."""
        ours = self.transport is None
        if not ours and self._replies == 1 and self._loop.time() - self._heard_s < _EARLY_S:
            self._connector.note_early_close()
        super()._drop_timeout()
        broken = self.exception()  # what the parser found wrong, before the loss of the connection hides it
        super().connection_lost(exc)
        content = self._marks.content if self._marks is not None else None
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(broken or ConnectionResetError("connection lost inside the reply"))


class ClockedConnector(TCPConnector):
    """aiohttp's connector over clocked sockets and handlers."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(limit=limit, keepalive_timeout=60.0, ttl_dns_cache=300, socket_factory=clocked_socket)
        self._keeps = False
        factory = partial(ClockedHandler, loop=self._loop, connector=self)
        self._factory = cast("partial[ResponseHandler]", factory)  # aiohttp 3.14 has no public way

    def note_reuse(self) -> None:
        """A connection carried a second reply: this server keeps them."""
        self._keeps = True

    def note_early_close(self) -> None:
        """A connection was closed right after its first reply. Where none was ever used twice, none is kept any more.

        llama-server (xllamacpp 2026.10) says `Keep-Alive: timeout=5` and closes after each streamed reply: a third of
        the requests that followed at once met a connection about to be reset.
        """
        if not self._keeps:
            self._force_close = True
