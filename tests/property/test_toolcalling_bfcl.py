"""The tool protocols on all single-turn samples of BFCL: right answers survive them, and every tool has a schema."""

import json
from typing import Any

import pytest

from harness.assets import cache_dir, fetch
from harness.errors import AssetError
from harness.records import PROTOCOLS, AcceptedCall, RawToolCall, Reply, Sample
from harness.scorers.gold import gold_calls
from harness.suite.bfcl import Bfcl
from harness.suite.spec import read_spec
from harness.toolcalling.decode import decode
from harness.toolcalling.encode import PromptOptions, encode
from harness.toolcalling.prompt import answer_text
from harness.toolcalling.schema import argument_schema, calls_schema
from harness.toolcalling.shape import decline_name
from tests.support.json_schema_check import accepts, keywords

CONTRADICTING = {
    *("parallel_multiple_21", "parallel_multiple_94"),  # variable names and words where numbers are declared
    *("live_multiple_87-38-4", "live_multiple_947-197-0", "live_parallel_multiple_2-2-0"),  # not in the enum
    *("live_multiple_750-169-5", "live_multiple_756-169-11", "live_multiple_835-178-10", "live_multiple_871-182-8"),
    *("live_multiple_552-153-1", "live_multiple_731-167-2", "live_multiple_733-167-4", "live_multiple_735-167-6"),
    *("live_multiple_595-158-1", "live_multiple_596-158-2"),  # true or 2 where the enum has "True" or "2"
    *("live_multiple_189-83-0", "live_multiple_862-181-3", "live_multiple_964-207-0"),  # parameters that do not exist
}
"""Samples of BFCL 2026.3.23 whose only right answers break the tool's own declaration: the ceiling of `constrained`."""


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    try:
        data = read_spec("toolcall").data
        assert data is not None
        folder = fetch(data, cache=cache_dir()).path
    except AssetError as error:
        pytest.skip(f"the BFCL data cannot be had: {error}")
    return tuple(sample for sample in Bfcl(folder).samples() if sample.tools)


def test_right_answers_are_read_back_by_every_protocol(samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        calls = gold_calls(sample.tool_target)
        text = Reply(content=answer_text(calls, decline_name(sample.tools)))
        raw = tuple(RawToolCall(name=call.name, arguments=json.dumps(call.arguments)) for call in calls)
        replies = {"prompted": text, "constrained": text, "native": Reply(tool_calls=raw)}

        for protocol in PROTOCOLS:
            decoded = decode(replies[protocol], protocol, sample.tools)
            assert (decoded.error, decoded.calls) == (None, calls), sample.id


def test_the_schema_keeps_wrong_names_and_keys_out(samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        schema = calls_schema(sample.tools)
        tool = sample.tools[0]

        assert accepts(schema, {"name": decline_name(sample.tools)})
        assert not accepts(schema, {"name": tool.name + "_", "arguments": {}})
        assert not accepts(schema, {"name": tool.name, "arguments": {"no such key": 1}})


def test_the_schema_leaves_a_right_answer_within_reach_of_every_sample_that_does_not_contradict_its_tools(
    samples: tuple[Sample, ...],
) -> None:
    out_of_reach = {
        sample.id for sample in samples if not all(within_reach(sample, one) for one in sample.tool_target.calls)
    }

    assert out_of_reach == CONTRADICTING


def within_reach(sample: Sample, wanted: AcceptedCall) -> bool:
    """Whether for each argument the schema lets through an accepted value, or lets it be left out."""
    tool = next(tool for tool in sample.tools if tool.name == wanted.name)
    schema: Any = argument_schema(tool.parameters)
    if set(schema["required"]) - set(wanted.arguments):
        return False
    return all(
        (name in wanted.optional and name not in schema["required"])
        or (name in schema["properties"] and any(accepts(schema["properties"][name], one) for one in said))
        for name, said in said_values(sample, wanted).items()
    )


def said_values(sample: Sample, wanted: AcceptedCall) -> dict[str, list[Any]]:
    """Accepted values per argument as a model says them."""
    found: dict[str, list[Any]] = {name: [] for name in wanted.arguments}
    for name, values in wanted.arguments.items():
        for value in values:
            alone = wanted.model_copy(update={"arguments": {name: (value,)}})
            (call,) = gold_calls(sample.tool_target.model_copy(update={"calls": (alone,)}))
            found[name].append(call.arguments[name])
    return found


def test_schemas_hold_only_keywords_that_grammar_compilers_know(samples: tuple[Sample, ...]) -> None:
    used = set().union(*(keywords(calls_schema(sample.tools)) for sample in samples))

    assert used == {
        *("type", "enum", "properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems", "anyOf"),
    }


@pytest.mark.parametrize("style", ["signature", "json"])
def test_every_prompt_names_its_tools(samples: tuple[Sample, ...], style: str) -> None:
    options = PromptOptions(style="json" if style == "json" else "signature")
    for sample in samples:
        told = str(encode(sample, "prompted", options).messages[0]["content"])

        assert all(tool.name in told for tool in sample.tools)
