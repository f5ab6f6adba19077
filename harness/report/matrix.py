"""All models by all suites: one row a set-up, one column a suite, and what all the traffic together says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from harness.records import Protocol
from harness.records.summary import Interval, TrafficSummary
from harness.report.facts import Facets, facets_of
from harness.report.formats import counted, percent, share_text
from harness.report.group import Group, names_of
from harness.report.ranks import Rank
from harness.report.view import RunView, standing

__all__ = ["Matrix", "MatrixCell", "MatrixRow", "all_traffic", "matrix"]

_METHOD: Final = "MOVER"
_SetUp = tuple[tuple[str, str, str | None], Protocol, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """What one set-up reaches in one suite, or over all traffic; no value where it was not put to it."""

    suite: str
    """Anchor of the suite; empty for all traffic."""
    value: float | None = None
    interval: Interval | None = None
    rank: Rank | None = None
    note: str = "not run"

    @property
    def text(self) -> str:
        """The accuracy in per cent."""
        return "–" if self.value is None else percent(self.value)

    @property
    def interval_text(self) -> str:
        """The interval in per cent; empty without one."""
        return share_text(self.interval.low, self.interval.high) if self.interval else ""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One model with its protocol, weights and settings, in every suite."""

    name: str
    protocol: Protocol
    facets: Facets
    cells: tuple[MatrixCell, ...]
    overall: MatrixCell | None
    """Over the traffic of all suites that stand for some; None where there are not two of them."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The rows, best first, under the suites of the page."""

    suites: tuple[Group, ...]
    rows: tuple[MatrixRow, ...]
    overall: bool
    """Whether two suites or more stand for traffic."""


def matrix(groups: Sequence[Group]) -> Matrix | None:
    """The table of all ranked runs; None for a single suite, whose own table says the same."""
    if len(groups) < 2:
        return None
    found: dict[_SetUp, dict[str, RunView]] = {}
    for group in groups:
        for run in group.ranked:  # the best first: of two that differ by the suite's own settings only, the best shows
            found.setdefault(_set_up(run), {}).setdefault(group.anchor, run)
    firsts = {key: next(iter(runs.values())) for key, runs in found.items()}
    names = names_of(list(firsts.values()), by_protocol=any(group.by_protocol for group in groups))
    weighty = [group for group in groups if group.by_traffic]
    rows = [
        MatrixRow(
            name=names[firsts[key].id],
            protocol=key[1],
            facets=_facets(list(runs.values())),
            cells=tuple(_cell(runs.get(group.anchor), group) for group in groups),
            overall=_overall(runs, weighty) if len(weighty) > 1 else None,
        )
        for key, runs in found.items()
    ]
    rows.sort(key=_order)
    return Matrix(tuple(groups), tuple(rows), len(weighty) > 1)


def all_traffic(found: Sequence[TrafficSummary]) -> tuple[float, Interval]:
    """The accuracy over the traffic of several suites, each by its calls, with its interval.

    Σ w a ± √Σ (w (a − bound))² with w the share of the calls: the distances of the bounds are added as variances are,
    which holds for suites whose samples are independent of each other (MOVER: Zou and Donner 2008, Statistics in
    Medicine 27). Raises ValueError for no suite.
    """
    calls = sum(one.calls for one in found)
    shares = [one.calls / calls for one in found]
    value = sum(share * one.accuracy for share, one in zip(shares, found, strict=True))
    below, above = (
        sqrt(
            sum((share * (one.accuracy - bound)) ** 2 for share, one, bound in zip(shares, found, bounds, strict=True))
        )
        for bounds in ([one.interval.low for one in found], [one.interval.high for one in found])
    )
    low, high = max(0.0, value - below), min(1.0, value + above)
    return value, Interval(low=low, high=high, level=min(one.interval.level for one in found), method=_METHOD)


def _set_up(run: RunView) -> _SetUp:
    """What the runs of one row share: the model and how it is asked, not what one suite alone asks for."""
    own = [(key, value) for key, value in run.settings.items() if key.startswith(("model.", "backend."))]
    return run.model_key, run.summary.protocol, tuple(sorted(own))


def _facets(runs: Sequence[RunView]) -> Facets:
    """What any of the runs is found by, a line each."""
    all_of_them = [facets_of(run) for run in runs]
    joined = {
        name: "\n".join(dict.fromkeys(filter(None, (getattr(one, name) for one in all_of_them))))
        for name in ("where", "licence", "hardware")
    }
    return Facets(size=next(filter(None, (one.size for one in all_of_them)), ""), **joined)


def _cell(run: RunView | None, group: Group) -> MatrixCell:
    if run is None:
        return MatrixCell(group.anchor)
    found = standing(run, by_traffic=group.by_traffic)
    if found is None:
        return MatrixCell(group.anchor, note="nothing was scored")
    rank = group.places[group.ranked.index(run)]
    words = ["by traffic" if group.by_traffic else "over the samples", counted(run.summary.n_scored, "attempt")]
    if found.interval:
        level = f"{found.interval.level * 100:g} % interval"
        words.append(f"{level} {share_text(found.interval.low, found.interval.high)} ({found.interval.method})")
    if rank is not None:
        tie = "" if rank.decided else ", not decided"
        words.append(f"place {rank.text} of {len(group.ranked)}{tie}")
    return MatrixCell(group.anchor, found.value, found.interval, rank, "; ".join(words))


def _overall(runs: Mapping[str, RunView], weighty: Sequence[Group]) -> MatrixCell:
    found = [run.summary.traffic for group in weighty if (run := runs.get(group.anchor)) and run.summary.traffic]
    if len(found) < len(weighty):
        return MatrixCell("", note=f"run on {len(found)} of the {len(weighty)} suites that stand for traffic")
    value, interval = all_traffic(found)
    calls = sum(one.calls for one in found)
    note = f"{counted(len(found), 'suite')}, {calls:,.0f} calls; {interval.level * 100:g} % interval "
    note += f"{share_text(interval.low, interval.high)} ({interval.method})"
    return MatrixCell("", value, interval, None, note)


def _order(row: MatrixRow) -> tuple[float, ...]:
    """Over all traffic, then suite by suite; what was not run last."""
    cells = [*([row.overall] if row.overall else []), *row.cells]
    return tuple(1.0 if cell.value is None else -cell.value for cell in cells)
