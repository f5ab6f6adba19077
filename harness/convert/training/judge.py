"""What the suite's own scorer thinks of the answers to the validation rows: the metric that training stops by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harness.assets import cache_dir
from harness.backends.transformers_text import Call, Speech
from harness.config import ConvertConfig
from harness.protocols import Scorer
from harness.records import Protocol, RawToolCall, Reply, Sample
from harness.records.convert import DatasetRow
from harness.scorers.context import ScorerContext, is_late, judge_seat, make_scorer
from harness.suite.spec import load_suite

__all__ = ["Judge", "judge_of"]


@dataclass(frozen=True, slots=True)
class Judge:
    """Scores what was said to validation rows as a run would."""

    scorer: Scorer
    samples: Mapping[str, Sample]
    """By id of the row."""
    protocol: Protocol

    @property
    def name(self) -> str:
        """What the metric is."""
        return f"share of {len(self.samples):,} validation rows that the scorer {self.scorer.name} finds right"

    def metric(self, said: Sequence[tuple[str, str]]) -> float | None:
        """Mean value over the rows that have a verdict, 0..1; None where none has one."""
        scores = [self._value(self.samples[row], text) for row, text in said if row in self.samples]
        known = [one for one in scores if one is not None]
        return sum(known) / len(known) if known else None

    def _value(self, sample: Sample, text: str) -> float | None:
        return self.scorer.score(sample, heard(text, self.protocol), self.protocol).value


def heard(text: str, protocol: Protocol) -> Reply:
    """What an engine makes of a text: under `native` calls between <tool_call> tags, else words.

    >>> heard('<tool_call>{"name": "f", "arguments": {}}</tool_call>', "native").tool_calls[0].name
    'f'
    """
    if protocol != "native":
        return Reply(content=text, finish_reason="stop")
    speech = Speech((), "hermes")
    pieces = [*speech.feed(text), *speech.end()]
    calls = tuple(
        RawToolCall(id=f"call_{place}", name=one.name, arguments=one.arguments)
        for place, one in enumerate(piece for piece in pieces if isinstance(piece, Call))
    )
    words = "".join(piece for piece in pieces if isinstance(piece, str))
    return Reply(content=words or None, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")


def judge_of(config: ConvertConfig, rows: Sequence[DatasetRow]) -> Judge | None:
    """The judge of validation rows; None where there are none, or where the suite's scorer judges late only."""
    if not rows:
        return None
    options = {**config.suite.options, "split": "all"}
    suite = load_suite(
        config.suite.model_copy(update={"options": options, "limit": None, "categories": None}), cache_dir()
    )
    context = ScorerContext(suite.data, suite.options, config.scoring, config.agent, judge_seat(config.scoring))
    scorer = make_scorer(suite.spec.scorer, context)
    if is_late(scorer):
        return None
    known = {sample.id: sample for sample in suite.samples}
    samples = {row.id: known[row.sample] for row in rows if row.sample in known}
    return Judge(cast(Scorer, scorer), samples, config.model.protocol) if samples else None


def read_said(file: Path) -> list[tuple[str, str]]:
    """Id of each row and what was said, as the child wrote them."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(str(one["id"]), str(one["text"])) for one in map(json.loads, lines)]
