"""Where the points of each run went: by class of miss and by category."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.records import MissClass, Protocol
from harness.report.pairs import Pair
from harness.report.view import RunView

__all__ = ["MISSES", "Bar", "HeatCell", "HeatMap", "Segment", "miss_bars", "pair_segments", "parts_of"]

MISSES: dict[MissClass, tuple[str, str, str]] = {
    "transport": ("transport", "access", "no reply came back"),
    "context_overflow": ("context overflow", "access", "the prompt does not fit into the context"),
    "length": ("cut off", "access", "the reply ran into the token limit"),
    "decode": ("not decodable", "format", "the reply cannot be read as calls"),
    "schema": ("against the schema", "format", "the call does not fit the tool's schema"),
    "should_have_called": ("stayed silent", "decision", "a call was wanted, none was made"),
    "should_not_have_called": ("called needlessly", "decision", "no call was wanted, one was made"),
    "wrong_tool": ("wrong tool", "tool", "another tool was called than the right one"),
    "wrong_count": ("wrong number", "tool", "too many or too few calls"),
    "missing_argument": ("argument missing", "argument", "a required argument was left out"),
    "extra_argument": ("argument invented", "argument", "an argument that the tool does not have"),
    "wrong_value": ("wrong value", "value", "the right argument with a wrong value"),
    "no_answer": ("no answer", "format", "no answer could be read out of the reply"),
    "does_not_compile": ("does not compile", "format", "the program cannot be parsed"),
    "wrong_answer": ("wrong answer", "value", "another answer than those accepted"),
    "instruction_missed": ("instruction missed", "value", "at least one instruction was not followed"),
    "tests_failed": ("tests failed", "value", "the program runs and a test fails"),
    "program_limit": ("over the limit", "value", "the program ran out of time, memory or output"),
    "task_refused": ("did nothing", "decision", "the agent ended without a call where some were needed"),
    "step_limit": ("out of steps", "decision", "the agent did not come to an end"),
    "wrong_result": ("wrong result", "value", "the agent ended, and the task is not done"),
}
"""Label, stage and meaning of each class, in the order of the waterfall."""

_TEXT_FROM = 3.2


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar; `start` and `width` in per cent of the bar."""

    key: str
    label: str
    count: float
    start: float
    width: float

    @property
    def number(self) -> str:
        """The count, with one digit where it is not whole."""
        return f"{self.count:,.0f}" if float(self.count).is_integer() else f"{self.count:,.1f}"

    @property
    def middle(self) -> float:
        """Where its number stands, in per cent."""
        return self.start + self.width / 2

    @property
    def roomy(self) -> bool:
        """Whether its number fits into it."""
        return self.width >= _TEXT_FROM


@dataclass(frozen=True, slots=True)
class Bar:
    """All attempts of one run."""

    run: str
    title: str
    protocol: Protocol
    n: int
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The bar in words."""
        return ", ".join(f"{segment.label} {segment.number}" for segment in self.segments)


def parts_of(parts: Sequence[tuple[str, str, float]]) -> tuple[Segment, ...]:
    """The parts of a bar from key, label and count of each; empty ones are left out."""
    total = sum(count for _, _, count in parts)
    found, start = [], 0.0
    for key, label, count in parts:
        if count:
            width = 100 * count / total
            found.append(Segment(key, label, count, start, width))
            start += width
    return tuple(found)


def miss_bars(runs: Sequence[RunView], won: str = "exact") -> list[Bar]:
    """One bar a run: what is worth 1 first, then the misses in the order of the waterfall, then what was not scored.

    won: what an attempt worth 1 is called.
    """
    found = []
    for run in runs:
        summary = run.summary
        missed = [(key, MISSES[key][0], summary.misses.get(key, 0)) for key in MISSES]
        exact = summary.n_scored - sum(count for _, _, count in missed)
        parts = [("exact", won, exact), *missed, ("unscored", "not scored", summary.n_failed + summary.n_unscored)]
        n = summary.n_scored + summary.n_failed + summary.n_unscored
        if n:
            found.append(Bar(run.id, run.title, summary.protocol, n, parts_of(parts)))
    return found


def pair_segments(pair: Pair) -> tuple[Segment, ...]:
    """How the shared samples of a pair moved, as parts of a bar."""
    won = pair.family.won
    return parts_of(
        [
            ("both", f"{won} either way", pair.both),
            ("gained", f"{won} only {pair.after.summary.protocol}", pair.gained),
            ("lost", f"{won} only {pair.before.summary.protocol}", pair.lost),
            ("neither", f"{won} in neither", pair.neither),
        ]
    )


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Accuracy of one run in one category; None where nothing was scored."""

    run: str
    category: str
    accuracy: float | None
    n: int
    note: str

    @property
    def step(self) -> int:
        """Shade 0..10."""
        return 0 if self.accuracy is None else round(self.accuracy * 10)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Categories down, runs across."""

    runs: tuple[RunView, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    shares: dict[str, float] = field(default_factory=dict)
    """Share of the traffic of each category, where the suite stands for some."""
