"""`do=report`: the leaderboard, its tables and the site of all runs, made anew from what is on disk."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import ReportConfig, ReportOptions
from harness.errors import DataError
from harness.report.formats import counted
from harness.report.group import groups_of
from harness.report.leaderboard import write_leaderboard
from harness.report.leaderboard_tables import leaderboard_tables
from harness.report.reading import SharedSamples, read_view
from harness.report.site import SiteBill, finish_pages, write_site
from harness.report.site_links import weave
from harness.report.table import print_table
from harness.report.tables import export_links, keep_tables
from harness.report.view import RunView, latest
from harness.store.runfolder import SUMMARY, read_manifest, read_summary, run_folders
from harness.verbs.report_figures import draw_figures

__all__ = ["main", "refresh_leaderboard"]


def main(configs: Sequence[ReportConfig]) -> None:
    """Writes the leaderboard and what `report` asks for besides. Raises DataError if there is no run to show."""
    (config,) = configs
    results = Path(config.paths.results)
    folders = [Path(run) for run in config.runs]
    shared: SharedSamples = {}
    views = [read_view(folder, shared) for folder in folders] or _views(results)
    if not views:
        raise DataError(f"no run in {results / 'run'}; make one: python -m harness suite=toolcall model=smollm2")
    reports = Path(config.paths.reports)
    page = _write(views, reports, config.report)
    if config.report.figures:
        draw_figures(views, results, reports, config.report.clusters)
    bill = write_site(results, reports, config.report) if config.report.site else None
    if bill is None:
        weave(reports)
    current, _ = latest(views)
    print_table([view.summary for view in sorted(current, key=_by_accuracy)])
    Console().print(f"leaderboard  {page}", highlight=False, soft_wrap=True)
    if bill is not None:
        Console().print(f"site         {reports / 'index.html'} ({_said(bill)})", highlight=False, soft_wrap=True)
        for name in bill.removed:
            said = f"removed      {name}: it showed texts of calls; make it anew with report.samples=false"
            Console(stderr=True).print(said, highlight=False, soft_wrap=True)


def _said(bill: SiteBill) -> str:
    return f"{counted(bill.runs, 'run')}, {counted(bill.rendered, 'page')} of them new"


def _write(views: Sequence[RunView], reports: Path, options: ReportOptions) -> Path:
    """The leaderboard with its tables."""
    page = reports / "leaderboard.html"
    kept = keep_tables(reports, "leaderboard", leaderboard_tables(groups_of(views)), options)
    write_leaderboard(views, page, samples=options.samples, exports=export_links(kept))
    return page


def _by_accuracy(view: RunView) -> tuple[str, float]:
    return view.summary.suite, -(view.summary.accuracy or 0.0)


def refresh_leaderboard(results: Path, reports: Path, options: ReportOptions | None = None) -> Path:
    """The leaderboard of all runs with a summary, with what `report` asks for; returns where it was written."""
    asked = options or ReportOptions()
    page = _write(_views(results), reports, asked)
    finish_pages(results, reports, asked)
    return page


def _views(results: Path) -> list[RunView]:
    """Every run with a summary; its samples only if it is one of those that count.

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
    shared: SharedSamples = {}
    return [*older, *(_full(head, folders[head.id], shared) for head in current)]


def _full(head: RunView, folder: Path, shared: SharedSamples) -> RunView:
    try:
        return read_view(folder, shared)
    except DataError as error:
        _left_out(error)
        return head


def _left_out(error: DataError) -> None:
    Console(stderr=True).print(f"left out of the report: {error}", highlight=False, soft_wrap=True, markup=False)
