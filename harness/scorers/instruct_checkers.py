"""The checkers of instructions: lm-eval's 25 for IFEval and IFBench's own 58, run as they are where they are right.

Their modules are run from their files under names of their own, with stand-ins for what they import. That leaves out
seconds of imports, their downloads at import, and their dice: both draw an argument at random where one is missing.
"""

import builtins
import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Literal, NoReturn, Protocol

from pydantic import JsonValue

from harness.errors import ConfigError, DataError
from harness.records import Instruction
from harness.scorers.instruct_language import language_folder, missing_package, seeded_langdetect, still_nltk

__all__ = ["Checked", "Checkers", "ifbench_checkers", "ifeval_checkers"]

_NOT_READ = (ArithmeticError, LookupError, ValueError, RecursionError, csv.Error)
"""What checkers raise on replies they were not written for: no words at all, JSON nested 1,000 deep, a broken table."""


class _Checker(Protocol):
    """The shape that both libraries share."""

    def build_description(self, **arguments: JsonValue) -> str:
        """Takes the arguments; the instruction in words."""
        ...

    def check_following(self, value: str) -> bool:
        """Whether a text follows it."""
        ...


@dataclass(frozen=True, slots=True)
class Checked:
    """An instruction ready to be checked."""

    id: str
    words: str
    """The instruction with its arguments, as the library words it."""
    checker: _Checker

    def follows(self, text: str) -> bool:
        """Whether a text follows the instruction; one that its checker cannot cope with does not."""
        try:
            return bool(text.strip() and self.checker.check_following(text))
        except _NOT_READ:
            return False


@dataclass(frozen=True, slots=True)
class Checkers:
    """The instruction types of one benchmark."""

    kinds: Mapping[str, Callable[[str], _Checker]]
    drops: Literal["false", "null"]
    """Which arguments do not count as given: lm-eval leaves out whatever is false, IFBench what is null."""

    def check(self, instruction: Instruction) -> Checked:
        """The instruction with its checker. Raises DataError for an unknown type and for arguments it cannot have."""
        kind = self.kinds.get(instruction.id)
        if kind is None:
            near = get_close_matches(instruction.id, self.kinds, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise DataError(f"instruction {instruction.id!r} is not known, allowed: {', '.join(self.kinds)}{hint}")
        keeps = bool if self.drops == "false" else _is_given
        arguments = {name: value for name, value in instruction.arguments.items() if keeps(value)}
        checker = _own_checker(instruction.id, arguments) or kind(instruction.id)
        try:
            words = checker.build_description(**arguments)
        except _DrawnError:
            given = ", ".join(arguments) or "none"
            raise DataError(
                f"instruction {instruction.id} lacks an argument, given: {given}; add it to `kwargs`, since its "
                "checker would make one up"
            ) from None
        except (TypeError, ValueError) as error:
            raise DataError(f"instruction {instruction.id} does not take these arguments: {error}") from None
        return Checked(instruction.id, " ".join(words.split()), checker)


def _is_given(value: JsonValue) -> bool:
    return value is not None


@lru_cache(maxsize=1)
def ifeval_checkers() -> Checkers:
    """IFEval's, from the installed lm-eval. Raises ConfigError without it, AssetError without the language data."""
    found = find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise missing_package(ModuleNotFoundError(name="lm_eval"))
    folder = Path(found.submodule_search_locations[0]) / "tasks" / "ifeval"
    instead: dict[str, object] = {
        "random": _Dice(),
        "nltk": still_nltk(language_folder()),
        "langdetect": seeded_langdetect(),
        "immutabledict": SimpleNamespace(immutabledict=MappingProxyType),
    }
    home = SimpleNamespace()
    instead["lm_eval.tasks.ifeval"] = home
    return Checkers(_registry(folder, home, instead), drops="false")


@lru_cache(maxsize=4)
def ifbench_checkers(folder: Path, tagger: Path | None = None) -> Checkers:
    """IFBench's, from the folder of its files. Raises ConfigError without the packages that they need.

    tagger: as in `still_nltk`.
    """
    try:
        import emoji
        import syllapy
    except ModuleNotFoundError as error:
        raise missing_package(error) from None
    home = SimpleNamespace()
    instead: dict[str, object] = {
        "random": _Dice(),
        "nltk": still_nltk(language_folder(), tagger),
        "emoji": emoji,
        "syllapy": syllapy,
        "spacy.cli": SimpleNamespace(download=lambda _name: None),  # fetched at import there, and never used
        "ifbench.instructions_util": home,
        "ifbench.instructions": home,
    }
    return Checkers(_registry(folder, home, instead), drops="null")


def _registry(
    folder: Path, home: SimpleNamespace, instead: Mapping[str, object]
) -> dict[str, Callable[[str], _Checker]]:
    """Runs the three files of a library, each seeing those before it through `home`; its table of instructions."""
    for name in ("instructions_util", "instructions", "instructions_registry"):
        module = _run_file(folder / f"{name}.py", instead)
        if hasattr(module, "logger"):
            module.logger.disabled = True  # one error for each reply whose language cannot be told
        setattr(home, name, module)
    found: dict[str, Callable[[str], _Checker]] = home.instructions_registry.INSTRUCTION_DICT
    return found


def _run_file(file: Path, instead: Mapping[str, object]) -> ModuleType:
    """A module made from a file; what it imports is taken from `instead` where it is there."""

    def take(name: str, *rest: object) -> object:
        return instead[name] if name in instead else builtins.__import__(name, *rest)  # type: ignore[arg-type]

    try:
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigError(
            f"{file.name} of the checkers cannot be read ({error.strerror}); fetch the suite anew"
        ) from None
    module = ModuleType(f"{__name__}.{file.stem}")
    module.__dict__["__builtins__"] = vars(builtins) | {"__import__": take}
    exec(code, module.__dict__)
    return module


class _DrawnError(Exception):
    """A checker wanted to make an argument up."""


class _Dice:
    """In place of the module `random`."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def draw(*_arguments: object, **_options: object) -> NoReturn:
            raise _DrawnError(name)

        return draw


def _own_checker(kind: str, arguments: Mapping[str, JsonValue]) -> _Checker | None:
    """A checker of ours for the arguments that the library's replaces by random ones."""
    if kind == "keywords:letter_frequency":
        letter = str(arguments.get("letter", "")).lower()
        return _SignFrequency() if letter and not (len(letter) == 1 and "a" <= letter <= "z") else None
    if kind == "repeat:repeat_span" and 0 in (arguments.get("n_start"), arguments.get("n_end")):
        return _WordSpan()
    return None


class _SignFrequency:
    """Counts any sign, such as `#`: lm-eval draws a random letter instead of one that is not from a to z."""

    def build_description(self, **arguments: JsonValue) -> str:
        self._sign = str(arguments["letter"]).strip().lower()
        relation, times = arguments.get("let_relation"), arguments.get("let_frequency")
        if relation not in {"less than", "at least"} or not isinstance(times, int):
            raise _DrawnError
        self._less, self._times = relation == "less than", times
        return f"In your response, the sign {self._sign} should appear {relation} {times} times."

    def check_following(self, value: str) -> bool:
        seen = value.lower().count(self._sign)
        return seen < self._times if self._less else seen >= self._times


class _WordSpan:
    """Compares words by their places, the first being 0: IFBench draws a random place instead of 0."""

    def build_description(self, **arguments: JsonValue) -> str:
        text, start, end = (arguments.get(name) for name in ("prompt_to_repeat", "n_start", "n_end"))
        if not isinstance(text, str) or not isinstance(start, int) or not isinstance(end, int):
            raise _DrawnError
        self._wanted = text.strip().lower().split()[start:end]
        return f"Copy the span of words that lies between (and including) index {start} and {end}."

    def check_following(self, value: str) -> bool:
        return value.strip().lower().split() == self._wanted
