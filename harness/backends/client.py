"""The measuring client: one streamed chat completion over HTTP, with raw marks and nothing parsed on the clock.

While a reply streams, each piece of the body is kept as it came, with the monotonic time of its arrival. Reading the
server-sent events, counting and judging happen after the last byte (`harness.backends.stream`).
"""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from harness.protocols import Endpoint
from harness.records import Failure

__all__ = ["ChatClient", "Exchange"]

_MAX_BODY_BYTES = 64 * 1024 * 1024
_JSON_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}


@dataclass(slots=True)
class Exchange:
    """What one request brought, unread. Times are `perf_counter_ns`; `sent_ns` is just before the first byte out."""

    at: float
    sent_ns: int
    status: int | None = None
    content_type: str = ""
    retry_after: str | None = None
    headers_ns: int | None = None
    pieces: list[bytes] = field(default_factory=list)
    """Pieces of the body in order of arrival."""
    marks_ns: list[int] = field(default_factory=list)
    """Arrival of each piece."""
    end_ns: int = 0
    failure: Failure | None = None
    """A fault below HTTP; what the server said in words is judged later."""


class ChatClient:
    """Streams chat completions from one endpoint over kept-alive connections. Use as an async context."""

    def __init__(self, endpoint: Endpoint, *, concurrency: int, connect_timeout_s: float = 10.0) -> None:
        self._url = f"{endpoint.base_url}/chat/completions"
        self._headers = {**_JSON_HEADERS, **endpoint.headers}
        self._concurrency = concurrency
        self._connect_timeout_s = connect_timeout_s
        self._loopback = URL(self._url).host in {"127.0.0.1", "localhost", "::1"}  # a proxy never stands between
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=60.0, ttl_dns_cache=300)
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
        exchange = Exchange(at=time.time(), sent_ns=time.perf_counter_ns())
        try:
            async with asyncio.timeout(deadline_s):
                await self._receive(self._session, body, exchange, stall_s)
        except TimeoutError as error:
            exchange.failure = _timed_out(exchange, error, deadline_s, stall_s)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            exchange.failure = _network_failure(error, exchange)
        exchange.end_ns = exchange.marks_ns[-1] if exchange.failure is None and exchange.marks_ns else _now()
        return exchange

    async def _receive(self, session: aiohttp.ClientSession, body: bytes, exchange: Exchange, stall_s: float) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s, sock_read=stall_s)
        exchange.sent_ns = _now()
        async with session.post(self._url, data=body, headers=self._headers, timeout=timeout) as response:
            exchange.headers_ns = _now()
            exchange.status = response.status
            exchange.content_type = response.content_type
            exchange.retry_after = response.headers.get("Retry-After")
            pieces, marks, size = exchange.pieces, exchange.marks_ns, 0
            now = time.perf_counter_ns
            async for piece in response.content.iter_any():
                marks.append(now())
                pieces.append(piece)
                size += len(piece)
                if size > _MAX_BODY_BYTES:
                    exchange.failure = Failure(
                        boundary="infrastructure",
                        kind="malformed_stream",
                        message=f"the reply is larger than {_MAX_BODY_BYTES >> 20} MiB and was cut off",
                        status=response.status,
                    )
                    return


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
    if isinstance(error, aiohttp.ClientPayloadError):
        message = f"the connection ended inside the reply: {_brief(error)}"
        return Failure(boundary="infrastructure", kind="truncated_stream", message=message, status=status)
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        where = "inside the reply" if exchange.pieces else "before the reply"
        return Failure(boundary="infrastructure", kind="reset", message=f"connection reset {where}", status=status)
    return Failure(boundary="infrastructure", kind="malformed_stream", message=_brief(error), status=status)


def _brief(error: object) -> str:
    """The first line of an error, at most 200 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200] or type(error).__name__
