"""TensorZero inference rows, as exported from its `ChatInference`, `JsonInference` and `ModelInference` tables."""

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.logs.exchange import failed, flawed
from harness.logs.formats.base import JsonFormat, Place, Skip, identify, paths_of
from harness.logs.normal import messages_of, reply_of
from harness.logs.pick import Unreadable, amount, count, first, inner, items, kind, mapping, text, when
from harness.logs.tools import OF_PROVIDER, tool_choice, tools_of
from harness.records.attempt import Usage
from harness.records.logs import LogRecord, Payload

__all__ = ["TensorZero"]

_READ = frozenset({
    "id", "inference_id", "function_name", "variant_name", "episode_id", "input", "output", "tool_params",
    "inference_params",
    "processing_time_ms", "timestamp", "ttft_ms", "output_schema", "dynamic_tools", "allowed_tools", "tool_choice",
    "parallel_tool_calls", "input_messages", "system", "raw_request", "raw_response", "usage", "input_tokens",
    "output_tokens",
    "model_name", "model_provider_name", "response_time_ms", "finish_reason", "cached", "cost", "additional_tools",
})  # fmt: skip


class TensorZero(JsonFormat):
    """One inference a row. The function is the agent, the episode the session.

    `processing_time_ms` is the gateway's own time for the inference, retries and variants in it: a service's latency.
    """

    name: ClassVar[str] = "tensorzero"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys that its tables share."""
        del name
        paths = paths_of(head)
        known = {"episode_id", "function_name", "variant_name"} & paths
        if len(known) >= 2:
            return 0.95
        return 0.9 if {"inference_id", "model_provider_name", "input_messages"} <= paths else 0.0

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of a row."""
        if not isinstance(data, Mapping):
            raise Unreadable(f"the line is {kind(data)}, not an object")
        asked, answer = inner(first(data, "input", "input_messages")), inner(data.get("output"))
        if asked is None:
            return Skip("no inference: feedback or dataset row") if "output" not in data else _no_input()
        reply = reply_of(_answer(answer), data.get("finish_reason"))
        tools, params = _tools(data)
        params |= _params(data)
        took = amount(data, "processing_time_ms", "response_time_ms")
        ttft = amount(data, "ttft_ms")
        ident = text(data, "id", "inference_id")
        return LogRecord(
            id=identify(self.name, ident if ident is not None else mark),
            source=self.name,
            messages=tuple(_messages(asked, data.get("system"))),
            tools=tools,
            params=params,
            reply=reply,
            failure=flawed(reply, failed(data.get("error"))),
            at=when(data, "timestamp") or _minted(ident),
            session=text(data, "episode_id"),
            span=ident,
            agent=text(data, "function_name"),
            model=text(data, "variant_name", "model_name"),
            answered_by=text(data, "model_name"),
            provider=text(data, "model_provider_name"),
            usage=_usage(data),
            latency_s=took / 1000 if took is not None else None,
            latency_kind="service" if took is not None else None,
            ttft_s=ttft / 1000 if ttft is not None else None,
            cost_usd=amount(data, "cost"),
            cached=data["cached"] if isinstance(data.get("cached"), bool) else None,
            extra={key: value for key, value in data.items() if key not in _READ and value not in (None, "", {}, [])},
        )

    def place(self, data: Any) -> Place | None:
        """Episode and time of the inference."""
        if not isinstance(data, Mapping) or (session := text(data, "episode_id")) is None:
            return None
        at = when(data, "timestamp") or _minted(text(data, "id", "inference_id"))
        return (session, at) if at is not None else None


def _no_input() -> Skip:
    raise Unreadable("the row has an output, but no input")


def _minted(ident: str | None) -> float | None:
    """The time in a UUID of version 7, whose first 48 bits are milliseconds (RFC 9562, 5.7)."""
    digits = (ident or "").replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return None
    try:
        return int(digits[:12], 16) / 1000
    except ValueError:
        return None


def _messages(asked: object, system: object) -> list[Payload]:
    if isinstance(asked, Mapping):
        system = asked.get("system", system)
        asked = inner(asked.get("messages"))
    messages = messages_of([_plain(one) for one in asked] if isinstance(asked, list) else asked)
    if system:
        told = system if isinstance(system, str) else [_piece({"type": "template", "arguments": system})]
        messages[:0] = messages_of([{"role": "system", "content": told}])
    return messages


def _plain(message: Any) -> Any:
    content = inner(message.get("content")) if isinstance(message, Mapping) else None
    return {**message, "content": [_piece(one) for one in content]} if isinstance(content, list) else message


def _piece(part: Any) -> Any:
    """A block of TensorZero's in the words of the others: `raw_text` is text, `thought` reasoning."""
    if not isinstance(part, Mapping):
        return part
    what, value = part.get("type"), part.get("value")
    if what == "text" and value is not None:
        return {"type": "text", "text": value}
    if what == "text" and isinstance(part.get("arguments"), Mapping):
        return {"type": "text", "text": part["arguments"]}
    if what == "raw_text":
        return {"type": "text", "text": value}
    if what == "template":
        return {"type": "text", "text": part.get("arguments")}
    if what == "thought":
        return {"type": "thinking", "thinking": part.get("text")}
    if what == "tool_call":
        return {**part, "name": first(part, "raw_name", "name"), "arguments": first(part, "raw_arguments", "arguments")}
    return part


def _answer(answer: Any) -> Any:
    """An output of blocks, or a JSON function's {raw, parsed}."""
    if isinstance(answer, Mapping) and ("raw" in answer or "parsed" in answer):
        raw = answer.get("raw")
        return {"role": "assistant", "content": raw if raw is not None else answer.get("parsed")}
    if isinstance(answer, list):
        return {"role": "assistant", "content": [_piece(one) for one in answer]}
    return answer


def _tools(data: Mapping[str, Any]) -> tuple[tuple[Payload, ...], Payload]:
    told = mapping(data, "tool_params")
    logged = items(told, "tools_available") or items(data, "dynamic_tools")
    tools, others = tools_of(logged + items(data, "additional_tools"))
    params: Payload = {OF_PROVIDER: others} if others else {}
    choice = first(told, "tool_choice") or data.get("tool_choice")
    if choice is not None:
        params["tool_choice"] = tool_choice(_chosen(choice))
    parallel = first(told, "parallel_tool_calls") if told else data.get("parallel_tool_calls")
    if isinstance(parallel, bool):
        params["parallel_tool_calls"] = parallel
    return tools, params


def _chosen(choice: object) -> object:
    """TensorZero writes a certain tool as {specific: name}."""
    choice = inner(choice)
    return (
        {"type": "tool", "name": choice["specific"]} if isinstance(choice, Mapping) and "specific" in choice else choice
    )


def _params(data: Mapping[str, Any]) -> Payload:
    logged = mapping(data, "inference_params")
    params = mapping(logged, "chat_completion") if "chat_completion" in logged else logged
    out: Payload = {key: value for key, value in params.items() if value is not None}
    schema = inner(data.get("output_schema"))
    if isinstance(schema, Mapping) and schema:
        out["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    return out


def _usage(data: Mapping[str, Any]) -> Usage:
    usage = mapping(data, "usage") or data
    prompt, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    if prompt is None and output is None:
        return Usage()
    return Usage(prompt_tokens=prompt, output_tokens=output, counted_by="server")
