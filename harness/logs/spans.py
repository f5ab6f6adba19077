"""A model call in the attributes and events of a span: OpenTelemetry GenAI, old and new, and its relatives.

Current: `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions`, `gen_ai.tool.definitions`.
Older: `gen_ai.prompt.N.role`, `gen_ai.completion.N.content` (Traceloop), events `gen_ai.user.message`, `gen_ai.choice`,
`gen_ai.content.prompt`; OpenInference `llm.input_messages.N.message.*`; Vercel AI SDK `ai.prompt.messages`; Google ADK
`gcp.vertex.agent.llm_request`; pydantic-ai `events`; whole values under `input.value`, `gen_ai.prompt` and the like.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.logs.apis import answered, asked
from harness.logs.exchange import Answered, Asked, api_of
from harness.logs.normal import messages_of, reply_of
from harness.logs.pick import amount, count, first, flag, inner, mapping, text
from harness.logs.span_names import (
    ASKED_EVENTS,
    CALLS,
    DEEPEST,
    KNOWN_PARAMS,
    MODEL,
    NO_CALLS,
    PARAMS,
    USAGE,
    WHOLE_IN,
    WHOLE_OUT,
)
from harness.logs.tools import OF_PROVIDER, tool_choice, tools_of
from harness.records.attempt import Usage
from harness.records.logs import Payload

__all__ = ["Event", "as_calls", "asked_for", "call_of", "read_whole", "rule_of", "ttft_of"]

Event = tuple[str, Mapping[str, Any]]


def rule_of(attributes: Mapping[str, Any], name: str) -> str | None:
    """Why a span is no call of a chat model; None for one that is."""
    operation = first(attributes, "ai.operationId")
    if isinstance(operation, str) and operation.startswith("ai."):
        if operation.endswith((".doGenerate", ".doStream")):
            return None
        return "embedding call" if "embed" in operation.lower() else "no generation: the span around one"
    told = first(
        attributes,
        "gen_ai.operation.name",
        "openinference.span.kind",
        "langfuse.observation.type",
        "llm.request.type",
        "traceloop.span.kind",
    )
    if isinstance(told, str):
        word = told.lower()
        if word in NO_CALLS:
            return NO_CALLS[word]
        if word in CALLS or word in ("llm", "generation"):
            return None
    if any(key in attributes for key in MODEL) and not any(key.startswith("gen_ai.tool.call") for key in attributes):
        return None
    return f"no generation: span {name[:40]!r} names no model" if name else "no generation: a span that names no model"


def call_of(attributes: Mapping[str, Any], events: Sequence[Event]) -> tuple[Asked, Answered]:
    """What was asked and answered. Messages are empty where their content was not captured. Raises Unreadable."""
    given = _Given(attributes, events)
    tools, others = tools_of(given.tools())
    params = _params(attributes)
    params |= {OF_PROVIDER: others} if others else {}
    messages = given.messages()
    reply, more = given.replies()
    question = Asked(
        messages=tuple(messages),
        tools=tools,
        params=params,
        model=text(attributes, *MODEL),
        streamed=flag(attributes, "gen_ai.request.stream", "llm.is_streaming"),
        user=text(
            attributes,
            "user.id",
            "enduser.id",
            "langfuse.user.id",
            "gen_ai.request.user",
            "traceloop.association.properties.user_id",
        ),
    )
    answer = Answered(
        reply=reply,
        more=more,
        model=text(attributes, "gen_ai.response.model", "ai.response.model"),
        usage=_usage(attributes),
        cost_usd=amount(attributes, "gen_ai.usage.cost", "llm.cost.total", "gen_ai.usage.total_cost", "operation.cost"),
        span=text(attributes, "gen_ai.response.id", "ai.response.id"),
    )
    if not messages or reply is None:
        question, answer = _from_whole(attributes, question, answer)
    return replace(question, params=asked_for(question.params)), answer


def asked_for(params: Payload) -> Payload:
    """The parameters of a request, without the framework's own settings that are logged among them."""
    return {key: value for key, value in params.items() if key in KNOWN_PARAMS and value is not None and value != []}


def ttft_of(attributes: Mapping[str, Any]) -> float | None:
    """Seconds to the first chunk, where they were recorded."""
    seconds = amount(attributes, "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
    if seconds is None and (millis := amount(attributes, "ai.response.msToFirstChunk")) is not None:
        return millis / 1000
    return seconds


def _from_whole(attributes: Mapping[str, Any], question: Asked, answer: Answered) -> tuple[Asked, Answered]:
    """Fills what the single attributes lack from a request or response that was logged whole."""
    request, response = inner(first(attributes, *WHOLE_IN)), inner(first(attributes, *WHOLE_OUT))
    whole = read_whole(request, response)
    if whole is None:
        return question, answer
    logged, got = whole
    return (
        Asked(
            messages=question.messages or logged.messages,
            tools=question.tools or logged.tools,
            params={**logged.params, **question.params},
            model=question.model or logged.model,
            streamed=question.streamed if question.streamed is not None else logged.streamed,
            user=question.user or logged.user,
        ),
        Answered(
            reply=answer.reply or got.reply,
            more=answer.more or got.more,
            failure=got.failure,
            model=answer.model or got.model,
            usage=got.usage if answer.usage == Usage() else answer.usage,
            cost_usd=answer.cost_usd,
            span=answer.span or got.span,
        ),
    )


def read_whole(request: Any, response: Any) -> tuple[Asked, Answered] | None:
    """A request and a response of any shape that frameworks log, or None where there is neither."""
    if request in (None, "", {}, []) and response in (None, "", {}, []):
        return None
    if isinstance(request, Mapping):
        if "messages" not in request and isinstance(args := first(request, "args", "prompts", "prompt"), list | str):
            request = {**request, "messages": args if isinstance(args, str) else [_as_user(one) for one in args]}
        elif not {"messages", "contents", "input", "prompt"} & set(request):
            request = {"messages": [request]}
    else:
        request = {"messages": request if request is not None else []}
    answer = {} if isinstance(response, str) else response
    api = api_of(request, answer)
    if isinstance(answer, Mapping) and answer.get("object") == "response":
        api = "responses"
        request = {
            "input": request.get("input", request.get("messages")),
            **{k: answer[k] for k in ("tools", "instructions") if answer.get(k)},
        }
    elif api not in ("chat", "responses", "anthropic", "gemini"):
        api = "chat"
    question = asked(api, request)  # type: ignore[arg-type]
    if isinstance(response, list) and not all(isinstance(one, Mapping) and "choices" in one for one in response):
        return question, Answered(reply=reply_of(response))
    if isinstance(response, Mapping) and "message" in response and "choices" not in response:
        response = {"choices": [response], "usage": response.get("usage")}
    return question, answered(_answer_api(api, response), response)  # type: ignore[arg-type]


def _answer_api(api: str, response: Any) -> str:
    if isinstance(response, Mapping):
        if "candidates" in response or (
            isinstance(response.get("content"), Mapping) and "parts" in response["content"]
        ):
            return "gemini"
        if response.get("object") == "response":
            return "responses"
        if "stop_reason" in response:
            return "anthropic"
    return "chat" if api == "responses" and not isinstance(response, Mapping) else api


def _as_user(one: Any) -> Any:
    return {"role": "user", "content": one} if isinstance(one, str) else one


class _Given:
    """What a span says of its messages, whichever names it uses."""

    def __init__(self, attributes: Mapping[str, Any], events: Sequence[Event]) -> None:
        self._at = attributes
        self._events = [*events, *_listed(attributes.get("events"))]
        for name, data in events:
            if name == "gen_ai.client.inference.operation.details":
                self._at = {**attributes, **data}

    def tools(self) -> Any:
        """The tools as logged."""
        told = first(
            self._at, "gen_ai.tool.definitions", "gen_ai.request.tools", "ai.prompt.tools", "llm.request.tools"
        )
        if told is not None:
            return told
        for prefix in ("llm.tools.", "llm.request.functions."):
            if found := _indexed(self._at, prefix):
                return [_schema(one) for one in found]
        own = inner(self._at.get("model_request_parameters"))
        return inner(own.get("function_tools")) if isinstance(own, Mapping) else None

    def messages(self) -> list[Payload]:
        """The messages asked with, in order."""
        logged = inner(first(self._at, "gen_ai.input.messages", "ai.prompt.messages", "llm.input_messages"))
        if logged is None:
            found = _indexed(self._at, "llm.input_messages.")
            logged = [_spoken(one) for one in found] or [_called(one) for one in _indexed(self._at, "gen_ai.prompt.")]
        if not logged:
            logged = [message for event in self._events if (message := _from_event(event)) is not None]
        if not logged:
            logged = first(dict(self._events).get("gen_ai.content.prompt", {}), "gen_ai.prompt")
        messages = messages_of(logged) if logged else []
        system = inner(first(self._at, "gen_ai.system_instructions", "gen_ai.system.instructions"))
        if system and not (messages and messages[0]["role"] == "system"):
            messages[:0] = messages_of([{"role": "system", "content": system}])
        return messages

    def replies(self) -> tuple[Payload | None, tuple[Payload, ...]]:
        """The reply, and further ones."""
        reasons = inner(
            first(
                self._at, "gen_ai.response.finish_reasons", "ai.response.finishReason", "gen_ai.response.finish_reason"
            )
        )
        logged = inner(first(self._at, "gen_ai.output.messages", "llm.output_messages"))
        if logged is None:
            found = [_spoken(one) for one in _indexed(self._at, "llm.output_messages.")]
            logged = found or [_called(one) for one in _indexed(self._at, "gen_ai.completion.")] or self._vercel()
        if not logged:
            logged = [_choice(data) for name, data in self._events if name == "gen_ai.choice"]
        if not logged:
            logged = inner(first(dict(self._events).get("gen_ai.content.completion", {}), "gen_ai.completion"))
        listed = logged if isinstance(logged, list) else [logged] if logged else []
        replies = [one for one in (reply_of(*_ended(raw, reasons)) for raw in listed) if one is not None]
        if len(replies) > 1 and all("content" not in one for one in replies):
            calls = [call for one in replies for call in one.get("tool_calls", ())]
            replies = [{**replies[0], "tool_calls": calls}] if calls else replies
        return (replies[0] if replies else None), tuple(replies[1:])

    def _vercel(self) -> list[Any]:
        said, calls = self._at.get("ai.response.text"), inner(self._at.get("ai.response.toolCalls"))
        if not said and not calls:
            said = self._at.get("ai.response.object")
        return [{"role": "assistant", "content": said, "tool_calls": calls}] if said or calls else []


def _ended(raw: Any, reasons: Any) -> tuple[Any, Any]:
    """A logged reply and why it ended."""
    raw = inner(raw)
    own = raw.get("finish_reason") if isinstance(raw, Mapping) else None
    message = {"role": "assistant", **raw, "type": None} if isinstance(raw, Mapping) else raw
    return message, own if own else reasons


def _listed(logged: Any) -> list[Event]:
    """pydantic-ai writes the events as a list into one attribute."""
    found = inner(logged)
    if not isinstance(found, list):
        return []
    return [(str(one.get("event.name")), one) for one in found if isinstance(one, Mapping)]


def _from_event(event: Event) -> Any:
    """A message of the events before version 1.37: what it holds stands in the attributes or in the body."""
    name, data = event
    if name not in ASKED_EVENTS:
        return None
    body = inner(first(data, "body", "gen_ai.event.content", "event.body"))
    held = {**data, **body} if isinstance(body, Mapping) else dict(data)
    held["role"] = held.get("role") if isinstance(held.get("role"), str) else ASKED_EVENTS[name]
    held.pop("name", None) if held["role"] != "tool" else None
    return held


def _choice(data: Mapping[str, Any]) -> Any:
    body = inner(first(data, "body", "gen_ai.event.content", "event.body"))
    held = {**data, **body} if isinstance(body, Mapping) else data
    message = inner(held.get("message"))
    if isinstance(message, Mapping):
        return {**message, "finish_reason": held.get("finish_reason")}
    if isinstance(message, str):
        return {"content": message, "tool_calls": held.get("tool_calls"), "finish_reason": held.get("finish_reason")}
    return {key: held.get(key) for key in ("content", "tool_calls", "finish_reason")}


def _indexed(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """The list that attributes `prefix.N.key.M.key` spell, in the order of the numbers."""
    tree: dict[str, Any] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        path = key[len(prefix) :].split(".", DEEPEST)
        node = tree
        for step in path[:-1]:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                break
            node = below
        else:
            node.setdefault(path[-1], value)
    found = _lists(tree)
    return found if isinstance(found, list) else []


def _lists(node: Any) -> Any:
    """Objects whose keys are all numbers, as lists."""
    if not isinstance(node, dict):
        return node
    below = {key: _lists(value) for key, value in node.items()}
    if below and all(key.isascii() and key.isdecimal() and len(key) < 10 for key in below):
        return [below[key] for key in sorted(below, key=int)]
    return below


def _spoken(one: Any) -> Any:
    """A message of OpenInference as others write it."""
    message = one.get("message") if isinstance(one, Mapping) else None
    if not isinstance(message, Mapping):
        return one
    out = dict(message)
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        out["tool_calls"] = [one.get("tool_call", one) if isinstance(one, Mapping) else one for one in calls]
    parts = message.get("contents")
    if isinstance(parts, list):
        out["content"] = [_content(part) for part in parts]
    out.setdefault("role", "user")
    return out


def _content(part: Any) -> Any:
    inside = part.get("message_content") if isinstance(part, Mapping) else None
    return inside if isinstance(inside, Mapping) else part


def _called(one: Any) -> Any:
    """A message of `gen_ai.prompt.N`. Koog writes an assistant's calls as the content of a message of role tool."""
    if not isinstance(one, Mapping):
        return one
    return as_calls({"role": "user", **one})


def as_calls(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message whose content is a JSON list of calls, as an assistant's message with those calls."""
    content = inner(message.get("content"))
    if (
        isinstance(content, list)
        and content
        and all(isinstance(one, Mapping) and isinstance(one.get("function"), Mapping) for one in content)
    ):
        return {**message, "role": "assistant", "content": None, "tool_calls": content}
    return message


def _schema(one: Any) -> Any:
    tool = one.get("tool") if isinstance(one, Mapping) else None
    schema = inner(tool.get("json_schema")) if isinstance(tool, Mapping) else None
    return schema if schema is not None else one


def _params(attributes: Mapping[str, Any]) -> Payload:
    out: Payload = {}
    logged = mapping(attributes, "llm.invocation_parameters", "gen_ai.request.parameters")
    out |= {
        key: value
        for key, value in logged.items()
        if value is not None and key not in ("model", "messages", "tools", "stream")
    }
    for theirs, ours in PARAMS.items():
        value = inner(attributes.get(f"gen_ai.request.{theirs}"))
        if value is not None:
            out[ours] = value
    choice = inner(first(attributes, "ai.prompt.toolChoice", "gen_ai.tool_choice"))
    if choice is not None:
        out["tool_choice"] = tool_choice(choice)
    return out


def _usage(at: Mapping[str, Any]) -> Usage:
    found = {name: count(at, *keys) for name, keys in USAGE.items()}
    if found["prompt_tokens"] is None and found["output_tokens"] is None:
        return Usage()
    return Usage(counted_by="server", **found)
