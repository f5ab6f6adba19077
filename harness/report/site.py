"""The site of all runs: `reports/` as it can be published, made anew only where something changed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from harness import __version__
from harness.config import ReportOptions
from harness.records.audit import Audit
from harness.records.compare import CompareMatrix, Comparison
from harness.report.audit import write_page as write_audit
from harness.report.compare import Around
from harness.report.compare import write_page as write_comparison
from harness.report.compare_tables import comparison_tables, matrix_tables
from harness.report.compare_text import markdown_page
from harness.report.decision_tables import audit_tables, gate_tables, selection_tables
from harness.report.export import Field, Table
from harness.report.load import write_page as write_load
from harness.report.machine_tables import frontier_tables, load_tables
from harness.report.page import write_html
from harness.report.route import write_page as write_route
from harness.report.route_table import route_tables
from harness.report.select import write_page as write_selection
from harness.report.site_links import INDEX, explorer_runs, pages_there, weave
from harness.report.site_pages import comparison_file, gate_html, index_html, run_html, templates_print
from harness.report.site_read import Results, SiteRun, read_results
from harness.report.tables import export_links, keep_tables
from harness.store.runfolder import write_atomic, write_record

__all__ = ["SiteBill", "finish_pages", "write_comparison_pages", "write_site"]

STATE: Final = ".site.json"
_GATES: Final = 100
_BARE: Final = '<meta name="samples" content="left out">'


@dataclass(frozen=True, slots=True)
class SiteBill:
    """What was made."""

    runs: int
    rendered: int
    """Pages of runs that were made anew."""
    removed: tuple[str, ...] = ()
    """Pages that showed texts of calls which are not to be told."""


def write_site(results: Path, reports: Path, options: ReportOptions) -> SiteBill:
    """Writes index, run pages, gates and comparisons, and what lies in `results` but not in `reports`.

    The leaderboard is there already. Raises DataError where something cannot be written.
    """
    found = read_results(results)
    explorer = explorer_runs(reports)
    rendered = _run_pages(found.runs, reports, explorer, options)
    _missing_pages(found, reports)
    _stored_tables(found, reports, options)
    removed = () if options.samples else _telling(found, reports)
    for gate in found.gates[:_GATES]:
        kept = keep_tables(reports, f"gates/{gate.name}", gate_tables(gate), options)
        page = reports / "gates" / f"{gate.name}.html"
        write_html(page, gate_html(gate, pages_there(reports), export_links(kept, "../")))
    for one in found.comparisons:
        write_comparison_pages(one, reports, options, newest=one is found.comparisons[0])
    kept = keep_tables(reports, "site", _site_tables(found), options)
    pages = pages_there(reports) | {INDEX}
    write_html(reports / INDEX, index_html(found, pages, export_links(kept), samples=options.samples))
    write_atomic(reports / ".nojekyll", "")
    weave(reports)
    return SiteBill(len(found.runs), rendered, removed)


def finish_pages(results: Path, reports: Path, options: ReportOptions) -> None:
    """What follows when a verb has written its page: the whole site where it is asked for, else the links alone."""
    if options.site:
        write_site(results, reports, options)
    else:
        weave(reports)


def write_comparison_pages(
    found: Comparison | CompareMatrix, reports: Path, options: ReportOptions, *, newest: bool = True
) -> Path:
    """The page of a comparison under its own name and, of the newest, as `compare.html`, with its data beside both.

    Returns the page that a reader is sent to. Raises DataError where something cannot be written.
    """
    path = comparison_file(found)
    found = _told(found, options)
    tables = comparison_tables(found) if isinstance(found, Comparison) else matrix_tables(found)
    kept = keep_tables(reports, path.removesuffix(".html"), tables, options)
    explorer, pages = explorer_runs(reports), pages_there(reports)
    places = [(reports / path, "../"), *([(reports / "compare.html", "")] if newest else [])]
    for page, root in places:
        write_comparison(found, page, Around(root, explorer, pages, kept))
        write_record(page.with_suffix(".json"), found)
        write_atomic(page.with_suffix(".md"), markdown_page(found))
    return places[-1][0]


def _told(found: Comparison | CompareMatrix, options: ReportOptions) -> Comparison | CompareMatrix:
    """The comparison without the texts of samples where they are not to be told."""
    if options.samples or isinstance(found, CompareMatrix):
        return found
    bare = {"prompt": None, "a_reply": None, "b_reply": None, "a_why": None, "b_why": None}
    return found.model_copy(update={"flips": tuple(one.model_copy(update=bare) for one in found.flips)})


def _run_pages(runs: Sequence[SiteRun], reports: Path, explorer: frozenset[str], options: ReportOptions) -> int:
    """Makes the pages of runs whose files, links or templates changed, and removes those of runs that are gone."""
    made_with = f"{__version__} {templates_print()}"
    before = _state(reports)
    now, count = {}, 0
    for run in runs:
        mark = f"{made_with} {run.print} {run.status} {run.id in explorer}"
        now[run.id] = mark
        page = reports / "runs" / f"{run.id}.html"
        if before.get(run.id) != mark or not page.is_file():
            write_html(page, run_html(run, explorer=run.id in explorer and options.samples))
            count += 1
    for page in (reports / "runs").glob("*.html"):
        if page.stem not in now:
            page.unlink(missing_ok=True)
    if now != before:
        write_atomic(reports / STATE, orjson.dumps(now).decode() + "\n")
    return count


def _state(reports: Path) -> dict[str, str]:
    try:
        found = orjson.loads((reports / STATE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _missing_pages(found: Results, reports: Path) -> None:
    """Pages of stored verdicts that are not there, as in a folder of reports that was emptied."""
    if found.selection is not None and not (reports / "select.html").is_file():
        write_selection(found.selection, reports / "select.html")
    if found.route is not None and not (reports / "route.html").is_file():
        write_route(found.route, reports / "route.html")
    if found.audit is not None:
        write_audit(_linked(found.audit, reports), reports / "audit.html")
    if found.load is not None and not (reports / "load.html").is_file():
        write_load(found.load, reports / "load.html")


def _linked(audit: Audit, reports: Path) -> Audit:
    """The audit with links to nothing outside the site: to a run's page in place of its folder."""
    links = {}
    for name, address in audit.links.items():
        page = f"runs/{name.removeprefix('run ')}.html"
        if name.startswith("run ") and (reports / page).is_file():
            links[name] = page
        elif (reports / address).is_file() and not address.startswith(("..", "/")):
            links[name] = address
    return audit.model_copy(update={"links": {"selection": "select.html", "leaderboard": "leaderboard.html", **links}})


def _telling(found: Results, reports: Path) -> tuple[str, ...]:
    """Pages made before, from what does not lie in `results`, that show texts of calls: removed, and named."""
    gone = []
    page = reports / "clusters.html"
    if page.is_file() and _BARE not in page.read_text(encoding="utf-8"):
        gone.append("clusters")
    kept = {comparison_file(one).removesuffix(".html") for one in found.comparisons}
    there = {f"compare/{one.stem}" for one in (reports / "compare").glob("*.html")}
    gone += sorted(there - kept)
    gone += ["compare"] if not kept and (reports / "compare.html").is_file() else []
    for name in gone:
        for kind in ("html", "json", "md"):
            (reports / f"{name}.{kind}").unlink(missing_ok=True)
        shutil.rmtree(reports / "tables" / name, ignore_errors=True)
    return tuple(f"{name}.html" for name in gone)


def _stored_tables(found: Results, reports: Path, options: ReportOptions) -> None:
    if found.selection is not None:
        keep_tables(reports, "select", selection_tables(found.selection), options)
    if found.route is not None:
        keep_tables(reports, "route", route_tables(found.route), options)
    if found.audit is not None:
        keep_tables(reports, "audit", audit_tables(found.audit), options)
    if found.load is not None:
        keep_tables(reports, "load", load_tables(found.load), options)
    if found.frontier is not None:
        keep_tables(reports, "quantize", frontier_tables(found.frontier), options)


def _site_tables(found: Results) -> tuple[Table, ...]:
    runs = Table(
        "site_runs",
        "Every run folder with its status",
        (
            Field("run", "text", "", "Folder of the run."),
            Field("status", "text", "", "complete, settled, stopped, interrupted, failed, running, killed or damaged."),
            Field("suite", "text", "", "Name of the suite; null: damaged."),
            Field("model", "text", "", "Name of the model."),
            Field("protocol", "text", "", "How it is told of its tools."),
            Field("accuracy", "number", "share", "Mean value of the scored attempts; null: no summary."),
            Field("low", "number", "share", "Lower end of its interval."),
            Field("high", "number", "share", "Upper end."),
            Field("n_scored", "count", "attempts", "With a value."),
            Field("cost_usd_per_sample", "number", "USD", "Of a finished attempt."),
            Field("started_at", "text", "ISO 8601", "When it began, UTC."),
        ),
        tuple(_run_row(one) for one in found.runs),
    )
    gates = Table(
        "gates",
        "Verdicts of gates",
        (
            Field("gate", "text", "", "Folder of the gate."),
            Field("made_at", "text", "ISO 8601", "When, UTC."),
            Field("suite", "text", "", "Name of the suite."),
            Field("verdict", "text", "", "pass, fail or inconclusive."),
            Field("candidate", "text", "", "Folder of the run."),
            Field("baseline", "text", "", "Folder of the accepted run."),
            Field("checks", "count", "checks", "In all."),
            Field("failed", "count", "checks", "That failed."),
        ),
        tuple(
            (one.name, one.made_at, one.suite, one.verdict, one.candidate.run, one.baseline.run, len(one.checks),
             sum(check.status == "fail" for check in one.checks))
            for one in found.gates
        ),
    )  # fmt: skip
    return (runs, gates)


def _run_row(one: SiteRun) -> tuple[str | float | int | None, ...]:
    manifest, summary = one.manifest, one.view.summary if one.view else None
    interval = summary.accuracy_interval if summary else None
    return (
        one.id,
        one.status,
        manifest.suite if manifest else None,
        manifest.model if manifest else None,
        manifest.protocol if manifest else None,
        summary.accuracy if summary else None,
        interval.low if interval else None,
        interval.high if interval else None,
        summary.n_scored if summary else None,
        summary.cost_usd_per_sample if summary else None,
        manifest.started_at if manifest else None,
    )
