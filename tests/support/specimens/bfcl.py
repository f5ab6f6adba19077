"""Samples of single tool calls: one call, two calls, no call, any call."""

from harness.records import AcceptedCall, Message, Sample, Tool, ToolTarget
from tests.support.specimens import Specimen

TOOLS = (
    Tool(
        name="book_room",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}, "nights": {"type": "integer"}},
            "required": ["city"],
        },
    ),
    Tool(name="get_time"),
)
ROOM = AcceptedCall(name="book_room", arguments={"city": ("Paris",), "nights": (2, 3)}, optional=("nights",))
TIME = AcceptedCall(name="get_time", arguments={})
TYPES = {"book_room": {"city": "string", "nights": "integer"}, "get_time": {}}


def sample(target: ToolTarget) -> Sample:
    question = Message(role="user", content="A room in Paris for two nights.")
    return Sample(id="s", category="c", messages=(question,), tools=TOOLS, target=target, scorer="bfcl")


SPECIMENS = [
    Specimen(sample(ToolTarget(expect="calls", calls=(ROOM,), types=TYPES))),
    Specimen(sample(ToolTarget(expect="calls", calls=(ROOM, TIME), types=TYPES))),
    Specimen(sample(ToolTarget(expect="no_call"))),
    Specimen(sample(ToolTarget(expect="any_call"))),
]
