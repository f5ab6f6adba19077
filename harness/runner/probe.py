"""Whether the model gets to see its tools at all: asked before a run."""

from collections.abc import Sequence

import aiohttp

from harness.backends.server_probe import count_prompt_tokens
from harness.config import ModelConfig
from harness.protocols import Endpoint
from harness.records import Sample
from harness.toolcalling.encode import ChatRequest
from harness.toolcalling.swallow import probe

__all__ = ["probe_tools"]


async def probe_tools(endpoint: Endpoint, model: ModelConfig, samples: Sequence[Sample]) -> str | None:
    """A warning if the chat template drops the tools of the first sample that has some; None if not, or if unknowable.

    Asks the server how long the prompt is; no completion is made.
    """
    with_tools = next((sample for sample in samples if sample.tools), None)
    if with_tools is None:
        return None

    async def count(request: ChatRequest) -> int | None:
        try:
            return await count_prompt_tokens(endpoint, request.messages, request.tools or ())
        except (aiohttp.ClientError, TimeoutError):  # the run itself will tell what is wrong with the endpoint
            return None

    return await probe(count, with_tools, model.protocol)
