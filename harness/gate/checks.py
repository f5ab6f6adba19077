"""Each limit of a policy put to two runs: what was seen, and how sure it is that the limit is held or is not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log

from harness.config import GateClusters, GateRate, GateSize, GateTime
from harness.gate.side import Side
from harness.gate.words import RULES, pair_words, share_words, size_words, time_words
from harness.records.gate import CheckKind, CheckStatus, GateCheck, Outcome, Tier
from harness.records.interval import Interval
from harness.records.paired import Span
from harness.stats.bounded import Units, units_interval, units_of, units_p
from harness.stats.latency import latency_ratio
from harness.stats.means import Signs, signs_of
from harness.stats.paired_units import more_units
from harness.stats.paired_verdict import compare
from harness.stats.spending import cost_ratio

__all__ = [
    "LATE",
    "Column",
    "Two",
    "by_traffic",
    "rate_checks",
    "reading",
    "size_checks",
    "time_checks",
    "two_of",
    "within_check",
]

LATE = 0.05
"""Share of calls that may be later than a limit on the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of the samples, by sample and trial, on one side."""

    values: Mapping[str, Sequence[float]]

    def mean(self, sample: str) -> float:
        """Over the trials of a sample."""
        found = self.values[sample]
        return sum(found) / len(found)


def _column(side: Side, read: Callable[[Outcome], float | None]) -> Column:
    """A figure of the attempts, where there is one."""
    found: dict[str, list[float]] = {}
    for one in side.outcomes:
        value = read(one)
        if value is not None:
            found.setdefault(one.sample, []).append(value)
    return Column(found)


@dataclass(frozen=True, slots=True)
class Two:
    """Both sides of a figure on the samples that both have."""

    base: Column
    candidate: Column
    shared: tuple[str, ...]
    sessions: Mapping[str, str | None]
    about: int
    """Attempts of either side that the figure is about, whether they have it or not."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Logged calls that each sample stands for; empty where each counts once."""

    def worth(self, samples: Sequence[str]) -> list[float]:
        """Weight of each of these samples; empty where they all count the same."""
        found = [self.weights.get(one, 1.0) for one in samples]
        return found if len(set(found)) > 1 else []

    @property
    def labels(self) -> list[str | None]:
        """Session of each shared sample."""
        return [self.sessions.get(one) for one in self.shared]

    @property
    def before(self) -> list[float]:
        """The baseline's means."""
        return [self.base.mean(one) for one in self.shared]

    @property
    def after(self) -> list[float]:
        """The candidate's means."""
        return [self.candidate.mean(one) for one in self.shared]


def two_of(
    baseline: Side, candidate: Side, read: Callable[[Outcome], float | None],
    about: Callable[[Outcome], float | None] | None = None,
) -> Two:  # fmt: skip
    """A figure on both sides; sessions are the candidate's. about: has a value for attempts that should have it."""
    base, new = _column(baseline, read), _column(candidate, read)
    shared = tuple(sorted(base.values.keys() & new.values.keys()))
    asked = about or read
    count = sum(asked(one) is not None for side in (baseline, candidate) for one in side.outcomes)
    return Two(base, new, shared, {one.sample: one.session for one in candidate.outcomes}, count)


def reading(field: str, *, wants: bool | None = None, timed: bool = False) -> Callable[[Outcome], float | None]:
    """Reads a figure of attempts with a value: of those that want (no) call, or of those timed in their own run."""

    def read(one: Outcome) -> float | None:
        unjudged = one.value is None and not (timed and one.timed_only)
        left_out = unjudged or (wants is not None and one.wants_call is not wants)
        if left_out or (timed and one.origin != "measured"):
            return None
        found = getattr(one, field)
        return None if found is None else float(found)

    return read


def by_traffic(two: Two, candidate: Side) -> Two | None:
    """The figure with each sample counted for the calls that it stands for; None where all stand for as many.

    Weights are the candidate's: both sides have the same samples.
    """
    weighted = replace(two, weights={one.sample: one.weight for one in candidate.outcomes})
    return weighted if weighted.worth([*weighted.shared, *weighted.candidate.values]) else None


def _check(
    name: str, kind: CheckKind, tier: Tier, limit: float, status: CheckStatus = "inconclusive", why: str = ""
) -> GateCheck:  # fmt: skip
    return GateCheck(
        name=name, kind=kind, tier=tier, status=status, limit=limit, rule=RULES[kind](name, limit), why=why
    )


def _missing(check: GateCheck, two: Two) -> GateCheck:
    """The check where no sample has the figure on both sides."""
    if not two.about:
        return check.model_copy(update={"status": "no_samples", "why": "no sample of the suite is about it"})
    return _not_known(check, two)


def _not_known(check: GateCheck, two: Two) -> GateCheck:
    """The check where every call should have the figure, and too few tell it."""
    base, candidate = two.base.values, two.candidate.values
    if not base or not candidate:
        whose = "candidate" if base else "baseline" if candidate else "either run"
        which = whose if whose == "either run" else f"the {whose}"
        return check.model_copy(update={"status": "not_judged", "why": f"not known of {which}"})
    return check.model_copy(update={"status": "not_judged", "why": "no sample has it on both sides"})


def _sessions(units: Units) -> int | None:
    return len(units.sizes) if len(units.sizes) < units.samples else None


def rate_checks(name: str, two: Two, limits: GateRate | GateClusters, alpha: float) -> list[GateCheck]:
    """Margin, share kept and least share of good answers, as far as they are set."""
    found = []
    if limits.margin is not None:
        found.append(_margin(_check(name, "margin", limits.tier, limits.margin), two, alpha))
    if limits.keep is not None:
        found.append(_keep(_check(name, "keep", limits.tier, limits.keep), two, alpha))
    if limits.least is not None:
        found.append(_least(_check(name, "least", limits.tier, limits.least), two, alpha))
    return found


def _margin(check: GateCheck, two: Two, alpha: float) -> GateCheck:
    if not two.shared or check.limit is None:
        return _missing(check, two)
    before, after = ({one: side.values[one] for one in two.shared} for side in (two.base, two.candidate))
    found = compare(
        before, after, margin=check.limit, alpha=alpha, sessions=dict(two.sessions), weights=dict(two.weights)
    )
    old, new = (_mean(values, two.worth(two.shared)) for values in (two.before, two.after))
    return check.model_copy(
        update={
            "n": found.n,
            "sessions": found.sessions,
            "baseline": old,
            "candidate": new,
            "estimate": found.difference,
            "interval": found.interval,
            "p": found.verdict.p_noninferior,
            "p_failing": found.verdict.p_inferior,
            "gained": found.gained,
            "lost": found.lost,
            "more": found.verdict.more,
            "why": pair_words(found),
        }
    )


def _mean(values: Sequence[float], worth: Sequence[float]) -> float:
    """Mean of values, by their weights where there are some."""
    if not worth:
        return sum(values) / len(values)
    return sum(value * each for value, each in zip(values, worth, strict=True)) / sum(worth)


def _keep(check: GateCheck, two: Two, alpha: float) -> GateCheck:
    """By the mean of candidate − share × baseline, which must not lie below 0 (Gaffke's bound, by session)."""
    if not two.shared or check.limit is None:
        return _missing(check, two)
    part, labels, worth = check.limit, two.labels, two.worth(two.shared)
    before, after = two.before, two.after
    units = units_of([new - part * old for old, new in zip(before, after, strict=True)], labels, worth)
    p, failing = (units_p(units, 0.0, low=-part, high=1.0, greater=side) for side in (True, False))
    away = units_of([new - part * old - (1 - part) for old, new in zip(before, after, strict=True)], labels, worth)
    old, new = _mean(before, worth), _mean(after, worth)
    return check.model_copy(
        update={
            "n": len(two.shared),
            "sessions": _sessions(units),
            "baseline": old,
            "candidate": new,
            "estimate": units.mean,
            "interval": units_interval(units, low=-part, high=1.0),
            "p": p,
            "p_failing": failing,
            "more": more_units(away, 1 - part, alpha) if min(p, failing) > alpha else None,
            "why": f"{share_words(new)} after {share_words(old)}, on {len(two.shared)} samples",
        }
    )


def _least(check: GateCheck, two: Two, alpha: float) -> GateCheck:
    """Of the candidate alone, on all samples that it has (Gaffke's bound, by session)."""
    if not two.candidate.values or check.limit is None:
        return _missing(check, two)
    samples = sorted(two.candidate.values)
    values, labels = [two.candidate.mean(one) for one in samples], [two.sessions.get(one) for one in samples]
    worth = two.worth(samples)
    units = units_of(values, labels, worth)
    p, failing = (units_p(units, check.limit, greater=side) for side in (True, False))
    away = units_of([value - 1 for value in values], labels, worth)
    interval = units_interval(units)
    return check.model_copy(
        update={
            "n": len(samples),
            "sessions": _sessions(units),
            "candidate": units.mean,
            "estimate": units.mean,
            "interval": interval,
            "p": p,
            "p_failing": failing,
            "more": more_units(away, 1 - check.limit, alpha) if min(p, failing) > alpha else None,
            "why": f"{share_words(units.mean)} ({share_words(interval.low)} … {share_words(interval.high)}) "
            f"of {len(samples)}",
        }
    )


def size_checks(name: str, two: Two, limits: GateSize, alpha: float) -> list[GateCheck]:
    """Mean of a call against the baseline's and against a fixed limit: USD, or tokens."""
    found = []
    if limits.ratio is not None:
        check = _check(name, "ratio", limits.tier, limits.ratio)
        found.append(_size_ratio(check, two, limits.ratio, alpha) if two.shared else _not_known(check, two))
    if limits.most is not None:
        check = _check(name, "most", limits.tier, limits.most)
        found.append(_most(check, two, limits.most, alpha) if two.candidate.values else _not_known(check, two))
    return found


def _size_ratio(check: GateCheck, two: Two, limit: float, alpha: float) -> GateCheck:
    before, after, labels = two.before, two.after, two.labels
    if sum(before) <= 0:
        why = "the baseline's calls come to 0: nothing is a multiple of that"
        return check.model_copy(update={"status": "not_judged", "why": why})
    signs = signs_of([new - limit * old for old, new in zip(before, after, strict=True)], labels, alpha)
    ratio = sum(after) / sum(before)
    update = _signed(signs, ratio, cost_ratio(before, after, sessions=labels), len(before))
    old, new = sum(before) / len(before), sum(after) / len(after)
    why = f"{size_words(check.name, new)} after {size_words(check.name, old)} a call: {ratio:.3g} times"
    return check.model_copy(update={**update, "baseline": old, "candidate": new, "why": why})


def _most(check: GateCheck, two: Two, limit: float, alpha: float) -> GateCheck:
    samples = sorted(two.candidate.values)
    values = [two.candidate.mean(one) for one in samples]
    signs = signs_of([value - limit for value in values], [two.sessions.get(one) for one in samples], alpha)
    mean = sum(values) / len(values)
    update = _signed(signs, mean, None, len(values))
    return check.model_copy(update={**update, "candidate": mean, "why": f"{size_words(check.name, mean)} a call"})


def _signed(signs: Signs, estimate: float, span: Span | None, n: int) -> dict[str, object]:
    interval = None
    if span is not None and span.low is not None and span.high is not None and span.low < span.high:
        interval = Interval(low=span.low, high=span.high, level=span.level, method=span.method)
    return {
        "n": n,
        "estimate": estimate,
        "interval": interval,
        "p": signs.p_below,
        "p_failing": signs.p_above,
        "more": signs.more,
    }


def time_checks(name: str, two: Two, limits: GateTime, tier: Tier | None, why: str, alpha: float) -> list[GateCheck]:
    """Ratio of times to the baseline's, pair by pair. tier: None where times of the two do not compare, for `why`."""
    if limits.ratio is None:
        return []
    check = _check(name, "ratio", tier or limits.tier, limits.ratio)
    if not two.shared:
        return [_not_known(check, two)]
    if tier is None:
        return [check.model_copy(update={"status": "not_judged", "why": f"times are not judged: {why}"})]
    return [_time_ratio(check, two, limits.ratio, alpha)]


def _time_ratio(check: GateCheck, two: Two, limit: float, alpha: float) -> GateCheck:
    """By the logarithms of the ratios: their mean against that of the limit."""
    pairs = [
        (old, new, label) for old, new, label in zip(two.before, two.after, two.labels, strict=True) if old > 0 < new
    ]
    if not pairs:
        return check.model_copy(update={"status": "not_judged", "why": "no time above 0 on both sides"})
    before, after = [old for old, _, _ in pairs], [new for _, new, _ in pairs]
    labels = [label for _, _, label in pairs]
    logs = [log(new / old) for old, new, _ in pairs]
    signs = signs_of([one - log(limit) for one in logs], labels, alpha)
    ratio = exp(sum(logs) / len(logs))
    span = latency_ratio(before, after, sessions=labels)
    old, new = (exp(sum(log(one) for one in side) / len(side)) for side in (before, after))
    return check.model_copy(
        update={
            **_signed(signs, ratio, span, len(pairs)),
            "baseline": old,
            "candidate": new,
            "why": f"{time_words(new)} after {time_words(old)}, the geometric means of {len(pairs)}: {ratio:.3g} times",
        }
    )


def within_check(name: str, two: Two, limits: GateTime) -> list[GateCheck]:
    """Whether at most 5 % of the candidate's calls are later than the limit: the 95th percentile is within it."""
    limit = limits.p95_s
    if limit is None:
        return []
    check = _check(name, "within", limits.tier, limit)
    values = two.candidate.values
    if not values:
        return [check.model_copy(update={"status": "not_judged", "why": "no such time was measured"})]
    samples = sorted(values)
    late = [sum(took > limit for took in values[one]) / len(values[one]) for one in samples]
    units = units_of(late, [two.sessions.get(one) for one in samples])
    p, failing = units_p(units, LATE, greater=False), units_p(units, LATE, greater=True)
    return [
        check.model_copy(
            update={
                "n": len(samples),
                "sessions": _sessions(units),
                "candidate": units.mean,
                "estimate": units.mean,
                "interval": units_interval(units),
                "p": p,
                "p_failing": failing,
                "why": f"{100 * units.mean:.3g} % of {len(samples)} calls are later than {limit:g} s, 5 % may be",
            }
        )
    ]
