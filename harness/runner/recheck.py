"""The misses of a run put again under a grammar: how many lost points are format, and what the grammar costs."""

from collections.abc import Callable, Sequence
from statistics import median

from harness.backends.recorded import Recorded
from harness.config import RunConfig
from harness.errors import ConfigError
from harness.measure import e2e_s, tpot_s, ttft_s
from harness.records import Attempt, Sample, Score
from harness.records.summary import GrammarSummary
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import SUMMARY, write_record
from harness.suite.spec import samples_hash
from harness.toolcalling.encode import answer_format

__all__ = ["missed", "recheck", "refuse_recheck"]

_Pair = tuple[tuple[Attempt, Score | None], tuple[Attempt, Score | None]]
"""An attempt with its score without the grammar, and the same under it."""


def refuse_recheck(jobs: Sequence[Job]) -> None:
    """Nothing where misses of these jobs can be put again under a grammar. Raises ConfigError where none can."""
    if any(isinstance(job.backend, Recorded) for job in jobs):
        raise ConfigError(
            "run.recheck=constrained asks the model again, and recorded answers cannot be asked; leave it out, "
            "or choose a model that can: model=smollm2"
        )
    if all(job.config.model.protocol == "constrained" for job in jobs):
        raise ConfigError(
            "run.recheck=constrained puts misses again under a grammar, and with model.protocol=constrained every "
            "reply is under it already; add model.protocol=prompted, or leave run.recheck out"
        )
    if not any(_has_grammar(sample) for job in jobs for sample in job.samples):
        raise ConfigError(
            "run.recheck=constrained is for samples that want a call or JSON, and "
            f"suite={jobs[0].config.suite.name} has none: no grammar holds their answers; leave it out"
        )


def _has_grammar(sample: Sample) -> bool:
    """Whether a miss can be one of form. A grammar of calls would lose where none is wanted what nobody doubts."""
    return bool(sample.wants_call) or answer_format(sample) is not None


def missed(outcome: Outcome, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """The samples that wanted a call or JSON and were not right in at least one trial, in their order."""
    wrong = {
        attempt.sample
        for attempt, score in final_outcomes(outcome.folder)
        if score is not None and score.value is not None and score.value < 1
    }
    return tuple(sample for sample in samples if sample.id in wrong and _has_grammar(sample))


def recheck(job: Job, outcome: Outcome, constrained: Callable[[RunConfig], Job]) -> Outcome:
    """Puts the misses of a finished run again under a grammar, in a folder of its own, and notes in the run's summary
    what that gave back and what it cost.

    constrained: makes the job of a configuration. Returns the outcome as it was if nothing was missed, or if the run
    was under the grammar itself.
    """
    if job.config.model.protocol == "constrained":
        return outcome
    samples = missed(outcome, job.samples)
    if not samples:
        return outcome
    model = job.config.model.model_copy(update={"protocol": "constrained"})
    run = job.config.run
    if run.resume != "never":  # a folder that is named is the first run's
        run = run.model_copy(update={"resume": "auto"})
    again = constrained(job.config.model_copy(update={"model": model, "run": run}))
    found = execute([_only(again, samples, outcome.folder.name)])[0]
    if found.interrupted or found.stopped:
        return outcome
    summary = outcome.summary.model_copy(update={"grammar": _cost(outcome, found)})
    write_record(outcome.folder / SUMMARY, summary)
    return Outcome(outcome.folder, summary, outcome.interrupted, outcome.stopped)


def _only(job: Job, samples: tuple[Sample, ...], of_run: str) -> Job:
    return Job(
        job.config, job.suite, samples_hash(samples), samples, job.backend, job.weights, job.scorer, job.data, of_run
    )


def _cost(outcome: Outcome, again: Outcome) -> GrammarSummary:
    under = {attempt.key: (attempt, score) for attempt, score in final_outcomes(again.folder)}
    pairs = [
        ((attempt, score), under[attempt.key])
        for attempt, score in final_outcomes(outcome.folder)
        if attempt.key in under
    ]
    return GrammarSummary(
        run=again.folder.name,
        n_samples=again.summary.n_samples,
        points_back=sum(map(_gain, pairs)) / max(1, outcome.summary.trials),
        ttft_s=_difference(pairs, lambda one: ttft_s(one.timing)),
        tpot_s=_difference(pairs, lambda one: tpot_s(one.timing, one.usage)),
        e2e_s=_difference(pairs, lambda one: e2e_s(one.timing)),
    )


def _gain(pair: _Pair) -> float:
    """By how much the value rose under the grammar; 0 where it did not, or where either has no value."""
    before, after = (score.value if score is not None else None for _, score in pair)
    return 0.0 if before is None or after is None else max(0.0, after - before)


def _difference(pairs: Sequence[_Pair], figure: Callable[[Attempt], float | None]) -> float | None:
    """Median over samples of the figure with the grammar minus without; None where no sample has both."""
    both = [(figure(before), figure(after)) for (before, _), (after, _) in pairs]
    found = [after - before for before, after in both if before is not None and after is not None]
    return median(found) if found else None
