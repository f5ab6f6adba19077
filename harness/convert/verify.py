"""A ledger held against the files: every hash computed again, every verdict from its runs, and what promotion needs."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.assets import OnProgress, cache_dir
from harness.assets.store import file_sha256
from harness.config import ConvertGate, ModelConfig, SuiteConfig
from harness.convert.data.provenance import provenance
from harness.convert.files import holds
from harness.convert.gate.table import General, Runs, build_table
from harness.convert.ledger import LEDGER
from harness.errors import GateFailed, HarnessError
from harness.records import Record
from harness.records.convert import (
    DatasetManifest,
    ExportResult,
    GateTable,
    Ledger,
    Promotion,
    TrainResult,
)
from harness.store.runfolder import write_record
from harness.store.runs import read_run
from harness.suite.spec import Suite, load_suite

__all__ = ["Check", "promote", "promotion_checks", "verify"]

_KEPT: tuple[tuple[str, str, type[Record]], ...] = (
    ("dataset", "data/dataset.json", DatasetManifest),
    ("training", "train/result.json", TrainResult),
    ("export", "export/export.json", ExportResult),
    ("gate", "gate/table.json", GateTable),
)
"""Parts of the ledger that have a file of their own."""


_JUDGED = ("verdict", "served", "enough", "suite_hash", "n_samples", "rows", "general", "checkpoint")
"""Parts of a table that have to come out again; its sentences may be another version's."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the ledger says, and whether it is so."""

    name: str
    held: bool
    said: str


def verify(folder: Path, ledger: Ledger, results: Path, tell: OnProgress) -> list[Check]:
    """Every file and hash of the ledger, the suite, and the verdicts as they come out of the runs now."""
    found = [_files(folder, ledger), _runs(results, ledger)]
    found += [_same(ledger, folder, *one) for one in _KEPT if getattr(ledger, one[0]) is not None]
    found += _suite_checks(ledger, tell)
    if ledger.gate is not None:
        found.append(_judged_again(ledger, results))
    return found


def _files(folder: Path, ledger: Ledger) -> Check:
    files = [(link.step, one) for link in ledger.links for one in link.files]
    bad = [f"{one.path} ({step})" for step, one in files if not holds(folder, one)]
    if bad:
        return Check("files", False, f"changed or gone: {', '.join(bad[:5])}{' …' if len(bad) > 5 else ''}")
    size = sum(one.bytes for _, one in files)
    return Check("files", bool(files), f"{len(files)} files, {size / 1e6:,.1f} MB, each as it was")


def _runs(results: Path, ledger: Ledger) -> Check:
    link = ledger.link("gate")
    if link is None:
        return Check("runs", True, "the gate was not asked")
    bad = []
    for name, known in link.inputs.items():
        path = results / name
        if not path.is_file() or file_sha256(path) != known:
            bad.append(name)
    if bad:
        return Check("runs", False, f"changed or gone: {', '.join(bad[:3])}{' …' if len(bad) > 3 else ''}")
    return Check("runs", True, f"{len(link.inputs)} files of the runs behind the table, each as it was")


def _same(ledger: Ledger, folder: Path, part: str, name: str, kind: type[Record]) -> Check:
    """Whether a part of the ledger is what its own file says."""
    try:
        there = kind.model_validate_json((folder / name).read_bytes())
    except (OSError, ValidationError):
        return Check(part, False, f"{name} cannot be read")
    return Check(part, there == getattr(ledger, part), f"{name} says what the ledger says")


def _load(ledger: Ledger, tell: OnProgress) -> Suite | HarnessError:
    """The suite as it is now, every split of it."""
    told = ledger.config.get("suite")
    given = told.get("options") if isinstance(told, dict) else None
    options = given if isinstance(given, dict) else {}
    config = SuiteConfig(name=ledger.suite, path=ledger.suite_path, options={**options, "split": "all"})
    try:
        return load_suite(config, cache_dir(), tell)
    except HarnessError as error:
        return error


def _suite_checks(ledger: Ledger, tell: OnProgress) -> list[Check]:
    suite = _load(ledger, tell)
    if isinstance(suite, HarnessError):
        return [Check("suite", False, str(suite))]
    found = [Check("suite", suite.hash == ledger.suite_hash, "its samples are the same, of every split")]
    try:
        now = provenance(suite.spec, suite.samples).redaction_sha256
    except HarnessError as error:
        return [*found, Check("redaction", False, str(error))]
    same = now == ledger.redaction_sha256
    words = (
        "no policy: the suite is not from logs"
        if now is None and same
        else "the policy is the one that was learned under"
    )
    return [*found, Check("redaction", same, words if same else "the policy was changed since the rows were made")]


def _judged_again(ledger: Ledger, results: Path) -> Check:
    """Whether the table comes out of its runs as it stands in the ledger."""
    known = ledger.gate
    assert known is not None
    try:
        model = ModelConfig.model_validate(ledger.config["model"])
        convert = ledger.config["convert"]
        assert isinstance(convert, dict)
        options = ConvertGate.model_validate(convert["gate"])
        rows = {row.row: read_run(results / "run" / row.run) for row in known.rows}
        general = [
            General(one.suite, read_run(results / "run" / one.base_run), read_run(results / "run" / one.tuned_run))
            for one in known.general
        ]
        told = tuple(note for note in known.notes if note.startswith("general:"))
        again = build_table(known.key, model, Runs(rows, general, known.together, told), options)
    except (HarnessError, ValidationError, KeyError) as error:
        return Check("verdicts", False, f"they cannot be computed again: {' '.join(str(error).split())[:200]}")
    if any(getattr(again, part) != getattr(known, part) for part in _JUDGED):
        return Check("verdicts", False, f"computed again from the runs they are others: {again.verdict}, {again.why}")
    return Check("verdicts", True, f"computed again from the runs: {known.verdict}, {known.why}")


def promotion_checks(ledger: Ledger, checks: Sequence[Check]) -> list[Check]:
    """What stands for and against letting the model go to work, besides what was verified."""
    found = list(checks)
    hits = {kind: count for kind, count in ledger.dataset.contamination.items() if count}
    said = (
        ", ".join(f"{kind}: {count}" for kind, count in hits.items())
        or "no row is one of the gate's samples, or nearly"
    )
    found.append(Check("contamination", not hits and bool(ledger.dataset.n_test), said))
    if ledger.gate is None:
        found.append(Check("verdict", False, "there is none: the gate was not asked"))
    else:
        found.append(Check("verdict", ledger.gate.verdict == "pass", f"{ledger.gate.verdict}: {ledger.gate.why}"))
    served = ledger.export.file(ledger.export.chosen)
    report = served.delta if served is not None else None
    if report is not None:
        found.append(Check("delta", report.verdict != "refuse", report.why))
    return found


def promote(
    folder: Path, ledger: Ledger, checks: Sequence[Check], by: str, show: Callable[[Sequence[Check]], None]
) -> Ledger:
    """The ledger with the promotion in it, written. Raises GateFailed naming what stands in the way."""
    found = promotion_checks(ledger, checks)
    show(found)
    bad = [one for one in found if not one.held]
    if bad:
        reasons = "; ".join(f"{one.name}: {one.said}" for one in bad)
        raise GateFailed(f"{ledger.name} is not promoted: {reasons}")
    before = ledger.model_copy(update={"promoted": None}).model_dump_json()
    promotion = Promotion(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by,
        checks=tuple(f"{one.name}: {one.said}" for one in found),
        ledger_sha256=hashlib.sha256(before.encode()).hexdigest(),
    )
    done = ledger.model_copy(update={"promoted": promotion})
    write_record(folder / LEDGER, done)
    return done
