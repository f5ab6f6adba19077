"""How true the client's clock is: its TTFT, gaps and e2e against a server's own, on one machine clock.

`python benchmarks/fidelity.py` starts a server process that notes when it had read each request and when it wrote each
chunk (`perf_counter_ns`, which is one clock for all processes of a Linux machine), then runs the product's client
against it at 1, 32, 64 and 256 streams, quiet and beside a process that spins. The server's own lateness against its
schedule is shown apart: what it did is the truth, what it meant to do is not. Each reply is read, made a record and
journalled, as in a run; with `--whole` it is a run: the runner with its lanes, scoring, progress and manifest.
"""

import argparse
import asyncio
import contextlib
import gc
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.contestants.harness_run import job
from benchmarks.contestants.plan import Plan
from harness.backends.client import ChatClient, Exchange
from harness.backends.stream import read_exchange
from harness.protocols import Endpoint
from harness.records import Attempt, Message, Sample, Timing, ToolTarget
from harness.records.manifest import BackendFacts
from harness.runner.job import execute
from harness.store.journal import Journal
from harness.store.runs import read_run

STREAMS = (1, 32, 64, 256)
SPIN = "while True: pass"
SILENT = ToolTarget(expect="no_call")
LIMIT_MS = {"p50": 0.3, "p99": 2.0}
BODY = b'{"model":"bench","messages":[{"role":"user","content":"hi"}],"stream":true}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(slots=True)
class Truth:
    """What the server did for one request, in `perf_counter_ns`."""

    received_ns: int
    late_ns: list[int] = field(default_factory=list)
    """Of each chunk, against the schedule."""
    written_ns: list[int] = field(default_factory=list)
    """Just before the write of each chunk."""


class TrueServer(asyncio.Protocol):
    """One connection of the server. The truth is kept in `log`, by the number that the stream's `id` carries."""

    def __init__(self, settings: argparse.Namespace, log: list[Truth]) -> None:
        self.settings, self.log = settings, log
        self.buffer = bytearray()

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
        whole = end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
        if len(self.buffer) < whole:
            return
        truth = Truth(time.perf_counter_ns())
        del self.buffer[:whole]
        number = len(self.log)
        self.log.append(truth)
        loop = asyncio.get_running_loop()
        due = loop.time() + self.settings.ttft_ms / 1000
        loop.call_at(due, self.write, loop, truth, number, due)

    def write(self, loop: asyncio.AbstractEventLoop, truth: Truth, number: int, due: float) -> None:
        position = len(truth.written_ns)
        data = step(number, position, self.settings.chunks)
        truth.late_ns.append(int((loop.time() - due) * 1e9))
        truth.written_ns.append(time.perf_counter_ns())
        self.transport.write(data)
        if position + 1 < self.settings.chunks:
            due += self.settings.gap_ms / 1000
            loop.call_at(due, self.write, loop, truth, number, due)


def step(number: int, position: int, chunks: int) -> bytes:
    """The bytes of one chunk: the first has the head before it, the last the finish, the usage and the end after it."""
    head = b'data: {"id":"%d","object":"chat.completion.chunk","created":0,"model":"bench",' % number
    word = b"%d " % number if position == 0 else b"word%d " % position
    data = head + b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % word
    if position == chunks - 1:
        data += head + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        data += head + b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":%d}}\n\n' % chunks
        data += b"data: [DONE]\n\n"
    framed = b"%x\r\n%b\r\n" % (len(data), data)
    if position == chunks - 1:
        framed += b"0\r\n\r\n"
    return HEAD + framed if position == 0 else framed


async def serve(settings: argparse.Namespace) -> None:
    """Serves until standard input closes, then prints the log."""
    log: list[Truth] = []
    gc.collect()
    gc.freeze()  # a full collection over what was imported would stop the server for 50 ms, and be taken for an error
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: TrueServer(settings, log), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    for one in log:
        print(json.dumps([one.received_ns, one.late_ns, one.written_ns]))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the client made of one request."""

    number: int
    """The server's number of it."""
    sent_ns: int
    timing: Timing


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    streams: int
    neighbour: bool
    seconds: float
    chunks: int
    ttft_ms: float
    gap_ms: float
    herd: bool
    """All streams start at the same moment, else one after the other over the time of one reply."""
    whole: bool = False
    """Through the whole runner, else through its client and journal."""


def number_of(exchange: Exchange) -> int:
    first = b"".join(exchange.pieces[:2])
    return int(first.split(b'"id":"', 1)[1].split(b'"', 1)[0])


async def drive(port: int, setting: Setting, folder: Path) -> tuple[list[Seen], float]:
    """What the client saw, and the processor seconds it took per call. The first call of each stream is warm-up."""
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "bench", BackendFacts(name="bench"))
    seen: list[Seen] = []

    async def worker(client: ChatClient, journal: Journal, end: float, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        while time.perf_counter() < end:
            exchange = await client.stream(BODY, deadline_s=60, stall_s=30)
            reading = read_exchange(exchange)
            if reading.failure is not None:
                raise SystemExit(f"a call failed: {reading.failure.message}")
            attempt = Attempt(
                sample=str(len(seen)),
                model="m",
                protocol="native",
                backend="b",
                reply=reading.reply,
                timing=reading.timing,
                usage=reading.usage,
            )
            journal.append(attempt)
            seen.append(Seen(number_of(exchange), exchange.sent_ns, reading.timing))

    with Journal(folder / f"{setting.streams}-{setting.neighbour}.jsonl") as journal:
        async with ChatClient(endpoint, concurrency=setting.streams) as client:
            warm_up = time.perf_counter()
            await asyncio.gather(*(client.stream(BODY, deadline_s=60, stall_s=30) for _ in range(setting.streams)))
            ramp_s = 0.0 if setting.herd else time.perf_counter() - warm_up
            started = time.process_time()
            end = time.perf_counter() + setting.seconds
            await asyncio.gather(
                *(worker(client, journal, end, n * ramp_s / setting.streams) for n in range(setting.streams))
            )
            cpu_s = time.process_time() - started
    return seen, cpu_s / len(seen)


def drive_run(port: int, setting: Setting, folder: Path) -> tuple[list[Seen], float]:
    """What a run of the whole harness recorded. The reply's first word is the server's number of the call."""
    reply_s = (setting.ttft_ms + setting.gap_ms * (setting.chunks - 1)) / 1000
    trials = max(1, round(setting.seconds / reply_s))
    asked = tuple(
        Sample(id=f"s{n}", category="all", messages=(Message(role="user", content="hi"),), target=SILENT, scorer="bfcl")
        for n in range(setting.streams)
    )
    plan = Plan(f"http://127.0.0.1:{port}/v1", setting.streams, setting.chunks, 0, 0, folder, folder)
    started = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        (outcome,) = execute([job(plan, asked, trials)])
    cpu_s = time.process_time() - started
    attempts = list(read_run(outcome.folder).attempts)
    seen = []
    for attempt in attempts:
        if attempt.reply is None or not attempt.reply.content:
            raise SystemExit(f"a call failed: {attempt.failure}")
        seen.append(Seen(int(attempt.reply.content.split()[0]), 0, attempt.timing))
    return seen, cpu_s / len(seen)


def measure(setting: Setting) -> dict[str, object]:
    """One line: the errors in milliseconds, each with p50, p95, p99 and max of its size."""
    command = [sys.executable, "-m", "benchmarks.fidelity", "--serve", "--chunks", str(setting.chunks)]
    command += ["--ttft-ms", str(setting.ttft_ms), "--gap-ms", str(setting.gap_ms)]
    busy, ours, started = busy_s(), our_cpu_s(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, beside(setting.neighbour):
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        if setting.whole:
            seen, cpu_s = drive_run(port, setting, Path(folder))
        else:
            seen, cpu_s = asyncio.run(drive(port, setting, Path(folder)))
        server.stdin.close()
        truths = [Truth(*json.loads(line)) for line in server.stdout]
        server.wait()
    others = (busy_s() - busy - (our_cpu_s() - ours)) / (time.perf_counter() - started)
    return {
        "streams": setting.streams,
        "neighbour": setting.neighbour,
        "calls": len(seen),
        "cores_used_by_others": round(max(0.0, others), 2),
        "cpu_us_per_call": round(cpu_s * 1e6),
        **compare(seen, truths),
    }


def busy_s() -> float:
    """Processor seconds of the whole machine that were not idle."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def our_cpu_s() -> float:
    """Processor seconds of this process and of those it started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def compare(seen: Sequence[Seen], truths: Sequence[Truth]) -> dict[str, dict[str, float]]:
    """Client minus server over all calls, and what lies on the way."""
    errors: dict[str, list[float]] = {
        name: [] for name in ("ttft", "gap", "e2e", "arrival", "pick-up", "server late", "merged")
    }
    for one in seen:
        truth, timing = truths[one.number], one.timing
        assert timing.end_ns is not None
        chunks, written = np.asarray(timing.chunks_ns), np.asarray(truth.written_ns)
        first, last = written[0] - truth.received_ns, written[-1] - truth.received_ns
        errors["ttft"].append(float(chunks[0] - first))
        errors["e2e"].append(float(timing.end_ns - last))
        errors["gap"].extend(np.diff(chunks) - np.diff(written))
        if one.sent_ns:  # a journal keeps no clock of one machine
            errors["arrival"].extend(chunks + one.sent_ns - written)
            errors["pick-up"].append(float(truth.received_ns - one.sent_ns))
        errors["server late"].extend(truth.late_ns)
        errors["merged"].append(1e6 * float(np.mean(np.diff(chunks) == 0)) if len(chunks) > 1 else 0.0)
    return {name: spread(values) for name, values in errors.items() if name != "merged" and values} | {
        "merged": {"frac": round(float(np.mean(errors["merged"])) / 1e6, 4)}
    }


def spread(values_ns: Sequence[float]) -> dict[str, float]:
    """Quantiles of the sizes, in milliseconds, and the lowest value with its sign."""
    values = np.asarray(values_ns, dtype=np.float64) / 1e6
    p50, p95, p99, top = np.quantile(np.abs(values), (0.5, 0.95, 0.99, 1.0))
    found = {"p50": p50, "p95": p95, "p99": p99, "max": top, "min_signed": values.min()}
    return {name: round(float(value), 3) for name, value in found.items()}


@contextlib.contextmanager
def beside(neighbour: bool) -> Iterator[None]:
    """A process that spins, if asked for."""
    if not neighbour:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def show(line: dict[str, object]) -> None:
    """One block of the table."""
    where = "beside a spinning process" if line["neighbour"] else "quiet"
    print(f"\n{line['streams']} streams, {where}: {line['calls']} calls, {line['cpu_us_per_call']} us of CPU a call")
    print(f"  cores used by processes that are not ours: {line['cores_used_by_others']}")
    for name, found in line.items():
        if not isinstance(found, dict) or "p50" not in found:
            continue
        judged = name in {"ttft", "gap", "e2e"}
        good = all(found[q] <= limit for q, limit in LIMIT_MS.items())
        cells = "  ".join(f"{q} {found[q]:8.3f}" for q in ("p50", "p95", "p99", "max", "min_signed"))
        print(f"  {name:12} {cells} ms  {('ok' if good else 'MISSED') if judged else ''}")
    merged = line["merged"]
    assert isinstance(merged, dict)
    print(f"  chunks read together with the one before: {merged['frac']:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--serve", action="store_true", help="be the server (started by the benchmark itself)")
    parser.add_argument("--streams", type=int, nargs="*", default=list(STREAMS))
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line of the table")
    parser.add_argument("--chunks", type=int, default=32)
    parser.add_argument("--ttft-ms", type=float, default=50.0)
    parser.add_argument("--gap-ms", type=float, default=10.0)
    parser.add_argument("--herd", action="store_true", help="start all streams at the same moment")
    parser.add_argument("--whole", action="store_true", help="through the whole runner")
    parser.add_argument("--neighbour", choices=("no", "yes", "both"), default="both")
    parser.add_argument("--json", type=Path, help="also write the lines here")
    settings = parser.parse_args()
    if settings.serve:
        asyncio.run(serve(settings))
        return
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, Python {platform.python_version()}")
    lines = []
    for neighbour in {"no": (False,), "yes": (True,), "both": (False, True)}[settings.neighbour]:
        for streams in settings.streams:
            setting = Setting(
                streams,
                neighbour,
                settings.seconds,
                settings.chunks,
                settings.ttft_ms,
                settings.gap_ms,
                settings.herd,
                settings.whole,
            )
            lines.append(measure(setting))
            show(lines[-1])
    if settings.json:
        settings.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
