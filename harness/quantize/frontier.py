"""From finished runs to a frontier: each precision's figures, and its pairs with the baseline."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.backends.llamacpp_plan import plan
from harness.backends.weights import WeightFile
from harness.config import LlamaCppConfig, ModelConfig, QuantizeOptions
from harness.errors import HarnessError
from harness.fit import Serving, llamacpp_need
from harness.fit_shape import shape_of_gguf
from harness.quantize.ladder import Ladder, Rung
from harness.quantize.types import made_of
from harness.records import Score
from harness.records.frontier import Frontier, FrontierPoint
from harness.records.paired import PairedComparison
from harness.records.summary import Quantiles
from harness.stats.paired_verdict import NoExactVerdict, compare
from harness.store.runs import StoredRun

__all__ = ["Made", "build_frontier", "memory_need"]


@dataclass(frozen=True, slots=True)
class Made:
    """What a frontier is read from: its files, the run of each, and how they were run."""

    ladder: Ladder
    runs: Mapping[str, StoredRun]
    """By name of the rung; those that are not there were not run."""
    together: bool
    complete: bool


def build_frontier(
    name: str, model: ModelConfig, backend: LlamaCppConfig, options: QuantizeOptions, made: Made
) -> Frontier:
    """The frontier of these runs; `name` is that of its folder."""
    rungs = [rung for rung in made.ladder.rungs if rung.name in made.runs]
    base = made.runs[rungs[0].name]
    points = tuple(_point(rung, made.runs[rung.name], base, model, backend, options) for rung in rungs)
    facts = base.manifest.backend
    return Frontier(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        model=model.name,
        model_title=model.title,
        suite=base.summary.suite,
        suite_hash=base.summary.suite_hash,
        protocol=base.summary.protocol,
        backend=base.summary.backend,
        build=facts.build if facts else None,
        machine=base.manifest.machine,
        baseline=made.ladder.rungs[0].name,
        margin=options.margin,
        alpha=options.alpha,
        source_file=made.ladder.source.facts.file if made.ladder.source else None,
        source_type=made.ladder.source_type,
        quantizer=made.ladder.quantizer.label if made.ladder.quantizer else None,
        together=made.together,
        complete=made.complete,
        notes=(*made.ladder.notes, *_notes(points, [made.runs[rung.name] for rung in rungs], made)),
        points=points,
    )


def _point(
    rung: Rung, run: StoredRun, base: StoredRun, model: ModelConfig, backend: LlamaCppConfig, options: QuantizeOptions
) -> FrontierPoint:
    summary, facts, weights = run.summary, run.manifest.backend, rung.weights.facts
    measured = facts.memory_bytes if facts else None
    memory = measured or memory_need(backend, model, rung.weights)
    comparison, why = (None, None) if run is base else _compared(base, run, options)
    return FrontierPoint(
        type=rung.name,
        run=summary.run,
        file=weights.file,
        bytes=weights.bytes,
        sha256=weights.sha256,
        origin=rung.origin,
        parameters=weights.parameters,
        bytes_per_weight=weights.bytes / weights.parameters if weights.parameters else None,
        made_of=made_of(rung.weights.header),
        memory_bytes=memory,
        memory_from=None if memory is None else "measured" if measured else "estimated",
        context_tokens=facts.context_tokens if facts else None,
        accuracy=summary.accuracy,
        accuracy_interval=summary.accuracy_interval,
        n_scored=summary.n_scored,
        n_failed=summary.n_failed,
        ttft_p50_s=_p50(summary.ttft_s),
        tpot_p50_s=_p50(summary.tpot_s),
        e2e_p50_s=_p50(summary.e2e_s),
        e2e_p95_s=summary.e2e_s.p95 if summary.e2e_s else None,
        tokens_per_s=summary.output_tokens_per_s,
        comparison=comparison,
        no_verdict=why,
    )


def _p50(found: Quantiles | None) -> float | None:
    return found.p50 if found else None


def _compared(base: StoredRun, run: StoredRun, options: QuantizeOptions) -> tuple[PairedComparison | None, str | None]:
    sessions = {sample.id: sample.session for sample in base.samples}
    try:
        found = compare(
            _values(base.scores), _values(run.scores), margin=options.margin, alpha=options.alpha, sessions=sessions
        )
    except NoExactVerdict as reason:
        return None, str(reason)
    return found, None


def _values(scores: Sequence[Score]) -> dict[str, list[float]]:
    """Values of each sample's scored trials."""
    found: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        if score.value is not None:
            found[score.sample].append(score.value)
    return found


def memory_need(backend: LlamaCppConfig, model: ModelConfig, weights: WeightFile) -> int | None:
    """Bytes that the engine will take with this file, by the header alone; None where that does not tell."""
    shape = shape_of_gguf(weights.header.metadata)
    if shape is None:
        return None
    try:
        settings = plan(backend, model, weights)
    except HarnessError:  # serving says it, with what to do
        return None
    serving = Serving(settings.context_tokens // settings.slots, settings.slots, backend.kv_type, backend.ubatch_tokens)
    return llamacpp_need(weights.facts.bytes, shape, serving).total


def _notes(points: Sequence[FrontierPoint], runs: Sequence[StoredRun], made: Made) -> list[str]:
    notes = []
    if not made.together:
        notes.append(
            "The types were run one after the other: their accuracies compare, their times only as far as the machine "
            "was as free each time (quantize.together=on lets them take turns)."
        )
    if not made.complete:
        notes.append("The runs are not complete: these are figures so far.")
    if len({point.context_tokens for point in points}) > 1:
        notes.append("The contexts differ, and with them the memory; set one for all: backend.context_tokens=…")
    if lost := sum(point.n_failed for point in points):
        notes.append(f"{lost} attempts were lost to the infrastructure: in neither accuracies nor pairs.")
    if len(points) > 2:
        notes.append(
            "Each verdict holds at its own α: with several types the chance that one of them is wrong is larger."
        )
    unfit = {run.summary.unfit for run in runs if run.summary.unfit}
    warned = [warning for run in runs for warning in run.summary.warnings]
    return [*notes, *sorted(unfit), *dict.fromkeys(warned)]
