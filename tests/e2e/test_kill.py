"""A run under attack: killed, interrupted, out of room, not alone. Nothing finished is lost, nothing is asked twice."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from harness.records import Attempt
from harness.store.journal import read_journal
from harness.store.outcomes import final_outcomes
from harness.store.runs import read_run
from tests.support.asked import (
    CONCURRENCY,
    PATIENCE_S,
    Asked,
    answers,
    asked,
    command,
    end,
    finish,
    journal_of,
    lines,
    start,
    wait_for_lines,
)


def one_line(error: str) -> str:
    said = [line for line in error.splitlines() if line.startswith("harness:")]
    assert "Traceback" not in error, error
    assert len(said) == 1, error
    return said[0]


def kill_often(cwd: Path, words: list[str], planned: int, kills: int, record: Asked, rng: Random) -> int:
    """Kills a run at random moments of its way; returns how many questions were in flight at the kills."""
    in_flight = 0
    for number in range(kills):
        before, asked_before = lines(journal_of(cwd)), len(record.questions)
        process = start(cwd, words)
        if number % 3 == 2:  # at any time from the first breath on
            time.sleep(rng.uniform(0.05, 1.5))
        else:
            left = planned - len(before)
            wait_for_lines(process, journal_of(cwd), len(before) + rng.randint(0, max(1, left // (kills - number + 1))))
            time.sleep(rng.uniform(0, 0.03))
        process.kill()
        assert "Traceback" not in end(process)
        after = lines(journal_of(cwd))
        assert after[: len(before)] == before, "a finished attempt is gone"
        in_flight += len(record.questions) - asked_before - (len(after) - len(before))
        assert 0 <= in_flight <= (number + 1) * CONCURRENCY
    return in_flight


@pytest.mark.parametrize(
    ("limit", "trials", "kills", "delay_s"),
    [(64, 1, 3, 0.04), pytest.param(400, 5, 20, 0.03, marks=pytest.mark.slow)],
    ids=["64 calls, 3 kills", "2000 calls, 20 kills"],
)
def test_a_run_killed_again_and_again_ends_like_one_that_was_not(
    limit: int, trials: int, kills: int, delay_s: float, tmp_path: Path
) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    cut.mkdir()
    whole.mkdir()
    planned = limit * trials
    with asked(delay_s) as (record, server):
        words = command(server, f"suite.limit={limit}", f"run.trials={trials}")
        in_flight = kill_often(cut, words, planned, kills, record, Random(7))
        last = finish(cut, words)
        questions = Counter(record.questions)
        calls = len(record.questions)
        control = finish(whole, words)

    assert (last.returncode, control.returncode) == (0, 0), last.stderr + control.stderr
    folders = [path for path in (cut / "results" / "run").iterdir() if not path.is_symlink()]
    killed, unhurt = read_run(journal_of(cut).parent), read_run(journal_of(whole).parent)
    assert len(folders) <= 1 + kills // 3  # a kill before the manifest leaves an empty folder
    assert len(list(read_journal(journal_of(cut), Attempt))) == planned
    assert calls == planned + in_flight
    assert sum(n > 1 for n in questions.values()) <= in_flight
    assert answers(killed) == answers(unhurt)
    counts = {"n_planned", "n_samples", "n_scored", "n_failed", "n_model_failures", "n_not_run", "accuracy", "misses",
              "accuracy_interval", "by_category", "failures", "decisions", "complete", "output_tokens"}  # fmt: skip
    assert killed.summary.model_dump(include=counts) == unhurt.summary.model_dump(include=counts)
    assert killed.manifest.status == "complete"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_polite_signal_ends_in_order_with_130_and_the_same_command_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    with asked(0.05) as (record, server):
        words = command(server, "suite.limit=40")
        process = start(tmp_path, words)
        wait_for_lines(process, journal_of(tmp_path), 5)
        os.killpg(process.pid, number)
        error = end(process)
        before = lines(journal_of(tmp_path))
        in_flight = len(record.questions) - len(before)
        interrupted = read_run(journal_of(tmp_path).parent)
        again = finish(tmp_path, words)

    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert "the same command goes on from here" in error
    assert interrupted.manifest.status == "interrupted"
    assert interrupted.summary.n_scored + interrupted.summary.n_not_run == 40
    assert again.returncode == 0, again.stderr
    assert lines(journal_of(tmp_path))[: len(before)] == before
    assert len(record.questions) == 40 + in_flight


def test_a_journal_can_be_read_while_it_is_written_and_after_a_kill(tmp_path: Path) -> None:
    with asked(0.02) as (_, server):
        process = start(tmp_path, command(server, "suite.limit=120"))
        seen = [0]
        while process.poll() is None and seen[-1] < 60:
            if journal_of(tmp_path).exists():
                seen.append(len(list(final_outcomes(journal_of(tmp_path).parent))))
        process.kill()
        end(process)
        after_kill = len(list(final_outcomes(journal_of(tmp_path).parent)))

    assert seen == sorted(seen)
    assert 60 <= seen[-1] <= after_kill < 120


def test_no_room_for_another_attempt_is_one_line_and_room_again_goes_on(tmp_path: Path) -> None:
    with asked(0.01) as (_, server):
        words = command(server, "suite.limit=200")
        full = subprocess.run(
            ["sh", "-c", 'ulimit -f "$1"; shift; exec "$@"', "sh", "400", *words],  # blocks of 512 bytes
            cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        before = lines(journal_of(tmp_path))
        again = finish(tmp_path, words)

    assert full.returncode == 2, full.stderr
    assert "make room" in one_line(full.stderr)
    assert again.returncode == 0, again.stderr
    assert lines(journal_of(tmp_path))[: len(before)] == before
    assert read_run(journal_of(tmp_path).parent).summary.n_scored == 200


def on_small_disk(tmp_path: Path, options: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A command whose folder `results` is a disk of its own. Skips the test where none can be had."""
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    folder = tmp_path / "results"
    folder.mkdir(exist_ok=True)
    tried = f"mount -t tmpfs -o {options} none {folder}"
    if shutil.which("unshare") is None or subprocess.run([*mount, tried], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk in a namespace of its own")
    return finish(tmp_path, [*mount, f'{tried} && exec "$@"', "sh", *words])


@pytest.mark.slow
def test_a_disk_that_is_full_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    with asked(0.01) as (_, server):
        done = on_small_disk(tmp_path, "size=240k", command(server, "suite.limit=200"))

    assert done.returncode == 2, done.stderr
    assert "make room" in one_line(done.stderr)


def test_a_disk_that_is_read_only_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with asked() as (record, server):
        done = on_small_disk(tmp_path, "size=512k,ro", command(server, "suite.limit=4"))

    assert done.returncode == 2, done.stderr
    assert "paths.results=" in one_line(done.stderr)
    assert record.questions == []


def test_a_file_where_the_results_should_go_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    with asked() as (record, server):
        done = finish(tmp_path, command(server, "suite.limit=4"))

    assert done.returncode == 2, done.stderr
    assert "paths.results=" in one_line(done.stderr)
    assert record.questions == []


@contextmanager
def stopped_run(cwd: Path, words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun and stands still while the context lasts."""
    process = start(cwd, words)
    wait_for_lines(process, journal_of(cwd), 3)
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_folder_that_another_run_is_writing_is_refused(tmp_path: Path) -> None:
    with asked() as (record, server):
        words = command(server, "suite.limit=60")
        with stopped_run(tmp_path, words) as first:
            calls = len(record.questions)
            refused = finish(tmp_path, [*words, f"run.resume={journal_of(tmp_path).parent}"])
            calls_after = len(record.questions)
        first.kill()
        end(first)

    assert refused.returncode == 2, refused.stderr
    assert "being written by another run" in one_line(refused.stderr)
    assert calls_after <= calls + CONCURRENCY  # those that were on their way


@pytest.mark.slow
def test_the_same_command_beside_a_run_starts_its_own(tmp_path: Path) -> None:
    with asked() as (_, server):
        words = command(server, "suite.limit=60")
        with stopped_run(tmp_path, words) as first:
            folder = journal_of(tmp_path).parent.resolve()
            own = finish(tmp_path, words)
        error = end(first)

    folders = [path for path in folder.parent.iterdir() if not path.is_symlink()]
    assert (own.returncode, first.returncode) == (0, 0), own.stderr + error
    assert len(folders) == 2
    assert all(read_run(path).summary.n_scored == 60 for path in folders)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["attempts.jsonl", "scores.jsonl"])
def test_a_damaged_line_is_named_and_without_it_the_run_goes_on(name: str, tmp_path: Path) -> None:
    with asked() as (record, server):
        words = command(server, "suite.limit=12")
        assert finish(tmp_path, words).returncode == 0
        folder = journal_of(tmp_path).parent.resolve()
        file = folder / name
        sound = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join([*sound[:4], sound[4].replace(b'"', b"'", 1), *sound[5:]]))
        resume = [*words, f"run.resume={folder}"]
        damaged = finish(tmp_path, resume)
        file.write_bytes(b"".join([*sound[:4], *sound[5:]]))
        mended = finish(tmp_path, resume)

    assert damaged.returncode == 2, damaged.stderr
    assert f"{name} line 5 is damaged" in one_line(damaged.stderr)
    assert mended.returncode == 0, mended.stderr
    assert read_run(folder).summary.n_scored == 12
    assert len(record.questions) == (13 if name == "attempts.jsonl" else 12)
