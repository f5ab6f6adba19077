"""The measuring client: one streamed chat completion over HTTP, with raw marks and nothing parsed on the clock.

While a reply streams, each piece of the body is kept as it came, with the monotonic time of its arrival
(`harness.backends.clock`); nobody is woken before the last byte. Reading the server-sent events, counting and judging
come after it (`harness.backends.stream`).
"""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from harness.backends.blame import sent_keys
from harness.backends.clock import CURRENT, BodyTooLargeError, ClockedConnector, Marks
from harness.backends.pace import Pace
from harness.protocols import Endpoint
from harness.records import Failure

__all__ = ["ChatClient", "Exchange"]

_MIB = 1 << 20
_MOST_BODY_BYTES, _LEAST_BODY_BYTES, _ALL_BODIES_BYTES = 64 * _MIB, 4 * _MIB, 512 * _MIB
"""Room for one reply: a share of that for all in flight, within bounds. 100,000 streamed tokens take some 20 MiB."""
_TOO_SHORT = "Not enough data"
"""In aiohttp's words for a body that ended before its length, its last chunk or its compression did."""
_JSON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",  # a compressor holds tokens back until it has a block of them
}


@dataclass(slots=True)
class Exchange:
    """What one request brought, unread. Times are `perf_counter_ns`; `sent_ns` is just before the first byte out."""

    at: float
    sent_ns: int
    status: int | None = None
    content_type: str = ""
    retry_after: str | None = None
    location: str | None = None
    """Where a redirect points to."""
    headers_ns: int | None = None
    pieces: list[bytes] = field(default_factory=list)
    """Pieces of the body in order of arrival."""
    marks_ns: list[int] = field(default_factory=list)
    """Arrival of each piece."""
    end_ns: int = 0
    failure: Failure | None = None
    """A fault below HTTP; what the server said in words is judged later."""
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """Keys that went out with the request, for whoever repeats what the server said."""


class ChatClient:
    """Streams chat completions from one endpoint over kept-alive connections. Use as an async context."""

    def __init__(self, endpoint: Endpoint, *, concurrency: int, connect_timeout_s: float = 10.0) -> None:
        self._url = URL(f"{endpoint.base_url}/chat/completions")
        self._headers = CIMultiDict({**_JSON_HEADERS, **endpoint.headers})
        self._hidden = sent_keys(endpoint.headers)
        self._concurrency = concurrency
        self._max_body_bytes = min(_MOST_BODY_BYTES, max(_LEAST_BODY_BYTES, _ALL_BODIES_BYTES // concurrency))
        self._connect_timeout_s = connect_timeout_s
        self._loopback = self._url.host in {"127.0.0.1", "localhost", "::1"}  # a proxy never stands between
        self._session: aiohttp.ClientSession | None = None
        self._limit: aiohttp.ClientTimeout | None = None
        self._pace = Pace()

    async def __aenter__(self) -> Self:
        connector = ClockedConnector(limit=self._concurrency)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=not self._loopback
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def stream(self, body: bytes, *, deadline_s: float, stall_s: float) -> Exchange:
        """One exchange: `body` is a whole JSON request. Never raises for what network or server do."""
        if self._session is None:
            msg = "ChatClient is an async context: use it within `async with`"
            raise RuntimeError(msg)
        exchange = Exchange(at=time.time(), sent_ns=time.perf_counter_ns(), hidden=self._hidden)
        try:
            async with asyncio.timeout(deadline_s):
                await self._receive(self._session, body, exchange, stall_s)
        except TimeoutError as error:
            exchange.failure = _timed_out(exchange, error, deadline_s, stall_s)
        except BodyTooLargeError:
            exchange.failure = _oversized(exchange, self._max_body_bytes)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            exchange.failure = _network_failure(error, exchange)
        exchange.end_ns = exchange.marks_ns[-1] if exchange.failure is None and exchange.marks_ns else _now()
        await self._pace.turn()
        return exchange

    async def _receive(self, session: aiohttp.ClientSession, body: bytes, exchange: Exchange, stall_s: float) -> None:
        exchange.sent_ns = _now()
        marks = Marks(room_bytes=self._max_body_bytes)
        token = CURRENT.set(marks)
        try:
            async with session.post(
                self._url, data=body, headers=self._headers, timeout=self._limits(stall_s), allow_redirects=False
            ) as response:
                exchange.status = response.status
                exchange.content_type = response.content_type
                exchange.retry_after = response.headers.get("Retry-After")
                if 300 <= response.status < 400:
                    exchange.location = response.headers.get("Location")
                await marks.whole()
        finally:
            CURRENT.reset(token)
            _take(exchange, marks)

    def _limits(self, stall_s: float) -> aiohttp.ClientTimeout:
        """The limits of one exchange, made anew only where they change."""
        if self._limit is None or self._limit.sock_read != stall_s:
            connect_s = self._connect_timeout_s
            self._limit = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=stall_s)
        return self._limit


def _take(exchange: Exchange, marks: Marks) -> None:
    """Puts what the clock noted into the exchange, also of one that was broken off."""
    exchange.sent_ns = marks.sent_ns or exchange.sent_ns
    exchange.headers_ns = marks.headers_ns
    exchange.pieces = marks.take()
    exchange.marks_ns = marks.times_ns


def _oversized(exchange: Exchange, limit: int) -> Failure:
    """The failure of a reply beyond all bounds; what came of it is let go."""
    exchange.pieces.clear()
    exchange.marks_ns.clear()
    message = f"the reply is larger than {limit // _MIB} MiB and was cut off: does the server honour max_tokens?"
    return Failure(boundary="infrastructure", kind="malformed_stream", message=message, status=exchange.status)


def _now() -> int:
    return time.perf_counter_ns()


def _timed_out(exchange: Exchange, error: TimeoutError, deadline_s: float, stall_s: float) -> Failure:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Failure(boundary="infrastructure", kind="connect", message="no connection within the connect timeout")
    got = f"after {len(exchange.pieces)} pieces of the reply" if exchange.pieces else "before any byte of the reply"
    if isinstance(error, aiohttp.SocketTimeoutError):
        message = f"the server was silent for {stall_s:g} s (run.stall_s) {got}"
        return Failure(boundary="infrastructure", kind="stalled", message=message, status=exchange.status)
    message = f"no end of the reply within {deadline_s:g} s (run.deadline_s), {got}"
    return Failure(boundary="infrastructure", kind="timeout", message=message, status=exchange.status)


def _network_failure(error: Exception, exchange: Exchange) -> Failure:
    """The failure of a fault below HTTP, without the request in its message."""
    status = exchange.status
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure(boundary="infrastructure", kind="dns", message=f"host name not found: {error.host}")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        reason = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
        return Failure(boundary="infrastructure", kind="tls", message=f"TLS: {_brief(reason)}")
    if isinstance(error, aiohttp.ClientConnectorError):
        message = f"nothing answers at {error.host}:{error.port}: {_brief(error.os_error)}"
        return Failure(boundary="infrastructure", kind="connect", message=message)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy refuses the connection: HTTP {error.status}"
        return Failure(boundary="infrastructure", kind="connect", message=message)
    if isinstance(error, aiohttp.ClientPayloadError) and _TOO_SHORT in str(error):
        message = f"the connection ended inside the reply, after {len(exchange.pieces)} pieces of it"
        return Failure(boundary="infrastructure", kind="truncated_stream", message=message, status=status)
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        where = "inside the reply" if exchange.pieces else "before the reply"
        return Failure(boundary="infrastructure", kind="reset", message=f"connection reset {where}", status=status)
    message = f"the server does not keep to HTTP: {_brief(_complaint(error))}"
    return Failure(boundary="infrastructure", kind="malformed_stream", message=message, status=status)


def _complaint(error: BaseException) -> str:
    """What the parser of HTTP found wrong, in one line; aiohttp hides it in causes behind a made-up status 400."""
    while error.__cause__ is not None and not isinstance(error, HttpProcessingError):
        error = error.__cause__
    return " ".join(str(getattr(error, "message", error)).split())


def _brief(error: object) -> str:
    """The first line of an error, at most 200 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200] or type(error).__name__
