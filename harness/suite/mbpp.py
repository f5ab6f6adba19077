"""MBPP's tasks as samples: a sentence and assertions, which both are in the prompt and decide."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import JsonValue

from harness.errors import ConfigError, DataError
from harness.records import CodeTarget, Message, Sample
from harness.suite.rows import Row, read_rows
from harness.suite.spec import SuiteContext

__all__ = ["Mbpp", "Part"]

Part = Literal["test", "train", "validation", "prompt", "all"]

_PARTS: dict[Part, tuple[int, int]] = {
    "prompt": (1, 10),
    "test": (11, 510),
    "validation": (511, 600),
    "train": (601, 974),
}
"""Task numbers, first and last: Austin et al. 2021, arXiv:2108.07732, section 2.1, and the data set's own page."""
_ASKED = (
    "Write a Python program for this task. Answer with the program in one ```python block, and with nothing that runs "
    "when the block is imported.\n\n{task}\n\nIt has to pass these tests:\n```python\n{tests}\n```"
)
_OPTIONS = ("file", "part")


class Mbpp:
    """Reads the full set and the sanitised one, as Parquet, JSON lines or a JSON list."""

    name = "mbpp"

    def __init__(self, data: Path, part: Part = "test") -> None:
        self._data, self._part = data, part

    @classmethod
    def from_context(cls, context: SuiteContext) -> "Mbpp":
        """As for any loader's class. Raises ConfigError for an option or a part that there is not."""
        for name in context.options:
            if name not in _OPTIONS:
                raise ConfigError(f"suite.options has {name!r}, allowed for mbpp: {', '.join(_OPTIONS)}")
        part = context.options.get("part", "test")
        if part not in get_args(Part):
            raise ConfigError(f"suite.options.part is {part!r}, allowed: {', '.join(get_args(Part))}")
        if context.folder is None:
            raise ConfigError("this suite has no data; give it in suite.yaml, or type suite.options.file=…")
        return cls(context.folder, cast(Part, part))

    def samples(self) -> Iterator[Sample]:
        """The tasks of the part in the order of the file. Raises DataError if it is of another form."""
        for row in read_rows(self._data):
            try:
                number = int(cast(int, row["task_id"]))
                if self._part == "all" or _PARTS[self._part][0] <= number <= _PARTS[self._part][1]:
                    yield _sample(row, number)
            except (KeyError, TypeError, ValueError) as error:
                seen = row.get("task_id")
                raise DataError(f"{self._data.name} is no MBPP file: task {seen} has a wrong or no {error}") from error


def _sample(row: Row, number: int) -> Sample:
    sentence = row["prompt"] if "prompt" in row else row["text"]
    tests, code = _texts(row["test_list"]), str(row["code"]).replace("\r\n", "\n")
    before = [*_texts(row.get("test_imports") or []), str(row.get("test_setup_code") or "").replace("\r\n", "\n")]
    asked = _ASKED.format(task=str(sentence).strip(), tests="\n".join(tests))
    target = CodeTarget(
        entry_point=_entry_point(code, tests),
        tests="\n".join([*(one for one in before if one), *tests]) + "\n",
        solution=code if code.endswith("\n") else code + "\n",
    )
    messages = (Message(role="user", content=asked),)
    return Sample(id=f"MBPP/{number}", category="mbpp", messages=messages, target=target, scorer="code")


def _texts(value: JsonValue) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError("list of texts")
    return [str(one) for one in value]


def _entry_point(code: str, tests: list[str]) -> str | None:
    """The function of the solution that the first test calls; the outermost one that is the solution's own."""
    try:
        own = {one.name for one in ast.parse(code).body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
        called = [one.func.id for one in ast.walk(ast.parse(tests[0])) if _is_call_by_name(one)]  # type: ignore[attr-defined]
    except (SyntaxError, IndexError):
        return None
    return next((name for name in called if name in own), None)


def _is_call_by_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
