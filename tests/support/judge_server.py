"""A judge that can be relied on: a loopback server which reads what it is shown and grades by equality."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PriceConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts
from harness.scorers.context import JudgeSeat
from tests.support.openai_server import Step, reply, serve

Body = dict[str, Any]
Judge = Callable[[int, Body], Sequence[Step]]


def shown(body: Body) -> dict[str, str]:
    """What stands between the marks of a request, by name, in the order in which it is shown."""
    text = body["messages"][1]["content"]
    return {m[2]: m[3] for m in re.finditer(r"\[(\w{12}) ([a-z ]+)\]\n(.*?)\n\[end \1 \2\]", text, re.DOTALL)}


def verdict(**fields: object) -> list[Step]:
    return reply(json.dumps(fields))


def fair(number: int, body: Body) -> list[Step]:
    """Full marks, or a tie, for an answer that is the reference's; the least, or a loss, for another."""
    parts = shown(body)
    if "answer to grade" in parts:
        right = parts["answer to grade"] in parts.get("reference answer", "").split("\n\nor\n\n")
        return verdict(reason="as seen", score=5 if right else 1)
    first, second = parts["first answer"], parts["second answer"]
    better = "tie" if first == second else "first" if len(first) > len(second) else "second"
    return verdict(reason="as seen", better=better)


class ScriptedBackend:
    """A backend whose server answers by a script; `bodies` are the requests of all its sittings."""

    name = "endpoint"

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.bodies: list[Body] = []

    def prepare(self) -> None:
        return None

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        return self._serve()

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[Endpoint]:
        async with serve(self.judge) as server:
            server.bodies = self.bodies
            yield Endpoint(base_url=server.url, model="judge", facts=BackendFacts(name="endpoint"))


def seat(judge: Judge = fair, *, price: PriceConfig | None = None, **run: Any) -> JudgeSeat:
    config = RunConfig(
        do="run",
        suite=SuiteConfig(name="x"),
        model=ModelConfig(name="judge-model", title="Judge", licence="x", price=price, hosted=price is not None),
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="x", title="x"),
        run=RunnerConfig(deadline_s=10, stall_s=10, **run),
    )
    return JudgeSeat(config, ScriptedBackend(judge))
