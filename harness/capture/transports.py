"""httpx transports that pass everything on and look at the calls of models."""

import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from harness.capture.passing import Passing, hand_over, note_reply, passing_of
from harness.capture.recorder import Recorder

__all__ = ["AsyncTransport", "Transport"]


class Bytes(httpx.SyncByteStream):
    """A reply's body, passed on as it comes."""

    def __init__(self, stream: Any, call: Passing, recorder: Recorder) -> None:
        self._stream, self._call, self._recorder, self._whole = stream, call, recorder, False

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        try:
            for chunk in self._stream:
                call.chunks.append((time.perf_counter_ns() - call.started_ns, chunk))
                yield chunk
            self._whole = True
        except BaseException as error:  # a cancelled call, too; it goes on as it came
            call.broke = type(error).__name__
            raise
        finally:
            hand_over(call, self._recorder, whole=self._whole)

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            hand_over(self._call, self._recorder, whole=self._whole)


class AsyncBytes(httpx.AsyncByteStream):
    """The same for asynchronous clients."""

    def __init__(self, stream: Any, call: Passing, recorder: Recorder) -> None:
        self._stream, self._call, self._recorder, self._whole = stream, call, recorder, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        call = self._call
        try:
            async for chunk in self._stream:
                call.chunks.append((time.perf_counter_ns() - call.started_ns, chunk))
                yield chunk
            self._whole = True
        except BaseException as error:  # a cancelled call, too; it goes on as it came
            call.broke = type(error).__name__
            raise
        finally:
            hand_over(call, self._recorder, whole=self._whole)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            hand_over(self._call, self._recorder, whole=self._whole)


class Transport(httpx.BaseTransport):
    """Passes requests on and looks at those of models."""

    def __init__(self, inner: httpx.BaseTransport, recorder: Recorder, agent: str | None) -> None:
        self._inner, self._recorder, self._agent = inner, recorder, agent

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The inner transport's reply, its body watched."""
        call = passing_of(request, self._agent)
        if call is None:
            return self._inner.handle_request(request)
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:  # a cancelled call, too; it goes on as it came
            call.broke = type(error).__name__
            hand_over(call, self._recorder, whole=False)
            raise
        note_reply(call, response)
        response.stream = Bytes(response.stream, call, self._recorder)
        return response

    def close(self) -> None:
        """Closes the inner transport."""
        self._inner.close()


class AsyncTransport(httpx.AsyncBaseTransport):
    """The same for asynchronous clients."""

    def __init__(self, inner: httpx.AsyncBaseTransport, recorder: Recorder, agent: str | None) -> None:
        self._inner, self._recorder, self._agent = inner, recorder, agent

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The inner transport's reply, its body watched."""
        call = passing_of(request, self._agent)
        if call is None:
            return await self._inner.handle_async_request(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:  # a cancelled call, too; it goes on as it came
            call.broke = type(error).__name__
            hand_over(call, self._recorder, whole=False)
            raise
        note_reply(call, response)
        response.stream = AsyncBytes(response.stream, call, self._recorder)
        return response

    async def aclose(self) -> None:
        """Closes the inner transport."""
        await self._inner.aclose()
