"""What a router asks aside: shadow and verification, within a budget, without the caller noticing."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from harness.records.route import RouteControl
from harness.router import Router
from harness.router.passage import usd_of
from tests.support.route_bench import LARGE, SMALL, WORDS, Bench, lines
from tests.support.routes import Json, Model, deploy, policy, request, target


async def test_shadow_answers_by_the_backbone_and_measures_aside(tmp_path: Path) -> None:
    bench = Bench(tmp_path, control=RouteControl(mode="shadow"))

    assert await bench.ask() == LARGE

    (decision,) = await bench.decisions()
    (pair,) = lines(bench.log, "verified")
    assert (decision["reason"], decision["would"], decision["model"]) == ("shadow", "kept", "large")
    assert (pair["served"], pair["same"], pair["routed"]) == ("large", False, True)
    assert pair["call"] == decision["call"]


async def test_shadow_tells_what_the_policy_would_have_handed_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORDS, control=RouteControl(mode="shadow"))
    await bench.ask()

    (decision,) = await bench.decisions()

    assert decision["would"] == "no_call"
    assert [one["routed"] for one in lines(bench.log, "verified")] == [False]


async def test_a_share_of_what_the_small_model_answers_is_verified_aside(tmp_path: Path) -> None:
    bench = Bench(tmp_path, large=SMALL, control=RouteControl(mode="on", verify=0.2))
    for _ in range(300):
        await bench.ask()
        await bench.router._aside.drain(60)

    await bench.decisions()

    pairs = lines(bench.log, "verified")
    assert abs(len(pairs) / 300 - 0.2) < 6 * (0.2 * 0.8 / 300) ** 0.5
    assert {(one["served"], one["same"], one["routed"]) for one in pairs} == {("small", True, True)}
    assert len(bench.large.asked) == len(pairs)


async def test_the_caller_does_not_wait_for_what_is_asked_aside(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(asked: Json) -> Json:
        await gate.wait()
        return SMALL

    folder = deploy(tmp_path, policy(), RouteControl(mode="shadow"))
    router = Router(folder, {"small": slow, "large": Model(LARGE)}, log=tmp_path / "log")

    found = [await router.acompletion(request()) for _ in range(3)]

    assert found == [LARGE] * 3
    assert (router.aside.offered, router.aside.done) == (3, 0)
    gate.set()
    await router.aclose(60)
    assert router.aside.done == 3


async def test_calls_aside_that_find_no_room_are_dropped_and_counted(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        Model(SMALL, wait_s=0.01),
        control=RouteControl(mode="shadow"),
        options={"aside_at_once": 1, "aside_waiting": 2},
    )

    await asyncio.gather(*(bench.ask() for _ in range(8)))

    assert len(await bench.decisions()) == 8
    assert (bench.router.aside.dropped, bench.router.aside.done) == (5, 3)


@pytest.mark.parametrize("mode", ["shadow", "on"])
async def test_no_failure_of_shadow_verification_or_log_reaches_the_caller(
    tmp_path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    bench = Bench(tmp_path, control=RouteControl(mode=mode, verify=1.0))
    monkeypatch.setattr("harness.router.beside.reply_action", broken)
    monkeypatch.setattr(bench.router._beside.budget, "settle", broken)
    monkeypatch.setattr(bench.router._log, "call", broken)

    found = [await bench.ask() for _ in range(3)]

    assert len(found) == 3
    await bench.router.aclose(60)


@pytest.mark.parametrize(
    ("control", "asked"),
    [
        (RouteControl(mode="shadow", budget_calls_per_day=2), 2),
        (RouteControl(mode="shadow", shadow_share=0.0), 0),
        (RouteControl(mode="shadow", budget_usd_per_day=1.0), 5),
        (RouteControl(mode="shadow", budget_usd_per_day=0.0), 0),
    ],
    ids=["calls", "share", "usd", "no usd"],
)
async def test_shadow_keeps_within_its_share_and_budget(tmp_path: Path, control: RouteControl, asked: int) -> None:
    bench = Bench(tmp_path, control=control)
    for _ in range(5):
        await bench.ask()
        await bench.router._aside.drain(60)

    await bench.decisions()

    assert len(bench.small.asked) == asked


@pytest.mark.parametrize(("prices", "asked"), [({}, 0), ({"small": (0.1, 0.4)}, 5)], ids=["unknown", "told"])
async def test_a_budget_in_usd_needs_a_price(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, prices: dict[str, tuple[float, float]], asked: int
) -> None:
    control = RouteControl(mode="shadow", budget_usd_per_day=1.0)
    bench = Bench(tmp_path, policy=policy(experts=(target("small"),)), control=control, options={"prices": prices})
    with caplog.at_level(logging.WARNING, "harness.router"):
        for _ in range(5):
            await bench.ask()
            await bench.router._aside.drain(60)

    await bench.decisions()

    assert len(bench.small.asked) == asked
    assert ["no price is known" in one.getMessage() for one in caplog.records] == [True] * (not asked)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 500}, 0.006),
        ({"prompt_tokens": 1000, "completion_tokens": 500, "cost": 0.25}, 0.25),
        ({"prompt_tokens": 1000}, None),
        (None, None),
    ],
    ids=["tokens", "told", "half", "none"],
)
def test_what_a_response_cost_is_told_or_computed_or_not_known(usage: Json | None, usd: float | None) -> None:
    priced = target("large", usd_per_mtok_in=2.0, usd_per_mtok_out=8.0)

    assert usd_of({"usage": usage}, priced) == (None if usd is None else pytest.approx(usd))


async def test_the_budget_survives_a_restart(tmp_path: Path) -> None:
    refused = []
    for _ in range(3):
        bench = Bench(tmp_path, control=RouteControl(mode="shadow", budget_calls_per_day=2))
        await bench.ask()
        await bench.router.aclose(60)
        refused.append(bench.router.refused)

    assert len(lines(tmp_path / "log", "verified")) == 2
    assert refused == [0, 0, 1]


async def test_a_value_that_a_scorer_gives_stands_in_the_pair(tmp_path: Path) -> None:
    worth = {'{"order_id":"A12"}': 0.5}
    bench = Bench(
        tmp_path,
        control=RouteControl(mode="shadow"),
        options={"worth": lambda _, reply: worth.get(reply.tool_calls[0].arguments, 1.0)},
    )
    await bench.ask()

    await bench.decisions()

    assert [(one["small_value"], one["large_value"]) for one in lines(bench.log, "verified")] == [(0.5, 1.0)]
