"""The page of an audit: one file without a network and without a script, from the record alone to HTML."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.audit import Audit, AuditCell, AuditCluster, AuditNext
from harness.records.decision import Decision
from harness.report.audit_table import (
    NEXT,
    RULES,
    baseline_name,
    by_share,
    decision_of,
    findings,
    headline,
    movers,
    remarks,
    short_label,
    spent,
    surety,
)
from harness.report.formats import counted, percent, points, rate, seconds, usd
from harness.report.links import explorer_link
from harness.report.page import environment, static_text, write_html
from harness.report.select_figures import bars_of
from harness.report.select_table import claim_text, rough, verdict_text

__all__ = ["build_page", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "select.css", "audit.css", "print.css")
_HUNDRED: Final = 100.0


@dataclass(frozen=True, slots=True)
class _Line:
    """A cluster's row."""

    cluster: AuditCluster
    decision: Decision
    cells: tuple[tuple[AuditCell, str], ...]
    """Each with the address of its evidence."""
    nearest: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    """The clusters that need the same next step."""

    next: AuditNext
    title: str
    rule: str
    share: float
    start: float
    """Where its part of the bar begins, in per cent."""
    lines: tuple[_Line, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A bar of the way from the log to what can move."""

    name: str
    calls: float
    width: float
    more: str


@dataclass(frozen=True, slots=True)
class _Change:
    """What 1,000 calls take now and once what can move has moved."""

    unit: str
    now: str
    after: str
    width_now: float
    width_after: float


def write_page(audit: Audit, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(audit))


def build_page(audit: Audit) -> str:
    """The page as HTML, a function of the record alone."""
    selection = audit.selection
    lines = [_line(audit, one) for one in by_share(audit)]
    calls = next(one for one in selection.shares if one.unit == "calls")
    return (
        _environment()
        .get_template("audit.html.j2")
        .render(
            audit=audit,
            selection=selection,
            stats=selection.stats,
            headline=headline(audit),
            findings=findings(audit),
            remarks=remarks(audit),
            surety=surety(audit),
            next_words=NEXT,
            base=baseline_name(selection),
            calls=calls,
            movers=movers(audit),
            lines=lines,
            columns=[one for one in selection.variants if one.id != selection.baseline],
            names={one.id: short_label(selection, one.id) for one in selection.variants},
            takes={one.id: _takes(audit, one.id) for one in selection.variants},
            groups=_groups(lines),
            bars=bars_of(selection),
            stages=_stages(audit),
            changes=_changes(audit),
            css=Markup(static_text(_CSS)),
        )
    )


def _line(audit: Audit, one: AuditCluster) -> _Line:
    cells = tuple((cell, _evidence(audit, cell, one.cluster)) for cell in one.cells)
    nearest = short_label(audit.selection, one.nearest) if one.nearest else None
    return _Line(one, decision_of(audit, one), cells, nearest)


def _evidence(audit: Audit, cell: AuditCell, cluster: str) -> str:
    """The model's answers in the cluster, in the sample explorer."""
    run = audit.selection.variant(cell.variant).run
    category = "" if audit.selection.by == "all" else cluster
    return explorer_link(audit.links["leaderboard"], run=run, category=category)


def _takes(audit: Audit, variant: str) -> int:
    """Clusters that a variant passes in alone."""
    return sum(cell.status == "pass" for one in audit.clusters for cell in one.cells if cell.variant == variant)


def _groups(lines: list[_Line]) -> list[_Group]:
    found, start = [], 0.0
    for key, title in NEXT.items():
        own = tuple(line for line in lines if line.cluster.next == key)
        if not own:
            continue
        share = sum(line.cluster.share for line in own)
        found.append(_Group(key, title, RULES[key], share, _HUNDRED * start, own))
        start += share
    return found


def _stages(audit: Audit) -> list[_Stage]:
    """From the calls of the log to those that can move; stages that are not known are left out."""
    funnel = audit.funnel
    calls = next(one for one in audit.selection.shares if one.unit == "calls")
    moves = (calls.with_hybrid or 0.0) * funnel.judged
    dropped = ", ".join(f"{rule.replace('_', ' ')} {count:,}" for rule, count in funnel.dropped.items())
    tasks = "" if funnel.tasks is None else counted(funnel.tasks, "recurring task")
    covered = "" if funnel.covered is None else f" with {percent(funnel.covered)} of the calls"
    told = [
        ("in the log", funnel.read, ""),
        ("kept, repeats counted", funnel.stand, f"left out: {dropped}" if dropped else ""),
        ("judged", funnel.judged, f"by {counted(funnel.samples, 'sample')}; {tasks}{covered}".rstrip("; ")),
        ("can move", moves, ""),
    ]
    known = [(name, count, more) for name, count, more in told if count is not None]
    most = max(count for _, count, _ in known) or 1
    return [_Stage(name, count, _HUNDRED * count / most, more) for name, count, more in known]


def _changes(audit: Audit) -> list[_Change]:
    found = []
    for unit, name, text in (("usd", "Cost", usd), ("seconds", "Time", seconds)):
        both = spent(audit, unit)
        if both is None or max(both) <= 0:
            continue
        now, after = both
        most = max(both)
        after_text = text(max(0.0, after))
        found.append(_Change(name, text(now), after_text, _HUNDRED * now / most, _HUNDRED * max(0.0, after) / most))
    return found


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "seconds": seconds, "counted": counted, "usd": usd, "rate": rate, "rough": rough,
        "points": points, "verdict": verdict_text, "claim": claim_text,
    }  # fmt: skip
    return made
