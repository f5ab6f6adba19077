"""The tables of a comparison as data, described once for the page, Markdown and every export."""

from collections.abc import Iterable

import orjson
from pydantic import JsonValue

from harness.records.compare import CompareMatrix, Comparison, Flip, PairFinding
from harness.report.compare_words import names_of
from harness.report.export import Field, Table, Value

__all__ = ["comparison_tables", "matrix_tables"]

_P = "share"
_FINDING: tuple[Field, ...] = (
    Field("n", "count", "samples", "Samples scored in both runs."),
    Field("sessions", "count", "sessions", "Independent sessions; null: every sample is one of its own."),
    Field("both", "count", "samples", "Right in both; of scores: equal and above 0."),
    Field("gained", "count", "samples", "Right (of scores: higher) with B alone."),
    Field("lost", "count", "samples", "Right (of scores: higher) with A alone."),
    Field("neither", "count", "samples", "Right in neither; of scores: 0 in both."),
    Field("a", "number", _P, "Mean value of A over the shared samples, 0 to 1."),
    Field("b", "number", _P, "Mean value of B."),
    Field("difference", "number", _P, "B minus A."),
    Field("low", "number", _P, "Lower end of the interval of the difference."),
    Field("high", "number", _P, "Upper end."),
    Field("level", "number", "share", "Level of the interval."),
    Field("verdict", "text", "", "Of B against A: superior, non_inferior, inferior or inconclusive."),
    Field("p_noninferior", "number", "p", "Of B being worse by the margin or more, adjusted over categories."),
    Field("p_inferior", "number", "p", "Of B being worse by the margin at most, adjusted likewise."),
    Field("p_difference", "number", "p", "Two-sided, of no difference, adjusted likewise."),
    Field("more", "count", "samples", "About how many samples more would decide it; null: decided, or over a million."),
    Field("method", "text", "", "Test that the verdict rests on."),
)


def _finding(one: PairFinding) -> tuple[Value, ...]:
    pair = one.pair
    return (
        pair.n, pair.sessions, pair.both, pair.gained, pair.lost, pair.neither, one.a, one.b, pair.difference,
        pair.interval.low, pair.interval.high, pair.interval.level, one.verdict, one.p_noninferior, one.p_inferior,
        one.p_difference, one.more, pair.verdict.method,
    )  # fmt: skip


def comparison_tables(found: Comparison) -> tuple[Table, ...]:
    """All tables of a pair; those that have no row stand with their columns."""
    return (
        _pair(found), _categories(found), _misses(found), _flows(found), _flips(found.flips), _figures(found),
        _changed(found),
    )  # fmt: skip


def _pair(found: Comparison) -> Table:
    a, b = names_of(found.a, found.b)
    wholes = [one for one in (found.whole, found.by_calls) if one is not None]
    return Table(
        "pair",
        f"{b} against {a} on {found.suite}",
        (
            Field("counted", "text", "", "all samples: each alike. all calls: by the calls that a sample stands for."),
            Field("run_a", "text", "", "Folder of run A."),
            Field("run_b", "text", "", "Folder of run B."),
            Field("name_a", "text", "", "Run A as people call it."),
            Field("name_b", "text", "", "Run B as people call it."),
            Field("margin", "number", "share", "Loss that would matter."),
            Field("alpha", "number", "share", "One-sided chance of a false verdict."),
            *_FINDING,
        ),
        tuple(
            (one.name, found.a.run, found.b.run, a, b, found.margin, found.alpha, *_finding(one)) for one in wholes
        ),
    )  # fmt: skip


def _categories(found: Comparison) -> Table:
    return Table(
        "categories",
        "Verdicts by category",
        (Field("category", "text", "", "Stratum or cluster of the suite."), *_FINDING),
        tuple((one.name, *_finding(one)) for one in found.categories),
    )


def _misses(found: Comparison) -> Table:
    return Table(
        "misses",
        "What either run lost by class, and what the other made of it",
        (
            Field("miss", "text", "", "Class of miss, in the order of the waterfall."),
            Field("a", "count", "attempts", "Attempts that A lost so, of those scored in both."),
            Field("b_right", "count", "attempts", "Of those: right with B."),
            Field("b", "count", "attempts", "Attempts that B lost so."),
            Field("a_right", "count", "attempts", "Of those: right with A."),
        ),
        tuple((one.miss, one.a, one.b_right, one.b, one.a_right) for one in found.misses),
    )


def _flows(found: Comparison) -> Table:
    return Table(
        "flows",
        "How attempts ended in both runs",
        (
            Field("a", "text", "", "How it ended with A: right, or a class of miss."),
            Field("b", "text", "", "How it ended with B."),
            Field("n", "count", "attempts", "Attempts that ended so."),
        ),
        tuple((one.a, one.b, one.n) for one in found.flows),
    )


def _flips(flips: Iterable[Flip]) -> Table:
    return Table(
        "flips",
        "Samples that are worth more with one run than with the other",
        (
            Field("change", "text", "", "gained: worth more with B. lost: worth less with B."),
            Field("sample", "text", "", "Name of the sample."),
            Field("trial", "count", "", "First trial in which both differ."),
            Field("category", "text", "", "Stratum or cluster of the suite."),
            Field("a_value", "number", "share", "Value with A, mean over trials."),
            Field("b_value", "number", "share", "Value with B."),
            Field("a_miss", "text", "", "Class of A's miss; null: right."),
            Field("b_miss", "text", "", "Class of B's miss; null: right."),
            Field("prompt", "text", "", "How the user's last turn begins; null where texts were left out."),
            Field("a_reply", "text", "", "Calls that were read from A's reply, or how it begins."),
            Field("b_reply", "text", "", "Calls that were read from B's reply, or how it begins."),
            Field("a_why", "text", "", "The scorer's reason."),
            Field("b_why", "text", "", "The scorer's reason."),
        ),
        tuple(
            (
                one.change, one.sample, one.trial, one.category, one.a_value, one.b_value, one.a_miss, one.b_miss,
                one.prompt, one.a_reply, one.b_reply, one.a_why, one.b_why,
            )
            for one in flips
        ),
    )  # fmt: skip


def _figures(found: Comparison) -> Table:
    return Table(
        "figures",
        "Times, cost and tokens",
        (
            Field("figure", "text", "", "ttft, e2e: geometric means. cost, tokens: means of a call."),
            Field("unit", "text", "", "Of a and b."),
            Field("n", "count", "samples", "Samples that have it on both sides."),
            Field("sessions", "count", "sessions", "Independent sessions; null: every sample is one of its own."),
            Field("a", "number", "see unit", "A's figure; null: not measured, or not to be compared."),
            Field("b", "number", "see unit", "B's figure."),
            Field("ratio", "number", "B / A", "Below 1: less with B."),
            Field("low", "number", "B / A", "Lower end of the ratio's interval."),
            Field("high", "number", "B / A", "Upper end."),
            Field("why", "text", "", "How they were made comparable, or why they are not."),
        ),
        tuple(
            (
                one.name, one.unit, one.n, one.sessions, one.a, one.b, one.ratio,
                one.interval.low if one.interval else None, one.interval.high if one.interval else None, one.why,
            )
            for one in found.figures
        ),
    )  # fmt: skip


def _changed(found: Comparison) -> Table:
    return Table(
        "changed",
        "What was set differently",
        (
            Field("key", "text", "", "Key of the configuration, or a condition."),
            Field("a", "text", "", "With A; null: not set. A long text is its SHA-256."),
            Field("b", "text", "", "With B."),
        ),
        tuple((one.key, _value(one.baseline), _value(one.candidate)) for one in found.changed),
    )


def _value(value: JsonValue) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def matrix_tables(found: CompareMatrix) -> tuple[Table, ...]:
    """All tables of a matrix."""
    labels = dict(zip((one.run for one in found.runs), found.labels, strict=True))
    runs = Table(
        "runs",
        f"Runs compared on {found.suite}",
        (
            Field("run", "text", "", "Folder of the run."),
            Field("name", "text", "", "As people call it."),
            Field("mean", "number", "share", "Mean value over its scored samples."),
            Field("model", "text", "", "Name of the model."),
            Field("protocol", "text", "", "How it is told of its tools."),
            Field("quantization", "text", "", "Of its weights; null: not known."),
            Field("backend", "text", "", "What served it."),
        ),
        tuple(
            (one.run, label, mean, one.model, one.protocol, one.quantization, one.backend)
            for one, label, mean in zip(found.runs, found.labels, found.means, strict=True)
        ),
    )
    verdicts = Table(
        "verdicts",
        "Every run against every other",
        (
            Field("a", "text", "", "Folder of the run held against."),
            Field("b", "text", "", "Folder of the run looked at."),
            Field("name_a", "text", "", "As people call A."),
            Field("name_b", "text", "", "As people call B."),
            Field("verdict", "text", "", "Of B against A: superior, non_inferior, inferior or inconclusive."),
            Field("n", "count", "samples", "Samples scored in both."),
            Field("sessions", "count", "sessions", "Independent sessions; null: every sample is one of its own."),
            Field("gained", "count", "samples", "Right (of scores: higher) with B alone."),
            Field("lost", "count", "samples", "Right (of scores: higher) with A alone."),
            Field("difference", "number", "share", "B minus A."),
            Field("low", "number", "share", "Lower end of its interval."),
            Field("high", "number", "share", "Upper end."),
            Field("p_noninferior", "number", "p", "Adjusted over all verdicts."),
            Field("p_inferior", "number", "p", "Adjusted likewise."),
            Field("p_difference", "number", "p", "Two-sided, adjusted likewise."),
            Field("more", "count", "samples", "About how many samples more would decide it."),
        ),
        tuple(
            (
                one.a, one.b, labels[one.a], labels[one.b], one.verdict, one.n, one.sessions, one.gained, one.lost,
                one.difference, one.interval.low, one.interval.high, one.p_noninferior, one.p_inferior,
                one.p_difference, one.more,
            )
            for one in found.cells
        ),
    )  # fmt: skip
    return (runs, verdicts)
