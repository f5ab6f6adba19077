"""How long a log takes from file to suite, and how much memory, by number of calls: collect, curate, cluster, build.

`python -m benchmarks.scale --calls 10000 100000 1000000` writes a made-up log of each size, runs the four commands on
it as a user would, each in a process of its own, and writes scale.json: wall and processor seconds of each step, its
peak memory, and calls a second.

The log: sessions of one to six calls with one of 200 tasks at one of eight desks, three tools each, the whole history
in every call, names, e-mail addresses, order numbers, and a twentieth of the calls logged twice.
"""

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

TASKS, DESKS = 200, 8
START = 1_767_571_200.0
SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "so", "ti", "ve", "zu", "dar", "fen", "gil", "hop", "jun", "kas")
NAMES = ("Anna", "Bela", "Carla", "Dora", "Emil", "Farid", "Greta", "Hanna", "Igor", "Jana", "Karim", "Lena")
FAMILIES = ("Adler", "Brandt", "Conti", "Duval", "Ekberg", "Fischer", "Garcia", "Horvat", "Ito", "Jansen")
TARGET_S, TARGET_MB = 3_600.0, 8_192


def lines(count: int, seed: int = 0) -> Iterator[bytes]:
    """A log of so many calls, a line each, in order of time."""
    draw = random.Random(seed)
    words = sorted({"".join(draw.choices(SYLLABLES, k=3)) for _ in range(9_000)})
    draw.shuffle(words)
    common, rest = words[:1_500], words[1_500:]
    own = [draw.sample(rest, 24) for _ in range(TASKS)]
    often = [1 / (1 + task / 2) for task in range(TASKS)]
    written = session = 0
    while written < count:
        session += 1
        task = draw.choices(range(TASKS), often)[0]
        for line in _session(draw, session, task, own[task], common):
            for _ in range(2 if draw.random() < 0.05 else 1):
                if written < count:
                    written += 1
                    yield line


def _session(draw: random.Random, session: int, task: int, own: Sequence[str], common: Sequence[str]) -> list[bytes]:
    desk = task % DESKS
    name, family = draw.choice(NAMES), draw.choice(FAMILIES)
    mail = f"{name}.{family}{session}@example.com".lower()
    tools = [_tool(desk, place) for place in range(3)]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": f"You are desk {'ABCDEFGH'[desk]} of a shop. Be brief. Never promise discounts."}
    ]
    found = []
    for step in range(draw.choice((1, 1, 2, 3, 4, 6))):
        text = draw.sample(own, 6) + draw.sample(common, 5)
        draw.shuffle(text)
        said = f"{' '.join(text)}, order W{draw.randrange(10**7):07d}"
        messages.append({"role": "user", "content": f"{said}. I am {name} {family}, {mail}" if step == 0 else said})
        answer = _answer(draw, desk, task, step)
        found.append(
            json.dumps(
                {
                    "timestamp": START + session * 7 + step,
                    "session_id": f"s{session}",
                    "request": {"model": "large-1", "messages": list(messages), "tools": tools},
                    "response": {
                        "model": "large-1",
                        "choices": [{"message": answer, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 120 + 40 * step, "completion_tokens": 20},
                    },
                    "latency_s": 0.4 + draw.random(),
                    "cost_usd": 0.001,
                }
            ).encode()
            + b"\n"
        )
        messages.append(answer)
        if "tool_calls" in answer:
            result = f"done {draw.randrange(10**6)}"
            messages.append({"role": "tool", "tool_call_id": answer["tool_calls"][0]["id"], "content": result})
    return found


def _tool(desk: int, place: int) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"order": {"type": "string"}, "note": {"type": "string"}}}
    return {"type": "function", "function": {"name": f"desk{desk}_tool{place}", "parameters": schema}}


def _answer(draw: random.Random, desk: int, task: int, step: int) -> dict[str, Any]:
    if (task + step) % 3:
        arguments = json.dumps({"order": f"W{draw.randrange(10**7):07d}"})
        function = {"name": f"desk{desk}_tool{task % 3}", "arguments": arguments}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "x", "type": "function", "function": function}],
        }
    return {
        "role": "assistant",
        "content": f"That is number {draw.randrange(10**6)} on our list, and it is on its way.",
    }


def measured(count: int, scratch: Path, more: Sequence[str]) -> dict[str, Any]:
    """What each step took on a log of so many calls."""
    log = scratch / "log.jsonl"
    with log.open("wb") as file:
        file.writelines(lines(count))
    key = scratch / "store.key"
    key.write_text(base64.b64encode(os.urandom(32)).decode())
    key.chmod(0o600)
    stored = ["store.path=store", f"store.key_file={key}"]
    steps = {
        "collect": [f"logs.path={log}", *stored],
        "curate": ["curate.name=big", *stored],
        "cluster": ["cluster.calls=curated/big", "cluster.embedding=tfidf"],
        "build": ["build.calls=curated/big", "build.name=big", "build.clusters=clusters/big/assignments.parquet"],
    }
    found: dict[str, Any] = {"calls": count, "log_mb": log.stat().st_size >> 20, "load_before": os.getloadavg()[0]}
    for name, words in steps.items():
        found[name] = _step([f"do={name}", *words, *more, "progress=off"], scratch)
        print(json.dumps({"calls": count, "step": name, **found[name]}), flush=True)
    found["wall_s"] = sum(found[name]["wall_s"] for name in steps)
    found["peak_mb"] = max(found[name]["peak_mb"] for name in steps)
    found["calls_per_s"] = round(count / found["wall_s"], 1)
    return found


def _step(words: list[str], folder: Path) -> dict[str, Any]:
    began = time.perf_counter()
    with (folder / "said.txt").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *words], cwd=folder, stdout=said, stderr=subprocess.STDOUT
        )
        peak = _Peak(process.pid)
        _, status, used = os.wait4(process.pid, 0)
    peak.end()
    if status:
        tail = (folder / "said.txt").read_text(errors="replace")[-2_000:]
        raise SystemExit(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}:\n{tail}")
    return {
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": max(used.ru_maxrss >> 10, peak.mb),
    }


class _Peak:
    """The most memory that a process and all that it started had at once, looked at five times a second."""

    def __init__(self, pid: int) -> None:
        self.mb = 0
        self._pid, self._ended = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            try:
                first = psutil.Process(self._pid)
                together = [first, *first.children(recursive=True)]
                self.mb = max(self.mb, sum(one.memory_info().rss for one in together) >> 20)
            except psutil.Error:
                continue

    def end(self) -> None:
        """Ends the watch."""
        self._ended.set()
        self._thread.join()


def main() -> None:
    """Sizes from the smallest on, each in a folder of its own that is taken away afterwards."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--calls", type=int, nargs="+", default=[10_000, 100_000])
    asked.add_argument("--out", type=Path, default=Path("scale.json"))
    asked.add_argument("more", nargs="*", help="further words for each command, such as executor=ray")
    options = asked.parse_args()
    found = []
    for count in sorted(options.calls):
        with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
            found.append(measured(count, Path(scratch), options.more))
        print(json.dumps(found[-1]), flush=True)
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
