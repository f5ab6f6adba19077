"""BFCL's multi-turn categories out of the bfcl-eval wheel: conversations about files, cars, trades, trips and more."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path

import orjson
from pydantic import JsonValue, ValidationError

from harness.environments.bfcl import MODULES
from harness.errors import ConfigError, DataError, extra
from harness.records import AgentTarget, Message, Sample, Tool, ToolCall, Turn
from harness.suite.bfcl_schema import tool_of

__all__ = ["CATEGORIES", "BfclMultiTurn", "parse_call"]

CATEGORIES: tuple[str, ...] = (
    "multi_turn_base",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_long_context",
)
"""In the order in which the suite yields them."""

_SOURCES = "eval_checker/multi_turn_eval/func_source_code"
_PROMPTS = "constants/default_prompts.py"
_OFFER = "DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC"
"""Name of the reference's words to the model when functions that were held back are offered."""

_Object = dict[str, JsonValue]
Parameters = Mapping[str, Sequence[str]]
"""Per function its parameters in order."""


class BfclMultiTurn:
    """Reads the data files, and the signatures of the classes, of the bfcl-eval package."""

    name = "bfcl_multi_turn"

    def __init__(self, folder: Path, categories: Sequence[str] | None = None) -> None:
        """Takes the folder that holds `data/`, `constants/` and `eval_checker/`, as in the wheel's `bfcl_eval`.

        categories: None for all. Raises ConfigError for a category that is none.
        """
        self._folder = folder
        chosen = CATEGORIES if categories is None else tuple(categories)
        for one in chosen:
            if one not in CATEGORIES:
                raise ConfigError(_unknown(one))
        if not chosen:
            raise ConfigError(f"suite.categories is empty, allowed: null for all, or any of {', '.join(CATEGORIES)}")
        self.categories = tuple(one for one in CATEGORIES if one in chosen)
        self._tools = cache(self._read_tools)
        self._parameters = cache(self._read_parameters)

    def samples(self) -> Iterator[Sample]:
        """The samples by category, each in the order of its file. Raises DataError where a file is missing or odd."""
        for category in self.categories:
            yield from self._category(category)

    def _category(self, category: str) -> Iterator[Sample]:
        questions = _lines(self._folder / "data" / f"BFCL_v4_{category}.json")
        answers = _lines(self._folder / "data" / "possible_answer" / f"BFCL_v4_{category}.json")
        offer = _constant(self._folder / _PROMPTS, _OFFER)
        for question, answer in zip_longest(questions, answers):
            if question is None or answer is None or answer.get("id") != question.get("id"):
                seen = (question or answer or {}).get("id")
                raise DataError(f"category {category} has questions and answers that do not belong together at {seen}")
            try:
                yield self._sample(question, answer, category, offer)
            except (KeyError, TypeError, ValueError, SyntaxError, ValidationError) as error:
                said = " ".join(str(error).split())[:200]
                raise DataError(f"sample {question.get('id')} of category {category} cannot be read: {said}") from error

    def _sample(self, question: _Object, answer: _Object, category: str, offer: str) -> Sample:
        classes = tuple(str(one) for one in _only_list(question["involved_classes"]))
        _ask_for_packages(classes)
        parameters: dict[str, Sequence[str]] = {}
        for one in classes:
            parameters |= self._parameters(one)
        held = _held_back(question.get("missed_function", {}))
        offered = [tool for one in classes for tool in self._tools(one)]
        late = {turn: tuple(tool for tool in offered if tool.name in names) for turn, names in held.items()}
        first, *later = _turns(_only_list(question["question"]), late, offer)
        identity = str(question["id"])
        truth = [_only_list(turn) for turn in _only_list(answer["ground_truth"])]
        if len(truth) != len(later) + 1:
            raise ValueError(f"{len(truth)} turns of answers for {len(later) + 1} of questions")
        return Sample(
            id=identity,
            category=category,
            session=f"multi_turn_{identity.rpartition('_')[2]}",
            messages=first.messages,
            tools=tuple(tool for tool in offered if all(tool not in tools for tools in late.values())),
            target=AgentTarget(
                environment="bfcl",
                task={
                    "classes": list(classes),
                    "config": _only_object(question["initial_config"]),
                    "long_context": category == "multi_turn_long_context",
                },
                turns=tuple(later),
                plan=tuple(tuple(parse_call(str(call), parameters) for call in turn) for turn in truth),
            ),
            scorer="agent",
        )

    def _read_tools(self, kind: str) -> tuple[Tool, ...]:
        """The functions of a class, as the wheel documents them."""
        documents = _lines(self._folder / "data" / "multi_turn_func_doc" / f"{MODULES[kind]}.json")
        return tuple(tool_of(one, str(one["name"]), "python") for one in documents)

    def _read_parameters(self, kind: str) -> Parameters:
        """The parameters of a class's functions, from its source, which is not run here."""
        module = _parsed(self._folder / _SOURCES / f"{MODULES[kind]}.py")
        found = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == kind)
        functions = [node for node in found.body if isinstance(node, ast.FunctionDef)]
        return {one.name: [argument.arg for argument in one.args.args[1:]] for one in functions}


def parse_call(text: str, parameters: Parameters) -> ToolCall:
    """A call written in Python as a record; arguments without a name get it by their place.

    Raises ValueError if it is no call of a known function with literal values.

    >>> parse_call("sort('a.txt')", {"sort": ["file_name"]}).arguments
    {'file_name': 'a.txt'}
    """
    match ast.parse(text.strip(), mode="eval").body:
        case ast.Call(ast.Name(name), placed, named) if name in parameters and len(placed) <= len(parameters[name]):
            arguments = {key: ast.literal_eval(value) for key, value in zip(parameters[name], placed, strict=False)}
            arguments |= {str(one.arg): ast.literal_eval(one.value) for one in named}
            return ToolCall(name=name, arguments=arguments)
        case _:
            raise ValueError(f"{text[:80]!r} is not a call of a function of the classes")


def _turns(questions: Sequence[JsonValue], late: Mapping[int, tuple[Tool, ...]], offer: str) -> Iterator[Turn]:
    """The turns; one that only offers functions has the reference's words for it."""
    for number, listed in enumerate(questions):
        messages = tuple(Message.model_validate(one) for one in _only_list(listed))
        if number in late:
            messages = (*messages, Message(role="user", content=offer))
        if not messages:
            raise ValueError(f"turn {number} asks nothing")
        yield Turn(messages=messages, tools=late.get(number, ()))


def _held_back(missed: JsonValue) -> dict[int, set[str]]:
    """Per turn the names of the functions that are offered only then."""
    return {int(turn): {str(name) for name in _only_list(names)} for turn, names in _only_object(missed).items()}


def _ask_for_packages(classes: Sequence[str]) -> None:
    if "MathAPI" in classes and find_spec("mpmath") is None:
        raise ConfigError(f"BFCL's MathAPI needs the package mpmath, it is not installed; type: {extra('suites')}")


def _lines(path: Path) -> list[_Object]:
    try:
        return [_only_object(orjson.loads(line)) for line in _read(path).splitlines() if line.strip()]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise DataError(f"{path.name} holds a line that is no JSON object: {error}") from error


def _constant(path: Path, name: str) -> str:
    """The text that a module gives a name, without running it."""
    for node in _parsed(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return str(ast.literal_eval(node.value))
    raise DataError(f"{path.name} has no {name}; the suite is made for bfcl-eval 2026.3.23, fetch it anew")


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(_read(path))
    except SyntaxError as error:
        raise DataError(f"{path.name} is not Python: {error}; fetch the suite's data anew") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be read from the suite's folder ({error.strerror}); fetch it anew"
        ) from error


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
