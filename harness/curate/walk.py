"""Every text of a logged call, wherever it stands: content, arguments, results, JSON within strings, keys, headers."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.curate.json_text import Scalar, as_json, quoted, scalars
from harness.curate.pii.names import family_names, given_names
from harness.curate.pii.places import words
from harness.records.logs import Payload

__all__ = ["DROPPED", "Leaf", "Walk"]

DROPPED = frozenset(words("authorization proxy-authorization cookie set-cookie x-api-key api-key x-auth-token"))
"""Headers that are left out of what else was logged: nothing is ever derived from them."""
_AS_THEY_ARE = frozenset({"role", "tool_call_id", "finish_reason"})
_DATA_URI = re.compile(r"data:[\w.+\-]+/[\w.+\-]+[;,]", re.IGNORECASE)
"""Of pictures and sound. `data: {…}` is a line of an event stream."""
_DEEPEST = 60
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_PARTS = frozenset(
    words(
        "user users customer client human person guest member caller visitor patient assistant agent system bot model "
        "tool function developer admin support service example test default anonymous unknown main helper the a of and"
    )
)
"""Names of parts that are played, of nobody."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is done with texts. Each gets the field (key path, or None) and the part of the call it stands in."""

    text: Callable[[str, str | None, str], str]
    number: Callable[[str, str, str], str]
    key: Callable[[str, str], str]
    whole: Callable[[str, str], None]
    """Told of a text that is JSON before its scalars are looked at one by one."""
    dropped: Callable[[str], None]
    """Told of a header that is left out."""


class Walk:
    """Applies a leaf to all texts; what nothing changes in comes back as the same object."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    def message(self, message: Payload, where: str | None = None) -> Payload:
        """A message in normal form, or a reply."""
        role = str(message.get("role") or "assistant")
        where = where or role
        changed: Payload = {}
        for key, value in message.items():
            new = self._of_message(key, value, role, where)
            if new is not value:
                changed[key] = new
        return {**message, **changed} if changed else message

    def _of_message(self, key: str, value: Any, role: str, where: str) -> Any:
        if key in _AS_THEY_ARE:
            return value
        if key == "content" or key == "reasoning":
            return self.text(value, None, where) if isinstance(value, str) else self.value(value, "", where)
        if key == "tool_calls":
            return self._calls(value)
        if key == "name":
            return self._speaker(value, role, where) if isinstance(value, str) else value
        return self.value(value, key, where)

    def _speaker(self, name: str, role: str, where: str) -> str:
        """The `name` of a message: a user's is somebody's, a tool's nobody's, an agent's where it is a listed name."""
        words = [word.lower() for word in _WORD.findall(name)]
        if role == "tool" or (not _DIGIT.search(name) and all(word in _PARTS for word in words)):
            return name
        someone = role == "user" or any(word in given_names() or word in family_names() for word in words)
        return self.text(name, ("user.name" if " " in name else "user_name") if someone else None, where)

    def _calls(self, calls: Any) -> Any:
        if not isinstance(calls, list):
            return self.value(calls, "", "arguments")
        new = [self._call(call) if isinstance(call, dict) else call for call in calls]
        return calls if all(old is one for old, one in zip(calls, new, strict=True)) else new

    def _call(self, call: Payload) -> Payload:
        arguments = call.get("arguments")
        new = (
            self.text(arguments, None, "arguments")
            if isinstance(arguments, str)
            else self.value(arguments, "", "arguments")
        )
        return call if new is arguments else {**call, "arguments": new}

    def value(self, value: Any, path: str, where: str, depth: int = 0) -> Any:
        """A JSON value. path: keys from the outermost in, none for a value that no field names."""
        if isinstance(value, str):
            return value if _DATA_URI.match(value) else self.text(value, path or None, where)
        if isinstance(value, bool) or value is None:
            return value
        if depth > _DEEPEST:
            return self._too_deep(value, where)
        if isinstance(value, int):
            new = self._leaf.number(str(value), path, where)
            return value if new == str(value) else int(new)
        if isinstance(value, float):
            new = self._leaf.number(str(value), path, where)
            return value if new == str(value) else float(new)
        if isinstance(value, list | tuple):
            items = [self.value(one, path, where, depth + 1) for one in value]
            return value if all(old is one for old, one in zip(value, items, strict=True)) else items
        return self._object(value, path, where, depth) if isinstance(value, dict) else value

    def _too_deep(self, value: Any, where: str) -> Any:
        """What lies deeper than anybody looks, as one text; left as a text where it is no JSON afterwards."""
        text = json.dumps(value, ensure_ascii=False)
        new = self._leaf.text(text, None, where)
        try:
            return value if new == text else json.loads(new)
        except ValueError:
            return new

    def _object(self, value: Mapping[str, Any], path: str, where: str, depth: int) -> Any:
        new, same = {}, True
        for key, one in value.items():
            if where in ("extra", "params") and key.lower() in DROPPED:
                self._leaf.dropped(key.lower())
                same = False
                continue
            fresh_key = self._leaf.key(key, where)
            fresh = self.value(one, f"{path}.{key}" if path else key, where, depth + 1)
            same = same and fresh_key == key and fresh is one
            new[fresh_key] = fresh
        return value if same else new

    def text(self, text: str, field: str | None, where: str, depth: int = 0) -> str:
        """A text; one that is JSON scalar by scalar, every other byte of it as it was."""
        if depth > 4 or not as_json(text):
            return self._leaf.text(text, field, where)
        self._leaf.whole(text, where)
        pieces: list[str] = []
        done = 0
        for scalar in scalars(text):
            new = self._scalar(scalar, field, where, depth)
            if new != scalar.value:
                pieces += (text[done : scalar.start], quoted(new, text) if scalar.is_string else new)
                done = scalar.end
        return text if not pieces else "".join((*pieces, text[done:]))

    def _scalar(self, scalar: Scalar, field: str | None, where: str, depth: int) -> str:
        if scalar.is_key:
            return self._leaf.key(scalar.value, where)
        path = f"{field}.{scalar.path}" if field and scalar.path else scalar.path or field
        if not scalar.is_string:
            return self._leaf.number(scalar.value, path or "", where)
        return self.text(scalar.value, path, where, depth + 1)
