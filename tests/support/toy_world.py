"""A small environment for tests: a box of values, with tools that hang, die and raise.

Importing this module makes it known under the entry points in `plugins/`, in this process and in its workers.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from harness.errors import DataError
from harness.protocols import WorldVerdict
from harness.records import AgentTarget, Message, Sample, Step, Tool, ToolCall, Turn, target_of

__all__ = ["TOOLS", "BrokenToy", "OpenToy", "Toy", "put", "toy_sample"]

PLUGINS = str(Path(__file__).parent / "plugins")
if PLUGINS not in sys.path:
    sys.path.append(PLUGINS)


def _tool(name: str, **fields: str) -> Tool:
    properties: JsonValue = {field: {"type": kind} for field, kind in fields.items()}
    return Tool(name=name, parameters={"type": "object", "properties": properties, "required": list(fields)})


TOOLS = (
    _tool("put", key="string", value="integer"),
    _tool("get", key="string"),
    _tool("turns"),
    _tool("hang"),
    _tool("die"),
    _tool("fail"),
    _tool("grow", megabytes="integer"),
    _tool("talk", length="integer"),
    _tool("slow", seconds="number"),
)


def put(key: str, value: int) -> ToolCall:
    return ToolCall(name="put", arguments={"key": key, "value": value})


def toy_sample(
    *plan: Sequence[ToolCall],
    wanted: dict[str, int] | None = None,
    tools: Sequence[Tool] = TOOLS,
    later: Sequence[Sequence[Tool]] = (),
    say: str = "",
    identity: str = "toy_1",
    environment: str = "toy",
    breaks: str = "",
) -> Sample:
    """A task of as many turns as the plan has; done when the box holds what is wanted: what the plan puts into it.

    later: the tools that are offered with each turn after the first. breaks: where the environment fails, `open`,
    `begin`, `second begin` or `verdict`.
    """
    puts = {str(call.arguments["key"]): call.arguments["value"] for turn in plan for call in turn if call.name == "put"}
    turns = [
        Turn(
            messages=(Message(role="user", content=f"turn {number} of {identity}"),),
            tools=tuple(later[number - 1]) if number <= len(later) else (),
        )
        for number in range(1, len(plan))
    ]
    return Sample(
        id=identity,
        category="toys",
        messages=(Message(role="user", content=f"turn 0 of {identity}"),),
        tools=tuple(tools),
        target=AgentTarget(
            environment=environment,
            task={"wanted": dict(wanted) if wanted is not None else puts, "say": say, "breaks": breaks},
            turns=tuple(turns),
            plan=tuple(tuple(turn) for turn in plan),
        ),
        scorer="agent",
    )


class Toy:
    """Boxes."""

    name = "toy"

    def __init__(self, data: Path | None) -> None:
        self.data = data

    def open(self, sample: Sample) -> "Box":
        task = target_of(sample, AgentTarget).task
        if not isinstance(task.get("wanted"), dict):
            raise DataError(f"sample {sample.id} wants nothing")
        if task.get("breaks") == "open":
            raise RuntimeError("the environment broke")
        return Box(task)

    def gold(self, sample: Sample) -> tuple[str, ...]:
        return (str(target_of(sample, AgentTarget).task["say"]),)


class OpenToy(Toy):
    """Boxes whose tools run whether they were offered or not."""

    runs_unoffered = True


class BrokenToy(Toy):
    """An environment that does not come up."""

    def __init__(self, data: Path | None) -> None:
        raise DataError("the toys are in another box")


class Box:
    def __init__(self, task: dict[str, JsonValue]) -> None:
        self.task = task
        self.values: dict[str, JsonValue] = {}
        self.turns: list[int] = []
        self.hoard: list[bytearray] = []

    def begin(self, turn: int) -> None:
        if self.task.get("breaks") == ("second begin" if turn else "begin"):
            raise RuntimeError("the environment\nbroke")
        self.turns.append(turn)

    def call(self, call: ToolCall) -> tuple[str, bool]:
        given = call.arguments
        if call.name == "put":
            self.values[str(given.get("key"))] = given.get("value")
            return "ok", False
        if call.name == "get":
            known = given.get("key") in self.values
            return (str(self.values[str(given["key"])]), False) if known else ("no such key", True)
        if call.name == "turns":
            return ",".join(map(str, self.turns)), False
        return self.misbehave(call.name, given)

    def misbehave(self, name: str, given: dict[str, JsonValue]) -> tuple[str, bool]:
        if name == "hang":
            time.sleep(600)
        if name == "die":
            os._exit(9)
        if name == "fail":
            raise RuntimeError("the tool broke")
        if name == "grow":
            self.hoard.append(bytearray(int(str(given["megabytes"])) << 20))
        if name == "slow":
            time.sleep(float(str(given["seconds"])))
            self.values["slow"] = 1
        if name == "talk":
            print("noise of a tool")
            return "w" * int(str(given["length"])), False
        return "ok", False

    def verdict(self, steps: Sequence[Step], *, ended: bool = True) -> WorldVerdict:
        if self.task.get("breaks") == "verdict":
            raise RuntimeError("the check broke")
        say, said = str(self.task["say"]), steps[-1].reply.content if steps else None
        done = self.values == self.task["wanted"] and say in (said or "")
        return WorldVerdict(
            value=float(done),
            parts={} if ended else {"put_anyway": float(done)},
            counts={"steps": (len(steps), 9)},
            why="" if done else "the box is wrong.",
        )
