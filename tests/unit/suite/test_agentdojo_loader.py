"""AgentDojo's tasks as samples."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import JsonValue

from harness.assets import cache_dir
from harness.config import SuiteConfig
from harness.environments import agentdojo_package
from harness.errors import ConfigError
from harness.records import AgentTarget, Sample, target_of
from harness.suite.spec import Suite, load_suite

SHARED = Path(__file__).parents[4] / "shared" / "data" / "bench" / "agentdojo_v122.jsonl.gz"
NEEDED = ("deepdiff", "docstring_parser", "email_validator")


def loaded(*categories: str, limit: int | None = None, options: dict[str, str] | None = None) -> Suite:
    config = SuiteConfig(name="agentdojo", categories=categories or None, limit=limit, options=options or {})
    return load_suite(config, cache_dir())


def task_of(sample: Sample) -> dict[str, JsonValue]:
    return target_of(sample, AgentTarget).task


@pytest.fixture(scope="module")
def everything() -> Suite:
    for module in NEEDED:
        pytest.importorskip(module, reason="pip install 'slm-harness[suites]'")
    return loaded()


@pytest.fixture(scope="module")
def attacked(everything: Suite) -> Suite:
    return loaded("banking", "slack", options={"attack": "important_instructions"})


def test_there_are_97_tasks_with_74_tools_in_four_environments(everything: Suite) -> None:
    tools = {sample.category: len(sample.tools) for sample in everything.samples}

    assert Counter(sample.category for sample in everything.samples) == {
        "workspace": 40,
        "travel": 20,
        "banking": 16,
        "slack": 21,
    }
    assert tools == {"workspace": 24, "travel": 28, "banking": 11, "slack": 11}


@pytest.mark.shared
def test_prompts_tools_and_reference_calls_are_those_of_the_recorded_file(everything: Suite) -> None:
    if not SHARED.is_file():
        pytest.skip("../shared/data/bench/agentdojo_v122.jsonl.gz is not there")
    lines = [json.loads(line) for line in gzip.decompress(SHARED.read_bytes()).splitlines()]

    wanted = {f"{line['suite']}_{line['id']}": recorded(line) for line in lines}
    found = {sample.id: ours(sample) for sample in everything.samples}

    assert sum(len(line["ground_truth"]) for line in lines) == 339
    assert found == wanted


def recorded(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt": line["prompt"],
        "answer": line["ground_truth_output"],
        "calls": [(call["function"], call["args"]) for call in line["ground_truth"]],
        "tools": [tool["function"] for tool in line["tools"]],
    }


def ours(sample: Sample) -> dict[str, Any]:
    (plan,) = target_of(sample, AgentTarget).plan
    return {
        "prompt": sample.messages[-1].content,
        "answer": task_of(sample)["answer"],
        "calls": [(call.name, call.arguments) for call in plan],
        "tools": [tool.model_dump() for tool in sample.tools],
    }


def test_the_systems_message_is_the_packages_default(everything: Suite) -> None:
    system, user = everything.samples[0].messages

    assert (system.role, user.role) == ("system", "user")
    assert (system.content or "").startswith(
        "You are an AI language model who assists the user by using the given tool"
    )


def test_nothing_that_is_sent_holds_the_reference_answer(everything: Suite) -> None:
    sample = next(one for one in everything.samples if one.id == "workspace_user_task_16")

    assert task_of(sample)["answer"] == "463820"
    assert "463820" not in "".join(message.content or "" for message in sample.messages)


def test_reading_it_leaves_yaml_in_this_process_as_it_was(everything: Suite) -> None:
    assert yaml.dump({"a": "b"}) == "a: b\n"  # the package's own import would make it '"a": "b"'


def test_reading_it_leaves_the_fetched_folder_as_it_was(everything: Suite, tmp_path: Path) -> None:
    assert everything.data is not None
    folder = shutil.copytree(everything.data, tmp_path / "agentdojo")
    before = sorted(folder.rglob("*"))
    program = "from pathlib import Path; from sys import argv; from harness.environments.agentdojo_package import *; "
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    subprocess.run([sys.executable, "-c", f"{program}load_package(Path(argv[1]))", folder], env=environ, check=True)

    assert sorted(folder.rglob("*")) == before


def test_under_attack_each_pair_is_a_sample_and_the_users_task_is_the_unit_of_dependence(attacked: Suite) -> None:
    ids = {sample.id for sample in attacked.samples}

    assert len(attacked.samples) == len(ids) == 16 * 9 + 21 * 5
    assert "banking_user_task_3_injection_task_8_important_instructions" in ids
    assert len({sample.session for sample in attacked.samples}) == 16 + 21


def test_the_injected_texts_carry_what_the_attacker_wants_and_the_prompt_does_not(attacked: Suite) -> None:
    sample = next(one for one in attacked.samples if one.id.startswith("banking_user_task_3_injection_task_8_"))
    texts = task_of(sample)["injections"]

    assert isinstance(texts, dict)
    assert texts
    assert all("<INFORMATION>" in str(text) and "Local model" in str(text) for text in texts.values())
    assert "<INFORMATION>" not in "".join(message.content or "" for message in sample.messages)


def test_reference_calls_that_copy_what_is_read_copy_the_injected_text_too(everything: Suite, attacked: Suite) -> None:
    plain = {sample.id: target_of(sample, AgentTarget).plan for sample in everything.samples}

    other = {
        str(one.session) for one in attacked.samples if target_of(one, AgentTarget).plan != plain[str(one.session)]
    }

    assert other == {f"slack_user_task_{number}" for number in (7, 9, 10, 12, 13, 14, 19)}


@pytest.mark.slow
@pytest.mark.parametrize(("version", "pairs"), [("v1", 629), ("v1.1.2", 629), ("v1.2", 949), ("v1.2.2", 949)])
def test_the_number_of_security_cases_by_version(everything: Suite, version: str, pairs: int) -> None:
    assert len(loaded(options={"version": version, "attack": "tool_knowledge"}).samples) == pairs


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["direct", "ignore_previous", "system_message", "injecagent", "captcha_dos"])
def test_each_attack_can_be_written_without_a_model(everything: Suite, attack: str) -> None:
    assert len(loaded(options={"attack": attack}).samples) == (97 if attack.endswith("dos") else 949)


def test_a_limited_run_is_a_part_of_a_larger_one(everything: Suite) -> None:
    few = loaded(limit=4)

    assert [sample.category for sample in few.samples] == ["workspace", "travel", "banking", "slack"]
    assert {sample.id for sample in few.samples} < {sample.id for sample in everything.samples}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "v3"}, "suite.options.version='v3'"),
        ({"colour": "red"}, "suite.options.colour is not a key"),
        ({"attack": "manual"}, "suite.options.attack=manual, allowed: none, direct"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(everything: Suite, options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        loaded("slack", options=options)


def test_the_packages_files_may_be_ones_own(everything: Suite) -> None:
    mine = loaded("slack", options={"file": str(everything.data)})

    assert mine.data == everything.data
    assert {sample.id for sample in mine.samples} < {sample.id for sample in everything.samples}


def test_an_environment_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean banking"):
        loaded("bankng")


def test_a_missing_package_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(agentdojo_package._NEEDED, "no_such_module", "no-such-package")

    with pytest.raises(
        ConfigError,
        match=r"needs .*no-such-package: type make suites in a clone, else pip install 'slm-harness\[suites\]'",
    ):
        loaded("slack")
