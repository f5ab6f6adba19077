"""Steps on record: one call, several, words with and without tools, JSON, and answers that differ in the decision."""

from typing import Any

from harness.records import Message, ReplayReference, ReplayTarget, Sample, Tool, ToolCall
from tests.support.specimens import Specimen

TOOLS = (
    Tool(
        name="book_room",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Paris", "Rome"]},
                "nights": {"type": "integer", "default": 1},
                "price": {"type": "number"},
                "arrival": {"type": "string", "format": "date"},
                "booking_id": {"type": "string"},
                "note": {"type": "string"},
                "guests": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}},
                "extras": {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
                "beds": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "properties": {"width": {"type": "number"}, "count": {"type": "integer", "default": 1}},
                    },
                },
            },
            "required": ["city"],
        },
    ),
    Tool(name="get_time"),
)


def called(name: str = "book_room", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def on_record(*calls: ToolCall, text: str | None = None) -> ReplayReference:
    return ReplayReference(calls=calls, text=text)


def sample(*references: ReplayReference, tools: tuple[Tool, ...] = TOOLS, **target: Any) -> Sample:
    question = Message(role="user", content="A room in Paris for two nights.")
    judged = ReplayTarget(references=references, **target)
    return Sample(id="s", category="c", messages=(question,), tools=tools, target=judged, scorer="replay")


ROOM = on_record(called(city="Paris", nights=2))
SPECIMENS = [
    Specimen(sample(ROOM)),
    Specimen(sample(on_record(called(city="Paris"), called("get_time")))),
    Specimen(sample(on_record(text="Which city do you mean?"))),
    Specimen(sample(on_record(text="Which city do you mean?"), tools=(), text="rouge")),
    Specimen(sample(on_record(text="refund"), tools=(), text="normalised")),
    Specimen(sample(on_record(text='{"intent": "refund"}'), tools=(), text="json")),
    Specimen(sample(ROOM, on_record(text="Which city do you mean?"))),
]
