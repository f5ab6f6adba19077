"""A lean OpenAI-compatible loopback server for benchmarks: a process of its own, no product code, its own true times.

Answers POST /v1/chat/completions with a streamed reply of N chunks, the first after TTFT, the others GAP apart (0: at
once, each chunk a write of its own). A request without `stream` gets its reply whole. GET /v1/count says how many
completions there were so far, any other GET lists one model. With --replies the reply depends on how the last message
begins; without, it is N words. With --log it keeps, per request, the time it read the request and wrote each chunk
(perf_counter_ns, one clock with every process of the machine), as JSON lines. Prints its port; ends when whoever
started it closes its standard input.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

KEY_BYTES = 40
"""So much of the last message's beginning tells one question from another."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MODELS = b'{"object":"list","data":[{"id":"bench","object":"model"}]}'


@dataclass(frozen=True, slots=True)
class Script:
    """What goes over the wire for one reply."""

    steps: tuple[bytes, ...]
    """Streamed: the chunks, then finish, usage and end in one write."""
    whole: bytes


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(payload: object) -> bytes:
    return chunk(b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n")


def json_response(data: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


def cut(text: str, pieces: int) -> list[str]:
    """The text in so many pieces of about the same length; fewer if it has fewer characters."""
    edges = [round(len(text) * at / pieces) for at in range(pieces + 1)]
    return [text[start:end] for start, end in pairwise(edges) if end > start]


def script(words: list[str]) -> Script:
    base = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": "bench"}
    usage = {"prompt_tokens": 12, "completion_tokens": len(words), "total_tokens": 12 + len(words)}

    def delta(content: str | None, finish: str | None) -> bytes:
        body = {"content": content} if content is not None else {}
        return event(base | {"choices": [{"index": 0, "delta": body, "finish_reason": finish}]})

    last = delta(None, "stop") + event(base | {"choices": [], "usage": usage}) + chunk(b"data: [DONE]\n\n")
    message = {"role": "assistant", "content": "".join(words)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = base | {"object": "chat.completion", "choices": [choice], "usage": usage}
    return Script(
        (*(delta(word, None) for word in words), last + b"0\r\n\r\n"), json_response(json.dumps(whole).encode())
    )


def key_of(body: bytes) -> bytes:
    """The beginning of the last message's text, as it stands in the JSON of the request."""
    at = body.rfind(b'"content":') + len(b'"content":')
    if body[at : at + 2].lstrip().startswith(b"["):
        at = body.find(b'"text":', at) + len(b'"text":')
    return body[at : at + KEY_BYTES + 2].lstrip(b' "')[:KEY_BYTES]


class Connection(asyncio.Protocol):
    def __init__(self, server: "Server") -> None:
        self.server = server
        self.buffer = bytearray()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + length:
            return
        received = time.perf_counter_ns()
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        if head.startswith(b"get"):
            counted = head.split(b" ", 2)[1].endswith(b"/count")
            self.transport.write(json_response(b"%d" % self.server.answered if counted else MODELS))
        elif not head.startswith(b"post") or not head.split(b" ", 2)[1].endswith(b"/chat/completions"):
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            self.answer(body, received)

    def answer(self, body: bytes, received: int) -> None:
        self.server.answered += 1
        found = self.server.scripts.get(key_of(body), self.server.default)
        if b'"stream":true' not in body and b'"stream": true' not in body:
            self.transport.write(found.whole)
        elif self.server.timed:
            task = asyncio.get_running_loop().create_task(self.drip(found, received))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            self.transport.write(HEAD)
            for step in found.steps:
                self.transport.write(step)

    async def drip(self, found: Script, received: int) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.server.ttft_s
        self.transport.write(HEAD)
        marks = [received]
        for step in found.steps:
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.transport.write(step)
            marks.append(time.perf_counter_ns())
            due += self.server.gap_s
        self.server.log.append(tuple(marks))


class Server:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.ttft_s, self.gap_s = arguments.ttft_ms / 1000, arguments.gap_ms / 1000
        self.timed = bool(self.ttft_s or self.gap_s)
        self.log: list[tuple[int, ...]] = []
        self.answered = 0
        self.default = script([f"word{number} " for number in range(arguments.chunks)])
        replies = json.loads(Path(arguments.replies).read_text()) if arguments.replies else {}
        self.scripts = {key.encode(): script(cut(reply, arguments.chunks)) for key, reply in replies.items()}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--ttft-ms", type=float, default=0)
    parser.add_argument("--gap-ms", type=float, default=0)
    parser.add_argument("--replies", default="", help="JSON object: first bytes of the last message to reply")
    parser.add_argument("--log", default="", help="file for the server's own times, written at the end")
    arguments = parser.parse_args()
    server = Server(arguments)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    if arguments.log:
        lines = "".join(json.dumps(marks) + "\n" for marks in server.log)
        await asyncio.to_thread(Path(arguments.log).write_text, lines)


if __name__ == "__main__":
    asyncio.run(main())
