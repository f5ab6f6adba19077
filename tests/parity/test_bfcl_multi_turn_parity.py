"""Our verdicts on conversations against BFCL's own multi-turn checker, and the suite driven from end to end."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from harness.assets import cache_dir, fetch
from harness.config import AgentConfig
from harness.environments.bfcl import Bfcl
from harness.records import (
    AgentTarget,
    Disturbance,
    Reply,
    Sample,
    Step,
    Timing,
    Tool,
    ToolCall,
    ToolResult,
    target_of,
)
from harness.runner.agent import disturbed_call
from harness.suite.bfcl_multi_turn import BfclMultiTurn
from harness.suite.spec import read_spec
from tests.support.agent_runs import Player, play
from tests.support.bfcl_multi_turn_mutations import mutated, split
from tests.support.bfcl_multi_turn_reference import (
    MULTI_TURN_CHECKER,
    MultiTurnReference,
    Turns,
    loaded_multi_turn_reference,
)

pytest.importorskip("mpmath", reason="BFCL's MathAPI needs mpmath: pip install 'slm-harness[suites]'")


@dataclass(frozen=True)
class Loaded:
    folder: Path
    samples: dict[str, Sample]
    entries: dict[str, dict[str, Any]]
    truth: dict[str, list[list[str]]]
    environment: Bfcl

    def passes(self, sample: Sample, turns: Turns) -> bool:
        steps = [
            Step(
                turn=turn,
                reply=Reply(),
                timing=Timing(at=0.0),
                results=tuple(ToolResult(call=call, content="") for call in step),
            )
            for turn, steps in enumerate(turns)
            for step in steps
        ]
        return self.environment.open(sample).verdict(steps).value == 1

    def plan(self, sample: Sample) -> list[list[ToolCall]]:
        return [list(turn) for turn in target_of(sample, AgentTarget).plan]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    data = read_spec("toolcall_multi_turn").data
    assert data is not None
    folder = fetch(data, cache=cache_dir()).path
    entries, truth = {}, {}
    for answers in sorted((folder / "data" / "possible_answer").glob("*.json")):
        questions = (folder / "data" / answers.name).read_text(encoding="utf-8").splitlines()
        for question, answer in zip(questions, answers.read_text(encoding="utf-8").splitlines(), strict=True):
            entry = json.loads(question)
            entries[entry["id"]], truth[entry["id"]] = entry, json.loads(answer)["ground_truth"]
    samples = {sample.id: sample for sample in BfclMultiTurn(folder).samples()}
    return Loaded(folder, samples, entries, truth, Bfcl(folder))


@pytest.fixture(scope="module")
def reference(loaded: Loaded) -> Iterator[MultiTurnReference]:
    with loaded_multi_turn_reference(fetch(MULTI_TURN_CHECKER, cache=cache_dir()).path, loaded.folder) as found:
        yield found


def tool_names(tools: Sequence[Tool]) -> set[str]:
    return {tool.name for tool in tools}


def test_every_category_has_200_samples_and_scenarios_are_shared(loaded: Loaded) -> None:
    samples = loaded.samples.values()

    assert set(Counter(sample.category for sample in samples).values()) == {200}
    assert set(Counter(sample.session for sample in samples).values()) == {4}


def test_functions_that_are_held_back_are_offered_in_the_turn_that_needs_them(loaded: Loaded) -> None:
    held = [one for one in loaded.samples.values() if one.category == "multi_turn_miss_func"]

    assert len(held) == 200
    for sample in held:
        target = target_of(sample, AgentTarget)
        ((turn, late),) = [(number, one) for number, one in enumerate(target.turns, 1) if one.tools]
        assert tool_names(late.tools) == set(loaded.entries[sample.id]["missed_function"][str(turn)])
        assert not tool_names(late.tools) & tool_names(sample.tools)
        assert late.messages


def test_every_reference_call_is_a_tool_with_the_arguments_by_name(loaded: Loaded) -> None:
    for sample in loaded.samples.values():
        target = target_of(sample, AgentTarget)
        tools = {tool.name: tool for tool in (*sample.tools, *(one for turn in target.turns for one in turn.tools))}
        for call in (call for turn in target.plan for call in turn):
            known = tools[call.name].parameters["properties"]
            assert isinstance(known, dict)
            assert set(call.arguments) <= set(known), (sample.id, call)


def test_every_reference_plan_passes_here_and_there(loaded: Loaded, reference: MultiTurnReference) -> None:
    verdicts = Counter(
        (
            loaded.passes(sample, [[turn] for turn in loaded.plan(sample)]),
            reference.verdict(
                [[turn] for turn in loaded.plan(sample)], loaded.truth[sample.id], loaded.entries[sample.id]
            ),
        )
        for sample in loaded.samples.values()
    )

    assert verdicts == {(True, (True, "")): 800}


def test_changed_plans_get_the_verdict_of_the_reference(loaded: Loaded, reference: MultiTurnReference) -> None:
    draw, verdicts, differing = Random(5), Counter[tuple[bool, str]](), []
    samples = list(loaded.samples.values())
    others: dict[str, list[ToolCall]] = {}
    for sample in samples:
        for kind in loaded.entries[sample.id]["involved_classes"]:
            others.setdefault(kind, []).extend(call for turn in loaded.plan(sample) for call in turn)
    for _ in range(2000):
        sample = draw.choice(samples)
        calls = others[draw.choice(loaded.entries[sample.id]["involved_classes"])]
        plan = mutated(loaded.plan(sample), calls, draw, draw.choice([1, 1, 1, 2, 3, 5]))
        turns = [split(turn, draw) for turn in plan]
        ours = loaded.passes(sample, turns)
        theirs, why = reference.verdict(turns, loaded.truth[sample.id], loaded.entries[sample.id])
        verdicts[theirs, why] += 1
        differing += [] if ours == theirs else [(sample.id, ours, theirs, why, plan)]

    assert differing == []
    assert verdicts[True, ""] > 400
    assert min(verdicts[False, f"multi_turn:{why}"] for why in ERRORS) > 200


ERRORS = ("instance_state_mismatch", "empty_turn_model_response", "execution_response_mismatch")


def few(loaded: Loaded) -> list[Sample]:
    """One sample of each category, of different scenarios, so that their first words differ."""
    return [loaded.samples[f"multi_turn_{kind}_{number}"] for number, kind in enumerate(KINDS, 10)]


KINDS = ("base", "miss_func", "miss_param", "long_context")


def test_the_reference_plans_through_the_real_runner_are_worth_1(loaded: Loaded, tmp_path: Path) -> None:
    samples = few(loaded)

    played = play(tmp_path, samples, Player(samples), data=loaded.folder)

    assert played.complete
    assert [(score.value, score.why) for score in played.scores if score] == [(1.0, "")] * 4
    assert {score.parts["plan_coverage"] for score in played.scores if score} == {1.0}


@pytest.mark.parametrize("disturb", get_args(Disturbance))
def test_a_model_that_calls_again_recovers(loaded: Loaded, tmp_path: Path, disturb: Disturbance) -> None:
    samples = few(loaded)

    played = play(tmp_path, samples, Player(samples), AgentConfig(disturb=disturb), data=loaded.folder)

    assert [score.parts["recovered"] for score in played.scores if score] == [1.0] * 4
    assert {sample.id: disturbed_call(sample) for sample in samples} == {
        attempt.sample: [bool(one.disturbed) for step in attempt.steps for one in step.results].index(True)
        for attempt in played.attempts
    }


def test_a_miss_in_the_last_turn_can_be_mended_after_the_checkers_message(loaded: Loaded, tmp_path: Path) -> None:
    sample = loaded.samples["multi_turn_base_3"]
    last = len(loaded.plan(sample)) - 1
    lazy = LazyInTheLastTurn([sample], last)

    played = play(tmp_path, [sample], lazy, AgentConfig(feedback=True), data=loaded.folder)

    assert (played.score.value, played.score.parts["learned"]) == (0.0, 1.0)
    assert f"in turn {last + 1} of {last + 1}, no function was called" in played.score.why


class LazyInTheLastTurn(Player):
    """Does nothing in the last turn until a check says so."""

    def __init__(self, samples: Sequence[Sample], last: int) -> None:
        super().__init__(samples)
        self.last = last

    def __call__(self, number: int, body: dict[str, Any]) -> Any:
        users = [at for at, message in enumerate(body["messages"]) if message["role"] == "user"]
        if len(users) == self.last + 1:
            body = {**body, "messages": body["messages"][: users[-1]] + PAST}
        elif len(users) > self.last + 1:
            body = {**body, "messages": body["messages"][: users[-2]] + body["messages"][users[-1] :]}
        return super().__call__(number, body)


PAST = [{"role": "user", "content": "nothing"}] + [{"role": "tool", "content": "done"}] * 20
