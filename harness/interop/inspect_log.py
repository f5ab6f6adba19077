"""A run of ours as a log of Inspect's: read by `inspect view`, `read_eval_log` and everything built on them."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import cast

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalPlanStep,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    EvalStatus,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelUsage
from inspect_ai.scorer import MetricProtocol, SampleScore, accuracy, mean_score, stderr
from pydantic import JsonValue

from harness.interop.inspect_told import MODEL, error_of, told_sample, zoned
from harness.records import attempt_key
from harness.records.manifest import Manifest
from harness.store.runs import StoredRun, read_run

__all__ = ["eval_log", "export_inspect"]

_STATUS: Mapping[str, EvalStatus] = {
    "running": "started",
    "interrupted": "cancelled",
    "stopped": "cancelled",
    "settled": "success",
    "complete": "success",
    "failed": "error",
}


def export_inspect(folder: Path, out: Path) -> Path:
    """The log of a run's folder, `out/<run>.eval`; one of that name is replaced.

    Raises DataError if the folder is no run.
    """
    run = read_run(folder)
    target = out / f"{run.manifest.run}.eval"
    write_eval_log(eval_log(run), str(target), format="eval")
    return target


def eval_log(run: StoredRun) -> EvalLog:
    """The log: each attempt as a sample of its epoch, with its messages, events, usage, timing and score.

    Metrics are those that Inspect computes: the mean of each sample's trials, then mean and standard error over the
    samples. What was lost to the infrastructure carries its error and no score, and counts in no metric.
    """
    samples = {sample.id: sample for sample in run.samples}
    scores = {attempt_key(score.sample, score.trial): score for score in run.scores}
    generation = _generation(run.manifest)
    made = [told_sample(samples[one.sample], one, generation, scores.get(one.key)) for one in run.attempts]
    made.sort(key=lambda one: (str(one.id), one.epoch))
    manifest = run.manifest
    return EvalLog(
        status=_STATUS[manifest.status],
        eval=_spec(run),
        plan=EvalPlan(
            name="harness",
            steps=[EvalPlanStep(solver="harness", params={"protocol": manifest.protocol})],
            config=_generation(manifest),
        ),
        results=_results(run, made),
        stats=_stats(manifest, made),
        error=error_of("the run failed; see its summary.json") if manifest.status == "failed" else None,
        samples=made,
    )


def _spec(run: StoredRun) -> EvalSpec:
    manifest, summary = run.manifest, run.summary
    backend = manifest.backend
    told: dict[str, JsonValue] = {
        "suite_hash": manifest.suite_hash,
        "config_hash": manifest.config_hash,
        "harness_version": manifest.harness_version,
        "backend": backend.model_dump(mode="json") if backend else None,
        "machine": manifest.machine.model_dump(mode="json"),
        "warnings": [*manifest.warnings],
        "accuracy_interval": summary.accuracy_interval.model_dump(mode="json") if summary.accuracy_interval else None,
    }
    asked = manifest.config.get("suite")
    suite = asked if isinstance(asked, dict) else {}
    return EvalSpec(
        created=zoned(manifest.started_at),
        run_id=manifest.run,
        task=str(suite.get("task") or manifest.suite),
        task_id=manifest.config_hash[:22],
        task_version=manifest.suite_hash[:12],
        dataset=EvalDataset(
            name=manifest.suite, samples=len(run.samples), sample_ids=[sample.id for sample in run.samples]
        ),
        model=MODEL.format(manifest.model),
        model_generate_config=_generation(manifest),
        model_args={"protocol": manifest.protocol},
        task_args={name: suite[name] for name in ("task", "tasks", "categories", "options") if suite.get(name)},
        config=EvalConfig(epochs=summary.trials, epochs_reducer=["mean"]),
        packages=dict(manifest.packages),
        metadata=told,
    )


def _generation(manifest: Manifest) -> GenerateConfig:
    model = manifest.config.get("model")
    asked = model.get("generation") if isinstance(model, dict) else None
    told = asked if isinstance(asked, dict) else {}
    given = {name: told.get(name) for name in ("temperature", "top_p", "top_k", "max_tokens", "reasoning_effort")}
    return GenerateConfig(
        **{name: value for name, value in given.items() if value is not None},
        stop_seqs=[str(one) for one in stop] if isinstance(stop := told.get("stop"), list) and stop else None,
        seed=manifest.seed,
    )


def _stats(manifest: Manifest, made: Iterable[EvalSample]) -> EvalStats:
    total: dict[str, ModelUsage] = {}
    for sample in made:
        for name, usage in sample.model_usage.items():
            total[name] = total[name] + usage if name in total else usage
    ended = zoned(manifest.ended_at) if manifest.ended_at else ""
    return EvalStats(started_at=zoned(manifest.started_at), completed_at=ended, model_usage=total)


def _results(run: StoredRun, made: list[EvalSample]) -> EvalResults:
    """Inspect's own metrics over the samples that have a score."""
    names = sorted({score.scorer for score in run.scores})
    return EvalResults(
        total_samples=run.summary.n_planned,
        completed_samples=sum(sample.error is None for sample in made),
        scores=[_score_of(name, made) for name in names],
    )


def _score_of(name: str, made: list[EvalSample]) -> EvalScore:
    reduced: list[SampleScore] = []
    unscored = 0
    for identity, trials in groupby(made, key=attrgetter("id")):
        values = [trial.scores[name] for trial in trials if trial.scores and name in trial.scores]
        if values:
            reduced.append(SampleScore(score=mean_score()(values), sample_id=identity))
        else:
            unscored += 1
    metrics = {}
    if reduced:
        metrics["accuracy"] = EvalMetric(name="accuracy", value=_single(cast(MetricProtocol, accuracy())(reduced)))
    if len(reduced) > 1:
        metrics["stderr"] = EvalMetric(name="stderr", value=_single(cast(MetricProtocol, stderr())(reduced)))
    return EvalScore(
        name=name,
        scorer=name,
        reducer="mean",
        scored_samples=len(reduced),
        unscored_samples=unscored,
        metrics=metrics,
    )


def _single(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
