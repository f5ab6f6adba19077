"""From totals to the summary: every figure with its interval, null where nothing was measured."""

from collections.abc import Callable, Mapping, Sequence

from harness.config import RunConfig
from harness.measure import quantiles
from harness.records import Sample
from harness.records.manifest import Manifest
from harness.records.score import HUMAN, HUMAN_JUDGED, JUDGED
from harness.records.summary import (
    CategorySummary,
    FormatSummary,
    HumanAgreement,
    JudgeSummary,
    PartSummary,
    PassK,
    Quantiles,
    Rate,
    Summary,
)
from harness.runner.agents_unfit import agents_unfit
from harness.runner.spending import measured_joules, spending
from harness.runner.tally import Figure, Tally
from harness.runner.traffic import overflow_summary, overflow_text, traffic_summary
from harness.stats.judging import beside_people
from harness.stats.proportion import mean_interval
from harness.stats.trials import pass_at_k, pass_hat_k

__all__ = ["summarise", "unfit"]

_EVIDENT = 10
"""Replies without a readable call from which on a broken parser or template is likelier than chance."""


def summarise(
    tally: Tally, manifest: Manifest, config: RunConfig, n_planned: int, title: str,
    *, traffic: Mapping[str, float] | None = None, samples: Sequence[Sample] = (),
) -> Summary:  # fmt: skip
    """The summary of a run, finished or not. Intervals take trials of a sample and samples of a session together.

    traffic: calls that each category of the suite stands for. samples: what was planned, for what did not fit.
    """
    traffic = traffic or {}
    context = manifest.backend.context_tokens if manifest.backend else None
    overflow = overflow_summary(tally, samples, traffic, context)
    cost = spending(tally, manifest, config)
    weights = manifest.backend.weights if manifest.backend else None
    wall_s = manifest.wall_s or None
    rate = quantiles(tally.measured["decode_rate"])

    def seconds(figure: Figure) -> Quantiles | None:
        return quantiles(tally.measured[figure])

    return Summary(
        run=manifest.run,
        suite=manifest.suite,
        suite_hash=manifest.suite_hash,
        ceiling=manifest.ceiling,
        model=manifest.model,
        model_title=title,
        protocol=manifest.protocol,
        backend=manifest.backend.name if manifest.backend else config.backend.name,
        quantization=weights.quantization if weights else None,
        trials=config.run.trials,
        started_at=manifest.started_at,
        wall_s=wall_s,
        complete=tally.n_finished == n_planned,
        n_planned=n_planned,
        n_samples=len(tally.samples),
        n_scored=tally.n_scored,
        n_failed=tally.n_failed,
        n_unscored=tally.n_unscored,
        n_model_failures=tally.n_model_failures,
        n_not_run=n_planned - tally.n_finished,
        accuracy=tally.value_sum / tally.n_scored if tally.n_scored else None,
        accuracy_interval=mean_interval(*tally.samples.means()),
        traffic=traffic_summary(tally.samples, traffic),
        overflow=overflow,
        by_category={name: _category(tally, name, traffic) for name in tally.samples.categories},
        misses=dict(tally.misses.most_common()),
        failures=dict(tally.failures.most_common()),
        decisions=tally.decision_table(),
        trajectories=tally.trajectories.summary(manifest.ceiling),
        parts={name: _part(tally, name) for name in tally.parts.names},
        rates={name: Rate(passed=passed, of=of) for name, (passed, of) in tally.counts.items() if of},
        pass_at=pass_k(tally, pass_at_k),
        pass_hat=pass_k(tally, pass_hat_k),
        format=_format(tally),
        judging=_judging(tally),
        calls_per_task=tally.n_steps / tally.n_finished if tally.n_steps and tally.n_finished else None,
        task_s=seconds("task"),
        ttft_s=seconds("ttft"),
        ttft_content_s=seconds("ttft_content"),
        ttft_reasoning_s=seconds("ttft_reasoning"),
        ttft_tool_s=seconds("ttft_tool"),
        ttft_cold_s=seconds("ttft_cold"),
        ttft_warm_s=seconds("ttft_warm"),
        queue_s=seconds("queue"),
        tpot_s=seconds("tpot"),
        tpot_with_first_s=seconds("tpot_with_first"),
        e2e_s=seconds("e2e"),
        output_tokens_per_s=rate.p50 if rate else None,
        system_tokens_per_s=_system_rate(tally, wall_s),
        prompt_tokens=tally.prompt_tokens,
        cached_tokens=tally.cached_tokens,
        output_tokens=tally.output_tokens,
        cost_usd=cost.total,
        cost_usd_per_call=cost.per_call,
        cost_usd_per_sample=cost.per_sample,
        cost_usd_per_sample_interval=cost.per_sample_interval,
        cost_usd_per_success=cost.per_success,
        cost_usd_per_success_interval=cost.per_success_interval,
        judged_cost_usd_per_success=cost.judged_per_success,
        cost_basis=cost.basis,
        batch_cost_usd=tally.books.batch_usd(),
        recorded_cost=tally.books.told(),
        spent_usd=tally.books.spent(cost.total) if config.model.hosted else cost.total,
        n_cached=tally.books.n_cached,
        cached=tally.books.cached(),
        recorded=tally.books.recorded(),
        energy_joules=measured_joules(manifest.energy, manifest.wall_s),
        unfit=unfit(tally, manifest) or agents_unfit(tally.counts, _EVIDENT),
        of_run=manifest.of_run,
        warnings=(*manifest.warnings, *([overflow_text(overflow)] if overflow else [])),
    )


def _system_rate(tally: Tally, wall_s: float | None) -> float | None:
    """Output tokens a second of the run's time; None where some came from the cache and took none of it."""
    if tally.output_tokens is None or not wall_s or tally.books.n_cached:
        return None
    return tally.output_tokens / wall_s


def _category(tally: Tally, name: str, traffic: Mapping[str, float]) -> CategorySummary:
    means, sessions = tally.samples.means(name)
    total, scored = tally.samples.total(name)
    return CategorySummary(
        n_samples=len(means),
        n_scored=scored,
        accuracy=total / scored if scored else None,
        interval=mean_interval(means, sessions),
        traffic_frac=traffic[name] / sum(traffic.values()) if name in traffic else None,
    )


def _part(tally: Tally, name: str) -> PartSummary:
    means, positions = tally.parts.means(name)
    interval = mean_interval([min(1.0, one) for one in means], tally.samples.sessions_of(positions))
    return PartSummary(n_samples=len(means), mean=sum(means) / len(means), interval=interval)


def pass_k(tally: Tally, estimate: Callable[[int, int, int], float]) -> tuple[PassK, ...]:
    """An estimate for every k up to the trials that each scored sample has; nothing where any value is partial."""
    sums, counts, sessions = tally.samples.trials()
    if tally.samples.partial or min(counts, default=0) < 2:
        return ()
    found = []
    for k in range(1, min(counts) + 1):
        each = [estimate(n, int(passed), k) for passed, n in zip(sums, counts, strict=True)]
        interval = mean_interval(each, sessions)
        found.append(PassK(k=k, value=sum(each) / len(each), interval=interval, n_samples=len(each)))
    return tuple(found)


def _format(tally: Tally) -> FormatSummary | None:
    if not tally.n_scored or not tally.n_repairable:
        return None
    return FormatSummary(
        points_lost=max(0.0, tally.n_scored - tally.value_sum),
        points_repaired=tally.repaired,
        n_repaired=tally.n_repaired,
        points_lucky=tally.lucky,
    )


def unfit(tally: Tally, manifest: Manifest) -> str | None:
    """Why a run of single calls says nothing of its model, so that it is not ranked; None if nothing speaks against it.

    A template that drops the tools, or a parser that reads nothing, looks like a model that declines: it collects the
    points of the samples on which no call is right.
    """
    if manifest.tools_dropped:
        return "the chat template drops the tools: the model never saw them"
    table = tally.decision_table()
    if table is None or table.should_call_called:
        return None
    if not table.should_call_silent and not table.should_abstain_called and table.should_abstain_silent >= _EVIDENT:
        return (
            f"none of the {table.should_abstain_silent} samples wants a call and none was made: a model that can call "
            "and one whose calls nobody can read look alike here; add categories that want calls"
        )
    if table.should_call_silent < _EVIDENT:
        return None
    n, quiet, loud = table.should_call_silent, table.should_abstain_silent, table.should_abstain_called
    beside = f", and {quiet} of {quiet + loud} samples that want none pass" if quiet + loud else ""
    return (
        f"not one readable call in {n} replies to questions that want one{beside}: look at the raw replies, the chat "
        "template, the tool parser and model.protocol before believing that the model declines"
    )


def _judging(tally: Tally) -> JudgeSummary | None:
    sums = tally.judging
    if not sums.calls:
        return None
    agreement = Rate(passed=sums.n_agreed, of=sums.n_both_ways) if sums.n_both_ways else None
    return JudgeSummary(
        calls=sums.calls,
        seconds=sums.seconds,
        cost_usd=sums.cost_usd,
        agreement=agreement,
        human=_beside_people(tally),
    )


def _beside_people(tally: Tally) -> HumanAgreement | None:
    if not {JUDGED, HUMAN, HUMAN_JUDGED} <= set(tally.parts.names):
        return None
    (judged, places), (human, _), (too, _) = (tally.parts.means(name) for name in (JUDGED, HUMAN, HUMAN_JUDGED))
    return beside_people(human, too, judged, tied=bool(tally.samples.sessions_of(places)))
