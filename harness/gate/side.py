"""One side of a gate: a stored run without its text."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from pydantic import JsonValue

from harness.errors import BackendError, DataError
from harness.records import Attempt, Sample
from harness.records.gate import Acceptance, GateRun, Outcome
from harness.select.lane import Answer, lane_of
from harness.store.digests import common_system, sample_digest, session_numbers
from harness.store.runs import StoredRun

__all__ = ["FILES", "LOCAL", "TIMES_FILE", "Side", "refuse_unfinished", "side_of"]

LOCAL = frozenset({"llamacpp", "transformers", "vllm"})
"""Backends whose engine the harness runs itself: their times are those of the machine in the manifest."""
FILES = frozenset({"statgate", "nel", "pytest_benchmark"})
"""Backends of sides that are files of other programs, which say little of how they were made."""
TIMES_FILE = "pytest_benchmark"
"""Backend of a side that is a file of pytest-benchmark: times with the facts of their machine, and nothing else."""
_LONG = 120


@dataclass(frozen=True, slots=True)
class Side:
    """A run as the gate reads it."""

    run: GateRun
    outcomes: tuple[Outcome, ...]
    """Of every attempt, those without a value too."""
    accepted: Acceptance | None = None


def refuse_unfinished(run: StoredRun) -> None:
    """Nothing for a run that a gate can read. Raises DataError or BackendError with the reason for any other."""
    name, summary = run.folder.name, run.summary
    if summary.of_run is not None:
        raise DataError(f"run {name} put the misses of {summary.of_run} again and is no run of a suite; name that one")
    if summary.early is not None and summary.early.stopped:
        raise DataError(
            f"run {name} was ended early by run.stop: tests for a fixed number of samples do not hold on it; run the "
            "suite without run.stop"
        )
    if run.manifest.status == "failed":
        raise BackendError(f"run {name} failed: nothing can be judged by it; see its warnings, and run it again")
    if not summary.complete and summary.backend == "recorded":
        raise DataError(
            f"run {name} is of answers on record, and {summary.n_not_run} of {summary.n_planned} attempts have none: "
            "add them to its file, or leave their samples out (suite.limit), and run it again"
        )
    if not summary.complete:
        raise DataError(f"run {name} is {run.manifest.status}, not complete; finish it: run.resume={run.folder}")
    if not summary.n_scored:
        raise BackendError(f"run {name} has not one scored attempt: nothing can be judged by it")


def side_of(run: StoredRun) -> Side:
    """A stored run as a side of a gate: what each attempt was worth, took and cost, without prompts and replies."""
    lane = lane_of(run, {})
    sessions = session_numbers(run.samples)
    system = common_system(run.manifest)
    digests = {one.id: sample_digest(one, system) for one in run.samples}
    scored = {(score.sample, score.trial) for score in run.scores if score.value is not None}
    asked = {one.id: one for one in run.samples}
    taken: dict[str, int] = defaultdict(int)
    found = []
    for attempt in sorted(run.attempts, key=lambda one: one.trial):
        sample = asked.get(attempt.sample)
        if sample is None:
            continue
        answer = None
        if (attempt.sample, attempt.trial) in scored:  # as `lane_of` takes them, trial by trial
            answer = lane.answers[attempt.sample][taken[attempt.sample]]
            taken[attempt.sample] += 1
        found.append(_outcome(sample, attempt, answer, sessions.get(sample.id), digests[sample.id]))
    places = {one.id: place for place, one in enumerate(run.samples)}
    found.sort(key=lambda one: (places[one.sample], one.trial))
    basis = lane.variant.cost_basis
    return Side(_facts(run, basis), tuple(found))


def _outcome(sample: Sample, attempt: Attempt, answer: Answer | None, session: str | None, digest: str) -> Outcome:
    known = Outcome(
        sample=sample.id,
        trial=attempt.trial,
        category=sample.category,
        session=session,
        digest=digest,
        wants_call=None if attempt.steps else sample.wants_call,  # an agent's task is more than one decision
        weight=sample.weight,
        origin=attempt.origin,
    )
    if answer is None:
        return known
    return known.model_copy(
        update={
            "value": answer.value,
            "decision": answer.decision,
            "formed": answer.formed,
            "ttft_s": answer.ttft_s,
            "e2e_s": answer.e2e_s,
            "cost_usd": answer.cost_usd,
            "tokens": answer.tokens,
        }
    )


def _facts(run: StoredRun, basis: str | None) -> GateRun:
    manifest, summary = run.manifest, run.summary
    engine = manifest.backend
    model = manifest.config.get("model")
    return GateRun(
        run=summary.run,
        job=manifest.job,
        suite=summary.suite,
        suite_hash=summary.suite_hash,
        model=summary.model,
        model_title=summary.model_title or summary.model,
        protocol=summary.protocol,
        backend=summary.backend,
        build=engine.build if engine else None,
        weights_sha256=engine.weights.sha256 if engine and engine.weights else None,
        quantization=summary.quantization,
        started_at=summary.started_at,
        harness_version=manifest.harness_version,
        commit=manifest.commit,
        config_hash=manifest.config_hash,
        config={key: _short(value) for key, value in manifest.config.items() if key not in {"do", "paths", "progress"}},
        machine=manifest.machine,
        hosted=isinstance(model, dict) and bool(model.get("hosted")),
        local=summary.backend in LOCAL,
        n_planned=summary.n_planned,
        n_scored=summary.n_scored,
        n_failed=summary.n_failed,
        accuracy=summary.accuracy,
        accuracy_interval=summary.accuracy_interval,
        cost_basis=basis,
        cost_from_time=basis is not None and not any(_priced(one) for one in run.attempts),
        unfit=summary.unfit,
    )


def _priced(attempt: Attempt) -> bool:
    return attempt.cost_usd is not None or attempt.recorded_cost_usd is not None


def _short(value: JsonValue) -> JsonValue:
    """The value with each long text (a prompt, a template) as its hash: enough to see that it changed."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()} ({len(value)} characters)"
    return value
