"""OpenAI chat completions: {request, response} a line, and the variants that other tools write."""

from typing import ClassVar

from harness.logs.formats.base import paths_of
from harness.logs.formats.pairs import Pairs

__all__ = ["OpenAI"]


class OpenAI(Pairs):
    """Calls of the chat completions protocol.

    {request, response} with anything around them (`timestamp`, `trace_id`, `step`, …); frugon's {model, request,
    response, usage, timestamp}; OpenPipe's {input, output, tags}; flat {messages, completion}.
    """

    name: ClassVar[str] = "openai"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys of the first line."""
        del name
        paths = paths_of(head)
        if "request.messages" in paths or "request.body.messages" in paths:
            return 0.8 if "response.choices" in paths else 0.6
        if "messages" in paths or {"request", "response"} <= paths:
            return 0.5
        if "input" in paths and "output" in paths:
            return 0.4 if {"input.messages", "input.role"} & paths else 0.2
        return 0.0
