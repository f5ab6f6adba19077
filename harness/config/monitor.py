"""What `do=monitor` watches, what it promises, and what it does on an alarm."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record
from harness.records.monitor import MonitorOutcome

__all__ = ["MonitorOptions"]


class MonitorOptions(Record):
    """The sampled verification of a routing policy in production."""

    logs: tuple[str, ...] = ()
    """Folders with the router's `verified-*.jsonl`."""
    route: str | None = None
    """Folder of the policy: its name, its margin, its tasks, its `control.json`. None: `monitor.policy` names it."""
    policy: str | None = None
    """Whose pairs count, NAME@HASH as the log has it; None: that of `route`."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the folder in results/monitor; None: the policy's name."""
    outcome: MonitorOutcome = "disagreement"
    """What is watched. `loss`: value of the large model's answer less that of the small one's. `error`: of the small
    model."""
    limit: float | None = Field(default=None, gt=-1, lt=1)
    """Mean of the outcome that is still as it should be."""
    baseline: tuple[int, int] | None = None
    """In place of a limit: of how many calls of the calibration how many were so: `[81, 400]`."""
    margin: float | None = Field(default=None, ge=0, lt=1)
    """Above `baseline` (None: 0). Without it or a limit, of `outcome=loss`: over all calls (None: as certified)."""
    detect: float = Field(default=0.05, gt=0, lt=1)
    """Distance beyond the limit that is to be found soonest."""
    promise: Literal["ever", "rate"] = "ever"
    """`ever`: any false alarm, over all time, with chance `alpha` at most. `rate`: one in `every` units on the mean at
    most."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Of `ever`: chance of any false alarm, over all time and all monitors."""
    every: float = Field(default=5000, ge=20)
    """Of `rate`: sessions or single calls between two false alarms, on the mean at least."""
    by: Literal["traffic", "cluster", "both"] = "traffic"
    """One monitor for all, one for each task of the policy, or both; they share the promise."""
    labels: str | None = None
    """File with values that come later, a JSON line a call: call, small_value, large_value."""
    label_days: float = Field(default=7, gt=0)
    """How long a pair waits for its label."""
    largest: int = Field(default=4, ge=1, le=1000)
    """Most calls for which a session counts."""
    session_s: float = Field(default=3600, gt=0)
    """Verified calls of one session within this time are one unit."""
    keep_days: float = Field(default=30, gt=0)
    """How late a line may come."""
    kill: bool = False
    """Turn the policy off on an alarm: `mode: off` in its control.json."""
    reset: str | None = None
    """Begin anew, and why: it stands in the ledger."""

    @field_validator("logs", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("policy", "name", "reset", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        """A name of digits comes from the command line as a number."""
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("reset")
    @classmethod
    def _with_a_reason(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            msg = "say why, for the ledger: monitor.reset='prompt v3 is live'"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _one_limit(self) -> "MonitorOptions":
        if self.limit is not None and self.baseline is not None:
            msg = "monitor.limit and monitor.baseline both say what is still as it should be; give either"
            raise ValueError(msg)
        if self.limit is not None and self.margin is not None:
            msg = "monitor.margin is added to a baseline or taken from the policy; with monitor.limit leave it out"
            raise ValueError(msg)
        if self.baseline is not None and not 0 <= self.baseline[0] <= self.baseline[1] > 0:
            msg = "monitor.baseline=[WRONG,OF] takes a count and that of all calls, as [81,400]"
            raise ValueError(msg)
        if self.kill and self.route is None:
            msg = "monitor.kill turns a policy off, so name its folder: monitor.route=results/route/STAMP"
            raise ValueError(msg)
        return self
