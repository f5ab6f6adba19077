"""JSON that is safe inside HTML, and texts that stand in it once, none of them longer than a page can bear."""

import json
from dataclasses import dataclass, field
from typing import Final

import orjson
from pydantic import BaseModel, JsonValue

from harness.report.text import clip, visible

__all__ = ["LONGEST", "Json", "Texts", "html_json", "json_text", "known", "plain"]

LONGEST: Final = 20_000
"""Characters of a text that a page holds; of a longer one it holds head and tail, with a note of what is left out."""

_IN_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))

Json = dict[str, JsonValue]


def html_json(value: JsonValue) -> bytes:
    r"""JSON in which no tag, comment or entity can begin: `<`, `>` and `&` only occur inside strings, and are escaped.

    >>> html_json("</script>")
    b'"\\u003c/script\\u003e"'
    """
    text = orjson.dumps(value)
    for raw, escaped in _IN_HTML:
        text = text.replace(raw, escaped)
    return text


@dataclass(slots=True)
class Texts:
    """Every text once, fit to be shown; records refer to it by its number."""

    longest: int = LONGEST
    """Characters from which on a text is cut."""
    items: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    chars: int = 0
    """Of all items together."""

    def add(self, text: str | None) -> int | None:
        """Number of a text; None for none."""
        if text is None:
            return None
        if text not in self.index:
            shown = visible(clip(text, self.longest))
            self.index[text] = len(self.items)
            self.items.append(shown)
            self.chars += len(shown)
        return self.index[text]

    def value(self, value: object) -> int | None:
        """Number of a value's JSON; None for an empty one."""
        return None if value in (None, "", [], {}, ()) else self.add(json_text(value))


def plain(record: BaseModel) -> str:
    """A record's JSON without what it leaves unset."""
    return json_text(record.model_dump(exclude_defaults=True))


def known(values: Json) -> Json:
    """The entries that say something."""
    return {visible(key): value for key, value in values.items() if value not in (None, "", [], {})}


def json_text(value: object) -> str:
    """JSON that keeps lone surrogates, which no encoder would take, for `visible` to spell out."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
