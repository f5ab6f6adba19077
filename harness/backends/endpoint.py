"""A server that is already running and speaks the OpenAI protocol: checked, described, and left as it is."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from difflib import get_close_matches
from urllib.parse import urlsplit

import aiohttp
from pydantic import JsonValue

from harness.assets import OnProgress
from harness.backends.server_probe import Answer, get_json, llamacpp_facts, origin
from harness.config import EndpointConfig, ModelConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts

__all__ = ["AttachedEndpoint", "checked_url", "key_header", "refused", "unreachable"]

_LISTED = 8
"""Names shown of a long list of models."""
_ROUTES = ("/chat/completions", "/completions", "/responses", "/models")


class AttachedEndpoint:
    """The backend `endpoint`: any OpenAI-compatible server, by URL."""

    name = "endpoint"

    def __init__(self, config: EndpointConfig, model: ModelConfig, *, on_progress: OnProgress | None = None) -> None:
        """Nothing is fetched here, so `on_progress` hears nothing."""
        del on_progress
        self._config = config
        self._model = model
        self._served = model.served_name or model.name

    def prepare(self) -> None:
        """Nothing: the weights are the server's. Raises ConfigError for an address that cannot be meant."""
        if self._model.url is not None:
            checked_url(self._model.url)

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context with the server as it was found; leaving it changes nothing there.

        Raises ConfigError for a URL or key that cannot be meant, BackendError where the server does not answer, refuses
        the key, or has no such model.
        """
        return self._attach()

    @asynccontextmanager
    async def _attach(self) -> AsyncIterator[Endpoint]:
        if self._model.url is None:
            example = "add: model.url=http://127.0.0.1:8000/v1"
            raise ConfigError(f"{self._model.name} has no address for backend=endpoint; {example}")
        base_url, headers = checked_url(self._model.url), key_header(self._model)
        served: Mapping[str, JsonValue] = {}
        server = None
        if self._config.check:
            answer = await self._models(base_url, headers)
            served, server = self._find(answer, base_url), answer.headers.get("server")
        facts = BackendFacts(name=self.name, served_model=self._served)
        if not self._model.hosted:
            facts = await self._describe(facts, base_url, headers, served)
        if facts.build is None and server is not None:
            facts = facts.model_copy(update={"build": server})
        yield Endpoint(
            base_url=base_url,
            model=self._served,
            facts=facts,
            headers=headers,
            extra_body=dict(self._config.extra_body),
            connect_timeout_s=self._config.connect_timeout_s,
        )

    async def _models(self, base_url: str, headers: Mapping[str, str]) -> Answer:
        limit = self._config.connect_timeout_s
        try:
            answer = await get_json(f"{base_url}/models", timeout_s=limit, headers=headers)
        except TimeoutError:
            raise BackendError(
                f"{base_url} does not answer within {limit:g} s: is the server up? "
                f"Give it longer with backend.connect_timeout_s={4 * limit:g}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BackendError(unreachable(base_url, error)) from None
        if answer.status in {401, 403}:
            raise BackendError(refused(self._model, base_url, answer.status))
        if answer.status == 404:
            raise BackendError(await self._not_found(base_url, headers))
        if answer.status != 200:
            raise BackendError(
                f"{base_url}/models answers {answer.status}{' (still loading?)' if answer.status == 503 else ''}: "
                "try again when the server is ready, or backend.check=false to go on without its list of models"
            )
        return answer

    async def _not_found(self, base_url: str, headers: Mapping[str, str]) -> str:
        message = f"{base_url}/models answers 404"
        if not base_url.endswith("/v1"):
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                limit = self._config.connect_timeout_s
                answer = await get_json(f"{base_url}/v1/models", timeout_s=limit, headers=headers)
                if answer.status != 404:
                    return f"{message}, and its /v1 is there: model.url={base_url}/v1"
            return f"{message}: the base URL mostly ends in /v1; correct model.url, or backend.check=false"
        return f"{message}: correct model.url, or backend.check=false for a server without a list of models"

    def _find(self, answer: Answer, base_url: str) -> Mapping[str, JsonValue]:
        """The server's entry for the model. Raises BackendError, with the nearest name, where it has none."""
        rows = answer.table().get("data")
        if not isinstance(rows, list):
            raise BackendError(
                f"{base_url}/models answers, but not with an OpenAI list of models: correct model.url, "
                "or backend.check=false"
            )
        entries = {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}
        for name, row in entries.items():
            aliases = row.get("aliases")
            if self._served == name or name.endswith(f"/{self._served}"):  # some write models/NAME
                return row
            if isinstance(aliases, list) and self._served in aliases:
                return row
        raise BackendError(_no_such_model(self._model, self._served, sorted(entries)))

    async def _describe(
        self, facts: BackendFacts, base_url: str, headers: Mapping[str, str], served: Mapping[str, JsonValue]
    ) -> BackendFacts:
        """The facts that llama.cpp (`/props`) or vLLM and Ollama (`/version`, `/api/version`) give away."""
        root = origin(base_url)
        paths = ("/props", "/version", "/api/version")
        props, vllm, ollama = await asyncio.gather(*(self._ask(f"{root}{path}", headers) for path in paths))
        if "default_generation_settings" in props:
            return facts.model_copy(update=llamacpp_facts(props))
        version = vllm.get("version") or ollama.get("version")
        maker = served.get("owned_by") if vllm.get("version") else "ollama"
        limit = served.get("max_model_len")
        return facts.model_copy(
            update={
                "build": f"{maker or 'server'} {version}" if isinstance(version, str) else None,
                "context_tokens": limit if isinstance(limit, int) else None,
            }
        )

    async def _ask(self, url: str, headers: Mapping[str, str]) -> Mapping[str, JsonValue]:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            answer = await get_json(url, timeout_s=self._config.connect_timeout_s, headers=headers)
            if answer.status == 200:
                return answer.table()
        return {}


def checked_url(url: str, key: str = "model.url") -> str:
    """The base URL as given, but for a slash at its end. Raises ConfigError for what no request could be sent to."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"{key} holds a user, a password or a query: give the address alone, and the name of the variable with "
            "your key as model.api_key_env=NAME"
        )
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{key}={url} is no address: it looks like http://127.0.0.1:8000/v1")
    base_url = url.rstrip("/")
    for route in _ROUTES:
        if base_url.endswith(route):
            raise ConfigError(f"{key} ends before the route: {key}={base_url.removesuffix(route)}")
    return base_url


def key_header(model: ModelConfig) -> dict[str, str]:
    """The authorization header, empty where no key is configured. Raises ConfigError with the variable's name alone."""
    variable = model.api_key_env
    if variable is None:
        return {}
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"{model.name} needs a key, and the variable {variable} is not set: export {variable}=…")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"the variable {variable} holds no key: there are blanks or unprintable characters in it")
    return {"Authorization": f"Bearer {key}"}


def unreachable(
    base_url: str, error: Exception, *, key: str = "model.url", start: str = "start the server, or correct model.url"
) -> str:
    """What is wrong with an address that no HTTP comes from, in one line; `start` is said where nothing listens."""
    parts = urlsplit(base_url)
    where = f"{parts.scheme}://{parts.netloc}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host of {key}={base_url} is not known: correct it, or check your network"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{where} does not speak TLS as expected: for a local server {key} starts with http://"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"nothing listens at {where}: {start}"
    return f"{where} answers, but not in HTTP ({type(error).__name__}): correct {key}"


def refused(model: ModelConfig, base_url: str, status: int) -> str:
    """What to do about a key that is missing or not taken, in one line without the key."""
    if model.api_key_env is None:
        return f"{base_url} wants a key ({status}): export it and name its variable, model.api_key_env=NAME"
    return f"{base_url} refuses the key in {model.api_key_env} ({status}): export a valid one as {model.api_key_env}=…"


def _no_such_model(model: ModelConfig, served: str, names: list[str]) -> str:
    key = "model.name" if model.served_name is None else "model.served_name"
    near = get_close_matches(served, names, n=1, cutoff=0.4)
    shown = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    hint = near[0] if near else (names[0] if len(names) == 1 else "…")
    return f"the server has no model {served!r}; it has: {shown or 'none'}; try {key}={hint}, or backend.check=false"
