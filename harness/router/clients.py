"""Clients of OpenAI-compatible servers for a router: one address and model each, over aiohttp."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import orjson

from harness.errors import BackendError, ConfigError

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Client", "HttpClient", "http_client"]

Json = dict[str, Any]
Client = Callable[[Json], Awaitable[Any]]
"""From a request of OpenAI's chat completions to its response, both plain JSON values; where the request says
`stream: true`, to an async iterator of chunks. What it raises counts as the model's failure to answer."""


def http_client(
    base_url: str,
    model: str,
    *,
    key_env: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
) -> "HttpClient":
    """A client of the server at an address such as `http://127.0.0.1:8080/v1`, which calls the model by this name.

    key_env: environment variable that holds the key. Raises ConfigError where that is not set.
    """
    sent = {"Content-Type": "application/json", **(headers or {})}
    if key_env is not None:
        key = os.environ.get(key_env, "").strip()
        if not key:
            raise ConfigError(f"{key_env} is not set: export {key_env}=… before the program starts")
        sent["Authorization"] = f"Bearer {key}"
    return HttpClient(base_url.rstrip("/"), model, sent, timeout_s)


class HttpClient:
    """Asks one model of one server. Connections are kept for each event loop; `aclose` closes those of the loop that
    it is called in.
    """

    def __init__(self, base_url: str, model: str, headers: Mapping[str, str], timeout_s: float) -> None:
        """Opens nothing yet."""
        self._url, self._model = f"{base_url}/chat/completions", model
        self._headers, self._timeout_s = dict(headers), timeout_s
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()

    async def __call__(self, request: Json) -> Any:
        """The response, or its chunks where they are asked for. Raises BackendError for any that is none."""
        import aiohttp

        body = orjson.dumps({**request, "model": self._model})
        try:
            response = await self._session().post(self._url, data=body, headers=self._headers)
            if response.status >= 400:
                said = (await response.read())[:300].decode(errors="replace")
                raise BackendError(f"{self._model} answered with status {response.status}: {' '.join(said.split())}")
            if request.get("stream"):
                return _chunks(response, self._model)
            found = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            raise BackendError(f"{self._model} did not answer ({type(error).__name__})") from error
        if not isinstance(found, dict):
            raise BackendError(f"{self._model} answered with something else than an object")
        return found

    def _session(self) -> "aiohttp.ClientSession":
        import aiohttp

        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            limits = aiohttp.ClientTimeout(total=self._timeout_s)
            session = self._sessions[loop] = aiohttp.ClientSession(timeout=limits)
        return session

    async def aclose(self) -> None:
        """Closes the connections of this loop; a later call opens new ones."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()


async def _chunks(response: "aiohttp.ClientResponse", model: str) -> AsyncIterator[Json]:
    import aiohttp

    try:
        async for line in response.content:
            data = line.strip()
            if not data.startswith(b"data:"):
                continue
            data = data.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            yield orjson.loads(data)
    except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
        raise BackendError(f"the stream of {model} broke off ({type(error).__name__})") from error
    finally:
        response.close()
