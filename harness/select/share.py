"""What part of the traffic can move: in calls, tokens, USD and seconds, each with what is shown and what is open."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from harness.records.decision import Assessment, Claim, Decision, Share
from harness.records.summary import Interval
from harness.select.lane import Lane, Question
from harness.select.verdicts import mean_of
from harness.stats.bounded import units_interval, units_of

__all__ = ["claims_of", "shares_of"]

_Unit = Literal["calls", "tokens", "usd", "seconds"]
_FIELDS: Final[tuple[tuple[_Unit, str | None], ...]] = (
    ("calls", None),
    ("tokens", "tokens"),
    ("usd", "cost_usd"),
    ("seconds", "e2e_s"),
)


def shares_of(
    asked: Sequence[Question], decisions: Sequence[Decision], refuted: frozenset[str], base: Lane, level: float = 0.95
) -> tuple[Share, ...]:
    """The replaceable share in each currency, as the baseline spent it.

    The interval goes from what is shown to move to what is not shown to stay. Both ends hold with the verdicts' own α;
    how far the sampled sessions stand for the traffic is in it besides, at `level` (`units_interval`, by session).
    """
    chosen = {one.cluster: found for one in decisions if (found := _chosen(one)) is not None}
    return tuple(_share(unit, name, asked, chosen, refuted, base, level) for unit, name in _FIELDS)


def _chosen(one: Decision) -> Assessment | None:
    """The assessment that a decision to move rests on."""
    if one.verdict not in {"replace", "hybrid"}:
        return None
    mode = "direct" if one.verdict == "replace" else "hybrid"
    return next(found for found in one.evidence if found.variant == one.variant and found.mode == mode)


def _share(
    unit: _Unit, name: str | None, asked: Sequence[Question], chosen: Mapping[str, Assessment],
    refuted: frozenset[str], base: Lane, level: float,
) -> Share:  # fmt: skip
    spent = [
        (one, value * one.weight)
        for one in asked
        if (value := 1.0 if name is None else mean_of(base, one.id, name)) is not None
    ]
    kept, worth = [one for one, value in spent if value > 0], [value for _, value in spent if value > 0]
    if not kept:
        return Share(unit=unit)
    alone = [float(one.cluster in chosen and chosen[one.cluster].mode == "direct") for one in kept]
    shown = [_answered(chosen.get(one.cluster)) for one in kept]
    possible = [float(one.cluster not in refuted) for one in kept]
    sessions = [one.session for one in kept]
    low = units_interval(units_of(alone, sessions, worth), level=level)
    high = units_interval(units_of(possible, sessions, worth), level=level)
    return Share(
        unit=unit,
        replace=_mean(alone, worth),
        with_hybrid=_mean(shown, worth),
        not_refuted=_mean(possible, worth),
        interval=Interval(low=low.low, high=high.high, level=level, method=f"verdicts' own α, then {low.method}"),
        saved=_saved(unit, spent, chosen),
    )


def _mean(values: Sequence[float], worth: Sequence[float]) -> float:
    return min(1.0, sum(value * part for value, part in zip(values, worth, strict=True)) / sum(worth))


def _answered(found: Assessment | None) -> float:
    """Share of a cluster's calls that the chosen variant answers itself."""
    return 0.0 if found is None else 1 - (found.escalated or 0.0)


def _saved(
    unit: _Unit, spent: Sequence[tuple[Question, float]], chosen: Mapping[str, Assessment]
) -> float | None:  # fmt: skip
    """Net share saved: what the baseline spends in the clusters that move less what is spent there then."""
    if unit not in {"usd", "seconds"}:
        return None
    after = 0.0
    for one, part in spent:
        found = chosen.get(one.cluster)
        if found is None:
            after += part
            continue
        each = found.cost_usd_per_call if unit == "usd" else found.e2e_mean_s
        if each is None:
            return None
        after += each * one.weight
    return 1 - after / sum(part for _, part in spent)


_AUTHORS: Final = "Belcak et al. 2025, arXiv:2506.02153"
_CLAIMS: Final[tuple[tuple[str, str, float, float], ...]] = (
    ("MetaGPT: calls that a small model can take", f"{_AUTHORS}, appendix B", 0.6, 0.6),
    ("Open Operator: calls that a small model can take", f"{_AUTHORS}, appendix B", 0.4, 0.4),
    ("Cradle: calls that a small model can take", f"{_AUTHORS}, appendix B", 0.7, 0.7),
    ("subtasks of agents that a small model can take", "often said, without a measurement that we know of", 0.8, 0.9),
)


def claims_of(shares: Sequence[Share], decisions: Sequence[Decision]) -> tuple[Claim, ...]:
    """What others estimate without having measured it, beside the nearest figure measured here.

    Theirs are of other agents: they say what is expected, not what is true of this traffic.
    """
    calls = next((one for one in shares if one.unit == "calls"), None)
    measured = calls.with_hybrid if calls else None
    made = [
        Claim(text=text, source=source, low=low, high=high, unit="share", measured=measured)
        for text, source, low, high in _CLAIMS
    ]
    ratio = _times_cheaper(decisions)
    words = "how much cheaper a small model serves (7 billion parameters against 70 to 175)"
    claim = Claim(text=words, source=f"{_AUTHORS}, section 3.2", low=10, high=30, unit="times cheaper", measured=ratio)
    return (*made, claim)


def _times_cheaper(decisions: Sequence[Decision]) -> float | None:
    """Cost of the calls that move with the baseline, over their cost after; None where one of both is not known."""
    before = after = 0.0
    for one in decisions:
        found = _chosen(one)
        if found is None:
            continue
        if one.traffic.usd is None or found.cost_usd_per_call is None:
            return None
        before += one.traffic.usd
        after += found.cost_usd_per_call * one.traffic.calls
    return before / after if after > 0 else None
