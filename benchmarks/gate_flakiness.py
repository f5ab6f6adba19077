"""How often a gate is wrong: the same model twice, one that lost 5 points, one 10 % slower, a busy machine.

    python -m benchmarks.gate_flakiness --gates 200 --real 20 --timed 20

Runs are made by the harness's own engine against a server of its own on loopback, in a process of its own, whose
answers and times are known: five of six questions are always right, a sixth is right six times in ten, drawn anew for
each model. `lossy` models lose 5 points more, `slow` ones take 10 % longer. Of gates on answers the first `--real` are
of such runs, the others of the same run with answers drawn by the same rule; gates on times are of runs alone. Prints a
Markdown table, with the load of the machine.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.config import GateOptions, RunConfig, compose_apart
from harness.gate.find import candidate_of
from harness.gate.judge import judge
from harness.gate.side import Side
from harness.records.gate import GateResult
from harness.runner.job import execute
from harness.verbs.run import make_job

SUITE = """\
name: flaky
title: Flaky
description: Questions of which a sixth is a matter of chance.
licence: MIT
loader: jsonl
scorer: text
options: {match: exact}
"""
FIRST_S, REST_S = 0.006, 0.012
SLOWER, LOSS = 1.10, 0.05
LIMIT = 1.05


def chance(question: int) -> float:
    return 0.6 if question % 6 == 3 else 1.0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            body = await reader.readexactly(size)
            if head.startswith("get"):
                listing = b'{"object":"list","data":[{"id":"any"}]}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(listing), listing))
                continue
            asked = json.loads(body)
            await _stream(writer, str(asked["model"]), str(asked["messages"][-1]["content"]))
    writer.close()


async def _stream(writer: asyncio.StreamWriter, model: str, question: str) -> None:
    number = int(question.split()[0]) if question[0].isdigit() else 0
    pace = 0.0 if model.startswith("fast") else (SLOWER if "slow" in model else 1.0) * (0.5 + number % 7 / 6)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part, wait, more in (
        (("yes" if right(model, number) else "no"), FIRST_S, {}),
        (None, REST_S, {"finish_reason": "stop"}),
    ):
        if pace:
            await asyncio.sleep(pace * wait)
        delta = {"content": part} if part else {}
        _chunk(writer, {"choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}]})
    _chunk(writer, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
    end = b"data: [DONE]\n\n"
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))
    await writer.drain()


def _chunk(writer: asyncio.StreamWriter, payload: object) -> None:
    data = b"data: " + json.dumps(payload).encode() + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


@contextlib.contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.gate_flakiness", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that spins on each processor."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


class Bench:
    """A folder with suites, and the runs made in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def runs(self, samples: int, names: Sequence[str], concurrency: int = 1) -> list[Side]:
        """One job with these models, their attempts in turn."""
        home = self.folder / f"suite{samples}"
        if not home.is_dir():
            home.mkdir()
            (home / "suite.yaml").write_text(SUITE)
            lines = [{"id": f"q{k}", "prompt": f"{k} is a number?", "answer": "yes"} for k in range(samples)]
            (home / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
        words = [
            "suite=local", f"suite.path={home}", "suite.name=flaky", "model=endpoint", f"model.url={self.url}",
            "backend.check=false", f"run.concurrency={concurrency}", "run.warmup=0", "run.resume=never",
            f"paths.results={self.folder}", "progress=off",
        ]  # fmt: skip
        first = compose_apart(*words, f"model.name={names[0]}")
        assert isinstance(first, RunConfig)
        each = [first.model_copy(update={"model": first.model.model_copy(update={"name": name})}) for name in names]
        outcomes = execute([make_job(one, lambda *_a, **_k: None) for one in each])
        return [candidate_of(one.folder) for one in outcomes]


def gate(baseline: Side, candidate: Side, **more: object) -> GateResult:
    return judge("bench", baseline, candidate, GateOptions.model_validate(more))


def status(found: GateResult, name: str) -> str:
    return next(one.status for one in found.checks if one.name == name)


def right(model: str, question: int) -> bool:
    draw = random.Random(f"{model} {question}")
    return draw.random() < chance(question) and not ("lossy" in model and draw.random() < LOSS / 0.93)


def drawn(side: Side, model: str) -> Side:
    """The run with the answers that this model would have given."""
    outcomes = tuple(
        one.model_copy(update={"value": float(right(model, int(one.sample.removeprefix("q"))))})
        for one in side.outcomes
    )
    return Side(side.run.model_copy(update={"run": model, "model": model}), outcomes)


def answers(bench: Bench, gates: int, real: int, samples: int) -> dict[str, Counter[str]]:
    """Verdicts of gates on right answers."""
    told = {name: Counter[str]() for name in ("same", "lossy, margin 5", "lossy, margin 1")}
    kinds = ("base", "same", "lossy")
    made = bench.runs(samples, [f"fast {kind} {k}" for k in range(real) for kind in kinds], concurrency=4)
    for side in made:  # the server draws by the same rule
        assert [one.value for one in side.outcomes] == [one.value for one in drawn(side, side.run.model).outcomes]
    for k in range(gates):
        if k < real:
            base, same, lossy = made[3 * k : 3 * k + 3]
        else:
            base, same, lossy = (drawn(made[0], f"fast {kind} {k}") for kind in kinds)
        told["same"][gate(base, same).verdict] += 1
        told["lossy, margin 5"][gate(base, lossy).verdict] += 1
        told["lossy, margin 1"][gate(base, lossy, accuracy={"margin": 0.01}).verdict] += 1
    return told


def times(bench: Bench, gates: int, samples: int) -> dict[str, Counter[str]]:
    """What comes of the whole reply's time, limit 1.05, in one job, quiet or beside a neighbour."""
    told: dict[str, Counter[str]] = {}

    def tell(case: str, found: str) -> None:
        told.setdefault(case, Counter())[found] += 1

    for k in range(gates):
        base, same, slow = bench.runs(samples, [f"{kind} {k}" for kind in ("base", "same", "slow")])
        tell("same, one job", status(gate(base, same, e2e={"ratio": LIMIT}), "e2e"))
        tell("10 % slower, one job", status(gate(base, slow, e2e={"ratio": LIMIT}), "e2e"))
        print(f"{k + 1} of {gates} gates on times", file=sys.stderr)
        if k % 2:
            continue
        with neighbour():
            calm, also, late = bench.runs(samples, [f"{kind} n{k}" for kind in ("base", "same", "slow")])
            alone = bench.runs(samples, [f"same alone {k}"])[0]
        tell("same, one job, busy neighbour", status(gate(calm, also, e2e={"ratio": LIMIT}), "e2e"))
        tell("10 % slower, one job, busy neighbour", status(gate(calm, late, e2e={"ratio": LIMIT}), "e2e"))
        tell("same, a job each, neighbour beside one, a server", status(gate(base, alone), "e2e"))
        here = [Side(one.run.model_copy(update={"local": True}), one.outcomes) for one in (base, alone)]
        apart = gate(*here, e2e={"tier": "blocking"})
        tell("same, a job each, neighbour beside one, our own engine", status(apart, "e2e"))
        tell("the same: its exit code for times (2 is for answers)", f"e2e {_tier(apart)}")
        machine = here[0].run.machine.model_copy(update={"cpu": "another processor"})
        moved = Side(here[0].run.model_copy(update={"machine": machine}), here[0].outcomes)
        tell("baseline of another machine", status(gate(moved, here[1], e2e={"tier": "blocking"}), "e2e"))
    return told


def _tier(found: GateResult) -> str:
    return next(one.tier for one in found.checks if one.name == "e2e")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--gates", type=int, default=200)
    parser.add_argument("--real", type=int, default=20)
    parser.add_argument("--timed", type=int, default=20)
    parser.add_argument("--samples", type=int, default=120)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(_serve())
        return
    began, load = time.monotonic(), os.getloadavg()
    with tempfile.TemporaryDirectory() as folder, server() as url:
        bench = Bench(Path(folder), url)
        found = answers(bench, given.gates, given.real, given.samples) | times(bench, given.timed, given.samples)
    print("| truth | gates | " + " | ".join(_VERDICTS) + " |\n|---|---:|" + "---:|" * len(_VERDICTS))
    for case, counts in found.items():
        rest = {name: n for name, n in counts.items() if name not in _VERDICTS}
        cells = [str(counts[name]) for name in _VERDICTS] if not rest else [str(rest), "", "", ""]
        print(f"| {case} | {counts.total()} | {' | '.join(cells)} |")
    took = time.monotonic() - began
    print(f"{took:.0f} s; {os.cpu_count()} processors; load before {load[0]:.1f}, after {os.getloadavg()[0]:.1f}")


_VERDICTS = ("pass", "fail", "inconclusive", "not_judged")

if __name__ == "__main__":
    main()
