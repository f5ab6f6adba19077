"""A selection as tables: for the terminal and as Markdown; and the words that all its forms share."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from harness.records.decision import Assessment, Criterion, CriterionName, Decision, Plan, Selection, Share
from harness.report.formats import counted, seconds, usd
from harness.report.text import visible

__all__ = [
    "CRITERIA",
    "chosen_of",
    "criterion_figure",
    "criterion_span",
    "criterion_text",
    "headline",
    "markdown_page",
    "moves",
    "price_text",
    "print_selection",
    "rough",
    "share_of_calls",
    "share_span",
    "verdict_text",
]

_NONE = "–"
_WIDTH = 170
_LONG = 40
CRITERIA: tuple[tuple[CriterionName, str], ...] = (
    ("accuracy", "accuracy"),
    ("wrong_calls", "wrong calls"),
    ("missed_calls", "missed calls"),
    ("schema", "form"),
    ("ttft", "first token"),
    ("e2e", "reply"),
    ("cost", "cost"),
)
_UNITS = {"calls": "calls", "tokens": "tokens", "usd": "USD", "seconds": "seconds"}


def rough(count: int) -> int:
    """Two digits of a count: an estimate carries no more.

    >>> rough(53817), rough(42)
    (54000, 42)
    """
    return round(count, min(0, 2 - len(str(count))))


def chosen_of(decision: Decision) -> Assessment | None:
    """The assessment that a decision speaks of: of the chosen variant, or of the one nearest to a verdict."""
    found = [one for one in decision.evidence if one.variant == decision.variant]
    open_ = [one for one in found if one.status == "need_more"]
    if decision.verdict in {"replace", "hybrid"}:
        mode = "direct" if decision.verdict == "replace" else "hybrid"
        return next((one for one in found if one.mode == mode), None)
    wanted = [one for one in open_ if one.more == decision.more] or found
    return wanted[0] if wanted else None


def verdict_text(decision: Decision) -> str:
    """`replace`, `hybrid`, `keep`, or how many samples more."""
    if decision.verdict != "need-n-more":
        return decision.verdict
    return "need more" if decision.more is None else f"need ≈ {rough(decision.more):,} more"


def criterion_text(found: Criterion | None) -> str:
    """A criterion's figure with its interval."""
    span = criterion_span(found)
    return f"{criterion_figure(found)} ({span})" if span else criterion_figure(found)


def criterion_figure(found: Criterion | None) -> str:
    """Points of difference, share of late calls, or ratio of costs; a dash where there is none."""
    if found is None or found.estimate is None:
        return _NONE
    if found.name == "cost":
        return f"{found.estimate:.2g}×"
    if found.name in {"ttft", "e2e"}:
        return f"{100 * found.estimate:.3g} % late"
    return f"{100 * found.estimate:+.1f}".replace("-", "−")


def criterion_span(found: Criterion | None) -> str:
    """The interval of a criterion's figure; empty where there is none."""
    if found is None or found.interval is None or found.name in {"ttft", "e2e", "cost"}:
        return ""
    low, high = (f"{100 * end:+.0f}".replace("-", "−") for end in (found.interval.low, found.interval.high))
    return f"{low} … {high}"


def share_of_calls(selection: Selection, decision: Decision) -> float:
    """Share of the calls that the cluster has."""
    return decision.traffic.calls / sum(one.traffic.calls for one in selection.decisions)


def share_span(share: Share) -> str:
    """The interval of a replaceable share."""
    if share.interval is None:
        return _NONE
    return f"{100 * share.interval.low:.1f} % … {100 * share.interval.high:.1f} %"


def moves(selection: Selection, plan: Plan) -> list[tuple[str, str]]:
    """Cluster and label of what takes it, in the order of the clusters."""
    labels = {one.id: one.label for one in selection.variants}
    found = []
    for one in selection.decisions:
        if one.cluster in plan.assignment:
            id_, _, mode = plan.assignment[one.cluster].partition(" (")
            found.append((one.name, labels[id_] + (", hybrid" if mode else "")))
    return found


def headline(selection: Selection) -> str:
    """What the selection comes to, in one sentence that claims no more than the verdicts."""
    calls = next(one for one in selection.shares if one.unit == "calls")
    counts = {
        name: sum(one.verdict == name for one in selection.decisions)
        for name in ("replace", "hybrid", "keep", "need-n-more")
    }
    base = _short(selection)
    n = counted(len(selection.decisions), "cluster")
    if not counts["replace"] and not counts["hybrid"]:
        if counts["need-n-more"]:
            left = f"{counts['need-n-more']} of {n} need more samples"
            return f"Nothing is shown to be able to move from {base} yet: {left}."
        return f"Every call stays with {base}: in none of {n} will a variant do."
    shown = f"{100 * (calls.replace or 0):.0f} % of the calls can move from {base}"
    if counts["hybrid"]:
        shown += f", {100 * (calls.with_hybrid or 0):.0f} % with hybrids"
    rest = [f"{counts[name]} {word}" for name, word in (("keep", "kept"), ("need-n-more", "undecided")) if counts[name]]
    return f"{shown}; of {n} {counts['replace'] + counts['hybrid']} move{''.join(f', {one}' for one in rest)}."


def _short(selection: Selection) -> str:
    """The baseline's name for a sentence: without the models of a log, where there are many."""
    variant = selection.variant(selection.baseline)
    return variant.title if len(variant.title) <= _LONG else variant.title.partition(" (")[0]


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.1f} %"


def _cluster_rows(selection: Selection) -> tuple[list[str], list[list[str]]]:
    names = [(name, title) for name, title in CRITERIA if _used(selection, name)]
    heads = [
        "cluster",
        "calls",
        "n (in sessions)",
        "baseline",
        "verdict",
        "variant",
        *(title for _, title in names),
        "p adj.",
    ]
    labels = {one.id: one.label for one in selection.variants}
    rows = []
    for one in selection.decisions:
        found = chosen_of(one)
        label = labels[one.variant] if one.variant else _NONE
        handed = f", {100 * found.escalated:.0f} % handed on" if found and found.escalated is not None else ""
        rows.append(
            [
                one.name,
                f"{100 * share_of_calls(selection, one):.1f} %",
                str(one.n) if one.sessions == one.n else f"{one.n} in {one.sessions}",
                _percent(one.baseline_accuracy),
                verdict_text(one),
                label + handed,
                *(_shown(found.criterion(name) if found else None) for name, _ in names),
                _NONE if found is None else f"{found.p_adjusted:.2g}",
            ]
        )
    return heads, rows


def _shown(found: Criterion | None) -> str:
    """Accuracy with its interval, the others without: a terminal is narrow."""
    return criterion_text(found) if found is not None and found.name == "accuracy" else criterion_figure(found)


def _used(selection: Selection, name: CriterionName) -> bool:
    found = [each.criterion(name) for one in selection.decisions for each in one.evidence]
    return any(one is not None and one.estimate is not None for one in found)


def _plan_rows(selection: Selection) -> tuple[list[str], list[list[str]]]:
    heads = ["plan", "deployments", "calls moved", "USD per 1,000 calls", "gives away"]
    rows = []
    for plan in selection.plans:
        name = plan.name if plan.exact else f"{plan.name} (greedy)"
        cost = _NONE if plan.cost_usd_per_1k is None else usd(plan.cost_usd_per_1k)
        deployments = "; ".join(plan.deployments)
        rows.append([name, deployments, f"{100 * plan.calls_moved:.1f} %", cost, price_text(plan) or _NONE])
    return heads, rows


def price_text(plan: Plan) -> str:
    """What a plan gives away beside the best for each cluster, and what it has over it; empty for that one itself.

    It may cost less: the best one takes a dearer variant alone before a cheaper one that hands calls on.
    """
    said = []
    if (calls := plan.price_calls) is not None:
        said.append(f"{100 * abs(calls):.1f} % of the calls{' more move' if calls < 0 else ''}")
    if (dearer := plan.price_usd_per_1k) is not None:
        said.append(f"{usd(abs(dearer))} {'less ' if dearer < 0 else ''}per 1,000")
    return ", ".join(said)


def _share_rows(selection: Selection) -> tuple[list[str], list[list[str]]]:
    heads = ["share that can move", "replace", "with hybrids", "shown … not refuted", "saved"]
    rows = [
        [
            _UNITS[one.unit],
            _percent(one.replace),
            _percent(one.with_hybrid),
            share_span(one),
            _percent(one.saved),
        ]
        for one in selection.shares
    ]
    return heads, rows


def _variant_rows(selection: Selection) -> tuple[list[str], list[list[str]]]:
    heads = ["variant", "accuracy", "95 % interval", "USD per call", "TTFT p95", "e2e p50", "memory", "front", "note"]
    front = {one.variant: one for one in selection.pareto}
    rows = []
    for one in selection.variants:
        span = one.accuracy_interval
        point = front[one.id]
        mark = "yes" if point.front else f"no {', '.join(point.missing)}" if point.missing else "beaten"
        rows.append(
            [
                one.label,
                _percent(one.accuracy),
                _NONE if span is None else f"{100 * span.low:.1f} % … {100 * span.high:.1f} %",
                _NONE if one.cost_usd_per_call is None else usd(one.cost_usd_per_call),
                _NONE if one.ttft_p95_s is None else seconds(one.ttft_p95_s),
                _NONE if one.e2e_p50_s is None else seconds(one.e2e_p50_s),
                _NONE if one.memory_bytes is None else f"{one.memory_bytes / (1 << 20):,.0f} MiB",
                mark,
                "baseline" if one.id == selection.baseline else one.barred or "",
            ]
        )
    return heads, rows


def _budget_rows(selection: Selection) -> tuple[list[str], list[list[str]]]:
    heads = ["several samples", "accuracy", "at no more than", "best single call", "accuracy", "difference"]
    labels = {one.id: one.label for one in selection.variants}
    rows = [
        [
            labels[one.several],
            _percent(one.several_accuracy),
            f"{usd(one.limit)} a call" if one.kind == "cost" else seconds(one.limit),
            labels[one.single] if one.single else _NONE,
            _percent(one.single_accuracy),
            one.comparison,
        ]
        for one in selection.budgets
    ]
    return heads, rows


_Rows = Callable[[Selection], tuple[list[str], list[list[str]]]]
_TABLES: tuple[tuple[str, _Rows], ...] = (
    ("Clusters", _cluster_rows),
    ("Variants", _variant_rows),
    ("Plans", _plan_rows),
    ("Replaceable share", _share_rows),
    ("What several samples buy", _budget_rows),
)
_WORDS = frozenset({"cluster", "variant", "verdict", "plan", "deployments", "note", "front", "difference"})


def _title(selection: Selection) -> str:
    stats = selection.stats
    return (
        f"{selection.suite}: {counted(len(selection.decisions), 'cluster')} held against "
        f"{_short(selection)}; margins {stats['name']}, α {stats['alpha']:g} "
        f"({stats['multiplicity']}, {selection.hypotheses} verdicts)"
    )


def _rankings(selection: Selection) -> list[str]:
    labels = {one.id: one.label for one in selection.variants}
    return [
        f"{labels[one.first]} {'before' if one.difference else 'beside'} {labels[one.second]}: {one.text}"
        for one in selection.ranking
    ]


def print_selection(selection: Selection) -> None:
    """Prints the tables with the notes to standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    console.print(_line(_title(selection)), highlight=False, markup=False)
    for name, rows in _TABLES:
        heads, found = rows(selection)
        if not found:
            continue
        table = Table(title=name, title_justify="left", highlight=False)
        for head in heads:
            table.add_column(head, justify="left" if head in _WORDS else "right", overflow="fold")
        for row in found:
            table.add_row(*(_plain(cell) for cell in row))
        console.print(table)
    for line in _rankings(selection):
        console.print(_line(line), highlight=False, markup=False)
    console.print(_line(headline(selection)), style="bold", highlight=False, markup=False)
    for note in selection.notes:
        console.print(_line(f"- {note}"), highlight=False, markup=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(_line(text))


def _line(text: str) -> str:
    """One line, with what cannot be seen in it spelled out."""
    return " ".join(visible(text).split())


def markdown_page(selection: Selection) -> str:
    """The selection as a page of Markdown, with the reason for every variant that was not taken."""
    lines = [f"# {_cell(_title(selection))}", "", _cell(headline(selection)), ""]
    for name, rows in _TABLES:
        heads, found = rows(selection)
        if found:
            lines += [f"## {name}", "", *_markdown_table(heads, found), ""]
    if selection.ranking:
        lines += ["## Is the order decided?", "", *(f"- {_cell(one)}" for one in _rankings(selection)), ""]
    labels = {one.id: one.label for one in selection.variants}
    lines += ["## Why, and why not", ""]
    for one in selection.decisions:
        lines.append(f"- **{_cell(one.name)}**: {verdict_text(one)}; {_cell(one.why)}")
        for id_, reason in one.rejected.items():
            key, _, mode = id_.partition(" (")
            lines.append(f"  - {_cell(labels.get(key, key))}{' (hybrid)' if mode else ''}: {_cell(reason)}")
    lines += ["", "## Notes", "", f"- {selection.rule}", *(f"- {_cell(note)}" for note in selection.notes), ""]
    lines += ["## Claimed elsewhere, not measured there or here", ""]
    for claim in selection.claims:
        lines.append(f"- {claim.text}: {claim_text(claim.low, claim.high, claim.unit)} ({claim.source})")
    return "\n".join(lines) + "\n"


def claim_text(low: float, high: float, unit: str) -> str:
    """A claimed range.

    >>> claim_text(0.8, 0.9, "share"), claim_text(10, 30, "times cheaper")
    ('80 to 90 %', '10 to 30 times cheaper')
    """
    if unit == "share":
        return f"{100 * low:.0f} %" if low == high else f"{100 * low:.0f} to {100 * high:.0f} %"
    return f"{low:g} to {high:g} {unit}"


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (heads, ["---"] * len(heads), *rows)]


def _cell(text: str) -> str:
    return _line(text.replace("|", "\\|").replace("<", "&lt;"))
