"""Streams through a router, and programs without a loop."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.capture import session
from harness.records.route import RouteControl, RouteRule
from tests.support.route_bench import LARGE, SMALL, WORDS, Bench, lines
from tests.support.routes import Json, policy, request


async def streamed(bench: Bench, **more: Any) -> list[Json]:
    chunks: AsyncIterator[Json] = await bench.router.acompletion(request(stream=True, **more))
    return [chunk async for chunk in chunks]


def said(chunks: list[Json]) -> str:
    deltas = [one["choices"][0]["delta"] for one in chunks if one["choices"]]
    return "".join(call["function"]["arguments"] for one in deltas for call in one.get("tool_calls") or ())


@pytest.mark.parametrize(("small", "model"), [(SMALL, "small"), (WORDS, "large")], ids=["kept", "handed on"])
async def test_a_cascades_stream_is_checked_before_its_first_chunk(tmp_path: Path, small: Json, model: str) -> None:
    bench = Bench(tmp_path, small)

    chunks = await streamed(bench, stream_options={"include_usage": True})

    assert not bench.small.asked[0].get("stream")
    wanted = SMALL if model == "small" else LARGE
    assert said(chunks) == wanted["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert chunks[-1]["usage"] == wanted["usage"]
    assert [one["model"] for one in await bench.decisions()] == [model]
    assert lines(bench.log, "calls")[0]["response"]["choices"][0]["message"]["tool_calls"][0]["id"] == "call_1"


async def test_what_was_decided_before_streams_through_as_it_comes(tmp_path: Path) -> None:
    rules = (RouteRule(cluster="*", expert="small", sure=0.9),)
    made = policy(kind="cluster", confidence="cluster", rules=rules, signals=())
    bench = Bench(tmp_path, policy=made, control=RouteControl(mode="on", verify=1.0))

    chunks = await streamed(bench)

    assert bench.small.asked[0]["stream"] is True
    assert said(chunks) == '{"order_id":"A12"}'
    (decision,) = await bench.decisions()
    assert (decision["model"], decision["reason"]) == ("small", "kept")
    assert [one["same"] for one in lines(bench.log, "verified")] == [False]


async def test_a_small_models_stream_without_a_first_chunk_falls_back(tmp_path: Path) -> None:
    rules = (RouteRule(cluster="*", expert="small", sure=0.9),)
    made = policy(kind="cluster", confidence="cluster", rules=rules, signals=())
    bench = Bench(tmp_path, ConnectionError("down"), policy=made)

    assert said(await streamed(bench)) == '{"order_id":"A12","fast":true}'

    assert [one["reason"] for one in await bench.decisions()] == ["error: ConnectionError"]


async def test_a_stream_that_the_program_leaves_is_logged_as_such(tmp_path: Path) -> None:
    bench = Bench(tmp_path, control=RouteControl(mode="off"))
    chunks = await bench.router.acompletion(request(stream=True))

    await anext(chunks)
    await chunks.aclose()

    await bench.decisions()
    assert lines(bench.log, "calls")[0]["error"]["type"] == "closed by the program"


def test_programs_without_a_loop_get_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, control=RouteControl(mode="on", verify=1.0))

    with bench.router as router, session("ticket 1"):
        whole = router.completion(request())
        chunks = list(router.completion(request(stream=True)))

    assert whole["choices"][0]["message"] == SMALL["choices"][0]["message"]
    assert said(chunks) == '{"order_id":"A12"}'
    assert [one["session"] for one in lines(bench.log, "decisions")] == ["ticket 1"] * 2
    assert len(lines(bench.log, "verified")) == 2
