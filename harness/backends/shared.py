"""One engine behind several runs of one job: it comes up with the first of them and goes with the last."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from harness.protocols import Backend, Endpoint
from harness.records.manifest import WeightFacts

__all__ = ["Shared"]


class Shared:
    """A backend that serves whoever asks at one endpoint, for set-ups that differ in what is sent alone."""

    def __init__(self, backend: Backend) -> None:
        """Takes the backend that really serves."""
        self._backend = backend
        self.name = backend.name
        self._users = 0
        self._running: AbstractAsyncContextManager[Endpoint] | None = None
        self._endpoint: Endpoint | None = None

    def prepare(self) -> WeightFacts | None:
        """As the backend's own."""
        return self._backend.prepare()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        """The endpoint, brought up where nobody has yet. Raises what the backend raises."""
        if self._endpoint is None:
            self._running = self._backend.serve()
            self._endpoint = await self._running.__aenter__()
        self._users += 1
        try:
            yield self._endpoint
        finally:
            self._users -= 1
            if self._users == 0:
                running, self._running, self._endpoint = self._running, None, None
                assert running is not None
                await running.__aexit__(*sys.exc_info())
