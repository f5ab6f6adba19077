"""A request as the router looks at it, the same whether it comes from a suite, a log or a live program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isnan
from re import compile as pattern
from typing import Any, Final

import orjson
from pydantic import ValidationError

from harness.errors import DataError
from harness.logs.apis import answered, asked
from harness.logs.pick import Unreadable
from harness.records import Certainty, Message, RawToolCall, Reply, Sample, Tool
from harness.records.logs import Payload

__all__ = ["Offered", "Question", "Response", "offered", "question_of", "reply_of", "sample_question", "words_in"]

Response = Mapping[str, Any]
"""A response of OpenAI's chat completions as plain JSON values."""

_WORDS: Final = pattern(r"[^\W\d_]{2,}|\d+")


def words_in(text: str) -> frozenset[str]:
    """The different words of a text in lower case; `get_orderStatus` has three.

    >>> sorted(words_in("get_orderStatus of #12"))
    ['12', 'get', 'of', 'order', 'status']
    """
    return frozenset(_WORDS.findall(_parted(text).casefold()))


_HUMP: Final = pattern(r"(?<=[a-z0-9])(?=[A-Z])")


def _parted(text: str) -> str:
    return _HUMP.sub(" ", text)


@dataclass(frozen=True, slots=True)
class Offered:
    """Tools with what is read off them once."""

    tools: tuple[Tool, ...] = ()
    chars: int = 0
    """Of names, descriptions and schemas as JSON."""
    parameters: int = 0
    required: int = 0
    words: tuple[frozenset[str], ...] = ()
    """Of each tool's name and description."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request: `messages` in the normal form of `LogRecord`, `params` as the OpenAI protocol names them."""

    messages: tuple[Payload, ...]
    offered: Offered = field(default_factory=Offered)
    params: Payload = field(default_factory=dict)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that are offered."""
        return self.offered.tools


def offered(tools: Sequence[Mapping[str, Any]]) -> Offered:
    """Tools in normal form, {name, description?, parameters?}; looked at once for each different set.

    Raises DataError for one that no protocol can hold.
    """
    if not tools:
        return Offered()
    told = [[one["name"], one.get("description") or "", one.get("parameters") or None] for one in tools]
    return _offered(orjson.dumps(told))


@lru_cache(maxsize=512)
def _offered(data: bytes) -> Offered:
    try:
        tools = tuple(
            Tool(name=name, description=about or "", **({"parameters": schema} if schema else {}))
            for name, about, schema in orjson.loads(data)
        )
    except ValidationError:
        raise DataError("a tool of the request has no name, or parameters that are no JSON Schema object") from None
    schemas = [tool.parameters for tool in tools]
    return Offered(
        tools=tools,
        chars=len(orjson.dumps([[tool.name, tool.description, tool.parameters] for tool in tools])),
        parameters=sum(len(found) for one in schemas if isinstance(found := one.get("properties"), dict)),
        required=sum(len(found) for one in schemas if isinstance(found := one.get("required"), list)),
        words=tuple(words_in(f"{tool.name} {tool.description}") for tool in tools),
    )


def question_of(request: Mapping[str, Any]) -> Question:
    """The question of a request of OpenAI's chat completions. Raises DataError for one that cannot be read."""
    try:
        found = asked("chat", request)
    except (Unreadable, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        raise DataError(f"the request cannot be read ({error})") from None
    return Question(found.messages, offered(found.tools), found.params)


def sample_question(sample: Sample) -> Question:
    """The question that a suite's sample asks."""
    tools = [{"name": one.name, "description": one.description, "parameters": one.parameters} for one in sample.tools]
    return Question(tuple(_payload(one) for one in sample.messages), offered(tools), dict(sample.params))


def _payload(message: Message) -> Payload:
    found: Payload = {"role": message.role}
    if message.content is not None:
        found["content"] = message.content
    if message.tool_calls:
        found["tool_calls"] = [
            {"name": one.name, "arguments": orjson.dumps(one.arguments).decode()}
            | ({} if one.id is None else {"id": one.id})
            for one in message.tool_calls
        ]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        found["name"] = message.name
    return found


def reply_of(response: Response, choice: int = 0) -> Reply | None:
    """The reply in a response, with its tokens' probabilities where they are told; None where there is none.

    choice: which of several. Raises DataError for a response that cannot be read.
    """
    choices = response.get("choices")
    if not isinstance(choices, list) or choice >= len(choices):
        return None
    try:
        found = answered("chat", {**response, "choices": [choices[choice]]}).reply
    except (Unreadable, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        raise DataError(f"the response cannot be read ({error})") from None
    if found is None:
        return None
    content = found.get("content")
    return Reply(
        content=content if isinstance(content, str) and content else None,
        reasoning=found.get("reasoning") or None,
        tool_calls=tuple(
            RawToolCall(name=one["name"], arguments=one["arguments"], id=one.get("id"))
            for one in found.get("tool_calls") or ()
        ),
        finish_reason=found.get("finish_reason"),
        certainty=Certainty.of(_logprobs(choices[choice])),
    )


def _logprobs(choice: object) -> list[float]:
    told = choice.get("logprobs") if isinstance(choice, Mapping) else None
    tokens = told.get("content") if isinstance(told, Mapping) else None
    values = [one.get("logprob") for one in tokens if isinstance(one, Mapping)] if isinstance(tokens, list) else []
    numbers = [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    return [] if any(map(isnan, numbers)) else [min(0.0, one) for one in numbers]
