"""When a small model may take calls over, and which models come into question."""

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.records import Record
from harness.records.signal import SIGNALS, Signal

__all__ = ["SIGNALS", "SelectOptions", "Signal", "StatsConfig"]


class StatsConfig(Record):
    """Margins, levels and limits of a verdict (`conf/stats`). Margins are shares of the samples."""

    name: str = "default"
    """As in the file's name in `conf/stats`."""
    accuracy: float = Field(default=0.05, gt=0, lt=1)
    """Loss of right answers that would matter."""
    wrong_calls: float = Field(default=0.05, gt=0, lt=1)
    """Calls made where none is wanted, more than the baseline makes."""
    missed_calls: float = Field(default=0.05, gt=0, lt=1)
    """Calls withheld where one is wanted, more than the baseline withholds."""
    compliance: float = Field(default=0.05, gt=0, lt=1)
    """Replies that break the form, more than the baseline's."""
    ttft_p95_s: float | None = Field(default=None, gt=0)
    """95 of 100 first tokens come within it. None: no limit."""
    e2e_p95_s: float | None = Field(default=None, gt=0)
    """95 of 100 replies end within it."""
    cost_ratio: float | None = Field(default=1.0, gt=0)
    """Cost of a call at most so many times the baseline's. None: cost decides nothing."""
    cost_required: bool = False
    """Whether a cost that is not known stands in the way."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One-sided chance of a false `replace` or `hybrid`."""
    multiplicity: Literal["holm", "bh", "none"] = "holm"
    """Over all clusters and variants: chance of any false one, expected share of false ones, or each on its own."""
    power: float = Field(default=0.8, gt=0, lt=1)
    """Of "need n more"."""
    hybrid: tuple[Signal, ...] = ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema", "no_answer", "no_call")
    """Signals on which a hybrid asks the baseline. Empty: no hybrids are judged."""


class SelectOptions(Record):
    """Which runs are judged, against what, and which of them come into question at all."""

    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest of each set-up of one suite."""
    suite: str | None = None
    """Which suite, where there are several."""
    baseline: str | None = None
    """A model's name or a run folder; None: the run on record (`model=incumbent`)."""
    by: Literal["cluster", "all"] = "cluster"
    """`all`: the whole suite as one cluster."""
    clusters: str | None = None
    """Folder of `do=cluster`, for the names of clusters that a suite knows by their ids."""
    votes: Literal["parallel", "serial", "off"] = "parallel"
    """Whether several trials of a run are judged as one answer, too, and whether its calls are made at once."""
    most_models: int = Field(default=3, ge=1, le=20)
    """Plans are made for one deployment, two, and so on up to this many."""
    licences: tuple[str, ...] | None = None
    """Those that may be used; null: any."""
    hosted: bool | None = None
    """True: hosted alone; False: local alone."""
    languages: tuple[str, ...] | None = None
    """All of which a model must have."""
    context_tokens: int | None = Field(default=None, ge=1)
    """Room that a model must have."""
    ttft_p95_s: float | None = Field(default=None, gt=0)
    """Seconds to the first token that 95 of 100 of its calls must keep."""
    e2e_p95_s: float | None = Field(default=None, gt=0)
    """Seconds for the whole reply, likewise."""
    tokens_per_s: float | None = Field(default=None, gt=0)
    """Median that its replies must reach."""
    memory_gb: float | None = Field(default=None, gt=0)
    """In units of 2**30 bytes. None: what the named hardware leaves."""

    @field_validator("votes", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value

    @field_validator("runs", "licences", "languages", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value
