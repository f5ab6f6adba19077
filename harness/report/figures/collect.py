"""Which pictures there are: those of a suite's runs, and those of stored results beside them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.errors import DataError
from harness.records import Record
from harness.records.frontier import Frontier
from harness.records.learning import LEARNING_CURVE, LearningCurve
from harness.records.load import LoadBook
from harness.report.figures.figure import Figure, Grid, Plot, Stacks
from harness.report.figures.frontier import frontier_by_size, frontier_by_time
from harness.report.figures.heat import heat_grid
from harness.report.figures.history import history_plots
from harness.report.figures.latency import e2e_distribution, ttft_distribution
from harness.report.figures.learning import learning_plot
from harness.report.figures.prompt import ttft_by_prompt
from harness.report.figures.throughput import throughput_of_load, throughput_of_runs
from harness.report.figures.tradeoff import tradeoff_by_cost, tradeoff_by_time
from harness.report.figures.waterfall import failure_waterfall
from harness.report.group import Group

__all__ = ["plots_of", "run_figures", "stored_figures", "tables_of"]

Stored = TypeVar("Stored", bound=Record)


def plots_of(group: Group) -> tuple[Plot, ...]:
    """The plots of a suite's runs, what decides first; those without data are not there."""
    found: list[Plot | None] = [
        tradeoff_by_time(group),
        tradeoff_by_cost(group),
        ttft_distribution(group),
        e2e_distribution(group),
        ttft_by_prompt(group),
        throughput_of_runs(group),
        *history_plots(group),
    ]
    return tuple(plot for plot in found if plot is not None)


def tables_of(group: Group) -> tuple[Stacks | Grid, ...]:
    """The pictures of a suite's runs that are bars or cells, for its page.

    The page has a picture of every class of miss; the one by stages adds to it only where replies came in several ways.
    """
    fall, heat = failure_waterfall(group), heat_grid(group)
    shown = fall if fall and len({bar.name for bar in fall.bars}) > 1 else None
    return tuple(one for one in (shown, heat) if one is not None)


def run_figures(group: Group) -> tuple[Figure, ...]:
    """All pictures of a suite's runs, for a paper."""
    found = (failure_waterfall(group), heat_grid(group))
    return (*plots_of(group), *(one for one in found if one is not None))


def stored_figures(results: Path) -> tuple[list[Figure], list[str]]:
    """The pictures of load replays, frontiers and conversions below a results folder, and notes on what was left out.

    Files that cannot be read are named in the notes: an old result must not spoil the pictures of a new one.
    """
    notes: list[str] = []
    found: list[Figure] = []
    if (load := throughput_of_load(list(_read(results, "load/*/load.json", LoadBook, notes)))) is not None:
        found.append(load)
    for frontier in _read(results, "quantize/*/frontier.json", Frontier, notes):
        found += filter(None, (frontier_by_size(frontier), frontier_by_time(frontier)))
    found += [learning_plot(one) for one in _read(results, f"convert/*/{LEARNING_CURVE}", LearningCurve, notes)]
    return found, notes


def _read(results: Path, pattern: str, kind: type[Stored], notes: list[str]) -> Iterable[Stored]:
    """Each file of a pattern, in the order of their folders; `latest` is a link to one of them."""
    for file in sorted(results.glob(pattern)):
        if file.parent.is_symlink():
            continue
        try:
            yield kind.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else f"{error.error_count()} errors"
            notes.append(str(DataError(f"{file} cannot be read ({why})")))
