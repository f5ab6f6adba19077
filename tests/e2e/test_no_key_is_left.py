"""Runs with canary keys against a server that repeats them in every way it can: none is in any file or any output."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from tests.contract.test_backend_litellm import PYTHON, needs_litellm
from tests.support.openai_server import DONE, delta, event, usage

OPENAI = "sk-canary-8Jr5Wq2Zx7Lm4Tn9"
GEMINI = "AIzaSyCanary7Gd3Kp9Vw5Xb2Nf8Rt6Yh4Qs1M"
AZURE = "c4a2f9e17b3d5086c4a2f9e17b3d5086"
OPAQUE = "Qz9-opaque_canary.bearer~4Kd8Xv"
SUITE = "name: sums\ntitle: Sums\ndescription: Sums.\nlicence: CC0-1.0\nloader: jsonl\nscorer: {scorer}\n"
QUESTIONS = 8


@dataclass
class Echoing:
    """Answers well, then fails in one way after the other, each time with the key that it was sent."""

    url: str = ""
    keys: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Echoing

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        known = {
            "/v1/models": {"object": "list", "data": [{"id": "test-model", "owned_by": "vllm", "max_model_len": 4096}]},
            "/version": {"version": "0.32.0"},
            "/health": {},
        }
        found = known.get(self.path)
        self._send(404 if found is None else 200, json.dumps(found or {}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if not self.path.endswith("/chat/completions"):
            self._send(404, b"{}")
            return
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        number = len(self.told.keys)
        self.told.keys.append(key)
        said = " ".join((
            f"Incorrect API key provided: {key}.", f"Authorization: Bearer {key}", f'{{"api-key": "{key}"}}',
            f"x-goog-api-key: {key}", f"at /v1beta/models?key={key}&alt=sse", f"or {quote(key, safe='')}",
            f"({key[:16]}…)",
        ))  # fmt: skip
        refusal = json.dumps({"error": {"message": said, "type": "invalid_request_error", "param": key}}).encode()
        if number == 1:
            self._send(500, refusal)
        elif number == 2:
            self._send(200, b"data: {broken " + key.encode() + b"\n\n", "text/event-stream")
        elif number == 3:
            self._send(200, refusal)
        elif number == 4:
            self._send(200, delta(content="4") + event({"error": {"message": said, "code": 503}}), "text/event-stream")
        elif number == 5:
            self._send(500, (said + " ").encode() * 40, "text/plain")
        elif number >= 6:
            self._send(401, refusal)
        else:
            body = delta(content="4") + delta(finish="stop") + usage(5, 1) + DONE
            self._send(200, body, "text/event-stream")

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def echoing() -> Iterator[Echoing]:
    told = Echoing()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"told": told}))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endpoint(url: str) -> list[str]:
    return ["model=endpoint", f"model.url={url}", "model.name=test-model", "model.api_key_env=CANARY"]


def attached(url: str) -> list[str]:
    own = ["model=served", "backend=vllm_server", f"backend.url={url}", "model.name=test-model"]
    return [*own, "model.api_key_env=CANARY"]


def judge(url: str) -> list[str]:
    told = [*endpoint(url)[1:], "run.retries=0"]
    quoted = ",".join(f'"{one}"' for one in told)
    return ["model=incumbent", "scoring.judge.model=endpoint", f"scoring.judge.overrides=[{quoted}]"]


def hosted(url: str) -> list[str]:
    own = ["model=hosted", "model.name=openai/gpt-4.1-mini", f"model.url={url}", "model.api_key_env=CANARY"]
    return [*own, f"backend.python={PYTHON}"]


CASES = {
    "endpoint, Gemini's shape": (endpoint, GEMINI),
    "endpoint, Azure's shape": (endpoint, AZURE),
    "attached, OpenAI's shape": (attached, OPENAI),
    "judge, no shape at all": (judge, OPAQUE),
    "litellm, no shape at all": (hosted, OPAQUE),
}


@dataclass
class Ran:
    folder: Path
    done: subprocess.CompletedProcess[str]
    keys: list[str]


def suite(folder: Path, *, judged: bool) -> None:
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE.format(scorer="judge" if judged else "text"))
    match = {"match": "judge", "rubric": "Right or not."} if judged else {"match": "numeric"}
    lines = [{"id": str(n), "prompt": f"{n} + 4?", "answer": "4", **match} for n in range(QUESTIONS)]
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    answers = [{"id": str(n), "model": "gpt-4.1", "reply": "4"} for n in range(QUESTIONS)]
    (folder / "incumbent.jsonl").write_text("\n".join(map(json.dumps, answers)))


def ran(case: str, folder: Path) -> Ran:
    arguments, key = CASES[case]
    suite(folder / "sums", judged=arguments is judge)
    with echoing() as server:
        command = [sys.executable, "-m", "harness", "suite=local", "suite.path=sums", "progress=off"]
        command += [
            "run.warmup=0",
            "run.retries=0",
            "run.max_failed_frac=1",
            "run.reply_cache=on",
            "paths.replies=kept",
        ]
        done = subprocess.run(
            [*command, *arguments(server.url)], cwd=folder, capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, "CANARY": key, "OTHER_API_KEY": key[::-1]},
        )  # fmt: skip
    return Ran(folder, done, server.keys)


def results(names: list[str], made: pytest.TempPathFactory) -> dict[str, Ran]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: ran(name, made.mktemp("canary")), names), strict=True))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    return results([name for name in CASES if not name.startswith("litellm")], tmp_path_factory)


def check(found: Ran, key: str) -> None:
    """Nowhere the key, nor eight characters of it in a row, nor a key that was not even sent."""
    assert set(found.keys) == {key}
    left = {str(path): path.read_bytes() for path in found.folder.rglob("*") if path.is_file()}
    shown = {**left, "stdout": found.done.stdout.encode(), "stderr": found.done.stderr.encode()}
    pieces = [key[at : at + 8] for at in range(len(key) - 7)]
    for piece in (*pieces, key[::-1]):
        assert [name for name, data in shown.items() if piece.encode() in data] == []
    assert len(left) > 5


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("litellm")])
def test_no_key_is_in_any_file_or_output(runs: dict[str, Ran], case: str) -> None:
    check(runs[case], CASES[case][1])


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("litellm")])
def test_what_failed_is_told_all_the_same(runs: dict[str, Ran], case: str) -> None:
    found = runs[case]
    written = b"".join(path.read_bytes() for path in found.folder.rglob("*.json*"))

    assert found.done.returncode == 3, found.done.stderr
    assert b"[key]" in written + found.done.stderr.encode()
    assert len(found.keys) >= (2 if case.startswith("judge") else 7)


@needs_litellm
@pytest.mark.slow
def test_no_key_is_left_by_the_relay_to_litellm(tmp_path_factory: pytest.TempPathFactory) -> None:
    name = "litellm, no shape at all"

    check(results([name], tmp_path_factory)[name], CASES[name][1])


def test_a_key_in_the_address_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    suite(tmp_path / "sums", judged=False)
    command = [sys.executable, "-m", "harness", "suite=local", "suite.path=sums", "progress=off"]
    asked = [*command, *endpoint(f"'http://127.0.0.1:9/v1?key={GEMINI}'")]

    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
                          env={**os.environ, "CANARY": OPENAI})  # fmt: skip

    assert done.returncode == 2
    assert GEMINI not in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()
