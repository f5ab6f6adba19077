"""The texts of the explorer in parts: a few samples each, with what every run answered to them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import JsonValue

from harness.records import Attempt, Score, attempt_key
from harness.report.call_verdicts import held
from harness.report.embed_attempt import answer_json, verdict_json
from harness.report.embed_sample import sample_json
from harness.report.explorer_rows import Frame, Lane, print_of
from harness.report.links import shown_id
from harness.report.packing import Json, Texts, html_json, known
from harness.report.text import visible
from harness.report.view import RunView
from harness.store.outcomes import Outcomes

__all__ = ["MOST_STEPS", "PART_BYTES", "Part", "parts_of"]

PART_BYTES: Final = 1_000_000
"""From here on a part is closed: what a browser loads and reads in a moment."""
MOST_STEPS: Final = 200
"""Steps of one attempt that a page holds: the first ones and the last."""


@dataclass(frozen=True, slots=True)
class Part:
    """Samples `first` to `last` with their attempts, as JSON that is safe inside HTML."""

    first: int
    last: int
    body: bytes


class Source(Protocol):
    """Where the outcomes of a run are read from, one at a time."""

    def of(self, sample: str, trial: int) -> tuple[Attempt | None, Score | None]:
        """The last outcome of an attempt, as far as there is one."""
        ...


class _Memory:
    """Outcomes of a run that is held whole."""

    def __init__(self, run: RunView) -> None:
        self._attempts = {one.key: one for one in run.attempts}
        self._scores = run.by_key

    def of(self, sample: str, trial: int) -> tuple[Attempt | None, Score | None]:
        key = attempt_key(sample, trial)
        return self._attempts.get(key), self._scores.get(key)


@contextmanager
def _sources(frame: Frame) -> Iterator[list[Source]]:
    with ExitStack() as stack:
        yield [
            _Memory(lane.run) if lane.run.folder is None else stack.enter_context(Outcomes(lane.run.folder))
            for lane in frame.lanes
        ]


@dataclass(slots=True)
class _Draft:
    """A part in the making."""

    texts: Texts = field(default_factory=Texts)
    samples: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    size: int = 0

    def full(self) -> bool:
        return self.size + self.texts.chars > PART_BYTES

    def add(self, into: list[bytes], value: JsonValue) -> None:
        into.append(html_json(value))
        self.size += len(into[-1])

    def body(self) -> bytes:
        texts = html_json(list[JsonValue](self.texts.items))
        return b'{"texts":%b,"samples":[%b],"rows":[%b]}' % (texts, b",".join(self.samples), b",".join(self.rows))


def parts_of(frame: Frame) -> Iterator[Part]:
    """All samples with all their attempts, in order, a part at a time; what each was worth is noted in its lane.

    Of a run on disk one attempt is held at a time, and of the result one part.
    """
    with _sources(frame) as sources:
        at = [0] * len(frame.lanes)
        draft, first = _Draft(), 0
        for place, asked in enumerate(frame.asked):
            shown = {"missing": True} if asked.sample is None else sample_json(asked.sample, draft.texts)
            draft.add(draft.samples, {**shown, "id": shown_id(asked.id), "category": visible(asked.category)})
            for number, lane in enumerate(frame.lanes):
                while at[number] < len(lane.places) and lane.places[at[number]][0] == place:
                    row = _row(frame, lane, at[number], sources[number], draft.texts)
                    draft.add(draft.rows, [number, at[number], row])
                    at[number] += 1
            if draft.full():
                yield Part(first, place, draft.body())
                draft, first = _Draft(), place + 1
        if draft.samples:
            yield Part(first, len(frame.asked) - 1, draft.body())


def _row(frame: Frame, lane: Lane, row: int, source: Source, texts: Texts) -> Json:
    place, trial = lane.places[row]
    asked = frame.asked[place]
    attempt, score = source.of(asked.id, trial)
    lane.codes.append(frame.code(score))
    lane.prints.append(print_of(attempt, score))
    verdict = verdict_json(score, texts, calls_shown=bool(attempt and attempt.steps))
    compared = held(asked.sample, score, texts)
    return known({**verdict, "held": compared, **answer_json(attempt, texts, MOST_STEPS)})
