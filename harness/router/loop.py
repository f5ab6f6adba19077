"""An event loop in a thread of its own, for programs without one."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final, TypeVar, cast

__all__ = ["OwnLoop"]

T = TypeVar("T")
_END: Final = object()


class OwnLoop:
    """Started with the first thing that is to run in it."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def run(self, what: "Coroutine[Any, Any, T]") -> T:
        """What a coroutine returns, once it has. Raises what it raises. Not to be called within the loop itself."""
        return asyncio.run_coroutine_threadsafe(what, self._started()).result()

    def iterate(self, chunks: "AsyncIterator[T]") -> "Iterator[T]":
        """The items of an async iterator, one by one; it is closed when the reader stops."""
        try:
            while (item := self.run(_next(chunks))) is not _END:
                yield cast(T, item)
        finally:
            self.run(_closed(chunks))

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():  # a forked child has no thread of its parent's
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="harness-router", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Ends the thread; a later `run` starts another."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


async def _next(chunks: "AsyncIterator[T]") -> object:
    return await anext(chunks, _END)


async def _closed(chunks: object) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
