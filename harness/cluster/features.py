"""What clustering looks at in a call: instruction, tools, format, trigger, step, action, varying text."""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final, Generic, TypeVar

from harness.records.call import Call
from harness.records.logs import Payload, canonical

__all__ = ["Features", "Seen", "Table", "features_of", "masked", "plain_text"]

T = TypeVar("T")

MOST_TEXT: Final = 600
"""Characters of the varying text that are looked at: about what the embedding model reads of it."""
_MOST_PROMPT: Final = 60_000
_MASKS: Final = re.compile(
    r"""(?P<email>[\w.+-]+@[\w-]+\.[\w.-]+)"""
    r"""|(?P<url>https?://\S+)"""
    r"""|(?P<date>\b\d{4}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d)?\S*)?|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b)"""
    r"""|(?P<id>\b(?=[\w-]*\d)(?=[\w-]*[a-zA-Z])[\w-]{6,}\b|\#?\b[0-9a-fA-F]{12,}\b)"""
    r"""|(?P<quoted>"[^"\n]{1,120}"|“[^”\n]{1,120}”)"""
    r"""|(?P<number>\d+(?:[.,:]\d+)*)"""
)


def masked(text: str) -> str:
    """The text with e-mail addresses, URLs, dates, ids, quoted values and numbers replaced by their kind.

    >>> masked('Order #W1234567 of 2024-05-01: 3 items, "red"')
    'Order #<id> of <date>: <number> items, <quoted>'
    """
    return _MASKS.sub(lambda match: f"<{match.lastgroup}>", text)


def plain_text(message: Payload) -> str:
    """The text of a message; of a list of parts, its texts one under the other."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


@dataclass(slots=True)
class Seen:
    """A call as far as clustering needs it. `prompt`, `tools`, `text` are places in the lists of Features."""

    id: str
    prompt: int
    system: bool
    tools: int
    form: str
    text: int
    trigger: str
    """What the call answers: `user`, or the tools whose results came last."""
    action: str
    """Tools called, or `text`."""
    step: int
    weight: int
    family: str
    prompt_tokens: int | None
    output_tokens: int | None
    usd: float | None
    latency_s: float | None
    at: float | None
    reply: str
    """How the reply's text begins and how long it is: enough to guess what kind of task it is."""
    reply_chars: int

    def __reduce__(self) -> tuple[Any, ...]:
        """A million come from other processes: without the names of the fields each is a quarter of the bytes."""
        return Seen, tuple(getattr(self, name) for name in self.__slots__)


@dataclass(slots=True)
class Features:
    """The calls of a folder, with each instruction, tool set and text once."""

    calls: list[Seen] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """Instructions, cut at 60,000 characters."""
    tools: list[tuple[str, ...]] = field(default_factory=list)
    """Names, sorted."""
    texts: list[str] = field(default_factory=list)


class Table(Generic[T]):
    """A list with each value once, and where each is."""

    def __init__(self, values: list[T]) -> None:
        """values: an empty list that is filled."""
        self._values = values
        self._places: dict[T, int] = {}

    def place(self, value: T) -> int:
        """The value's place; one that is new comes last."""
        found = self._places.get(value)
        if found is None:
            found = self._places[value] = len(self._values)
            self._values.append(value)
        return found


def features_of(calls: Iterable[Call]) -> Features:
    """The features of calls, read once from the first to the last; their histories are not kept."""
    found = Features()
    prompts, tools, texts = Table(found.prompts), Table(found.tools), Table(found.texts)
    for call in calls:
        system, instruction = _instruction(call)
        trigger, text = _varying(call)
        reply = plain_text(call.reference.reply)
        found.calls.append(
            Seen(
                id=call.id,
                prompt=prompts.place(instruction[:_MOST_PROMPT]),
                system=system,
                tools=tools.place(tuple(sorted({str(tool.get("name", "")) for tool in call.tools}))),
                form=intern(_form(call.params.get("response_format"))),
                text=texts.place(text),
                trigger=intern(trigger),
                action=intern(_action(call.reference.reply)),
                step=call.step
                if call.step is not None
                else sum(one.get("role") == "assistant" for one in call.messages),
                weight=call.weight,
                family=intern(call.family),
                prompt_tokens=call.usage.prompt_tokens,
                output_tokens=call.usage.output_tokens,
                usd=call.cost_usd,
                latency_s=call.latency_s,
                at=call.at if call.at is not None and math.isfinite(call.at) else None,
                reply=reply[:160],
                reply_chars=len(reply),
            )
        )
    return found


def _instruction(call: Call) -> tuple[bool, str]:
    """Whether it is a system message, and the text: without one, the first user message."""
    first_user = ""
    for message in call.messages:
        if message.get("role") == "system":
            return True, plain_text(message)
        if message.get("role") == "user" and not first_user:
            first_user = plain_text(message)
    return False, first_user


def _varying(call: Call) -> tuple[str, str]:
    """What the call answers and its text, cut: the last user message, or the tools' results since the last reply."""
    last: list[Payload] = []
    for message in reversed(call.messages):
        if message.get("role") not in {"tool", "user"}:
            break
        last.insert(0, message)
        if message["role"] == "user":
            break
    if not last:
        last = list(call.messages[-1:])
    names = sorted({_tool_name(call, one) for one in last if one.get("role") == "tool"})
    text = "\n".join(plain_text(one) for one in last if plain_text(one))
    if len(text) > MOST_TEXT and not _only_instruction(call):
        text = text[:MOST_TEXT]
    return ("tool:" + "+".join(names) if names else str(last[-1].get("role", "user")) if last else "user"), text[:4000]


def _only_instruction(call: Call) -> bool:
    """Whether the last user message is the instruction too, so that its template is yet to be taken off."""
    return not any(message.get("role") in {"system", "assistant"} for message in call.messages)


def _tool_name(call: Call, result: Payload) -> str:
    if result.get("name"):
        return str(result["name"])
    wanted = result.get("tool_call_id")
    for message in reversed(call.messages):
        for one in message.get("tool_calls") or ():
            if wanted is not None and one.get("id") == wanted:
                return str(one.get("name", ""))
    return "result"


def _step(call: Call) -> int:
    if call.step is not None:
        return call.step
    return sum(one.get("role") == "assistant" for one in call.messages)


def _action(reply: Payload) -> str:
    names = sorted({str(one.get("name", "")) for one in reply.get("tool_calls") or ()})
    return "+".join(names) or "text"


def _form(wanted: object) -> str:
    if not isinstance(wanted, dict) or wanted.get("type") in {None, "text"}:
        return "text"
    kind = str(wanted["type"])
    schema = wanted.get("json_schema") or wanted.get("schema")
    return f"{kind}:{hashlib.sha256(canonical(schema)).hexdigest()[:8]}" if schema else kind
