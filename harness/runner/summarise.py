"""From totals to the summary: every figure with its interval, null where nothing was measured."""

from harness.config import RunConfig
from harness.cost import cost_basis, machine_usd_per_hour
from harness.measure import quantiles
from harness.records.manifest import Manifest
from harness.records.summary import CategorySummary, Quantiles, Summary
from harness.runner.tally import Figure, Tally
from harness.stats.proportion import mean_interval

__all__ = ["summarise"]


def summarise(tally: Tally, manifest: Manifest, config: RunConfig, n_planned: int, title: str) -> Summary:
    """The summary of a run, finished or not. Intervals take trials of a sample and samples of a session together."""
    cost = _cost_usd(tally, manifest, config)
    weights = manifest.backend.weights if manifest.backend else None
    wall_s = manifest.wall_s or None
    rate = quantiles(tally.measured["decode_rate"])

    def seconds(figure: Figure) -> Quantiles | None:
        return quantiles(tally.measured[figure])

    return Summary(
        run=manifest.run,
        suite=manifest.suite,
        suite_hash=manifest.suite_hash,
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
        n_model_failures=tally.n_model_failures,
        n_not_run=n_planned - tally.n_finished,
        accuracy=tally.value_sum / tally.n_scored if tally.n_scored else None,
        accuracy_interval=mean_interval(*tally.samples.means()),
        by_category={name: _category(tally, name) for name in tally.samples.categories},
        misses=dict(tally.misses.most_common()),
        failures=dict(tally.failures.most_common()),
        decisions=tally.decision_table(),
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
        system_tokens_per_s=tally.output_tokens / wall_s if tally.output_tokens is not None and wall_s else None,
        prompt_tokens=tally.prompt_tokens,
        cached_tokens=tally.cached_tokens,
        output_tokens=tally.output_tokens,
        cost_usd=cost,
        cost_usd_per_sample=cost / tally.n_finished if cost is not None and tally.n_finished else None,
        cost_usd_per_success=cost / tally.value_sum if cost is not None and tally.value_sum > 0 else None,
        cost_basis=cost_basis(config.model.price, config.hardware) if cost is not None else None,
        warnings=manifest.warnings,
    )


def _category(tally: Tally, name: str) -> CategorySummary:
    means, sessions = tally.samples.means(name)
    total, scored = tally.samples.total(name)
    return CategorySummary(
        n_samples=len(means),
        n_scored=scored,
        accuracy=total / scored if scored else None,
        interval=mean_interval(means, sessions),
    )


def _cost_usd(tally: Tally, manifest: Manifest, config: RunConfig) -> float | None:
    """Hosted: the sum over attempts, if each has a cost. Local: busy time × the machine's hour."""
    if config.model.price is not None:
        return tally.cost_usd if tally.uncosted == 0 else None
    hourly = machine_usd_per_hour(config.hardware)
    if config.model.hosted or hourly is None or not manifest.wall_s:
        return None
    return manifest.wall_s / 3600 * hourly
