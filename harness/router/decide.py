"""Where a call goes, as a policy alone says: pure functions, the same for simulations and for live traffic.

`eligible` → the expert that comes into question; `before` → the same with the threshold on what is known before a
reply; `sureness` → the one number that a threshold is put to; `after` → whether the reply stands.
A call is passed on exactly where `eligible` names an expert and `sureness` is at least the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from harness.errors import DataError
from harness.records import Reply
from harness.records.route import ModelTarget, RoutePolicy, RouteRule
from harness.records.signal import SIGNALS
from harness.router.checks import agreed, reply_action, reply_signal
from harness.router.features import reply_features, request_features
from harness.router.question import Question
from harness.router.score import CLUSTER, Scorer, scorer_of

__all__ = ["Ask", "Place", "Plan", "Sure", "Verdict", "after", "before", "eligible", "plan_of", "sureness"]

_KNOWN_BEFORE = frozenset({"cluster", "request_score"})
"""Confidences that need no reply."""
_OF_TOKENS = frozenset({"mean_logprob", "least_logprob", "first_logprob"})


@dataclass(frozen=True, slots=True)
class Place:
    """The task that a request is nearest to; `cluster` None: none is near enough."""

    cluster: str | None
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy made ready: rules and experts by name, the score as a function."""

    policy: RoutePolicy
    rules: Mapping[str, RouteRule] = field(repr=False)
    experts: Mapping[str, ModelTarget] = field(repr=False)
    score: Scorer | None = field(repr=False)

    @property
    def placed(self) -> bool:
        """Whether the task of a call is asked for."""
        return self.policy.index is not None


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom to ask first."""

    target: ModelTarget
    expert: bool
    """Whether that is a small model."""
    reason: str
    """Why the backbone; `asked` for an expert."""
    cluster: str | None = None
    cosine: float | None = None
    confidence: float | None = None
    """Where it is known before the reply."""
    final: bool = False
    """Whether nothing in the reply can change the decision: it may be passed on as it comes."""


@dataclass(frozen=True, slots=True)
class Sure:
    """How sure the small model's answer is. `value`: −inf where a signal forbids it or no number is told."""

    value: float
    why: str | None = None
    """The signal, or what is missing; None where `value` is a number."""
    chosen: int = 0
    """Which of the replies stands, where several were drawn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the small model's reply stands. `reason`: `kept`, `unsure`, or a signal."""

    kept: bool
    reason: str
    confidence: float | None
    chosen: int = 0


def plan_of(policy: RoutePolicy) -> Plan:
    """The policy made ready. Raises DataError for one that contradicts itself."""
    experts = {one.name: one for one in policy.experts}
    rules = {one.cluster: one for one in policy.rules}
    _check(policy, experts, rules)
    score = None if policy.score is None else scorer_of(policy.score, of_reply=policy.confidence == "reply_score")
    return Plan(policy, rules, experts, score)


def _check(policy: RoutePolicy, experts: Mapping[str, ModelTarget], rules: Mapping[str, RouteRule]) -> None:
    learned = policy.confidence in {"request_score", "reply_score"}
    missing = [one.expert for one in policy.rules if one.expert is not None and one.expert not in experts]
    strange = [one for one in policy.signals if one not in SIGNALS]
    wrong = (
        (len(experts) < len(policy.experts), "two experts have one name"),
        (policy.backbone.name in experts, f"{policy.backbone.name} is both the backbone and an expert"),
        (len(rules) < len(policy.rules), "two rules are for one task"),
        (bool(missing), f"a rule names {(missing or [''])[0]}, which is no expert of the policy"),
        (bool(strange), f"{(strange or [''])[0]!r} is no signal; there are {', '.join(SIGNALS)}"),
        (learned and policy.score is None, f"confidence {policy.confidence} needs a score, and there is none"),
        (policy.index is None and any(one != "*" for one in rules), "rules for tasks need an index of tasks"),
        (policy.index is not None and "*" in rules, "a rule for any task (*) stands beside an index of tasks"),
        (
            policy.confidence == "agreement" and any(one.samples < 2 for one in experts.values()),
            "confidence agreement needs samples=2 or more of each expert",
        ),
    )
    for is_so, why in wrong:
        if is_so:
            raise DataError(f"policy {policy.name} contradicts itself: {why}; make it anew with do=route")


def eligible(plan: Plan, question: Question, place: Place | None = None) -> Ask:
    """The expert that comes into question, or the backbone with the reason; no threshold is looked at.

    place: where the policy asks for the task of a call (`Plan.placed`).
    """
    cluster = place.cluster if place else None
    cosine = place.cosine if place else None
    if plan.placed and cluster is None:
        return Ask(plan.policy.backbone, False, "out of distribution", cosine=cosine, final=True)
    rule = plan.rules.get(cluster if plan.placed and cluster is not None else "*")
    if rule is None or rule.expert is None:
        return Ask(plan.policy.backbone, False, "no expert", cluster, cosine, final=True)
    confidence: float | None = None
    if plan.policy.confidence == "cluster":
        confidence = rule.sure
    elif plan.policy.confidence == "request_score" and plan.score is not None:
        confidence = plan.score(_with_task(request_features(question), cluster))
    final = plan.policy.confidence in _KNOWN_BEFORE and not plan.policy.signals
    return Ask(plan.experts[rule.expert], True, "asked", cluster, cosine, confidence, final)


def before(plan: Plan, question: Question, place: Place | None = None) -> Ask:
    """Whom to ask first: as `eligible`, and the backbone where what is known already is below the threshold."""
    ask = eligible(plan, question, place)
    threshold = plan.policy.threshold
    if not ask.expert:
        return ask
    if threshold is None:
        return Ask(plan.policy.backbone, False, "not certified", ask.cluster, ask.cosine, ask.confidence, True)
    if ask.confidence is not None and ask.confidence < threshold:
        return Ask(plan.policy.backbone, False, "unsure", ask.cluster, ask.cosine, ask.confidence, True)
    return ask


def sureness(plan: Plan, ask: Ask, question: Question, replies: Sequence[Reply | None]) -> Sure:
    """The confidence that the threshold is put to.

    ask: of `eligible` or `before`. replies: of the expert, as many as its `samples`; None for one that never came.
    """
    if not ask.expert:
        return Sure(-inf, ask.reason)
    protocol = ask.target.protocol
    if not replies:
        return Sure(-inf, "no_reply")
    chosen, share = 0, None
    if len(replies) > 1:
        chosen, share = agreed(tuple(reply_action(question, one, protocol) for one in replies))
    reply = replies[chosen]
    if reply is None:
        return Sure(-inf, "no_reply", chosen)
    signal = reply_signal(question, reply, protocol) if plan.policy.signals else None
    if signal is not None and signal in plan.policy.signals:
        return Sure(-inf, signal, chosen)
    value = _confidence(plan, ask, question, reply, share)
    return Sure(-inf, "unsure", chosen) if value is None else Sure(value, None, chosen)


def _confidence(plan: Plan, ask: Ask, question: Question, reply: Reply, share: float | None) -> float | None:
    """None: what it takes is not told. share: of the samples that agree, where several were drawn."""
    kind = plan.policy.confidence
    if kind in _KNOWN_BEFORE:
        return ask.confidence
    if kind == "agreement":
        return share
    if kind in _OF_TOKENS:
        return None if reply.certainty is None else float(getattr(reply.certainty, kind))
    if kind != "reply_score" or plan.score is None:
        return 1.0
    if ask.target.logprobs and reply.certainty is None:
        return None  # the score reads probabilities, and without them a reply would look like one that is quite sure
    features = request_features(question) | reply_features(question, reply, ask.target.protocol, share)
    return plan.score(_with_task(features, ask.cluster))


def after(plan: Plan, ask: Ask, question: Question, replies: Sequence[Reply | None]) -> Verdict:
    """Whether the small model's reply stands, by the policy's threshold."""
    sure = sureness(plan, ask, question, replies)
    confidence = sure.value if sure.value > -inf else None
    if confidence is None:
        return Verdict(False, sure.why or "unsure", None, sure.chosen)
    if plan.policy.threshold is None:
        return Verdict(False, "not certified", confidence, sure.chosen)
    kept = confidence >= plan.policy.threshold
    return Verdict(kept, "kept" if kept else "unsure", confidence, sure.chosen)


def _with_task(features: dict[str, float], cluster: str | None) -> dict[str, float]:
    return features if cluster is None else {**features, f"{CLUSTER}{cluster}": 1.0}
