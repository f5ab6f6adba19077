"""All that the page says about one suite."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from harness.records import PROTOCOLS, Protocol
from harness.records.summary import DecisionTable
from harness.report.breakdown import MISSES, Bar, HeatMap, Segment, heat_map, miss_bars, pair_segments
from harness.report.columns import Column, columns_for
from harness.report.economy import BreakEven, break_evens
from harness.report.formatloss import FormatLoss, format_losses
from harness.report.formats import seconds, usd
from harness.report.group import Group
from harness.report.headline import Headline, headline
from harness.report.measures import MeasureTable, kind_map, measure_table
from harness.report.pairs import Pair, pair_up
from harness.report.rows import Row, table_rows
from harness.report.scatter import Scatter, scatter
from harness.report.survival import SurvivalPlot, survival_plots
from harness.report.trials import TrialPlot, trial_plots
from harness.report.view import RunView

__all__ = ["Figure", "Section", "section"]

_SIZES: Final = (("wide", 620.0, 400.0), ("narrow", 336.0, 340.0))


@dataclass(frozen=True, slots=True)
class Figure:
    """One scatter plot at each width, with what its text needs."""

    key: str
    title: str
    lead: str
    plots: tuple[tuple[str, Scatter], ...]
    left_out: tuple[str, ...]
    known: bool
    """Whether any run has the price; a picture needs two of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says about one suite; whatever has nothing to show is empty."""

    group: Group
    head: Headline
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    pairs: tuple[tuple[Pair, tuple[Segment, ...]], ...]
    losses: tuple[tuple[RunView, tuple[FormatLoss, ...]], ...]
    measures: MeasureTable
    kinds: HeatMap
    trials: tuple[TrialPlot, ...]
    survival: tuple[SurvivalPlot, ...]
    figures: tuple[Figure, ...]
    break_evens: tuple[BreakEven, ...]
    bars: tuple[Bar, ...]
    heat: HeatMap

    @property
    def column_groups(self) -> list[tuple[str, int]]:
        """Name of each group of columns with their number."""
        return [(name, len(list(group))) for name, group in groupby(self.columns, lambda column: column.group)]

    @property
    def floor(self) -> str:
        """What a model does that understands nothing; empty where no row has such a floor."""
        floors = [row.floor for row in self.rows if row.floor is not None and row.floor.share]
        return floors[0].name if floors else ""

    @property
    def deciding(self) -> tuple[tuple[RunView, DecisionTable], ...]:
        """Of replayed steps: the table of calling or not of each run that has one."""
        if self.group.family.key != "steps":
            return ()
        return tuple((run, run.summary.decisions) for run in self.group.own if run.summary.decisions is not None)

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Those that occur, in their order."""
        return tuple(name for name in PROTOCOLS if any(run.summary.protocol == name for run in self.group.ranked))

    @property
    def misses(self) -> tuple[str, ...]:
        """The classes of miss that occur, in the order of the waterfall."""
        keys = {part.key for bar in self.bars for part in bar.segments}
        return tuple(key for key in MISSES if key in keys)

    @property
    def unscored(self) -> bool:
        """Whether the infrastructure lost an attempt."""
        return any(part.key == "unscored" for bar in self.bars for part in bar.segments)


def section(group: Group) -> Section:
    """The section of a group; re-runs of misses have no picture of their own."""
    pairs = pair_up(group.own)
    columns = columns_for(group)
    return Section(
        group=group,
        head=headline(group, pairs),
        columns=columns,
        rows=tuple(table_rows(group, columns)),
        pairs=tuple((pair, pair_segments(pair)) for pair in pairs),
        losses=tuple(format_losses(group.own)),
        measures=measure_table(group.own),
        kinds=kind_map(group.own),
        trials=tuple(trial_plots(group.own)),
        survival=tuple(survival_plots(group.own)),
        figures=_figures(group),
        break_evens=break_evens(group),
        bars=tuple(miss_bars(group.own, group.family.won)),
        heat=heat_map(group.own),
    )


def _e2e(run: RunView) -> float | None:
    if run.summary.recorded is not None:  # a log's times are no measurement beside ours
        return None
    return run.summary.e2e_s.p50 if run.summary.e2e_s else None


def _task(run: RunView) -> float | None:
    return run.summary.task_s.p50 if run.summary.task_s else None


def _cost(run: RunView) -> float | None:
    cost = run.summary.cost_usd_per_sample
    return None if cost is None else cost * 1000


def _figures(group: Group) -> tuple[Figure, ...]:
    drawn: list[tuple[str, str, str, Callable[[RunView], float | None], Callable[[float], str]]] = [
        ("cost", "Accuracy against cost", f"US dollars per 1,000 {group.family.units}", _cost, usd)
    ]
    if group.family.key in {"agents", "sessions"}:
        first = f"Median time of a {group.family.unit}, " + (
            "its tools included" if group.family.key == "agents" else "as far as it went"
        )
        drawn.insert(0, ("latency", "Accuracy against time", first, _task, seconds))
    else:
        unit = "call" if group.family.key == "calls" else "reply"
        first = f"Median end-to-end time of a {unit}"
        drawn.insert(0, ("latency", "Accuracy against latency", first, _e2e, seconds))
    return tuple(_figure(group, *one) for one in drawn)


def _figure(
    group: Group, key: str, title: str, axis: str, price: Callable[[RunView], float | None],
    text: Callable[[float], str],
) -> Figure:  # fmt: skip
    known = [run for run in group.ranked if price(run)]
    plots = [(size, scatter(group.ranked, price, text, axis, width, height)) for size, width, height in _SIZES]
    found = tuple((size, plot) for size, plot in plots if plot is not None and len(known) > 1)
    return Figure(key, title, axis, found, found[0][1].left_out if found else (), any(map(price, group.own)))
