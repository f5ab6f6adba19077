"""Verdicts that may be looked at after every pair, and what a run that ended on them says of itself."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.interval import Interval

__all__ = ["Certainty", "ClusterVerdict", "EarlyStop", "RunVerdict", "Saved", "SequentialVerdict"]

Certainty = Literal["pass", "fail", "dominated", "need_more"]
"""`pass`: shown to be less than the margin worse. `fail`: shown to be more than the margin worse. `dominated`: another
candidate is shown to be better, and costs no more. `need_more`: none of these."""


class SequentialVerdict(Record):
    """The candidate beside the baseline after some looks: true at each of them, however the last one was chosen."""

    verdict: Literal["pass", "fail", "need_more"]
    margin: float = Field(gt=0, lt=1)
    alpha: float = Field(gt=0, lt=0.5)
    """Chance of a false pass over all looks together, and that of a false fail."""
    n_pairs: int = Field(ge=0)
    """Pairs looked at."""
    n_blocks: int = Field(ge=0)
    """Looks: independent units, sessions where there are any."""
    decided_at: int | None = None
    """Pairs after which the verdict was certain."""
    difference: float | None
    """Mean value of the candidate minus that of the baseline, over the pairs looked at; null without any."""
    interval: Interval | None
    """Confidence sequence for it; null without any."""
    p_noninferior: float = Field(ge=0, le=1)
    """Anytime-valid p of "worse by the margin or more"."""
    p_inferior: float = Field(ge=0, le=1)
    """Anytime-valid p of "worse by the margin at most"."""


class ClusterVerdict(Record):
    """What became certain of one candidate in one cluster."""

    cluster: str
    share: float = Field(ge=0, le=1)
    """Of the suite's traffic."""
    verdict: Certainty
    dominated_by: str | None = None
    n_planned: int = Field(ge=0)
    """Samples of the cluster that both can be asked."""
    n_not_asked: int = Field(ge=0)
    """Those of them that the candidate was not asked, in every trial; their ids are in verdict.json."""
    gained: int = Field(ge=0)
    """Pairs in which the candidate was worth more."""
    lost: int = Field(ge=0)
    more: int | None = None
    """Of `need_more`: about how many pairs more would decide it, if differences stay as seen. Null where they do not
    lean to either side."""
    seen: SequentialVerdict


class Saved(Record):
    """What was not needed. Attempts are counted; tokens and USD are taken from the mean of what was asked."""

    attempts: int = Field(ge=0)
    of: int = Field(ge=0)
    """Attempts planned."""
    tokens: int | None
    """Null where no usage is known."""
    usd: float | None
    """Null where no price is known."""


class EarlyStop(Record):
    """How a run with `run.stop=verdict` stands or ended."""

    stopped: bool
    """Whether everything was certain before everything was asked."""
    role: Literal["candidate", "baseline"]
    against: str
    """The baseline: a run's folder or a model's name."""
    by: Literal["category", "suite"]
    margin: float
    alpha: float
    correction: Literal["holm", "bonferroni", "none"]
    n_tests: int = Field(ge=0)
    """Verdicts that share α: candidates × clusters."""
    looks: int = Field(ge=0)
    """Looks at this model's pairs, over all clusters."""
    clusters: tuple[ClusterVerdict, ...] = ()
    """Empty for the baseline."""
    saved: Saved
    accuracy: float | None
    """Means of the clusters, weighted by their samples in the plan; null while one of them has no answer."""
    accuracy_interval: Interval | None
    """Confidence sequence: covers however the end was chosen."""
    by_category: dict[str, Interval] = Field(default_factory=dict)
    """Confidence sequences of the categories, each by itself."""
    not_paired: int = 0
    """Samples of the suite that the baseline has no value for: never asked."""

    @property
    def sentence(self) -> str:
        """What must be known of the run's numbers, in one line."""
        how = "its accuracy is the mean of the clusters, with a confidence sequence: an interval for a fixed number of "
        how += "samples would be too narrow"
        if not self.stopped:
            return f"run.stop=verdict was on against {self.against}: {how}"
        asked = self.saved.of - self.saved.attempts
        open_ = sum(one.verdict == "need_more" for one in self.clusters)
        certain = f"{open_} of {len(self.clusters)} clusters undecided with all their samples" if open_ else "certain"
        return f"stopped early, {certain}: {asked:,} of {self.saved.of:,} attempts against {self.against}; {how}"


class RunVerdict(Record):
    """`verdict.json` of a run folder."""

    run: str
    early: EarlyStop
    not_asked: tuple[str, ...]
    """Ids of the samples that were not asked in every trial."""
