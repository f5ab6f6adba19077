"""An audit in words: its headline and findings, as Markdown, and what the terminal shows."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.records.audit import Audit, AuditCell, AuditCluster, AuditNext
from harness.records.decision import Decision, Selection, Share
from harness.report.formats import counted, percent, seconds, usd
from harness.report.select_table import rough, share_span, verdict_text
from harness.runner.traffic import overflow_text

__all__ = [
    "NEXT",
    "RULES",
    "baseline_name",
    "by_share",
    "cell_text",
    "decision_of",
    "findings",
    "headline",
    "markdown_page",
    "movers",
    "print_audit",
    "remarks",
    "short_label",
    "spent",
    "surety",
]

_NONE: Final = "–"
_LONG: Final = 40
_WIDTH: Final = 150
_SHOWN: Final = 12
"""Clusters that the terminal lists; the page and `audit.md` have all."""
_MOST: Final = 0.5
"""From this share of calls on that do not fit, the headline begins with it."""
_TOO_FEW: Final = "No cluster has enough samples"
"""Beginning of the selection's note on it."""
_STATUS: Final = {"pass": "passes", "fail": "fails", "need_more": "open", "barred": "left out"}

NEXT: Final[dict[AuditNext, str]] = {
    "move": "move",
    "hybrid": "move, with a check",
    "convert": "convert",
    "measure": "measure more",
    "context": "longer context",
    "keep": "keep",
}
"""What to do, in the words of the page."""

RULES: Final[dict[AuditNext, str]] = {
    "move": "Every criterion is shown to hold for a model: it can take the cluster over today.",
    "hybrid": "A model can take it over if the calls in which a check of its reply fails go on to the baseline.",
    "convert": "No model is shown to do as it is, and one is near: it has at least half of what the baseline has "
    "right, or at least half of its misses break the form. Such clusters are the ones to fine-tune for.",
    "measure": "Neither shown to hold nor to fail: more samples decide it.",
    "context": "At least half of its prompts fit into the context of no model: a longer one, or shorter prompts.",
    "keep": "Every model is shown to fail a criterion, and none is near.",
}
"""The rules of `harness.audit.sorting`, in words."""


def decision_of(audit: Audit, one: AuditCluster) -> Decision:
    """The decision on a cluster."""
    return next(each for each in audit.selection.decisions if each.cluster == one.cluster)


def by_share(audit: Audit) -> list[AuditCluster]:
    """The clusters, most calls first."""
    return sorted(audit.clusters, key=lambda one: (-one.share, one.cluster))


def baseline_name(selection: Selection) -> str:
    """The baseline's name for a sentence: without the models of a log, where there are many."""
    variant = selection.variant(selection.baseline)
    if variant.title.startswith("incumbent"):
        return variant.model if variant.model != "incumbent" else "the log's models"
    return variant.title if len(variant.title) <= _LONG else variant.model


def short_label(selection: Selection, id_: str) -> str:
    """A variant's name; with more where another has the same."""
    variant = selection.variant(id_)
    same = [one for one in selection.variants if one.title == variant.title]
    return variant.title if len(same) == 1 else variant.label


def movers(audit: Audit) -> list[tuple[str, int]]:
    """Labels of the models that take clusters over, with how many, most first."""
    selection = audit.selection
    found = Counter(
        short_label(selection, one.variant)
        for one in selection.decisions
        if one.variant is not None and one.verdict in {"replace", "hybrid"}
    )
    return found.most_common()


def share_in(audit: Audit, unit: str) -> Share:
    """The share in one currency."""
    return next(one for one in audit.selection.shares if one.unit == unit)


def spent(audit: Audit, unit: str) -> tuple[float, float] | None:
    """USD or seconds of 1,000 calls with the baseline, and once what can move has moved; None where not known."""
    decisions = audit.selection.decisions
    parts = [one.traffic.usd if unit == "usd" else one.traffic.seconds for one in decisions]
    saved = share_in(audit, unit).saved
    known = [part for part in parts if part is not None]
    if saved is None or not known or len(known) < len(parts):
        return None
    now = 1000 * sum(known) / sum(one.traffic.calls for one in decisions)
    return now, now * (1 - saved)


def headline(audit: Audit) -> str:
    """What share can move, to which model, and what it saves, in a sentence that claims no more than the verdicts.

    Where most calls fit into no model's context, that comes first.
    """
    return f"{_too_long(audit)}{_verdict(audit)}"


def _too_long(audit: Audit) -> str:
    """A sentence on the calls that do not fit even where most do, if these are most of the calls; else nothing."""
    done = [one for one in audit.runs if one.status == "complete" and one.model != _baseline_title(audit)]
    over = [one.overflow for one in done]
    if not done or any(one is None for one in over):
        return ""
    least = min((one.n / one.of if one.traffic_frac is None else one.traffic_frac) for one in over if one is not None)
    if least < _MOST:
        return ""
    where = "into the model's context" if len(done) == 1 else "even into the longest context of these models"
    return f"{percent(least)} of the calls do not fit {where}. "


def _baseline_title(audit: Audit) -> str:
    return audit.selection.variant(audit.selection.baseline).title


def _verdict(audit: Audit) -> str:
    calls, names = share_in(audit, "calls"), [name for name, _ in movers(audit)]
    base = baseline_name(audit.selection)
    if not names:
        open_ = sum(one.verdict == "need-n-more" for one in audit.selection.decisions)
        n = counted(len(audit.clusters), "cluster")
        if open_:
            return f"Nothing is shown to be able to move from {base} yet: {open_} of {n} need more samples."
        return f"Every call stays with {base}: in none of {n} will one of these models do."
    to = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    text = f"{percent(calls.with_hybrid or 0)} of the calls can move from {base} to {to} today"
    money = share_in(audit, "usd").saved
    if money is not None:
        text += f", which {'saves' if money >= 0 else 'costs'} {percent(abs(money))} {'of' if money >= 0 else 'more'}"
        text += " the cost" if money >= 0 else ""
    return f"{text}."


def findings(audit: Audit) -> list[str]:
    """What stands below the headline: how sure it is, what does not fit, and what comes next."""
    selection = audit.selection
    stats, calls = selection.stats, share_in(audit, "calls")
    found = []
    if calls.interval is not None:
        found.append(
            f"Between {percent(calls.interval.low)} and {percent(calls.interval.high)} of the calls: what is shown to "
            "move, and what is not shown to stay. Decided at a margin of "
            f"{100 * float(str(stats['accuracy'])):g} points of right answers, α {stats['alpha']} for "
            f"{counted(selection.hypotheses, 'verdict')} together."
        )
    found += _fits(audit)
    sums: Counter[AuditNext] = Counter()
    shares: dict[AuditNext, float] = {}
    for one in audit.clusters:
        sums[one.next] += 1
        shares[one.next] = shares.get(one.next, 0.0) + one.share
    told = [f"{NEXT[key]} {sums[key]} ({percent(shares[key])} of the calls)" for key in NEXT if sums[key]]
    found.append(f"Of {counted(len(audit.clusters), 'cluster')}: {', '.join(told)}.")
    if not movers(audit):
        found += [note for note in selection.notes if note.startswith(_TOO_FEW)]
    return [*found, *audit.notes]


def remarks(audit: Audit) -> list[str]:
    """What else a reader must know before believing a number: the selection's notes that are not among the findings."""
    said = findings(audit)
    return [note for note in audit.selection.notes if note not in said]


def surety(audit: Audit) -> tuple[str, str]:
    """How sure the verdicts are: a figure, and what it is of."""
    stats = audit.selection.stats
    alpha, margin = float(str(stats["alpha"])), f"at a margin of {100 * float(str(stats['accuracy'])):g} points"
    if stats["multiplicity"] == "holm":
        return percent(1 - alpha), f"that no cluster moves wrongly, {margin}"
    if stats["multiplicity"] == "bh":
        return percent(1 - alpha), f"of the clusters that move do so rightly, in expectation, {margin}"
    return percent(1 - alpha), f"for each verdict on its own, {margin}"


def _fits(audit: Audit) -> list[str]:
    return [
        f"{one.model}: {overflow_text(one.overflow)}."
        for one in audit.runs
        if one.overflow is not None and one.status == "complete"
    ]


def cell_text(cell: AuditCell) -> str:
    """A model in a cluster: what is shown, and its share of right answers."""
    if cell.status == "barred":
        return _NONE
    right = "" if cell.accuracy is None else f" {percent(cell.accuracy)}"
    more = f", ≈ {rough(cell.more):,} more" if cell.status == "need_more" and cell.more else ""
    return f"{_STATUS[cell.status]}{right}{more}{', hybrid passes' if cell.hybrid else ''}"


def _matrix(audit: Audit, most: int | None) -> tuple[list[str], list[list[str]]]:
    selection = audit.selection
    variants = [one.id for one in selection.variants if one.id != selection.baseline]
    heads = ["cluster", "calls", "n", "baseline", *(short_label(selection, one) for one in variants), "verdict", "next"]
    rows = []
    for one in by_share(audit)[:most]:
        decision = decision_of(audit, one)
        right = decision.baseline_accuracy
        rows.append(
            [
                one.name,
                percent(one.share),
                str(decision.n) if decision.n == decision.sessions else f"{decision.n} in {decision.sessions}",
                _NONE if right is None else percent(right),
                *(cell_text(cell) for cell in one.cells),
                verdict_text(decision),
                NEXT[one.next],
            ]
        )
    return heads, rows


def _money(audit: Audit) -> tuple[list[str], list[list[str]]]:
    selection = audit.selection
    heads = ["model", "right", "USD per 1,000", "first token p95", "reply p50", "reply p95", "clusters it can take"]
    rows = []
    for one in selection.variants:
        takes = sum(cell.status == "pass" for each in audit.clusters for cell in each.cells if cell.variant == one.id)
        rows.append(
            [
                f"{short_label(selection, one.id)}{' (baseline)' if one.id == selection.baseline else ''}",
                _NONE if one.accuracy is None else percent(one.accuracy),
                _NONE if one.cost_usd_per_call is None else usd(1000 * one.cost_usd_per_call),
                _NONE if one.ttft_p95_s is None else seconds(one.ttft_p95_s),
                _NONE if one.e2e_p50_s is None else seconds(one.e2e_p50_s),
                _NONE if one.e2e_p95_s is None else seconds(one.e2e_p95_s),
                _NONE if one.id == selection.baseline else str(takes),
            ]
        )
    return heads, rows


def _shares(audit: Audit) -> tuple[list[str], list[list[str]]]:
    heads = ["of the", "can move", "between", "net saved"]
    rows = [
        [
            one.unit.upper() if one.unit == "usd" else one.unit,
            _NONE if one.with_hybrid is None else percent(one.with_hybrid),
            share_span(one),
            _NONE if one.saved is None else f"{100 * one.saved:.1f} %",
        ]
        for one in audit.selection.shares
    ]
    return heads, rows


def print_audit(audit: Audit) -> None:
    """Prints what the page's first screen says, to standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    tables = (("Clusters", _matrix(audit, _SHOWN)), ("Money and time", _money(audit)), ("Share", _shares(audit)))
    for title, (heads, rows) in tables:
        table = Table(title=title, title_justify="left", highlight=False)
        for place, head in enumerate(heads):
            table.add_column(escape(head), justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
    if len(audit.clusters) > _SHOWN:
        console.print(f"… and {len(audit.clusters) - _SHOWN} clusters with fewer calls", highlight=False)
    console.print(headline(audit), style="bold", highlight=False, markup=False)
    for line in [*findings(audit), *remarks(audit)]:
        console.print(f"- {line}", highlight=False, markup=False)


def markdown_page(audit: Audit) -> str:
    """The audit as a page of Markdown."""
    base = baseline_name(audit.selection)
    lines = [f"# {headline(audit)}", "", f"{audit.suite} · held against {base} · {audit.made_at[:10]}", ""]
    lines += [*(f"- {_cell(line)}" for line in [*findings(audit), *remarks(audit)]), ""]
    tables = (("Clusters", _matrix(audit, None)), ("Money and time", _money(audit)), ("Share", _shares(audit)))
    for title, (heads, rows) in tables:
        lines += [f"## {title}", "", *_table(heads, rows), ""]
    lines += ["## What to do with each cluster", ""]
    for one in by_share(audit):
        lines.append(f"- **{_cell(one.name)}** ({percent(one.share)}): {NEXT[one.next]}; {_cell(one.why)}")
    lines += ["", "## Steps", "", f"All of it: `{audit.command}`", ""]
    done = [(one.name, one.said, one.command) for one in audit.steps]
    asked = [(f"ask {one.model}", one.said, one.command) for one in audit.runs]
    lines += [f"- {name}: {_cell(said)}: `{command}`" for name, said, command in (*done, *asked)]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (heads, ["---"] * len(heads), *rows)]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
