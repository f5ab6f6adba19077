"""What capture takes from the program: the calling thread's time for one streamed call of 20 chunks."""

import time
from pathlib import Path
from typing import Any

import httpx
from pytest_benchmark.fixture import BenchmarkFixture

from harness.capture import Recorder
from harness.capture.passing import hand_over, note_reply, passing_of

_CHUNKS = 20


def test_captured_call(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, max_waiting=1_000_000)
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x" * 2_000}]}
    request = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions", json=body)
    response = httpx.Response(200, headers={"content-type": "text/event-stream"})

    def call() -> None:
        seen = passing_of(request, None)
        assert seen is not None
        note_reply(seen, response)
        for _ in range(_CHUNKS):
            seen.chunks.append((time.perf_counter_ns() - seen.started_ns, b"data: {}\n\n"))
        hand_over(seen, recorder, whole=True)

    benchmark(call)

    recorder.close(timeout_s=60)
    assert recorder.counts.dropped == 0
