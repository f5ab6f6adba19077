"""Runs on the same samples: whether one is no worse than a margin below the other, and which is the better."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.summary import Interval

__all__ = ["PairDecision", "PairedComparison", "PairedVerdict", "Ranking", "Span"]


class PairedVerdict(Record):
    """The answer at one margin and one α: exact on counts of right and wrong, by bounds for sessions and for scores."""

    verdict: Literal["pass", "fail", "need_more"]
    """`pass`: shown to be less than the margin worse. `fail`: shown to be more than the margin worse. `need_more`:
    neither is shown."""
    margin: float = Field(gt=0, lt=1)
    alpha: float = Field(gt=0, lt=0.5)
    """One-sided chance of a false pass, and that of a false fail."""
    p_noninferior: float = Field(ge=0, le=1)
    """p of "worse by the margin or more": `pass` where it is at most α."""
    p_inferior: float = Field(ge=0, le=1)
    """p of "worse by the margin at most": `fail` where it is at most α."""
    method: str
    more: int | None = None
    """Of `need_more`: about how many samples more would decide it with a chance of 80 %, if the shares stay as seen.
    Null where a million would not."""


class PairedComparison(Record):
    """The candidate beside the baseline, sample by sample."""

    unit: str
    """What is counted once: `sample`, or how several trials of one were made one outcome."""
    n: int
    """Units that both have scored."""
    both: int
    """Right in both; of scores: the same in both and above 0."""
    gained: int
    """Right with the candidate alone; of scores: higher with the candidate."""
    lost: int
    """Right with the baseline alone; of scores: higher with the baseline."""
    neither: int
    difference: float
    """Share of right answers (mean score) of the candidate minus that of the baseline."""
    interval: Interval
    mcnemar_p: float = Field(ge=0, le=1)
    """Two-sided p of no difference: McNemar's exact one; by flipping signs of whole sessions where several samples
    share one, and of samples' differences where outcomes are scores."""
    verdict: PairedVerdict
    outcome: Literal["right or wrong", "score"] = "right or wrong"
    sessions: int | None = None
    """Independent sessions, where some hold several of the samples: then p and intervals are by session."""
    weighted: bool = False
    """Whether samples stand for unequal numbers of calls, and difference, p and interval are of the calls."""


class Span(Record):
    """An estimate of anything measured, with a two-sided interval in its unit."""

    value: float
    low: float | None
    """None: so few values bound it on no side below."""
    high: float | None
    """None: so few values bound it on no side above."""
    level: float = Field(gt=0, lt=1)
    method: str


class PairDecision(Record):
    """Whether one model is better than another on the samples that both have."""

    better: str
    """The one with the higher mean; of equal ones the first by name."""
    worse: str
    n: int
    gained: int
    """Samples on which `better` does better."""
    lost: int
    """Samples on which `worse` does better."""
    difference: float = Field(ge=0)
    p: float = Field(ge=0, le=1)
    """Two-sided p of no difference."""
    p_adjusted: float = Field(ge=0, le=1)
    """The same after the adjustment for all pairs."""
    decided: bool
    """The adjusted p is at most α: not chance."""


class Ranking(Record):
    """Models by their means, with what of that order is decided."""

    models: tuple[str, ...]
    """Best first."""
    means: tuple[float, ...]
    pairs: tuple[PairDecision, ...]
    """All pairs of models that share samples."""
    alpha: float = Field(gt=0, lt=0.5)
    method: Literal["holm", "bh", "none"]
    decided: int
    """Pairs that are decided."""
