"""The single-turn categories of the Berkeley Function Calling Leaderboard, version 4, as samples."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path

import orjson
from pydantic import JsonValue, ValidationError

from harness.errors import ConfigError, DataError
from harness.records import AcceptedCall, Language, Message, Sample, ToolTarget
from harness.suite.bfcl_schema import declared_types, tool_names, tool_of

__all__ = ["CATEGORIES", "Bfcl"]

CATEGORIES: tuple[str, ...] = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
"""In the order in which the suite yields them."""

_TEXTS = {"string", "any", "String", "char", ""}
_LISTS = {"array", "tuple", "Array", "ArrayList"}

_Object = dict[str, JsonValue]


class Bfcl:
    """Reads the data files of the bfcl-eval package."""

    name = "bfcl"

    def __init__(self, folder: Path, categories: Sequence[str] | None = None) -> None:
        """Takes the folder that holds `BFCL_v4_*.json` and `possible_answer/`, or one with `bfcl_eval/data` in it.

        categories: None for all. Raises ConfigError for a category that is none.
        """
        inner = folder / "bfcl_eval" / "data"
        self._folder = inner if inner.is_dir() else folder
        chosen = CATEGORIES if categories is None else tuple(categories)
        for one in chosen:
            if one not in CATEGORIES:
                raise ConfigError(_unknown(one))
        if not chosen:
            raise ConfigError(f"suite.categories is empty, allowed: null for all, or any of {', '.join(CATEGORIES)}")
        self.categories = tuple(one for one in CATEGORIES if one in chosen)

    def samples(self) -> Iterator[Sample]:
        """The samples by category, each in the order of its file. Raises DataError where a file is missing or odd."""
        for category in self.categories:
            yield from self._category(category)

    def _category(self, category: str) -> Iterator[Sample]:
        questions = _lines(self._folder / f"BFCL_v4_{category}.json")
        answered = not category.endswith("relevance")
        answers = _lines(self._folder / "possible_answer" / f"BFCL_v4_{category}.json") if answered else []
        for question, answer in zip_longest(questions, answers):
            if question is None or (answered and (answer is None or answer.get("id") != question.get("id"))):
                seen = (question or answer or {}).get("id")
                raise DataError(f"category {category} has questions and answers that do not belong together at {seen}")
            try:
                yield _sample(question, answer, category)
            except (KeyError, TypeError, ValueError, ValidationError) as error:
                said = " ".join(str(error).split())[:200]
                raise DataError(f"sample {question.get('id')} of category {category} cannot be read: {said}") from error


def _sample(question: _Object, answer: _Object | None, category: str) -> Sample:
    documents = _objects(question["function"])
    names = tool_names(str(one["name"]) for one in documents)
    language = _language(category)
    identity = str(question["id"])
    return Sample(
        id=identity,
        category=category,
        session=_session(identity, category),
        messages=_messages(question["question"]),
        tools=tuple(tool_of(one, names[str(one["name"])], language) for one in documents),
        target=_target(documents, answer, category, names),
        scorer="bfcl",
    )


def _language(category: str) -> Language:
    return {"simple_java": "java", "simple_javascript": "javascript"}.get(category, "python")  # type: ignore[return-value]


def _session(identity: str, category: str) -> str | None:
    """The set of functions that a live question was asked of: the middle number of `live_simple_12-7-0`."""
    found = re.fullmatch(rf"{category}_\d+-(\d+)-\d+", identity)
    return f"{category}_{found.group(1)}" if found else None


def _messages(question: JsonValue) -> tuple[Message, ...]:
    if not isinstance(question, list) or len(question) != 1:
        raise ValueError("a single-turn question has exactly one turn")
    turn = _objects(question[0])
    return tuple(Message.model_validate({"role": one["role"], "content": one["content"]}) for one in turn)


def _target(
    documents: Sequence[_Object], answer: _Object | None, category: str, names: Mapping[str, str]
) -> ToolTarget:
    if answer is None:
        return ToolTarget(expect="no_call" if category.endswith("irrelevance") else "any_call")
    by_name = {str(one["name"]): one for one in documents}
    wanted: list[AcceptedCall] = []
    types: dict[str, dict[str, str]] = {}
    for call in _objects(answer["ground_truth"]):
        ((name, arguments),) = call.items()
        wanted.append(_accepted_call(names[name], _only_object(arguments), by_name[name]))
        types[names[name]] = declared_types(by_name[name])
    return ToolTarget(expect="calls", calls=tuple(wanted), language=_language(category), types=types)


def _accepted_call(name: str, arguments: _Object, document: _Object) -> AcceptedCall:
    """The accepted call; in the data, `""` among an argument's values says that it may be left out."""
    declared = declared_types(document)
    required = set(_only_list(_only_object(document["parameters"]).get("required", [])))
    accepted: dict[str, tuple[JsonValue, ...]] = {}
    optional: list[str] = []
    for parameter, listed in arguments.items():
        values = _only_list(listed)
        others = [one for one in values if one != ""]
        # A required argument stays required though "" is accepted, unless nothing else is.
        if not others or ("" in values and parameter not in required):
            optional.append(parameter)
        accepted[parameter] = _accepted_values(others, declared.get(parameter, ""), blank=len(others) < len(values))
    return AcceptedCall(name=name, arguments=accepted, optional=tuple(sorted(optional)))


def _accepted_values(values: list[JsonValue], declared: str, *, blank: bool) -> tuple[JsonValue, ...]:
    """The values to compare with.

    Where `""` was among them (`blank`), the empty text and the empty list are values too: the reference takes them for
    it. So is the empty list where the data lists nothing at all for a list.
    """
    base = declared.partition("<")[0]
    plain = [_wrapped(one) for one in values]
    first = values[0] if values else None
    if base in _LISTS and (blank or not values) and (isinstance(first, list) or not values):
        return tuple(plain) if [] in plain else (*plain, [])
    if blank and (isinstance(first, str) or (base in _TEXTS and declared)):
        return (*plain, "")
    return tuple(plain)


def _wrapped(value: JsonValue) -> JsonValue:
    """The value with each entry of an object as a list of accepted values: one answer lacks the brackets."""
    if isinstance(value, dict):
        return {key: one if isinstance(one, list) else [one] for key, one in value.items()}
    if isinstance(value, list):
        return [_wrapped(one) if isinstance(one, dict) else one for one in value]
    return value


def _lines(path: Path) -> list[_Object]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be read from the suite's folder ({error.strerror}); fetch it anew"
        ) from error
    try:
        return [_only_object(orjson.loads(line)) for line in raw.splitlines() if line.strip()]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise DataError(f"{path.name} holds a line that is no JSON object: {error}") from error


def _objects(value: JsonValue) -> list[_Object]:
    return [_only_object(one) for one in _only_list(value)]


def _only_object(value: JsonValue) -> _Object:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, seen: {type(value).__name__}")
    return value


def _only_list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, seen: {type(value).__name__}")
    return value


def _unknown(category: str) -> str:
    near = get_close_matches(category, CATEGORIES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"suite.categories has {category!r}, allowed: {', '.join(CATEGORIES)}{hint}"
