"""A routing policy in words and rows: for the terminal, as Markdown, as data, and for the page."""

from rich.console import Console
from rich.table import Table as Shown

from harness.records.interval import Interval
from harness.records.routing import KindRecord, LoadCase, PriceCase, RouteCluster, RouteFigures, RouteReport
from harness.report.export import Columns, Field, Table, markdown_cell, table_of
from harness.report.formats import percent, seconds, usd

__all__ = ["figure_title", "kind_text", "markdown_page", "print_route", "route_tables", "signed", "span"]

_NONE = "–"
_WIDTH = 190


def signed(share: float) -> str:
    """A difference in points with one digit.

    >>> signed(-0.0123), signed(0.02), signed(0.0)
    ('−1.2', '+2.0', '0.0')
    """
    value = round(100 * share, 1)
    return f"{'−' if value < 0 else '+' if value > 0 else ''}{abs(value):.1f}"


def span(interval: Interval | None) -> str:
    """An interval of shares in per cent; a dash where there is none."""
    return _NONE if interval is None else f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"


def figure_title(found: RouteFigures, report: RouteReport) -> str:
    """What a row of figures is of, in words."""
    if found.name.startswith("small: "):
        return f"{found.name.removeprefix('small: ')} alone"
    return {
        "policy": "The policy",
        "large": f"{report.large.name} alone",
        "random": "As many calls, drawn by lot",
        "oracle": "An oracle that knows both outcomes",
    }.get(found.name, found.name)


def kind_text(found: KindRecord) -> str:
    """The outcome of a kind: what it covers, or why it does not."""
    if found.certified is not None:
        return f"certified at {percent(found.certified.covered)} coverage"
    if found.status == "not made":
        return f"not made: {found.why_not}"
    more = f"; ≈ {_rough(found.more):,} calls more" if found.more is not None else ""
    return f"not certified: {found.why_not}{more}"


def _rough(count: int) -> int:
    """Two digits of a count: an estimate carries no more."""
    return round(count, min(0, 2 - len(str(count))))


def _usd(value: float | None) -> str:
    return _NONE if value is None else usd(1000 * value)


def _seconds(value: float | None) -> str:
    return _NONE if value is None else seconds(value)


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return _NONE if value is None else percent(value)


_KIND_HEAD = ("kind", "goes by", "experts", "outcome", "APGR", "CPT 50 %", "CPT 80 %")
_FIGURE_HEAD = ("", "small model", "both asked", "right", "Δ points", "USD / 1,000", "USD / 1,000 right", "p50", "p95")
_CLUSTER_HEAD = ("task", "calls", "expert", "small model", "right", "large", "Δ points", "95 %", "USD / 1,000")
_PRICE_HEAD = ("prices", "policy", "large alone", "small alone", "saved")
_LOAD_HEAD = ("load", "calls/s", "busy", "wait p50", "wait p95", "e2e p50", "e2e p95")


def _kind_row(one: KindRecord) -> tuple[str, ...]:
    by = (one.confidence or _NONE).replace("_", " ") + (f", {one.score}" if one.score else "")
    figures = (_ratio(one.apgr), _share(one.cpt_50), _share(one.cpt_80))
    return (one.kind, by, ", ".join(one.experts) or _NONE, kind_text(one), *figures)


def _figure_row(one: RouteFigures, report: RouteReport) -> tuple[str, ...]:
    return (
        figure_title(one, report),
        f"{percent(one.coverage)}",
        percent(one.both),
        f"{percent(one.accuracy)} ({span(one.accuracy_interval)})",
        signed(one.difference),
        _usd(one.cost_usd_per_call),
        _usd(one.cost_usd_per_success),
        _seconds(one.e2e_p50_s),
        _seconds(one.e2e_p95_s),
    )


def _cluster_row(one: RouteCluster) -> tuple[str, ...]:
    between = f"{signed(one.difference_interval.low)} … {signed(one.difference_interval.high)}"
    return (
        one.name,
        f"{percent(one.traffic)} (n {one.n})",
        one.expert or _NONE,
        percent(one.coverage),
        percent(one.accuracy),
        percent(one.large_accuracy),
        signed(one.difference),
        between,
        f"{_usd(one.cost_usd_per_call)} of {_usd(one.large_cost_usd_per_call)}",
    )


def _price_row(one: PriceCase) -> tuple[str, ...]:
    return (one.name, _usd(one.policy_usd), _usd(one.large_usd), _usd(one.small_usd), _share(one.saved))


def _load_row(one: LoadCase) -> tuple[str, ...]:
    times = (one.wait_p50_s, one.wait_p95_s, one.e2e_p50_s, one.e2e_p95_s)
    return (f"{one.factor:g} ×", f"{one.calls_per_s:.3g}", percent(one.busy), *map(_seconds, times))


_Rows = list[tuple[str, ...]]


def _parts(report: RouteReport) -> list[tuple[str, tuple[str, ...], _Rows]]:
    found: list[tuple[str, tuple[str, ...], _Rows]] = [
        ("Kinds of policy", _KIND_HEAD, [_kind_row(one) for one in report.kinds]),
        ("What the traffic gets", _FIGURE_HEAD, [_figure_row(one, report) for one in report.figures]),
        ("By task", _CLUSTER_HEAD, [_cluster_row(one) for one in report.clusters]),
        ("At other prices (USD per 1,000 calls)", _PRICE_HEAD, [_price_row(one) for one in report.prices]),
        ("Under more load", _LOAD_HEAD, [_load_row(one) for one in report.loads]),
    ]
    return [one for one in found if one[2]]


def markdown_page(report: RouteReport) -> str:
    """`route.md`."""
    lines = [f"# {report.sentence}", "", _about(report), ""]
    for title, head, rows in _parts(report):
        lines += [f"## {title}", "", _row(head), _row(["---"] * len(head)), *map(_row, rows), ""]
    lines += ["## Notes", "", *(f"- {note}" for note in report.notes), ""]
    return "\n".join(lines)


def _row(cells: "list[str] | tuple[str, ...]") -> str:
    return f"| {' | '.join(cell if cell == '---' else markdown_cell(cell) for cell in cells)} |"


def _about(report: RouteReport) -> str:
    small = ", ".join(one.label for one in report.small)
    return (
        f"Suite {report.suite}: {report.large.label}, and before it {small}. Made on {report.tuned_on:,} calls, "
        f"certified on {report.tested_on:,} others ({report.split})."
    )


def print_route(report: RouteReport) -> None:
    """The report on the terminal."""
    console = Console(width=max(Console().width, _WIDTH) if not Console().is_terminal else None)
    console.print(f"{report.sentence}.", markup=False, highlight=False)
    console.print(_about(report), markup=False, highlight=False)
    for title, head, rows in _parts(report):
        shown = Shown(title=title, title_justify="left")
        for place, name in enumerate(head):
            shown.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            shown.add_row(*(cell.replace("[", "\\[") for cell in row))
        console.print(shown)
    for note in report.notes:
        console.print(f"· {note}", markup=False, highlight=False)


def route_tables(report: RouteReport) -> tuple[Table, ...]:
    """All tables of the page as data."""
    points = [(one.kind, point) for one in report.kinds for point in one.curve]
    rungs = [(one.kind, rung) for one in report.kinds if one.certified for rung in one.certified.rungs]
    return (
        table_of("kinds", f"Kinds of policy on {report.suite}", report.kinds, _KINDS),
        table_of("figures", "What the traffic gets", report.figures, _FIGURES),
        table_of("clusters", "What the policy does with each task", report.clusters, _CLUSTERS),
        table_of("curve", "Every threshold on the test split", points, (
            (Field("kind", "text", "", "Of policy."), lambda one: one[0]),
            (Field("threshold", "number", "of the confidence", "null: the large model alone."),
             lambda one: one[1].threshold),
            (Field("coverage", "number", "share", "Calls that a small model answers."), lambda one: one[1].coverage),
            (Field("accuracy", "number", "share", "Of all calls."), lambda one: one[1].accuracy),
            (Field("cost_usd_per_call", "number", "USD", "Of all models asked."),
             lambda one: one[1].cost_usd_per_call),
        )),
        table_of("rungs", "Thresholds that were tested, in order", rungs, (
            (Field("kind", "text", "", "Of policy."), lambda one: one[0]),
            (Field("threshold", "number", "of the confidence", "That was tested."), lambda one: one[1].threshold),
            (Field("coverage", "number", "share", "Calls that a small model answers."), lambda one: one[1].coverage),
            (Field("difference", "number", "share", "Accuracy less that of the large model."),
             lambda one: one[1].difference),
            (Field("p", "number", "p", "Of losing the margin or more."), lambda one: one[1].p),
        )),
        table_of("prices", "At other prices", report.prices, _PRICES),
        table_of("loads", "Under more load", report.loads, _LOADS),
    )  # fmt: skip


def _low(interval: Interval | None) -> float | None:
    return interval.low if interval else None


def _high(interval: Interval | None) -> float | None:
    return interval.high if interval else None


_KINDS: Columns[KindRecord] = (
    (Field("kind", "text", "", "cluster, cascade, score or hybrid."), lambda one: one.kind),
    (Field("status", "text", "", "certified, not certified or not made."), lambda one: one.status),
    (Field("confidence", "text", "", "What it goes by."), lambda one: one.confidence),
    (Field("score", "text", "", "logistic or boosted, where one is learned."), lambda one: one.score),
    (Field("experts", "text", "", "Small models that may answer."), lambda one: "; ".join(one.experts) or None),
    (Field("threshold", "number", "of the confidence", "Certified; null: none is."),
     lambda one: one.certified.threshold if one.certified else None),
    (Field("coverage", "number", "share", "Calls that a small model answers."),
     lambda one: one.certified.covered if one.certified else None),
    (Field("coverage_low", "number", "share", "Lower end of its 95 % interval."),
     lambda one: _low(one.certified.coverage) if one.certified else None),
    (Field("coverage_high", "number", "share", "Upper end."),
     lambda one: _high(one.certified.coverage) if one.certified else None),
    (Field("difference", "number", "share", "Accuracy less that of the large model."),
     lambda one: one.certified.difference if one.certified else None),
    (Field("worst", "number", "share", "One-sided lower bound of it."),
     lambda one: one.certified.worst if one.certified else None),
    (Field("alpha", "number", "share", "At which this kind was tested."),
     lambda one: one.certified.alpha if one.certified else None),
    (Field("apgr", "number", "share", "Of the gap closed, over all shares of calls."), lambda one: one.apgr),
    (Field("cpt_50", "number", "share", "Calls to the large model that close half of it."), lambda one: one.cpt_50),
    (Field("cpt_80", "number", "share", "That close 80 % of it."), lambda one: one.cpt_80),
    (Field("more", "count", "calls", "About how many more may show it."), lambda one: one.more),
    (Field("why_not", "text", "", "Why it is not certified, or not made."), lambda one: one.why_not),
)  # fmt: skip

_FIGURES: Columns[RouteFigures] = (
    (Field("way", "text", "", "policy, large, small: NAME, random or oracle."), lambda one: one.name),
    (Field("n", "count", "calls", "Of the test split."), lambda one: one.n),
    (Field("coverage", "number", "share", "Calls that a small model answers."), lambda one: one.coverage),
    (Field("both", "number", "share", "Calls that two models were asked for."), lambda one: one.both),
    (Field("accuracy", "number", "share", "Of all calls."), lambda one: one.accuracy),
    (Field("low", "number", "share", "Lower end of its interval."), lambda one: _low(one.accuracy_interval)),
    (Field("high", "number", "share", "Upper end."), lambda one: _high(one.accuracy_interval)),
    (Field("difference", "number", "share", "To the large model alone."), lambda one: one.difference),
    (Field("cost_usd_per_call", "number", "USD", "All models asked."), lambda one: one.cost_usd_per_call),
    (Field("cost_usd_per_success", "number", "USD", "For each right answer."),
     lambda one: one.cost_usd_per_success),
    (Field("costed", "count", "calls", "Whose cost is known."), lambda one: one.costed),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), lambda one: one.e2e_p50_s),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one.e2e_p95_s),
    (Field("e2e_p95_high_s", "number", "s", "Upper end of its interval."), lambda one: one.e2e_p95_high_s),
    (Field("timed", "count", "calls", "Whose time is known."), lambda one: one.timed),
)  # fmt: skip

_CLUSTERS: Columns[RouteCluster] = (
    (Field("cluster", "text", "", "Id of the task."), lambda one: one.cluster),
    (Field("name", "text", "", "Its name."), lambda one: one.name),
    (Field("n", "count", "calls", "Of the test split."), lambda one: one.n),
    (Field("traffic", "number", "share", "Of all calls."), lambda one: one.traffic),
    (Field("expert", "text", "", "Small model that is asked most; null: none."), lambda one: one.expert),
    (Field("placed", "number", "share", "Calls that the index puts into it."), lambda one: one.placed),
    (Field("coverage", "number", "share", "Calls that a small model answers."), lambda one: one.coverage),
    (Field("accuracy", "number", "share", "With the policy."), lambda one: one.accuracy),
    (Field("large_accuracy", "number", "share", "Of the large model alone."), lambda one: one.large_accuracy),
    (Field("difference", "number", "share", "Of the two."), lambda one: one.difference),
    (Field("low", "number", "share", "Lower end of its interval."), lambda one: _low(one.difference_interval)),
    (Field("high", "number", "share", "Upper end."), lambda one: _high(one.difference_interval)),
    (Field("cost_usd_per_call", "number", "USD", "With the policy."), lambda one: one.cost_usd_per_call),
    (Field("large_cost_usd_per_call", "number", "USD", "Of the large model alone."),
     lambda one: one.large_cost_usd_per_call),
)  # fmt: skip

_PRICES: Columns[PriceCase] = (
    (Field("prices", "text", "", "What is changed."), lambda one: one.name),
    (Field("policy_usd", "number", "USD", "Of a call."), lambda one: one.policy_usd),
    (Field("large_usd", "number", "USD", "With the large model alone."), lambda one: one.large_usd),
    (Field("small_usd", "number", "USD", "With the small models alone."), lambda one: one.small_usd),
    (Field("saved", "number", "share", "Of what the large model alone costs."), lambda one: one.saved),
    (Field("costed", "count", "calls", "Whose cost is known."), lambda one: one.costed),
)  # fmt: skip

_LOADS: Columns[LoadCase] = (
    (Field("factor", "number", "times", "The calls of today."), lambda one: one.factor),
    (Field("calls_per_s", "number", "1/s", "That the small engine gets."), lambda one: one.calls_per_s),
    (Field("busy", "number", "share", "Of the time its slots work."), lambda one: one.busy),
    (Field("wait_p50_s", "number", "s", "Waiting for a slot, median."), lambda one: one.wait_p50_s),
    (Field("wait_p95_s", "number", "s", "95th percentile."), lambda one: one.wait_p95_s),
    (Field("e2e_p50_s", "number", "s", "Of all calls, median."), lambda one: one.e2e_p50_s),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one.e2e_p95_s),
    (Field("n", "count", "calls", "Simulated."), lambda one: one.n),
)  # fmt: skip
