"""Between Inspect's messages and ours: what is asked, and how a reply is told."""

import orjson
import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ResponseSchema,
)
from inspect_ai.tool import ToolCall, ToolCallError, ToolChoice, ToolFunction, ToolInfo, ToolParams
from inspect_ai.util import json_schema

from harness.backends.stream import Reading
from harness.config import GenerationConfig, ModelConfig
from harness.errors import DataError
from harness.interop.inspect_chat import (
    OUR_KEY,
    UNREADABLE,
    Asked,
    ask_body,
    messages_of,
    model_output,
    offered_tools,
)
from harness.protocols import Endpoint
from harness.records import Failure, Message, Protocol, RawToolCall, Reply, ServerTiming, Step, Timing, Tool, Usage
from harness.records.manifest import BackendFacts

ADD = ToolInfo(
    name="add",
    description="Adds.",
    parameters=ToolParams(properties={"x": json_schema(int), "y": json_schema(int)}, required=["x", "y"]),
)
SUB = ToolInfo(name="sub", description="Subtracts.")
ENDPOINT = Endpoint("http://127.0.0.1:1/v1", "served", BackendFacts(name="endpoint"))


def model(protocol: Protocol = "native", **generation: object) -> ModelConfig:
    settings = GenerationConfig.model_validate({"max_tokens": 99, **generation})
    return ModelConfig(name="m", title="M", licence="MIT", protocol=protocol, generation=settings)


def asked(protocol: Protocol = "native", *, choice: ToolChoice = "auto") -> Asked:
    return Asked(protocol, offered_tools([ADD, SUB], choice, as_text=protocol != "native"), 7, turn=3)


def body(
    config: GenerateConfig, *, protocol: Protocol = "native", choice: ToolChoice = "auto", tools: bool = True
) -> dict[str, object]:
    what = asked(protocol, choice=choice) if tools else Asked(protocol, (), 7)
    messages = (Message(role="user", content="2 + 3?"),)
    found: dict[str, object] = orjson.loads(ask_body(model(protocol), ENDPOINT, what, messages, choice, config))
    return found


def output_of(
    reply: Reply | None, protocol: Protocol = "native", failure: Failure | None = None
) -> ChatMessageAssistant:
    reading = Reading(reply, Timing(at=1.0), Usage(), None, failure)
    return model_output("m", asked(protocol), reading, None).message


def test_settings_of_inspect_win_and_the_rest_are_the_models_own() -> None:
    found = body(GenerateConfig(temperature=0.7, top_p=0.9, stop_seqs=["END"], frequency_penalty=0.5), tools=False)

    assert found["temperature"] == 0.7
    assert found["top_p"] == 0.9
    assert found["stop"] == ["END"]
    assert found["frequency_penalty"] == 0.5
    assert (found["max_tokens"], found["seed"], found["model"]) == (99, 7, "served")


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", "auto"), ("any", "required"), (ToolFunction("sub"), {"type": "function", "function": {"name": "sub"}})],
)
def test_the_choice_of_tools_goes_to_the_server(choice: ToolChoice, sent: object) -> None:
    assert body(GenerateConfig(), choice=choice)["tool_choice"] == sent


def test_no_tools_are_sent_where_none_may_be_called() -> None:
    found = body(GenerateConfig(), choice="none")

    assert "tools" not in found
    assert "tool_choice" not in found


def test_where_calls_are_text_words_get_a_form_of_their_own() -> None:
    assert [tool.name for tool in asked("constrained").tools] == ["add", "sub", "answer"]
    assert [tool.name for tool in asked("constrained", choice="any").tools] == ["add", "sub"]
    assert [tool.name for tool in asked("prompted", choice=ToolFunction("sub")).tools] == ["sub"]
    assert [tool.name for tool in asked("native").tools] == ["add", "sub"]


def test_a_response_schema_becomes_a_grammar() -> None:
    wanted = ResponseSchema(name="number", json_schema=json_schema(int), strict=True)

    found = body(GenerateConfig(response_schema=wanted), tools=False)

    schema = {"name": "number", "schema": {"type": "integer"}, "strict": True}
    assert found["response_format"] == {"type": "json_schema", "json_schema": schema}


@pytest.mark.parametrize("config", [GenerateConfig(logprobs=True), GenerateConfig(num_choices=2)])
def test_a_setting_that_cannot_be_had_is_refused_aloud(config: GenerateConfig) -> None:
    with pytest.raises(DataError, match="cannot be had"):
        body(config)


def test_calls_and_their_results_keep_their_ids() -> None:
    told: list[ChatMessage] = [
        ChatMessageUser(content="2 + 3?"),
        ChatMessageAssistant(content="", tool_calls=[ToolCall(id="a1", function="add", arguments={"x": 2})]),
        ChatMessageTool(content="", tool_call_id="a1", function="add", error=ToolCallError("parsing", "y is missing")),
    ]

    _, called, answered = messages_of(told, as_text=False)

    assert called.tool_calls[0].id == answered.tool_call_id == "a1"
    assert answered.content == "Error: y is missing"


def test_a_call_that_could_not_be_read_stays_what_the_model_wrote() -> None:
    broken = ToolCall(id="a", function=UNREADABLE, arguments={}, parse_error="broken")
    (told,) = messages_of([ChatMessageAssistant(content='{"name": add', tool_calls=[broken])], as_text=True)

    assert told.tool_calls == ()
    assert told.content == '{"name": add'


def test_a_picture_is_refused_rather_than_left_out() -> None:
    picture = ChatMessageUser(content=[ContentText(text="What is it?"), ContentImage(image="data:image/png;base64,AA")])

    with pytest.raises(DataError, match="text only"):
        messages_of([picture], as_text=False)


def test_native_calls_are_read_one_by_one() -> None:
    good = RawToolCall(name="add", arguments='{"x": 2, "y": 3}', id="c1")
    bad = RawToolCall(name="sub", arguments='{"x": ', id="c2")

    calls = output_of(Reply(tool_calls=(good, bad), finish_reason="tool_calls")).tool_calls

    assert calls is not None
    assert (calls[0].function, calls[0].arguments, calls[0].parse_error) == ("add", {"x": 2, "y": 3}, None)
    assert (calls[1].function, calls[1].arguments) == ("sub", {})
    assert calls[1].parse_error is not None
    assert "not JSON" in calls[1].parse_error


def test_a_constrained_reply_is_a_call_or_words() -> None:
    call = output_of(Reply(content='{"name": "add", "arguments": {"x": 1, "y": 2}}'), "constrained")
    words = output_of(Reply(content='{"name": "answer", "arguments": {"text": "It is 3."}}'), "constrained")
    silence = output_of(Reply(content='{"name": "no_call"}'), "constrained")

    assert call.tool_calls is not None
    assert (call.text, call.tool_calls[0].id) == ("", "call_3_0")
    assert (words.text, words.tool_calls) == ("It is 3.", None)
    assert (silence.text, silence.tool_calls) == ("", None)


def test_an_unreadable_call_carries_the_reason_and_the_name_it_meant() -> None:
    (call,) = output_of(Reply(content='{"name": "add", "arguments": {"x": 1'), "prompted").tool_calls or []

    assert call.function == "add"
    assert call.arguments == {}
    assert call.parse_error is not None


@pytest.mark.parametrize(("kind", "stop"), [("context_overflow", "model_length"), ("content_filter", "content_filter")])
def test_a_failure_of_the_models_is_a_reply_with_its_reason(kind: str, stop: str) -> None:
    failure = Failure.model_validate({"boundary": "model", "kind": kind, "message": "why"})

    output = model_output("m", asked(), Reading(None, Timing(at=1.0), Usage(), None, failure), None)

    assert (output.stop_reason, output.error, output.completion) == (stop, "why", "")


def test_thoughts_are_told_apart_from_the_answer() -> None:
    inline = output_of(Reply(content="<think>Hm.</think>\nParis"))
    field = output_of(Reply(content="Paris", reasoning="Hm."))

    for message in (inline, field):
        assert message.text == "Paris"
        assert isinstance(message.content[0], ContentReasoning)
        assert message.content[0].reasoning == "Hm."


def test_timing_and_usage_go_with_the_output() -> None:
    timing = Timing(at=1.0, first_content_ns=250_000_000, last_ns=1_250_000_000, end_ns=1_300_000_000)
    usage = Usage(prompt_tokens=30, cached_tokens=20, output_tokens=11, counted_by="server")
    server = ServerTiming(prompt_s=0.2, predicted_s=1.0)

    output = model_output("m", asked(), Reading(Reply(content="x"), timing, usage, server, None), 0.5)

    told = output.metadata or {}
    assert (told["ttft_s"], told["tpot_s"], told["e2e_s"], told["cached_tokens"]) == (0.25, 0.1, 1.3, 20)
    assert told["server"] == {"prompt_s": 0.2, "predicted_s": 1.0}
    assert Step.model_validate(told[OUR_KEY]).timing == timing
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.input_tokens_cache_read, output.usage.total_tokens) == (10, 20, 41)
    assert (output.usage.total_cost, output.time) == (0.5, 1.3)


def test_what_nobody_counted_is_not_zero() -> None:
    reading = Reading(Reply(content="x"), Timing(at=1.0), Usage(), None, None)

    output = model_output("m", Asked("native", (Tool(name="add"),), None), reading, None)

    assert output.usage is None
    assert "ttft_s" not in (output.metadata or {})
