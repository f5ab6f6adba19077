"""What came of holding stored runs against each other: one pair in full, or many as a matrix."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.gate import Change, GateRun
from harness.records.interval import Interval
from harness.records.paired import PairedComparison, Ranking
from harness.records.score import MissClass

__all__ = [
    "CompareFigure",
    "CompareMatrix",
    "CompareVerdict",
    "Comparison",
    "Flip",
    "MatrixCell",
    "MissFlow",
    "MissRow",
    "PairFinding",
]

CompareVerdict = Literal["superior", "non_inferior", "inferior", "inconclusive"]
"""Of B against A. `superior`: shown to be better, and less than the margin worse. `non_inferior`: shown to be less than
the margin worse. `inferior`: shown to be more than the margin worse. `inconclusive`: none of these is shown."""

Outcome = MissClass | Literal["right", "partial"]
"""Where an attempt was lost; `right`: worth 1. `partial`: worth less, without a class."""


class PairFinding(Record):
    """The verdict on all samples, or on one category's; p adjusted over the categories; as they are for all samples."""

    name: str
    verdict: CompareVerdict
    pair: PairedComparison
    a: float
    """Mean value of A over the shared samples; of a weighted pair over their calls."""
    b: float
    p_noninferior: float = Field(ge=0, le=1)
    """Of "B is worse by the margin or more", adjusted."""
    p_inferior: float = Field(ge=0, le=1)
    """Of "B is worse by the margin at most", adjusted."""
    p_difference: float = Field(ge=0, le=1)
    """Two-sided, of "no difference", adjusted."""
    better: Literal["a", "b"] | None
    """The one that is shown to be better at all, by the two-sided p; None: neither."""
    more: int | None = None
    """Of `inconclusive`: about how many samples more would decide it, if things stay as seen. None: not within a
    million."""


class MissRow(Record):
    """One class of misses: how often either run lost an attempt by it, and what the other made of those."""

    miss: Outcome
    a: int
    """Attempts that A lost so."""
    b_right: int
    """Of those: right with B."""
    b: int
    """Attempts that B lost so."""
    a_right: int
    """Of those: right with A."""


class MissFlow(Record):
    """How many attempts ended so with A and so with B."""

    a: Outcome
    b: Outcome
    n: int = Field(ge=1)


class Flip(Record):
    """A sample that is worth more with one run than with the other. Texts are None where they were left out."""

    sample: str
    trial: int = 0
    """The first trial in which both differ."""
    category: str
    change: Literal["gained", "lost"]
    a_value: float
    """Mean over the trials."""
    b_value: float
    a_miss: MissClass | None = None
    b_miss: MissClass | None = None
    prompt: str | None = None
    """How the last turn of the user begins."""
    a_reply: str | None = None
    """The calls that were read, or how the reply begins."""
    b_reply: str | None = None
    a_why: str | None = None
    b_why: str | None = None


class CompareFigure(Record):
    """A time, a cost or a number of tokens on both sides, as far as they may be held against each other."""

    name: Literal["ttft", "e2e", "cost", "tokens"]
    unit: Literal["s", "USD", "tokens"]
    n: int = 0
    """Samples that have it on both sides."""
    sessions: int | None = None
    a: float | None = None
    """Of times the geometric mean, of the rest the mean of a call."""
    b: float | None = None
    ratio: float | None = None
    """B / A; None where it was not measured on both sides, or must not be compared."""
    interval: Interval | None = None
    why: str
    """How they were made comparable, or why they are not."""


class Comparison(Record):
    """`compare.json` of two runs. A is the one held against, B the one looked at."""

    schema_version: Literal[1] = 1
    kind: Literal["pair"] = "pair"
    name: str
    made_at: str
    suite: str
    margin: float
    alpha: float
    correction: Literal["holm", "bh", "none"]
    a: GateRun
    b: GateRun
    shared: int
    """Samples of both runs."""
    left_out: int = 0
    """Samples that one of them has alone, where `compare.common` took those of both."""
    whole: PairFinding
    by_calls: PairFinding | None = None
    """The same with each sample counting as the calls that it stands for; None where all count alike."""
    categories: tuple[PairFinding, ...] = ()
    untested: tuple[str, ...] = ()
    """Categories without a sample that both have scored."""
    misses: tuple[MissRow, ...] = ()
    flows: tuple[MissFlow, ...] = ()
    attempts: int = 0
    """Attempts scored in both, which misses and flows count."""
    flips: tuple[Flip, ...] = ()
    figures: tuple[CompareFigure, ...] = ()
    times: str
    changed: tuple[Change, ...] = ()
    """What was set differently; `baseline` is A, `candidate` is B."""
    notes: tuple[str, ...] = ()


class MatrixCell(Record):
    """One run (`b`) against another (`a`)."""

    a: str
    b: str
    verdict: CompareVerdict
    n: int
    gained: int
    lost: int
    difference: float
    interval: Interval
    sessions: int | None = None
    p_noninferior: float = Field(ge=0, le=1)
    """Adjusted over all cells, as the two below."""
    p_inferior: float = Field(ge=0, le=1)
    p_difference: float = Field(ge=0, le=1)
    more: int | None = None


class CompareMatrix(Record):
    """`compare.json` of more than two runs: every one against every other, on the samples that all have."""

    schema_version: Literal[1] = 1
    kind: Literal["matrix"] = "matrix"
    name: str
    made_at: str
    suite: str
    margin: float
    alpha: float
    correction: Literal["holm", "bh", "none"]
    shared: int
    left_out: int = 0
    runs: tuple[GateRun, ...]
    """The best first."""
    labels: tuple[str, ...]
    """Of the runs, told apart from each other."""
    means: tuple[float | None, ...]
    cells: tuple[MatrixCell, ...]
    ranking: Ranking | None
    notes: tuple[str, ...] = ()
