"""The router in a program: who is asked, what the caller gets, and that nothing else reaches the caller."""

import logging
from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.capture import human_chat, session
from harness.errors import ConfigError, DataError
from harness.records.route import RouteControl, RouteRule
from harness.router import Router, RouterOptions
from harness.router.control import OFF_VARIABLE, write_control
from harness.router.indexing import build_index
from harness.router.question import question_of
from tests.support.route_bench import LARGE, SMALL, WORDS, Bench, lines
from tests.support.routes import Json, Model, bag_of_words, called, deploy, policy, request, response, spoken, target


async def test_a_good_reply_of_the_small_model_is_the_callers(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    found = await bench.ask()

    (decision,) = await bench.decisions()
    assert found["choices"][0]["message"] == SMALL["choices"][0]["message"]
    assert (decision["model"], decision["reason"], decision["asked"]) == ("small", "kept", ["small"])
    assert not bench.large.asked
    assert bench.small.asked[0]["model"] == "small"


async def test_a_reply_with_a_sign_is_dropped_and_the_backbone_asked_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORDS)

    found = await bench.ask()

    (decision,) = await bench.decisions()
    assert found == LARGE
    assert (decision["reason"], decision["asked"]) == ("no_call", ["small", "large"])
    assert bench.large.asked[0] == request()


@pytest.mark.parametrize(
    "error", [ValueError("no"), ConnectionError("gone"), KeyError("choices")], ids=lambda one: type(one).__name__
)
async def test_a_small_model_that_fails_costs_the_caller_nothing(tmp_path: Path, error: Exception) -> None:
    bench = Bench(tmp_path, error)

    assert await bench.ask() == LARGE

    assert [one["reason"] for one in await bench.decisions()] == [f"error: {type(error).__name__}"]


async def test_a_small_model_that_hangs_is_left_after_its_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model(SMALL, wait_s=60), options={"expert_timeout_s": 0.05})

    assert await bench.ask() == LARGE

    assert [one["reason"] for one in await bench.decisions()] == ["error: TimeoutError"]


async def test_a_small_model_that_fails_five_times_is_left_alone_and_asked_again_after_its_rest(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ConnectionError("gone"))

    for _ in range(7):
        assert await bench.ask() == LARGE
    bench.router._breaker.clock = lambda: float("inf")
    await bench.ask()

    reasons = [one["reason"] for one in await bench.decisions()]
    assert reasons == 5 * ["error: ConnectionError"] + 2 * ["resting"] + ["error: ConnectionError"]
    assert len(bench.small.asked) == 6


@pytest.mark.parametrize("odd", [{}, {"choices": []}, {"choices": [{"message": 3}]}, {"choices": "x"}], ids=str)
async def test_a_response_of_a_strange_shape_goes_to_the_backbone(tmp_path: Path, odd: Json) -> None:
    bench = Bench(tmp_path, odd)

    assert await bench.ask() == LARGE

    await bench.router.aclose(60)


async def test_a_request_that_cannot_be_read_goes_to_the_backbone_as_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    odd: Json = {"messages": [{"role": "martian", "content": "x"}]}

    assert await bench.router.acompletion(odd) == LARGE

    assert bench.large.asked == [odd]
    assert (await bench.decisions())[0]["reason"] == "error: router DataError"


async def test_what_the_backbone_raises_is_the_callers(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORDS, ConnectionError("down"))

    with pytest.raises(ConnectionError, match="down"):
        await bench.ask()

    assert len(await bench.decisions()) == 1
    assert lines(bench.log, "calls")[0]["error"]["type"] == "ConnectionError"


async def test_mode_off_passes_the_request_on_unread(tmp_path: Path) -> None:
    bench = Bench(tmp_path, control=RouteControl(mode="off"))

    assert await bench.ask() == LARGE

    assert (bench.small.asked, bench.large.asked) == ([], [request()])
    assert (await bench.decisions())[0]["reason"] == "off"


async def test_the_kill_switch_acts_on_a_running_router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    await bench.ask()
    monkeypatch.setenv(OFF_VARIABLE, "1")
    await bench.ask()
    monkeypatch.delenv(OFF_VARIABLE)
    write_control(bench.folder, RouteControl(mode="off"))
    bench.router._control._next_look = 0.0  # a tenth of a second later
    await bench.ask()

    assert [one["reason"] for one in await bench.decisions()] == ["kept", "off", "off"]


async def test_a_damaged_control_file_leaves_the_backbone_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    (bench.folder / "control.json").write_text("{")

    with caplog.at_level(logging.WARNING, "harness.router"):
        assert [await bench.ask() for _ in range(3)] == [LARGE] * 3

    await bench.router.aclose(60)
    assert [one.getMessage().split(":")[0] for one in caplog.records] == [
        "routing is off, the backbone answers all calls"
    ]


@pytest.mark.parametrize("text", [None, "", "{", '{"format": 1}'], ids=str)
def test_a_damaged_policy_refuses_at_the_start(tmp_path: Path, text: str | None) -> None:
    folder = deploy(tmp_path, policy())
    path = folder / "policy.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)

    with pytest.raises(DataError, match=r"policy\.json"):
        Router(folder, {"small": Model(SMALL), "large": Model(LARGE)})


def test_a_policy_other_than_the_one_meant_refuses_at_the_start(tmp_path: Path) -> None:
    folder, clients = deploy(tmp_path, policy()), {"small": Model(SMALL), "large": Model(LARGE)}
    digest = Router(folder, clients).deployed.sha256

    Router(folder, clients, options=RouterOptions(sha256=digest[:12]))
    with pytest.raises(DataError, match="was asked for"):
        Router(folder, clients, options=RouterOptions(sha256="0" * 64))


def test_a_model_without_a_client_refuses_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="small has no client"):
        Router(deploy(tmp_path, policy()), {"large": Model(LARGE)})


async def test_a_session_that_was_handed_on_stays_with_the_backbone_in_every_process(tmp_path: Path) -> None:
    first = Bench(tmp_path, WORDS)
    await first.router.acompletion(request(), session="ticket 1")
    await first.router.aclose(60)
    second = Bench(tmp_path)

    for name in ("ticket 1", "ticket 2"):
        await second.router.acompletion(request(), session=name)

    assert [one["reason"] for one in await second.decisions()] == ["no_call", "sticky", "kept"]


async def test_a_canary_routes_its_share_of_the_sessions_and_always_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, control=RouteControl(mode="canary", share=0.3))
    names = [f"s{k}" for k in range(300)]

    for name in names * 2:
        await bench.router.acompletion(request(), session=name)

    decisions = await bench.decisions()
    first, again = ([one["reason"] for one in part] for part in (decisions[:300], decisions[300:]))
    assert first == again
    assert abs(first.count("kept") / 300 - 0.3) < 4 * (0.3 * 0.7 / 300) ** 0.5
    assert set(first) == {"kept", "not in the canary"}


@pytest.mark.parametrize("how", ["argument", "metadata", "context"])
async def test_a_session_is_known_by_argument_metadata_or_context(tmp_path: Path, how: str) -> None:
    bench = Bench(tmp_path)

    if how == "context":
        with session("ticket 1", agent="support"):
            await bench.ask()
    elif how == "metadata":
        await bench.ask(metadata={"session_id": "ticket 1"})
    else:
        await bench.router.acompletion(request(), session="ticket 1")

    assert [one["session"] for one in await bench.decisions()] == ["ticket 1"]


async def test_a_log_that_cannot_be_written_does_not_reach_the_caller(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for path in bench.log.glob("*"):
        path.rename(tmp_path / "gone")
    bench.log.rmdir()
    bench.log.write_text("a file where the folder was")

    assert await bench.ask() is not None

    for one in (bench.router._log._calls, bench.router._log._decisions, bench.router._log._pairs):  # type: ignore[union-attr]
        assert one is not None
        one.close(timeout_s=0.1)


async def test_an_expert_is_asked_by_the_protocol_that_it_was_measured_with(tmp_path: Path) -> None:
    written = spoken('{"name": "get_order", "arguments": {"order_id": "A12"}}')
    expert = target("small", protocol="constrained", params={"temperature": 0, "max_tokens": 64})
    bench = Bench(tmp_path, written, policy=policy(experts=(expert,)))

    found = await bench.ask(max_completion_tokens=900, user="u1")

    await bench.router.aclose(60)
    (asked,) = bench.small.asked
    assert "tools" not in asked
    assert "user" not in asked
    assert asked["response_format"]["type"] == "json_schema"
    assert (asked["temperature"], asked["max_tokens"], asked.get("max_completion_tokens")) == (0, 64, None)
    assert "get_order" in asked["messages"][0]["content"]
    choice = found["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "get_order", "arguments": '{"order_id":"A12"}'}


async def test_several_samples_are_drawn_and_the_commonest_is_the_callers(tmp_path: Path) -> None:
    found = iter([called({"order_id": "B"}), called({"order_id": "A12"}), called({"order_id": "A12"})])
    made = policy(confidence="agreement", threshold=0.6, experts=(target("small", samples=3),))
    bench = Bench(tmp_path, lambda _: next(found), policy=made)

    answer = await bench.ask()

    assert orjson.loads(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])["order_id"] == "A12"
    assert [one["confidence"] for one in await bench.decisions()] == [pytest.approx(2 / 3)]


async def test_a_policy_by_tasks_asks_its_index(tmp_path: Path) -> None:
    def asked(text: str) -> Json:
        return request(text)

    texts = [(f"where is parcel {k}", "c1") for k in range(9)] + [(f"money back shoes {k}", "c2") for k in range(9)]
    questions = [question_of(asked(text)) for text, _ in texts]
    index = build_index(questions, [name for _, name in texts], bag_of_words, "bag")
    (tmp_path / "policy").mkdir()
    digest = index.save(tmp_path / "policy" / "index.npz")
    rules = (RouteRule(cluster="c1", expert="small", sure=0.9), RouteRule(cluster="c2", expert=None))
    made = policy(kind="cluster", confidence="cluster", rules=rules, index=digest, embedding="bag")
    bench = Bench(tmp_path, policy=made, embed=bag_of_words)

    for text in ("where is parcel 70", "money back shoes 70", "sing about the sea in old french"):
        await bench.router.acompletion(asked(text))

    assert [(one.get("cluster"), one["reason"]) for one in await bench.decisions()] == [
        ("c1", "kept"), ("c2", "no expert"), (None, "out of distribution"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="embed="):
        Router(bench.folder, {"small": bench.small, "large": bench.large})
    deploy(bench.folder, made.model_copy(update={"embedding": "other"}))
    with pytest.raises(DataError, match="was made with bag"):
        Router(bench.folder, {"small": bench.small, "large": bench.large}, embed=bag_of_words)


async def test_an_embedding_that_fails_sends_the_call_to_the_backbone(tmp_path: Path) -> None:
    questions = [question_of(request(f"where is parcel {k}")) for k in range(9)]
    index = build_index(questions, ["c1"] * 9, bag_of_words, "bag")
    (tmp_path / "policy").mkdir()
    made = policy(rules=(RouteRule(cluster="c1", expert="small"),), index=index.save(tmp_path / "policy" / "index.npz"))

    def broken(_: Any) -> Any:
        raise RuntimeError("no weights")

    bench = Bench(tmp_path, policy=made, embed=broken)

    assert await bench.ask(text="where is parcel 77") == LARGE

    assert (await bench.decisions())[0]["reason"] == "error: router RuntimeError"


async def test_what_a_person_chats_is_not_written_down(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    with human_chat():
        await bench.ask()

    assert len(await bench.decisions()) == 1
    assert lines(bench.log, "calls") == []


async def test_without_texts_the_log_holds_decisions_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORDS, options={"texts": False})
    await bench.router.acompletion(request("secret order"), session="t")

    await bench.decisions()

    written = b"".join(path.read_bytes() for path in bench.log.rglob("*") if path.is_file())
    assert b"secret" not in written
    assert not list(bench.log.glob("calls-*"))


async def test_cut_replies_are_handed_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, response({"role": "assistant", "content": "Well"}, "length"))

    assert await bench.ask() == LARGE

    assert [one["reason"] for one in await bench.decisions()] == ["cut_off"]
