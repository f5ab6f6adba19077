"""`do=report`: the leaderboard, made anew from the runs on disk."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import ReportConfig
from harness.errors import DataError
from harness.report.leaderboard import write_leaderboard
from harness.report.table import print_table
from harness.report.view import RunView, latest
from harness.store.runfolder import SUMMARY, run_folders
from harness.store.runs import read_run

__all__ = ["main", "refresh_leaderboard"]


def main(configs: Sequence[ReportConfig]) -> None:
    """Writes the leaderboard. Raises DataError if there is no run to show."""
    (config,) = configs
    results = Path(config.paths.results)
    folders = [Path(run) for run in config.runs] or _readable(results)
    if not folders:
        raise DataError(f"no run in {results / 'run'}; make one: python -m harness suite=toolcall model=smollm2")
    page = Path(config.paths.reports) / "leaderboard.html"
    views = [_view(folder) for folder in folders]
    write_leaderboard(views, page)
    current, _ = latest(views)
    print_table([view.summary for view in sorted(current, key=_by_accuracy)])
    Console().print(f"leaderboard  {page}", highlight=False, soft_wrap=True)


def _by_accuracy(view: RunView) -> tuple[str, float]:
    return view.summary.suite, -(view.summary.accuracy or 0.0)


def refresh_leaderboard(results: Path, reports: Path) -> Path:
    """The leaderboard of all runs with a summary; returns where it was written."""
    page = reports / "leaderboard.html"
    write_leaderboard([_view(folder) for folder in _readable(results)], page)
    return page


def _readable(results: Path) -> list[Path]:
    """Run folders that got as far as a summary."""
    return [folder for folder in run_folders(results) if (folder / SUMMARY).is_file()]


def _view(folder: Path) -> RunView:
    run = read_run(folder)
    return RunView(run.manifest, run.summary, run.samples, run.attempts, run.scores)
