"""The tool by which an agent speaks where its calls are written as text: there, words and calls need one form."""

from harness.records import Tool

__all__ = ["ANSWER"]

ANSWER = Tool(
    name="answer",
    description="Say this to the user: what was asked for, or what is missing. It ends your turn.",
    parameters={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
)
"""Offered besides an agent's own tools under `prompted` and `constrained`."""
