"""What a gate lets through (`conf/gate`), and what is said where a run is made the baseline."""

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.records import Record
from harness.records.gate import Tier

__all__ = ["AcceptOptions", "GateClusters", "GateOptions", "GateRate", "GateSize", "GateTime"]


class GateRate(Record):
    """Limits of a share of good answers. None: no such limit."""

    tier: Tier = "blocking"
    """`blocking`: decides the exit code. `warning`: annotated. `informative`: shown."""
    margin: float | None = Field(default=0.05, gt=0, lt=1)
    """Loss against the baseline that would matter, as a share of the samples."""
    keep: float | None = Field(default=None, gt=0, lt=1)
    """Part of the baseline's share that has to be kept: 0.95."""
    least: float | None = Field(default=None, gt=0, lt=1)
    """Share that the candidate has to have, whatever the baseline has."""


class GateClusters(Record):
    """Limits of single clusters' right answers."""

    tier: Tier = "warning"
    """As of GateRate."""
    names: tuple[str, ...] | Literal["all"] = ()
    """Those that matter."""
    margin: float | None = Field(default=0.1, gt=0, lt=1)
    """Loss in a cluster that would matter, as a share of its samples."""
    keep: float | None = Field(default=None, gt=0, lt=1)
    """Part of the baseline's share that has to be kept in each."""
    least: float | None = Field(default=None, gt=0, lt=1)
    """Share that the candidate has to have in each."""

    @field_validator("names", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value != "all" else value


class GateSize(Record):
    """Limits of what a call takes: USD, or tokens."""

    tier: Tier = "warning"
    """As of GateRate."""
    ratio: float | None = Field(default=1.1, gt=0)
    """Mean of a call at most so many times the baseline's."""
    most: float | None = Field(default=None, gt=0)
    """Mean of a call at most."""


class GateTime(Record):
    """Limits of a time."""

    tier: Tier = "warning"
    """As of GateRate."""
    ratio: float | None = Field(default=1.1, gt=0)
    """At most so many times the baseline's, by the geometric mean over pairs."""
    p95_s: float | None = Field(default=None, gt=0)
    """95 of 100 within so many seconds."""


class GateOptions(Record):
    """A policy, and which runs it is put to."""

    name: str = "default"
    """Of the policy, as in the file's name in `conf/gate`."""
    baseline: str | None = None
    """A folder of `do=accept`, or a run folder; None: the accepted baseline of the candidate's suite."""
    beside: str | None = None
    """A run of the baseline's set-up made in the candidate's job: times are held against it."""
    suite: str | None = None
    """Of the candidate, where `run=latest`."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One-sided chance that a gate passes what should not, and that it fails what should not."""
    inconclusive: Literal["stop", "pass", "fail"] = "stop"
    """What comes of a blocking check that shows neither. `stop`: exit 2. `pass`: exit 0, annotated. `fail`: exit 1."""
    max_lost: float = Field(default=0.02, ge=0, lt=1)
    """Share of the attempts that the infrastructure may lose; above, nothing is judged and the exit code is 3."""
    times_across: Literal["blocking", "warning", "informative", "refuse"] = "warning"
    """The highest tier of times that were not measured in one job, on machines with equal facts. `refuse`: none."""
    accuracy: GateRate = GateRate()
    """Each sample counts once."""
    weighted: GateRate = GateRate(tier="warning")
    """Right answers by traffic: each sample counts for the logged calls that it stands for."""
    wrong_calls: GateRate = GateRate()
    """Silence where no call is wanted."""
    missed_calls: GateRate = GateRate()
    """Calls where one is wanted."""
    form: GateRate = GateRate()
    """Replies in the form that was asked for."""
    clusters: GateClusters = GateClusters()
    """Right answers in single clusters."""
    cost: GateSize = GateSize()
    """USD of a call."""
    tokens: GateSize = GateSize(tier="informative", ratio=1.2)
    """Output tokens of a call."""
    ttft: GateTime = GateTime()
    """Time to the first token."""
    e2e: GateTime = GateTime()
    """Time to the last byte."""


class AcceptOptions(Record):
    """Who makes a run the baseline, and why."""

    by: str = Field(min_length=1)
    """Who says so."""
    why: str = Field(min_length=1)
    """In a few words; both are written to `baseline.json`."""
    journal: bool = False
    """Keep prompts and replies too: they may be private, and they are large."""

    @field_validator("by", "why", mode="before")
    @classmethod
    def _said(cls, value: Any) -> Any:
        """From the command line `by=7` is a number, and blanks say nothing."""
        return str(value).strip() if isinstance(value, str | int | float) else value
