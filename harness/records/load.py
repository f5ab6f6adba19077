"""What a load replay found: which share of today's traffic an engine holds, with its evidence."""

from typing import Literal

from pydantic import Field

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.manifest import BackendFacts, MachineFacts
from harness.records.summary import Interval, Quantiles

__all__ = ["Backlog", "LoadBook", "LoadGoal", "LoadPoint", "LoadTraffic", "LoadVerdict"]

LoadVerdict = Literal["holds", "overloaded", "undecided"]


class LoadGoal(Record):
    """When a call counts as served in time, and how many have to be."""

    ttft_s: float | None
    """From the intended send to the first token; None: it does not matter."""
    e2e_s: float | None
    """From the intended send to the last byte; None: it does not matter."""
    share: float
    """Of the calls."""


class LoadTraffic(Record):
    """The log's traffic, as it was."""

    arrivals: int
    """Calls whose time is known."""
    calls: float
    """Logged calls that they stand for."""
    whole: bool
    """Whether it is the whole curated log; else the samples of the suite alone."""
    first: float
    """Seconds since the epoch."""
    last: float
    per_s: float | None
    """Mean over the whole span: calls / (last − first); None for a span below a second."""
    busiest_minute: float
    """Most calls within 60 s, copies whose times were not kept spread as the known ones."""
    kept_sessions: bool
    """Whether a session's next call waited for the reply to the one before."""


class Backlog(Record):
    """Calls that were due and not done, over the time in which calls came."""

    most: int
    mean: float
    early: float
    """Mean over the first third of the time."""
    late: float
    """Mean over the last third."""
    p: float | None
    """One-sided p of Mann and Kendall's test for a rising trend over ten stretches; None for too few calls."""
    grows: bool
    """p of .01 or less, and later at least two calls and half as many more than early."""


class LoadPoint(Record):
    """One speed."""

    speed: float
    """1: as fast as in the log."""
    log_s: float
    """Length of the stretch of the log that was played: the busiest of that length."""
    planned_s: float
    """What it takes at this speed."""
    planned: int
    """Calls in it."""
    different: int
    """Different prompts that stood for them."""
    sent: int
    served: int
    """With a whole reply."""
    in_time: int
    """Of those that count: served within the goal."""
    counted: int
    """Calls with a verdict: served, lost, or still open after more time than the goal allows."""
    lost: int
    """To the infrastructure: they count as not in time."""
    unfit: int
    """Refused by the model's own limits, such as the context: no load, and in no figure here."""
    unfinished: int
    """Still open when it ended, without a verdict."""
    stopped: str | None
    """Why it ended before all was sent."""
    offered_per_s: float | None
    """Calls sent over the time in which they were; None for fewer than two."""
    served_per_s: float | None
    """Whole replies over the time until the last of them."""
    busiest_minute: int
    """Most calls due within 60 s as played."""
    share: float | None
    """in_time / counted."""
    interval: Interval | None
    ttft_s: Quantiles | None
    """From the intended send; of the served calls alone, so that under overload it is too good."""
    e2e_s: Quantiles | None
    late_p99_s: float | None
    """How late the harness itself sent what had a free place."""
    backlog: Backlog
    trace: tuple[tuple[float, int], ...]
    """(seconds, calls due and not done)."""
    cost_usd: float | None
    verdict: LoadVerdict
    why: str


class LoadBook(Record):
    """`load.json`."""

    format: Literal[1] = 1
    run: str
    """Name of the folder."""
    suite: str
    suite_hash: str
    model: str
    model_title: str
    protocol: Protocol
    quantization: str | None
    backend: BackendFacts
    machine: MachineFacts
    started_at: str
    goal: LoadGoal
    traffic: LoadTraffic
    points: tuple[LoadPoint, ...] = Field(min_length=1)
    not_played: tuple[float, ...]
    """Speeds that were asked for, beyond one that was overloaded."""
    holds_up_to: float | None
    """Highest speed that holds, all lower ones holding too; None: none was shown to."""
    overloaded_from: float | None
    """Lowest speed that does not; None: none was."""
    verdict: str
    """In a sentence."""
    conditions: tuple[str, ...]
    """What the verdict depends on."""
    warnings: tuple[str, ...] = ()
    harness: str
