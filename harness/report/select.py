"""The page of a selection: one file without a network and without a script, from the record to HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.decision import Assessment, Decision, Selection
from harness.report.formats import counted, memory, percent, rate, seconds, usd
from harness.report.links import explorer_link
from harness.report.page import environment, static_text, write_html
from harness.report.select_figures import Bar, Front, bars_of, fronts_of
from harness.report.select_table import (
    CRITERIA,
    chosen_of,
    claim_text,
    criterion_figure,
    criterion_span,
    headline,
    moves,
    price_text,
    rough,
    share_of_calls,
    share_span,
    verdict_text,
)
from harness.report.site_links import explorer_runs

__all__ = ["build_page", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "select.css", "print.css")


@dataclass(frozen=True, slots=True)
class _Line:
    """A cluster's row."""

    decision: Decision
    share: float
    chosen: Assessment | None
    rejected: tuple[tuple[str, bool, str], ...]
    """Label, whether as a hybrid, and why not."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Everything that the template reads."""

    selection: Selection
    headline: str
    lines: tuple[_Line, ...]
    criteria: tuple[tuple[str, str], ...]
    bars: tuple[Bar, ...]
    fronts: Sequence[tuple[str, tuple[Front, ...]]]
    labels: dict[str, str]
    plans: tuple[tuple[object, tuple[tuple[str, str], ...]], ...]
    explorer: frozenset[str]

    def evidence(self, run: str, cluster: str) -> str | None:
        """The run's replies in the cluster, in the explorer; None where it does not have the run."""
        if run not in self.explorer:
            return None
        return explorer_link("leaderboard.html", run=run, category="" if self.selection.by == "all" else cluster)


def write_page(selection: Selection, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written.

    It links to the replies of those runs that the leaderboard beside it shows.
    """
    write_html(path, build_page(selection, explorer_runs(path.parent)))


def build_page(selection: Selection, explorer: frozenset[str] = frozenset()) -> str:
    """The page as HTML. explorer: runs whose samples the leaderboard beside the page shows; without, no links."""
    labels = {one.id: one.label for one in selection.variants}
    used = {
        found.name
        for one in selection.decisions
        for each in one.evidence
        for found in each.criteria
        if found.estimate is not None
    }
    page = _Page(
        selection=selection,
        headline=headline(selection),
        lines=tuple(_line(selection, one, labels) for one in selection.decisions),
        criteria=tuple((name, title) for name, title in CRITERIA if name in used),
        bars=bars_of(selection),
        fronts=fronts_of(selection),
        labels=labels,
        plans=tuple((plan, tuple(moves(selection, plan))) for plan in selection.plans),
        explorer=explorer,
    )
    return _environment().get_template("select.html.j2").render(page=page, css=Markup(static_text(_CSS)))


def _line(selection: Selection, one: Decision, labels: dict[str, str]) -> _Line:
    rejected = []
    for key, reason in one.rejected.items():
        id_, _, mode = key.partition(" (")
        rejected.append((labels.get(id_, id_), bool(mode), reason))
    return _Line(one, share_of_calls(selection, one), chosen_of(one), tuple(rejected))


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "seconds": seconds, "memory": memory, "counted": counted, "usd": usd, "rate": rate,
        "rough": rough, "verdict": verdict_text, "figure": criterion_figure, "between": criterion_span,
        "span": share_span, "claim": claim_text, "price": price_text,
    }  # fmt: skip
    return made
