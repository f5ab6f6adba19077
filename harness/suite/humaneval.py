"""HumanEval's problems as samples: the prompt to go on from, and the tests that decide."""

from collections.abc import Iterator
from pathlib import Path

from harness.errors import ConfigError, DataError
from harness.records import CodeTarget, Message, Sample
from harness.suite.evalplus import extra_tests
from harness.suite.rows import Row, read_rows
from harness.suite.spec import SuiteContext

__all__ = ["HumanEval"]

_ASKED = (
    "Complete this Python function. Answer with the whole function, with the imports it needs, in one ```python block, "
    "and with nothing that runs when the block is imported.\n\n```python\n{prompt}\n```"
)
_OPTIONS = ("extra", "file")


class HumanEval:
    """Reads `HumanEval.jsonl.gz`, and further inputs by EvalPlus where they are at hand."""

    name = "humaneval"

    def __init__(self, data: Path, extra: Path | None = None) -> None:
        """Takes the file of problems, or the folder that holds it.

        extra: EvalPlus's `HumanEvalPlus.jsonl`; then only problems that it knows are samples, and a program has to
        pass both sets of tests.
        """
        self._data, self._extra = data, extra

    @classmethod
    def from_context(cls, context: SuiteContext) -> "HumanEval":
        """As for any loader's class. Raises ConfigError for an option that there is not."""
        for name in context.options:
            if name not in _OPTIONS:
                raise ConfigError(f"suite.options has {name!r}, allowed for humaneval: {', '.join(_OPTIONS)}")
        if context.folder is None:
            raise ConfigError("this suite has no data; give it in suite.yaml, or type suite.options.file=…")
        extra = context.options.get("extra")
        return cls(context.folder, None if extra is None else Path(str(extra)).expanduser())

    def samples(self) -> Iterator[Sample]:
        """The problems in the order of the file. Raises DataError if it is of another form."""
        path = self._data / "HumanEval.jsonl.gz" if self._data.is_dir() else self._data
        extra = None if self._extra is None else extra_tests(self._extra)
        for row in read_rows(path):
            identity = str(row.get("task_id"))
            if extra is None or identity in extra:
                yield _sample(row, identity, None if extra is None else extra[identity], path.name)


def _sample(row: Row, identity: str, extra: str | None, file: str) -> Sample:
    try:
        prompt, name = str(row["prompt"]), str(row["entry_point"])
        target = CodeTarget(
            prompt=prompt,
            entry_point=name,
            tests=f"{row['test']}\ncheck({name})\n",
            extra_tests=extra,
            solution=str(row["canonical_solution"]),
        )
    except KeyError as error:
        raise DataError(f"{file} is no HumanEval file: problem {identity} lacks {error}") from error
    asked = Message(role="user", content=_ASKED.format(prompt=prompt.strip("\n")))
    return Sample(id=identity, category="humaneval", messages=(asked,), target=target, scorer="code")
