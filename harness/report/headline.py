"""The sentences at the head of the page, each computed from the runs below it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.family import Family, floor_of
from harness.report.formats import counted, percent, share_text
from harness.report.group import Group
from harness.report.pairs import Pair
from harness.report.view import RunView, standing
from harness.runner.traffic import overflow_text

__all__ = ["Headline", "headline", "overview"]

_MOST_FINDINGS = 3


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence, and what must be added to it."""

    title: str
    findings: tuple[str, ...]


def _result(run: RunView, family: Family) -> str:
    exact = run.exact()
    accuracy = run.summary.accuracy
    if exact is None or accuracy is None or abs(exact / run.summary.n_scored - accuracy) > 1e-9:
        return f"{percent(accuracy or 0.0)} over {counted(run.summary.n_scored, 'attempt')}"
    return family.result(exact, run.summary.n_scored)


def headline(group: Group, pairs: Sequence[Pair] = ()) -> Headline:
    """What the runs of one suite say, best first; `pairs` belongs to the group."""
    scored = [run for run in group.ranked if run.summary.accuracy is not None]
    apart = _apart(group)
    if not scored:
        none = "No run can be ranked." if apart else "No attempt was scored, so there is nothing to rank yet."
        return Headline(none, tuple(filter(None, [apart])))
    best, rivals = scored[0], _rivals(group)
    told = f"{group.names[best.id]}: {_by_traffic(best, group)}{_result(best, group.family)}"
    if len(scored) == 1:
        title = f"{told}."
    elif rivals:
        title = f"Highest: {told}, but the lead is not decided."
    else:
        title = f"Best: {told}."
    harms = _attacks(scored, group)
    findings = [
        _interval(best, group),
        *_overflows(scored, group),
        _not_decided(rivals, group),
        harms,
        *_grammars(pairs),
        _floor(scored, group),
        apart,
    ]
    return Headline(title, tuple(filter(None, findings)))


def overview(groups: Sequence[Group]) -> Headline:
    """What several suites say together: who leads where, and where nobody does."""
    leads: Counter[str] = Counter()
    undecided = alone = 0
    for group in groups:
        scored = [run for run in group.ranked if run.summary.accuracy is not None]
        if len({run.title for run in scored}) < 2:
            alone += 1
        elif any(rival.title != scored[0].title for rival in _rivals(group)):
            undecided += 1
        else:
            leads[scored[0].title] += 1
    parts = [f"{name} leads on {count}" for name, count in leads.most_common(3)]
    others = leads.total() - sum(count for _, count in leads.most_common(3))
    parts += [f"others lead on {others}"] if others else []
    parts += [f"{undecided} not decided"] if undecided else []
    parts += [f"{alone} without a second model"] if alone else []
    return Headline(f"{counted(len(groups), 'suite')}: {', '.join(parts)}.", ())


def _rivals(group: Group) -> list[RunView]:
    first = group.places[0]
    return [group.ranked[index] for index in first.rivals] if first else []


def _by_traffic(best: RunView, group: Group) -> str:
    found = standing(best, by_traffic=True)
    return f"{percent(found.value)} by traffic, " if group.by_traffic and found else ""


def _interval(best: RunView, group: Group) -> str:
    found = standing(best, by_traffic=group.by_traffic)
    if found is None or found.interval is None:
        return ""
    between = share_text(found.interval.low, found.interval.high)
    level, n = f"{found.interval.level * 100:g} %", counted(best.summary.n_scored, "attempt")
    what = "accuracy by traffic" if group.by_traffic else "accuracy"
    return f"{percent(found.value)} {what}, {level} interval {between}: {n} cannot tell closer than that."


def _listed(runs: Sequence[RunView], group: Group) -> str:
    names = "; ".join(group.names[run.id] for run in runs[:3])
    return names + (f"; and {len(runs) - 3} more" if len(runs) > 3 else "")


def _overflows(scored: Sequence[RunView], group: Group) -> list[str]:
    """What does not fit into a model's context at all, whatever else it can."""
    found = [f"{group.names[run.id]}: {overflow_text(run.summary.overflow)}." for run in scored if run.summary.overflow]
    more = len(found) - _MOST_FINDINGS
    return [
        *found[:_MOST_FINDINGS],
        *([f"{counted(more, 'more run')} with calls that do not fit."] if more > 0 else []),
    ]


def _not_decided(rivals: Sequence[RunView], group: Group) -> str:
    if not rivals:
        return ""
    names, first = _listed(rivals, group), group.places[0]
    if first is None or not first.pairs:
        return f"Its interval overlaps with that of {names}. A paired comparison or more samples may decide it."
    tests = "" if first.pairs == 1 else f", {counted(first.pairs, 'pair')} judged together"
    return f"Sample by sample it is not shown to be better than {names}{tests}. More samples may decide it."


def _attacks(scored: Sequence[RunView], group: Group) -> str:
    """The most harmful run first: a ranking by tasks done alone would hide it."""
    part = "attack_success"
    harmed = [(found.mean, run) for run in scored if (found := run.summary.parts.get(part)) and found.mean > 0]
    if not harmed:
        return ""
    worst, run = max(harmed, key=lambda one: one[0])
    return f"Attacked, {group.names[run.id]} does what the attacker wants in {percent(worst)} of attempts: a harm."


def _grammars(pairs: Sequence[Pair]) -> list[str]:
    found = [sentence for pair in pairs if (sentence := _grammar(pair))]
    more = len(found) - _MOST_FINDINGS
    return [*found[:_MOST_FINDINGS], *([f"{counted(more, 'more model')} told of below."] if more > 0 else [])]


def _grammar(pair: Pair) -> str:
    before, after = pair.before.summary, pair.after.summary
    if (before.protocol, after.protocol) != ("prompted", "constrained"):
        return ""
    change = f"from {pair.both + pair.lost} to {pair.both + pair.gained} {pair.counted_as}"
    if pair.mostly_format:
        return f"The grammar alone moves {pair.before.title} {change}: most of its loss is format."
    if pair.gained + pair.lost == 0:
        return f"The grammar changes nothing for {pair.before.title} ({change}): what is missing is not format."
    if (pair.share_back or 0.0) <= 0:
        return f"The grammar takes {pair.before.title} {change}: what is missing is not format."
    return f"The grammar moves {pair.before.title} {change}; the larger part of its loss stays."


def _floor(scored: Sequence[RunView], group: Group) -> str:
    below = [
        (run, floor)
        for run in scored
        if (floor := floor_of(run)) and floor.share and (run.summary.accuracy or 0.0) <= floor.share
    ]
    if not below:
        return ""
    name = {"never calls a tool": "never calling a tool at all", "guesses": "guessing"}[below[0][1].name]
    return f"No better than {name}: {_listed([run for run, _ in below], group)}."


def _apart(group: Group) -> str:
    unfit = [run for run in group.apart if run.summary.of_run is None]
    if not unfit:
        return ""
    more = f" Nor {_listed(unfit[1:], group)}." if unfit[1:] else ""
    return f"Not ranked: {group.names[unfit[0].id]}: {group.why_apart(unfit[0])}.{more}"
