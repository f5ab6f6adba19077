"""The Anthropic Messages protocol: {request, response} a line."""

from typing import ClassVar

from harness.logs.formats.base import paths_of
from harness.logs.formats.pairs import Pairs

__all__ = ["Anthropic"]

_MARKS = frozenset({
    "response.stop_reason", "request.system", "request.thinking", "request.tools.input_schema", "request.body.system",
    "response.body.stop_reason",
})  # fmt: skip


class Anthropic(Pairs):
    """Calls of the Messages protocol: blocks become content, calls, results and reasoning."""

    name: ClassVar[str] = "anthropic"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys of the first line."""
        del name
        paths = paths_of(head)
        if not ({"request.messages", "request.body.messages"} & paths) or "response.choices" in paths:
            return 0.0
        return 0.9 if _MARKS & paths else 0.0
