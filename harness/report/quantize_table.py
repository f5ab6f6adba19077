"""A frontier as a table: for the terminal and as Markdown; and the words that all its forms share."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from harness.assets.progress import human_bytes
from harness.records.frontier import Frontier, FrontierPoint
from harness.records.summary import Interval
from harness.report.formats import counted, memory, seconds

__all__ = ["bits", "headline", "markdown_page", "points", "print_frontier", "spread", "verdict_text"]

_NONE = "–"
_WIDTH = 190


def bits(point: FrontierPoint) -> str:
    """Bits per weight."""
    return _NONE if point.bytes_per_weight is None else f"{8 * point.bytes_per_weight:.2f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign and one digit.

    >>> points(-0.0333), points(0.0), points(0.1)
    ('−3.3', '0.0', '+10.0')
    """
    value = round(100 * share, 1)
    return f"{'−' if value < 0 else '+' if value > 0 else ''}{abs(value):.1f}"


def spread(interval: Interval | None) -> str:
    """An interval of differences in percentage points."""
    return _NONE if interval is None else f"{points(interval.low)} … {points(interval.high)}"


def verdict_text(point: FrontierPoint) -> str:
    """`pass`, `fail`, how many samples more, or why there is none; a dash for the baseline."""
    found = point.comparison.verdict if point.comparison else None
    if found is None:
        return point.no_verdict or _NONE
    if found.verdict != "need_more":
        return found.verdict
    return "need more" if found.more is None else f"need ≈ {_rough(found.more):,} more"


def _rough(count: int) -> int:
    """Two digits of a count: an estimate carries no more.

    >>> _rough(53817), _rough(42)
    (54000, 42)
    """
    return round(count, min(0, 2 - len(str(count))))


def headline(frontier: Frontier) -> str:
    """What the frontier comes to, in one sentence that claims no more than the verdicts."""
    margin = f"{frontier.margin * 100:g} points"
    others = [point for point in frontier.points if point.type != frontier.baseline]
    passed = [point for point in others if point.comparison and point.comparison.verdict.verdict == "pass"]
    failed = [point.type for point in others if point.comparison and point.comparison.verdict.verdict == "fail"]
    base = frontier.point(frontier.baseline)
    if passed:
        smallest = min(passed, key=lambda point: point.bytes)
        size = f" at {smallest.bytes / base.bytes:.0%} of its size" if base and base.bytes else ""
        return f"{smallest.type} is shown to lose less than {margin} against {frontier.baseline}{size}."
    if failed and len(failed) == len(others):
        return f"Every type is shown to lose more than {margin} against {frontier.baseline}."
    n = max((point.comparison.n for point in others if point.comparison), default=0)
    lost = f"; {', '.join(failed)} is shown to lose more" if failed else ""
    return f"No type is shown to lose less than {margin} against {frontier.baseline} on {counted(n, 'sample')}{lost}."


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    return _NONE if value is None else seconds(value)


def _pairs(point: FrontierPoint) -> str:
    found = point.comparison
    return _NONE if found is None else f"{found.lost} − {found.gained} +"


_COLUMNS: tuple[tuple[str, Callable[[FrontierPoint], str]], ...] = (
    ("type", lambda p: p.type),
    ("file", lambda p: human_bytes(p.bytes)),
    ("bits/weight", bits),
    ("memory", lambda p: _NONE if p.memory_bytes is None else memory(p.memory_bytes)),
    ("scored", lambda p: str(p.n_scored)),
    ("accuracy", lambda p: _percent(p.accuracy)),
    (
        "95 % interval",
        lambda p: (
            _NONE
            if p.accuracy_interval is None
            else f"{_percent(p.accuracy_interval.low)} … {_percent(p.accuracy_interval.high)}"
        ),
    ),
    ("Δ points", lambda p: points(p.comparison.difference) if p.comparison else _NONE),
    ("95 % of Δ", lambda p: spread(p.comparison.interval if p.comparison else None)),
    ("lost, gained", _pairs),
    ("verdict", verdict_text),
    ("TTFT p50", lambda p: _seconds(p.ttft_p50_s)),
    ("TPOT p50", lambda p: _seconds(p.tpot_p50_s)),
    ("e2e p50", lambda p: _seconds(p.e2e_p50_s)),
    ("tokens/s", lambda p: _NONE if p.tokens_per_s is None else f"{p.tokens_per_s:.0f}"),
)
_WORDS = frozenset({"type", "verdict"})


def _title(frontier: Frontier) -> str:
    return (
        f"{frontier.model} on {frontier.suite}, {frontier.protocol}: Δ against {frontier.baseline}, "
        f"margin {frontier.margin * 100:g} points, α {frontier.alpha:g}"
    )


def print_frontier(frontier: Frontier) -> None:
    """Prints the table with its notes to standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    table = Table(title=_title(frontier), title_justify="left", highlight=False)
    for name, _ in _COLUMNS:
        table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=name in _WORDS)
    for point in frontier.points:
        table.add_row(*(cell(point) for _, cell in _COLUMNS))
    console.print(table)
    console.print(headline(frontier), highlight=False)
    for note in frontier.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def markdown_page(frontier: Frontier) -> str:
    """The frontier as a page of Markdown."""
    heads = [name for name, _ in _COLUMNS]
    rows = [[cell(point).replace("|", "\\|") for _, cell in _COLUMNS] for point in frontier.points]
    lines = [f"# {_title(frontier)}", "", headline(frontier), ""]
    lines += [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
    lines += ["", *(f"- {note}" for note in frontier.notes), ""]
    lines += [f"- {point.type}: {point.origin}; run {point.run}" for point in frontier.points]
    return "\n".join(lines) + "\n"
