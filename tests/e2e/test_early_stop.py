"""`run.stop=verdict` as a user types it: against a stored run, beside other models, killed, and taken up again."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from harness.store.runfolder import find_unfinished
from harness.store.runs import read_run
from tests.support.openai_server import Server, Step, reply, serve_in_thread

PATIENCE_S = 120
SUITE = "name: orders\ntitle: Orders\ndescription: Yes or no.\nlicence: CC0-1.0\nloader: jsonl\nscorer: text\n"


def suite(folder: Path, count: int = 160, incumbent: float | None = None) -> Path:
    home = folder / "orders"
    home.mkdir()
    (home / "suite.yaml").write_text(SUITE)
    target = {"kind": "text", "match": "exact", "accepted": ["yes"]}
    samples = [
        {"id": f"q{n}", "prompt": f"question {n}", "category": "large" if n % 4 else "small", "target": target}
        for n in range(count)
    ]
    (home / "samples.jsonl").write_text("\n".join(map(json.dumps, samples)))
    if incumbent is not None:
        said = [
            {"id": f"q{n}", "model": "gpt-4o", "content": "yes" if n % 10 < incumbent * 10 else "no"}
            for n in range(count)
        ]
        (home / "incumbent.jsonl").write_text("\n".join(map(json.dumps, said)))
    return home


def worth(name: str) -> float:
    """A model's name says how often it is right: `m70`."""
    return int(name.removeprefix("m")) / 100


def answer(_number: int, body: dict[str, Any], ttft_s: float = 0.0) -> Sequence[Step]:
    told = f"{body['model']} {body['messages'][-1]['content']}"
    drawn = int(hashlib.sha256(told.encode()).hexdigest()[:8], 16) / 2**32
    return reply("yes" if drawn < worth(body["model"]) else "no", ttft_s=ttft_s)


@contextmanager
def served(*names: str) -> Iterator[Server]:
    with serve_in_thread(answer, models=names) as server:
        yield server


def models(folder: Path, url: str, *names: str) -> None:
    (folder / "mine" / "model").mkdir(parents=True)
    for name in names:
        text = f"defaults:\n  - endpoint\n  - _self_\nname: {name}\nurl: {url}\n"
        (folder / "mine" / "model" / f"{name}.yaml").write_text(text)


def command(*words: str) -> list[str]:
    return [
        sys.executable, "-m", "harness", "--config-dir", "mine", "suite=local", "suite.path=orders", "run.warmup=0",
        "progress=off", *words,
    ]  # fmt: skip


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def folders(cwd: Path) -> list[Path]:
    return sorted(path for path in (cwd / "results" / "run").iterdir() if not path.is_symlink())


def verdicts(folder: Path) -> dict[str, str]:
    early = json.loads((folder / "verdict.json").read_text())["early"]
    return {one["cluster"]: one["verdict"] for one in early["clusters"]}


def test_a_better_model_stops_early_and_says_what_was_not_asked(tmp_path: Path) -> None:
    suite(tmp_path)
    with served("m60", "m97") as server:
        models(tmp_path, server.url, "m60", "m97")
        first = harness(tmp_path, "model=m60")
        words = ("model=m97", "run.stop=verdict", f"run.against={folders(tmp_path)[0]}")
        asked_before = len(server.bodies)
        done = harness(tmp_path, *words)
        asked = len(server.bodies) - asked_before

    assert (first.returncode, done.returncode) == (0, 0), first.stderr + done.stderr
    base, run = map(read_run, folders(tmp_path))
    told = json.loads((run.folder / "verdict.json").read_text())
    early = run.summary.early
    assert early is not None
    assert base.summary.early is None
    assert run.manifest.status == "settled"
    assert early.stopped
    assert verdicts(run.folder) == {"large": "pass", "small": "pass"}
    assert asked == len(run.attempts) < 100
    assert early.saved.attempts == 160 - asked == run.summary.n_not_run
    assert early.saved.tokens is not None
    assert early.saved.tokens > 0
    assert set(told["not_asked"]) == {one.id for one in run.samples} - {one.sample for one in run.attempts}
    interval = run.summary.accuracy_interval
    assert interval is not None
    assert interval.method == "betting confidence sequence"
    assert interval.low < 0.97 < interval.high
    assert "stopped early, certain" in done.stderr
    assert "Unfinished" not in (tmp_path / "reports" / "leaderboard.html").read_text()
    assert find_unfinished(tmp_path / "results", run.manifest.config_hash) is None, "what ended by rule has ended"


def test_models_beside_an_incumbent_are_passed_and_dropped_each_in_its_time(tmp_path: Path) -> None:
    suite(tmp_path, incumbent=0.6)
    with served("m99", "m10") as server:
        models(tmp_path, server.url, "m99", "m10")
        done = harness(tmp_path, "model=[incumbent,m99,m10]", "run.stop=verdict", "run.verdict.by=suite")

    assert done.returncode == 0, done.stderr
    incumbent, better, worse = map(read_run, folders(tmp_path))
    assert (incumbent.manifest.status, incumbent.summary.early) == ("complete", None)
    assert [one.manifest.status for one in (better, worse)] == ["settled", "settled"]
    assert verdicts(better.folder) == {"all": "pass"}
    assert verdicts(worse.folder)["all"] in {"fail", "dominated"}
    assert max(len(better.attempts), len(worse.attempts)) < 80
    assert "baseline" not in done.stderr.split("m99")[0], "the log's answers were not asked for"


def test_what_is_alike_is_asked_to_the_end_and_not_decided(tmp_path: Path) -> None:
    suite(tmp_path, count=60)
    with served("m70", "m71") as server:
        models(tmp_path, server.url, "m70", "m71")
        done = harness(tmp_path, "model=[m70,m71]", "run.stop=verdict", "run.verdict.by=suite")

    assert done.returncode == 0, done.stderr
    base, other = map(read_run, folders(tmp_path))
    assert verdicts(other.folder) == {"all": "need_more"}
    assert [one.manifest.status for one in (base, other)] == ["complete", "complete"]
    assert [len(one.attempts) for one in (base, other)] == [60, 60]
    assert "need more: not decided" in done.stderr


def test_a_killed_run_is_taken_up_and_ends_with_the_verdict_of_one_that_was_not(tmp_path: Path) -> None:
    suite(tmp_path)
    words = ("model=[m60,m95]", "run.stop=verdict", "run.verdict.by=suite")
    alive = Event()

    def stuck(number: int, body: dict[str, Any]) -> Sequence[Step]:
        """From the thirteenth question on nothing comes back, until the run is killed."""
        return answer(number, body, 0.0 if number < 12 or alive.is_set() else PATIENCE_S)

    with serve_in_thread(stuck, models=("m60", "m95")) as server:
        models(tmp_path, server.url, "m60", "m95")
        process = subprocess.Popen(command(*words), cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while len(server.bodies) < 13 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
        alive.set()
        resumed = harness(tmp_path, *words)
        total = len(server.bodies)
        whole = harness(tmp_path, *words, "run.resume=never")

    assert (resumed.returncode, whole.returncode) == (0, 0), resumed.stderr + whole.stderr
    ends = [read_run(path) for path in folders(tmp_path)]
    assert len(ends) == 4, "the killed run was taken up, not begun anew"
    taken_up, unhurt = (
        next(one for one in ends if one.manifest.model == "m95" and (one.manifest.sittings == 2) is again)
        for again in (True, False)
    )
    assert taken_up.manifest.status == unhurt.manifest.status == "settled"
    first, second = taken_up.summary.early, unhurt.summary.early
    assert first is not None
    assert second is not None
    assert first.clusters[0].verdict == second.clusters[0].verdict == "pass"
    assert first.clusters[0].seen.decided_at == second.clusters[0].seen.decided_at
    made = sum(len(one.attempts) for one in ends if one.manifest.sittings == 2)
    assert total == made + 1, "an answer on disk is not asked for again, and that of the kill is"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model=m60", "run.stop=verdict"), "needs a baseline"),
        (("model=m60", "run.stop=verdict", "run.against=orders"), "orders is no run folder"),
        (("model=m60", "run.stop=verdict", "run.verdict.margin=0"), "run.verdict.margin"),
    ],
    ids=["no baseline", "no run", "no margin"],
)
def test_what_cannot_be_is_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    suite(tmp_path, count=4)
    models(tmp_path, "http://127.0.0.1:1/v1", "m60")

    done = harness(tmp_path, *words)

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert said in " ".join(done.stderr.split())
