"""A router with two models, a policy's folder and a log."""

from pathlib import Path
from typing import Any

import orjson

from harness.router import Router, RouterOptions
from tests.support.routes import Json, Model, called, deploy, policy, request, spoken

__all__ = ["LARGE", "SMALL", "WORDS", "Bench", "lines"]

SMALL, LARGE = called({"order_id": "A12"}), called({"order_id": "A12", "fast": True})
WORDS = spoken("Which order?")


def lines(folder: Path, kind: str) -> list[Json]:
    """In order of time: each router has a file of its own."""
    found = [orjson.loads(one) for path in folder.glob(f"{kind}-*.jsonl") for one in path.read_bytes().splitlines()]
    return sorted(found, key=lambda one: one.get("at") or one["timestamp"])


class Bench:
    """A router with two models and a log."""

    def __init__(self, folder: Path, small: Any = SMALL, large: Any = LARGE, **more: Any) -> None:
        self.small = small if isinstance(small, Model) else Model(small)
        self.large = large if isinstance(large, Model) else Model(large)
        self.folder, self.log = folder / "policy", folder / "log"
        deploy(self.folder, more.pop("policy", policy()), more.pop("control", None))
        options = RouterOptions(**more.pop("options", {}))
        clients = {"small": self.small, "large": self.large}
        self.router = Router(self.folder, clients, log=self.log, options=options, **more)

    async def ask(self, **more: Any) -> Any:
        return await self.router.acompletion(request(**more))

    async def decisions(self) -> list[Json]:
        await self.router.aclose(60)
        return lines(self.log, "decisions")
