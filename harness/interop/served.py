"""An engine that is up for another program's event loop: backend, measuring client and clock on a thread of their own.

Inspect and its tasks keep their loop busy as they like; the requests are sent and read by a loop that does nothing
else, so that a slow scorer of theirs is not counted as a slow model.
"""

import asyncio
import atexit
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import orjson

from harness.backends import backend_for
from harness.backends.client import ChatClient
from harness.backends.stream import Reading, read_exchange
from harness.config import RunConfig
from harness.errors import BackendError
from harness.protocols import Backend, Endpoint
from harness.records.manifest import LagFacts
from harness.runner.guard import FATAL
from harness.runner.lag import LagMonitor

__all__ = ["Served", "shared_engine"]

_MOST_CONNECTIONS = 128
"""Requests at once to an endpoint whose slots are not known; how many there are is the other program's choice."""
_END_S = 30.0
_WARM_UP_PAUSE_S = 0.005


class Served:
    """One model behind one endpoint, started when it is first needed. Use as a context, or call `stop`.

    `backend`: what serves it; None: what the configuration names.
    """

    def __init__(self, config: RunConfig, backend: Backend | None = None, *, api_key: str | None = None) -> None:
        self.config = config
        self.backend = backend or backend_for(config.model, config.backend)
        self._api_key = api_key
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._up: Future[Endpoint] = Future()
        self._ending: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._client: ChatClient | None = None
        self._room: asyncio.Semaphore | None = None
        self._lag = LagMonitor()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ending = self.stop()
        if ending is not None and (error is None or isinstance(error, Exception)):
            raise ending from error

    def start(self) -> Endpoint:
        """The endpoint, brought up by the first call. Blocks. Raises HarnessError if it does not come up."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="harness-engine", daemon=True)
                self._thread.start()
        return self._up.result()

    def stop(self) -> BaseException | None:
        """Takes the engine down; returns why it had ended before, None if it had not. A second call does nothing."""
        thread, loop, end = self._thread, self._loop, self._end
        if thread is not None and loop is not None and end is not None and thread.is_alive():
            with suppress(RuntimeError):  # the loop is closed: it ended by itself in this moment
                loop.call_soon_threadsafe(end.set)
            thread.join(_END_S)
        ending, self._ending = self._ending, None
        return ending

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint of an engine that is up."""
        return self._up.result()

    def lag(self) -> LagFacts | None:
        """How late the loop was that measured; None before the first look."""
        return self._lag.facts()

    async def up(self) -> Endpoint:
        """As `start`, from within a loop that has other things to do."""
        return self._up.result() if self._up.done() else await asyncio.to_thread(self.start)

    async def ask(self, body: bytes, *, deadline_s: float, stall_s: float) -> Reading:
        """One exchange, measured on the engine's own loop; may be called from any asyncio loop, and cancelled."""
        await self.up()
        assert self._loop is not None
        asked = asyncio.run_coroutine_threadsafe(self._ask(body, deadline_s, stall_s), self._loop)
        return await asyncio.wrap_future(asked)

    async def _ask(self, body: bytes, deadline_s: float, stall_s: float) -> Reading:
        assert self._client is not None
        assert self._room is not None
        async with self._room:
            exchange = await self._client.stream(body, deadline_s=deadline_s, stall_s=stall_s)
        return read_exchange(exchange)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._up.done():
                self._ending = error
            else:
                self._up.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self.backend.serve() as found:
            endpoint = self._with_key(found)
            limit = endpoint.facts.slots or _MOST_CONNECTIONS
            self._room = asyncio.Semaphore(limit)
            client = ChatClient(endpoint, concurrency=limit, connect_timeout_s=endpoint.connect_timeout_s)
            async with client, self._lag:
                self._client = client
                await self._warm_up(endpoint, client)
                self._up.set_result(endpoint)
                await self._end.wait()

    def _with_key(self, endpoint: Endpoint) -> Endpoint:
        if self._api_key is None:
            return endpoint
        return replace(endpoint, headers={**endpoint.headers, "Authorization": f"Bearer {self._api_key}"})

    async def _warm_up(self, endpoint: Endpoint, client: ChatClient) -> None:
        """A few short requests that count nowhere, as before every run of ours."""
        settings, generation = self.config.run, self.config.model.generation
        fields: dict[str, object] = {
            "model": endpoint.model,
            "messages": [{"role": "user", "content": "Say OK."}],
            "stream": True,
            generation.max_tokens_field: 8,
        }
        body = orjson.dumps(fields | endpoint.extra_body)
        for _ in range(settings.warmup):
            exchange = await client.stream(body, deadline_s=settings.deadline_s, stall_s=settings.stall_s)
            failure = read_exchange(exchange).failure
            if failure is not None and failure.kind in FATAL | {"connect"}:
                raise BackendError(f"the endpoint does not answer ({failure.kind}): {failure.message}")
            await asyncio.sleep(
                _WARM_UP_PAUSE_S
            )  # lets a server show that it closes kept connections, as llama.cpp does


_shared: dict[str, Served] = {}
_sharing = threading.Lock()


def shared_engine(config: RunConfig, api_key: str | None = None) -> Served:
    """The engine of a configuration, one for the whole process, taken down when the process ends."""
    key = config.model_dump_json(include={"model", "backend"}) + (api_key or "")
    with _sharing:
        if key not in _shared:
            served = Served(config, api_key=api_key)
            atexit.register(served.stop)
            _shared[key] = served
        return _shared[key]
