"""The misses of a run put again under a grammar: how many lost points are format, and what the grammar costs."""

from collections.abc import Callable
from statistics import median

from harness.config import RunConfig
from harness.measure import e2e_s, tpot_s, ttft_s
from harness.records import Attempt, Sample
from harness.records.summary import GrammarSummary, Summary
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import SUMMARY, write_record
from harness.suite.spec import samples_hash

__all__ = ["missed", "recheck"]


def missed(outcome: Outcome, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """The samples that wanted a call and were not right in at least one trial, in their order.

    Those that want none are left out: a grammar asks for calls, and would lose there what nobody doubts.
    """
    wrong = {
        attempt.sample
        for attempt, score in final_outcomes(outcome.folder)
        if score is not None and score.value is not None and score.value < 1
    }
    return tuple(sample for sample in samples if sample.id in wrong and sample.wants_call)


def recheck(job: Job, outcome: Outcome, constrained: Callable[[RunConfig], Job]) -> Outcome:
    """Puts the misses of a finished run again under a grammar, in a folder of its own, and notes in the run's summary
    what that gave back and what it cost.

    constrained: makes the job of a configuration. Returns the outcome as it was if nothing was missed.
    """
    samples = missed(outcome, job.samples)
    if not samples:
        return outcome
    model = job.config.model.model_copy(update={"protocol": "constrained"})
    again = constrained(job.config.model_copy(update={"model": model}))
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
    without = {attempt.key: attempt for attempt, _ in final_outcomes(outcome.folder)}
    pairs = [(without[one.key], one) for one, _ in final_outcomes(again.folder) if one.key in without]
    summary: Summary = again.summary
    trials = max(1, summary.trials)
    return GrammarSummary(
        run=again.folder.name,
        n_samples=summary.n_samples,
        points_back=(summary.accuracy or 0.0) * summary.n_scored / trials,
        ttft_s=_difference(pairs, lambda one: ttft_s(one.timing)),
        tpot_s=_difference(pairs, lambda one: tpot_s(one.timing, one.usage)),
        e2e_s=_difference(pairs, lambda one: e2e_s(one.timing)),
    )


def _difference(pairs: list[tuple[Attempt, Attempt]], figure: Callable[[Attempt], float | None]) -> float | None:
    """Median over samples of the figure with the grammar minus without; None where no sample has both."""
    both = [(figure(before), figure(after)) for before, after in pairs]
    found = [after - before for before, after in both if before is not None and after is not None]
    return median(found) if found else None
