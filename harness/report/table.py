"""Summaries as a table: for the terminal and as Markdown."""

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from harness.records.summary import Interval, Quantiles, Summary
from harness.report.early import HEADS, early_lines, early_rows
from harness.report.measures import LABELS, MEASURES, is_kind, measure_of
from harness.report.provenance import answers_text, recorded_cost_text, recorded_mark
from harness.report.survival import session_lines
from harness.runner.traffic import overflow_text

__all__ = ["markdown_page", "markdown_table", "print_table", "terminal_table"]

_NONE = "–"
_WIDTH = 180
_MARK = " †"
_NOT_ASKED = " ‡"
_ALL_COVERED = 0.9995
_ALWAYS = frozenset({"model", "protocol", "accuracy", "95 % interval", "scored", "lost", "most misses"})


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"


def _interval(interval: Interval | None) -> str:
    return _NONE if interval is None else f"{interval.low:.1%} … {interval.high:.1%}"


def _seconds(found: Quantiles | None, name: str = "p50") -> str:
    if found is None:
        return _NONE
    value: float = getattr(found, name)
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _top_miss(summary: Summary) -> str:
    return ", ".join(f"{name} {count}" for name, count in list(summary.misses.items())[:2]) or _NONE


def _by_traffic(summary: Summary) -> str:
    found = summary.traffic
    if found is None:
        return _NONE
    part = "" if found.covered_frac > _ALL_COVERED else " *"
    return f"{_percent(found.accuracy)} ({_interval(found.interval)}){part}"


def _part(name: str) -> Callable[[Summary], str]:
    return lambda summary: _percent(summary.parts[name].mean if name in summary.parts else None)


def _pass_hat(summary: Summary) -> str:
    last = summary.pass_hat[-1] if summary.pass_hat else None
    return _NONE if last is None else f"{last.value:.1%} (k={last.k})"


def _points(share: float) -> str:
    """Percentage points."""
    return f"{share * 100:+.1f} pts"


def _repaired(summary: Summary) -> str:
    found = summary.format
    return _NONE if found is None or not summary.n_scored else _points(found.points_repaired / summary.n_scored)


def _grammar(summary: Summary) -> str:
    found = summary.grammar
    back = found.points_back * summary.trials / summary.n_scored if found and summary.n_scored else None
    return _NONE if back is None else _points(back)


_COLUMNS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("model", lambda s: s.model + (_MARK if _why_apart(s) else "") + (_NOT_ASKED if answers_text(s) else "")),
    ("protocol", lambda s: s.protocol),
    ("accuracy", lambda s: _percent(s.accuracy)),
    ("95 % interval", lambda s: _interval(s.accuracy_interval)),
    ("by traffic", lambda s: _by_traffic(s)),
    ("scored", lambda s: str(s.n_scored)),
    ("lost", lambda s: str(s.n_failed)),
    ("pass^k", _pass_hat),
    ("attacked ↓", _part("attack_success")),
    ("+ repair", _repaired),
    ("+ grammar", _grammar),
    ("replies", lambda s: _number(s.calls_per_task, ".1f")),
    ("task p50", lambda s: _seconds(s.task_s)),
    ("TTFT p50", lambda s: _seconds(s.ttft_s) + (recorded_mark(s) if s.ttft_s else "")),
    ("e2e p50", lambda s: _seconds(s.e2e_s) + (recorded_mark(s) if s.e2e_s else "")),
    ("e2e p95", lambda s: _seconds(s.e2e_s, "p95") + (recorded_mark(s) if s.e2e_s else "")),
    ("tokens/s", lambda s: _number(s.output_tokens_per_s, ".0f")),
    ("USD/success", lambda s: _number(s.cost_usd_per_success, ".2g")),
    ("judge USD", lambda s: _number(s.judging.cost_usd if s.judging else None, ".2g")),
    ("most misses", _top_miss),
)
_WORDS = frozenset({"model", "protocol", "most misses"})


def _why_apart(summary: Summary) -> str:
    """Why a run is not ranked, as the rest of a sentence; empty if it is."""
    if summary.of_run is not None:
        return f"only what {summary.of_run} missed, put again"
    return summary.unfit or ""


def _table(summaries: Sequence[Summary]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows, without the columns in which no run has anything."""
    columns = list(_COLUMNS)
    rows = [[cell(summary) for _, cell in columns] for summary in summaries]
    kept = [
        place for place, (name, _) in enumerate(columns) if name in _ALWAYS or any(row[place] != _NONE for row in rows)
    ]
    return [columns[place][0] for place in kept], [[row[place] for place in kept] for row in rows]


def _notes(summaries: Sequence[Summary]) -> list[str]:
    """One line for each run that is not ranked, or whose answers were not asked for here."""
    apart = [
        f"† {summary.model}, {summary.protocol}: not ranked: {why}."
        for summary in summaries
        if (why := _why_apart(summary))
    ]
    recorded = [
        f"‡ {summary.model}, {summary.protocol}: {told}" for summary in summaries if (told := answers_text(summary))
    ]
    part = [
        f"* {summary.model}, {summary.protocol}: by traffic of the clusters with a scored sample, "
        f"{_percent(found.covered_frac)} of it."
        for summary in summaries
        if (found := summary.traffic) and found.covered_frac <= _ALL_COVERED
    ]
    beyond = [
        f"{summary.model}, {summary.protocol}: {overflow_text(over)}."
        for summary in summaries
        if (over := summary.overflow)
    ]
    return [*apart, *recorded, *part, *beyond, *dict.fromkeys(told for one in summaries if (told := _ceiling(one)))]


def _ceiling(summary: Summary) -> str:
    """How far the model that a suite was recorded from agrees with itself; empty where that is not known."""
    found = summary.ceiling
    if found is None:
        return ""
    if found.step_rate is not None:
        return (
            f"Suite {summary.suite}: the log's own model agrees with itself on {_percent(found.step_rate)} of "
            f"{found.n:,} repeated requests; by that, if each step is a chance of its own, on {_percent(found.rate)} "
            f"({_interval(found.interval)}) of whole sessions."
        )
    return (
        f"Suite {summary.suite}: the log's own model agrees with itself on {_percent(found.rate)} "
        f"({_interval(found.interval)}) of {found.n:,} repeated requests."
    )


def terminal_table(summaries: Sequence[Summary], title: str | None = None) -> Table:
    """A table for the terminal, one row a run."""
    heads, rows = _table(summaries)
    notes = "\n".join(_notes(summaries)) or None
    table = Table(title=title, title_justify="left", caption=notes, caption_justify="left", highlight=False)
    for name in heads:
        table.add_column(name, justify="left" if name in _WORDS else "right")
    for row in rows:
        table.add_row(*row)
    return table


def print_table(summaries: Sequence[Summary]) -> None:
    """Prints a table for each suite, runs that are not ranked last.

    At the terminal's width or, where there is none, wide enough for every column.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    hashes = {summary.run: summary.suite_hash for summary in summaries}
    groups: dict[tuple[str, str], list[Summary]] = {}
    for summary in summaries:
        suite = summary.suite, hashes.get(summary.of_run or "", summary.suite_hash)
        groups.setdefault(suite, []).append(summary)
    names = Counter(name for name, _ in groups)
    for (name, suite_hash), own in groups.items():
        title = f"{name} ({suite_hash[:6]})" if names[name] > 1 else name
        ordered = sorted(own, key=lambda summary: bool(_why_apart(summary)))
        console.print(terminal_table(ordered, title if len(groups) > 1 else None))


def markdown_table(summaries: Sequence[Summary]) -> str:
    """The same table as Markdown."""
    heads, rows = _table(summaries)
    lines = _rows(heads, rows)
    notes = _notes(summaries)
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads), *(f"| {' | '.join(row)} |" for row in cells)]


def markdown_page(summary: Summary) -> str:
    """One run as a Markdown page: table, parts of the score, categories, misses, warnings."""
    lines = [f"# {summary.suite} · {summary.model} · {summary.protocol}", "", markdown_table([summary])]
    lines += _section("Parts of the score", _parts(summary))
    if summary.early is not None:
        table = _rows(HEADS, early_rows(summary.early)) if summary.early.clusters else []
        lines += _section("Stopped when certain", [*early_lines([summary])[:1], "", *table])
    lines += _section("Beside the incumbent itself", _relative(summary))
    lines += _section("How far sessions go along with the record", session_lines(summary))
    lines += _section("Several trials of one sample", _trials(summary))
    lines += _section("Lost to format", _format(summary))
    lines += _section("Judged by a model", _judging(summary))
    if summary.by_category:
        categories = [
            [name, _percent(c.accuracy), _interval(c.interval), str(c.n_scored), _percent(c.traffic_frac)]
            for name, c in summary.by_category.items()
        ]
        heads = ["category", "accuracy", "95 % interval", "scored", "share of traffic"]
        wide = len(heads) if summary.traffic else len(heads) - 1
        lines += _section("By category", _rows(heads[:wide], [row[:wide] for row in categories]))
    lines += _section("Where samples were lost", [f"- {name}: {n}" for name, n in summary.misses.items()])
    lines += _section("What it cost", _costs(summary))
    lines += _section("Read before believing", [f"- {warning}" for warning in summary.warnings])
    return "\n".join(lines)


def _relative(summary: Summary) -> list[str]:
    """The ceiling, and the accuracy of answers that are not the log's own as a share of it."""
    if summary.ceiling is None:
        return []
    lines = [f"- {_ceiling(summary)}"]
    if summary.accuracy is not None and summary.ceiling.rate > 0 and summary.recorded is None:
        share = _percent(summary.accuracy / summary.ceiling.rate)
        lines.append(f"- The accuracy is {share} of that; both are estimates, on different requests.")
    return lines


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _parts(summary: Summary) -> list[str]:
    """Partial results and rates, those of the page first, kinds of instruction last."""
    found: dict[str, tuple[str, str, str]] = {}
    for name, part in summary.parts.items():
        found[name] = (_percent(part.mean), _interval(part.interval), f"{part.n_samples} samples")
    for name, rate in summary.rates.items():
        found[name] = (_percent(rate.frac), _NONE, f"{rate.passed} of {rate.of}")
    known = list(MEASURES)
    names = sorted(
        found.keys() - LABELS,
        key=lambda name: (is_kind(name), known.index(name) if name in known else len(known), name),
    )
    rows = [[_label(name), *found[name]] for name in names]
    return _rows(["part", "share", "95 % interval", "of"], rows) if rows else []


def _label(name: str) -> str:
    measure = measure_of(name)
    label = name if is_kind(name) else measure.label
    return f"{label} (lower is better)" if measure.lower else label


def _trials(summary: Summary) -> list[str]:
    at = {one.k: one for one in summary.pass_at}
    rows = [
        [
            str(one.k),
            _percent(at[one.k].value if one.k in at else None),
            _percent(one.value),
            _interval(one.interval),
            str(one.n_samples),
        ]
        for one in summary.pass_hat
    ]
    return _rows(["k", "pass@k", "pass^k", "95 % interval of pass^k", "samples"], rows) if rows else []


def _format(summary: Summary) -> list[str]:
    lines = []
    if (repair := summary.format) is not None:
        lucky = f", and would take {repair.points_lucky:g}" if repair.points_lucky else ""
        lines.append(
            f"- JSON repair gives back {repair.points_repaired:g} of {repair.points_lost:g} lost points{lucky}"
        )
    if (grammar := summary.grammar) is not None:
        samples = f"{grammar.n_samples} missed samples put again (run {grammar.run})"
        lines.append(f"- a grammar gives back {grammar.points_back:g} points, on {samples}")
        times = (("first token", grammar.ttft_s), ("further token", grammar.tpot_s), ("whole reply", grammar.e2e_s))
        lines += [f"- {name}: {value * 1000:+.3g} ms (median)" for name, value in times if value is not None]
    return lines


def _costs(summary: Summary) -> list[str]:
    """What is computed beside what others say and what a batch would cost; nothing where there is nothing beside."""
    told = recorded_cost_text(summary)
    lines = [] if summary.cost_usd is None else [f"- computed: {summary.cost_usd:.4g} USD ({summary.cost_basis})"]
    beside = [] if told is None else [f"- told: {told}"]
    if summary.batch_cost_usd is not None:
        beside.append(f"- computed at the prices of the batch service: {summary.batch_cost_usd:.4g} USD")
    if summary.n_cached and summary.spent_usd is not None:
        beside.append(f"- paid in this run: {summary.spent_usd:.4g} USD")
    return lines + beside if beside else []


def _judging(summary: Summary) -> list[str]:
    found = summary.judging
    if found is None:
        return []
    cost = "price unknown" if found.cost_usd is None else f"{found.cost_usd:.3g} USD"
    lines = [f"- {found.calls} calls, {found.seconds:.1f} s in all, {cost}"]
    if found.agreement is not None:
        lines.append(f"- same verdict in both orders: {found.agreement.passed} of {found.agreement.of}")
    if (human := found.human) is not None:
        kappa = _number(human.kappa, ".2f")
        same = f"{_percent(human.same)} ({_interval(human.same_interval)})"
        lines.append(f"- as people on {human.n} labelled answers: {same}, kappa {kappa}, bias {human.bias:+.2f}")
        if human.corrected is not None:
            between = _interval(human.corrected_interval)
            lines.append(f"- judged, put right by people: {_percent(human.corrected)} ({between})")
    return lines
