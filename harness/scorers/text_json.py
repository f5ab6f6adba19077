"""JSON answers: read strictly out of a reply, held against a schema, and compared field by field."""

import re
from functools import lru_cache

from pydantic import JsonValue

from harness.records import TextTarget
from harness.scorers.text_schema import SlowPatternError, schema_complaint
from harness.scorers.text_verdict import Judged, quoted, unreadable_target
from harness.scorers.wording import plain_json, shown
from harness.toolcalling.strict_json import NotJson, read, read_at

__all__ = ["answer_json", "judge_json", "judge_json_value", "same_json"]

_FENCE = re.compile(r"^[ \t]{0,3}```[ \t]*\w*[ \t]*\n(.*?)^[ \t]{0,3}```", re.MULTILINE | re.DOTALL)
_OPENING = re.compile(r'\{\s*+"|\[\s*+[{"]')
_ABSENT = object()


def answer_json(text: str) -> JsonValue:
    """The JSON value that a reply gives as its answer. Raises NotJson with the reason; nothing is repaired.

    The whole text; else the one fenced block whose content is JSON; else the one object, or list of objects or texts,
    that stands in prose. Several different values, or a broken one in prose, are no answer.
    """
    try:
        return read(text)
    except NotJson as error:
        whole = str(error)
    fenced = [value for match in _FENCE.finditer(text) if (value := _read_or_none(match[1])) is not _ABSENT]
    found = fenced or _in_prose(text)
    if not found:
        raise NotJson(whole if text[:1] in {"{", "["} else "there is no JSON object or list in the reply")
    try:
        several = any(not same_json(one, found[0]) for one in found[1:])
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    if several:
        raise NotJson(f"there are {len(found)} different JSON values in the reply")
    return found[0]  # type: ignore[return-value]


def _read_or_none(text: str) -> object:
    try:
        return read(text)
    except NotJson:
        return _ABSENT


def _in_prose(text: str) -> list[object]:
    """Objects and lists of objects or texts in prose, outermost, in order. Raises NotJson where one is broken."""
    found: list[object] = []
    position = 0
    while opening := _OPENING.search(text, position):
        value, position = read_at(text, opening.start())
        found.append(value)
    return found


def judge_json(answer: str, target: TextTarget, sample: str) -> Judged:
    """The verdict on a reply's text: the JSON in it by `answer_json`, then `judge_json_value`; errors as that one's."""
    try:
        value = answer_json(answer)
    except NotJson as error:
        counts = _none_right(target, sample)
        return Judged(0.0, "decode", f"the answer is not JSON: {error}", _parts_of_nothing(target), counts)
    return judge_json_value(value, target, sample)


def judge_json_value(value: JsonValue, target: TextTarget, sample: str) -> Judged:
    """1 if the value fulfils the schema and all fields equal those of an accepted answer, whichever fits best.

    Parts: `valid_json`; `valid_schema` where there is a schema; `fields`, the share of equal fields, where there is an
    accepted answer. Counts: `fields`. Numbers are equal by value (1 and 1.0), true and 1 are not; a field's value must
    be equal in full. Fields beyond those of the accepted answer are the schema's business. A pattern of the schema that
    runs away is the suite's fault, not the model's: no value. Raises DataError for a schema or an accepted answer that
    is none.
    """
    parts = {"valid_json": 1.0}
    complaint = None
    if target.schema_ is not None:
        try:
            complaint = schema_complaint(value, target, sample)
        except SlowPatternError as slow:
            return Judged(None, None, str(slow), extracted=plain_json(value))
        parts["valid_schema"] = float(complaint is None)
    counts: dict[str, tuple[int, int]] = {}
    wrong = ""
    if target.accepted:
        right, of, wrong = _best(value, target, sample)
        parts["fields"], counts["fields"] = right / of, (right, of)
    extracted = plain_json(value)
    if complaint is not None:
        return Judged(0.0, "schema", f"the JSON does not fulfil the schema: {complaint}", parts, counts, extracted)
    if wrong:
        return Judged(0.0, "wrong_answer", wrong, parts, counts, extracted)
    return Judged(1.0, None, "", parts, counts, extracted)


def _parts_of_nothing(target: TextTarget) -> dict[str, float]:
    schema = {"valid_schema": 0.0} if target.schema_ is not None else {}
    return {"valid_json": 0.0, **schema} | ({"fields": 0.0} if target.accepted else {})


def _none_right(target: TextTarget, sample: str) -> dict[str, tuple[int, int]]:
    return {"fields": (0, len(_fields(_accepted(target.accepted[0], sample), target)))} if target.accepted else {}


def _best(value: JsonValue, target: TextTarget, sample: str) -> tuple[int, int, str]:
    """Equal fields, fields, and what is wrong with the first that is not; of the accepted answer that fits best."""
    results = []
    for text in target.accepted:
        accepted = _accepted(text, sample)
        fields = _fields(accepted, target)
        wrong = [name for name in fields if not same_json(_at(value, name), _at(accepted, name))]
        results.append((len(fields) - len(wrong), len(fields), _wrong(value, accepted, wrong[0]) if wrong else ""))
    return max(results, key=lambda one: (one[0] / one[1], one[1]))


@lru_cache(maxsize=4096)
def _accepted(text: str, sample: str) -> JsonValue:
    """An accepted answer. Raises DataError for one that is not JSON."""
    try:
        return read(text)
    except NotJson as error:
        raise unreadable_target(sample, f"the accepted answer {quoted(text)} is not JSON: {error}") from None


def _fields(accepted: JsonValue, target: TextTarget) -> tuple[str, ...]:
    """Names of what is compared; `("",)` is the value as a whole."""
    if target.fields is not None:
        return target.fields or ("",)
    return tuple(accepted) if isinstance(accepted, dict) and accepted else ("",)


def _at(value: object, name: str) -> object:
    """What lies at a key, or at a path of keys with points between; `_ABSENT` if nothing does."""
    if not name:
        return value
    if isinstance(value, dict) and name in value:
        return value[name]
    head, point, rest = name.partition(".")
    inside = value.get(head, _ABSENT) if isinstance(value, dict) else _ABSENT
    return _at(inside, rest) if point else inside


def _wrong(value: JsonValue, accepted: JsonValue, name: str) -> str:
    return f"{name or 'the value'} is {_shown(value, name)}, accepted: {_shown(accepted, name)}"


def _shown(value: JsonValue, name: str) -> str:
    found = _at(value, name)
    return "missing" if found is _ABSENT else shown(found)  # type: ignore[arg-type]


def same_json(left: object, right: object) -> bool:
    """Whether two JSON values are equal: numbers by value, but true and 1 are not, and order counts in lists.

    >>> same_json({"a": [1, 2.0]}, {"a": [1.0, 2]}), same_json(True, 1)
    (True, False)
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same_json(one, two) for one, two in zip(left, right, strict=True))
    return (type(left) is type(right) or _numbers(left, right)) and left == right


def _numbers(left: object, right: object) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)
