"""A real loopback server that speaks the OpenAI stream with known times, and misbehaves on request.

It answers with a script of steps, so that a test says exactly what goes over the wire and when. Written on asyncio
streams, without the product's code.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from queue import Queue
from ssl import SSLContext
from threading import Thread


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Raw:
    """Bytes as they are."""

    data: bytes


@dataclass(frozen=True)
class Reset:
    """The connection is cut hard."""


@dataclass(frozen=True)
class Close:
    """The connection is closed in order, whatever the headers promised."""


Step = Wait | Raw | Reset | Close
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = Raw(b"0\r\n\r\n")


def chunked(data: bytes) -> Raw:
    return Raw(b"%x\r\n%b\r\n" % (len(data), data))


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


def usage(prompt: int, output: int, cached: int = 0) -> bytes:
    details = {"cached_tokens": cached}
    tokens = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details}
    return event({"choices": [], "usage": tokens})


DONE = b"data: [DONE]\n\n"


def reply(
    *words: str, ttft_s: float = 0.0, gap_s: float = 0.0, finish: str = "stop", prompt_tokens: int = 10
) -> list[Step]:
    """A well-formed streamed reply of one event a word."""
    steps: list[Step] = [Raw(SSE_HEAD), Wait(ttft_s)]
    for index, word in enumerate(words):
        if index:
            steps.append(Wait(gap_s))
        steps.append(chunked(delta(content=word)))
    return [*steps, chunked(delta(finish=finish)), chunked(usage(prompt_tokens, len(words)) + DONE), END]


def error(status: int, body: object, headers: str = "") -> list[Step]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(data)}\r\n\r\n"
    return [Raw(head.encode() + data)]


@dataclass
class Server:
    """Answers each chat completion with `answer(n, body)`, n counting from 0."""

    answer: Callable[[int, dict[str, object]], Sequence[Step]]
    models: tuple[str, ...] = ("test-model",)
    url: str = ""
    bodies: list[dict[str, object]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._request(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if not first.startswith("POST /v1/chat/completions "):
            listing = json.dumps({"object": "list", "data": [{"id": name} for name in self.models]}).encode()
            ok = first.startswith("GET /v1/models")
            status = b"200 OK" if ok else b"404 Not Found"
            writer.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                         % (status, len(listing), listing))  # fmt: skip
            await writer.drain()
            return
        number = len(self.bodies)
        self.bodies.append(json.loads(body))
        self.headers.append(headers)
        for step in self.answer(number, self.bodies[-1]):
            if isinstance(step, Wait):
                await writer.drain()
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Raw):
                writer.write(step.data)
                await writer.drain()
            elif isinstance(step, Close):
                writer.close()
                return
            else:
                writer.transport.abort()
                return
        await writer.drain()


@asynccontextmanager
async def serve(
    answer: Callable[[int, dict[str, object]], Sequence[Step]],
    models: tuple[str, ...] = ("test-model",),
    tls: SSLContext | None = None,
) -> AsyncIterator[Server]:
    server = Server(answer, models)
    listener = await asyncio.start_server(server._client, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{port}/v1"
    async with listener:
        yield server
        listener.close()


@contextmanager
def serve_in_thread(
    answer: Callable[[int, dict[str, object]], Sequence[Step]], models: tuple[str, ...] = ("test-model",)
) -> Iterator[Server]:
    """The same server on a thread of its own, for callers that run an event loop of theirs or none."""
    ready: Queue[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def main() -> None:
        end = asyncio.Event()
        async with serve(answer, models) as server:
            ready.put((server, asyncio.get_running_loop(), end))
            await end.wait()

    thread = Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    server, loop, end = ready.get(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(timeout=10)
