"""IFEval's and IFBench's prompts as samples: one user message each, with the instructions that a program checks."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import orjson
from pydantic import JsonValue, ValidationError

from harness.errors import ConfigError, DataError
from harness.records import Instruction, InstructionTarget, Message, Sample
from harness.scorers.instruct_language import language_folder
from harness.suite.spec import SuiteContext

__all__ = ["CATEGORIES", "Ifbench", "Ifeval"]

CATEGORIES = ("one_instruction", "two_instructions", "three_instructions")
"""By how many instructions a prompt has: the more, the harder. Three stands for any more, too."""

_TAGGED = "words:start_verb"
"""The one type whose checker needs a file that no package carries."""


class Ifeval:
    """Reads IFEval's prompts: JSON lines of `key`, `prompt`, `instruction_id_list` and `kwargs`, also gzipped."""

    name = "ifeval"
    checker: Literal["ifeval", "ifbench"] = "ifeval"
    file = "input_data.jsonl"

    def __init__(self, data: Path, categories: Sequence[str] | None = None, *, tagger: bool = False) -> None:
        """Takes the file of prompts, or the folder that holds it under its usual name.

        categories: None for all. tagger: whether NLTK's tagger is at hand, for IFBench's one type that needs it.
        Raises ConfigError for a category that is none.
        """
        self._data, self._tagger = data, tagger
        self._categories = tuple(categories or CATEGORIES)
        for one in self._categories:
            if one not in CATEGORIES:
                raise ConfigError(f"suite.categories has {one!r}, allowed: {', '.join(CATEGORIES)}, or null for all")

    @classmethod
    def from_context(cls, context: SuiteContext) -> "Ifeval":
        """As for any loader's class; the checkers' language data is fetched along with the prompts."""
        language_folder()  # now, not after the last reply; `do=fetch` brings it for machines off the network
        if context.folder is None:
            raise ConfigError(f"suite {context.spec.name} names no data; give `data` in its suite.yaml")
        chosen = context.config.categories or context.spec.categories
        return cls(context.folder, chosen or None, tagger=bool(context.options.get("tagger")))

    def samples(self) -> Iterator[Sample]:
        """The samples in the order of the file. Raises DataError with the line's number for one that cannot be read."""
        seen: set[str] = set()
        for number, line in enumerate(self._lines(), 1):
            if not line.strip():
                continue
            try:
                sample = self._sample(orjson.loads(line))
            except (KeyError, TypeError, ValueError, ValidationError) as error:
                said = " ".join(str(error).split())[:200]
                raise DataError(f"line {number} of {self._data.name} is no {self.name} prompt: {said}") from None
            if sample.id in seen:
                raise DataError(f"line {number} of {self._data.name} has the key of an earlier line: {sample.id}")
            seen.add(sample.id)
            if sample.category in self._categories and self._can_be_judged(sample):
                yield sample

    def _lines(self) -> list[bytes]:
        file = self._data / self.file if self._data.is_dir() else self._data
        try:
            raw = file.read_bytes()
            return (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).splitlines()
        except (OSError, EOFError) as error:
            raise DataError(f"{file} cannot be read ({error}); fetch the suite anew, or correct `data`") from None

    def _sample(self, line: Mapping[str, JsonValue]) -> Sample:
        identities, arguments = line["instruction_id_list"], line["kwargs"]
        if not isinstance(identities, list) or not isinstance(arguments, list) or len(identities) != len(arguments):
            raise TypeError("instruction_id_list and kwargs are lists of one length")
        instructions = tuple(
            Instruction(id=str(identity), arguments=self._given(one))
            for identity, one in zip(identities, arguments, strict=True)
        )
        prompt = str(line["prompt"])
        return Sample(
            id=f"{self.name}_{line['key']}",
            category=CATEGORIES[min(len(instructions), len(CATEGORIES)) - 1],
            messages=(Message(role="user", content=prompt),),
            target=InstructionTarget(checker=self.checker, prompt=prompt, instructions=instructions),
            scorer="instruct",
        )

    def _given(self, arguments: JsonValue) -> dict[str, JsonValue]:
        """The arguments that count as given: in IFEval not the false ones, as in lm-eval; in IFBench not null."""
        if not isinstance(arguments, dict):
            raise TypeError("kwargs holds an object for each instruction")
        return {
            name: value
            for name, value in arguments.items()
            if (value if self.checker == "ifeval" else value is not None)
        }

    def _can_be_judged(self, sample: Sample) -> bool:
        if self._tagger or self.checker == "ifeval" or not isinstance(sample.target, InstructionTarget):
            return True
        return all(one.id != _TAGGED for one in sample.target.instructions)


class Ifbench(Ifeval):
    """Reads IFBench's prompts, which have the same form. Without a tagger, those of `words:start_verb` are left out."""

    name = "ifbench"
    checker = "ifbench"
    file = "data/IFBench_test.jsonl"
