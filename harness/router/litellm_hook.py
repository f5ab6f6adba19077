"""The router inside litellm: a provider of its own, for the proxy of `litellm.yaml` and for programs with a Router.

Why a provider (`CustomLLM`; litellm 1.103.7): a cascade asks, looks at the reply and may ask again. Hooks before a call
(`async_pre_call_hook`, `async_pre_routing_hook`, routing strategies) choose a model and never see a reply; hooks after
it are one for whole replies and another for streams, and the proxy's alone. A provider is one function, the same in the
proxy, in `litellm.Router` and for `litellm.acompletion`, and it asks through the same litellm Router that called it: so
each model's call is limited, retried, priced and logged by litellm as a call of its own, and the provider's own costs
nothing. What that takes: fields that litellm would refuse for a provider that it does not know are named in
`litellm.yaml`, and streams end in a piece of their own (`litellm_stream`).

Streams: what the backbone says is passed on as it comes; a small model's reply that has to be looked at first is sent
whole.
"""

import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import litellm
import yaml
from litellm.llms.base_llm.base_utils import type_to_response_format_param
from litellm.llms.custom_llm import CustomLLM
from litellm.router import Router as Models
from litellm.types.utils import ModelResponse
from litellm.utils import custom_llm_setup
from pydantic import BaseModel

from harness.errors import ConfigError, DataError
from harness.router.litellm_stream import Piece, chunks, pieces, plain, whole
from harness.router.loop import OwnLoop
from harness.router.policy import load_policy
from harness.router.router import Router

__all__ = ["PROVIDER", "RouteProvider", "proxy_handler", "routed"]

PROVIDER: Final = "harness-router"
CONFIG: Final = "litellm.yaml"
_NOT_SENT: Final = frozenset({"stream", "stream_options", "max_retries", "custom_llm_provider", "model"})
"""What litellm puts among the parameters, and the router or a client says itself."""
_LOG = logging.getLogger("harness.router")


@dataclass(frozen=True, slots=True)
class _Call:
    """What the clients of one call are told besides the request."""

    metadata: Mapping[str, Any]
    """Who called, by litellm's names: the models' calls are booked on the same key."""
    timeout: float | None


_CALL: ContextVar[_Call | None] = ContextVar("harness_route_call", default=None)


class RouteProvider(CustomLLM):
    """Answers as a policy's folder says, by the models of a litellm Router that are named as the policy names them."""

    def __init__(self, folder: Path, *, log: Path | None = None, models: "Callable[[], Models] | None" = None) -> None:
        """Reads the policy. models: gives the litellm Router; None: the proxy's.

        log: folder of the calls' log; None: none is kept. Raises DataError where the policy is missing or damaged.
        """
        super().__init__()
        self._models = models or _of_proxy
        policy = load_policy(folder).policy
        clients = {one.name: self._client(one.name) for one in (*policy.experts, policy.backbone)}
        self.router = Router(folder, clients, log=log)
        self._loop = OwnLoop()

    async def acompletion(self, *given: Any, **asked: Any) -> ModelResponse:
        """A whole reply. Raises what litellm raised where the backbone failed."""
        del given
        return whole(await self._answer(asked, {}))

    async def astreaming(self, *given: Any, **asked: Any) -> AsyncIterator[Piece]:  # type: ignore[override]
        """A reply in pieces."""
        del given
        stream = await self._answer(asked, {"stream": True, "stream_options": {"include_usage": True}})
        async with aclosing(pieces(stream)) as found:
            async for piece in found:
                yield piece

    def completion(self, *given: Any, **asked: Any) -> ModelResponse:
        """A whole reply, for programs without a loop: it is asked for on a loop of ours."""
        return self._loop.run(self.acompletion(*given, **asked))

    def streaming(self, *given: Any, **asked: Any) -> Iterator[Piece]:  # type: ignore[override]
        """A reply in pieces, likewise."""
        return self._loop.iterate(self.astreaming(*given, **asked))

    async def _answer(self, asked: Mapping[str, Any], delivery: Mapping[str, Any]) -> Any:
        told = asked.get("litellm_params") or {}
        call = _Call(dict(told.get("metadata") or {}), asked.get("timeout"))
        token = _CALL.set(call)
        try:
            return await self.router.acompletion({**_request(asked), **delivery}, session=_session(told))
        finally:
            _CALL.reset(token)

    def _client(self, name: str) -> "Callable[[dict[str, Any]], Coroutine[Any, Any, Any]]":
        async def ask(request: dict[str, Any]) -> Any:
            call = _CALL.get()
            rest = {key: value for key, value in request.items() if key != "model"}
            if call is not None:
                rest |= {"metadata": dict(call.metadata), "timeout": call.timeout}
            found = await self._models().acompletion(model=name, **rest)
            return chunks(cast(Any, found)) if request.get("stream") else plain(cast(ModelResponse, found))

        return ask


def proxy_handler(folder: Path, *, log: Path | None = None) -> RouteProvider:
    """What `route_hook.py` names: the provider over the proxy's own models, and a word where the proxy stands open."""
    if not os.environ.get("LITELLM_MASTER_KEY", "").strip():
        _LOG.warning(
            "LITELLM_MASTER_KEY is not set: whoever reaches this proxy may call the models at your cost; "
            "bind it to loopback (--host 127.0.0.1), or export a key"
        )
    return RouteProvider(folder, log=log)


def routed(folder: Path, *, log: Path | None = None, **options: Any) -> Models:
    """A litellm Router for a program of one's own, with the models of the folder's `litellm.yaml` and this provider.

    options: further arguments of `litellm.Router`. Registers the provider with litellm for this process: one folder at
    a time. Raises DataError where `litellm.yaml` or the policy is missing or damaged.
    """
    try:
        found = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        models = found["model_list"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / CONFIG} cannot be read ({type(error).__name__}); make it anew with do=route"
        ) from None
    made: list[Models] = []
    provider = RouteProvider(folder, log=log, models=lambda: made[0])
    others = [one for one in litellm.custom_provider_map if one["provider"] != PROVIDER]
    litellm.custom_provider_map = [*others, {"provider": PROVIDER, "custom_handler": provider}]
    custom_llm_setup()  # type: ignore[no-untyped-call]
    made.append(Models(model_list=models, **options))
    return made[0]


def _of_proxy() -> Models:
    from litellm.proxy import proxy_server

    router = proxy_server.llm_router
    if router is None:
        raise ConfigError("the proxy has no models: start it with litellm --config litellm.yaml of the policy's folder")
    return router


def _request(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the caller asked, in plain values."""
    known = {name: value for name, value in (asked.get("optional_params") or {}).items() if name not in _NOT_SENT}
    form = known.get("response_format")
    if form is not None and not isinstance(form, dict):
        known["response_format"] = type_to_response_format_param(form)
    messages = [one.model_dump(exclude_none=True) if isinstance(one, BaseModel) else one for one in asked["messages"]]
    return {"model": asked.get("model"), "messages": messages, **known}


def _session(told: Mapping[str, Any]) -> str | None:
    """The session that the caller named: in a header or a field that litellm knows, or in `metadata`."""
    metadata = told.get("metadata") or {}
    requester = metadata.get("requester_metadata") or {}
    found = metadata.get("session_id") or told.get("litellm_session_id") or requester.get("session_id")
    return str(found) if found else None
