"""Samples of a shop's support as `do=build` would make them, and what `prepare` is handed with them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.config import ModelConfig
from harness.convert.data.setup import Setup
from harness.records import Message, ReplayReference, ReplayTarget, Sample, Tool, ToolCall
from harness.records.convert import DatasetRow
from harness.scorers.replay import ReplayScorer
from harness.suite.spec import SuiteSpec

__all__ = ["REFUND", "TRACK", "asked", "row", "setup", "shop", "silent"]

_PLACES = ("Arden", "Bosk", "Carrow", "Dunmere", "Elsby", "Fennick", "Garth", "Holm", "Ilbury", "Jessop", "Kelda")
_THINGS = ("kettle", "lamp", "tent", "violin", "stool", "radio", "scarf", "globe", "drill", "mirror", "clock", "rake")
_WAYS = (
    "The {thing} from {place} came broken, so pay me back for order {order} at once please",
    "I never wanted a {thing}; money back on {order}, my shop is the one in {place} by the sea",
    "Hello from {place}! Order {order} has the wrong {thing} in it and I would like a refund now",
    "About {order}: that {thing} does not work, nobody in {place} can mend it, return what I paid",
    "Refund wanted. {thing} too small. Bought it while in {place} last spring, number {order}, thanks a lot",
)
REFUND = Tool(
    name="refund",
    description="Pays money back.",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "string"}, "item": {"type": "string"}},
        "required": ["order", "item"],
    },
)
TRACK = Tool(name="track", description="Tells where an order is.", parameters={"type": "object", "properties": {}})


def asked(number: int, split: str = "train", *, label: str = "human", category: str = "refunds", **more: Any) -> Sample:
    """A question that wants one call; no two of different numbers are alike."""
    place, thing = _PLACES[number % len(_PLACES)], _THINGS[number % len(_THINGS)]
    order = f"{chr(65 + number % 26)}{number * 7919 % 100_000:05d}"
    text = _WAYS[number % len(_WAYS)].format(place=place, thing=thing, order=order)
    call = ToolCall(name="refund", arguments={"order": order, "item": thing})
    fields: dict[str, Any] = {
        "id": f"{split}-{number}",
        "category": category,
        "session": f"s{split}{number}",
        "messages": (Message(role="user", content=text),),
        "tools": (REFUND, TRACK),
        "target": ReplayTarget(references=(ReplayReference(calls=(call,), label=label),)),
        "scorer": "replay",
        "split": split,
    }
    return Sample(**{**fields, **more})


def silent(number: int, split: str = "train", *, category: str = "refunds") -> Sample:
    """A question that wants words."""
    words = ReplayReference(text=f"We are open until {number}.", label="human")
    text = f"Until when is the house number {number} in {_PLACES[number % len(_PLACES)]} open on day {number * 31}?"
    return asked(
        number, split, category=category, id=f"{split}-words-{number}", session=f"w{split}{number}",
        messages=(Message(role="user", content=text),), target=ReplayTarget(references=(words,)),
    )  # fmt: skip


def shop(train: int = 12, test: int = 4, calibration: int = 0) -> list[Sample]:
    """A suite with so many questions in each split."""
    return [
        *(asked(number) for number in range(train)),
        *(asked(100 + number, "calibration") for number in range(calibration)),
        *(asked(200 + number, "test") for number in range(test)),
    ]


def setup(protocol: str = "prompted", **more: Any) -> Setup:
    """A student of that protocol before a redacted suite; lengths are those of the text in characters."""
    built = {"calls": "support", "records_hash": "abc", "redaction": {"policy": "rules", "version": 1}}
    spec = SuiteSpec(
        name="support_v1", title="x", description="x", licence="x", loader="jsonl", scorer="replay", built=built
    )
    model = ModelConfig(name="student", title="Student", licence="MIT", protocol=protocol)
    return replace(Setup(spec=spec, model=model, scorer=ReplayScorer(), lengths=_characters), **more)


def _characters(rows: Sequence[DatasetRow]) -> list[tuple[int, int]]:
    return [(sum(len(str(one["content"])) for one in row.messages), len(str(row.reply))) for row in rows]


def row(**more: Any) -> DatasetRow:
    """A row."""
    fields: dict[str, Any] = {
        "id": "r1",
        "sample": "s1",
        "messages": ({"role": "user", "content": "Refund A1"},),
        "reply": {"role": "assistant", "content": "Done."},
        "source": "human",
        "wants_call": False,
    }
    return DatasetRow(**{**fields, **more})
