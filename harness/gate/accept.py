"""Accepted baselines on disk: `results/baseline/<suite>/`, small enough for a repository, without private text."""

import hashlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.errors import DataError
from harness.gate.side import Side
from harness.records.gate import Acceptance, Baseline, Outcome
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY, write_atomic, write_record

__all__ = ["BASELINE", "OUTCOMES", "accept", "baseline_folder", "copy_journal", "is_baseline", "read_baseline"]

BASELINE, OUTCOMES = "baseline.json", "outcomes.jsonl"
_BEFORE = 20
_JOURNAL = "run"


def baseline_folder(results: Path, suite: str) -> Path:
    """Where the baseline of a suite lies: `results/baseline/<suite>`, with `_` for what no folder should be named by.

    >>> baseline_folder(Path("results"), "lm_eval/gsm8k").as_posix()
    'results/baseline/lm_eval_gsm8k'
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", suite).lstrip(".")
    return results / "baseline" / (name or "_")


def is_baseline(folder: Path) -> bool:
    """Whether `do=accept` made this folder."""
    return (folder / BASELINE).is_file()


def accept(side: Side, folder: Path, *, by: str, why: str) -> Baseline:
    """Makes a run the baseline in this folder and returns what was written. One that it replaces stays in `before`.

    Raises DataError where the folder holds another suite's baseline, or cannot be written.
    """
    before: tuple[Acceptance, ...] = ()
    if is_baseline(folder):
        old = _read(folder)
        if old.run.suite != side.run.suite:
            raise DataError(
                f"{folder} is the baseline of suite {old.run.suite}, not of {side.run.suite}; move it, or choose other "
                "results: paths.results=…"
            )
        before = (old.accepted, *old.before)[:_BEFORE]
    text = "".join(one.model_dump_json() + "\n" for one in side.outcomes)
    accepted = Acceptance(
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        run=side.run.run,
        model=side.run.model,
        accuracy=side.run.accuracy,
    )
    found = Baseline(
        accepted=accepted,
        run=side.run,
        outcomes_sha256=hashlib.sha256(text.encode()).hexdigest(),
        before=before,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / _JOURNAL, ignore_errors=True)  # of the run that it replaces
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror}); choose other results: paths.results=…") from error
    write_atomic(folder / OUTCOMES, text)
    write_record(folder / BASELINE, found)
    return found


def copy_journal(run: Path, folder: Path) -> Path:
    """Copies a run's manifest, summary and journals, prompts and replies among them, to `run/`; returns that folder."""
    target = folder / _JOURNAL
    try:
        target.mkdir(exist_ok=True)
        for name in (MANIFEST, SUMMARY, SAMPLES, ATTEMPTS, SCORES):
            shutil.copyfile(run / name, target / name)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror}); accept.journal=false does without") from error
    return target


def read_baseline(folder: Path) -> Side:
    """An accepted baseline. Raises DataError where it is none, or not what was accepted."""
    found = _read(folder)
    file = folder / OUTCOMES
    try:
        text = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); accept the baseline again: do=accept") from None
    plain = text.replace(b"\r\n", b"\n")  # git may have changed the ends of lines
    if hashlib.sha256(plain).hexdigest() != found.outcomes_sha256:
        raise DataError(f"{file} is not what {found.accepted.by} accepted; restore it, or accept again: do=accept")
    try:
        outcomes = tuple(Outcome.model_validate_json(line) for line in plain.splitlines())
    except ValidationError as error:
        raise DataError(f"{file}: {error.errors()[0]['msg']}; was it written by another version?") from None
    return Side(found.run, outcomes, found.accepted)


def _read(folder: Path) -> Baseline:
    file = folder / BASELINE
    try:
        return Baseline.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(
            f"{folder} is no baseline: {BASELINE} cannot be read ({error.strerror}); make one: "
            'do=accept accept.by=NAME accept.why="…"'
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{file} cannot be read: {where}: {first['msg']}; was it written by another version?") from None
