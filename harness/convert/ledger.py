"""One manifest from the logs to the model: what each step read and left, by content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.config import ConvertConfig
from harness.convert.data.files import MANIFEST as DATA
from harness.convert.data.files import TRAIN, VALIDATION
from harness.convert.data.tokens import LOGITS
from harness.convert.files import file_of
from harness.convert.model_file import near
from harness.convert.payback import payback
from harness.errors import DataError
from harness.records.convert import (
    ChainLink,
    ConvertFile,
    CurvePoint,
    DatasetManifest,
    Estimate,
    ExportResult,
    GateTable,
    LearningCurve,
    Ledger,
    Payback,
    TrainResult,
)
from harness.records.learning import LearningCurve as ShownCurve
from harness.records.learning import LearningPoint
from harness.runner.facts import commit, machine_facts
from harness.runner.session import public_config
from harness.select.lane import lane_of
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY
from harness.store.runs import StoredRun, read_run

__all__ = ["LEDGER", "TABLE", "Steps", "build_ledger", "paid_back", "read_ledger", "run_files", "shown_curve"]

LEDGER = "ledger.json"
TABLE = "gate/table.json"
_RUN_FILES = (MANIFEST, SUMMARY, SAMPLES, ATTEMPTS, SCORES)


@dataclass(frozen=True, slots=True)
class Steps:
    """What each step left, in order."""

    dataset: DatasetManifest
    estimate: Estimate | None
    training: TrainResult
    export: ExportResult
    gate: GateTable | None
    curve: LearningCurve | None
    suite_hash: str
    """Over all samples of the suite, of every split."""


def shown_curve(ledger: Ledger) -> ShownCurve | None:
    """The learning curve as pictures and exports read it; None where there is none, or nobody could judge."""
    curve = ledger.curve
    points = [] if curve is None else [one for one in curve.points if one.metric is not None]
    if not points:
        return None
    return ShownCurve(
        name=ledger.name,
        model_title=f"{ledger.training.plan.base.file}, {ledger.method}",
        suite=ledger.suite,
        suite_hash=ledger.dataset.suite_hash,
        split="validation",
        method=ledger.method,
        made_at=ledger.made_at,
        points=tuple(_shown(one) for one in points),
        notes=() if curve is None else (curve.why,),
    )


def _shown(point: CurvePoint) -> LearningPoint:
    assert point.metric is not None
    low, high = (None, None) if point.interval is None else (point.interval.low, point.interval.high)
    return LearningPoint(n_rows=point.rows, accuracy=point.metric, low=low, high=high, n_scored=point.n or None)


def read_ledger(folder: Path) -> Ledger:
    """The ledger of a conversion. Raises DataError where there is none that this version can read."""
    try:
        return Ledger.model_validate_json((folder / LEDGER).read_bytes())
    except OSError as error:
        raise DataError(
            f"{folder} has no {LEDGER} ({error.strerror}); name the folder of a conversion: "
            "convert.verify=results/convert/NAME"
        ) from None
    except ValueError as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(
            f"{folder / LEDGER} cannot be read ({said}); was it changed or written by another version?"
        ) from None


def build_ledger(config: ConvertConfig, name: str, folder: Path, steps: Steps, command: str) -> Ledger:
    """The ledger of these steps; `folder` is that of the conversion."""
    results = Path(config.paths.results)
    weighing = 0.0 if steps.dataset.logits is None else steps.dataset.logits.seconds
    hours = (steps.training.seconds + (steps.training.evaluation_seconds or 0.0) + weighing) / 3600
    paid = paid_back(config, steps.dataset, hours, steps.gate, results)
    teacher_known = not steps.dataset.teacher_calls or steps.dataset.teacher_usd is not None
    head, _ = commit()
    return Ledger(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness_version=__version__,
        commit=head,
        command=command,
        config=public_config(config.model_dump(mode="json", exclude={"paths", "progress"})),
        suite=config.suite.name,
        suite_path=None if config.suite.path is None else near(Path(config.suite.path).expanduser()),
        suite_hash=steps.suite_hash,
        cluster=steps.dataset.cluster,
        redaction=steps.dataset.redaction,
        redaction_sha256=steps.dataset.redaction_sha256,
        links=tuple(_links(folder, results, steps)),
        base=steps.export.base,
        method=steps.training.plan.method,
        dataset=steps.dataset,
        estimate=steps.estimate,
        training=steps.training,
        curve=steps.curve,
        export=steps.export,
        gate=steps.gate,
        payback=paid,
        machine=machine_facts(),
        hours=hours,
        usd=paid.training_usd if teacher_known else None,
        notes=tuple(_notes(steps)),
    )


def _links(folder: Path, results: Path, steps: Steps) -> list[ChainLink]:
    dataset, training, export, gate = steps.dataset, steps.training, steps.export, steps.gate
    found = []
    if dataset.logs:
        inputs = dict(one.split(":", 1) for one in dataset.logs if ":" in one)
        found.append(ChainLink(step="logs", said="curated calls behind the suite, by their own hashes", inputs=inputs))
    found.append(
        ChainLink(
            step="suite", said=f"{dataset.suite}: samples of every split", inputs={"samples": steps.suite_hash},
        )
    )  # fmt: skip
    rows = (
        f"{dataset.n_train:,} rows to learn from, {dataset.n_validation:,} to stop by, none of {dataset.n_test:,} asked"
    )
    found.append(
        ChainLink(
            step="data",
            said=rows,
            key=dataset.key,
            inputs=_weighed_by(dataset),
            files=_inside(folder, "data", (TRAIN, VALIDATION, LOGITS, DATA)),
            seconds=None if dataset.logits is None else dataset.logits.seconds,
        )
    )
    found.append(
        ChainLink(
            step="train",
            said=f"{training.plan.method}, {training.steps:,} steps, {training.status.replace('_', ' ')}",
            key=training.plan.key,
            inputs={"base": training.plan.base.sha256, "rows": training.plan.data_key},
            files=_trained(folder, training),
            seconds=training.seconds,
        )
    )
    found.append(
        ChainLink(
            step="export",
            said=f"{export.serve}: {', '.join(dict.fromkeys(one.type for one in export.files))}",
            key=export.key,
            inputs={"base": export.base.sha256},
            files=(*(one.file for one in export.files), *_inside(folder, "export", ("export.json", "delta.json"))),
        )
    )
    if gate is not None:
        found.append(
            ChainLink(
                step="gate", said=f"{gate.verdict}: {gate.why}", key=gate.key,
                inputs=run_files(results, gate), files=_inside(folder, "gate", ("table.json",)),
            )
        )  # fmt: skip
    return found


def _weighed_by(dataset: DatasetManifest) -> dict[str, str]:
    """The teacher's weights, where it weighed the replies."""
    logits = dataset.logits
    if logits is None or logits.weights is None:
        return {}
    return {f"teacher {logits.teacher}": logits.weights.sha256}


def _trained(folder: Path, training: TrainResult) -> tuple[ConvertFile, ...]:
    own = folder / "train" / training.folder
    inside = sorted(one for one in own.rglob("*") if one.is_file())
    return (*(file_of(folder, one) for one in inside), *_inside(folder, "train", ("result.json", "plan.json")))


def _inside(folder: Path, part: str, names: Sequence[str]) -> tuple[ConvertFile, ...]:
    return tuple(file_of(folder, path) for name in names if (path := folder / part / name).is_file())


def run_files(results: Path, gate: GateTable) -> dict[str, str]:
    """SHA-256 of the files of every run behind a table, by `run/NAME/FILE`."""
    runs = [row.run for row in gate.rows]
    runs += [run for one in gate.general for run in (one.base_run, one.tuned_run)]
    found = {}
    for run in dict.fromkeys(runs):
        for name in _RUN_FILES:
            path = results / "run" / run / name
            if path.is_file():
                found[f"run/{run}/{name}"] = file_of(results, path).sha256
    return found


def paid_back(
    config: ConvertConfig, dataset: DatasetManifest, hours: float, gate: GateTable | None, results: Path
) -> Payback:
    """After how many calls the training has paid for itself, beside the reference of the gate."""
    saved: list[float] = []
    sessions: list[str | None] = []
    served = None if gate is None else gate.row(gate.served)
    reference = None if gate is None else gate.row("reference")
    if served is not None and reference is not None:
        tuned, other = (read_run(results / "run" / row.run) for row in (served, reference))
        saved, sessions = _saved(tuned, other)
    return payback(hours, dataset.teacher_usd, config.hardware, saved, reference.title if reference else None, sessions)


def _saved(tuned: StoredRun, other: StoredRun) -> tuple[list[float], list[str | None]]:
    """What each sample's call costs less, where both costs are known."""
    first, second = (_costs(run) for run in (other, tuned))
    sessions: Mapping[str, str | None] = {one.id: one.session for one in tuned.samples}
    shared = sorted(first.keys() & second.keys())
    return [first[one] - second[one] for one in shared], [sessions.get(one) for one in shared]


def _costs(run: StoredRun) -> dict[str, float]:
    found = {}
    for sample, answers in lane_of(run, {}).answers.items():
        known = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
        if known:
            found[sample] = sum(known) / len(known)
    return found


def _notes(steps: Steps) -> list[str]:
    notes = [*steps.dataset.notes, *steps.training.notes, *steps.export.notes]
    if steps.training.plan.dequantised_from is not None:
        notes.append(
            f"The base was dequantised from {steps.training.plan.dequantised_from}: it is not the model as it was "
            "trained, but what that type left of it."
        )
    if steps.dataset.redaction_sha256 is None:
        notes.append("The suite is not from logs: no redaction policy stands behind its rows.")
    return notes
