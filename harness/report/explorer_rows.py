"""Which samples and attempts the explorer lists: a frame without any text, run by run, sample by sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from pydantic import JsonValue

from harness.records import Attempt, MissClass, Sample, Score
from harness.report.group import Group
from harness.report.links import shown_id
from harness.report.packing import Json, json_text
from harness.report.text import visible
from harness.report.view import RunView

__all__ = ["Asked", "Frame", "Lane", "frame_of", "print_of"]

_HEAD: Final = 72
"""Characters of a question that the list shows."""
_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NO_PRINT: Final = "..."


@dataclass(frozen=True, slots=True)
class Asked:
    """A line of the list."""

    id: str
    category: str
    sample: Sample | None
    """None if an attempt names a sample that the run folder does not have."""


@dataclass(slots=True)
class Lane:
    """One run: its attempts in the order of the list, and what each was worth in a few bytes."""

    run: RunView
    label: str
    suite: str
    won: str
    places: list[tuple[int, int]]
    """Number of the sample and trial of each attempt."""
    codes: list[int] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Frame:
    """All lines and lanes. `palette` holds every outcome that occurs once: value to two digits, and class of miss."""

    asked: list[Asked]
    lanes: list[Lane]
    many: bool
    palette: dict[tuple[float | None, MissClass | None], int] = field(default_factory=dict)

    def code(self, score: Score | None) -> int:
        """Number of an outcome in the palette."""
        value = None if score is None or score.value is None else score.value
        if value is not None and 0 < value < 1:
            value = min(0.99, max(0.01, round(value, 2)))
        key = (value, score.miss if score is not None else None)
        return self.palette.setdefault(key, len(self.palette))

    def index(self) -> Json:
        """What the list is drawn from, without any reply."""
        categories = list(dict.fromkeys(one.category for one in self.asked))
        number = {name: place for place, name in enumerate(categories)}
        orders: list[JsonValue] = []
        known: dict[tuple[tuple[int, int], ...], int] = {}
        runs: list[JsonValue] = []
        for lane in self.lanes:
            key = tuple(lane.places)
            if key not in known:
                known[key] = len(orders)
                orders.append(_order(lane.places))
            runs.append(_lane_json(lane, known[key], many=self.many))
        return {
            "palette": [[value, miss] for value, miss in self.palette],
            "categories": [visible(name) for name in categories],
            "samples": [_line(one, number[one.category]) for one in self.asked],
            "orders": orders,
            "runs": runs,
        }


def frame_of(groups: Sequence[Group]) -> Frame:
    """The lines of all runs that count; a sample that several runs share is there once."""
    frame = Frame([], [], many=len(groups) > 1)
    same: dict[bytes, int] = {}
    seen: dict[int, int] = {}
    for group in groups:
        for run in group.current:
            local: dict[str, int] = {}
            for sample in run.samples:
                if id(sample) not in seen:
                    seen[id(sample)] = _place_of(sample, frame, same)
                local[sample.id] = seen[id(sample)]
            frame.lanes.append(_lane(run, group, frame, local))
    return frame


def _place_of(sample: Sample, frame: Frame, same: dict[bytes, int]) -> int:
    text = json_text(sample.model_dump())
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if digest not in same:
        same[digest] = len(frame.asked)
        frame.asked.append(Asked(sample.id, sample.category, sample))
    return same[digest]


def _lane(run: RunView, group: Group, frame: Frame, local: dict[str, int]) -> Lane:
    categories = {score.sample: score.category for score in run.scores}
    keys = dict.fromkeys((one.sample, one.trial) for one in _records(run))
    for name, _ in keys:
        if name not in local:
            local[name] = len(frame.asked)
            frame.asked.append(Asked(name, categories.get(name, ""), None))
    label = group.names[run.id]
    summary = run.summary
    if summary.quantization and summary.quantization not in label:
        label += f", {summary.quantization}"
    if summary.of_run is not None:
        label += ", misses put again"
    return Lane(run, label, group.title, group.family.won, sorted((local[name], trial) for name, trial in keys))


def _records(run: RunView) -> Iterable[Attempt | Score]:
    yield from run.attempts
    yield from run.scores


def _order(places: Sequence[tuple[int, int]]) -> Json:
    """The places in few bytes: a range where they are one."""
    numbers = [place for place, _ in places]
    plain = all(trial == 0 for _, trial in places)
    if plain and all(two == one + 1 for one, two in pairwise(numbers)):
        return {"from": numbers[0] if numbers else 0, "n": len(numbers)}
    found: Json = {"s": list(numbers)}
    return found if plain else found | {"t": [trial for _, trial in places]}


def _lane_json(lane: Lane, order: int, *, many: bool) -> Json:
    found: Json = {
        "id": visible(lane.run.id),
        "label": visible(lane.label),
        "won": lane.won,
        "order": order,
        "codes": list(lane.codes),
        "prints": "" if set(lane.prints) <= {NO_PRINT} else "".join(lane.prints),
    }
    return found | ({"suite": visible(lane.suite)} if many else {})


def _line(one: Asked, category: int) -> list[JsonValue]:
    said = next((m.content for m in reversed(one.sample.messages) if m.role == "user" and m.content), "") or (
        one.sample.messages[-1].content or "" if one.sample.messages else ""
    ) if one.sample is not None else ""  # fmt: skip
    head = visible(" ".join(said[: 4 * _HEAD].split())[:_HEAD])
    return [shown_id(one.id), category, head]


def print_of(attempt: Attempt | None, score: Score | None) -> str:
    """Three characters that tell one wrong answer from another; 18 bits of a hash, so that 1 in 262,144 is missed."""
    if score is None or score.value is None or score.value == 1:
        return NO_PRINT
    if score.extracted not in (None, [], {}):
        text = json_text(score.extracted)
    elif attempt is not None and attempt.reply is not None:
        reply = attempt.reply
        text = f"{(reply.content or '').strip()}\0{''.join(call.name + call.arguments for call in reply.tool_calls)}"
    else:
        text = score.why
    found = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).digest()) & 0x3FFFF
    return _DIGITS[found >> 12] + _DIGITS[found >> 6 & 63] + _DIGITS[found & 63]
