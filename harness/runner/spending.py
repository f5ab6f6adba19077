"""What a run cost: by call, sample and success, each with its interval, and from which prices or hours."""

from dataclasses import dataclass

from harness.config import RunConfig
from harness.cost import cost_basis, machine_usd
from harness.records.manifest import EnergyFacts, Manifest
from harness.records.summary import CostInterval
from harness.runner.tally import Tally
from harness.stats.proportion import mean_interval
from harness.stats.spending import mean_cost_interval, per_success_interval, split_level

__all__ = ["Spending", "measured_joules", "spending"]

_WHOLE_FRAC = 0.95
"""Share of the busy time that the energy must have been measured for, to stand for all of it."""


@dataclass(frozen=True, slots=True)
class Spending:
    """USD; None where it is not known."""

    total: float | None = None
    per_call: float | None = None
    per_sample: float | None = None
    per_sample_interval: CostInterval | None = None
    per_success: float | None = None
    per_success_interval: CostInterval | None = None
    judged_per_success: float | None = None
    basis: str | None = None


def spending(tally: Tally, manifest: Manifest, config: RunConfig) -> Spending:
    """Hosted: the sum over attempts, if each answer has a cost. Local: busy time × the machine's hour, and its energy.

    Hosted attempts that failed without a cost are in no sum and no mean: what a refused or broken call costs, if
    anything, is told to nobody. The basis says how many they are.
    """
    joules = measured_joules(manifest.energy, manifest.wall_s)
    total = _total(tally, manifest, config, joules)
    if total is None or not tally.n_finished:
        return Spending(total=total)
    by_attempt = _by_attempt(config)
    n_costed = tally.n_finished - (tally.untold if by_attempt else 0)
    per_sample = total / n_costed
    success = total / tally.value_sum if tally.value_sum > 0 else None
    judge = tally.judging.cost_usd
    return Spending(
        total=total,
        per_call=total / (tally.n_steps or n_costed),
        per_sample=per_sample,
        per_sample_interval=_sample_interval(tally, per_sample, 0.95),
        per_success=success,
        per_success_interval=_success_interval(tally, total),
        judged_per_success=None if judge is None or success is None else (total + judge) / tally.value_sum,
        basis=_basis(config, joules, tally.untold if by_attempt else 0),
    )


def measured_joules(energy: EnergyFacts | None, wall_s: float) -> float | None:
    """Energy of the busy time; None unless it was measured for nearly all of it (a killed sitting's is lost)."""
    if energy is None or energy.joules is None or energy.seconds < _WHOLE_FRAC * wall_s:
        return None
    return energy.joules


def _total(tally: Tally, manifest: Manifest, config: RunConfig, joules: float | None) -> float | None:
    if _by_attempt(config):
        return tally.cost_usd if tally.uncosted == 0 else None
    if not manifest.wall_s or tally.books.n_cached:  # what came from the cache took no time of the machine's
        return None
    return machine_usd(config.hardware, manifest.wall_s, joules)


def _by_attempt(config: RunConfig) -> bool:
    """Whether each attempt is paid for; without a price of the run's, each answer may have one."""
    return config.model.price is not None or config.model.hosted


def _basis(config: RunConfig, joules: float | None, untold: int) -> str | None:
    found = cost_basis(config.model.price, config.hardware, joules)
    if config.model.hosted and config.model.price is None:
        found = "each answer at the list price of its own model, from the price map of litellm"
    left_out = f"; without {untold:,} that failed, whose cost nobody tells" if untold else ""
    return found and found + left_out


def _sample_interval(tally: Tally, mean: float, level: float) -> CostInterval | None:
    """Of the mean cost, from each sample's own: its price, or its share of the busy time, taken so that they sum up."""
    spent, sessions = tally.samples.spent()
    whole = sum(spent)
    if not whole:
        return None
    scale = mean * len(spent) / whole
    return mean_cost_interval([one * scale for one in spent], sessions, level)


def _success_interval(tally: Tally, total: float) -> CostInterval | None:
    accuracy = mean_interval(*tally.samples.means(), level=split_level())
    if accuracy is None:
        return None
    mean = total / tally.n_scored
    return per_success_interval(mean, _sample_interval(tally, mean, split_level()), accuracy)
