"""A suite of one's own: one JSON object a line, short where it can be, whole where it must."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import orjson
from pydantic import JsonValue, ValidationError

from harness.config import explain_validation
from harness.config.building import LOGGED_PARAMS
from harness.errors import ConfigError, DataError
from harness.records import Sample, TextMatch
from harness.records.call import SPLITS
from harness.registry import load_plugin
from harness.suite.spec import SuiteContext

__all__ = ["OPTIONS", "Jsonl"]

_Object = dict[str, JsonValue]
_OF_ALL = (
    "match", "tolerance", "relative", "threshold", "schema", "fields", "choices", "choice_texts", "rubric", "example",
)  # fmt: skip
"""Keys of a text target that `options` may give for all lines, and a line for itself."""
_OF_ONE = ("human", "human_answer")
"""Those that a line alone can give."""
_SHORT = {"prompt", "system", "answer", "answers", *_OF_ALL, *_OF_ONE}
_LOGGED = "incumbent"
"""What the log's own model answered: for `model=incumbent`, and no part of the question."""
OPTIONS = ("file", "system", "tools", "split", "params", *_OF_ALL)
_FILE = "samples.jsonl"
_ALL = "all"


class Jsonl:
    """Reads `samples.jsonl` beside `suite.yaml`, or the file or folder that `data` names.

    A line is a whole `Sample`, or its short form: `prompt` (or `messages`), `answer` (or `answers`, any of which
    counts), and optionally `id` (else the line's number), `system`, `category`, `session`, `tools`, and a `target`
    where an answer's text is not enough. `options.split` takes the samples of one split alone, `options.params` those
    request fields of logged calls that are to be sent. `options` in suite.yaml give `system`, `tools` and how answers
    are matched (`match`, `tolerance`, `schema`, …) for all lines; a line's own wins. `human` and `human_answer` are a
    line's alone.
    """

    name = "jsonl"

    def __init__(self, file: Path, scorer: str, options: Mapping[str, JsonValue], categories: Sequence[str]) -> None:
        """Takes the file, the suite's scorer and options, and the categories to keep (none: all).

        Raises ConfigError for an option that neither this nor the scorer reads.
        """
        _check_options(options, scorer)
        self._file, self._scorer, self._options = file, scorer, options
        self._categories = tuple(categories)
        self._splits: set[str] = set()
        self._params: set[str] = set()
        split = options.get("split")
        if split not in (None, _ALL, *SPLITS):
            raise ConfigError(f"suite.options.split={split}, allowed: {', '.join(SPLITS)}, or {_ALL}")
        match = options.get("match")
        if match is not None and match not in get_args(TextMatch):
            raise ConfigError(f"suite options: match={match!r}, allowed: {', '.join(get_args(TextMatch))}")

    @classmethod
    def from_context(cls, context: SuiteContext) -> "Jsonl":
        """As for any loader's class."""
        place = context.folder or context.home
        file = place / _FILE if place.is_dir() else place
        chosen = context.config.categories or context.spec.categories
        return cls(file, context.spec.scorer, context.options, chosen)

    def samples(self) -> Iterator[Sample]:
        """The samples in the order of the file. Raises DataError with the line's number for one that makes no sense."""
        seen: dict[str, int] = {}
        try:
            lines = self._file.read_bytes().splitlines()
        except OSError as error:
            raise DataError(f"{self._file} cannot be read ({error.strerror}); put the samples there") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            sample = self._sample(line, number)
            if sample.id in seen:
                raise DataError(f"{self._file.name} lines {seen[sample.id]} and {number} have one id: {sample.id}")
            seen[sample.id] = number
            self._splits.add(sample.split or "none")
            self._params.update(sample.params)
            if self._is_chosen(sample):
                yield self._with_params(sample)
        self._check_params()

    def why_none(self) -> str:
        """Why no sample was chosen, as the end of a sentence; once all were read."""
        split = self._options.get("split")
        if split in (None, _ALL, *self._splits) or not self._splits:
            return "no sample in the categories chosen"
        held = ", ".join(one for one in (*SPLITS, "none") if one in self._splits)
        return f"no sample of the split {split}; it holds {held}; do=build takes others by build.splits=[{split},…]"

    def _check_params(self) -> None:
        sent = self._options.get("params")
        strange = [one for one in sent if one not in LOGGED_PARAMS | self._params] if isinstance(sent, list) else []
        if strange:
            there = ", ".join(sorted(LOGGED_PARAMS | self._params))
            raise ConfigError(
                f"suite.options.params={strange[0]} is no field of a logged request here; take of {there}"
            )

    def _is_chosen(self, sample: Sample) -> bool:
        split = self._options.get("split")
        return (not self._categories or sample.category in self._categories) and split in (None, _ALL, sample.split)

    def _with_params(self, sample: Sample) -> Sample:
        """The sample with only those of its logged request fields that `options` name, where they name any."""
        sent = self._options.get("params")
        if not isinstance(sent, list) or not sample.params:
            return sample
        return sample.model_copy(
            update={"params": {name: sample.params[name] for name in sent if name in sample.params}}
        )

    def _sample(self, line: bytes, number: int) -> Sample:
        where = f"{self._file.name} line {number}"
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{where} is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise DataError(f"{where} is no JSON object")
        try:
            return Sample.model_validate(self._whole(data, number))
        except ValidationError as error:
            raise DataError(f"{where}: {explain_validation(error)}") from None
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None

    def _whole(self, data: _Object, number: int) -> _Object:
        """A line with what it leaves to the suite."""
        rest = {key: value for key, value in data.items() if key not in _SHORT and key != _LOGGED}
        rest.setdefault("id", str(number))
        rest["id"] = str(rest["id"])
        rest.setdefault("category", "all")
        rest.setdefault("scorer", self._scorer)
        if "messages" not in rest:
            rest["messages"] = self._messages(data)
        if "tools" not in rest and "tools" in self._options:
            rest["tools"] = self._options["tools"]
        if "target" not in rest:
            rest["target"] = self._target(data)
        elif beside := [key for key in (*_OF_ALL, *_OF_ONE) if key in data]:
            raise ValueError(f'put "{beside[0]}" into the line\'s "target"')
        return rest

    def _messages(self, data: _Object) -> JsonValue:
        if "prompt" not in data:
            raise ValueError('a line needs "prompt" or "messages"')
        system = data.get("system", self._options.get("system"))
        first: list[JsonValue] = [{"role": "system", "content": system}] if system else []
        return [*first, {"role": "user", "content": data["prompt"]}]

    def _target(self, data: _Object) -> JsonValue:
        if "answer" not in data and "answers" not in data:
            raise ValueError('a line needs "answer", "answers" or "target"')
        given = data.get("answers", [data.get("answer")])
        answers = given if isinstance(given, list) else [given]
        told: _Object = {key: self._options[key] for key in _OF_ALL if key in self._options}
        own: _Object = {key: data[key] for key in (*_OF_ALL, *_OF_ONE) if key in data}
        return {"kind": "text", "match": "normalised", **told, **own, "accepted": [_text(one) for one in answers]}


def _check_options(options: Mapping[str, JsonValue], scorer: str) -> None:
    """Raises ConfigError for an option that neither this loader nor the scorer's class reads."""
    known = [*OPTIONS, *getattr(load_plugin("harness.scorers", scorer), "reads", ())]
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"suite options: {name} is none of them: {', '.join(known)}{hint}")


def _text(answer: JsonValue) -> JsonValue:
    """An answer as text: numbers and objects as their JSON."""
    return answer if isinstance(answer, str) else orjson.dumps(answer).decode()
