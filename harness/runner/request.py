"""The bytes of a request: built before the clock starts, the same for the same sample and configuration."""

from dataclasses import dataclass, field

import orjson

from harness.config import GenerationConfig, ModelConfig
from harness.protocols import Endpoint
from harness.records import Sample, TaskTarget
from harness.toolcalling.encode import ChatRequest, PromptOptions, encode

__all__ = ["Requests", "chat_request", "request_body", "sampling_fields"]

_KEPT_BYTES = 32 << 20


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
        "logprobs": generation.logprobs or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def chat_request(sample: Sample, model: ModelConfig) -> ChatRequest:
    """A sample as the model's protocol and prompt configuration put it."""
    return encode(sample, model.protocol, PromptOptions(style=model.prompt.style, examples=model.prompt.examples))


def request_body(sample: Sample, model: ModelConfig, endpoint: Endpoint, seed: int, slot: int | None = None) -> bytes:
    """The JSON body of one streamed chat completion; `slot` is sent where the engine lets it be chosen."""
    return Requests(model, endpoint).body(sample, seed, slot)


@dataclass(slots=True)
class Requests:
    """The request bodies of one model at one endpoint. What the trials of a sample share is written once."""

    model: ModelConfig
    endpoint: Endpoint
    _written: dict[str, dict[str, orjson.Fragment]] = field(default_factory=dict)
    _room_bytes: int = _KEPT_BYTES

    def body(self, sample: Sample, seed: int, slot: int | None = None) -> bytes:
        """As `request_body`; samples are told apart by their id."""
        return self._body(self._written.get(sample.id) or self._write(sample), seed, slot)

    def _body(self, asked: dict[str, orjson.Fragment], seed: int, slot: int | None) -> bytes:
        body: dict[str, object] = {
            "model": self.endpoint.model,
            "messages": asked["messages"],
            "stream": True,
            "stream_options": {"include_usage": True},
            **sampling_fields(self.model.generation, seed),
            **asked,
        }
        if slot is not None and self.endpoint.slot_field is not None:
            body[self.endpoint.slot_field] = slot
        return orjson.dumps(body | self.endpoint.extra_body)

    def step_body(self, sample: Sample, seed: int, slot: int | None = None) -> bytes:
        """As `body`, for one step of an agent's task: its messages are another time's under the same id."""
        return self._body(self._fields(sample), seed, slot)

    def _write(self, sample: Sample) -> dict[str, orjson.Fragment]:
        """The fields that the sample decides, kept while there is room."""
        found = self._fields(sample)
        size = sum(len(bytes(orjson.dumps(value))) for value in found.values())
        if size <= self._room_bytes:
            self._room_bytes -= size
            self._written[sample.id] = found
        return found

    def _fields(self, sample: Sample) -> dict[str, orjson.Fragment]:
        """The fields that the sample decides, as JSON."""
        request = chat_request(sample, self.model)
        fields: dict[str, object | None] = {
            "messages": request.messages,
            "tools": request.tools,
            "tool_choice": request.tool_choice,
            "response_format": request.response_format,
        }
        fields |= _logged(sample, self.model)
        if isinstance(sample.target, TaskTarget):
            fields |= _decided(sample.target, self.model.generation)
        return {name: orjson.Fragment(orjson.dumps(value)) for name, value in fields.items() if value is not None}


def _logged(sample: Sample, model: ModelConfig) -> dict[str, object]:
    """Request fields that a logged call had (`Sample.params`), as far as this protocol can ask for them.

    tool_choice and parallel_tool_calls go with tools that the server is told of (native). response_format goes unless
    calls are asked for as text: it would forbid their form. The names are those that the server takes.
    """
    fields: dict[str, object] = dict(sample.params)
    if not sample.tools or model.protocol != "native":
        fields.pop("tool_choice", None)
        fields.pop("parallel_tool_calls", None)
    if sample.tools and model.protocol != "native":
        fields.pop("response_format", None)
    if "max_tokens" in fields:
        fields[model.generation.max_tokens_field] = fields.pop("max_tokens")
    if not model.generation.send_temperature:
        for name in ("temperature", "top_p"):
            fields.pop(name, None)
    return fields


def _decided(target: TaskTarget, generation: GenerationConfig) -> dict[str, object]:
    """Request fields that a task decides, under the names that the server takes."""
    fields: dict[str, object] = dict(target.request)
    if "max_tokens" in fields:
        fields[generation.max_tokens_field] = fields.pop("max_tokens")
    if not generation.send_temperature:
        fields.pop("temperature", None)
    return fields
