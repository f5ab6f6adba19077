"""An agent's task through the real runner: what is sent, what is run, how it ends, and what it is worth."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config import AgentConfig
from harness.errors import BackendError, DataError
from harness.records import Disturbance, Sample, ToolCall
from harness.runner.agent import disturbed_call
from tests.support import openai_server as fake
from tests.support.agent_runs import Bench, Player, calls_reply, play
from tests.support.openai_server import Step
from tests.support.toy_world import TOOLS, put, toy_sample

TWO_TURNS = toy_sample([put("a", 1), put("b", 2)], [put("a", 3)])
PRICE = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 10.0, "as_of": "2026-11-01"}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    kept = Bench()
    yield kept
    asyncio.run(kept.close())


def script(*replies: Sequence[Step]) -> Any:
    """These replies, one after the other."""
    return lambda number, _body: replies[number]


def text(value: object) -> list[Step]:
    return fake.reply(json.dumps(value))


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def test_the_reference_plan_over_two_turns_is_worth_1(tmp_path: Path) -> None:
    played = play(tmp_path, [TWO_TURNS], Player([TWO_TURNS]))

    assert played.complete
    assert (played.score.value, played.score.miss, played.score.why) == (1.0, None, "")
    assert (played.attempt.ended, played.attempt.failure) == ("answered", None)
    assert [step.turn for step in played.attempt.steps] == [0, 0, 0, 1, 1]
    assert played.score.parts == {"plan_coverage": 1.0, "plan_order": 1.0, "plan_length": 1.0}


async def test_each_request_holds_the_whole_history_with_the_servers_ids(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])
    call = put("a", 1).model_copy(update={"id": "from-the-server"})

    played = await bench.ask(sample, script(calls_reply([call], "I will."), fake.reply("Done.")))

    assert roles(played.bodies[1]) == ["user", "assistant", "tool"]
    _, said, result = played.bodies[1]["messages"]
    assert (said["content"], said["tool_calls"][0]["id"]) == ("I will.", "from-the-server")
    assert (result["tool_call_id"], result["name"], result["content"]) == ("from-the-server", "put", "ok")


async def test_calls_without_an_id_get_one_that_their_results_name(bench: Bench) -> None:
    sample = toy_sample([put("a", 1), put("b", 2)])
    twice = calls_reply([put("a", 1), put("b", 2)], ids=False)

    played = await bench.ask(sample, script(twice, fake.reply("Done.")))

    _, said, *results = played.bodies[1]["messages"]
    ids = [call["id"] for call in said["tool_calls"]]
    assert len(set(ids)) == 2
    assert [result["tool_call_id"] for result in results] == ids
    assert played.score.value == 1


async def test_tools_of_a_later_turn_are_offered_from_then_on(bench: Bench) -> None:
    sample = toy_sample([], [put("a", 1)], tools=TOOLS[1:3], later=[TOOLS[:1]])

    played = await bench.ask(sample, Player([sample]))

    offered = [[tool["function"]["name"] for tool in body["tools"]] for body in played.bodies]
    assert offered == [["get", "turns"], ["get", "turns", "put"], ["get", "turns", "put"]]
    assert played.score.value == 1


async def test_a_tool_that_is_not_offered_is_refused_and_the_tools_are_named(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)], tools=TOOLS[1:3])

    played = await bench.ask(sample, Player([sample]))

    (result,) = played.attempt.steps[0].results
    assert (result.content, result.error, result.ran) == (
        "there is no tool put; the tools are get, turns",
        True,
        False,
    )
    assert played.score.value == 0


async def test_an_environment_may_run_what_is_not_offered(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)], tools=TOOLS[1:3], environment="toy_open")

    played = await bench.ask(sample, Player([sample]))

    assert played.attempt.steps[0].results[0].ran
    assert played.score.value == 1


async def test_usage_and_cost_are_sums_over_the_steps(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])

    played = await bench.ask(sample, Player([sample]), price=PRICE)

    usage = played.attempt.usage
    assert (usage.prompt_tokens, usage.output_tokens, usage.counted_by) == (110, 9, "server")
    assert played.attempt.cost_usd == pytest.approx(110e-6 + 90e-6)


async def test_a_reply_that_cannot_be_read_is_told_and_may_be_mended(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])
    broken = fake.reply('{"name": "put", "arguments": {"key": "a", ')
    mended = text({"name": "put", "arguments": {"key": "a", "value": 1}})
    replies = script(broken, mended, text({"name": "answer", "arguments": {"text": "Done."}}))

    played = await bench.ask(sample, replies, protocol="prompted")

    assert played.attempt.steps[0].unreadable is not None
    assert "could not be read as a call" in played.bodies[1]["messages"][-1]["content"]
    assert played.score.value == 1


async def test_after_two_unreadable_replies_in_a_row_the_turn_is_over(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])
    broken = calls_reply([put("a", 1)])
    broken[1] = fake.chunked(fake.delta(tool_calls=[{"index": 0, "function": {"name": "put", "arguments": '{"key'}}]))

    played = await bench.ask(sample, lambda _number, _body: broken)

    assert [bool(step.unreadable) for step in played.attempt.steps] == [True, True]
    assert (played.attempt.ended, played.score.value, played.score.miss) == ("answered", 0.0, "decode")


async def test_a_turn_out_of_steps_ends_the_task_with_0(bench: Bench) -> None:
    asking = calls_reply([ToolCall(name="turns", arguments={})])

    played = await bench.ask(TWO_TURNS, lambda _number, _body: asking, AgentConfig(max_steps=3))

    assert len(played.attempt.steps) == 3
    assert (played.attempt.ended, played.score.value, played.score.miss) == ("step_limit", 0.0, "step_limit")


async def test_the_limit_of_steps_counts_anew_for_each_turn(bench: Bench) -> None:
    played = await bench.ask(TWO_TURNS, Player([TWO_TURNS]), AgentConfig(max_steps=3))

    assert (len(played.attempt.steps), played.score.value) == (5, 1.0)


async def test_a_failure_of_the_server_in_the_middle_is_unscored_and_keeps_its_steps(bench: Bench) -> None:
    sample = toy_sample([put("a", 1), put("b", 2)])
    replies = script(calls_reply([put("a", 1)]), fake.error(503, {"error": "busy"}))

    played = await bench.ask(sample, replies)

    assert (played.score.value, played.score.boundary, played.attempt.reply) == (None, "infrastructure", None)
    assert (len(played.attempt.steps), played.attempt.ended) == (1, None)
    assert played.attempt.usage.prompt_tokens == 100


async def test_a_task_whose_first_request_fails_costs_nothing_known(bench: Bench) -> None:
    played = await bench.ask(TWO_TURNS, lambda _number, _body: fake.error(503, {"error": "busy"}), price=PRICE)

    assert (played.attempt.steps, played.attempt.cost_usd, played.attempt.usage.prompt_tokens) == ((), None, None)


async def test_a_context_that_overflows_in_the_middle_is_the_models_miss(bench: Bench) -> None:
    sample = toy_sample([put("a", 1), put("b", 2)])
    words = {"error": {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}}

    played = await bench.ask(sample, script(calls_reply([put("a", 1)]), fake.error(400, words)))

    assert (played.score.value, played.score.miss, played.score.boundary) == (0.0, "context_overflow", "model")


@pytest.mark.parametrize("protocol", ["prompted", "constrained"])
async def test_where_calls_are_text_an_answer_is_a_call_too_and_ends_the_turn(bench: Bench, protocol: str) -> None:
    sample = toy_sample([put("a", 1)], say="all is well")
    replies = script(
        text({"name": "put", "arguments": {"key": "a", "value": 1}}),
        text({"name": "answer", "arguments": {"text": "all is well"}}),
    )

    played = await bench.ask(sample, replies, protocol=protocol)

    assert "answer(text: string)" in played.bodies[0]["messages"][0]["content"]
    assert roles(played.bodies[1]) == ["system", "user", "assistant", "user"]
    assert played.attempt.reply is not None
    assert (played.attempt.reply.content, played.score.value) == ("all is well", 1.0)
    assert [len(step.results) for step in played.attempt.steps] == [1, 0]


async def test_declining_ends_a_turn(bench: Bench) -> None:
    played = await bench.ask(TWO_TURNS, lambda _number, _body: text({"name": "no_call"}), protocol="constrained")

    assert [step.turn for step in played.attempt.steps] == [0, 1]
    assert (played.score.value, played.score.miss) == (0.0, "task_refused")


async def test_a_hanging_tool_is_told_and_the_task_goes_on(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])
    hang = calls_reply([ToolCall(name="hang", arguments={})])
    replies = script(hang, calls_reply([put("a", 1)]), fake.reply("Done."))

    played = await bench.ask(sample, replies, AgentConfig(tool_timeout_s=1.0))

    (hung,) = played.attempt.steps[0].results
    assert (hung.error, hung.ran) == (True, False)
    assert played.bodies[1]["messages"][-1]["content"] == "the tool hang did not answer within 1 s"
    assert played.score.value == 1


async def test_a_long_result_is_cut_and_says_so(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)])
    talk = calls_reply([ToolCall(name="talk", arguments={"length": 5000})])

    played = await bench.ask(sample, script(talk, fake.reply("Done.")), AgentConfig(max_result_chars=100))

    assert played.bodies[1]["messages"][-1]["content"] == "w" * 100 + " … (cut)"


async def test_a_reply_of_thoughts_alone_goes_into_the_history_as_empty_text(bench: Bench) -> None:
    played = await bench.ask(TWO_TURNS, lambda _number, _body: fake.reply("<think>Well.</think>"))

    assert [message["content"] for message in played.bodies[1]["messages"]] == [
        "turn 0 of toy_1",
        "",
        "turn 1 of toy_1",
    ]
    assert (played.score.value, played.score.miss) == (0.0, "task_refused")


DISTURBED = toy_sample([put("a", 1), put("b", 2)], [put("c", 3)])


@pytest.mark.parametrize("disturb", ["error", "nonsense", "timeout"])
async def test_a_model_that_calls_again_recovers_from_a_disturbed_call(bench: Bench, disturb: Disturbance) -> None:
    played = await bench.ask(DISTURBED, Player([DISTURBED]), AgentConfig(disturb=disturb))

    results = [result for step in played.attempt.steps for result in step.results]
    assert [result.disturbed for result in results].count(disturb) == 1
    assert results[disturbed_call(DISTURBED)].disturbed == disturb
    assert (played.score.parts["recovered"], played.score.parts["retried"]) == (1.0, 1.0)


@pytest.mark.parametrize("disturb", ["error", "nonsense", "timeout"])
async def test_a_model_that_goes_on_regardless_does_not(bench: Bench, disturb: Disturbance) -> None:
    sample = next(
        one
        for number in range(50)
        if disturbed_call(one := toy_sample([put("a", 1), ToolCall(name="turns", arguments={})], identity=f"t{number}"))
        == 0
    )

    played = await bench.ask(sample, Player([sample], retries=False), AgentConfig(disturb=disturb))

    assert (played.score.parts["recovered"], played.score.parts["retried"]) == (0.0, 0.0)


def test_which_call_is_disturbed_depends_on_the_sample_alone() -> None:
    places = [disturbed_call(toy_sample([put("a", 1)] * 4, identity=f"s{number}")) for number in range(200)]

    assert {0, 1, 2, 3} == set(places)
    assert places == [disturbed_call(toy_sample([put("a", 1)] * 4, identity=f"s{number}")) for number in range(200)]


async def test_the_checkers_message_gives_one_more_try_that_does_not_change_the_value(bench: Bench) -> None:
    sample = toy_sample([put("a", 1), put("b", 2)])

    played = await bench.ask(sample, Player([sample], skip=1), AgentConfig(feedback=True))

    assert (played.score.value, played.score.miss) == (0.0, "wrong_result")
    assert (played.score.parts["learned"], played.score.parts["done_after_feedback"]) == (1.0, 1.0)
    assert played.attempt.feedback_at == 2
    assert "A check of what you did says: the box is wrong." in played.bodies[2]["messages"][-1]["content"]
    assert played.score.parts["plan_coverage"] == 0.5


async def test_a_model_that_learns_nothing_from_the_message(bench: Bench) -> None:
    sample = toy_sample([put("a", 1), put("b", 2)])

    played = await bench.ask(sample, lambda _number, _body: fake.reply("Done."), AgentConfig(feedback=True))

    assert (played.score.parts["learned"], played.score.parts["done_after_feedback"]) == (0.0, 0.0)
    assert len(played.attempt.steps) == 2


async def test_a_task_that_is_done_needs_no_message(bench: Bench) -> None:
    played = await bench.ask(TWO_TURNS, Player([TWO_TURNS]), AgentConfig(feedback=True))

    assert played.attempt.feedback_at is None
    assert played.score.parts["done_after_feedback"] == 1
    assert "learned" not in played.score.parts


def test_a_check_that_breaks_down_gives_no_further_try_and_loses_no_reply(tmp_path: Path) -> None:
    sample = toy_sample([put("a", 1)], breaks="verdict")

    played = play(tmp_path, [sample], Player([sample]), AgentConfig(feedback=True))

    assert (played.attempt.ended, played.attempt.failure, played.attempt.feedback_at) == ("answered", None, None)
    assert (played.scores, played.complete) == ([None], False)  # judged again by the same command


@pytest.mark.parametrize("breaks", ["open", "begin"])
async def test_an_environment_that_fails_loses_the_task_and_not_the_run(tmp_path: Path, breaks: str) -> None:
    broken = toy_sample([put("a", 1)], identity="broken", breaks=breaks)
    sound = [toy_sample([put("a", 1)], identity=f"s{number}") for number in range(2)]

    played = await asyncio.to_thread(play, tmp_path, [broken, *sound], Player([broken, *sound]))

    scores = {score.sample: score for score in played.scores if score}
    (lost,) = [attempt for attempt in played.attempts if attempt.failure]
    assert lost.failure is not None
    assert (lost.sample, lost.failure.boundary, lost.failure.kind) == ("broken", "infrastructure", "task_error")
    assert "the environment failed: RuntimeError: the environment broke" in lost.failure.message
    assert (scores["broken"].value, scores["s0"].value, scores["s1"].value) == (None, 1.0, 1.0)
    assert len(played.attempts) == 3


async def test_a_task_whose_environment_fails_in_the_middle_keeps_its_steps(bench: Bench) -> None:
    sample = toy_sample([put("a", 1)], [put("b", 1)], breaks="second begin")
    replies = script(calls_reply([put("a", 1)]), fake.reply("Done."))

    played = await bench.ask(sample, replies)

    assert (played.score.value, played.score.boundary, played.score.miss) == (None, "infrastructure", "transport")
    assert (len(played.attempt.steps), played.attempt.reply, played.attempt.ended) == (2, None, None)


def test_a_run_whose_every_task_breaks_is_stopped(tmp_path: Path) -> None:
    samples = [toy_sample([put("a", 1)], identity=f"t{number}", breaks="begin") for number in range(30)]

    with pytest.raises(BackendError, match=r"20 of the last 20 .* task_error: .* mend the task's environment"):
        play(tmp_path, samples, Player(samples))


def test_an_environment_that_does_not_come_up_stops_the_run_at_once(tmp_path: Path) -> None:
    samples = [toy_sample([put("a", 1)], identity=f"t{number}", environment="toy_broken") for number in range(3)]

    with pytest.raises(DataError, match="the toys are in another box"):
        play(tmp_path, samples, Player(samples))


def test_a_budget_of_calls_counts_every_step_of_a_task(tmp_path: Path) -> None:
    samples = [toy_sample([put("a", 1)], identity=f"t{number}") for number in range(4)]

    played = play(tmp_path, samples, Player(samples), run={"budget": {"calls": 4}})

    assert (len(played.bodies), len(played.attempts), played.complete) == (4, 2, False)


def test_a_context_that_overflows_after_a_call_is_judged_by_the_world(tmp_path: Path) -> None:
    sample = toy_sample([put("a", 1)])
    words = {"error": {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}}

    played = play(tmp_path, [sample], script(calls_reply([put("a", 1)]), fake.error(400, words)))

    assert (played.score.value, played.score.miss, played.complete) == (0.0, "context_overflow", True)
    assert (played.score.parts["put_anyway"], played.score.parts["plan_coverage"]) == (1.0, 1.0)


def test_an_integer_of_23_digits_goes_through_a_whole_run(tmp_path: Path) -> None:
    sample = toy_sample([put("a", 12345678901234567890123)])

    played = play(tmp_path, [sample], Player([sample]))

    assert (played.score.value, played.complete) == (1.0, True)


def test_many_tasks_at_once_do_not_meet(tmp_path: Path) -> None:
    samples: list[Sample] = [
        toy_sample([put("a", number)], [put("b", number)], identity=f"t{number}") for number in range(6)
    ]

    played = play(tmp_path, samples, Player(samples), run={"concurrency": 3, "trials": 2})

    assert played.complete
    assert [score.value for score in played.scores if score] == [1.0] * 12
