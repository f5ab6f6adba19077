"""What the exports share: the folder, whole chats, the base's name, and sentences on what was left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import orjson
import yaml
from pydantic import JsonValue

from harness.convert.data.files import write_whole
from harness.convert.data.setup import Setup
from harness.records.convert import DatasetRow

__all__ = ["Export", "JsonObject", "LeftOut", "Writer", "calls_of", "chat_of"]

JsonObject: TypeAlias = dict[str, JsonValue]


class LeftOut(Exception):  # a reason to leave a row out, no error
    """Why a format cannot hold a row; the message is a clause that is counted."""


@dataclass(slots=True)
class Export:
    """One format's folder while it is written."""

    folder: Path
    name: str
    train: Sequence[DatasetRow]
    validation: Sequence[DatasetRow]
    setup: Setup
    notes: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """Where that program finds the weights: the hub's repository, or what stands for a folder of one's own."""
        hub = self.setup.model.weights.safetensors
        return hub.repo if hub is not None else "./checkpoint"

    @property
    def max_tokens(self) -> int:
        """Of a row."""
        counted = [
            (row.prompt_tokens or 0) + (row.reply_tokens or 0) for row in self.train if row.prompt_tokens is not None
        ]
        return self.setup.max_tokens or max(counted, default=4096)

    def lines(self, file: str, rows: Iterable[DatasetRow], make: Callable[[DatasetRow], JsonObject]) -> int:
        """Writes a JSON line for each row that the format holds, and notes those it cannot; how many were written."""
        written, left = [], Counter[str]()
        for row in rows:
            try:
                written.append(orjson.dumps(make(row)))
            except LeftOut as reason:
                left[str(reason)] += 1
        write_whole(self.folder / file, b"".join(line + b"\n" for line in written))
        self.notes += [f"{self.name}: {count:,} rows are not in {file}: {reason}" for reason, count in left.items()]
        return len(written)

    def yaml(self, file: str, comment: str, value: Mapping[str, JsonValue]) -> None:
        """Writes a configuration under a line of comment."""
        told = "".join(f"# {line}\n" for line in comment.splitlines())
        text = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=110)
        write_whole(self.folder / file, f"{told}{text}".encode())

    def text(self, file: str, text: str) -> None:
        """Writes a file as it is."""
        write_whole(self.folder / file, text.encode())


Writer = Callable[[Export], None]


def chat_of(row: DatasetRow) -> list[JsonObject]:
    """The whole chat, the reply last."""
    return [*row.messages, row.reply]


def calls_of(message: Mapping[str, JsonValue]) -> list[tuple[str, JsonValue]]:
    """Names with arguments as objects of the calls in a message."""
    found: list[tuple[str, JsonValue]] = []
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        assert isinstance(call, dict)
        function = call["function"]
        assert isinstance(function, dict)
        found.append((str(function["name"]), orjson.loads(str(function["arguments"]))))
    return found
