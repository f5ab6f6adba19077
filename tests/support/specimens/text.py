"""One sample for each way of matching text that needs no model, and for their variants."""

from typing import Any

from harness.records import Message, Sample, TextTarget
from tests.support.specimens import Specimen

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "item": {"type": "string"},
        "count": {"type": "integer", "minimum": 1},
        "to": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    "required": ["item", "count"],
    "additionalProperties": False,
}


def sample(question: str, **target: Any) -> Sample:
    return Sample(
        id=f"text-{target['match']}",
        category=str(target["match"]),
        messages=(Message(role="user", content=question),),
        target=TextTarget(**target),
        scorer="text",
    )


SAMPLES = [
    sample("Say ok.", match="exact", accepted=("ok", "OK")),
    sample("Where is the tower?", match="normalised", accepted=("The Champ-de-Mars, Paris",)),
    sample("6 * 7?", match="numeric", accepted=("42",)),
    sample("Pi?", match="numeric", accepted=("3.14159",), tolerance=0.01, relative=True),
    sample("Which share?", match="numeric", accepted=("50%", "1/2")),
    sample("Which?", match="choice", accepted=("B",), choices=("A", "B", "C"), choice_texts=("Rome", "Paris", "Bonn")),
    sample("Is it so?", match="choice", accepted=("no",), choices=("yes", "no")),
    sample("A date?", match="regex", accepted=(r"^\d{4}-\d{2}-\d{2}$",), example="2026-01-31"),
    sample(
        "Order two pens to Bonn.",
        match="json",
        accepted=('{"item": "pen", "count": 2, "to": {"city": "Bonn"}}',),
        schema=ORDER,
    ),
    sample("Order.", match="json", accepted=('{"item": "pen", "count": 2}',), fields=("count",)),
    sample("Order.", match="json", schema=ORDER),
    sample("Sum up.", match="rouge", accepted=("The cat sat on the mat.",)),
    sample("Sum up.", match="rouge", accepted=("The cat sat on the mat.",), threshold=0.5),
]
SPECIMENS = [Specimen(one) for one in SAMPLES]
