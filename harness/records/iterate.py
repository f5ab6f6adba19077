"""What a look at new calls found, what is to be done about it, and the state that is kept from look to look."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record

__all__ = [
    "ChangeKind",
    "DriftMeasure",
    "DriftRow",
    "Dropped",
    "Growth",
    "IterateState",
    "Iteration",
    "LedgerLine",
    "NewCluster",
    "OpenFinding",
    "RouterRow",
    "SourceChange",
    "Stake",
    "StaleVerdict",
    "StepDone",
    "Todo",
]  # fmt: skip

ChangeKind = Literal[
    "tool_added", "tool_removed", "tool_changed", "prompt_added", "prompt_removed", "model_added", "model_removed"
]


class Stake(Record):
    """What a cluster takes in a week, as recorded. None: the log does not say."""

    calls_week: float | None = None
    tokens_week: float | None = None
    usd_week: float | None = None
    saved_usd_week: float | None = None
    """What the verdict saves, where it moves calls."""


class DriftMeasure(Record):
    """One figure by which old and new calls were compared."""

    name: str
    kind: Literal["psi", "mean", "mmd", "auc"]
    effect: float
    p: float
    """Among all figures of this test (min p)."""
    old: float | None = None
    now: float | None = None
    notable: bool
    """Whether the effect is as large as `iterate.drift` asks for."""


class DriftRow(Record):
    """Old and new calls of a cluster or a node compared."""

    where: str
    """Id of the cluster or node."""
    name: str
    level: Literal["cluster", "node", "all"]
    side: Literal["inputs", "outcomes"]
    n_old: int
    n_new: int
    sessions_old: int
    sessions_new: int
    straddling: int
    """New calls of sessions that began before: in no test."""
    p: float | None = None
    """Smallest of its figures, adjusted among them."""
    p_adjusted: float | None = None
    """The same over all tests of the look."""
    drifted: bool = False
    measures: tuple[DriftMeasure, ...] = ()
    why_not: str | None = None
    """Why it was not tested."""


class RouterRow(Record):
    """What the router's logs say of a cluster, before the last comparison and since."""

    cluster: str
    what: Literal["handed on", "other answer"]
    """Share of calls that went on to the backbone after the small model; share of verified calls where both differ."""
    n_old: int
    n_new: int
    old: float
    now: float
    p: float | None = None
    p_adjusted: float | None = None
    drifted: bool = False
    until: float | None = None
    """Time of the latest line that was compared."""


class SourceChange(Record):
    """A tool, a sentence of an instruction, or a model that is new, gone or another."""

    kind: ChangeKind
    node: str
    node_name: str
    what: str
    """Name of the tool or model; hash of the sentence."""
    detail: tuple[str, ...] = ()
    """Of a tool: which properties."""
    text: str | None = None
    """Of a sentence, masked; None where samples are not shown."""
    since: str | None = None
    """Day of the first new call with it."""
    calls: int
    """New calls that it concerns; of what is gone, all new calls of the node."""
    clusters: tuple[str, ...] = ()


class NewCluster(Record):
    """A task that was not there."""

    id: str
    node: str
    node_name: str
    new_node: bool
    within: str | None = None
    """Known task that takes these calls in though they are like none of its old ones."""
    name: str
    """By its words; the id where samples are not shown."""
    calls: int
    sessions: int
    share: float
    """Of the new calls."""
    first: str | None = None
    stake: Stake


class Growth(Record):
    """New calls of a known cluster."""

    id: str
    name: str
    node: str
    old: int
    new: int
    week_old: float | None = None
    week_new: float | None = None


class StaleVerdict(Record):
    """A verdict and what speaks against relying on it."""

    cluster: str
    name: str
    verdict: str
    variant: str | None
    made_at: str
    age_days: float
    calls_old: int
    calls_new: int
    reasons: tuple[str, ...]
    stake: Stake


class Todo(Record):
    """One thing to do again."""

    key: str
    """Equal from look to look while it stays to be done."""
    what: str
    why: tuple[str, ...]
    clusters: tuple[str, ...] = ()
    stake: Stake = Stake()
    urgent: bool = False
    """Stands before all others, whatever the money: an alarm on live traffic."""
    commands: tuple[str, ...] = ()
    since: str = ""
    """When it was first found."""


class Dropped(Record):
    """Entries that a rule of `do=curate` left out, of all that was read then."""

    rule: str
    old: int
    old_read: int
    new: int
    new_read: int


class StepDone(Record):
    """A step of `iterate.apply=true`."""

    name: str
    command: str
    exit_code: int
    seconds: float
    outcome: str
    """What came out, in words."""


class Iteration(Record):
    """`iteration.json`: a look."""

    schema_version: Literal[1] = 1
    name: str
    state: str
    """Name of the state."""
    made_at: str
    calls: str
    clusters: str
    look: int
    n_new: int
    """Calls that are not in the clusters' folder."""
    n_fresh: int
    """Of them, those that no look saw before."""
    n_old: int
    first: str | None
    last: str | None
    to_known: int
    to_new: int
    to_none: int
    """In no task, or in a group that is too small or of too few sessions to be called one."""
    growth: tuple[Growth, ...]
    new_clusters: tuple[NewCluster, ...]
    changes: tuple[SourceChange, ...]
    drift: tuple[DriftRow, ...]
    router: tuple[RouterRow, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    stale: tuple[StaleVerdict, ...]
    alarms: tuple[str, ...] = ()
    todos: tuple[Todo, ...]
    plan: tuple[str, ...] = ()
    """Commands that do all of it, in order."""
    steps: tuple[StepDone, ...] = ()
    """Of `iterate.apply=true`."""
    alpha: float
    tests: int
    """That the correction counts."""
    notes: tuple[str, ...] = ()
    seconds: float


class OpenFinding(Record):
    """Drift that an earlier look found, and that nobody has judged again since."""

    where: str
    side: Literal["inputs", "outcomes", "router"]
    at: str
    said: str
    suite_hash: str | None = None
    """Of the selection at that time: another one closes it."""


class IterateState(Record):
    """`state.json`."""

    format: Literal[1] = 1
    name: str
    looks: int = 0
    looked_at: str | None = None
    stamp: str | None = None
    """Hash of everything that was looked at and of the settings."""
    due_at: str | None = None
    """When the next verdict comes of age, if nothing else happens."""
    todos: tuple[Todo, ...] = ()
    findings: tuple[OpenFinding, ...] = ()
    router_until: float | None = None
    """Time of the latest line of the router at the first look; what came since is gathered and compared."""
    router_tested: dict[str, float] = Field(default_factory=dict)
    """Of lines that were compared, by what and task, the time of the latest."""
    curated: dict[str, int] = Field(default_factory=dict)
    """Entries read and left out by rule, when the clusters' calls were curated."""
    applied: tuple[str, ...] = ()
    """Steps of an `apply` that was cut off, by their commands."""


class LedgerLine(Record):
    """A line of `ledger.jsonl`: what was read, and what came of it. Appended only."""

    at: str
    event: Literal["look", "step", "interrupted", "applied"]
    look: int
    read: dict[str, str] = Field(default_factory=dict)
    """Hash of each thing that was read, by its kind."""
    found: dict[str, int] = Field(default_factory=dict)
    said: str = ""
    exit_code: int | None = None
    before: str
    """Hash of the line before, so that a line taken out shows."""
