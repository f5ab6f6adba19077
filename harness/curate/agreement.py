"""The control of redaction: logged calls agree with what was asked for exactly where they did before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from harness.curate.pii.shadow import plain_text
from harness.records.logs import LogRecord

__all__ = ["Agreement", "Difference", "agreement"]

_SHORTEST = 3
"""Shorter values stand in any text by chance."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of an argument whose standing changed. Never the value itself: that may be what was to be hidden."""

    record: str
    """Id of the call."""
    tool: str
    path: str
    what: str


@dataclass(slots=True)
class Agreement:
    """Counts over calls and their redacted forms."""

    calls: int = 0
    """Tool calls."""
    values: int = 0
    """Scalars in their arguments."""
    copied: int = 0
    """Texts of them that stood verbatim in the messages before."""
    changed: int = 0
    """Scalars that redaction replaced."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """Tool calls without a difference; None without a tool call."""
        wrong = {(one.record, one.tool, one.path.partition("#")[0]) for one in self.differences}
        return None if not self.calls else 1 - len(wrong) / self.calls


def agreement(before: Sequence[LogRecord], after: Sequence[LogRecord]) -> Agreement:
    """What redaction did to the tool calls of replies: ideally nothing that a comparison could see.

    A call agrees where its tool, the keys, types and JSON of its arguments are as before, each value stands in the
    messages before it exactly where it did, and two values of a session are equal exactly where they were.
    """
    found = Agreement()
    forth: dict[tuple[str, Any], Any] = {}
    back: dict[tuple[str, Any], Any] = {}
    for old, new in zip(before, after, strict=True):
        texts = tuple("\n".join(_texts(record)) for record in (old, new))
        for number, (mine, theirs) in enumerate(zip(_calls(old), _calls(new), strict=True)):
            found.calls += 1
            where = (old.id, str(mine.get("name")), str(number))
            if mine.get("name") != theirs.get("name"):
                found.differences.append(Difference(*where, "the tool"))
            pairs = _pairs(mine.get("arguments"), theirs.get("arguments"))
            if pairs is None:
                found.differences.append(Difference(*where, "keys, types or JSON"))
                continue
            for path, value, redacted in pairs:
                found.values += 1
                found.changed += value != redacted
                said = Difference(old.id, where[1], f"{number}#{path}", _standing(found, texts, value, redacted))
                session = old.session or old.id
                if forth.setdefault((session, _typed(value)), redacted) != redacted:
                    said = Difference(*where[:2], said.path, "equal values became different")
                elif _plain(back.setdefault((session, _typed(redacted)), value)) != _plain(value):
                    said = Difference(*where[:2], said.path, "different values became equal")
                if said.what:
                    found.differences.append(said)
    return found


def _standing(found: Agreement, texts: tuple[str, ...], value: Any, redacted: Any) -> str:
    if not isinstance(value, str) or len(value) < _SHORTEST:
        return ""
    stood, stands = value in texts[0], redacted in texts[1]
    found.copied += stood
    if stood and not stands:
        return "stood in the messages, and no longer does"
    if not stands or stood or value in plain_text(texts[0]) or "".join(value.split()) in _squeezed(texts[0]):
        return ""  # written otherwise there: full-width, over two lines
    return "stands in the messages, and did not"


def _squeezed(text: str) -> str:
    return "".join(plain_text(text).replace("\\n", "\n").split())


def _plain(value: Any) -> Any:
    return plain_text(value) if isinstance(value, str) else value


def _typed(value: Any) -> tuple[str, Any]:
    return type(value).__name__, value


def _calls(record: LogRecord) -> list[dict[str, Any]]:
    replies = [one for one in (record.reply, *record.more_replies) if one is not None]
    return [call for reply in replies for call in reply.get("tool_calls") or () if isinstance(call, dict)]


def _texts(record: LogRecord) -> Iterator[str]:
    for message in record.messages:
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            yield from (str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
        for call in message.get("tool_calls") or ():
            yield str(call.get("arguments"))


def _pairs(before: Any, after: Any) -> list[tuple[str, Any, Any]] | None:
    """The scalars of both arguments side by side, with their paths; None where their structure differs."""
    mine, theirs = _loaded(before), _loaded(after)
    return _walk("", mine, theirs)


def _loaded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def _walk(path: str, before: Any, after: Any) -> list[tuple[str, Any, Any]] | None:
    if type(before) is not type(after):
        return None
    if not isinstance(before, dict | list):
        return [(path, before, after)]
    if len(before) != len(after):
        return None
    keys: Any = zip(before, after, strict=True) if isinstance(before, dict) else ((n, n) for n in range(len(before)))
    pairs: list[tuple[str, Any, Any]] = []
    for old, new in keys:
        inner = _walk(f"{path}.{old}" if path else str(old), before[old], after[new])
        if inner is None:
            return None
        pairs += inner
    return pairs
