"""Sessions on record: two turns with parallel calls, one that ends with a call, and one without tools."""

from collections.abc import Sequence
from typing import Any

from harness.records import (
    Message,
    ReplayReference,
    ReplayTarget,
    Sample,
    Tool,
    ToolCall,
    TrajectoryStep,
    TrajectoryTarget,
)
from tests.support.specimens import Specimen

ORDER = {"type": "object", "properties": {"id": {"type": "string"}, "note": {"type": "string"}}, "required": ["id"]}
TOOLS = tuple(Tool(name=name, parameters=ORDER) for name in ("find_order", "find_user", "cancel_order"))


def called(name: str = "find_order", identity: str = "A1", **more: Any) -> ToolCall:
    return ToolCall(name=name, arguments={"id": identity, **more})


def step(
    *calls: ToolCall,
    says: str | None = None,
    user: str | None = None,
    also: Sequence[ReplayReference] = (),
    **more: Any,
) -> TrajectoryStep:
    """A step that makes these calls, each with a result of its own, or says something; then comes the user's turn."""
    target = ReplayTarget(references=(ReplayReference(calls=calls, text=says), *also), **more)
    then = (Message(role="user", content=user),) if user else ()
    results = tuple(f"{one.name} {one.arguments['id']}" for one in calls)
    return TrajectoryStep(target=target, results=results, then=then)


def session(*steps: TrajectoryStep, tools: tuple[Tool, ...] = TOOLS, name: str = "s", **more: Any) -> Sample:
    question = Message(role="user", content=f"Cancel my order A1, please. ({name})")
    target = TrajectoryTarget(steps=steps, **more)
    return Sample(
        id=name, category="c", session=name, messages=(question,), tools=tools, target=target, scorer="trajectory"
    )


STEPS = (
    step(called()),
    step(called("find_user", "U1"), called(identity="A2")),
    step(says="Which of the two shall I cancel?", user="The first."),
    step(called("cancel_order")),
    step(says="It is cancelled."),
)
"""Look one order up, then a user and another order at once; ask; cancel; say so."""
SPECIMENS = [
    Specimen(session(*STEPS)),
    Specimen(session(*STEPS, match="fifo", read_only=("find_order", "find_user"))),
    Specimen(session(step(called()), step(called("cancel_order")))),
    Specimen(session(step(says="Yes.", user="Sure?"), step(says="Quite sure."), tools=())),
]
