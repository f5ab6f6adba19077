"""Our scorer against BFCL's own checker and BFCL's own answers."""

import gzip
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.paths import suites_dir
from harness.records import PROTOCOLS, Protocol, RawToolCall, Reply, Sample, ToolCall
from harness.scorers.bfcl import BfclScorer, judge, judge_decoded
from harness.scorers.gold import gold_calls
from harness.suite.bfcl_schema import tool_names
from harness.toolcalling.decode import Decoded
from tests.support.bfcl_mutations import mutated
from tests.support.bfcl_pythonic import pythonic_calls
from tests.support.bfcl_reference import Call, Reference

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "bfcl_small_model.jsonl.gz"
OMISSION_PASSES = "live_multiple_507-149-4"


@dataclass(frozen=True)
class RawCase:
    """A sample as the reference reads it."""

    documents: list[Any]
    truth: list[Any]
    names: dict[str, str]

    def calls(self, calls: tuple[ToolCall, ...]) -> list[Call]:
        return [{self.names.get(call.name, call.name): dict(call.arguments)} for call in calls]


@pytest.fixture(scope="session")
def raw_cases(bfcl_folder: Path) -> dict[str, RawCase]:
    cases: dict[str, RawCase] = {}
    for answers in sorted((bfcl_folder / "possible_answer").glob("BFCL_v4_*.json")):
        questions = [json.loads(line) for line in (bfcl_folder / answers.name).read_text().splitlines()]
        for question, answer in zip(questions, map(json.loads, answers.read_text().splitlines()), strict=True):
            names = tool_names(one["name"] for one in question["function"])
            back = {offered: name for name, offered in names.items()}
            cases[question["id"]] = RawCase(question["function"], answer["ground_truth"], back)
    return cases


@pytest.fixture(scope="session")
def calling(bfcl_samples: dict[str, Sample]) -> list[Sample]:
    return [sample for sample in bfcl_samples.values() if sample.tool_target.expect == "calls"]


def listed_defects() -> set[str]:
    text = (suites_dir() / "toolcall" / "datasheet.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| ((?:live|simple|parallel)_\S*\d) \|", text, re.MULTILINE))


def accepted(reference: Reference, case: RawCase, sample: Sample, calls: tuple[ToolCall, ...]) -> bool:
    language = sample.tool_target.language
    return reference.accepts(case.documents, case.calls(calls), case.truth, language, sample.category)


def gold_reply(sample: Sample, protocol: Protocol) -> Reply:
    """What a model that is always right says; where any call will do, one without arguments."""
    calls = gold_calls(sample.tool_target)
    if sample.tool_target.expect == "any_call":
        calls = (ToolCall(name=sample.tools[0].name, arguments={}),)
    if protocol == "native":
        raw = tuple(RawToolCall(name=one.name, arguments=json.dumps(one.arguments)) for one in calls)
        return Reply(tool_calls=raw, content=None if raw else "None of them fits.")
    return Reply(content=json.dumps([{"name": one.name, "arguments": one.arguments} for one in calls]))


def test_every_category_has_its_published_number_of_samples(bfcl_samples: dict[str, Sample]) -> None:
    counted = Counter(sample.category for sample in bfcl_samples.values())

    assert counted == {
        "simple_python": 400,
        "simple_java": 100,
        "simple_javascript": 50,
        "multiple": 200,
        "parallel": 200,
        "parallel_multiple": 200,
        "irrelevance": 240,
        "live_simple": 258,
        "live_multiple": 1053,
        "live_parallel": 16,
        "live_parallel_multiple": 24,
        "live_irrelevance": 884,
        "live_relevance": 16,
    }


def test_every_gold_answer_scores_1(calling: list[Sample]) -> None:
    lost = {
        one.id: verdict.why
        for one in calling
        if (verdict := judge(gold_calls(one.tool_target), one.tool_target, one.tools)).miss
    }

    assert len(calling) == 2501
    assert lost == {}


def test_every_gold_answer_scores_1_with_what_is_optional_left_out(calling: list[Sample]) -> None:
    lost: dict[str, str] = {}
    for sample in calling:
        bare = tuple(
            call.model_copy(update={"arguments": {k: v for k, v in call.arguments.items() if k not in wanted.optional}})
            for call, wanted in zip(gold_calls(sample.tool_target), sample.tool_target.calls, strict=True)
        )
        verdict = judge(bare, sample.tool_target, sample.tools)
        lost |= {sample.id: verdict.why} if verdict.miss else {}

    assert lost == {}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_gold_reply_scores_1_in_every_protocol(bfcl_samples: dict[str, Sample], protocol: Protocol) -> None:
    scores = [BfclScorer().score(one, gold_reply(one, protocol), protocol) for one in bfcl_samples.values()]

    assert [(score.sample, score.why) for score in scores if score.value != 1.0] == []
    assert {score.parts["decoded"] for score in scores} == {1.0}


def test_reference_refuses_exactly_the_gold_answers_that_the_data_sheet_lists(
    calling: list[Sample], raw_cases: dict[str, RawCase], reference: Reference
) -> None:
    refused = {
        one.id for one in calling if not accepted(reference, raw_cases[one.id], one, gold_calls(one.tool_target))
    }

    assert refused == listed_defects()


def test_mutated_answers_get_the_verdict_of_the_reference_up_to_order_and_listed_defects(
    calling: list[Sample], raw_cases: dict[str, RawCase], reference: Reference
) -> None:
    draw, verdicts, unexplained = Random(20), Counter[tuple[bool, bool]](), []
    known = listed_defects() | {OMISSION_PASSES}
    for _ in range(20_000):
        sample = draw.choice(calling)
        calls = mutated(sample, draw, draw.choice([0, 1, 1, 1, 2]))
        case = raw_cases[sample.id]
        ours, theirs = (
            judge(calls, sample.tool_target, sample.tools).miss is None,
            accepted(reference, case, sample, calls),
        )
        verdicts[ours, theirs] += 1
        if ours == theirs or sample.id in known:
            continue
        reordered = ours and reference.accepts_reordered(
            case.documents, case.calls(calls), case.truth, sample.tool_target.language, sample.category
        )
        unexplained += [] if reordered else [(sample.id, ours, theirs, calls)]

    assert unexplained == []
    assert min(verdicts[True, True], verdicts[False, False]) > 5000


@pytest.mark.parametrize("language", ["java", "javascript"])
def test_mutated_literals_get_the_verdict_of_the_reference(
    language: str, calling: list[Sample], raw_cases: dict[str, RawCase], reference: Reference
) -> None:
    draw, known = Random(4), listed_defects()
    samples = [one for one in calling if one.tool_target.language == language and one.id not in known]
    differing = []
    for _ in range(3000):
        sample = draw.choice(samples)
        calls = mutated(sample, draw, draw.choice([1, 1, 2]))
        ours = judge(calls, sample.tool_target, sample.tools).miss is None
        if ours != accepted(reference, raw_cases[sample.id], sample, calls):
            differing.append((sample.id, ours, calls))

    assert len(differing) <= 3, differing


def test_best_pairing_accepts_what_first_fit_refuses(
    bfcl_samples: dict[str, Sample], raw_cases: dict[str, RawCase], reference: Reference
) -> None:
    sample, case = bfcl_samples["parallel_178"], raw_cases["parallel_178"]
    gold = gold_calls(sample.tool_target)
    apple_first = (
        ToolCall(name=gold[0].name, arguments={"company_name": "Apple", "date": "2022-01-01"}),
        ToolCall(name=gold[0].name, arguments={"company_name": "Microsoft", "date": "2022-01-01"}),
        *(call for call in gold if call.arguments["date"] == "2022-02-01"),
    )

    verdict = judge(apple_first, sample.tool_target, sample.tools)

    assert verdict.value == 1.0
    assert not accepted(reference, case, sample, apple_first)
    assert reference.accepts_reordered(case.documents, case.calls(apple_first), case.truth, "python", "parallel")


@pytest.mark.shared
@pytest.mark.skipif(not RECORDED.exists(), reason="needs ../shared/data beside the checkout")
def test_recorded_outputs_get_the_verdict_of_the_reference(bfcl_samples: dict[str, Sample]) -> None:
    differing: list[str] = []
    lines = gzip.decompress(RECORDED.read_bytes()).splitlines()
    for record in map(json.loads, lines):
        sample = bfcl_samples[record["id"]]
        try:
            decoded = Decoded(pythonic_calls(record["result"]), None, None)
        except ValueError as error:
            decoded = Decoded((), str(error), None)
        verdict = judge_decoded(decoded, sample.tool_target, sample.tools, cut=False)
        differing += [record["id"]] if bool(verdict.value) != record["ast_ok"] else []

    assert len(lines) == 3475
    assert differing == []
