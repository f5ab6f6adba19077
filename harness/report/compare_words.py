"""A comparison in words: who is who, what is shown, and what is not."""

from harness.records.compare import CompareFigure, CompareMatrix, CompareVerdict, Comparison, MatrixCell, PairFinding
from harness.records.gate import GateRun
from harness.report.breakdown import MISSES
from harness.report.formats import counted, seconds, usd

__all__ = [
    "FIGURES",
    "VERDICTS",
    "findings",
    "headline",
    "matrix_findings",
    "matrix_headline",
    "miss_text",
    "names_of",
    "pair_file",
    "signed",
    "size_text",
    "span_text",
    "verdict_text",
]

VERDICTS: dict[CompareVerdict, str] = {
    "superior": "superior",
    "non_inferior": "non-inferior",
    "inferior": "inferior",
    "inconclusive": "not decided",
}
FIGURES = {"ttft": "First token", "e2e": "Whole reply", "cost": "Cost of a call", "tokens": "Tokens of a call"}


def names_of(first: GateRun, second: GateRun) -> tuple[str, str]:
    """What the two are called: by model, and by what tells them apart."""
    one, two = [first.model_title], [second.model_title]
    for field in ("protocol", "quantization", "backend"):
        a, b = getattr(first, field), getattr(second, field)
        if a != b:
            one.append(str(a or "unknown"))
            two.append(str(b or "unknown"))
    if one == two:
        one.append(first.started_at[:16].replace("T", " "))
        two.append(second.started_at[:16].replace("T", " "))
    if one == two:
        return f"{', '.join(one)} ({first.run})", f"{', '.join(two)} ({second.run})"
    return ", ".join(one), ", ".join(two)


def pair_file(first: str, second: str) -> str:
    """Name of a pair's page without its ending, from the names of both run folders."""
    return f"{first}~{second}"


def signed(share: float) -> str:
    """A difference of shares in percentage points, with its sign and one digit.

    >>> signed(-0.0333), signed(0.0), signed(0.1)
    ('−3.3', '0.0', '+10.0')
    """
    value = round(100 * share, 1)
    return f"{'−' if value < 0 else '+' if value > 0 else ''}{abs(value):.1f}"


def span_text(finding: PairFinding | MatrixCell) -> str:
    """The interval of a difference, in points."""
    interval = finding.interval if isinstance(finding, MatrixCell) else finding.pair.interval
    return f"{signed(interval.low)} … {signed(interval.high)}"


def verdict_text(finding: PairFinding | MatrixCell) -> str:
    """The verdict, with about how many samples more would decide it where it is not."""
    if finding.verdict == "inconclusive" and finding.more is not None:
        return f"not decided, ≈ {rough(finding.more):,} more"
    return VERDICTS[finding.verdict]


def rough(count: int) -> int:
    """A count of samples to two digits.

    >>> rough(7), rough(1234)
    (7, 1200)
    """
    return round(count, min(0, 2 - len(str(count))))


def miss_text(name: str) -> str:
    """A class of misses as people read it."""
    if name in {"right", "partial"}:
        return "right" if name == "right" else "part of the value"
    return MISSES[name][0] if name in MISSES else name.replace("_", " ")


def size_text(figure: CompareFigure, value: float) -> str:
    """A time, a cost or a number of tokens."""
    if figure.unit == "s":
        return seconds(value)
    return usd(value) if figure.unit == "USD" else f"{value:,.1f}"


def headline(found: Comparison) -> str:
    """What is shown of B beside A, in one sentence that claims no more."""
    a, b = names_of(found.a, found.b)
    whole, margin = found.whole, f"{100 * found.margin:g} points"
    if whole.verdict == "superior":
        return f"{b} is better than {a}"
    if whole.verdict == "non_inferior":
        return f"{b} is no worse than {a}, within {margin}"
    if whole.verdict == "inferior":
        return f"{b} is more than {margin} worse than {a}"
    if whole.better == "b":
        return f"{b} looks better than {a}, but a loss of {margin} is not ruled out"
    if whole.better == "a":
        return f"{b} is worse than {a}; whether by more than {margin} is not decided"
    return f"Whether {b} is within {margin} of {a} is not decided"


def findings(found: Comparison) -> list[str]:
    """The figures behind the headline, one sentence each."""
    pair, whole = found.whole.pair, found.whole
    unit = "samples" if pair.outcome == "right or wrong" else "scores"
    sessions = f" in {pair.sessions:,} sessions" if pair.sessions is not None else ""
    said = [
        f"{signed(pair.difference)} points ({span_text(whole)}, {pair.interval.level * 100:g} %) on "
        f"{pair.n:,} {unit}{sessions}: {pair.gained:,} gained, {pair.lost:,} lost by B.",
        f"p {whole.p_noninferior:.2g} of a loss of {100 * found.margin:g} points or more, {whole.p_inferior:.2g} of "
        f"less than that, {whole.p_difference:.2g} of no difference; α {found.alpha:g}.",
    ]
    if whole.verdict == "inconclusive":
        more = "more than a million samples" if whole.more is None else f"about {rough(whole.more):,} samples more"
        said.append(f"To decide it takes {more}, if things stay as seen.")
    if whole.verdict == "non_inferior" and whole.better == "a":
        said.append("B is worse all the same, by less than the margin.")
    if (calls := found.by_calls) is not None:
        said.append(
            f"Counted by calls that the samples stand for: {signed(calls.pair.difference)} points "
            f"({span_text(calls)}), {verdict_text(calls)}."
        )
    decided = [one for one in found.categories if one.verdict != "inconclusive"]
    if found.categories:
        said.append(f"Decided in {len(decided)} of {len(found.categories)} categories.")
    return [*said, *found.notes]


def matrix_headline(found: CompareMatrix) -> str:
    """What the order of the runs is worth, in one sentence."""
    ranking = found.ranking
    first = found.labels[0] if found.labels else ""
    if ranking is None or not ranking.pairs:
        return f"{counted(len(found.runs), 'run')} on {found.suite}"
    top = found.runs[0].run if found.runs else ""
    rivals = sum(not one.decided for one in ranking.pairs if top in {one.better, one.worse})
    if rivals:
        return f"{first} leads on {found.suite}, not shown to be better than {counted(rivals, 'other')}"
    return f"{first} is shown to be the best on {found.suite}"


def matrix_findings(found: CompareMatrix) -> list[str]:
    """How much of the matrix is decided, and on what."""
    ranking = found.ranking
    words = {word: sum(cell.verdict == word for cell in found.cells) for word in VERDICTS}
    said = [
        f"{counted(len(found.runs), 'run')} on {found.shared:,} shared samples; a margin of {100 * found.margin:g} "
        f"points, α {found.alpha:g} for all {len(found.cells):,} verdicts together ({found.correction}).",
        f"{words['superior']} superior, {words['non_inferior']} non-inferior, {words['inferior']} inferior, "
        f"{words['inconclusive']} not decided.",
    ]
    if ranking is not None:
        said.append(f"The order of {ranking.decided:,} of {counted(len(ranking.pairs), 'pair')} is not chance.")
    return [*said, *found.notes]
