"""Calls of clients that speak through httpx (OpenAI, Anthropic, Mistral and most others), read as they pass."""

import os
from typing import Any, TypeVar

from harness.capture.recorder import Recorder, recorder_of

__all__ = ["capture"]

Client = TypeVar("Client")


def capture(
    client: Client,
    to: "str | os.PathLike[str] | Recorder",
    *,
    agent: str | None = None,
    keep_human_chat: bool = False,
) -> Client:
    """The same client, its calls written to the folder `to` as they pass.

    client: OpenAI or AsyncOpenAI, Anthropic's likewise, or any httpx client. agent: name of the node whose calls these
    are. Raises TypeError for something else, and OSError if the folder cannot be made: both before any call.
    """
    recorder = to if isinstance(to, Recorder) else recorder_of(to, keep_human_chat=keep_human_chat)
    inner, wrap = _httpx_client(client)
    inner._transport = wrap(inner._transport, recorder, agent)
    inner._mounts = {
        pattern: None if transport is None else wrap(transport, recorder, agent)
        for pattern, transport in inner._mounts.items()
    }
    return client


def _httpx_client(client: Any) -> tuple[Any, type]:
    """The httpx client inside a client, and the transport that looks at its calls."""
    import httpx  # here: a program that captures through litellm alone need not have it

    from harness.capture.transports import AsyncTransport, Transport

    inner = client if isinstance(client, httpx.Client | httpx.AsyncClient) else getattr(client, "_client", None)
    if not isinstance(inner, httpx.Client | httpx.AsyncClient):
        kind = f"{type(client).__module__}.{type(client).__qualname__}"
        raise TypeError(f"capture() takes an OpenAI or Anthropic client or one of httpx, not {kind}")
    return inner, Transport if isinstance(inner, httpx.Client) else AsyncTransport
