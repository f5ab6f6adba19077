"""An OTLP/HTTP receiver on loopback, for agents that are instrumented already: what comes is appended to files.

The protocol: POST /v1/traces and /v1/logs, protobuf or JSON, gzip or not, answered with an empty message of the same
kind (OpenTelemetry Protocol Specification 1.x, OTLP/HTTP). Nothing is read out of it here: `do=collect` does that.
"""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import orjson
from aiohttp import web

from harness.capture.dayfile import DayFile
from harness.errors import BackendError

__all__ = ["Received", "receiving"]

_LARGEST = 64 << 20
_PROTOBUF = ("application/x-protobuf", "application/protobuf")
_HOST = "127.0.0.1"
_RETRY_S = "30"


@dataclass(slots=True)
class Received:
    """Where it listens, and what has come."""

    url: str
    messages: int = 0
    bytes: int = 0
    refused: int = 0
    """Messages that are no OTLP, or found no room on the disk (then the sender tries again)."""
    files: dict[str, DayFile] = field(default_factory=dict, repr=False)


@asynccontextmanager
async def receiving(folder: Path, port: int) -> AsyncIterator[Received]:
    """A context in which the receiver listens; port 0: any that is free.

    Raises BackendError if the port is taken, OSError if the folder cannot be made.
    """
    files = {"json": DayFile(folder, "otlp", ".jsonl"), "protobuf": DayFile(folder, "otlp", ".otlp")}
    received = Received("", files=files)
    gate = asyncio.Lock()

    async def take(request: web.Request) -> web.Response:
        return await _take(request, received, gate)

    app = web.Application(client_max_size=_LARGEST)
    app.add_routes([web.post("/v1/traces", take), web.post("/v1/logs", take)])
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise BackendError(
                f"port {port} of {_HOST} cannot be listened at ({error.strerror}); choose another: receive.port=0"
            ) from None
        bound = runner.addresses[0][1]
        received.url = f"http://{_HOST}:{bound}"
        yield received
    finally:
        await runner.cleanup()
        for file in files.values():
            file.shut()


async def _take(request: web.Request, received: Received, gate: asyncio.Lock) -> web.Response:
    kind = request.content_type
    try:
        body = await asyncio.to_thread(_unpacked, await request.read(), request.headers.get("Content-Encoding", ""))
        data, file = _kept(kind, body)
    except _RefusedError as error:
        received.refused += 1
        return web.json_response({"message": str(error)}, status=error.status)
    async with gate:
        try:
            await asyncio.to_thread(received.files[file].append, data)
        except OSError as error:
            received.refused += 1
            said = {"message": f"cannot be written: {error.strerror}"}
            return web.json_response(said, status=503, headers={"Retry-After": _RETRY_S})
    received.messages += 1
    received.bytes += len(data)
    if file == "json":
        return web.json_response({})
    return web.Response(body=b"", content_type=_PROTOBUF[0])


class _RefusedError(Exception):
    """A message that is not taken, with the status that says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its compression, up to a bound."""
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() != "gzip":
        raise _RefusedError(415, f"the body may be compressed by gzip alone, not by {encoding}")
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as stream:
            found = stream.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        raise _RefusedError(400, "the body says gzip and is none") from None
    if len(found) > _LARGEST:
        raise _RefusedError(413, f"the message is larger than {_LARGEST >> 20} MiB")
    return found


def _kept(kind: str, body: bytes) -> tuple[bytes, str]:
    """What goes into which file: JSON as one line, protobuf behind its length in four bytes."""
    if kind in _PROTOBUF:
        return len(body).to_bytes(4, "big") + body, "protobuf"
    if kind != "application/json":
        raise _RefusedError(415, f"OTLP is sent as application/json or application/x-protobuf, not {kind}")
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _RefusedError(400, f"the body is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise _RefusedError(400, "the body is no JSON object")
    return orjson.dumps(data) + b"\n", "json"
