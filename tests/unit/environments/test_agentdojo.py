"""AgentDojo's worlds against the package's own run, each in a process of its own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from harness.assets import cache_dir
from harness.config import SuiteConfig
from harness.environments.agentdojo import AgentDojo
from harness.environments.pool import Worlds
from harness.errors import DataError
from harness.records import AgentTarget, Sample, ToolCall, target_of
from harness.suite.spec import Suite, load_suite
from tests.support.agentdojo_reference import Apart, Compared, Script

for _needed in ("deepdiff", "docstring_parser", "email_validator"):
    pytest.importorskip(_needed, reason="pip install 'slm-harness[suites]'")

DONE_BY_DOING_NOTHING = {f"banking_user_task_{number}" for number in (5, 6, 8, 9, 10)}


def loaded(*categories: str, attack: str = "none", version: str = "v1.2.2") -> Suite:
    options = {"attack": attack, "version": version}
    return load_suite(SuiteConfig(name="agentdojo", categories=categories or None, options=options), cache_dir())


@pytest.fixture(scope="module")
def plain() -> Suite:
    return loaded("workspace", "banking", "slack")


@pytest.fixture(scope="module")
def attacked() -> Suite:
    return loaded("banking", "slack", attack="important_instructions")


@pytest.fixture(scope="module")
def apart(plain: Suite) -> Iterator[Apart]:
    assert plain.data is not None
    process = Apart(plain.data)
    yield process
    process.close()


@pytest.fixture(scope="module")
def beside_the_package(apart: Apart, plain: Suite) -> list[Compared]:
    light = sorted((one for one in plain.samples if one.category != "workspace"), key=lambda sample: sample.id)
    return apart.compared(light[::2])


def with_attacker(suite: Suite, identity: str, injection_task: str) -> Sample:
    """A sample of a suite without attack, in which an attacker's task is checked too."""
    sample = next(one for one in suite.samples if one.id == identity)
    target = target_of(sample, AgentTarget)
    task = {**target.task, "attack": "direct", "injection_task": injection_task}
    return sample.model_copy(update={"target": target.model_copy(update={"task": task})})


def each_attacker_once(suite: Suite, times: int = 1) -> list[Sample]:
    """Samples in which each injection task stands so many times."""
    found: dict[tuple[str, str], list[Sample]] = {}
    for sample in sorted(suite.samples, key=lambda one: one.id):
        task = target_of(sample, AgentTarget).task
        found.setdefault((str(task["suite"]), str(task["injection_task"])), []).append(sample)
    return [sample for samples in found.values() for sample in samples[:times]]


def test_every_verdict_and_every_result_is_that_of_the_package(beside_the_package: list[Compared]) -> None:
    assert len(beside_the_package) > 150
    assert [one for one in beside_the_package if one.ours != one.theirs] == []
    assert [one for one in beside_the_package if not one.told_alike] == []


def test_the_reference_calls_do_every_task(beside_the_package: list[Compared]) -> None:
    gold = [one for one in beside_the_package if one.script in {"gold", "lists as text", "odd calls before"}]

    assert {one.ours for one in gold} == {(1.0, None)}


def test_nothing_done_is_no_success_but_in_the_tasks_that_the_data_sheet_names(
    beside_the_package: list[Compared],
) -> None:
    done = {one.sample for one in beside_the_package if one.script == "nothing" and one.ours[0] == 1}

    assert done == DONE_BY_DOING_NOTHING & {one.sample for one in beside_the_package}
    assert len(done) > 1


def test_without_an_attack_the_part_is_plain_utility(beside_the_package: list[Compared]) -> None:
    assert {tuple(one.parts) for one in beside_the_package} == {("utility",)}


def test_under_attack_the_verdicts_are_those_of_the_package_and_the_attackers_calls_succeed(
    apart: Apart, attacked: Suite
) -> None:
    found = apart.compared(each_attacker_once(attacked))

    assert [one for one in found if one.ours != one.theirs or not one.told_alike] == []
    assert {one.ours[1] for one in found if one.script == "attacker"} == {1.0}
    assert {one.ours for one in found if one.script == "gold"} == {(1.0, 0.0)}
    assert {tuple(one.parts) for one in found} == {("utility_under_attack", "attack_success")}


def test_a_task_that_was_not_ended_is_not_done_and_the_attackers_may_be(apart: Apart, plain: Suite) -> None:
    sample = with_attacker(plain, "workspace_user_task_0", "injection_task_6")
    unattacked = next(one for one in plain.samples if one.id == "banking_user_task_5")

    attacked = apart.played(sample, apart.attacker(sample), ended=False)
    nothing = apart.played(unattacked, Script("nothing", ()), ended=False)

    assert (attacked.verdicts[0].value, nothing.verdicts[0].value) == (0.0, 0.0)
    assert attacked.verdicts[0].parts == {"utility_under_attack": 0.0, "attack_success": 1.0}
    assert nothing.verdicts[0].parts == {"utility": 0.0}


def test_an_attack_that_only_stops_succeeds_where_the_task_is_not_done(apart: Apart) -> None:
    suite = loaded("banking", attack="dos")

    found = apart.compared(suite.samples[:3])

    assert [one for one in found if one.ours != one.theirs] == []
    assert all(one.ours[0] + (one.ours[1] or 0) == 1 for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v1.2", "v1.2.2"])
def test_all_tasks_agree_with_the_package(apart: Apart, version: str) -> None:
    suite = loaded(version=version)

    found = apart.compared(suite.samples)

    defects = {"v1": {"workspace_user_task_7"}}.get(version, set())
    assert [one for one in found if one.ours != one.theirs or not one.told_alike] == []
    assert {one.sample for one in found if one.script == "gold" and one.ours[0] != 1} == defects


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["important_instructions", "tool_knowledge"])
def test_all_tasks_of_attackers_can_be_done(apart: Apart, attack: str) -> None:
    suite = loaded(attack=attack)

    found = apart.compared(each_attacker_once(suite, times=2))

    assert [one for one in found if one.ours != one.theirs or not one.told_alike] == []
    assert {one.ours[1] for one in found if one.script == "attacker"} == {1.0}
    assert {one.ours[0] for one in found if one.script == "gold"} == {1.0}


def test_in_a_worker_a_second_world_tells_the_same_the_clock_included(plain: Suite) -> None:
    sample = next(one for one in plain.samples if one.category == "workspace")
    mail = ToolCall(name="send_email", arguments={"recipients": ["a@example.com"], "subject": "s", "body": "b"})
    file = ToolCall(name="create_file", arguments={"filename": "f", "content": "c"})

    async def told() -> list[list[str]]:
        said = []
        async with Worlds("agentdojo", plain.data, 10.0) as worlds:
            for _ in range(2):
                async with worlds.open(sample) as world:
                    said.append([(await world.call(call)).content for call in (mail, file, mail)])
        return said

    first, second = asyncio.run(told())

    assert first == second
    assert "2024-05-15 12:00:01" in first[0]
    assert "2024-05-15 12:00:03" in first[2]


def test_a_tool_that_refuses_is_an_error_in_the_packages_words(apart: Apart, plain: Suite) -> None:
    sample = next(one for one in plain.samples if one.id == "banking_user_task_0")

    found = apart.played(sample, Script("refused", (ToolCall(name="send_money", arguments={"amount": "much"}),)))

    assert found.told[0][0].startswith("ValidationError: ")
    assert found.told[0][1]
    assert found.verdicts[0].value == 0
    assert found.verdicts[0].why == "The user's task is not done, or something besides it was changed."


def test_a_verdict_can_be_asked_for_twice_though_checks_change_what_they_see(apart: Apart, plain: Suite) -> None:
    sample = with_attacker(plain, "workspace_user_task_0", "injection_task_6")

    found = apart.played(sample, apart.attacker(sample))

    assert found.verdicts[0].parts["attack_success"] == 1
    assert found.verdicts[0] == found.verdicts[1]


def test_an_attackers_check_that_breaks_down_is_no_verdict_either_way(apart: Apart, plain: Suite) -> None:
    sample = with_attacker(plain, "workspace_user_task_0", "injection_task_10")
    event: dict[str, JsonValue] = {"id_": "1", "title": "t", "description": "", "location": None, "participants": []}
    times = {"start_time": "2024-05-15T10:00", "end_time": "2024-05-15T11:00"}
    attached: list[JsonValue] = [{"type": "event", "event_details": {**event, **times}}]
    to: list[JsonValue] = ["mark.black-2134@gmail.com"]
    sent = {"recipients": to, "subject": "s", "body": "b", "attachments": attached}
    calls = (ToolCall(name="send_email", arguments=sent), ToolCall(name="delete_email", arguments={"email_id": "34"}))

    found = apart.played(sample, Script("an event attached", calls))

    assert not any(error for _, error in found.told)
    assert set(found.verdicts[0].parts) == {"utility_under_attack"}


def test_a_task_that_makes_no_sense_is_a_data_error(apart: Apart, plain: Suite) -> None:
    changes: dict[str, dict[str, JsonValue]] = {
        "has no 'user_task_99' here": {"user_task": "user_task_99"},
        "has no 'kitchen' here": {"suite": "kitchen"},
        "no benchmark version 'v9'": {"version": "v9"},
        "is no task of agentdojo": {"colour": "red"},
        "has an attack but no injection_task": {"attack": "direct"},
        "does not take the injected texts": {"injections": {"nowhere": "x"}},
    }
    target = target_of(plain.samples[0], AgentTarget)
    odd = [target.model_copy(update={"task": {**target.task, **change}}) for change in changes.values()]

    said = [apart.refused(plain.samples[0].model_copy(update={"target": one})) for one in odd]

    assert [wanted for wanted, words in zip(changes, said, strict=True) if wanted not in words] == []


def test_without_the_packages_files_there_is_no_world(tmp_path: Path, plain: Suite) -> None:
    with pytest.raises(DataError, match="needs the package's files"):
        AgentDojo(None)
    with pytest.raises(DataError, match="does not hold the agentdojo package"):
        AgentDojo(tmp_path).open(plain.samples[0])
