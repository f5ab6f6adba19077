"""An expert asked by the protocol that it was measured with, and its reply as the caller of the API expects it."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from harness.cluster.features import plain_text
from harness.errors import DataError
from harness.records import Message, ReplayReference, ReplayTarget, Reply, Sample, ToolCall
from harness.records.logs import DELIVERY_PARAMS, Payload
from harness.records.route import ModelTarget
from harness.router.question import Question, Response
from harness.toolcalling.decode import decode
from harness.toolcalling.encode import PromptOptions, encode
from harness.toolcalling.strict_json import NotJson, read

__all__ = ["chunks_of", "expert_request", "native_response"]

Json = dict[str, Any]
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})


def expert_request(request: Mapping[str, Any], question: Question, target: ModelTarget) -> Json:
    """The request that puts a caller's question to an expert, not streamed.

    `native`: as the caller wrote it. `prompted`, `constrained`: the tools go into the prompt, as in the runs that are
    the evidence. The target's own parameters win. Raises DataError for a request that the protocol cannot hold, such as
    one with a picture.
    """
    body = {name: value for name, value in request.items() if name not in DELIVERY_PARAMS and value is not None}
    if target.protocol != "native":
        asked = encode(_sample(question), target.protocol, PromptOptions(target.prompt_style, target.prompt_examples))
        if question.tools:
            body = {name: value for name, value in body.items() if name not in _OF_TOOLS}
        body["messages"] = asked.messages
        if asked.response_format is not None:
            body["response_format"] = asked.response_format
    if "max_tokens" in target.params or "max_completion_tokens" in target.params:
        body = {name: value for name, value in body.items() if name not in {"max_tokens", "max_completion_tokens"}}
    body |= target.params
    if target.logprobs:
        body["logprobs"] = True
    return {**body, "model": target.name}


def _sample(question: Question) -> Sample:
    nothing = ReplayTarget(references=(ReplayReference(text="-"),))
    try:
        messages = tuple(_message(one) for one in question.messages)
        return Sample(id="", category="", messages=messages, tools=question.tools, target=nothing, scorer="", params={})
    except (ValidationError, NotJson) as error:
        raise DataError(f"the history does not fit the expert's protocol ({type(error).__name__})") from None


def _message(message: Payload) -> Message:
    content = message.get("content")
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        raise DataError("a message holds more than text, which the expert's protocol cannot")
    calls = tuple(_call(one) for one in message.get("tool_calls") or ())
    return Message(
        role=message["role"],
        content=plain_text(message) if content is not None else None,
        tool_calls=calls,
        tool_call_id=message.get("tool_call_id"),
        name=message.get("name"),
    )


def _call(call: Payload) -> ToolCall:
    text = str(call.get("arguments") or "").strip()
    arguments = read(text) if text else {}
    if not isinstance(arguments, dict):
        raise DataError("a call in the history has arguments that are no object")
    return ToolCall(name=str(call["name"]), arguments=arguments, id=call.get("id"))


def native_response(response: Response, reply: Reply, choice: int, question: Question, target: ModelTarget) -> Json:
    """The response with one choice, calls written as text turned into calls of the API.

    reply: of that choice. A reply whose calls cannot be read is left as it came.
    """
    choices = response.get("choices")
    assert isinstance(choices, list)
    told = {key: value for key, value in choices[choice].items() if key != "logprobs" or not target.logprobs}
    out: Json = {**response, "choices": [{**told, "index": 0}]}
    if target.protocol == "native" or not question.tools:
        return out
    decoded = decode(reply, target.protocol, question.tools)
    if decoded.error is not None:
        return out
    message: Json = {"role": "assistant", "content": decoded.text}
    if decoded.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{response.get('id') or 'expert'}_{place}",
                "type": "function",
                "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
            }
            for place, call in enumerate(decoded.calls)
        ]
    elif decoded.text is None:
        message["content"] = ""
    reason = "tool_calls" if decoded.calls else told.get("finish_reason")
    return {**out, "choices": [{**told, "index": 0, "message": message, "finish_reason": reason}]}


def chunks_of(response: Response, *, usage: bool) -> Iterator[Json]:
    """A whole response as the chunks of a streamed one. usage: whether the last one tells the tokens."""
    head = {key: response[key] for key in ("id", "created", "model", "system_fingerprint") if key in response}
    head["object"] = "chat.completion.chunk"
    for choice in response.get("choices") or ():
        message, index = choice.get("message") or {}, choice.get("index", 0)
        delta: Json = {"role": "assistant", "content": message.get("content")}
        for name in ("reasoning_content", "refusal"):
            if message.get(name):
                delta[name] = message[name]
        calls = message.get("tool_calls")
        if calls:
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}]}
    if usage and response.get("usage") is not None:
        yield {**head, "choices": [], "usage": response["usage"]}
