"""Embeddings of a server: asked in batches, kept by content, and never without a clear word."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cluster.vectors import embedding_named
from harness.errors import BackendError, ConfigError

SECRET = "key-for-a-test-alone"


@dataclass(slots=True)
class Server:
    """What it was asked, and the failures (code, head) that it begins with."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    answer: bytes | None = None


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, state: Server, *args: Any) -> None:
        self.state = state
        super().__init__(*args)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.bodies.append(body)
        self.state.keys.append(self.headers.get("Authorization"))
        if self.state.failures:
            code, head = self.state.failures.pop(0)
            self._send(code, f"no: {self.headers.get('Authorization')}".encode(), head)
            return
        rows = [{"index": n, "embedding": [len(text), 1.0, 0.5]} for n, text in enumerate(body["input"])]
        told = {"data": rows[::-1], "usage": {"prompt_tokens": len(rows)}}
        self._send(200, self.state.answer or json.dumps(told).encode(), {})

    def _send(self, code: int, content: bytes, head: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**head, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # as the library has it
        return


@contextmanager
def running() -> Iterator[Server]:
    state = Server()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, state))
    server.daemon_threads = False  # closing waits for them: none is left open for another test
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setattr("harness.cluster.vectors.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with running() as state:
        yield state


def test_vectors_come_in_the_order_of_the_texts_at_length_one(server: Server) -> None:
    texts = ["x" * (n % 90) for n in range(150)]

    rows = embedding_named("openai:m", url=server.url).embed(texts)

    wanted = np.array([[max(len(text), 1), 1.0, 0.5] for text in texts], dtype=np.float32)
    assert np.allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
    assert {body["model"] for body in server.bodies} == {"m"}
    assert sorted(len(body["input"]) for body in server.bodies) == [26, 64]
    assert set(server.keys) == {f"Bearer {SECRET}"}


def test_what_was_embedded_is_not_sent_again_and_another_model_is(server: Server) -> None:
    embedding_named("openai:m", url=server.url).embed(["one", "two", "one"])

    embedding_named("openai:m", url=server.url).embed(["two", "three"])
    embedding_named("openai:other", url=server.url).embed(["two"])

    assert [body["input"] for body in server.bodies] == [["one", "two"], ["three"], ["two"]]


def test_a_busy_server_is_asked_again_and_no_text_is_sent_whole_that_is_too_long(server: Server) -> None:
    server.failures = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]

    rows = embedding_named("openai:m", url=server.url).embed(["a" * 9_000])

    assert rows.shape == (1, 3)
    assert [len(body["input"][0]) for body in server.bodies] == [8_000] * 3


def test_a_refusal_is_one_line_without_the_key_and_not_asked_again(server: Server) -> None:
    server.failures = [(401, {})]

    with pytest.raises(BackendError, match="gave no vectors: 401") as caught:
        embedding_named("openai:m", url=server.url).embed(["a"])

    assert SECRET not in str(caught.value)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"data": []}', b'{"data": [{"index": 0, "embedding": [null]}]}']
)
def test_an_answer_without_vectors_is_told(server: Server, answer: bytes) -> None:
    server.answer = answer

    with pytest.raises(BackendError, match="no /embeddings"):
        embedding_named("openai:m", url=server.url).embed(["a"])


def test_openai_itself_is_not_asked_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    with pytest.raises(ConfigError, match=r"needs the key in OPENAI_API_KEY.*cluster\.embedding_url"):
        embedding_named("openai:text-embedding-3-small")


@pytest.mark.parametrize(
    ("name", "url", "said"), [("openai:m", "here", "is no address"), ("minilm", "http://x/v1", "for openai:NAME")]
)
def test_what_cannot_be_meant_is_refused(name: str, url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        embedding_named(name, url=url)
