"""Each criterion of a variant in a cluster: its numbers, and how sure it is that it holds or does not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log, sqrt

from harness.config import StatsConfig
from harness.records.decision import Criterion, CriterionName, Status
from harness.records.paired import PairedComparison, Span
from harness.records.summary import Interval
from harness.select.lane import Answer, Lane, Question
from harness.stats.bounded import units_interval, units_of, units_p
from harness.stats.means import Signs, signs_of
from harness.stats.paired import Pairs
from harness.stats.paired_units import more_units
from harness.stats.paired_verdict import NoExactVerdict, compare, more_pairs
from harness.stats.spending import cost_ratio

__all__ = ["LATE", "Bar", "criteria_of"]

LATE = 0.05
"""Share of calls that may be later than a limit on the 95th percentile."""

_MOST = 1_000_000
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Bar:
    """What a criterion is judged by."""

    stats: StatsConfig
    alpha_more: float
    """Level that "need n more" is computed for: with the correction for multiplicity, at its strictest."""


def criteria_of(asked: Sequence[Question], lane: Lane, base: Lane, bar: Bar) -> tuple[Criterion, ...]:
    """All criteria of a variant on the samples of a cluster, in the order of `CriterionName`."""
    stats = bar.stats
    silent = [one for one in asked if one.wants_call is False]
    wanted = [one for one in asked if one.wants_call is True]
    return (
        _paired("accuracy", asked, lane, base, lambda one: one.value, stats.accuracy, bar),
        _paired("wrong_calls", silent, lane, base, lambda one: one.decision, stats.wrong_calls, bar),
        _paired("missed_calls", wanted, lane, base, lambda one: one.decision, stats.missed_calls, bar),
        _paired("schema", asked, lane, base, lambda one: one.formed, stats.compliance, bar),
        _in_time("ttft", asked, lane, lambda one: one.ttft_s, stats.ttft_p95_s, bar),
        _in_time("e2e", asked, lane, lambda one: one.e2e_s, stats.e2e_p95_s, bar),
        _cost(asked, lane, base, bar),
    )


_Read = Callable[[Answer], float | None]


def _means(asked: Sequence[Question], lane: Lane, read: _Read) -> dict[str, float]:
    """Mean over a sample's answers, for samples that have one."""
    found = {}
    for one in asked:
        values = [value for answer in lane.answers.get(one.id, ()) if (value := read(answer)) is not None]
        if values:
            found[one.id] = sum(values) / len(values)
    return found


def _paired(
    name: CriterionName, asked: Sequence[Question], lane: Lane, base: Lane, read: _Read, margin: float, bar: Bar
) -> Criterion:
    """Whether the share of good answers is less than the margin below the baseline's, sample by sample."""
    first, second = _means(asked, base, read), _means(asked, lane, read)
    shared = first.keys() & second.keys()
    if not shared:
        none = "no sample that both have scored" if name == "accuracy" else "no such samples"
        return Criterion(name=name, status="need_more" if name == "accuracy" else "not_set", limit=margin, why=none)
    sessions = {one.id: one.session for one in asked}
    try:
        found = compare(
            {one: [first[one]] for one in shared},
            {one: [second[one]] for one in shared},
            margin=margin,
            alpha=bar.alpha_more,
            sessions=sessions,
            weights={one.id: one.weight for one in asked},
        )
    except NoExactVerdict as reason:
        return Criterion(name=name, status="need_more", limit=margin, n=len(shared), why=str(reason))
    p, failing = found.verdict.p_noninferior, found.verdict.p_inferior
    status = _status(p, failing, bar.stats.alpha)
    return Criterion(
        name=name,
        status=status,
        limit=margin,
        n=found.n,
        estimate=found.difference,
        interval=found.interval,
        p=p,
        p_failing=failing,
        more=None if p <= bar.alpha_more or failing <= bar.alpha_more else _more(found, first, second, asked, bar),
        pair=found,
        why=_pair_words(found),
    )


def _more(
    found: PairedComparison, first: Mapping[str, float], second: Mapping[str, float], asked: Sequence[Question],
    bar: Bar,
) -> int | None:  # fmt: skip
    """About how many samples more decide it at the power that is asked for."""
    margin = found.verdict.margin
    if found.sessions is None and found.outcome == "right or wrong" and not found.weighted:
        return more_pairs(Pairs(found.n, found.gained, found.lost), margin, bar.alpha_more, bar.stats.power)
    shared = [one for one in asked if one.id in first and one.id in second]
    units = units_of(
        [second[one.id] - first[one.id] for one in shared],
        [one.session for one in shared],
        [one.weight for one in shared],
    )
    return more_units(units, margin, bar.alpha_more, bar.stats.power)


def _pair_words(found: PairedComparison) -> str:
    seen, low, high = (
        f"{100 * share:+.1f}".replace("-", "−") for share in (found.difference, found.interval.low, found.interval.high)
    )
    sessions = f" in {found.sessions} sessions" if found.sessions is not None else ""
    calls = ", by their calls" if found.weighted else ""
    return (
        f"{found.lost} lost and {found.gained} gained of {found.n}{sessions}{calls}: {seen} points ({low} … {high}), "
        f"margin {100 * found.verdict.margin:g}"
    )


def _status(p: float, failing: float, alpha: float) -> Status:
    return "pass" if p <= alpha else "fail" if failing <= alpha else "need_more"


def _in_time(
    name: CriterionName, asked: Sequence[Question], lane: Lane, read: _Read, limit: float | None, bar: Bar
) -> Criterion:
    """Whether at most 5 % of the calls are later than the limit, so that the 95th percentile is within it.

    A call without a time is late for what is to be shown, and in time for what would show the contrary.
    """
    if limit is None:
        return Criterion(name=name, status="not_set")
    late, surely, untimed = [], [], 0
    answered = [one for one in asked if lane.answers.get(one.id)]
    for one in answered:
        times = [read(answer) for answer in lane.answers[one.id]]
        late.append(sum(value is None or value > limit for value in times) / len(times))
        surely.append(sum(value is not None and value > limit for value in times) / len(times))
        untimed += None in times
    if all(read(answer) is None for answer in lane.of(one.id for one in answered)):
        return Criterion(name=name, status="unknown", limit=limit, why="no such time was measured")
    sessions, weights = [one.session for one in answered], [one.weight for one in answered]
    units = units_of(late, sessions, weights)
    p = units_p(units, LATE, greater=False)
    failing = units_p(units_of(surely, sessions, weights), LATE, greater=True)
    status = _status(p, failing, bar.stats.alpha)
    share = units.mean
    without = f" or without a time ({untimed})" if untimed else ""
    return Criterion(
        name=name,
        status=status,
        limit=limit,
        n=len(late),
        estimate=share,
        interval=units_interval(units),
        p=p,
        p_failing=failing,
        more=_more_late(share, len(late), bar) if p > bar.alpha_more and status != "fail" else None,
        why=f"{100 * share:.3g} % of {len(late)} calls are later than {limit:g} s{without}, 5 % may be",
    )


def _more_late(share: float, n: int, bar: Bar) -> int | None:
    """About how many calls more show that at most 5 % are late, or that more are, if the share is as seen.

    ((z_α √(q(1 − q)) + z_β √(s(1 − s))) / (q − s))², q = 5 % and s the share seen, at least log α / log(1 − q): the
    normal law's for one proportion, and what it takes without a single late call.
    """
    from scipy.special import ndtri

    away = LATE - share
    if abs(away) < 1e-9:
        return None
    reach = -float(ndtri(bar.alpha_more)) * sqrt(LATE * (1 - LATE)) + float(ndtri(bar.stats.power)) * sqrt(
        share * (1 - share)
    )
    needed = (reach / away) ** 2
    if away > 0:
        needed = max(needed, log(bar.alpha_more) / log(1 - LATE))
    return max(1, ceil(needed) - n) if needed <= _MOST else None


def _cost(asked: Sequence[Question], lane: Lane, base: Lane, bar: Bar) -> Criterion:
    """Whether a call costs at most so many times the baseline's, by the mean over the samples that both have.

    Beside a baseline that costs nothing there is no ratio: what costs something costs more.
    """
    limit = bar.stats.cost_ratio
    if limit is None:
        return Criterion(name="cost", status="not_set")
    first, second = (_means(asked, one, lambda answer: answer.cost_usd) for one in (base, lane))
    shared = [one for one in asked if one.id in first and one.id in second]
    if not shared:
        whose = "the variant's" if first else "the baseline's"
        return Criterion(name="cost", status="unknown", limit=limit, why=f"{whose} cost is not known")
    before = [first[one.id] * one.weight for one in shared]
    after = [second[one.id] * one.weight for one in shared]
    labels = [one.session for one in shared]
    over = _excess(before, after, limit, labels, bar.stats.alpha)
    ratio = sum(after) / sum(before) if sum(before) > 0 else None
    status = _status(over.p_below, over.p_above, bar.stats.alpha)
    each = sum(after) / sum(one.weight for one in shared)
    if ratio is None:
        why = f"a call costs {f'USD {each:.3g}' if each else 'nothing'}, the baseline's nothing, by {len(shared)} calls"
    else:
        why = f"a call costs {ratio:.3g} times the baseline's, by {len(shared)} calls"
    return Criterion(
        name="cost",
        status=status,
        limit=limit,
        n=len(shared),
        estimate=ratio,
        interval=None if ratio is None else _ratio_interval(cost_ratio(before, after, sessions=labels)),
        p=over.p_below,
        p_failing=over.p_above,
        why=why,
    )


def _ratio_interval(span: Span | None) -> Interval | None:
    """None where so few calls, or calls that all cost the same share, bound it on no side."""
    if span is None or span.low is None or span.high is None or span.low >= span.high:
        return None
    return Interval(low=span.low, high=span.high, level=span.level, method=span.method)


def _excess(
    before: Sequence[float], after: Sequence[float], limit: float, sessions: Sequence[str | None], alpha: float
) -> Signs:
    """Of after − limit × before. What is equal but for rounding is equal, and within the limit."""
    over = [new - limit * old for old, new in zip(before, after, strict=True)]
    scale = max(max(new, limit * old) for old, new in zip(before, after, strict=True))
    return signs_of([one if abs(one) > _ROUNDING * scale else 0.0 for one in over], sessions, alpha)
