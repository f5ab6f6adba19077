"""Whether one argument of a call is right, by the rules of the Berkeley Function Calling Leaderboard.

The rules are those of the reference checker (bfcl-eval 2026.3.23, `ast_eval/ast_checker.py`), down to its habits:
an integer passes for a float at the top level and nowhere below, elements are type-checked one level deep, strings are
compared without case, spaces and `,./-_*^`, but exactly where the accepted value is of another type than the declared
one (there it names a variable).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import JsonValue

from harness.records import Language
from harness.scorers.literals import read_java, read_javascript
from harness.scorers.wording import shown, shown_any

__all__ = ["ArgumentFault", "judge_argument", "standardise"]

_REMOVED = str.maketrans("'", '"', " ,./-_*^")

_PYTHON: dict[str, type] = {
    "string": str,
    "any": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
}
_JAVA: dict[str, type] = {
    **dict.fromkeys(("byte", "short", "integer", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("String", "char", "any"), str),
    **dict.fromkeys(("Array", "ArrayList"), list),
    "boolean": bool,
    "HashMap": dict,
}
_JAVASCRIPT: dict[str, type] = {
    **dict.fromkeys(("String", "any"), str),
    **dict.fromkeys(("integer", "Bigint"), int),
    "float": float,
    "Boolean": bool,
    "array": list,
    "dict": dict,
}
_KINDS: dict[Language, dict[str, type]] = {"python": _PYTHON, "java": _JAVA, "javascript": _JAVASCRIPT}


@dataclass(frozen=True, slots=True)
class ArgumentFault:
    """What is wrong with an argument."""

    miss: Literal["schema", "wrong_value"]
    words: Callable[[], str]
    """Makes `why`: most faults are held against others and never told."""

    @property
    def why(self) -> str:
        """A clause with the value seen and what is accepted."""
        return self.words()


def judge_argument(
    name: str, given: JsonValue, accepted: Sequence[JsonValue], declared: str | None, language: Language
) -> ArgumentFault | None:
    """What is wrong with the argument, or None if it is right.

    accepted: as in AcceptedCall. declared: the data set's type, such as `array<float>`; None where it declares none,
    and then the accepted values tell the type.
    """
    base, inner = _declared(declared)
    kind, inner_kind = _KINDS[language].get(base), _inner_kind(inner, language)
    if language != "python" and not isinstance(given, str):
        words = f"not a string that holds a {language} literal"
        return ArgumentFault("schema", lambda: f"{name} is {shown(given)}, {words}")
    value = _read(given, base, inner, language)
    listed = _first_type(accepted)
    kind = kind or listed or type(value)
    if kind is float and type(value) is int and language == "python":
        value = _as_float(value)
    if type(value) is kind:
        if inner_kind is not None and not _elements_fit(value, inner_kind, accepted):
            words = f"with elements that are not of type {inner}"
            return ArgumentFault("schema", lambda: f"{name} is {shown(given)}, {words}")
    elif type(value) is not listed:
        return ArgumentFault("schema", lambda: f"{name} is {shown(given)}, not of type {declared or kind.__name__}")
    is_variable = listed is not None and (listed is not kind or type(value) is not kind)
    if _fits(value, accepted, inner_kind, exactly=is_variable):
        return None
    return ArgumentFault("wrong_value", lambda: f"{name} is {shown(given)}, accepted: {shown_any(accepted)}")


def standardise(text: str) -> str:
    """The text without case, spaces and `,./-_*^`, single quotes made double.

    >>> standardise("April 1, 2024") == standardise("april 1,2024")
    True
    """
    return text.translate(_REMOVED).lower()


@lru_cache(maxsize=1024)
def _declared(declared: str | None) -> tuple[str, str | None]:
    base, opening, rest = (declared or "").partition("<")
    return base, rest.removesuffix(">") if opening else None


def _inner_kind(inner: str | None, language: Language) -> type | None:
    """The type that elements must have; None where any will do."""
    return None if inner == "any" and language != "python" else _KINDS[language].get(inner or "")


def _read(given: JsonValue, base: str, inner: str | None, language: Language) -> JsonValue:
    if not isinstance(given, str) or language == "python":
        return given
    return read_java(given, base, inner) if language == "java" else read_javascript(given, base, inner)


def _as_float(value: JsonValue) -> JsonValue:
    try:
        return float(value)  # type: ignore[arg-type]  # the caller has seen that it is an integer
    except OverflowError:
        return value


def _first_type(accepted: Sequence[JsonValue]) -> type | None:
    """Type of the first accepted value that is not the empty string; None if there is none."""
    for one in accepted:
        if one != "":
            return type(one)
    return None


def _elements_fit(value: JsonValue, inner_kind: type, accepted: Sequence[JsonValue]) -> bool:
    """Whether the elements are of the declared type, or of that of the elements of one accepted list.

    An accepted value that is no list, or an empty list, ends the check: so it does in the reference.
    """
    assert isinstance(value, list)
    for one in accepted:
        if not isinstance(one, list) or not one:
            return True
        if all(type(element) in {inner_kind, _first_type(one)} for element in value):
            return True
    return False


def _fits(value: JsonValue, accepted: Sequence[JsonValue], inner_kind: type | None, *, exactly: bool) -> bool:
    if exactly or not isinstance(value, list | dict):
        if value in accepted:
            return True
        if exactly or not isinstance(value, str):
            return False
    if isinstance(value, dict):
        return any(_object_fits(value, one) for one in accepted)
    if isinstance(value, list) and inner_kind is dict:
        return any(isinstance(one, list) and _objects_fit(value, one) for one in accepted)
    level = _level(value)
    return any(level == _level(one) for one in accepted)


def _objects_fit(value: Sequence[JsonValue], accepted: Sequence[JsonValue]) -> bool:
    return len(value) == len(accepted) and all(_object_fits(*both) for both in zip(value, accepted, strict=True))


def _object_fits(value: JsonValue, accepted: JsonValue) -> bool:
    """Whether an object has the accepted keys with accepted values; keys that accept `""` may be missing."""
    if not isinstance(value, dict) or not isinstance(accepted, dict):
        return False
    values = {key: one if isinstance(one, list) else [one] for key, one in accepted.items()}
    if any(
        key not in values or _text(one) not in [_text(other) for other in values[key]] for key, one in value.items()
    ):
        return False
    return all(key in value or "" in one for key, one in values.items())


def _text(value: JsonValue) -> JsonValue:
    return standardise(value) if isinstance(value, str) else value


def _level(value: JsonValue) -> JsonValue:
    """The value ready to compare: its strings standardised, one level deep."""
    return [_text(one) for one in value] if isinstance(value, list) else _text(value)
