"""A conversion in words, for the card, the page and the screen."""

from collections.abc import Sequence

from harness.records.convert import DeltaReport, Estimate, GateTable, GateTableRow, TrainPlan
from harness.records.interval import Interval
from harness.report.formats import memory, seconds, usd

__all__ = [
    "cost",
    "delta_words",
    "distilled",
    "estimate_words",
    "gate_rows",
    "general_words",
    "minutes",
    "percent_or_dash",
    "verdict_of",
]

_DASH = "–"


def minutes(value: float) -> str:
    """A time of work, in what it is told in.

    >>> minutes(42), minutes(600), minutes(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def percent_or_dash(share: float | None) -> str:
    """A share in percent, a dash where it was not measured."""
    return _DASH if share is None else f"{100 * share:.1f}%"


def cost(value: float | None) -> str:
    """USD, or that nobody knows.

    >>> cost(None)
    'cost not known'
    """
    return "cost not known" if value is None else usd(value)


def _range(interval: Interval | None) -> str:
    return "" if interval is None else f" ({100 * interval.low:.1f} … {100 * interval.high:.1f})"


def gate_rows(table: GateTable) -> list[list[str]]:
    """The table as text, its head first."""
    head = [
        "set-up", "right", "Δ to base", "form kept", "silent where due", "TTFT p50", "e2e p50", "tokens/s",
        "USD per success", "verdict against base",
    ]  # fmt: skip
    if table.reference is not None:
        head.append(f"against {table.reference}")
    return [head, *(_cells(row, reference=table.reference is not None) for row in table.rows)]


def _cells(row: GateTableRow, *, reference: bool) -> list[str]:
    pair = row.against_base
    apart = _DASH if pair is None else f"{100 * pair.difference:+.1f}{_range(pair.interval)}".replace("-", "−")
    cells = [
        row.title,
        percent_or_dash(row.accuracy) + _range(row.accuracy_interval),
        apart,
        percent_or_dash(row.form) + _range(row.form_interval),
        percent_or_dash(row.abstention) + _range(row.abstention_interval),
        _DASH if row.ttft_p50_s is None else seconds(row.ttft_p50_s),
        _DASH if row.e2e_p50_s is None else seconds(row.e2e_p50_s),
        _DASH if row.tokens_per_s is None else f"{row.tokens_per_s:.0f}",
        _DASH if row.cost_usd_per_success is None else usd(row.cost_usd_per_success),
        verdict_of(row),
    ]
    if reference:
        beside = row.against_reference
        cells.append(_DASH if beside is None else _WORDS[beside.verdict.verdict] + _more(beside.verdict.more))
    return cells


_WORDS = {"pass": "no worse", "fail": "worse", "need_more": "not decided"}


def _more(more: int | None) -> str:
    return f", ≈ {more:,} more" if more else ""


def verdict_of(row: GateTableRow) -> str:
    """Whether a row is shown to be better or worse than the base, at p corrected for all rows."""
    pair, p = row.against_base, row.p_adjusted
    if pair is None or p is None:
        return "baseline" if row.row == "base" else row.no_verdict or _DASH
    if p <= pair.verdict.alpha:
        return f"{'better' if pair.difference > 0 else 'worse'}, p {p:.2g}"
    return f"not decided, p {p:.2g}"


def general_words(table: GateTable) -> Sequence[str]:
    """What became of the general suites, a sentence each."""
    found = []
    for one in table.general:
        before, after = percent_or_dash(one.base), percent_or_dash(one.tuned)
        if one.comparison is None:
            found.append(f"{one.suite}: {before} before, {after} after; {one.no_verdict or 'no verdict'}")
            continue
        pair = one.comparison
        word = {"pass": "no collapse", "fail": "collapsed", "need_more": "not decided"}[pair.verdict.verdict]
        apart = f"{100 * pair.difference:+.1f} points{_range(pair.interval)}".replace("-", "−")
        found.append(
            f"{one.suite}: {before} before, {after} after, {apart} on {one.n}: {word} at a margin of "
            f"{100 * pair.verdict.margin:g} points"
        )
    return found


def distilled(plan: TrainPlan) -> str:
    """What of the loss is a teacher's, to be put behind the seed; empty without one."""
    if plan.teacher is None or plan.distill_share is None or plan.temperature is None:
        return ""
    return (
        f"; {plan.distill_share:.0%} of the loss is the divergence from {plan.teacher} at temperature "
        f"{plan.temperature:g}"
    )


def delta_words(report: DeltaReport) -> str:
    """What is left of the training in a file, in one sentence."""
    worst = report.worst
    tail = f"; least in {worst.name} ({worst.type}), {percent_or_dash(worst.survived)}" if worst is not None else ""
    apart = f"; the change is {percent_or_dash(report.relative)} of the weights" if report.relative is not None else ""
    return f"{report.type}: {report.why}{tail}{apart}"


def estimate_words(found: Estimate) -> list[str]:
    """What the rest will take, in a line or two."""
    parts = [f"{found.rows:,} rows"]
    if found.tokens is not None:
        parts.append(f"{found.tokens:,} tokens")
    if found.steps is not None:
        parts.append(f"{found.steps:,} steps")
    if found.seconds is not None:
        span = ""
        if found.seconds_low is not None and found.seconds_high is not None:
            span = f" ({minutes(found.seconds_low)} … {minutes(found.seconds_high)})"
        parts.append(f"≈ {minutes(found.seconds)}{span} of training")
    if found.memory_bytes is not None:
        free = "" if found.memory_available is None else f" of {memory(found.memory_available)} free"
        parts.append(f"{memory(found.memory_bytes)}{free}")
    if found.teacher_calls:
        parts.append(f"{found.teacher_calls:,} calls of the teacher, {cost(found.teacher_usd)}")
    if found.teacher_seconds is not None:
        parts.append(f"{minutes(found.teacher_seconds)} of the teacher weighing the replies")
    if found.machine_usd is not None:
        parts.append(f"machine {usd(found.machine_usd)}")
    return [", ".join(parts), *([found.basis] if found.basis else [])]
