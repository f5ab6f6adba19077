"""Recurring tasks of an agent: what `clusters.json` says of each, and the edits made by hand."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record

__all__ = [
    "AgentNode", "Cluster", "ClusterBook", "ClusterCosts", "ClusterEdit", "ClusterFamily", "MapPlace", "MapPoint",
    "NamesBill", "Stability", "WeekCount",
]  # fmt: skip

ClusterFamily = Literal["toolcall", "instruct", "code", "extraction", "classification", "routing", "summary", "other"]


class WeekCount(Record):
    """Calls sent in one week."""

    week: str
    """Monday, as a date."""
    calls: int


class ClusterCosts(Record):
    """What a cluster's calls took, as logged. None: not one of its calls says so; `n` says how many do."""

    prompt_tokens: int | None
    output_tokens: int | None
    tokens_n: int
    """Calls that say how many tokens."""
    usd: float | None
    """Recorded, never computed."""
    usd_n: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_n: int


class Stability(Record):
    """How much of a grouping comes back on part of the calls."""

    ari: float | None
    """Mean adjusted Rand index between the grouping and that of a part; None where it was not asked for or too few."""
    lowest: float | None
    resamples: int
    share: float
    """Of the calls in each part, drawn without replacement."""
    calls: int
    """Of the nodes that were resampled: nodes too small or of one task are left out."""


class AgentNode(Record):
    """A node of the agent: calls with one template, one tool set and one output format."""

    id: str
    name: str
    template: str
    """Of the instruction; what varies is masked."""
    units: tuple[str, ...]
    """Hashes of the template's sentences: new prompts are held against them."""
    tools: tuple[str, ...]
    form: str
    """`text`, `json_object`, or `json_schema:` with a hash of the schema."""
    system: bool
    """Whether the instruction is a system message, or else the first user message."""
    slot: str | None = None
    """`Domain: retail`, where the node is one of several that differ in this line."""
    calls: int
    prompts: int
    """Different instructions, numbers and the like masked."""
    template_entropy_bits: float
    """Shannon entropy of those over the calls: 0 where all calls have the same."""


class Cluster(Record):
    """A task that occurs again and again, or the calls of a node that belong to none (`noise`)."""

    id: str
    """Stays with the task when calls are added."""
    node: str
    name: str
    named_by: str | None = None
    """The model that gave the name, which then stays; None: it is made of the words."""
    noise: bool = False
    words: tuple[str, ...]
    """By c-TF-IDF: frequent here, rare in the other clusters."""
    actions: dict[str, float]
    """What the log's model did, with its share: tools called, or `text`."""
    family: ClusterFamily
    medoids: tuple[str, ...]
    """Ids of the calls nearest to the middle."""
    examples: tuple[str, ...]
    """What varies in those, cut."""
    calls: int
    """Of the log: duplicates that a call stands for are counted."""
    rows: int
    """Calls of the curated folder."""
    share: float
    radius: float = Field(ge=-1, le=1)
    """Least cosine to the middle with which a new call belongs here."""
    stability: float | None = Field(default=None, ge=0, le=1)
    """How much of it comes back on part of the calls: mean Jaccard index with the likest group found there.

    None where it was not asked for, the node has no other task, or too few of its calls were drawn.
    """
    costs: ClusterCosts
    weeks: tuple[WeekCount, ...]
    growth_per_week: float | None
    """Slope of the logarithm of calls a week: 0.1 is about 10 % more each week. None below three weeks."""


class MapPoint(Record):
    """A call on the map of clusters."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    cluster: str
    call: str
    text: str
    """How what varies begins."""


class MapPlace(Record):
    """A dot of the map without what was said: kept in `map.json`, for pictures that are drawn later."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    cluster: str


class ClusterEdit(Record):
    """A merge or a split made by hand, kept in `edits.json` and applied at every later run."""

    kind: Literal["merge", "split"]
    clusters: tuple[str, ...]
    """merge: all become the first. split: the one that was split."""
    into: tuple[str, ...] = ()
    """split: ids of its parts."""


class NamesBill(Record):
    """What names by a model took in one run."""

    model: str
    named: int
    cached: int
    """Named as in an earlier run that showed the model the same."""
    failed: int
    """Got no name and keep their words."""
    requests: int
    prompt_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    """None: no price is known."""
    seconds: float
    """Sum over the requests."""


class ClusterBook(Record):
    """`clusters.json`."""

    format: Literal[1] = 1
    name: str
    source: str
    algorithm: str
    embedding: str
    """Name and, where known, hash of the weights: vectors of others do not compare."""
    seed: int
    nodes: tuple[AgentNode, ...]
    clusters: tuple[Cluster, ...]
    calls: int
    rows: int
    assigned: int
    """Rows that went to a cluster which was there before."""
    coverage: float | None
    """Share of calls in a cluster that is not noise; None without calls."""
    stability: Stability
    names: NamesBill | None = None
    """None: no model was asked for names."""
    notes: tuple[str, ...] = ()
    made: str
    harness: str
