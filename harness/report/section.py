"""All that the page says about one suite."""

from dataclasses import dataclass
from itertools import groupby

from harness.records import PROTOCOLS, Protocol
from harness.records.summary import DecisionTable
from harness.report.breakdown import MISSES, Bar, HeatMap, Segment, miss_bars, pair_segments
from harness.report.columns import Column, columns_for
from harness.report.economy import BreakEven, break_evens
from harness.report.figures.collect import plots_of, tables_of
from harness.report.figures.html import Picture, picture
from harness.report.formatloss import FormatLoss, format_losses
from harness.report.group import Group
from harness.report.headline import Headline, headline
from harness.report.measures import MeasureTable, kind_map, measure_table
from harness.report.pairs import Pair, pair_up
from harness.report.rows import Row, table_rows
from harness.report.survival import SurvivalPlot, survival_plots
from harness.report.trials import TrialPlot, trial_plots
from harness.report.view import RunView

__all__ = ["Section", "section"]


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
    plots: tuple[Picture, ...]
    tables: tuple[Picture, ...]
    """Pictures that are bars or cells."""
    priced: bool
    """Whether any run has a price."""
    timed: bool
    """Whether any run has a time."""
    break_evens: tuple[BreakEven, ...]
    bars: tuple[Bar, ...]

    @property
    def column_groups(self) -> list[tuple[str, int]]:
        """Name of each group of columns with their number."""
        return [(name, len(list(group))) for name, group in groupby(self.columns, lambda column: column.group)]

    @property
    def extra(self) -> dict[str, str]:
        """By column: the class of its cells if it shows on request only, else nothing."""
        return {column.key: " extra" if column.extra else "" for column in self.columns}

    @property
    def sorted_by(self) -> str:
        """The column that the rows stand in the order of."""
        return "traffic" if self.group.by_traffic else "accuracy"

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
        plots=tuple(picture(one, group.anchor) for one in plots_of(group)),
        tables=tuple(picture(one, group.anchor) for one in tables_of(group)),
        priced=any(run.summary.cost_usd is not None for run in group.own),
        timed=any(run.summary.e2e_s is not None for run in group.own),
        break_evens=break_evens(group),
        bars=tuple(miss_bars(group.own, group.family.won)),
    )
