"""Two runs on the same samples, and whether the second is no worse than a margin below the first."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.summary import Interval

__all__ = ["PairedComparison", "PairedVerdict"]


class PairedVerdict(Record):
    """The exact answer, at one margin and one α, on counts of right and wrong."""

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
    gained: int
    """Right with the candidate alone."""
    lost: int
    """Right with the baseline alone."""
    neither: int
    difference: float
    """Share of right answers of the candidate minus that of the baseline."""
    interval: Interval
    mcnemar_p: float = Field(ge=0, le=1)
    """Two-sided exact p of no difference."""
    verdict: PairedVerdict
