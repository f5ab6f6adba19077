"""Whether one argument of a replayed call is what the log has, by the types of the tool's own JSON Schema.

Rules, in order: null and an argument left out are the same where the schema does not require it, and both are the
default where it has one. Truth values and types are exact. Numbers are equal within a relative tolerance. Objects are
compared key by key in any order, lists in order unless `uniqueItems` makes them sets. Strings are exact (white space
around them aside) if they have an enum, const, format or pattern, or a name that means an identifier, a date, code or
a place to find something, or if they are no prose. What is left is free text: equal in normal form, or near enough by
the F1 of its words (SQuAD's measure).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson
from pydantic import JsonValue

from harness.scorers.text_words import normal_form, token_f1
from harness.scorers.wording import shown
from harness.toolcalling.schema import json_type

__all__ = ["ABSENT", "Difference", "Rules", "differences", "is_free_text"]

ABSENT = object()
"""What stands for an argument that is not there."""
_LEAST_WORDS = 3
_PROSE_FRAC = 0.75
_DEEPEST = 40
_LONGEST = 20_000
"""Characters of a free text that are compared by words; longer ones have to be equal."""
_LONGEST_SET = 200
"""Items of a list in any order that are compared each with each."""
_EXACT = frozenset({
    "id", "ids", "uuid", "guid", "key", "keys", "code", "codes", "cmd", "command", "commands", "query", "sql",
    "script", "path", "paths", "file", "files", "filename", "url", "uri", "link", "email", "mail", "phone", "zip",
    "postcode", "date", "datetime", "day", "time", "timestamp", "number", "hash", "sha", "token", "regex", "pattern",
    "expression", "expr", "formula", "str", "iban", "currency", "locale", "lang", "language", "version", "ref",
    "branch", "src", "source",
})  # fmt: skip
"""Words in an argument's name that make its text exact."""
_WORD_OF_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

Fault = Literal["schema", "missing_argument", "extra_argument", "wrong_value"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of a target."""

    tolerance: float
    free_text: float | None
    """F1 from which on a free text is right; None: only an equal normal form is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as in the reference, below one argument."""

    miss: Fault
    place: tuple[str, ...]
    """Names from the argument down."""
    given: object
    wanted: object
    f1: float | None = None
    """Of a free text that is near enough to count: a difference only where everything has to be exact."""

    @property
    def why(self) -> str:
        """A clause with the value seen and the one on record."""
        return f"{'.'.join(self.place) or 'the value'} is {_told(self.given)}, on record: {_told(self.wanted)}"


def _told(value: object) -> str:
    return "left out" if value is ABSENT else shown(value)  # type: ignore[arg-type]  # JSON otherwise


def differences(given: object, wanted: object, schema: JsonValue, rules: Rules) -> Iterator[Difference]:
    """Where a value differs from the one on record; nothing where it is the same.

    given, wanted: JSON, or ABSENT. schema: of the value; references in it are looked up within itself.
    """
    yield from _compare(given, wanted, _Node(schema, schema, ()), rules, 0)


@dataclass(frozen=True, slots=True)
class _Node:
    schema: JsonValue
    root: JsonValue
    place: tuple[str, ...]
    required: bool = False

    def below(self, name: str, schema: JsonValue, *, required: bool = False) -> "_Node":
        return _Node(schema, self.root, (*self.place, name), required)

    @property
    def name(self) -> str:
        return next((part for part in reversed(self.place) if not part.isdigit()), "")


def _compare(given: object, wanted: object, node: _Node, rules: Rules, depth: int) -> Iterator[Difference]:
    schema = _resolved(node.schema, node.root, wanted)
    if not node.required or "default" in schema:
        given, wanted = _filled(given, schema), _filled(wanted, schema)
    if wanted is ABSENT or given is ABSENT:
        if wanted is not given:
            yield Difference("extra_argument" if wanted is ABSENT else "missing_argument", node.place, given, wanted)
        return
    if isinstance(given, dict) and isinstance(wanted, dict) and depth < _DEEPEST:
        yield from _objects(given, wanted, _Node(schema, node.root, node.place), rules, depth)
    elif isinstance(given, list) and isinstance(wanted, list) and depth < _DEEPEST:
        yield from _lists(given, wanted, _Node(schema, node.root, node.place), rules, depth)
    elif (found := _plain(given, wanted, schema, node, rules)) is not None:
        yield found


def _filled(value: object, schema: Mapping[str, JsonValue]) -> object:
    """The value with null for "not given" and the schema's default in its place, where it has one."""
    if value is not None and value is not ABSENT:
        return value
    default = schema.get("default", ABSENT)
    return ABSENT if default is None else default


def _objects(
    given: Mapping[str, object], wanted: Mapping[str, object], node: _Node, rules: Rules, depth: int
) -> Iterator[Difference]:
    schema = node.schema if isinstance(node.schema, dict) else {}
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    others = schema.get("additionalProperties")
    for name in dict.fromkeys((*wanted, *given)):
        must = isinstance(required, list) and name in required
        below = node.below(name, known.get(name, others if isinstance(others, dict) else None), required=must)
        yield from _compare(given.get(name, ABSENT), wanted.get(name, ABSENT), below, rules, depth + 1)


def _lists(
    given: Sequence[object], wanted: Sequence[object], node: _Node, rules: Rules, depth: int
) -> Iterator[Difference]:
    schema = node.schema if isinstance(node.schema, dict) else {}
    if len(given) != len(wanted):
        yield Difference("wrong_value", node.place, given, wanted)
        return
    if schema.get("uniqueItems") is True:
        given, wanted = _as_sets(given, wanted, node, rules, depth)
    for at, (one, other) in enumerate(zip(given, wanted, strict=True)):
        yield from _compare(one, other, node.below(str(at), schema.get("items"), required=True), rules, depth + 1)


def _as_sets(
    given: Sequence[object], wanted: Sequence[object], node: _Node, rules: Rules, depth: int
) -> tuple[Sequence[object], Sequence[object]]:
    """Both in an order in which equal items stand side by side, by the rules of the items; long lists by their JSON."""
    if len(wanted) > _LONGEST_SET:
        return sorted(given, key=_order), sorted(wanted, key=_order)
    schema = node.schema if isinstance(node.schema, dict) else {}
    below = node.below("0", schema.get("items"), required=True)
    rest, pairs, lonely = list(given), [], []
    for one in wanted:
        found = next((at for at, it in enumerate(rest) if not any(_compare(it, one, below, rules, depth + 1))), None)
        if found is None:
            lonely.append(one)
        else:
            pairs.append((rest.pop(found), one))
    pairs += zip(sorted(rest, key=_order), sorted(lonely, key=_order), strict=True)
    return [one for one, _ in pairs], [one for _, one in pairs]


def _order(value: object) -> str:
    """A key that sorts JSON of any kind, the same for 1 and 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return str(type(value))


def _plain(
    given: object, wanted: object, schema: Mapping[str, JsonValue], node: _Node, rules: Rules
) -> Difference | None:
    """Two values of which at most one is an object or a list."""
    wrong: Fault = "wrong_value" if _same_type(given, wanted) else "schema"
    if wrong == "schema" or isinstance(wanted, bool) or wanted is None:
        return None if given is wanted else Difference(wrong, node.place, given, wanted)
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return None if _near(given, wanted, rules.tolerance) else Difference(wrong, node.place, given, wanted)
    if not (isinstance(given, str) and isinstance(wanted, str)):  # nested too deeply to be followed
        return None if given == wanted else Difference(wrong, node.place, given, wanted)
    if given.strip() == wanted.strip():
        return None
    if not is_free_text(node.name, wanted, schema) or max(len(given), len(wanted)) > _LONGEST:
        return Difference(wrong, node.place, given, wanted)
    if (form := normal_form(wanted)) and form == normal_form(given):
        return None
    f1 = token_f1(given, wanted)
    near = rules.free_text is not None and f1 >= rules.free_text
    return Difference(wrong, node.place, given, wanted, f1 if near else None)


def _same_type(given: object, wanted: object) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return isinstance(given, bool) and isinstance(wanted, bool)
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return True
    return type(given) is type(wanted)


def _near(given: float, wanted: float, tolerance: float) -> bool:
    if given == wanted:
        return True
    try:
        return math.isclose(given, wanted, rel_tol=tolerance, abs_tol=0.0)
    except OverflowError:
        return False


def is_free_text(name: str, wanted: str, schema: Mapping[str, JsonValue]) -> bool:
    """Whether a string on record is prose, which can be said in other words.

    >>> is_free_text("summary", "The customer wants a refund.", {}), is_free_text("order_id", "the blue one here", {})
    (True, False)
    """
    if any(key in schema for key in ("enum", "const", "format", "pattern")):
        return False
    if not _EXACT.isdisjoint(word.lower() for word in _WORD_OF_NAME.findall(name)):
        return False
    words = wanted.split()
    prose = sum(word.strip(".,;:!?\"'()").replace("'", "").replace("-", "").isalpha() for word in words)
    return len(words) >= _LEAST_WORDS and prose / len(words) >= _PROSE_FRAC


def _resolved(schema: JsonValue, root: JsonValue, wanted: object) -> dict[str, JsonValue]:
    """The schema with references followed, and of several choices the first that takes the value on record."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            schema = _found(schema["$ref"], root)
            continue
        parts = schema.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
            schema = {**parts[0], **{name: one for name, one in schema.items() if name != "allOf"}}
            continue
        choices = schema.get("anyOf", schema.get("oneOf"))
        if not isinstance(choices, list) or not choices:
            return schema
        outer = {name: one for name, one in schema.items() if name not in {"anyOf", "oneOf"}}
        chosen = next((one for one in choices if _may_be(wanted, one, root)), {})
        schema = {**chosen, **outer} if isinstance(chosen, dict) else outer
    return {}


def _found(reference: JsonValue, root: JsonValue) -> JsonValue:
    place: JsonValue = root
    for part in str(reference).removeprefix("#").split("/")[1:]:
        place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
    return place


def _may_be(value: object, schema: JsonValue, root: JsonValue) -> bool:
    """Whether a schema's type takes a value; one that names no type does not tell."""
    if isinstance(schema, dict) and "$ref" in schema:
        schema = _found(schema["$ref"], root)
    declared = schema.get("type") if isinstance(schema, dict) else None
    kinds = {json_type(one) for one in (declared if isinstance(declared, list) else [declared])}
    return value is not ABSENT and _kind(value) & kinds != set()


def _kind(value: object) -> set[str | None]:
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return {"number", "integer"}
    kinds: tuple[tuple[type, str], ...] = ((float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return {next((name for kind, name in kinds if isinstance(value, kind)), "null")}
