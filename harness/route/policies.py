"""The four kinds of policy, each made from the tuning split alone and reduced to an expert and one confidence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf, sqrt

from harness import __version__
from harness.config.route import RouteOptions
from harness.records import Protocol, Reply
from harness.records.route import (
    ConfidenceKind,
    LinearScore,
    ModelTarget,
    PolicyKind,
    RoutePolicy,
    RouteRule,
    TreeScore,
)
from harness.route.evidence import Call, Evidence
from harness.route.learn import Learned, ScoreKind, learn
from harness.route.place import Placing
from harness.route.simulate import View, two_answers
from harness.router.decide import Place, Plan, eligible, plan_of, sureness
from harness.router.features import reply_features, request_features
from harness.router.question import Question
from harness.router.score import CLUSTER
from harness.stats.bounded import limit, units_of
from harness.stats.certify import TwoAnswers, ladder

__all__ = ["Made", "make_policy", "promise", "views_of"]

_NOT_YET = "not written yet"
"""Stands in a policy for the hash of its index."""
_LOGPROBS: tuple[ConfidenceKind, ...] = ("mean_logprob", "least_logprob", "first_logprob")
_BEFORE: tuple[ConfidenceKind, ...] = ("cluster", "request_score")
_SURE_ALPHA = 0.2
"""Of the lower bound by which a task's expert is chosen: a task of few calls is less sure."""
_WORTH = 0.5
"""Least share of a task's tuning calls in which an expert has to be as good as the large model, to be asked first."""
_Z95 = 1.645
_EVERY = "*"


@dataclass(frozen=True, slots=True)
class Made:
    """A policy without a threshold, and how it sees the tuning split."""

    policy: RoutePolicy
    placing: Placing | None
    """None: the task of a call is not asked for."""
    tuning: tuple[View, ...]
    """With learned parts held out: what a score or an index says of a call that it was not made from."""

    def testing(self, calls: Sequence[Call]) -> tuple[View, ...]:
        """How it sees calls that it was not made from."""
        places = None if self.placing is None else self.placing.places(calls)
        return views_of(self.policy, calls, places)


def views_of(
    policy: RoutePolicy, calls: Sequence[Call], places: Mapping[str, Place] | None = None,
    held_out: Mapping[str, float] | None = None,
) -> tuple[View, ...]:  # fmt: skip
    """How a policy sees calls, by the code that decides where they are routed.

    places: by call, where the policy asks for tasks. held_out: by call, in place of what its score says.
    """
    plan = plan_of(policy)
    found = []
    for one in calls:
        own = plan if held_out is None or one.id not in held_out else _told(plan, held_out[one.id])
        found.append(_view(own, one, None if places is None else places[one.id]))
    return tuple(found)


def _told(plan: Plan, score: float) -> Plan:
    return replace(plan, score=lambda _: score)


def _view(plan: Plan, call: Call, place: Place | None) -> View:
    ask = eligible(plan, call.question, place)
    if not ask.expert:
        return View(call, ask.cluster, None, None, -inf, ask.reason)
    replies = [one.reply for one in call.small[ask.target.name][: ask.target.samples]]
    sure = sureness(plan, ask, call.question, replies)
    known = ask.confidence if plan.policy.confidence in _BEFORE else None
    return View(call, ask.cluster, ask.target, known, sure.value, sure.why or "unsure", sure.chosen)


def make_policy(kind: PolicyKind, evidence: Evidence, placing: Placing | str, options: RouteOptions) -> Made | str:
    """The policy of a kind that promises most on the tuning split; words where it cannot be made.

    placing: the index of tasks, or why there is none.
    """
    if kind == "cluster":
        return placing if isinstance(placing, str) else _by_cluster(evidence, placing, options)
    if kind == "hybrid":
        return _hybrid(evidence, placing, options)
    if kind == "score":
        return _best((_scored(evidence, one, options) for one in evidence.small), options)
    return _best(
        (_cascade(evidence, one, confidence, options) for one in evidence.small for confidence in _told_by(options)),
        options,
    )


def _best(found: Iterable[Made | str], options: RouteOptions) -> Made | str:
    """The one that promises most; the first of equals; the first words if none could be made."""
    tried = list(found)
    made = [one for one in tried if not isinstance(one, str)]
    if not made:
        return str(tried[0]) if tried else "nothing to try"
    return max(made, key=lambda one: promise(two_answers(one.tuning), options))


def promise(calls: Sequence[TwoAnswers], options: RouteOptions) -> tuple[float, float]:
    """Share of the calls that would be passed on if the tuning split were the test, by the normal law; a tie-break.

    Rough, and quick: it only says which of several policies is put to the test.
    """
    best, lead = 0.0, -1.0
    whole = sum(one.weight for one in calls)
    for threshold in ladder(calls, options.margin, options.steps):
        sums: dict[str, float] = {}
        for one in calls:
            lost = one.weight * (one.small - one.large) if one.confidence >= threshold else 0.0
            sums[one.session or one.id] = sums.get(one.session or one.id, 0.0) + lost
        mean = sum(sums.values()) / whole
        error = sqrt(sum((one - mean * whole / len(sums)) ** 2 for one in sums.values())) / whole
        lead = max(lead, mean)
        if mean + options.margin < _Z95 * error:
            break
        best = sum(one.weight for one in calls if one.confidence >= threshold) / whole
    return best, lead


def _told_by(options: RouteOptions) -> list[ConfidenceKind]:
    """Confidences that a reply carries itself."""
    return [*_LOGPROBS, "agreement", "form"] if options.confidence == "auto" else [options.confidence]


def _lacking(calls: Sequence[Call], experts: Sequence[ModelTarget], kind: ConfidenceKind) -> str | None:
    """Why a confidence cannot be gone by; None where every answer of each expert has one."""
    for expert in experts:
        told = [one.small[expert.name] for one in calls]
        if kind == "agreement" and expert.samples < 2:
            return (
                f"{expert.label}: agreement needs several samples of a call; run it with run.trials=3, temperature 0.7"
            )
        if kind in _LOGPROBS:
            known = [one[0].reply.certainty is not None for one in told if one[0].reply is not None]
            if not known or not all(known):
                return (
                    f"{expert.label}: {len(known) - sum(known)} of {len(known)} answers have no token probabilities; "
                    "run it with model.generation.logprobs=true"
                )
    return None


def _policy(
    kind: PolicyKind, confidence: ConfidenceKind, experts: Sequence[ModelTarget], rules: Sequence[RouteRule],
    evidence: Evidence, options: RouteOptions, score: LinearScore | TreeScore | None = None,
) -> RoutePolicy:  # fmt: skip
    """A policy that nothing was shown of yet; with an index where its rules are for tasks."""
    placed = any(one.cluster != _EVERY for one in rules)
    return RoutePolicy(
        name=options.name or evidence.suite,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=__version__,
        kind=kind,
        confidence=confidence,
        threshold=None,
        backbone=evidence.large,
        experts=tuple(
            one.model_copy(
                update={
                    "logprobs": confidence in _LOGPROBS or _reads_logprobs(score),
                    "samples": one.samples if confidence == "agreement" else 1,
                }
            )
            for one in experts
        ),
        rules=tuple(rules),
        signals=options.signals,
        score=score,
        index=_NOT_YET if placed else None,
        suite=evidence.suite,
        suite_hash=evidence.suite_hash,
        certified=None,
    )


def _reads_logprobs(score: LinearScore | TreeScore | None) -> bool:
    """Whether a score makes something of the tokens' probabilities."""
    if score is None or "certainty_told" not in score.features:
        return False
    places = {place for place, name in enumerate(score.features) if name in {"certainty_told", *_LOGPROBS}}
    if isinstance(score, LinearScore):
        return any(score.weights[place] for place in places)
    return any(node.feature in places for tree in score.trees for node in tree)


def _cascade(evidence: Evidence, expert: ModelTarget, kind: ConfidenceKind, options: RouteOptions) -> Made | str:
    if kind == "reply_score":
        return "a cascade goes by what a reply carries itself; reply_score is for route.kinds=[hybrid]"
    lacking = _lacking(evidence.tuning, (expert,), kind)
    if lacking is not None:
        return lacking
    policy = _policy("cascade", kind, (expert,), (RouteRule(cluster=_EVERY, expert=expert.name),), evidence, options)
    return Made(policy, None, views_of(policy, evidence.tuning))


def _scored(evidence: Evidence, expert: ModelTarget, options: RouteOptions) -> Made | str:
    features = [request_features(one.question) for one in evidence.tuning]
    learned = _learn(evidence.tuning, features, [expert.name] * len(features), options)
    if isinstance(learned, str):
        return f"{expert.label}: {learned}"
    rules = (RouteRule(cluster=_EVERY, expert=expert.name),)
    policy = _policy("score", "request_score", (expert,), rules, evidence, options, learned.score)
    held = {one.id: value for one, value in zip(evidence.tuning, learned.held_out, strict=True)}
    return Made(policy, None, views_of(policy, evidence.tuning, None, held))


def _learn(
    calls: Sequence[Call], features: Sequence[Mapping[str, float]], experts: Sequence[str], options: RouteOptions
) -> Learned | str:
    kinds: tuple[ScoreKind, ...] = ("logistic", "boosted") if options.score == "auto" else (options.score,)
    return learn(
        features,
        [one.small[name][0].value >= one.large.value for one, name in zip(calls, experts, strict=True)],
        [one.session for one in calls],
        kinds=kinds,
        weights=[one.sample.weight for one in calls],
        seed=options.seed,
    )


def _by_cluster(evidence: Evidence, placing: Placing, options: RouteOptions) -> Made | str:
    rules = []
    for cluster, calls in sorted(_placed(evidence.tuning, placing).items()):
        bounds = {one.name: _lower(calls, one.name) for one in evidence.small}
        expert = max(bounds, key=lambda name: bounds[name])
        rules.append(RouteRule(cluster=cluster, expert=expert, sure=bounds[expert]))
    if not rules:
        return "no tuning call is near enough to a task, once it is held out of the index"
    used = {one.expert for one in rules}
    experts = [one for one in evidence.small if one.name in used]
    policy = _policy("cluster", "cluster", experts, rules, evidence, options)
    return Made(policy, placing, views_of(policy, evidence.tuning, placing.tuning))


def _placed(calls: Sequence[Call], placing: Placing) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = {}
    for one in calls:
        cluster = placing.tuning[one.id].cluster
        if cluster is not None:
            found.setdefault(cluster, []).append(one)
    return found


def _lower(calls: Sequence[Call], name: str) -> float:
    """One-sided bound of what the expert's answers are worth less (or more) than the large model's."""
    units = units_of(
        [one.small[name][0].value - one.large.value for one in calls],
        [one.sample.session for one in calls],
        [one.sample.weight for one in calls],
    )
    return limit(units, _SURE_ALPHA, low=-1.0, high=1.0)


def _hybrid(evidence: Evidence, placing: Placing | str, options: RouteOptions) -> Made | str:
    """Experts first, then the confidence: both by the tuning split."""
    if isinstance(placing, str):
        rules = [RouteRule(cluster=_EVERY, expert=_worthiest(evidence.tuning, evidence.small))]
    else:
        rules = [
            RouteRule(cluster=cluster, expert=_worthiest(calls, evidence.small))
            for cluster, calls in sorted(_placed(evidence.tuning, placing).items())
        ]
    if all(one.expert is None for one in rules):
        return f"no small model is as good as the large one in {100 * _WORTH:g} % of the tuning calls of any task"
    kinds: list[ConfidenceKind] = _told_by(options)
    kinds = ["reply_score", *kinds] if options.confidence == "auto" else kinds
    index = None if isinstance(placing, str) else placing
    return _best((_checked(evidence, rules, index, kind, options) for kind in kinds), options)


def _worthiest(calls: Sequence[Call], experts: Sequence[ModelTarget]) -> str | None:
    whole = sum(one.sample.weight for one in calls)
    shares = {
        expert.name: sum(
            one.sample.weight for one in calls if one.small[expert.name][0].value >= one.large.value
        ) / whole
        for expert in experts
    }  # fmt: skip
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _WORTH else None


def _checked(
    evidence: Evidence, rules: Sequence[RouteRule], placing: Placing | None, kind: ConfidenceKind,
    options: RouteOptions,
) -> Made | str:  # fmt: skip
    """Experts by the rules, with this confidence in their replies."""
    named = {rule.expert for rule in rules}
    experts = [one for one in evidence.small if one.name in named]
    lacking = _lacking(evidence.tuning, experts, kind)
    if lacking is not None:
        return lacking
    places = None if placing is None else placing.tuning
    if kind != "reply_score":
        policy = _policy("hybrid", kind, experts, rules, evidence, options)
        return Made(policy, placing, views_of(policy, evidence.tuning, places))
    by_cluster = {one.cluster: one.expert for one in rules}
    going = [
        (one, cluster, name)
        for one in evidence.tuning
        for cluster in (None if places is None else places[one.id].cluster,)
        if (name := by_cluster.get(_EVERY if places is None else cluster or "")) is not None
    ]
    protocols = {one.name: one.protocol for one in experts}
    replies = [one.small[name][0].reply for one, _, name in going]
    silent = any(one is not None and one.certainty is None for one in replies)
    features = [
        request_features(one.question)
        | _told_of(one.question, reply, protocols[name], silent=silent)
        | ({} if cluster is None else {f"{CLUSTER}{cluster}": 1.0})
        for (one, cluster, name), reply in zip(going, replies, strict=True)
    ]
    learned = _learn([one for one, _, _ in going], features, [name for _, _, name in going], options)
    if isinstance(learned, str):
        return learned
    policy = _policy("hybrid", kind, experts, rules, evidence, options, learned.score)
    held = {one.id: value for (one, _, _), value in zip(going, learned.held_out, strict=True)}
    return Made(policy, placing, views_of(policy, evidence.tuning, places, held))


def _told_of(question: Question, reply: Reply | None, protocol: Protocol, *, silent: bool) -> dict[str, float]:
    """What a score learns of a reply. silent: some replies have no token probabilities, so it goes by none."""
    found = reply_features(question, reply, protocol)
    return {name: value for name, value in found.items() if not silent or name not in {"certainty_told", *_LOGPROBS}}
