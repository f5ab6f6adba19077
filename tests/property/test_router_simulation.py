"""A live router decides as the simulation does on the same replies: one implementation, told to be so by examples."""

import asyncio
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.route import LinearScore, RouteControl, RouteDecision, RoutePolicy
from harness.router import Router
from harness.router.decide import eligible, plan_of, sureness
from harness.router.features import REPLY_FEATURES, REQUEST_FEATURES
from harness.router.question import question_of, reply_of
from tests.support.routes import TOOL, Json, Model, called, deploy, policy, request, response, spoken, target

SIGNALS = ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema", "no_call")

logprobs = st.lists(st.floats(-20, 0, allow_nan=False), max_size=4).map(tuple)
arguments = st.one_of(
    st.fixed_dictionaries({"order_id": st.sampled_from(["A12", "B7", 3, None])}, optional={"fast": st.booleans()}),
    st.sampled_from(['{"order_id": ', "", "[]"]),
)
replies = st.one_of(
    st.builds(called, arguments, st.sampled_from(["get_order", "get_odor"]), logprobs),
    st.builds(spoken, st.text(max_size=30), logprobs),
    st.builds(lambda text: response({"role": "assistant", "content": text}, "length"), st.text(max_size=10)),
)
requests = st.builds(
    request,
    st.text(max_size=60),
    tools=st.sampled_from([[], [TOOL], [TOOL, {"type": "function", "function": {"name": "stop"}}]]),
    tool_choice=st.sampled_from(["auto", "required"]),
)


@st.composite
def policies(draw: st.DrawFn) -> RoutePolicy:
    kind: Any = draw(
        st.sampled_from(["form", "mean_logprob", "least_logprob", "agreement", "request_score", "reply_score"])
    )
    names = (*REQUEST_FEATURES, *(REPLY_FEATURES if kind == "reply_score" else ()))
    weights = draw(st.lists(st.floats(-1, 1), min_size=len(names), max_size=len(names)))
    score = LinearScore(
        features=names, weights=tuple(weights), means=(0.0,) * len(names), scales=(1.0,) * len(names), bias=0.0
    )
    return policy(
        confidence=kind,
        threshold=draw(st.floats(-5, 1)),
        signals=tuple(draw(st.sets(st.sampled_from(SIGNALS)))),
        experts=(target("small", samples=3 if kind == "agreement" else 1),),
        score=score if kind.endswith("score") else None,
    )


def simulated(made: RoutePolicy, asked: Json, found: list[Json]) -> bool:
    """Whether the small model's answer stands, as a simulation over recorded answers has it."""
    plan, question = plan_of(made), question_of(asked)
    ask = eligible(plan, question)
    assert made.threshold is not None
    value = sureness(plan, ask, question, [reply_of(one) for one in found]).value
    return value > -inf and value >= made.threshold


async def live(folder: Path, asked: Json, found: list[Json]) -> RouteDecision:
    told: list[RouteDecision] = []
    answers = iter(found)
    router = Router(folder, {"small": Model(lambda _: next(answers)), "large": Model(spoken("large"))})
    router._write = lambda call, line, decision: told.append(decision)  # type: ignore[method-assign]
    await router.acompletion(asked)
    await router.aclose()
    return told[0]


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, deadline=None)
@given(policies(), requests, st.lists(replies, min_size=3, max_size=3))
def test_a_live_router_decides_as_the_simulation_does(made: RoutePolicy, asked: Json, found: list[Json]) -> None:
    drawn = found[: made.experts[0].samples]
    with TemporaryDirectory() as folder:
        deploy(Path(folder), made, RouteControl(mode="on"))

        decision = asyncio.run(live(Path(folder), asked, drawn))

    assert (decision.reason == "kept") == simulated(made, asked, drawn)
    assert not decision.reason.startswith("error")
