"""The pages of a site: its index, a page for each run, and one for each gate."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Final

import orjson
from jinja2 import Environment
from markupsafe import Markup
from pydantic import JsonValue

from harness.records.compare import CompareMatrix, Comparison
from harness.records.gate import GateCheck, GateResult
from harness.report.breakdown import MISSES, miss_bars
from harness.report.compare_words import headline, matrix_headline, pair_file, signed
from harness.report.figures.history import history_plots
from harness.report.figures.html import Picture, picture
from harness.report.formats import counted, memory, percent, rate, seconds, usd
from harness.report.group import Group, groups_of, suite_label
from harness.report.links import explorer_link, page_link
from harness.report.measures import cells_of, measure_of
from harness.report.page import environment, static_text
from harness.report.rows import conditions, warnings
from harness.report.site_read import Results, SiteRun
from harness.report.tables import Links
from harness.report.view import RunView

__all__ = ["comparison_file", "gate_html", "index_html", "run_html", "templates_print"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "compare.css", "site.css", "print.css")
_LONG: Final = 120
_HISTORY: Final = 1
"""Pictures of a suite's history on the index: its accuracy; times and costs are on the leaderboard."""


def templates_print() -> str:
    """Hash of everything that a run's page is made with: another one, and all are made anew."""
    made = environment()
    seal = sha256(static_text(_CSS).encode())
    for name in ("run.html.j2", "gate.html.j2", "_macros.html.j2", "_site.html.j2", "_exports.html.j2"):
        assert made.loader is not None
        seal.update(made.loader.get_source(made, name)[0].encode())
    return seal.hexdigest()


def comparison_file(found: Comparison | CompareMatrix) -> str:
    """Path of a comparison's own page under `reports`."""
    name = pair_file(found.a.run, found.b.run) if isinstance(found, Comparison) else f"matrix~{found.name}"
    return f"compare/{name}.html"


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite on the index: who leads, and how it went over time."""

    group: Group
    n_runs: int
    first: RunView | None
    tied: int
    """How many more cannot be told apart from the first."""
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class _Index:
    """Everything that the index's template reads."""

    results: Results
    pages: frozenset[str]
    cards: tuple[tuple[str, str, str, str], ...]
    """Address, title, what it says, date."""
    suites: tuple[_Suite, ...]
    comparisons: tuple[tuple[str, str, str, str], ...]
    """Address, headline, suite, date."""
    samples: bool
    labels: dict[str, str] = field(default_factory=dict)
    """Suite of each run with its size."""

    def page_of(self, run: str) -> str | None:
        """Address of a run's page."""
        path = f"runs/{run}.html"
        return page_link(path) if path in self.pages else None

    def gate_page(self, gate: GateResult) -> str | None:
        """Address of a gate's page."""
        path = f"gates/{gate.name}.html"
        return page_link(path) if path in self.pages else None


def index_html(results: Results, pages: frozenset[str], exports: Links, *, samples: bool) -> str:
    """The index: what there is, who leads each suite, its history, and every run, gate and comparison."""
    views = [one.view for one in results.runs if one.view is not None]
    groups = groups_of(views)
    page = _Index(
        results=results,
        pages=pages,
        cards=tuple(_cards(results, pages, groups)),
        suites=tuple(_suite(place, group) for place, group in enumerate(groups)),
        comparisons=tuple(_comparison(one) for one in results.comparisons if comparison_file(one) in pages),
        samples=samples,
        labels={view.id: suite_label(view) for view in views},
    )
    script = f'(() => {{\n"use strict";\n{static_text(["site.js"])}\n}})();'
    return _environment().get_template("index.html.j2").render(
        page=page,
        exports=exports,
        css=Markup(static_text(_CSS)),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def _comparison(one: Comparison | CompareMatrix) -> tuple[str, str, str, str]:
    said = headline(one) if isinstance(one, Comparison) else matrix_headline(one)
    return page_link(comparison_file(one)), said, one.suite, one.made_at[:10]


def _suite(place: int, group: Group) -> _Suite:
    ranked = group.ranked
    first = ranked[0] if ranked else None
    tied = 0
    if first is not None and first.summary.accuracy_interval is not None:
        low = first.summary.accuracy_interval.low
        ends = [one.summary.accuracy_interval for one in ranked[1:]]
        tied = sum(end is not None and end.high >= low for end in ends)
    plots = history_plots(group)[:_HISTORY]
    pictures = tuple(picture(plot, f"suite-{place}") for plot in plots)
    return _Suite(group, len(group.current) + len(group.older), first, tied, pictures)


def _cards(results: Results, pages: frozenset[str], groups: Sequence[Group]) -> list[tuple[str, str, str, str]]:
    """Pages of the top level that are there, each with what it says."""
    models = len({run.summary.model for group in groups for run in group.current})
    board = f"{counted(models, 'model')} on {counted(len(groups), 'suite')}, with every picture"
    found = [("leaderboard.html", "Leaderboard", board, results.runs[0].id[:10] if results.runs else "")]
    if results.comparisons:
        one = results.comparisons[0]
        found.append(("compare.html", "Comparison", _comparison(one)[1], one.made_at[:10]))
    if (selection := results.selection) is not None:
        moved = sum(one.verdict in {"replace", "hybrid"} for one in selection.decisions)
        said = f"{moved} of {counted(len(selection.decisions), 'cluster')} of {selection.suite} can move"
        found.append(("select.html", "Selection", said, selection.made_at[:10]))
    if (routing := results.route) is not None:
        found.append(("route.html", "Routing", f"{routing.suite}: {routing.sentence}", routing.made_at[:10]))
    if (audit := results.audit) is not None:
        said = f"{counted(len(audit.clusters), 'task')} of {', '.join(audit.logs) or audit.suite}"
        found.append(("audit.html", "Audit", said, audit.made_at[:10]))
    found.append(("clusters.html", "Clusters", "the recurring tasks of the log", ""))
    found.append(("convert.html", "Conversion", "a model that learned from the log, before and after", ""))
    if (frontier := results.frontier) is not None:
        said = f"{frontier.model_title} at {counted(len(frontier.points), 'precision')} on {frontier.suite}"
        found.append(("quantize.html", "Quantization", said, frontier.made_at[:10]))
    if (load := results.load) is not None:
        found.append(("load.html", "Load", load.verdict, load.started_at[:10]))
    known = {page for page, *_ in found}
    others = sorted(one for one in pages if "/" not in one and one not in known and one not in {"index.html"})
    found += [(one, one.removesuffix(".html").capitalize(), "", "") for one in others]
    return [(page_link(page), title, said, at) for page, title, said, at in found if page in pages]


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything that the template of a run's page reads."""

    run: SiteRun
    view: RunView | None
    title: str
    figures: tuple[tuple[str, str, str], ...]
    """Label, value, what stands behind it."""
    deep: str | None
    """The run in the explorer."""
    settings: tuple[tuple[str, str], ...]
    older: bool


def run_html(run: SiteRun, *, explorer: bool) -> str:
    """The page of a run: what it measured, under which conditions, and where it lost. explorer: whether it is there."""
    view = run.view
    page = _Run(
        run=run,
        view=view,
        title=view.title if view else run.manifest.model if run.manifest else run.id,
        figures=tuple(_figures(view)) if view else (),
        deep=explorer_link("../leaderboard.html", run=run.id) if explorer else None,
        settings=tuple(_flat(run.manifest.config, "")) if run.manifest else (),
        older=False,
    )
    return _environment().get_template("run.html.j2").render(
        page=page,
        conditions=conditions(view) if view else (),
        warnings=warnings(view) if view else (),
        bars=miss_bars([view], "worth 1") if view else [],
        parts=[(measure_of(name), cell) for name, cell in cells_of(view).items()] if view else [],
        misses=MISSES,
        css=Markup(static_text(_CSS)),
    )  # fmt: skip


def _figures(view: RunView) -> list[tuple[str, str, str]]:
    summary = view.summary
    interval = summary.accuracy_interval
    mark = " (log)" if summary.recorded else ""
    found: list[tuple[str, str | None, str]] = [
        ("Accuracy", None if summary.accuracy is None else f"{100 * summary.accuracy:.1f} %",
         "" if interval is None else
         f"{100 * interval.low:.1f} – {100 * interval.high:.1f} % ({interval.level * 100:g} %, {interval.method})"),
        ("By traffic", None if summary.traffic is None else percent(summary.traffic.accuracy), "by the log's calls"),
        ("Attempts", f"{summary.n_scored:,} of {summary.n_planned:,} scored",
         f"{summary.n_failed:,} lost to the infrastructure, {summary.n_not_run:,} not run"),
        ("First token", None if summary.ttft_s is None else seconds(summary.ttft_s.p50) + mark,
         "" if summary.ttft_s is None else f"median; p95 {seconds(summary.ttft_s.p95)}"),
        ("Whole reply", None if summary.e2e_s is None else seconds(summary.e2e_s.p50) + mark,
         "" if summary.e2e_s is None else f"median; p95 {seconds(summary.e2e_s.p95)}"),
        ("Speed", None if summary.output_tokens_per_s is None else f"{rate(summary.output_tokens_per_s)} tokens/s", ""),
        ("Cost per 1,000", None if summary.cost_usd_per_sample is None else usd(1000 * summary.cost_usd_per_sample),
         summary.cost_basis or ""),
        ("Per 1,000 successes",
         None if summary.cost_usd_per_success is None else usd(1000 * summary.cost_usd_per_success), ""),
        ("Memory", _memory(view), "resident, after loading"),
    ]  # fmt: skip
    return [(label, value, note) for label, value, note in found if value is not None]


def _memory(view: RunView) -> str | None:
    facts = view.manifest.backend
    return memory(facts.memory_bytes) if facts and facts.memory_bytes is not None else None


def _flat(value: JsonValue, prefix: str) -> list[tuple[str, str]]:
    """Keys of the configuration that are set, in a line each; of a long text its hash."""
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in _flat(one, f"{prefix}.{key}".lstrip("."))]
    if value in (None, [], ""):
        return []
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if len(text) > _LONG:
        text = f"{len(text):,} characters, sha256 {sha256(text.encode()).hexdigest()[:12]}"
    return [(prefix, text)]


def gate_html(found: GateResult, pages: frozenset[str], exports: Links) -> str:
    """The page of a gate: its verdict with every check."""
    by_tier: dict[str, list[GateCheck]] = defaultdict(list)
    for one in found.checks:
        by_tier[one.tier].append(one)
    return _environment().get_template("gate.html.j2").render(
        found=found,
        tiers=[(tier, by_tier[tier]) for tier in ("blocking", "warning", "informative") if by_tier[tier]],
        runs={one: f"../runs/{page_link(one)}.html" for one in (found.baseline.run, found.candidate.run)
              if f"runs/{one}.html" in pages},
        exports=exports,
        css=Markup(static_text(_CSS)),
    )  # fmt: skip


def _check_figure(check: GateCheck, value: float | None) -> str:
    if value is None:
        return "–"
    if check.kind in {"margin", "keep", "least", "within"}:
        return f"{100 * value:.1f} %"
    if check.name == "cost":
        return usd(value)
    return f"{value:,.1f}" if check.name == "tokens" else seconds(value)


def _check_change(check: GateCheck) -> str:
    value, interval = check.estimate, check.interval
    if value is None or check.kind not in {"margin", "ratio"}:
        return "–"
    words = signed if check.kind == "margin" else _times
    return words(value) + (f" ({words(interval.low)} … {words(interval.high)})" if interval else "")


def _times(ratio: float) -> str:
    return f"×{ratio:.3g}"


def _setting(value: JsonValue) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"percent": percent, "counted": counted, "usd": usd, "seconds": seconds, "setting": _setting}
    made.globals |= {"check_figure": _check_figure, "check_change": _check_change}
    return made
