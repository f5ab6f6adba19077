"""The OpenAI Responses protocol: {request, response} a line."""

from typing import ClassVar

from harness.logs.formats.base import paths_of
from harness.logs.formats.pairs import Pairs

__all__ = ["Responses"]


class Responses(Pairs):
    """Calls of the Responses protocol: items become messages, those of one turn one message."""

    name: ClassVar[str] = "responses"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys of the first line."""
        del name
        paths = paths_of(head)
        if "request.input" not in paths:
            return 0.0
        return 0.9 if "response.output" in paths else 0.7
