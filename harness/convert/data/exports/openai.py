"""OpenAI fine-tuning: one chat with tools a line, within the service's limits.

Keys of a line as its API names them (`FineTuneChatRequestInput`: messages, tools, parallel_tool_calls); weights of
turns, the least number of examples, the cut at the end of a long one and the size of a file as its guide to supervised
fine-tuning says.
"""

import re
from typing import Final

import orjson
from pydantic import JsonValue

from harness.convert.data.exports.parts import Export, JsonObject, LeftOut, calls_of, chat_of
from harness.records.convert import DatasetRow

__all__ = ["write_openai"]

_LEAST_ROWS: Final = 10
_MOST_TOKENS: Final = 65_536
"""Of an example, for gpt-4o and later. A text has no more tokens than bytes: one of fewer bytes fits in any case."""
_MOST_TOOLS: Final = 128
_MOST_BYTES: Final = 512_000_000
"""Of one upload; larger files go up in parts."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write_openai(export: Export) -> None:
    """Writes `train.jsonl` and `validation.jsonl`, as they are uploaded."""
    written = export.lines("train.jsonl", export.train, _example)
    export.lines("validation.jsonl", export.validation, _example)
    if written < _LEAST_ROWS:
        export.notes.append(f"openai: train.jsonl has {written} examples, and the service wants {_LEAST_ROWS} at least")
    size = (export.folder / "train.jsonl").stat().st_size
    if size > _MOST_BYTES:
        export.notes.append(f"openai: train.jsonl has {size:,} bytes, and the service takes {_MOST_BYTES:,} at most")
    long = sum(len(orjson.dumps(_example(row))) > _MOST_TOKENS for row in export.train if _fits(row))
    if long:
        export.notes.append(
            f"openai: {long:,} examples have more than {_MOST_TOKENS:,} bytes: count their tokens before uploading, "
            f"since the service cuts an example after {_MOST_TOKENS:,}"
        )


def _fits(row: DatasetRow) -> bool:
    try:
        _example(row)
    except LeftOut:
        return False
    return True


def _example(row: DatasetRow) -> JsonObject:
    """The chat; turns of the assistant before the last have weight 0, so that the loss is on the reply alone."""
    for message in chat_of(row):
        if any(not _NAME.fullmatch(name) for name, _ in calls_of(message)):
            raise LeftOut("a tool's name has other than letters, digits, _ and -, or more than 64")
    if len(row.tools or ()) > _MOST_TOOLS:
        raise LeftOut(f"more than {_MOST_TOOLS} tools")
    chat = chat_of(row)
    last = len(chat) - 1
    told: list[JsonValue] = [
        {**_message(one), "weight": 0} if one["role"] == "assistant" and place != last else _message(one)
        for place, one in enumerate(chat)
    ]
    found: JsonObject = {"messages": told}
    if row.tools is not None:
        found["tools"] = list(row.tools)
        found["parallel_tool_calls"] = True
    return found


def _message(message: JsonObject) -> JsonObject:
    """A message without null content, which the service takes from an assistant that calls alone."""
    if message.get("content") is None and not message.get("tool_calls"):
        return {**message, "content": ""}
    return {name: value for name, value in message.items() if value is not None}
