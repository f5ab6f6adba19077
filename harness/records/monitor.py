"""A sequential monitor of production: what it was set to, where it stands, and what it says."""

from typing import Literal

from pydantic import Field, model_validator

from harness.records.base import Record
from harness.records.interval import Interval

__all__ = [
    "MonitorBook", "MonitorDesign", "MonitorEvent", "MonitorOutcome", "MonitorPoint", "MonitorReport", "MonitorState",
    "MonitorView", "OutcomeLabel", "PairCounts", "PendingPair", "WatchState",
]  # fmt: skip

MonitorOutcome = Literal["disagreement", "loss", "error"]
"""`disagreement`: 1 where the two models do not do the same. `loss`: value of the large model's answer less the small
one's. `error`: 1 less the value of the small model's answer."""


class MonitorDesign(Record):
    """What a monitor promises and what it is tuned for; fixed before the first look."""

    limit: float
    """Mean that is still as it should be. With `baseline`: by how much the mean may lie above that of the baseline."""
    detect: float = Field(default=0.05, gt=0)
    """Distance beyond the limit that is to be found soonest. Others are found, too."""
    low: float = 0.0
    high: float = 1.0
    """Bounds of a value."""
    largest: int = Field(default=1, ge=1)
    """Most values in a unit (session)."""
    promise: Literal["ever", "rate"] = "ever"
    """`ever`: any false alarm, over all time, with chance `alpha` at most. `rate`: one in `every` units on the mean at
    most."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    every: float = Field(default=5000.0, ge=20)
    baseline: tuple[tuple[float, int, int], ...] | None = None
    """Units of the calibration: sum, number of values, how often. Their own uncertainty counts."""
    spread: float | None = Field(default=None, gt=0)
    """Mean square about the limit to begin with, per value, learned on the way; None: values of 0 to 1, with the
    variance of right or wrong. Values that may be below 0 need it."""
    head: float = Field(default=0.7, gt=0, lt=1)
    """Of `ever`: part of the capital that bets on a loss from the first unit on; the rest on later beginnings."""
    horizon: float = Field(default=1000.0, gt=0)
    """Of `ever`: units after which half of the rest has been staked."""

    @model_validator(mode="after")
    def _fits(self) -> "MonitorDesign":
        mean = 0.0
        if self.spread is None and (self.low, self.high) != (0.0, 1.0):
            msg = "values beyond 0 to 1 need a spread to begin with, as 0.2"
            raise ValueError(msg)
        if self.baseline is not None:
            values = sum(size * times for _, size, times in self.baseline)
            if values <= 0 or any(size < 1 or times < 1 for _, size, times in self.baseline):
                msg = "a baseline needs units with one value or more"
                raise ValueError(msg)
            if self.promise == "rate" or (self.low, self.high) != (0.0, 1.0):
                msg = "a baseline goes with values of 0 to 1 and promise=ever; else give the limit as a number"
                raise ValueError(msg)
            mean = sum(total * times for total, _, times in self.baseline) / values
        if not (self.low < self.limit + (mean or 0.0) < self.high or (self.baseline is not None and self.limit >= 0)):
            msg = f"the limit lies between {self.low:g} and {self.high:g}, not at {self.limit:g}"
            raise ValueError(msg)
        if mean + self.limit + self.detect >= self.high:
            msg = f"{self.detect:g} beyond the limit leaves the bounds of a value, {self.low:g} to {self.high:g}"
            raise ValueError(msg)
        return self


class MonitorState(Record):
    """Where a monitor stands: all that it needs to go on, of fixed size."""

    units: int = 0
    values: int = 0
    total: float = 0.0
    squares: float = 0.0
    """Σ of the squared sums of the units."""
    crossed: float = 0.0
    """Σ sum × size."""
    sizes: float = 0.0
    """Σ size²."""
    capital: tuple[tuple[float, ...], ...] = ()
    """By limit and stake; empty before the first unit."""
    best: float = 0.0
    """Log of the greatest evidence so far."""
    now: float = 0.0
    rise: float = 0.0
    """Log-evidence of the likeliest beginning of a change (CUSUM); 0: none is in sight."""
    since_units: int = 0
    """Units before that beginning."""
    since_values: int = 0
    alarmed_units: int | None = None
    """Units after which the evidence was enough."""


class MonitorPoint(Record):
    """A moment of a monitor's life, for the picture."""

    at: float
    values: int
    evidence: float
    """Natural log."""
    mean: float
    low: float
    high: float


class WatchState(Record):
    """One monitor with what is shown of it."""

    key: str
    """A task's id; `traffic`: all of it."""
    state: MonitorState = MonitorState()
    blocks: tuple[tuple[float, int, int], ...] = ()
    """Units seen: sum, number of values, how often."""
    recent: tuple[tuple[float, int], ...] = ()
    """The last units."""
    first: float | None = None
    """Time of the first unit."""
    last: float | None = None
    since: float | None = None
    """Time at which the likeliest change began; None: none is in sight."""
    alarmed_at: float | None = None
    alarmed_values: int | None = None
    points: tuple[MonitorPoint, ...] = ()


class PendingPair(Record):
    """A pair that waits for its session to end, or for its label."""

    call: str
    at: float
    session: str | None
    cluster: str | None
    small_value: float | None = None
    large_value: float | None = None
    value: float | None = None
    """The outcome; None until its label comes."""


class PairCounts(Record):
    """What became of the lines that were read."""

    read: int = 0
    """Pairs taken in, each call once."""
    used: int = 0
    """Outcomes that were looked at."""
    unlike: int = 0
    """Pairs without an outcome: one of the models gave no answer to compare."""
    unlabelled: int = 0
    """Pairs that waited for a label in vain."""
    not_routed: int = 0
    """Pairs whose small answer would not have stood: no loss to anybody."""
    other_policy: int = 0
    late: int = 0
    """Pairs that came after later ones had been looked at: taken then."""
    too_late: int = 0
    """Lines older than what is remembered: left out, since they may have been seen."""
    twice: int = 0
    """Lines of calls that had been read."""
    broken: int = 0
    """Lines that are no pair."""


class MonitorEvent(Record):
    """A line of the ledger."""

    at: str
    what: Literal["begun", "alarm", "reset", "kill"]
    key: str | None = None
    said: str


class MonitorBook(Record):
    """`state.json`: everything that is kept between two looks, written as a whole."""

    format: Literal[1] = 1
    name: str
    policy: str
    outcome: MonitorOutcome
    design: MonitorDesign
    by: Literal["traffic", "cluster", "both"]
    keys: tuple[str, ...]
    """The monitors that share the promise."""
    session_s: float
    watches: tuple[WatchState, ...]
    pending: tuple[PendingPair, ...] = ()
    seen: tuple[tuple[str, float], ...] = ()
    """Short prints of the calls taken in, with their times, as far back as lines are still accepted."""
    files: tuple[tuple[str, int], ...] = ()
    """Files read, and up to which byte."""
    closed: float = 0.0
    """End of the latest unit that was looked at."""
    counts: PairCounts = PairCounts()
    epoch: int = 1
    """Grows with each reset."""
    killed_epoch: int = 0
    """In which the policy was turned off last."""


class OutcomeLabel(Record):
    """What an answer turned out to be worth, told later."""

    call: str
    small_value: float | None = Field(default=None, ge=0, le=1)
    """Of the small model's answer, 0..1."""
    large_value: float | None = Field(default=None, ge=0, le=1)


class MonitorView(Record):
    """What one monitor says."""

    key: str
    alarm: bool
    limit: float
    """As a number: the baseline's mean and the margin, where there is one."""
    units: int
    values: int
    mean: float | None
    interval: Interval | None
    """Confidence sequence: holds at every look, if the mean has not changed since the beginning."""
    recent: float | None
    """Mean of the last units."""
    recent_interval: Interval | None
    """For a fixed number of units: for the eye, no test."""
    recent_values: int
    evidence: float
    """Natural log of the evidence now; of `ever` as a factor against the limit."""
    strongest: float
    need: float
    """Log-evidence that makes an alarm, this monitor's part of the promise counted."""
    p: float | None
    """Of `ever`: chance that evidence ever gets so strong without cause. None of `rate`."""
    since: float | None
    """When the likeliest change began."""
    since_values: int | None
    """Outcomes looked at from then until the alarm, or until now: the delay."""
    alarmed_at: float | None
    alarmed_values: int | None
    more: int | None
    """About how many outcomes more an alarm takes, if the mean is `detect` beyond the limit. 0 after it."""
    days: float | None
    """What that is in days at the pace so far."""
    points: tuple[MonitorPoint, ...]


class MonitorReport(Record):
    """What all monitors of a policy say after a look."""

    name: str
    policy: str
    made_at: str
    harness: str
    outcome: MonitorOutcome
    design: MonitorDesign
    epoch: int
    counts: PairCounts
    pending: int
    views: tuple[MonitorView, ...]
    first: float | None
    last: float | None
    killed: bool = False
    """Whether this look turned the policy off."""
    route: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[MonitorView, ...]:
        """The monitors that have alarmed."""
        return tuple(one for one in self.views if one.alarm)
