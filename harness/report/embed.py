"""The samples and replies of a page as JSON that is safe inside HTML, each text once, within a size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from harness.records import Attempt, Score
from harness.report.embed_attempt import answer_json, verdict_json
from harness.report.embed_sample import sample_json
from harness.report.group import Group
from harness.report.packing import Json, Texts, html_json
from harness.report.text import clip, visible
from harness.report.view import RunView

__all__ = ["BUDGET_BYTES", "Embedded", "embed", "html_json"]

BUDGET_BYTES: Final = 4_500_000
_SHORTEST: Final = 160
"""Texts are never cut below this many characters: what is left could not be understood."""
_STEPS: Final = (60, 30, 15, 8, 4)
"""How many steps of an attempt are kept, from the first of these on with which the frame leaves room for texts."""
_FRAME_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Embedded:
    """The data of the explorer, and what had to be shortened for it."""

    json: str
    cut_to: int | None
    """Characters that the longest texts were cut to; None if all are whole."""
    steps_to: int | None = None
    """Steps that the longest tasks were cut to; None if all are whole."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Everything but the texts, which it names by number."""

    texts: Texts
    samples: list[JsonValue]
    runs: list[JsonValue]

    @property
    def rest(self) -> Json:
        return {"samples": self.samples, "runs": self.runs}


def embed(groups: Sequence[Group], budget: int = BUDGET_BYTES) -> Embedded:
    """What the sample explorer reads: `texts`, `samples` shared by the runs, and `runs` with their attempts.

    budget: bytes that the JSON should stay within. Of agents' tasks the middle steps go first, if what is left without
    any text is too much; then the longest texts are shortened, with a note of how much, until it fits or until none is
    longer than 160 characters. No sample is ever dropped.
    """
    frame, steps_to = _frame(groups, None), None
    room = budget - len(html_json(frame.rest))
    for most in _STEPS if _has_steps(groups) else ():
        if room >= budget * (1 - _FRAME_SHARE):
            break
        frame, steps_to = _frame(groups, most), most
        room = budget - len(html_json(frame.rest))
    whole, cut_to = _fit([visible(text) for text in frame.texts.items], room)
    return Embedded(html_json({"texts": list(whole), **frame.rest}).decode(), cut_to, steps_to)


def _has_steps(groups: Sequence[Group]) -> bool:
    return any(attempt.steps for group in groups for run in group.current for attempt in run.attempts)


def _frame(groups: Sequence[Group], most_steps: int | None) -> _Frame:
    frame = _Frame(Texts(), [], [])
    places: dict[bytes, int] = {}
    many = len(groups) > 1
    for group in groups:
        frame.runs.extend(_run(run, group, frame, places, most_steps, many=many) for run in group.current)
    return frame


def _fit(texts: Sequence[str], budget: int) -> tuple[list[str], int | None]:
    """The texts, cut to the greatest length at which all of them fit into the budget."""
    sizes = [len(html_json(text)) + 1 for text in texts]
    if sum(sizes) <= budget:
        return list(texts), None
    low, high = _SHORTEST, max(map(len, texts))
    while high - low > max(8, low // 50):
        middle = (low + high) // 2
        size = sum(
            len(html_json(clip(text, middle))) + 1 if len(text) > middle else own
            for text, own in zip(texts, sizes, strict=True)
        )
        low, high = (middle, high) if size <= budget else (low, middle)
    return [clip(text, low) for text in texts], low


def _run(
    run: RunView, group: Group, frame: _Frame, places: dict[bytes, int], most_steps: int | None, *, many: bool
) -> Json:
    local: dict[str, int] = {}
    for sample in run.samples:
        shown = sample_json(sample, frame.texts)
        identity = html_json(shown)
        if identity not in places:
            places[identity] = len(frame.samples)
            frame.samples.append(shown)
        local[sample.id] = places[identity]
    rows: list[JsonValue] = []
    for attempt, score in _outcomes(run):
        name = attempt.sample if attempt else score.sample if score else ""
        if name not in local:
            local[name] = len(frame.samples)
            category = visible(score.category) if score else ""
            frame.samples.append({"id": visible(name), "category": category, "missing": True})
        trial = attempt.trial if attempt else score.trial if score else 0
        row: Json = {"s": local[name], **({"t": trial} if trial else {})}
        verdict = verdict_json(score, frame.texts, calls_shown=bool(attempt and attempt.steps))
        rows.append({**row, **verdict, **answer_json(attempt, frame.texts, most_steps)})
    summary = run.summary
    label = group.names[run.id]
    if summary.quantization and summary.quantization not in label:
        label += f", {summary.quantization}"
    if summary.of_run is not None:
        label += ", misses put again"
    found: Json = {"id": visible(run.id), "label": visible(label), "won": group.family.won, "rows": rows}
    return found | ({"suite": visible(group.title)} if many else {})


def _outcomes(run: RunView) -> list[tuple[Attempt | None, Score | None]]:
    attempts = {attempt.key: attempt for attempt in run.attempts}
    scores = run.by_key
    return [(attempts.get(key), scores.get(key)) for key in dict.fromkeys([*attempts, *scores])]
