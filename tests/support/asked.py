"""A run of the command line against a loopback server that notes what it was asked, and what lies on the disk of it."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.store.runs import StoredRun
from tests.support import openai_server as fake
from tests.support.openai_server import Server, Step, serve_in_thread

__all__ = [
    "CONCURRENCY", "PATIENCE_S", "Asked", "answers", "asked", "command", "end", "finish", "journal_of", "lines",
    "start", "wait_for_lines",
]  # fmt: skip

CONCURRENCY = 8
PATIENCE_S = 120


def answer(body: dict[str, object], delay_s: float) -> Sequence[Step]:
    """The same reply to the same question, whenever it is asked: text, a call of the first tool, or a refusal."""
    digest = hashlib.sha256(json.dumps(body["messages"]).encode()).digest()
    if digest[0] < 10:
        return fake.error(400, {"error": {"message": "This model's maximum context length is 10 tokens."}})
    if digest[0] < 128:
        return fake.reply("no ", digest.hex()[:6], ttft_s=delay_s * digest[1] / 255, gap_s=delay_s / 10)
    tools = body["tools"]
    assert isinstance(tools, list)
    call = {"index": 0, "id": "x", "function": {"name": tools[0]["function"]["name"], "arguments": "{}"}}
    events = (fake.delta(tool_calls=[call]), fake.delta(finish="tool_calls"), fake.usage(9, 5) + fake.DONE)
    return [fake.Raw(fake.SSE_HEAD), fake.Wait(delay_s), *(fake.chunked(one) for one in events), fake.END]


@dataclass
class Asked:
    """What the server was asked, by question: the warm-up left out."""

    delay_s: float
    questions: list[str] = field(default_factory=list)

    def __call__(self, _number: int, body: dict[str, object]) -> Sequence[Step]:
        if "tools" not in body:
            return fake.reply("OK")
        self.questions.append(question_of(body["messages"], body["tools"], body.get("seed")))
        return answer(body, self.delay_s)


def question_of(messages: object, tools: object, seed: object) -> str:
    return hashlib.sha256(json.dumps([messages, tools, seed], sort_keys=True).encode()).hexdigest()


@contextmanager
def asked(delay_s: float = 0.02) -> Iterator[tuple[Asked, Server]]:
    record = Asked(delay_s)
    with serve_in_thread(record) as server:
        yield record, server


def command(server: Server, *words: str) -> list[str]:
    return [
        sys.executable, "-m", "harness", "suite=toolcall", "suite.categories=[simple_python]", "model=endpoint",
        f"model.url={server.url}", "model.name=test-model", f"run.concurrency={CONCURRENCY}", "progress=off", *words,
    ]  # fmt: skip


def start(cwd: Path, words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(cwd: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def end(process: subprocess.Popen[str]) -> str:
    """The words on stderr of a process that is to end by itself."""
    try:
        return process.communicate(timeout=PATIENCE_S)[1]
    finally:
        if process.poll() is None:
            process.kill()


def journal_of(cwd: Path) -> Path:
    return cwd / "results" / "run" / "latest" / "attempts.jsonl"


def lines(path: Path) -> list[bytes]:
    """Whole lines: a torn one at the end is no finished attempt."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def wait_for_lines(process: subprocess.Popen[str], journal: Path, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(lines(journal)) < count and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.003)


def answers(run: StoredRun) -> dict[str, tuple[object, ...]]:
    scores = {f"{one.sample}#{one.trial}": one for one in run.scores}
    return {
        one.key: (one.reply, one.failure and one.failure.kind, scores[one.key].value, scores[one.key].miss)
        for one in run.attempts
    }
