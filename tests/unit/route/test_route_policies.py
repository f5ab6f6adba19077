"""Each kind of policy, made on one split, and the code that routes seeing every call as the simulation does."""

from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import pytest

from harness.config import RouteOptions
from harness.records.route import LinearScore, RoutePolicy
from harness.route.evidence import Call, Evidence
from harness.route.place import make_placing
from harness.route.policies import Made, make_policy
from harness.router.decide import after, before, plan_of
from harness.router.nearest import EMBEDDING
from harness.router.placing import open_index
from harness.router.policy import INDEX, POLICY, load_policy
from tests.support.route_calls import call, drawn, evidence, planted, sample, target


def root(sure: float) -> float:
    return float(np.sqrt(sure))


def options(**more: object) -> RouteOptions:
    return RouteOptions.model_validate({"margin": 0.05, **more})


def made_of(kind: str, found: Evidence, **more: object) -> Made:
    made = make_policy(kind, found, make_placing(found, embed=words), options(**more))  # type: ignore[arg-type]
    assert isinstance(made, Made), made
    return made


def words(texts: Sequence[str]) -> "np.typing.NDArray[np.float32]":
    """An embedding of ten words, by which texts of a kind lie together."""
    known = ["weather", "rain", "sun", "invoice", "pay", "euro", "train", "ticket", "station", "today"]
    rows = np.array([[float(word in text) for word in known] + [0.1] for text in texts], dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


TEXTS = {
    "weather": "will there be rain or sun in the weather today",
    "money": "pay the invoice of nine euro",
    "travel": "a train ticket from the station",
}
GOOD = {"one": {"weather": 0.97, "money": 0.2, "travel": 0.3}, "two": {"weather": 0.3, "money": 0.95, "travel": 0.3}}


def tasks(count: int, seed: int, prefix: str) -> list[Call]:
    """Calls of three tasks; model one is good at the weather, two at money, neither at travel."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        task = list(TEXTS)[place % 3]
        asked = sample(f"{prefix}{place}", f"{TEXTS[task]} ({place})", category=task)
        large = drawn(float(rng.random() < 0.93), cost=1.0)
        small = {name: (drawn(float(rng.random() < GOOD[name][task]), cost=0.1, sure=0.5),) for name in ("one", "two")}
        made = call(asked, large, *small["one"], name="one")
        found.append(Call(made.sample, made.question, made.large, small))
    return found


def three_tasks() -> Evidence:
    return evidence(tasks(300, 1, "a"), tasks(300, 2, "b"), target("one"), target("two"))


def test_the_cluster_policy_gives_each_task_the_model_that_is_good_at_it() -> None:
    made = made_of("cluster", three_tasks())

    rules = {one.cluster: one for one in made.policy.rules}
    assert (rules["weather"].expert, rules["money"].expert) == ("one", "two")
    assert rules["travel"].sure < min(rules["weather"].sure, rules["money"].sure) - 0.3


def test_a_request_that_is_like_no_task_goes_to_the_large_model() -> None:
    made = made_of("cluster", three_tasks())
    strange = call(sample("x", "colourless green ideas sleep"), drawn(1.0), drawn(1.0), name="one")

    (view,) = made.testing([strange])

    assert (view.expert, view.confidence, view.why) == (None, -inf, "out of distribution")


def test_a_hybrid_asks_the_expert_of_the_task_and_nobody_where_none_is_worth_it() -> None:
    made = made_of("hybrid", three_tasks(), confidence="form")

    assert {one.cluster: one.expert for one in made.policy.rules} == {"weather": "one", "money": "two", "travel": None}


def test_a_cascade_goes_by_the_confidence_that_was_planted() -> None:
    calls = planted(300, 1, root, prefix="a"), planted(300, 2, root, prefix="b")

    made = made_of("cascade", evidence(*calls))

    assert made.policy.confidence in {"mean_logprob", "least_logprob", "first_logprob"}
    assert made.policy.experts[0].logprobs
    assert made.policy.threshold is None


def test_a_reply_with_a_sign_against_it_is_never_passed_on() -> None:
    asked = [
        call(sample(f"q{n}"), drawn(1.0), drawn(1.0, sure=0.9, finish="length" if n % 2 else "stop")) for n in range(40)
    ]

    made = made_of("cascade", evidence(asked, asked[:1]), confidence="mean_logprob")

    assert [one.confidence == -inf for one in made.tuning] == [bool(n % 2) for n in range(40)]
    assert {one.why for one in made.tuning if one.confidence == -inf} == {"cut_off"}


def test_probabilities_that_are_not_there_are_asked_for_in_one_line() -> None:
    calls = [call(sample(f"q{n}"), drawn(1.0), drawn(1.0)) for n in range(20)]

    found = make_policy("cascade", evidence(calls, calls), "no index", options(confidence="mean_logprob"))

    assert found == (
        "small, native: 20 of 20 answers have no token probabilities; run it with model.generation.logprobs=true"
    )


def test_agreement_needs_several_samples() -> None:
    calls = [call(sample(f"q{n}"), drawn(1.0), drawn(1.0)) for n in range(20)]

    found = make_policy("cascade", evidence(calls, calls), "no index", options(confidence="agreement"))

    assert isinstance(found, str)
    assert "run.trials=3" in found


def test_what_most_samples_do_is_the_answer_and_their_share_the_confidence() -> None:
    split = call(sample("a"), drawn(1.0), drawn(0.0, content="Rome"), drawn(1.0), drawn(1.0))
    alike = call(sample("b"), drawn(1.0), drawn(1.0), drawn(1.0), drawn(1.0))

    made = made_of("cascade", evidence([split, alike], [split], target("small", 3)), confidence="agreement")

    assert [round(one.confidence, 3) for one in made.tuning] == [0.667, 1.0]
    assert made.tuning[0].routed(0.5).value == 1.0
    assert made.policy.experts[0].samples == 3


def by_length(count: int, seed: int, prefix: str) -> list[Call]:
    """The small model is right on short questions."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        short = bool(rng.random() < 0.5)
        text = "How many?" if short else "Tell me, please, how many of them there are, and why, and since when? " * 4
        right = rng.random() < (0.95 if short else 0.2)
        found.append(call(sample(f"{prefix}{place}", text), drawn(1.0), drawn(float(right), cost=0.1)))
    return found


def test_a_score_learns_from_the_request_alone() -> None:
    found = evidence(by_length(240, 1, "a"), by_length(240, 2, "b"))

    made = made_of("score", found)

    views = made.testing(found.testing)
    assert made.policy.confidence == "request_score"
    assert all(one.known == one.confidence for one in views)
    short = [one.confidence for one in views if len(one.call.sample.messages[0].content or "") < 20]
    long = [one.confidence for one in views if len(one.call.sample.messages[0].content or "") > 20]
    assert min(short) > max(long)


def test_a_score_of_too_few_failures_is_not_learned() -> None:
    calls = [call(sample(f"q{n}"), drawn(1.0), drawn(1.0)) for n in range(60)]

    found = make_policy("score", evidence(calls, calls), "no index", options())

    assert found == ("small, native: of 60 tuning calls 0 are worse than the large one's: a score needs 10 of either")


@pytest.mark.parametrize("kind", ["cluster", "cascade", "score", "hybrid"])
def test_the_router_decides_as_was_simulated(kind: str) -> None:
    found = three_tasks()
    made = made_of(kind, found)
    views = made.testing(found.testing)
    threshold = float(np.median([one.confidence for one in views if one.confidence > -inf]))
    plan = plan_of(_at(made.policy, threshold))
    places = made.placing.places(found.testing) if made.placing is not None else {}

    for view in views:
        ask = before(plan, view.call.question, places.get(view.call.id))
        kept, reason = False, ask.reason
        if ask.expert:
            verdict = after(plan, ask, view.call.question, [view.call.small[ask.target.name][0].reply])
            kept, reason = verdict.kept, verdict.reason
        routed = view.routed(threshold)

        assert (kept, reason) == (routed.kept == 1.0, routed.reason)
        assert routed.both == (ask.expert and not kept)


def _at(policy: RoutePolicy, threshold: float) -> RoutePolicy:
    return policy.model_copy(update={"threshold": threshold})


def test_a_policy_is_the_same_after_it_was_written_and_read() -> None:
    made = made_of("score", evidence(by_length(200, 1, "a"), by_length(50, 2, "b")), score="logistic")

    again = RoutePolicy.model_validate_json(made.policy.model_dump_json())

    assert again == made.policy
    assert isinstance(again.score, LinearScore)


def test_what_was_learned_is_held_out_of_the_tuning_split() -> None:
    """On labels that are pure chance a score that saw them would look sure of itself."""
    rng = np.random.default_rng(5)
    calls = [
        call(sample(f"q{n}", "x" * int(rng.integers(5, 400))), drawn(1.0), drawn(float(rng.random() < 0.5)))
        for n in range(200)
    ]

    made = made_of("score", evidence(calls, calls[:1]), score="boosted")

    sure = np.array([one.confidence for one in made.tuning])
    right = np.array([one.call.small["small"][0].value for one in made.tuning])
    assert abs(float(np.corrcoef(sure, right)[0, 1])) < 0.2


def test_a_folder_decides_after_it_was_read_as_it_was_simulated(tmp_path: Path) -> None:
    found = three_tasks()
    made = made_of("hybrid", found, confidence="form")
    assert made.placing is not None
    digest = made.placing.index.save(tmp_path / INDEX)
    policy = _at(made.policy, 0.5).model_copy(update={"index": digest})
    (tmp_path / POLICY).write_text(policy.model_dump_json())

    deployed = load_policy(tmp_path)
    index = open_index(deployed, words)

    for view in made.testing(found.testing):
        ask = before(deployed.plan, view.call.question, index.place(view.call.question))
        assert (ask.cluster, ask.target.name if ask.expert else None) == (
            view.cluster, view.expert.name if view.expert else None
        )  # fmt: skip
    assert index.head.embedding == EMBEDDING
