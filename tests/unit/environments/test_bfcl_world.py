"""BFCL's rules on a small class of our own: results as text, and which turns fail."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.environments.bfcl import Bfcl, BfclWorld
from harness.errors import DataError
from harness.protocols import WorldVerdict
from harness.records import AgentTarget, Reply, Sample, Step, Timing, ToolCall, ToolResult, target_of
from harness.suite.bfcl_multi_turn import BfclMultiTurn
from tests.support.bfcl_multi_turn_data import write_folder


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall.model_validate({"name": name, "arguments": arguments})


ADD, SHOW = call("add", title="x", urgent=True), call("show", number=0)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (one,) = BfclMultiTurn(write_folder(tmp_path), ["multi_turn_base"]).samples()
    return one


@pytest.fixture
def world(sample: Sample, tmp_path: Path) -> BfclWorld:
    return Bfcl(tmp_path).open(sample)


def judged(world: BfclWorld, *turns: list[ToolCall], ran: bool = True, ended: bool = True) -> WorldVerdict:
    steps = [
        Step(
            turn=turn,
            reply=Reply(),
            timing=Timing(at=0.0),
            results=tuple(ToolResult(call=one, content="", ran=ran) for one in calls),
        )
        for turn, calls in enumerate(turns)
    ]
    return world.verdict(steps, ended=ended)


@pytest.mark.parametrize(
    ("made", "said", "error"),
    [
        (ADD, '{"count": 1}', False),
        (call("show", number=3), '{"error": "no such ticket"}', True),
        (call("add_tags", tags=[]), "None", False),
        (call("break_down"), "Error during execution: broken", True),
        (call("nothing"), "Error during execution: name 'nothing' is not defined", True),
        (call("_load_scenario", scenario={}), "Error during execution: name '_load_scenario' is not defined", True),
    ],
)
def test_results_are_written_as_the_reference_writes_them(
    world: BfclWorld, made: ToolCall, said: str, error: bool
) -> None:
    assert world.call(made) == (said, error)


def test_arguments_that_a_function_does_not_take_are_an_error(world: BfclWorld) -> None:
    said, error = world.call(call("show", place=1))

    assert error
    assert said.startswith("Error during execution: TicketAPI.show() got an unexpected keyword argument")


def test_an_object_that_is_no_json_is_written_by_python(world: BfclWorld) -> None:
    said, error = world.call(call("odd"))

    assert ("Odd" in said, error) == (True, False)


def test_a_function_cannot_change_the_call_that_is_on_record(world: BfclWorld) -> None:
    made = call("add_tags", tags=["a"])
    world.call(made)

    assert made.arguments == {"tags": ["a"]}


def test_the_plan_passes(world: BfclWorld) -> None:
    verdict = judged(world, [ADD], [SHOW], [])

    assert (verdict.value, verdict.why) == (1.0, "")
    assert verdict.parts == {"turns_done": 1.0, "end_state": 1.0}
    assert verdict.counts == {"turns_done": (3, 3), "kept_quiet": (1, 1)}


@pytest.mark.parametrize(
    ("turns", "done", "why"),
    [
        ([[], [SHOW], []], 0, "in turn 1 of 3, no function was called, though something had to be done."),
        (
            [[call("add", title="y")], [SHOW], []],
            0,
            "in turn 1 of 3, the state of TicketAPI is not what was asked for.",
        ),
        ([[ADD], [], []], 1, "in turn 2 of 3, no function was called, though something had to be done."),
        ([[ADD], [call("show", number=9)], []], 1, "in turn 2 of 3, something that was asked for was not looked up."),
        ([[ADD], [SHOW, ADD], []], 1, "in turn 2 of 3, the state of TicketAPI is not what was asked for."),
    ],
)
def test_the_first_turn_that_fails_is_told_without_its_answer(
    world: BfclWorld, turns: list[list[ToolCall]], done: int, why: str
) -> None:
    verdict = judged(world, *turns)

    assert (verdict.value, verdict.counts["turns_done"], verdict.why) == (0.0, (done, 3), why)


def test_what_was_looked_up_in_an_earlier_turn_counts_if_something_is_called(world: BfclWorld) -> None:
    early = judged(world, [ADD, SHOW], [call("show", number=5)], [])
    silent = judged(world, [ADD, SHOW], [], [])

    assert (early.value, silent.value) == (1.0, 0.0)


def test_a_call_in_a_turn_that_wants_none_is_counted_and_fails_nothing(world: BfclWorld) -> None:
    verdict = judged(world, [ADD], [SHOW], [SHOW])

    assert (verdict.value, verdict.counts["kept_quiet"]) == (1.0, (0, 1))


def test_a_turn_that_was_not_reached_was_not_kept_quiet_in(world: BfclWorld) -> None:
    assert "kept_quiet" not in judged(world, [ADD]).counts


def test_calls_that_did_not_run_change_nothing_but_are_calls(world: BfclWorld) -> None:
    verdict = judged(world, [ADD], [SHOW], [], ran=False)

    assert verdict.why == "in turn 1 of 3, the state of TicketAPI is not what was asked for."


def test_a_private_attribute_is_not_compared(world: BfclWorld) -> None:
    twice = call("add", title="x", urgent=True, more=1)

    assert judged(world, [twice, ADD], [SHOW], []).value == 1


def test_the_end_state_may_be_right_though_a_turn_failed(world: BfclWorld) -> None:
    verdict = judged(world, [], [ADD, SHOW], [])

    assert (verdict.value, verdict.parts["turns_done"], verdict.parts["end_state"]) == (0.0, 0.0, 1.0)


def test_long_context_fills_the_classes_up(sample: Sample, tmp_path: Path) -> None:
    assert isinstance(sample.target, AgentTarget)
    filled = sample.target.model_copy(update={"task": sample.target.task | {"long_context": True}})

    world = Bfcl(tmp_path).open(sample.model_copy(update={"target": filled}))

    assert world.call(ADD) == ('{"count": 2}', False)


def test_opening_a_world_leaves_the_modules_of_the_wheels_name_as_they_were(sample: Sample, tmp_path: Path) -> None:
    stranger = ModuleType("bfcl_eval.of_somebody_else")
    sys.modules[stranger.__name__] = stranger
    before = modules_of_the_wheel()

    Bfcl(tmp_path).open(sample)

    after = modules_of_the_wheel()
    del sys.modules[stranger.__name__]
    assert after == before


def modules_of_the_wheel() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "bfcl_eval"}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"classes": ["Nobody"]}, "BFCL has no class Nobody; its classes are GorillaFileSystem"),
        ({"classes": []}, "none of environment bfcl"),
        ({"classes": ["TwitterAPI"]}, "posting_api.py is not in the suite's data"),
    ],
)
def test_a_task_of_something_else_is_a_data_error(
    sample: Sample, tmp_path: Path, task: dict[str, object], words: str
) -> None:
    assert isinstance(sample.target, AgentTarget)
    other = sample.model_copy(update={"target": sample.target.model_copy(update={"task": task})})

    with pytest.raises(DataError, match=words):
        Bfcl(tmp_path).open(other)


def test_without_the_suites_data_the_environment_says_so() -> None:
    with pytest.raises(DataError, match="needs the data of suite=toolcall_multi_turn"):
        Bfcl(None)


def test_a_turn_that_was_not_ended_fails_though_its_state_is_right(world: BfclWorld, sample: Sample) -> None:
    plan = [list(calls) for calls in target_of(sample, AgentTarget).plan]

    ended, cut = judged(world, *plan), judged(world, *plan, ended=False)

    n = len(plan)
    assert (ended.value, ended.counts["turns_done"]) == (1.0, (n, n))
    assert (cut.value, cut.counts["turns_done"], cut.parts["end_state"]) == (0.0, (n - 1, n), 1.0)
    assert cut.why == f"in turn {n} of {n}, the turn was not ended."
