"""A real loopback server that speaks Anthropic's Messages API: streamed events, tools, cache counts and its errors.

Shapes after Anthropic's API reference, "Streaming messages" and "Errors". Written on the standard library's server,
without the product's code and without Anthropic's.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """An error with its HTTP status, before any event."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pause:
    seconds: float


Part = dict[str, Any] | Pause
Answer = Callable[[int, dict[str, Any]], Sequence[Part] | Refusal]


def begin(fresh: int, read: int = 0, written: int = 0) -> dict[str, Any]:
    """The first event: `input_tokens` are those that no cache had to do with."""
    usage = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": 1,
    }
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "usage": usage}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}


def block(index: int, opening: dict[str, Any], *deltas: Part) -> list[Part]:
    start = {"type": "content_block_start", "index": index, "content_block": opening}
    inner: list[Part] = [
        one if isinstance(one, Pause) else {"type": "content_block_delta", "index": index, "delta": one}
        for one in deltas
    ]
    return [start, *inner, {"type": "content_block_stop", "index": index}]


def text(index: int, *words: str, gap_s: float = 0.0) -> list[Part]:
    deltas: list[Part] = []
    for number, word in enumerate(words):
        if number and gap_s:
            deltas.append(Pause(gap_s))
        deltas.append({"type": "text_delta", "text": word})
    return block(index, {"type": "text", "text": ""}, *deltas)


def thinking(index: int, thought: str) -> list[Part]:
    opening = {"type": "thinking", "thinking": "", "signature": ""}
    return block(index, opening, {"type": "thinking_delta", "thinking": thought})


def tool_use(index: int, name: str, *pieces: str) -> list[Part]:
    opening = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return block(index, opening, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


def finish(output: int, reason: str = "end_turn") -> list[Part]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output}},
        {"type": "message_stop"},
    ]


def broken(kind: str, message: str) -> dict[str, Any]:
    """An error in the middle of a stream."""
    return {"type": "error", "error": {"type": kind, "message": message}}


@dataclass
class Server:
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: int = 0
    """Callers that went away before the last event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Server
    answer: Answer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/messages":
            self._refuse(Refusal(404, "not_found_error", f"no route {self.path}"))
            return
        self.told.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.told.bodies.append(body)
        said = type(self).answer(len(self.told.bodies) - 1, body)
        if isinstance(said, Refusal):
            self._refuse(said)
        else:
            self._stream(said)

    def _refuse(self, refusal: Refusal) -> None:
        error = {"type": "error", "error": {"type": refusal.kind, "message": refusal.message}}
        data = json.dumps(error).encode()
        self.send_response(refusal.status)
        for name, value in {"content-type": "application/json", **refusal.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, parts: Sequence[Part]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for part in parts:
                if isinstance(part, Pause):
                    time.sleep(part.seconds)
                    continue
                self.wfile.write(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            self.told.left += 1


@contextmanager
def serve(answer: Answer) -> Iterator[Server]:
    """Answers each message with `answer(n, body)`, n counting from 0; `url` is what a client takes as its base."""
    told = Server()
    handler = type("Handler", (_Handler,), {"told": told, "answer": staticmethod(answer)})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    httpd.daemon_threads = True
    told.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join(timeout=10)
