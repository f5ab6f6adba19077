"""Finds chat templates that drop what they are given: tools, or the system message that carries tools in its place.

A template without a branch for tools renders the same prompt with and without them, and no server says so: the model
never sees a tool, and its silence looks like lack of ability.
"""

from collections.abc import Awaitable, Callable, Sequence

from harness.records import Protocol, Sample, Tool
from harness.toolcalling.encode import ChatRequest, PromptOptions, encode

__all__ = ["CountTokens", "probe", "tools_swallowed"]

CountTokens = Callable[[ChatRequest], Awaitable[int | None]]
"""Length of the prompt that the server makes of a request; None where it cannot be had."""


def tools_swallowed(prompt_tokens_with: int, prompt_tokens_without: int, tools: Sequence[Tool]) -> bool:
    """Whether a prompt with tools is too short to hold them: shorter than the names alone would make it.

    A token is taken to cover at most 16 characters, more than any vocabulary does on average.

    >>> tools_swallowed(37, 37, [Tool(name="get_weather")]), tools_swallowed(177, 37, [Tool(name="get_weather")])
    (True, False)
    """
    least = sum(max(1, len(tool.name) // 16) for tool in tools)
    return bool(tools) and prompt_tokens_with - prompt_tokens_without < least


async def probe(count_tokens: CountTokens, sample: Sample, protocol: Protocol = "native") -> str | None:
    """A one-line warning if the chat template drops the sample's tools, or the system message that carries them.

    The prompt that the protocol makes is held against that of the sample's messages alone. None: nothing is dropped, or
    the server does not say how long a prompt is, or the sample has no tools.
    """
    if not sample.tools:
        return None
    bare = ChatRequest(messages=encode(sample, "native", PromptOptions()).messages)
    given = await count_tokens(encode(sample, protocol, PromptOptions()))
    without = await count_tokens(bare)
    if given is None or without is None or not tools_swallowed(given, without, sample.tools):
        return None
    if protocol == "native":
        return (
            f"the chat template drops the tools: {given} prompt tokens with tools, {without} without; use "
            "model.protocol=prompted or constrained, or give a template with a tools branch: model.chat_template=…"
        )
    return (
        f"the chat template drops the system message, and with it the tools: {given} prompt tokens with it, {without} "
        "without; give a template with a system branch: model.chat_template=…"
    )
