"""The bytes of a request: built before the clock starts, the same for the same sample and configuration."""

import orjson

from harness.config import GenerationConfig, ModelConfig
from harness.protocols import Endpoint
from harness.records import Sample
from harness.toolcalling.encode import ChatRequest, PromptOptions, encode

__all__ = ["chat_request", "request_body", "sampling_fields"]


def sampling_fields(generation: GenerationConfig, seed: int) -> dict[str, object]:
    """Request fields that decide the answer besides the prompt; what is None is left to the server and not sent."""
    fields: dict[str, object | None] = {
        "temperature": generation.temperature if generation.send_temperature else None,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "min_p": generation.min_p,
        "repeat_penalty": generation.repeat_penalty,
        generation.max_tokens_field: generation.max_tokens,
        "stop": list(generation.stop) or None,
        "reasoning_effort": generation.reasoning_effort,
        "seed": seed if generation.send_seed else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def chat_request(sample: Sample, model: ModelConfig) -> ChatRequest:
    """A sample as the model's protocol and prompt configuration put it."""
    return encode(sample, model.protocol, PromptOptions(style=model.prompt.style, examples=model.prompt.examples))


def request_body(sample: Sample, model: ModelConfig, endpoint: Endpoint, seed: int, slot: int | None = None) -> bytes:
    """The JSON body of one streamed chat completion; `slot` is sent where the engine lets it be chosen."""
    request = chat_request(sample, model)
    body: dict[str, object] = {
        "model": endpoint.model,
        "messages": request.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling_fields(model.generation, seed),
    }
    if request.tools is not None:
        body["tools"] = request.tools
    if request.tool_choice is not None:
        body["tool_choice"] = request.tool_choice
    if request.response_format is not None:
        body["response_format"] = request.response_format
    if slot is not None and endpoint.slot_field is not None:
        body[endpoint.slot_field] = slot
    return orjson.dumps(body | endpoint.extra_body)
