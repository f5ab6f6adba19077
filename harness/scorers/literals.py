"""Java and JavaScript values out of the source text that BFCL has them passed as.

What can be read follows the reference checker (bfcl-eval 2026.3.23, `ast_eval/type_convertor`), which reads a handful
of literal forms and leaves everything else a text. Two things are read better here, since there the data set's own
answers could not be reached: quotes around the strings of a Java array, and elements of a list of `any`.
"""

import re
from collections.abc import Callable

from pydantic import JsonValue

__all__ = ["read_java", "read_javascript"]

_LONGEST, _DEEPEST = 4_000, 20
"""Characters and levels of brackets beyond which a text is not taken for a literal."""
_LONGEST_NUMBER = 300
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_QUOTES = "\"'`"
_MARKS = re.compile(r"\\.|[\"'`()\[\]{},]", re.DOTALL)
"""What matters for the structure of a literal; an escaped character is passed over."""

_JAVA_NUMBER = r"-?\d+(\.\d+)?([eE][+-]?\d+)?"
_JAVA_LIST = re.compile(r"new\s+ArrayList<\w*>\(")
_JAVA_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{")
_JAVA_MAP = re.compile(r"new\s+HashMap<[^()]*>\s*\(\)\s*(\{\s*\{)?")
_JAVA_PUT = re.compile(r"\bput\(")
_JAVA_ADD = re.compile(r"\badd\(")
_JAVA_AS_LIST = re.compile(r"Arrays\.asList\(")
_JS_ARRAY = re.compile(r"\[|new\s+Array\(")


def read_java(text: str, base: str, inner: str | None) -> JsonValue:
    """The value of a Java literal of the declared type, or the text itself where it is no such literal.

    base, inner: as declared, such as `ArrayList` and `long`; inner is None for what has no elements.
    """
    if _too_much(text):
        return text
    readers: dict[str, Callable[[str], JsonValue]] = {
        "ArrayList": lambda whole: _java_list(whole, inner),
        "Array": lambda whole: _java_array(whole, inner),
        "HashMap": _java_map,
    }
    return readers[base](text) if base in readers else _java_scalar(text, base)


def read_javascript(text: str, base: str, inner: str | None) -> JsonValue:
    """The value of a JavaScript literal of the declared type, or the text itself where it is no such literal."""
    if _too_much(text):
        return text
    if base == "array":
        return _js_array(text.strip(), inner)
    if base == "dict":
        return _js_object(text.strip())
    return _js_scalar(text, base)


def _too_much(text: str) -> bool:
    return len(text) > _LONGEST or max((depth for _, depth in _levels(text, 0)), default=0) > _DEEPEST


def _java_scalar(text: str, base: str) -> JsonValue:
    number = text.removesuffix("\n")
    if len(number) > _LONGEST_NUMBER:
        return text
    if base in {"byte", "short", "integer"}:
        return int(number) if re.fullmatch(r"-?\d+", number) else text
    if base == "long":
        return int(number[:-1]) if re.fullmatch(r"-?\d+[lL]", number) else text
    if base == "float":
        return float(number[:-1]) if re.fullmatch(_JAVA_NUMBER + "[fF]", number) else text
    if base == "double":
        return float(number) if re.fullmatch(_JAVA_NUMBER, number) else text
    if base == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _java_list(text: str, inner: str | None) -> JsonValue:
    head = _JAVA_LIST.search(text)
    within = _enclosed(text, head.end() - 1) if head else None
    if head is None or within is None:
        return text
    items = _JAVA_AS_LIST.match(within)
    if items is not None:
        listed = _enclosed(within, items.end() - 1)
        # The reference's pattern does not cross lines here, nor in arrays.
        return text if listed is None or "\n" in listed else [_java_element(one, inner) for one in _split(listed)]
    if within:
        return text
    body = re.match(r"\s*\{\{(.*)\}\}", text[head.end() + 1 :], re.DOTALL)
    return [_java_element(one, inner) for one in _arguments(body.group(1), _JAVA_ADD)] if body else []


def _java_array(text: str, inner: str | None) -> JsonValue:
    head = _JAVA_ARRAY.search(text)
    within = _enclosed(text, head.end() - 1) if head else None
    if within is None or "\n" in within:
        return text
    return [_java_element(one, inner) for one in _split(within)]


def _java_map(text: str) -> JsonValue:
    head = _JAVA_MAP.search(text)
    if head is None:
        return text
    if head.group(1) is None:
        return {}
    within = _enclosed(text, head.end() - 1)
    if within is None:
        return text
    entries: dict[str, JsonValue] = {}
    for put in _arguments(within, _JAVA_PUT):
        parts = _split(put)
        if len(parts) == 2 and _quoted(parts[0], '"'):
            entries[parts[0][1:-1]] = _java_plain(parts[1])
    return entries


def _java_element(text: str, inner: str | None) -> JsonValue:
    if inner == "String":
        return text[1:-1] if _quoted(text, '"') else text
    if inner == "char":
        return text[1:-1] if _quoted(text, "'") else text
    return _java_plain(text) if inner in {None, "any"} else _java_scalar(text, inner or "")


def _java_plain(text: str) -> JsonValue:
    """A value by the form of its own literal, where no type is declared."""
    if _quoted(text, '"'):
        return text[1:-1]
    for base in ("boolean", "long", "float"):
        value = _java_scalar(text, base)
        if not isinstance(value, str):
            return value
    return _number(text)


def _js_scalar(text: str, base: str) -> JsonValue:
    if base == "String":
        return text[1:-1] if _quoted(text, '"') or _quoted(text, "'") else text
    number = text.removesuffix("\n")
    if len(number) > _LONGEST_NUMBER:
        return text
    if base == "integer":
        return int(number) if re.fullmatch(r"-?\d+", number) else text
    if base == "float":
        return float(number) if re.fullmatch(r"-?\d+(\.\d+)?", number) else text
    if base == "Bigint":
        return int(number[:-1]) if re.fullmatch(r"-?\d+n", number) else text
    if base == "Boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _js_array(text: str, inner: str | None) -> JsonValue:
    head = _JS_ARRAY.match(text)
    within = _enclosed(text, head.end() - 1) if head else None
    # The reference's patterns for arrays and objects do not cross lines.
    if within is None or "\n" in within:
        return text
    return [_js_element(one, inner) for one in _split(within)]


def _js_object(text: str) -> JsonValue:
    within = _enclosed(text, 0) if text.startswith("{") else None
    if within is None or "\n" in within:
        return text
    entries: dict[str, JsonValue] = {}
    for one in _split(within):
        key, colon, value = one.partition(":")
        if colon:
            entries[key.strip().strip("'\"")] = _js_entry(value.strip())
    return entries


def _js_entry(text: str) -> JsonValue:
    if text.startswith("["):
        return _js_array(text, None)
    if text.startswith("{"):
        return _js_object(text)
    # As in the reference, a quoted number or boolean of an object counts as the number or boolean.
    return _js_plain(text.strip("'\""))


def _js_element(text: str, inner: str | None) -> JsonValue:
    if text.startswith("["):
        return _js_array(text, None)
    if text.startswith("{"):
        return _js_object(text)
    return _js_plain(text) if inner in {None, "any", "array", "dict"} else _js_scalar(text, inner or "")


def _js_plain(text: str) -> JsonValue:
    value = _js_scalar(text, "Boolean")
    if not isinstance(value, str):
        return value
    return text[1:-1] if _quoted(text, '"') or _quoted(text, "'") else _number(text)


def _number(text: str) -> JsonValue:
    if len(text) <= _LONGEST_NUMBER and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if len(text) <= _LONGEST_NUMBER and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return float(text)
    return text


def _quoted(text: str, quote: str) -> bool:
    return len(text) >= 2 and text.startswith(quote) and text.endswith(quote)


def _arguments(text: str, call: re.Pattern[str]) -> list[str]:
    """What stands between the brackets of each call."""
    found = (_enclosed(text, hit.end() - 1) for hit in call.finditer(text))
    return [within.strip() for within in found if within is not None]


def _enclosed(text: str, start: int) -> str | None:
    """What stands between the bracket at `start` and its partner; None if that is missing."""
    for at, depth in _levels(text, start):
        if depth == 0:
            return text[start + 1 : at]
    return None


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket and no quotes; a last one that is blank is left out."""
    cuts = [at for at, depth in _levels(text, 0) if depth == 0 and text[at] == ","]
    starts, ends = [0, *(at + 1 for at in cuts)], [*cuts, len(text)]
    parts = [text[low:high].strip() for low, high in zip(starts, ends, strict=True)]
    return parts if parts[-1] else parts[:-1]


def _levels(text: str, start: int) -> list[tuple[int, int]]:
    """Position and depth in brackets of each bracket and comma from `start` on that stands in no quotes.

    Quotes count only if they come in pairs: with one missing, the reference still finds its way, so we do.
    """
    levels: list[tuple[int, int]] = []
    depth, quote = 0, ""
    marks = _MARKS.finditer(text, start)
    for mark in marks:
        character, at = mark.group(), mark.start()
        if character in _QUOTES:
            quote = "" if quote == character else quote or character
        elif not quote and character in _BRACKETS:
            depth += _BRACKETS[character]
            levels.append((at, depth))
        elif not quote and character == ",":
            levels.append((at, depth))
    return _levels(re.sub(r"[\\\"'`]", "x", text), start) if quote else levels
