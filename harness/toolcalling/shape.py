"""The answer that the protocols `prompted` and `constrained` ask for, which prompt, schema and decoder share.

One call is `{"name": ..., "arguments": {...}}`, several are `{"calls": [...]}`, none is `{"name": "no_call"}`.

Why this shape (SmolLM2 135M Q4_1 and Gemma 3 270M base Q4_K_M, 12 to 24 short BFCL samples, greedy, grammar on): where
an array may come first, tiny models open it and then repeat calls up to the limit of tokens. SmolLM2 ran on in 12 of
24 replies when every answer was an array, and in 0 to 2 when one call stood alone; Gemma in 7 of 12 when several calls
were a bare array, and in 1 of 12 when every answer began with an object (right names: 4 of 9 against 7). Exact calls,
1 to 5 of 18 and 0 to 1 of 9, are too few to tell shapes apart. Declining by name rather than by `[]` makes it a choice
among names, which is what the model is asked for anyway.
"""

from collections.abc import Iterable

from harness.records import Tool

__all__ = ["MAX_CALLS", "decline_name"]

MAX_CALLS = 16
"""Calls in one constrained answer; the most that a sample of BFCL wants is 8."""


def decline_name(tools: Iterable[Tool]) -> str:
    """The name that stands for "none of the tools": `no_call`, longer only if a tool is called that itself.

    >>> decline_name([Tool(name="no_call")])
    'no_call_'
    """
    taken = {tool.name for tool in tools}
    name = "no_call"
    while name in taken:
        name += "_"
    return name
