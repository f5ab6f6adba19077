"""From outcomes to a verdict: was the goal met, does the backlog grow, up to which share of today's traffic."""

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil, log
from statistics import fmean
from typing import Final

from harness.load.drive import Outcome, Played, in_time
from harness.load.plan import busiest
from harness.measure import e2e_s, quantiles, ttft_s
from harness.records.load import Backlog, LoadGoal, LoadPoint, LoadVerdict
from harness.records.summary import Interval, Quantiles
from harness.stats.proportion import clopper_pearson, korn_graubard

__all__ = ["LEVEL", "allowed_misses", "backlog_of", "holds_up_to", "least_calls", "point_of", "sentence"]

LEVEL: Final = 0.9
"""Of the two-sided interval: 5 % on the side that a verdict turns on."""
_STRETCHES: Final = 10
_BLOCKS: Final = 20
_TREND_P: Final = 0.01
_TRACE: Final = 160


def least_calls(share: float) -> int:
    """Calls that show a share, all of them in time: log .05 / log share.

    >>> least_calls(0.95)
    59
    """
    return ceil(log((1 - LEVEL) / 2) / log(share)) if share < 1 else 1


def allowed_misses(n: int, share: float) -> int:
    """Most calls of n that may miss before the share is shown not to be reached, whatever comes of the others.

    >>> allowed_misses(100, 0.95)
    9
    """
    missed = 0
    while missed < n and clopper_pearson(n - missed - 1, n, LEVEL).high >= share:
        missed += 1
    return missed


def point_of(played: Played, goal: LoadGoal) -> LoadPoint:
    """The figures of a play, and its verdict."""
    outcomes, play = played.outcomes, played.play
    verdicts = [in_time(one, goal, played.ended_s) for one in outcomes]
    known = [one for one in verdicts if one is not None]
    served = [one for one in outcomes if one.served]
    backlog, trace = backlog_of(outcomes, played.ended_s)
    share = fmean(known) if known else None
    interval = _interval(known) if known else None
    verdict, why = _verdict(len(known), interval, backlog, goal)
    if played.given_up and verdict != "overloaded":  # late calls in one heap: few for an interval, enough for the goal
        verdict, why = "overloaded", f"{len(known) - sum(known)} of {len(play.calls)} calls were not in time"
    due = [one.due_s for one in outcomes]
    first, end = busiest(due, 60.0)
    done = [one.done_s for one in served if one.done_s is not None]
    return LoadPoint(
        speed=play.speed,
        log_s=play.log_s,
        planned_s=play.planned_s,
        planned=len(play.calls),
        different=len({one.sample.id for one in play.calls}),
        sent=len(outcomes),
        served=len(served),
        in_time=sum(known),
        counted=len(known),
        lost=sum(one.attempt is not None and not one.served and not one.unfit for one in outcomes),
        unfit=sum(one.unfit for one in outcomes),
        unfinished=sum(
            one.attempt is None and verdict is None for one, verdict in zip(outcomes, verdicts, strict=True)
        ),
        stopped=played.stopped,
        offered_per_s=(len(due) - 1) / (due[-1] - due[0]) if len(due) > 1 and due[-1] > due[0] else None,
        served_per_s=len(done) / max(done) if done else None,
        busiest_minute=end - first,
        share=share,
        interval=interval,
        ttft_s=_quantiles([ttft_s(one.attempt.timing) for one in served if one.attempt]),
        e2e_s=_quantiles([e2e_s(one.attempt.timing) for one in served if one.attempt]),
        late_p99_s=_late(outcomes),
        backlog=backlog,
        trace=trace,
        cost_usd=_cost(outcomes),
        verdict=verdict,
        why=why,
    )


def _quantiles(values: Sequence[float | None]) -> Quantiles | None:
    return quantiles([one for one in values if one is not None])


def _late(outcomes: Sequence[Outcome]) -> float | None:
    late = _quantiles([None if one.sent_s is None else max(0.0, one.sent_s - one.due_s) for one in outcomes])
    return late.p99 if late else None


def _cost(outcomes: Sequence[Outcome]) -> float | None:
    costs = [one.attempt.cost_usd for one in outcomes if one.attempt and one.attempt.cost_usd is not None]
    return sum(costs) if costs else None


def _interval(known: Sequence[bool]) -> Interval:
    """Of the share in time, from as many calls as they are worth: late ones come together.

    The design effect is that of blocks of neighbouring calls, at least 1. Source: Korn and Graubard 1998.
    """
    n, share = len(known), fmean(known)
    size = max(1, n // _BLOCKS)
    blocks = [known[start : start + size] for start in range(0, n, size)]
    effect = 1.0
    if 0 < share < 1 and len(blocks) > 1:
        spread = sum((sum(block) - share * len(block)) ** 2 for block in blocks)
        effect = max(1.0, len(blocks) / (len(blocks) - 1) * spread / (n * share * (1 - share)))
    return korn_graubard(share, max(1.0, n / effect), LEVEL)


def backlog_of(outcomes: Sequence[Outcome], ended_s: float) -> tuple[Backlog, tuple[tuple[float, int], ...]]:
    """How many calls were due and not done over the time in which calls came, and the same as a trace.

    The trend is Mann and Kendall's test on the means of ten stretches of that time.
    """
    due = sorted(one.due_s for one in outcomes if not one.unfit)
    done = sorted(one.done_s for one in outcomes if one.done_s is not None and not one.unfit)
    if not due:
        return Backlog(most=0, mean=0.0, early=0.0, late=0.0, p=None, grows=False), ()

    def waiting(at_s: float) -> int:
        return bisect_right(due, at_s) - bisect_right(done, at_s)

    end_s = max(due[-1], 1e-9)
    steps = [end_s * (place + 0.5) / (60 * _STRETCHES) for place in range(60 * _STRETCHES)]
    counts = [waiting(at_s) for at_s in steps]
    third = len(counts) // 3
    early, late = fmean(counts[:third]), fmean(counts[-third:])
    p = None
    if len(due) >= 2 * _STRETCHES:
        from scipy.stats import kendalltau  # half a second to import

        means = [fmean(counts[place * 60 : (place + 1) * 60]) for place in range(_STRETCHES)]
        if len(set(means)) > 1:
            p = float(kendalltau(range(_STRETCHES), means, alternative="greater").pvalue)
    grows = p is not None and p <= _TREND_P and late >= early + 2 and late >= 1.5 * early
    most = max(waiting(at_s) for at_s in due)
    span_s = max(ended_s, end_s)
    trace = tuple((span_s * place / _TRACE, waiting(span_s * place / _TRACE)) for place in range(_TRACE + 1))
    return Backlog(most=most, mean=fmean(counts), early=early, late=late, p=p, grows=grows), trace


def _verdict(
    n: int, interval: Interval | None, backlog: Backlog, goal: LoadGoal
) -> tuple[LoadVerdict, str]:  # fmt: skip
    wanted = f"{goal.share:.0%}"
    if interval is None:
        return "undecided", "no call has a verdict"
    if interval.high < goal.share:
        return "overloaded", f"at most {interval.high:.1%} of the calls are in time, and {wanted} are wanted"
    if backlog.grows:
        return "overloaded", f"calls pile up: {backlog.early:.1f} open at first, {backlog.late:.1f} later"
    if interval.low >= goal.share:
        return "holds", f"at least {interval.low:.1%} of the calls are in time, and the backlog does not grow"
    few = least_calls(goal.share)
    more = f"; it takes {few} at least, so play longer: load.minutes, load.calls" if n < few else ""
    return "undecided", f"between {interval.low:.1%} and {interval.high:.1%} in time by {n} calls{more}"


def holds_up_to(points: Sequence[LoadPoint]) -> float | None:
    """The highest speed that holds, every lower one holding too or left open by too few calls; None for none.

    A speed that is undecided with all of its calls in time does not stand in the way of a higher one that holds.
    """
    best = None
    for one in sorted(points, key=lambda point: point.speed):
        if one.verdict == "holds":
            best = one.speed
        elif one.verdict == "overloaded" or one.in_time < one.counted or not one.counted:
            break
    return best


def sentence(points: Sequence[LoadPoint], goal: LoadGoal) -> str:
    """The verdict in words."""
    held, ordered = holds_up_to(points), sorted(points, key=lambda point: point.speed)
    broken = next((one for one in ordered if one.verdict == "overloaded"), None)
    bounds = [
        f"{name} {value:g} s" for name, value in (("TTFT", goal.ttft_s), ("e2e", goal.e2e_s)) if value is not None
    ]
    goals = f"{goal.share:.0%} of the calls within {' and '.join(bounds)}"
    parts = []
    if held is not None:
        at = next(one for one in ordered if one.speed == held)
        parts.append(f"Holds the traffic up to {held:g} × today's rate ({_rate(at)}; {goals})")
    elif ordered[0].verdict == "undecided":
        left = [one for one in ordered if broken is None or one.speed < broken.speed][-1]
        parts.append(f"Not decided at {left.speed:g} × today's rate ({_rate(left)}; {goals}): {left.why}")
    if broken is not None:
        begin = f"overloaded at {broken.speed:g} ×" if parts else f"Overloaded at {broken.speed:g} × today's rate"
        more = "" if parts else f"; {goals} are wanted"
        parts.append(f"{begin} ({_rate(broken)}{more}): {broken.why}")
    return "; ".join(parts) + "."


def _rate(point: LoadPoint) -> str:
    if point.offered_per_s is None:
        return "one call" if point.sent == 1 else f"{point.sent:,} calls at once"
    return f"{point.offered_per_s:.2g} calls/s at its busiest"
