"""Which policy is taken: all kinds are put to the test split, and of those that hold the one that saves most wins."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.config.route import RouteOptions
from harness.records.interval import Interval
from harness.records.route import CertifiedRecord, RungRecord
from harness.route.simulate import View, two_answers
from harness.stats.bounded import units_of
from harness.stats.certify import Certificate, TwoAnswers, certify, ladder, routed
from harness.stats.paired_units import more_units
from harness.stats.paired_verdict import compare

__all__ = ["Shown", "show"]

_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Shown:
    """What the test split says of a policy."""

    certified: CertifiedRecord | None
    why_not: str | None
    more: int | None
    """About how many calls more would show the safest threshold; None where that is not to be expected."""
    tuning: tuple[TwoAnswers, ...]
    testing: tuple[TwoAnswers, ...]


def show(tuning: Sequence[View], testing: Sequence[View], options: RouteOptions, alpha: float, split: str) -> Shown:
    """The certificate of a policy at this α, or why there is none. alpha: what is left of it to one kind of several."""
    chosen, tested = two_answers(tuning), two_answers(testing)
    found = certify(chosen, tested, margin=options.margin, alpha=alpha, steps=options.steps)
    if found is not None and found.covered > 0:
        return Shown(_record(found, len(chosen), split), None, None, tuple(chosen), tuple(tested))
    why, more = _why_not(chosen, tested, options, alpha)
    return Shown(None, why, more, tuple(chosen), tuple(tested))


def _record(found: Certificate, tuned_on: int, split: str) -> CertifiedRecord:
    return CertifiedRecord(
        margin=found.margin,
        alpha=found.alpha,
        threshold=found.threshold,
        coverage=Interval.model_validate(found.coverage.model_dump()),
        covered=found.covered,
        difference=found.difference,
        worst=found.worst,
        n=found.n,
        sessions=found.sessions,
        rungs=tuple(
            RungRecord(threshold=one.threshold, coverage=one.coverage, difference=one.difference, p=one.p)
            for one in found.rungs
        ),
        tuned_on=tuned_on,
        split=split,
    )


def _why_not(
    tuning: Sequence[TwoAnswers], testing: Sequence[TwoAnswers], options: RouteOptions, alpha: float
) -> tuple[str, int | None]:
    """The safest threshold as the test split sees it, in words, and what would decide it."""
    steps = ladder(tuning, options.margin, options.steps)
    if not steps:
        able = any(one.confidence > -float("inf") for one in tuning)
        if not able:
            return "no call of the tuning split may go to a small model: every answer has a sign against it", None
        return f"even the surest calls lose {100 * options.margin:g} points or more on the tuning split", None
    threshold = steps[0]
    weights = {one.id: one.weight for one in testing}
    found = compare(
        {one.id: [one.large] for one in testing},
        routed(testing, threshold),
        margin=options.margin,
        alpha=alpha,
        sessions={one.id: one.session for one in testing},
        weights=weights if len(set(weights.values())) > 1 else None,
    )
    moved = sum(one.weight for one in testing if one.confidence >= threshold) / sum(weights.values())
    if not moved:
        return f"no test call is as sure as the safest threshold, {threshold:.3g}", None
    words = (
        f"the safest threshold ({100 * moved:.0f} % of the calls) is not shown to lose less than "
        f"{100 * options.margin:g} points: {100 * found.difference:+.1f} points on {len(testing)} test calls, "
        f"p {found.verdict.p_noninferior:.2g}, needed {alpha:.2g}"
    ).replace("-", "−")
    units = units_of(
        [(one.small - one.large) if one.confidence >= threshold else 0.0 for one in testing],
        [one.session for one in testing],
        [one.weight for one in testing],
    )
    hopeful = found.difference > -options.margin  # else more calls would rather show the contrary
    more = found.verdict.more if hopeful else None
    if more is not None and found.weighted:
        more = more_units(units, options.margin, alpha, _POWER)
    return words, more
