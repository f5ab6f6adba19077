"""A routing policy as it is deployed, what was certified of it, and each decision that it takes."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.interval import Interval

__all__ = [
    "CertifiedRecord", "ConfidenceKind", "LinearScore", "ModelTarget", "PolicyKind", "RouteControl", "RouteDecision",
    "RouteMode", "RoutePolicy", "RouteRule", "RungRecord", "TreeNode", "TreeScore", "VerifiedPair",
]  # fmt: skip

PolicyKind = Literal["cluster", "cascade", "score", "hybrid"]
"""`cluster`: by the nearest task. `cascade`: the small model first. `score`: by the request alone. `hybrid`: an expert
for each task, checked, and the backbone for the rest."""

ConfidenceKind = Literal[
    "cluster", "request_score", "reply_score", "mean_logprob", "least_logprob", "first_logprob", "agreement", "form"
]
"""What says how sure an answer of the small model is. `cluster`: how its task did on the tuning split; `request_score`,
`reply_score`: learned, from the request alone or from the reply too; the logprobs: of the reply's tokens; `agreement`:
share of its samples that do the same; `form`: 1 where no signal is seen, nothing else is known."""

RouteMode = Literal["off", "shadow", "canary", "on"]
"""`off`: the backbone answers all. `shadow`: so it does, and small models are asked aside. `canary`: a share of the
calls (of the sessions, where they are named) is routed. `on`: all are."""


class ModelTarget(Record):
    """A model that calls may go to."""

    name: str
    """As the proxy or the program knows it."""
    run: str
    """Run folder whose answers are the evidence."""
    model: str
    protocol: Protocol
    label: str
    samples: int = Field(default=1, ge=1)
    """Answers drawn for one call (self-consistency)."""
    logprobs: bool = False
    """Whether the policy needs the tokens' probabilities."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    """What the evidence was asked with (`temperature`, `max_tokens`, …): wins over the request's own. Of experts."""
    prompt_style: Literal["signature", "json"] = "signature"
    """How tools are written into the prompt under `prompted` and `constrained` (`model.prompt.style`)."""
    prompt_examples: int = Field(default=0, ge=0)
    usd_per_mtok_in: float | None = Field(default=None, ge=0)
    """Price of a million tokens of prompts; None: not known, and a budget in USD lets nothing be asked aside."""
    usd_per_mtok_out: float | None = Field(default=None, ge=0)


class LinearScore(Record):
    """A logistic regression on standardised features: 1 / (1 + exp(−(bias + Σ weight (x − mean) / scale)))."""

    kind: Literal["logistic"] = "logistic"
    features: tuple[str, ...]
    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float


class TreeNode(Record):
    """A node of a regression tree: a leaf has `value`; others go left where the feature is at most `at`."""

    feature: int = -1
    at: float = 0.0
    left: int = -1
    right: int = -1
    value: float = 0.0


class TreeScore(Record):
    """Gradient-boosted trees on the log-odds: 1 / (1 + exp(−(bias + Σ leaf)))."""

    kind: Literal["boosted"] = "boosted"
    features: tuple[str, ...]
    trees: tuple[tuple[TreeNode, ...], ...]
    bias: float


class RouteRule(Record):
    """What is done with calls of one task."""

    cluster: str
    """Id of the task; `*`: any task, of a policy that does not ask for it."""
    expert: str | None
    """Name of the small model that may answer; None: the backbone does."""
    sure: float = 0.0
    """Of confidence `cluster`: how its task did on the tuning split; higher is surer."""


class RungRecord(Record):
    """A threshold that was tested, in the order of the tests."""

    threshold: float
    coverage: float
    difference: float
    p: float


class CertifiedRecord(Record):
    """What was shown of the policy on calls that had no part in choosing it (`stats/certify.py`)."""

    margin: float
    alpha: float
    threshold: float
    coverage: Interval
    covered: float
    difference: float
    worst: float
    """One-sided lower bound of the difference at 1 − alpha."""
    n: int
    sessions: int
    rungs: tuple[RungRecord, ...]
    tuned_on: int
    split: str
    """How the calls were parted, in words."""


class RoutePolicy(Record):
    """`policy.json`: everything that decides where a call goes. Opens nothing to traffic: `control.json` does."""

    format: Literal[1] = 1
    name: str
    made_at: str
    harness: str
    kind: PolicyKind
    confidence: ConfidenceKind
    threshold: float | None
    """The small model's answer stands where its confidence is at least this; None: nothing was certified, and all calls
    go to the backbone."""
    backbone: ModelTarget
    experts: tuple[ModelTarget, ...]
    rules: tuple[RouteRule, ...]
    signals: tuple[str, ...] = ()
    """Signs in a reply that hand the call on, whatever its confidence (`config.Signal`)."""
    score: LinearScore | TreeScore | None = Field(default=None, discriminator="kind")
    index: str | None = None
    """SHA-256 of `index.npz`, the places of the tasks, where the policy asks for the task of a call."""
    embedding: str | None = None
    """Name of the embedding that the index was made with."""
    suite: str
    suite_hash: str
    certified: CertifiedRecord | None
    why_not: str | None = None
    """Why nothing was certified."""


class RouteControl(Record):
    """`control.json`: how much traffic the policy gets. Read again when it changes; a person or a tool writes it."""

    mode: RouteMode = "shadow"
    share: float = Field(default=0.0, ge=0, le=1)
    """Of `canary`: share of the sessions (of the calls, without one) that are routed."""
    verify: float = Field(default=0.0, ge=0, le=1)
    """Share of the calls that a small model answered which the backbone is asked, too, aside."""
    shadow_share: float = Field(default=1.0, ge=0, le=1)
    """Of `shadow`: share of the calls that small models are asked aside."""
    budget_calls_per_day: int | None = Field(default=None, ge=0)
    """Calls aside (shadow and verify) a day. None: no limit."""
    budget_usd_per_day: float | None = Field(default=None, ge=0)
    sticky: bool = True
    """Whether a session that was handed to the backbone stays there."""


class RouteDecision(Record):
    """One call through the router: a line of its log, and the field `route` of the call's own line."""

    call: str
    at: float
    session: str | None = None
    policy: str
    """Name and first 12 digits of its hash."""
    mode: RouteMode
    cluster: str | None = None
    """Nearest task; None: not asked for, or none is near enough (out of distribution)."""
    model: str
    """Who answered."""
    asked: tuple[str, ...]
    """Models that were asked on the caller's time, in order."""
    confidence: float | None = None
    reason: str
    """`kept`, or why the backbone was asked: `off`, `shadow`, `not in the canary`, `not certified`, `no expert`,
    `out of distribution`, `unsure`, `sticky`, `error: …`, `resting` (it failed too often), or a signal."""
    would: str | None = None
    """Of `shadow`: the reason that the policy would have had, where small models were asked aside to know."""
    router_s: float = Field(ge=0)
    """Time that the router itself took on the caller's time, the models' left out."""
    small_s: float | None = None
    large_s: float | None = None


class VerifiedPair(Record):
    """A call that two models answered, one of them aside, and whether they did the same."""

    call: str
    at: float
    session: str | None = None
    cluster: str | None = None
    policy: str
    small: str
    large: str
    served: str
    """Whose answer the caller got."""
    same: bool | None
    """Whether both come to the same action or answer; None where one has none."""
    small_value: float | None = Field(default=None, ge=0, le=1)
    """What a scorer found the answer worth, 0..1, where there is one."""
    large_value: float | None = Field(default=None, ge=0, le=1)
    routed: bool
    """Whether the policy would have let (or did let) the small model's answer stand."""
