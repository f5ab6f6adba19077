"""What a logged call asked for besides its messages is asked again, as far as the protocol can."""

from typing import Any

import orjson
import pytest

from harness.config import GenerationConfig, ModelConfig
from harness.protocols import Endpoint
from harness.records import Protocol, Sample
from harness.records.manifest import BackendFacts
from harness.runner.request import request_body
from tests.support.specimens.replay import SPECIMENS

PARAMS: dict[str, Any] = {
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "temperature": 0.7,
    "max_tokens": 33,
}


def body(protocol: Protocol, *, tools: bool = True, **generation: Any) -> dict[str, Any]:
    sample: Sample = SPECIMENS[0].sample.model_copy(update={"params": PARAMS})
    if not tools:
        sample = sample.model_copy(update={"tools": ()})
    model = ModelConfig(
        name="m", title="m", licence="MIT", protocol=protocol, generation=GenerationConfig(**generation)
    )
    endpoint = Endpoint("http://127.0.0.1:1/v1", "m", BackendFacts(name="endpoint"))
    made: dict[str, Any] = orjson.loads(request_body(sample, model, endpoint, seed=0))
    return made


def test_natively_everything_is_asked_as_logged() -> None:
    sent = body("native")

    assert {name: sent[name] for name in PARAMS} == PARAMS


@pytest.mark.parametrize("protocol", ["prompted", "constrained"])
def test_calls_as_text_leave_aside_what_would_contradict_them(protocol: Protocol) -> None:
    sent = body(protocol)

    assert "tool_choice" not in sent
    assert "parallel_tool_calls" not in sent
    assert sent.get("response_format") != PARAMS["response_format"]
    assert (sent["temperature"], sent["max_tokens"]) == (0.7, 33)


def test_the_limit_of_tokens_goes_by_the_name_that_the_server_takes() -> None:
    sent = body("native", max_tokens_field="max_completion_tokens", send_temperature=False)

    assert sent["max_completion_tokens"] == 33
    assert "max_tokens" not in sent
    assert "temperature" not in sent


def test_without_tools_a_logged_answer_format_is_asked_for_in_every_protocol() -> None:
    assert body("prompted", tools=False)["response_format"] == {"type": "json_object"}
