"""`do=report`: the leaderboard, made anew from the runs on disk."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import ReportConfig
from harness.errors import DataError
from harness.report.leaderboard import write_leaderboard
from harness.report.table import print_table
from harness.report.view import RunView, latest
from harness.store.runfolder import SUMMARY, read_manifest, read_summary, run_folders
from harness.store.runs import read_run

__all__ = ["main", "refresh_leaderboard"]

_MOST_SHOWN = 20_000
"""Attempts of a run beyond which the page has its figures only."""


def main(configs: Sequence[ReportConfig]) -> None:
    """Writes the leaderboard. Raises DataError if there is no run to show."""
    (config,) = configs
    results = Path(config.paths.results)
    folders = [Path(run) for run in config.runs]
    views = [_view(folder) for folder in folders] or _views(results)
    if not views:
        raise DataError(f"no run in {results / 'run'}; make one: python -m harness suite=toolcall model=smollm2")
    page = Path(config.paths.reports) / "leaderboard.html"
    write_leaderboard(views, page)
    current, _ = latest(views)
    print_table([view.summary for view in sorted(current, key=_by_accuracy)])
    Console().print(f"leaderboard  {page}", highlight=False, soft_wrap=True)


def _by_accuracy(view: RunView) -> tuple[str, float]:
    return view.summary.suite, -(view.summary.accuracy or 0.0)


def refresh_leaderboard(results: Path, reports: Path) -> Path:
    """The leaderboard of all runs with a summary; returns where it was written."""
    page = reports / "leaderboard.html"
    write_leaderboard(_views(results), page)
    return page


def _views(results: Path) -> list[RunView]:
    """Every run with a summary; its samples only if it is one of those that count, and not too large for a page.

    A folder that cannot be read is named and left out: an old run must not spoil the report of a new one.
    """
    folders, heads = {}, []
    for folder in run_folders(results):
        if not (folder / SUMMARY).is_file():
            continue
        try:
            head = RunView(read_manifest(folder), read_summary(folder))
        except DataError as error:
            _left_out(error)
            continue
        folders[head.id] = folder
        heads.append(head)
    current, older = latest(heads)
    return [*older, *(_full(head, folders[head.id]) for head in current)]


def _full(head: RunView, folder: Path) -> RunView:
    if head.summary.n_planned > _MOST_SHOWN:
        return head
    try:
        return _view(folder)
    except DataError as error:
        _left_out(error)
        return head


def _left_out(error: DataError) -> None:
    Console(stderr=True).print(f"left out of the report: {error}", highlight=False, soft_wrap=True, markup=False)


def _view(folder: Path) -> RunView:
    run = read_run(folder)
    return RunView(run.manifest, run.summary, run.samples, run.attempts, run.scores)
