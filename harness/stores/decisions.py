"""What a verdict says to MLflow: of a gate, a comparison, an audit, a frontier and a conversion.

Figures alone: no prompt, no reply, no weights. What was not measured is not told.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from harness.errors import DataError
from harness.records.audit import Audit
from harness.records.base import Record
from harness.records.compare import CompareMatrix, Comparison
from harness.records.convert import Ledger
from harness.records.frontier import Frontier
from harness.records.gate import GateResult, GateRun
from harness.records.interval import Interval
from harness.records.paired import PairedComparison
from harness.store.runfolder import write_record

__all__ = ["Decision", "decision_of", "verb_of"]

Figures = dict[str, float | None]
Point = tuple[str, float, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict as a run of MLflow."""

    verb: str
    made_at: str
    key: str
    """What it is known by, besides its verb and the name of its folder."""
    params: Mapping[str, JsonValue]
    metrics: Figures
    tags: Mapping[str, str | None]
    series: tuple[Point, ...] = ()
    """Metrics by step: of a training."""


def _ends(name: str, value: float | None, interval: Interval | None) -> Figures:
    found: Figures = {name: value}
    return found | {f"{name}_low": interval.low, f"{name}_high": interval.high} if interval else found


def _pair(name: str, one: PairedComparison | None) -> Figures:
    if one is None:
        return {}
    return _ends(f"{name}/difference", one.difference, one.interval) | {
        f"{name}/p": one.verdict.p_noninferior,
        f"{name}/gained": one.gained,
        f"{name}/lost": one.lost,
        f"{name}/n": one.n,
    }


def _side(name: str, one: GateRun) -> dict[str, JsonValue]:
    return {f"{name}.run": one.run, f"{name}.model": one.model, f"{name}.protocol": one.protocol}


def _gate(one: GateResult) -> Decision:
    metrics: Figures = {
        "exit_code": one.exit_code,
        "checks": len(one.checks),
        "samples_lost": len(one.lost),
        "samples_gained": len(one.gained),
    }
    metrics |= {f"checks_{name}": n for name, n in Counter(each.status for each in one.checks).items()}
    for each in one.checks:
        name = f"check/{each.name}"
        metrics |= _ends(f"{name}/estimate", each.estimate, each.interval)
        metrics |= {f"{name}/baseline": each.baseline, f"{name}/candidate": each.candidate, f"{name}/p": each.p}
    return Decision(
        "gate", one.made_at, one.candidate.suite_hash,
        {"policy": one.policy, **_side("baseline", one.baseline), **_side("candidate", one.candidate)},
        metrics,
        {"verdict": one.verdict, "suite": one.suite, "suite_hash": one.candidate.suite_hash,
         "weights_sha256": one.candidate.weights_sha256, "commit": one.candidate.commit},
    )  # fmt: skip


def _comparison(one: Comparison) -> Decision:
    metrics: Figures = {"a/accuracy": one.whole.a, "b/accuracy": one.whole.b, "samples": one.shared}
    for name, found in (("whole", one.whole), *((f"category/{each.name}", each) for each in one.categories)):
        metrics |= _pair(name, found.pair)
    return Decision(
        "compare", one.made_at, one.a.suite_hash,
        {"margin": one.margin, "alpha": one.alpha, "correction": one.correction, **_side("a", one.a),
         **_side("b", one.b)},
        metrics,
        {"verdict": one.whole.verdict, "suite": one.suite, "suite_hash": one.a.suite_hash},
    )  # fmt: skip


def _matrix(one: CompareMatrix) -> Decision:
    labels = dict(zip((run.run for run in one.runs), one.labels, strict=True))
    metrics: Figures = {f"{label}/accuracy": mean for label, mean in zip(one.labels, one.means, strict=True)}
    metrics["samples"] = one.shared
    for cell in one.cells:
        name = f"{labels.get(cell.b, cell.b)} against {labels.get(cell.a, cell.a)}"
        metrics |= _ends(f"{name}/difference", cell.difference, cell.interval)
    suite_hash = one.runs[0].suite_hash
    return Decision(
        "compare", one.made_at, suite_hash,
        {"margin": one.margin, "alpha": one.alpha, "correction": one.correction, "runs": list(labels)},
        metrics, {"suite": one.suite, "suite_hash": suite_hash},
    )  # fmt: skip


def _audit(one: Audit) -> Decision:
    funnel, nexts = one.funnel, Counter(each.next for each in one.clusters)
    metrics: Figures = {
        "read": funnel.read, "kept": funnel.kept, "judged": funnel.judged, "samples": funnel.samples,
        "sessions": funnel.sessions, "covered": funnel.covered, "clusters": len(one.clusters),
    }  # fmt: skip
    metrics |= {f"clusters_{name}": count for name, count in nexts.items()}
    for name in nexts:
        metrics[f"share_{name}"] = sum(each.share for each in one.clusters if each.next == name)
    for share in one.selection.shares:
        metrics |= _ends(f"moves/{share.unit}", share.replace, share.interval)
        metrics |= {f"moves/{share.unit}_with_hybrid": share.with_hybrid, f"saved/{share.unit}": share.saved}
    for variant in one.selection.variants:
        metrics |= _ends(f"model/{variant.label}/accuracy", variant.accuracy, variant.accuracy_interval)
    chosen = one.selection
    return Decision(
        "audit", one.made_at, chosen.suite_hash,
        {"baseline": chosen.baseline, "stats": chosen.stats, "constraints": chosen.constraints,
         "models": [each.model for each in one.runs]},
        metrics, {"suite": one.suite, "suite_hash": chosen.suite_hash},
    )  # fmt: skip


def _frontier(one: Frontier) -> Decision:
    metrics: Figures = {}
    for each in one.points:
        name = f"precision/{each.type}"
        metrics |= _ends(f"{name}/accuracy", each.accuracy, each.accuracy_interval) | _pair(name, each.comparison)
        metrics |= {f"{name}/{key}": getattr(each, key) for key in (
            "bytes", "bytes_per_weight", "memory_bytes", "ttft_p50_s", "tpot_p50_s", "e2e_p50_s", "e2e_p95_s",
            "tokens_per_s", "n_scored", "n_failed",
        )}  # fmt: skip
    verdicts = {f"verdict.{each.type}": each.comparison.verdict.verdict for each in one.points if each.comparison}
    params: dict[str, JsonValue] = {
        "model": one.model, "protocol": one.protocol, "backend": one.backend, "baseline": one.baseline,
        "margin": one.margin, "alpha": one.alpha, "together": one.together, "source_type": one.source_type,
        "precisions": [each.type for each in one.points],
    }  # fmt: skip
    tags = {"suite": one.suite, "suite_hash": one.suite_hash, "model": one.model, **verdicts}
    return Decision("quantize", one.made_at, one.suite_hash, params, metrics, tags)


def _ledger(one: Ledger) -> Decision:
    training, data, paid = one.training, one.dataset, one.payback
    metrics: Figures = {
        "rows_train": data.n_train, "rows_validation": data.n_validation, "samples_test": data.n_test,
        "steps": training.steps, "best_step": training.best_step, "best_metric": training.best_metric,
        "train_s": training.seconds, "peak_memory_bytes": training.peak_memory_bytes,
        "energy_joules": training.energy_joules, "hours": one.hours, "cost_usd": one.usd,
        "payback_calls": paid.calls if paid else None,
    }  # fmt: skip
    for row in one.gate.rows if one.gate else ():
        name = f"row/{row.row}"
        metrics |= _ends(f"{name}/accuracy", row.accuracy, row.accuracy_interval) | _pair(name, row.against_base)
        metrics |= {f"{name}/e2e_p50_s": row.e2e_p50_s, f"{name}/tokens_per_s": row.tokens_per_s,
                    f"{name}/cost_usd_per_success": row.cost_usd_per_success}  # fmt: skip
    for each in one.gate.general if one.gate else ():
        metrics |= {f"general/{each.suite}/base": each.base, f"general/{each.suite}/tuned": each.tuned}
    for point in one.curve.points if one.curve else ():
        metrics |= _ends(f"curve/rows_{point.rows}", point.metric, point.interval)
    served = one.export.file(one.export.chosen)
    return Decision(
        "convert", one.made_at, f"{one.suite_hash} {one.base.sha256}",
        {**one.config, "cluster": one.cluster, "method": one.method, "base": one.base.file},
        metrics,
        {"verdict": one.gate.verdict if one.gate else None, "suite": one.suite, "suite_hash": one.suite_hash,
         "commit": one.commit, "version": one.harness_version, "base_sha256": one.base.sha256,
         "weights_sha256": served.file.sha256 if served else None,
         "promoted": one.promoted.at if one.promoted else None},
        tuple(
            (f"train/{key}", float(value), point.step)
            for point in training.points
            for key in ("loss", "divergence", "validation_loss", "metric", "learning_rate")
            if (value := getattr(point, key)) is not None
        ),
    )  # fmt: skip


def _without_flips(one: Record) -> Record:
    return one.model_copy(update={"flips": ()}) if isinstance(one, Comparison) else one


_KINDS: Final[dict[str, tuple[tuple[type[Any], Callable[[Any], Decision]], ...]]] = {
    "gate.json": ((GateResult, _gate),),
    "compare.json": ((Comparison, _comparison), (CompareMatrix, _matrix)),
    "audit.json": ((Audit, _audit),),
    "frontier.json": ((Frontier, _frontier),),
    "ledger.json": ((Ledger, _ledger),),
}
_BESIDE: Final = {
    "gate.json": ("gate.md",), "compare.json": (), "audit.json": ("audit.md",), "frontier.json": ("frontier.md",),
    "ledger.json": ("MODEL_CARD.md", "learning_curve.json"),
}  # fmt: skip
_VERBS: Final = {
    "gate.json": "gate", "compare.json": "compare", "audit.json": "audit", "frontier.json": "quantize",
    "ledger.json": "convert",
}  # fmt: skip


def verb_of(folder: Path) -> str | None:
    """The verb whose verdict lies in a folder; None: none does."""
    return next((verb for file, verb in _VERBS.items() if (folder / file).is_file()), None)


def decision_of(folder: Path, scratch: Path) -> tuple[Decision, Path, list[Path]]:
    """The verdict in a folder, the file that it was read from, and the files that go along.

    scratch: where a file may be written without the words that it holds. Raises DataError where it cannot be read.
    """
    file = next(folder / one for one in _KINDS if (folder / one).is_file())
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from None
    for kind, read in _KINDS[file.name]:
        try:
            record = kind.model_validate_json(data)
        except ValidationError:
            continue
        bare = _without_flips(record)
        own = file
        if bare is not record:
            own = scratch / file.name
            write_record(own, bare)
        return read(record), file, [own, *(folder / one for one in _BESIDE[file.name] if (folder / one).is_file())]
    raise DataError(f"{file} was written by another version, or is damaged; make it anew with do={_VERBS[file.name]}")
