"""Pages of a site, of a comparison, a gate, a conversion and of pictures, from records that may be changed before."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from harness.compare.matrix import compare_matrix
from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareOptions
from harness.records.compare import CompareMatrix, Comparison
from harness.records.gate import GateResult
from harness.report import convert
from harness.report.compare import Around, write_page
from harness.report.figures.collect import run_figures
from harness.report.figures.files import Chapter, write_figures
from harness.report.figures.learning import learning_plot
from harness.report.figures.tasks import task_map
from harness.report.figures.throughput import throughput_of_load
from harness.report.group import group_of
from harness.report.page import write_html
from harness.report.site_pages import gate_html, index_html, run_html
from harness.report.site_read import Results, SiteRun
from harness.report.view import RunView
from tests.support.audits import audit_of, mixed
from tests.support.conversions import Conversion, stored
from tests.support.gates import gated, side
from tests.support.pictured import dated_runs, learning_curve, load_book, task_book
from tests.support.report_runs import four_runs

__all__ = ["Changes", "last_pages"]

R = TypeVar("R", bound=BaseModel)


class Changes:
    """What is done to records before they become pages: nothing."""

    def record(self, one: R) -> R:
        """The record."""
        return one

    def view(self, one: RunView) -> RunView:
        """The run."""
        return one


def last_pages(changes: Changes) -> dict[str, Callable[[Path], Path]]:
    """By name: what writes the page into a folder and says where it is. `pictures` only where they can be drawn."""
    found = {
        "compare": _compare,
        "compare_matrix": _compare_matrix,
        "convert": _convert,
        "gate": _gate,
        "index": _index,
        "run": _run,
        "run_killed": _run_killed,
    } | ({"pictures": _pictures} if find_spec("matplotlib") else {})
    return {name: _with(write, changes) for name, write in found.items()}


def _with(write: Callable[[Path, Changes], Path], changes: Changes) -> Callable[[Path], Path]:
    return lambda folder: write(folder, changes)


def _pair() -> Comparison:
    a, b = (entry_of(stored(one)) for one in four_runs()[:2])
    return compare_pair("2026-03-06_00-00-00-000001", a, b, CompareOptions())


def _matrix() -> CompareMatrix:
    entries = [entry_of(stored(one)) for one in four_runs()]
    return compare_matrix("2026-03-06_00-00-00-000002", entries, CompareOptions())


def _gated() -> GateResult:
    """One that fails, with samples lost, gained and settings that differ."""
    old = side("old", [1] * 55 + [0] * 5, seconds=[1.0] * 60, costs=[0.001] * 60, config={"seed": 1})
    new = side("new", [0] * 20 + [1] * 40, seconds=[2.0] * 60, costs=[0.002] * 60, config={"seed": 2})
    return gated(old, new)


def _around(found: Comparison | CompareMatrix) -> Around:
    """All runs have a page and are in the explorer."""
    runs = [one.run for one in (found.runs if isinstance(found, CompareMatrix) else (found.a, found.b))]
    return Around("", frozenset(runs), frozenset(f"runs/{one}.html" for one in runs))


def _compare(folder: Path, changes: Changes) -> Path:
    found = changes.record(_pair())
    write_page(found, folder / "compare.html", _around(found))
    return folder / "compare.html"


def _compare_matrix(folder: Path, changes: Changes) -> Path:
    found = changes.record(_matrix())
    write_page(found, folder / "compare_matrix.html", _around(found))
    return folder / "compare_matrix.html"


def _convert(folder: Path, changes: Changes) -> Path:
    ledger = Conversion.made(folder / "conversion").ledger
    convert.write_page(changes.record(ledger), folder / "convert.html", changes.record(learning_curve()))
    return folder / "convert.html"


def _gate(folder: Path, changes: Changes) -> Path:
    found = changes.record(_gated())
    pages = frozenset(f"runs/{one.run}.html" for one in (found.baseline, found.candidate))
    write_html(folder / "gate.html", gate_html(found, pages, {}))
    return folder / "gate.html"


def _site_run(run: RunView) -> SiteRun:
    return SiteRun(run.id, run.manifest.status, "", run, run.manifest)


def _index(folder: Path, changes: Changes) -> Path:
    runs = tuple(_site_run(changes.view(one)) for one in (*four_runs(), *dated_runs()))
    killed = SiteRun(runs[0].id, "killed", "", manifest=runs[0].manifest)
    damaged = SiteRun(runs[0].id, "damaged", "", trouble=runs[0].id)
    selection = mixed()
    results = Results(
        (*runs, killed, damaged),
        gates=(changes.record(_gated()),),
        comparisons=(changes.record(_pair()), changes.record(_matrix())),
        selection=changes.record(selection),
        audit=changes.record(audit_of(selection)),
        load=changes.record(load_book()),
    )
    pages = {"leaderboard.html", "select.html", "audit.html", "load.html", "compare.html"}
    pages |= {f"runs/{one.id}.html" for one in runs}
    write_html(folder / "index.html", index_html(results, frozenset(pages), {}, samples=True))
    return folder / "index.html"


def _run(folder: Path, changes: Changes) -> Path:
    write_html(folder / "run.html", run_html(_site_run(changes.view(four_runs()[0])), explorer=True))
    return folder / "run.html"


def _run_killed(folder: Path, changes: Changes) -> Path:
    run = changes.view(four_runs()[0])
    killed = SiteRun(run.id, "killed", "", manifest=run.manifest, trouble=run.id)
    write_html(folder / "run_killed.html", run_html(killed, explorer=False))
    return folder / "run_killed.html"


def _pictures(folder: Path, changes: Changes) -> Path:
    """A picture of each kind; they lie beside the page."""
    wanted = {"latency", "e2e-ecdf", "waterfall", "categories"}
    runs = tuple(one for one in run_figures(group_of(list(map(changes.view, four_runs())))) if one.key in wanted)
    load = throughput_of_load([changes.record(load_book())])
    book, places = task_book()
    tasks = task_map(changes.record(book), tuple(map(changes.record, places)))
    assert load is not None
    assert tasks is not None
    name = runs[0].title
    others = (learning_plot(changes.record(learning_curve())), load, tasks)
    write_figures([Chapter(name, runs), Chapter("other", others)], folder / "figures")
    return folder / "figures" / "index.html"
