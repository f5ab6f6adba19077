"""A certified threshold: calls surer than it may go to the small model without losing more than a margin.

Where a call is surer than the threshold the small model answers it, else the large one. Loss is what that costs against
the large model alone, over all calls. Chosen on one split, tested on another that the choice has not seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from harness.errors import DataError
from harness.records.summary import Interval
from harness.stats.bounded import limit, units_interval, units_of
from harness.stats.paired_verdict import compare

__all__ = ["Certificate", "Rung", "TwoAnswers", "certify", "ladder", "routed"]


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """One call that both models have answered."""

    id: str
    confidence: float
    """How sure the small model's answer looks, on any scale, higher is surer; −inf for one never to be passed on."""
    small: float
    """What its answer is worth, 0..1."""
    large: float
    session: str | None = None
    weight: float = 1.0
    """Calls of the traffic that it stands for."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A threshold as the test split sees it."""

    threshold: float
    coverage: float
    """Share of the calls that the small model answers."""
    difference: float
    """Mean value of what is answered minus that of the large model alone."""
    p: float
    """Of "the loss is the margin or more"."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The lowest threshold that was shown to hold."""

    threshold: float
    margin: float
    alpha: float
    coverage: Interval
    """Share of all calls that the small model answers: what new calls will have, 95 %."""
    covered: float
    """That share as seen on the test split."""
    difference: float
    worst: float
    """One-sided lower bound of the difference at 1 − alpha, of this threshold alone."""
    n: int
    sessions: int
    rungs: tuple[Rung, ...]
    """All that were tested, from the safest on; the last one is not shown to hold, if any is not."""


def routed(calls: Sequence[TwoAnswers], threshold: float) -> dict[str, list[float]]:
    """What each call is worth where the small model answers those that are at least as sure as the threshold.

    >>> calls = [TwoAnswers("a", 0.9, 1.0, 0.0), TwoAnswers("b", 0.2, 0.0, 1.0)]
    >>> routed(calls, 0.5)
    {'a': [1.0], 'b': [1.0]}
    """
    return {one.id: [one.small if one.confidence >= threshold else one.large] for one in calls}


def ladder(tuning: Sequence[TwoAnswers], margin: float, steps: int = 20) -> list[float]:
    """Thresholds to be tested, from the safest on: confidences that part the tuning split into shares of equal size.

    It ends where the tuning split itself loses the margin, since to test what lies beyond is in vain. It depends on the
    tuning split alone. margin: 0..1. Empty where nothing may be passed on. Raises DataError without calls.
    >>> calls = [TwoAnswers(str(n), n / 10, float(n > 4), 1.0) for n in range(10)]
    >>> ladder(calls, 0.15, steps=5)
    [0.8, 0.6, 0.4]
    """
    if not tuning:
        raise DataError("a threshold needs calls to choose it on, and there are none; give the tuning split some")
    ordered = sorted((one for one in tuning if one.confidence > -inf), key=lambda one: -one.confidence)
    weight = sum(one.weight for one in tuning)
    found: list[float] = []
    passed = lost = 0.0
    for place, one in enumerate(ordered):
        passed += one.weight
        lost += one.weight * (one.large - one.small)
        end = place + 1 == len(ordered)
        if not end and ordered[place + 1].confidence == one.confidence:
            continue  # equal confidences are passed on together
        if lost / weight >= margin:
            break
        if end or passed / weight >= (len(found) + 1) / steps - 1e-9:
            found.append(one.confidence)
    return found


def certify(
    tuning: Sequence[TwoAnswers],
    testing: Sequence[TwoAnswers],
    *,
    margin: float,
    alpha: float = 0.05,
    steps: int = 20,
) -> Certificate | None:
    """The lowest threshold that loses less than the margin, shown on calls that had no part in choosing it.

    The tuning split gives an order of thresholds, from the safest on; each is tested on the test split at alpha, and
    the first that is not shown to hold ends it (fixed sequence testing): the chance that the certified one loses the
    margin or more is at most alpha. p of independent calls that are right or wrong is exact, others' by session
    (`compare`). None where not even the safest is shown to hold: too few calls, or confidence that tells nothing.
    margin, alpha: 0..1. Source: Angelopoulos et al. 2021, arXiv:2110.01052 (learn then test).
    Raises DataError for a call or a session that is in both splits, or where one of them has none.
    """
    _apart(tuning, testing)
    rungs: list[Rung] = []
    for threshold in ladder(tuning, margin, steps):
        rungs.append(_rung(testing, threshold, margin, alpha))
        if rungs[-1].p > alpha:
            break
    held = [one for one in rungs if one.p <= alpha]
    return _certificate(testing, held[-1], tuple(rungs), margin, alpha) if held else None


def _apart(tuning: Sequence[TwoAnswers], testing: Sequence[TwoAnswers]) -> None:
    if not testing:
        raise DataError("a threshold needs calls to be certified on, and there are none; give the test split some")
    common = {one.id for one in tuning} & {one.id for one in testing}
    if common:
        raise DataError(f"{len(common)} calls are in both splits, {min(common)} among them: choose and certify apart")
    shared = {one.session for one in tuning if one.session} & {one.session for one in testing if one.session}
    if shared:
        raise DataError(f"session {min(shared)} is in both splits: part the calls by session")


def _rung(testing: Sequence[TwoAnswers], threshold: float, margin: float, alpha: float) -> Rung:
    found = compare(
        {one.id: [one.large] for one in testing},
        routed(testing, threshold),
        margin=margin,
        alpha=alpha,
        sessions={one.id: one.session for one in testing},
        weights=_weights(testing),
    )
    moved = sum(one.weight for one in testing if one.confidence >= threshold)
    return Rung(
        threshold=threshold,
        coverage=moved / sum(one.weight for one in testing),
        difference=found.difference,
        p=found.verdict.p_noninferior,
    )


def _certificate(
    testing: Sequence[TwoAnswers], rung: Rung, rungs: tuple[Rung, ...], margin: float, alpha: float
) -> Certificate:
    sessions = [one.session for one in testing]
    weights = [one.weight for one in testing]
    moved = [float(one.confidence >= rung.threshold) for one in testing]
    differences = [move * (one.small - one.large) for move, one in zip(moved, testing, strict=True)]
    units = units_of(differences, sessions, weights)
    return Certificate(
        threshold=rung.threshold,
        margin=margin,
        alpha=alpha,
        coverage=units_interval(units_of(moved, sessions, weights)),
        covered=rung.coverage,
        difference=rung.difference,
        worst=limit(units, alpha, low=-1.0, high=1.0),
        n=len(testing),
        sessions=len(units.sizes),
        rungs=rungs,
    )


def _weights(calls: Sequence[TwoAnswers]) -> Mapping[str, float] | None:
    first = calls[0].weight
    return None if all(one.weight == first for one in calls) else {one.id: one.weight for one in calls}
