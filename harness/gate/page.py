"""A gate's result for people: the sentence on top, the table for the terminal, and Markdown."""

import re
from collections.abc import Callable

from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.gate.words import label_of, points, share_words, size_words, time_words
from harness.records.gate import CheckStatus, GateCheck, GateResult, GateRun

__all__ = ["annotated", "headline", "markdown_page", "print_gate", "status_text"]

_NONE = "–"
_WIDTH = 170
_LISTED = 20
_LONG = 60
_WORDS: dict[CheckStatus, str] = {
    "pass": "pass",
    "fail": "FAIL",
    "inconclusive": "inconclusive",
    "not_judged": "not judged",
    "no_samples": "no samples",
}
_COLOURS: dict[CheckStatus, str] = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def status_text(check: GateCheck) -> str:
    """`pass`, `FAIL`, `inconclusive` with how many samples more, or why there is no verdict."""
    if check.status == "inconclusive" and check.more is not None:
        return f"inconclusive, ≈ {round(check.more, min(0, 2 - len(str(check.more)))):,} samples more"
    return _WORDS[check.status]


def annotated(result: GateResult) -> list[tuple[str, GateCheck]]:
    """What CI is told: `error` for blocking checks that decide against it, `warning` for the rest of what is not shown.

    Informative checks are in the report alone.
    """
    found: list[tuple[str, GateCheck]] = []
    for one in result.checks:
        told = one.status == "fail" or (one.tier == "blocking" and one.status in {"inconclusive", "not_judged"})
        if one.tier == "informative" or not told:
            continue
        stops = one.tier == "blocking" and (one.status == "fail" or result.exit_code != 0)
        found.append(("error" if stops else "warning", one))
    return found


def headline(result: GateResult) -> str:
    """What the gate says, in one sentence that claims no more than its checks."""
    who = f"{result.candidate.model} against the baseline {result.baseline.model} on {result.suite}"
    blocking = [one for one in result.checks if one.tier == "blocking"]
    if result.verdict == "pass":
        held = sum(one.status == "pass" for one in blocking)
        return f"pass: {who} is shown to hold {_all(held)} (α {result.alpha:g})"
    wanted = {"fail"} if result.verdict == "fail" else {"inconclusive", "not_judged"}
    named = ", ".join(f"{label_of(one.name)} ({status_text(one)})" for one in blocking if one.status in wanted)
    if result.verdict == "fail":
        return f"fail: {who} is shown not to hold: {', '.join(_names(blocking))}"
    return f"inconclusive: {who} is neither shown to hold nor to miss: {named or 'there was nothing to judge'}"


def _all(held: int) -> str:
    return "its one blocking limit" if held == 1 else f"all {held} blocking limits"


def _names(blocking: list[GateCheck]) -> list[str]:
    return [f"{label_of(one.name)} ({one.rule}; {one.why})" for one in blocking if one.status == "fail"]


def _figure(check: GateCheck, value: float | None) -> str:
    if value is None:
        return _NONE
    if check.kind in {"margin", "keep", "least", "within"}:
        return share_words(value)
    return size_words(check.name, value) if check.name in {"cost", "tokens"} else time_words(value)


def _estimate(check: GateCheck) -> str:
    value, interval = check.estimate, check.interval
    if value is None or check.kind not in {"margin", "ratio"}:
        return _NONE
    as_text: Callable[[float], str] = points if check.kind == "margin" else _times
    ends = f" ({as_text(interval.low)} … {as_text(interval.high)})" if interval else ""
    return f"{as_text(value)}{ends}"


def _times(ratio: float) -> str:
    return f"×{ratio:.3g}"


def _count(check: GateCheck) -> str:
    if not check.n:
        return _NONE
    return f"{check.n:,}" if check.sessions is None else f"{check.n:,} in {check.sessions:,} sessions"


_COLUMNS: tuple[tuple[str, Callable[[GateCheck], str]], ...] = (
    ("tier", lambda one: one.tier),
    ("check", lambda one: label_of(one.name)),
    ("limit", lambda one: one.rule),
    ("verdict", status_text),
    ("n", _count),
    ("baseline", lambda one: _figure(one, one.baseline)),
    ("candidate", lambda one: _figure(one, one.candidate)),
    ("change (95 %)", _estimate),
    ("lost, gained", lambda one: _NONE if one.lost is None else f"{one.lost} − {one.gained} +"),
)
_LEFT = frozenset({"tier", "check", "limit", "verdict"})


def _who(run: GateRun) -> str:
    parts = [run.model, run.protocol, run.quantization, run.backend]
    return f"{', '.join(part for part in parts if part)} (run {run.run})"


def _accepted(result: GateResult) -> str:
    found = result.accepted
    return "" if found is None else f"; accepted by {found.by}, {found.at[:10]}: {found.why}"


def print_gate(result: GateResult) -> None:
    """Prints the table with what was not judged and the verdict to standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    table = Table(title=f"gate {result.policy.get('name')} on {result.suite}", title_justify="left", highlight=False)
    for name, _ in _COLUMNS:
        table.add_column(name, justify="left" if name in _LEFT else "right", overflow="fold")
    for check in result.checks:
        cells = [escape(_plain(read(check))) for _, read in _COLUMNS]
        table.add_row(*cells, style=_COLOURS.get(check.status, "dim"))
    console.print(table)
    lines = [
        f"baseline   {_who(result.baseline)}{_accepted(result)}",
        f"candidate  {_who(result.candidate)}",
        f"times      {result.times}",
        *(f"changed    {line}" for line in _changed(result)),
        *(f"{label_of(one.name)}: {one.why}" for one in result.checks if one.status == "not_judged"),
        *result.notes,
        headline(result),
    ]
    for line in lines:
        console.print(_plain(line), highlight=False, markup=False, soft_wrap=True)


def _plain(text: str) -> str:
    """The text on one line, without control characters: names come from data."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+", " ", text)


def _value(value: JsonValue) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _changed(result: GateResult) -> list[str]:
    return [f"{one.key}: {_value(one.baseline)} → {_value(one.candidate)}" for one in result.changed[:_LISTED]] + (
        [f"and {len(result.changed) - _LISTED} more"] if len(result.changed) > _LISTED else []
    )


def _cell(text: str) -> str:
    r"""Text for a Markdown table: nothing in it is markup.

    >>> print(_cell("a|b <img> `x`"))
    a\|b &lt;img&gt; \`x\`
    """
    safe = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#!@])", r"\\\1", safe)


def markdown_page(result: GateResult) -> str:
    """The result as Markdown: for `gate.md` and for a step summary."""
    mark = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️"}[result.verdict]
    rows = [
        f"## {mark} Gate: {_cell(headline(result))}",
        "",
        f"- baseline: {_cell(_who(result.baseline) + _accepted(result))}",
        f"- candidate: {_cell(_who(result.candidate))}",
        f"- policy {_cell(str(result.policy.get('name')))}, α {result.alpha:g}, exit code {result.exit_code}",
        f"- times: {_cell(result.times)}",
        "",
        f"| {' | '.join(name for name, _ in _COLUMNS)} |",
        f"|{'|'.join(' --- ' if name in _LEFT else ' ---: ' for name, _ in _COLUMNS)}|",
    ]
    rows += [f"| {' | '.join(_cell(read(check)) for _, read in _COLUMNS)} |" for check in result.checks]
    reasons = [f"{label_of(one.name)}: {one.why}" for one in result.checks if one.status == "not_judged"]
    rows += ["", *(f"- {_cell(line)}" for line in (*reasons, *result.notes))]
    for title, lines in (
        ("What was set differently", _changed(result)),
        (f"Samples lost: {len(result.lost)}", _some(result.lost)),
        (f"Samples gained: {len(result.gained)}", _some(result.gained)),
    ):
        if lines:
            rows += ["", f"**{title}**", "", *(f"- {_cell(line)}" for line in lines)]
    return "\n".join(rows) + "\n"


def _some(names: tuple[str, ...]) -> list[str]:
    more = [f"and {len(names) - _LISTED} more, in gate.json"] if len(names) > _LISTED else []
    return [", ".join([*names[:_LISTED], *more])] if names else []
