"""OpenAI's chat route on loopback before the engine `transformers`: streamed, one request at a time, others wait."""

import json
import select
import socket
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.backends.transformers_ask import Ask, RefusalError, ask_of
from harness.backends.transformers_child import LaneSettings
from harness.backends.transformers_engine import Engine, Outcome
from harness.backends.transformers_text import Call, Speech

__all__ = ["LaneServer"]

_MOST_BODY_BYTES = 64 << 20


class LaneServer:
    """A loaded model that listens on a free port of loopback."""

    def __init__(self, settings: LaneSettings) -> None:
        """Loads the model. Raises what the engine raises."""
        self.settings = settings
        self.engine = Engine(settings)
        self.facts: dict[str, Any] = self.engine.facts()
        self.closing = threading.Event()
        lane = self

        class Handler(_Handler):
            server_lane = lane

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    def serve(self) -> None:
        """Answers until `stop`."""
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Ends what is being generated, and listens no more."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_lane: LaneServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it would be written while requests are timed."""

    def do_GET(self) -> None:
        alias = self.server_lane.settings.alias
        if self.path == "/health":
            self._json(200, {"status": "ok"})
        elif self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": alias, "object": "model"}]})
        else:
            self._json(404, {"error": {"message": f"no route {self.path}", "type": "not_found"}})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MOST_BODY_BYTES:
            self.close_connection = True
            self._json(413, {"error": {"message": "the body is too large", "type": "invalid_request_error"}})
            return
        body = self.rfile.read(size)
        if self.path != "/v1/chat/completions":
            self._json(404, {"error": {"message": f"no route {self.path}", "type": "not_found"}})
            return
        reply = _Reply(self)
        try:
            reply.answer(body)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True
        except RefusalError as error:
            reply.refuse(error)
        except Exception as error:  # whatever it was, the caller is to read it as an answer
            reply.refuse(RefusalError(500, f"{type(error).__name__}: {error}"[:1000], "server_error"))

    def _json(self, status: int, answer: dict[str, Any]) -> None:
        body = _bytes(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Reply:
    """One chat completion on its way: streamed as events, or gathered."""

    def __init__(self, handler: _Handler) -> None:
        self._handler, self._lane = handler, handler.server_lane
        self._id, self._created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        self._stream, self._begun = False, False
        self._calls = 0
        self._gathered: list[str | Call] = []

    def answer(self, body: bytes) -> None:
        """Reads the request, generates, and sends."""
        try:
            ask = ask_of(json.loads(body))
        except ValueError:
            raise RefusalError(400, "the body is no JSON", "invalid_request_error") from None
        self._stream = ask.stream
        engine, speech = self._lane.engine, self._speech(ask)
        ids = engine.prompt(ask)

        def say(text: str) -> bool:
            for piece in speech.feed(text):
                self._piece(piece)
            return not speech.stopped

        outcome = engine.generate(ask, ids, say, self._gone)
        if outcome.reason == "gone":
            self._handler.close_connection = True
            return
        for piece in speech.end():
            self._piece(piece)
        self._finish(outcome, speech)

    def _speech(self, ask: Ask) -> Speech:
        parser = self._lane.settings.tool_parser if ask.tools else "none"
        return Speech(ask.stops, "hermes" if parser == "hermes" else "json" if parser == "json" else "none")

    def _gone(self) -> bool:
        """Whether nobody listens any more: the caller's end of the connection is closed, or the server is."""
        connection: socket.socket = self._handler.connection
        if self._lane.closing.is_set():
            return True
        readable, _, _ = select.select([connection], [], [], 0)
        try:
            return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _piece(self, piece: str | Call) -> None:
        if not self._stream:
            self._gathered.append(piece)
            return
        if isinstance(piece, Call):
            self._event({"tool_calls": [_call(piece, self._calls)]})
            self._calls += 1
        else:
            self._event({"content": piece})

    def _finish(self, outcome: Outcome, speech: Speech) -> None:
        reason = "stop" if speech.stopped else outcome.reason  # met in the last piece, which was held back till the end
        reason = "tool_calls" if speech.called and reason == "stop" else reason
        told = {"usage": _usage(outcome), "timings": _timings(outcome)}
        if self._stream:
            self._event({}, reason)
            self._write({**self._head("chat.completion.chunk"), "choices": [], **told})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
            return
        calls = [_call(one, at) for at, one in enumerate(x for x in self._gathered if isinstance(x, Call))]
        text = "".join(one for one in self._gathered if isinstance(one, str))
        message = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self._handler._json(200, {**self._head("chat.completion"), "choices": [choice], **told})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._lane.settings.alias}

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        self._write({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _write(self, event: dict[str, Any]) -> None:
        self._chunk(b"data: " + _bytes(event) + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._handler.send_response(200)
            self._handler.send_header("Content-Type", "text/event-stream")
            self._handler.send_header("Cache-Control", "no-cache")
            self._handler.send_header("Transfer-Encoding", "chunked")
            self._handler.end_headers()
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def refuse(self, error: RefusalError) -> None:
        """Says no: by the status, or inside the stream where that has begun."""
        said = {"error": {"message": error.message, "type": error.code, "code": error.code}}
        try:
            if not self._begun:
                self._handler._json(error.status, said)
                return
            self._write({"error": {**said["error"], "code": error.status}})
            self._chunk(b"")
        except (BrokenPipeError, ConnectionError):
            self._handler.close_connection = True


def _call(call: Call, at: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": at, "id": f"call_{uuid.uuid4().hex[:12]}", "type": "function", "function": function}


def _usage(outcome: Outcome) -> dict[str, int]:
    total = outcome.prompt_tokens + outcome.output_tokens
    return {
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.output_tokens,
        "total_tokens": total,
    }


def _timings(outcome: Outcome) -> dict[str, float]:
    """In the words of llama.cpp; its `predicted_ms` begins with the first token too."""
    return {
        "prompt_n": outcome.prompt_tokens,
        "prompt_ms": outcome.prompt_s * 1000,
        "predicted_n": outcome.output_tokens,
        "predicted_ms": outcome.predicted_s * 1000,
    }


def _bytes(value: object) -> bytes:
    """JSON on one line; half characters become question marks."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
