"""The sentences at the head of the page, each computed from the runs below it."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.formats import counted, percent, share_text
from harness.report.pairs import Pair
from harness.report.ranks import ranks
from harness.report.rows import never_calls
from harness.report.view import RunView

__all__ = ["Headline", "headline"]

_MOST_FINDINGS = 3


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence, and what must be added to it."""

    title: str
    findings: tuple[str, ...]


def _name(run: RunView) -> str:
    return f"{run.title}, {run.summary.protocol}"


def _result(run: RunView) -> str:
    exact = run.exact()
    accuracy = run.summary.accuracy
    if exact is None or accuracy is None or abs(exact / run.summary.n_scored - accuracy) > 1e-9:
        return f"{percent(accuracy or 0.0)} over {counted(run.summary.n_scored, 'attempt')}"
    return f"exact on {exact:,} of {counted(run.summary.n_scored, 'call')}"


def headline(group: Sequence[RunView], pairs: Sequence[Pair]) -> Headline:
    """What the runs of one suite say, best first; `group` is sorted by accuracy and `pairs` belongs to it."""
    scored = [run for run in group if run.summary.accuracy is not None]
    if not scored:
        return Headline("No attempt was scored, so there is nothing to rank yet.", ())
    best = scored[0]
    rivals = _rivals(scored)
    if len(scored) == 1:
        title = f"{_name(best)}: {_result(best)}."
    elif rivals:
        title = f"Highest: {_name(best)}, {_result(best)}, but the lead is not decided."
    else:
        title = f"Best: {_name(best)}, {_result(best)}."
    findings = [_interval(best), _not_decided(rivals), *_grammars(pairs), _floor(scored)]
    return Headline(title, tuple(filter(None, findings)))


def _rivals(scored: Sequence[RunView]) -> list[RunView]:
    first = ranks([run.summary.accuracy_interval for run in scored])[0]
    return [scored[index] for index in first.rivals] if first else []


def _interval(best: RunView) -> str:
    interval, accuracy = best.summary.accuracy_interval, best.summary.accuracy
    if interval is None or accuracy is None:
        return ""
    between = share_text(interval.low, interval.high)
    level, n = f"{interval.level * 100:g} %", counted(best.summary.n_scored, "attempt")
    return f"{percent(accuracy)} accuracy, {level} interval {between}: {n} cannot tell closer than that."


def _not_decided(rivals: Sequence[RunView]) -> str:
    if not rivals:
        return ""
    names = "; ".join(_name(run) for run in rivals[:3]) + (f"; and {len(rivals) - 3} more" if len(rivals) > 3 else "")
    return f"Its interval overlaps with that of {names}. A paired comparison or more samples may decide it."


def _grammars(pairs: Sequence[Pair]) -> list[str]:
    found = [sentence for pair in pairs if (sentence := _grammar(pair))]
    more = len(found) - _MOST_FINDINGS
    return [*found[:_MOST_FINDINGS], *([f"{counted(more, 'more model')} told of below."] if more > 0 else [])]


def _grammar(pair: Pair) -> str:
    before, after = pair.before.summary, pair.after.summary
    if (before.protocol, after.protocol) != ("prompted", "constrained"):
        return ""
    change = f"from {pair.both + pair.lost} to {pair.both + pair.gained} exact of {pair.n} wanted calls"
    if pair.mostly_format:
        return f"The grammar alone moves {pair.before.title} {change}: most of its loss is format."
    if pair.gained + pair.lost == 0:
        return f"The grammar changes nothing for {pair.before.title} ({change}): what is missing is not format."
    if (pair.share_back or 0.0) <= 0:
        return f"The grammar takes {pair.before.title} {change}: what is missing is not format."
    return f"The grammar moves {pair.before.title} {change}; the larger part of its loss stays."


def _floor(scored: Sequence[RunView]) -> str:
    below = [
        run
        for run in scored
        if (floor := never_calls(run)) and run.summary.accuracy is not None and run.summary.accuracy <= floor
    ]
    if not below:
        return ""
    names = "; ".join(_name(run) for run in below[:3]) + (f"; and {len(below) - 3} more" if len(below) > 3 else "")
    return f"No better than never calling a tool at all: {names}."
