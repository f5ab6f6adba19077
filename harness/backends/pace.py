"""Keeps the event loop reading: what follows a reply is let through a little at a time."""

import asyncio
from collections import deque

__all__ = ["Pace"]


class Pace:
    """A gate that lets tasks go on for about `slice_s` in each turn of the loop; the others wait in order.

    When many replies end at once, judging and recording them and sending what comes next would otherwise fill one long
    turn, in which no socket is read: pieces that arrive meanwhile pile up and are read as one, with one mark.
    """

    def __init__(self, slice_s: float = 0.001, batch: int = 4) -> None:
        self._slice_s = slice_s
        self._batch = batch
        """Tasks let through in a turn when there is a queue: what they will take is not known before."""
        self._since_s: float | None = None
        """When the first task of this turn came; None: none did."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Returns when there is room for what the caller does next, at once if the loop is not busy."""
        loop = asyncio.get_running_loop()
        if self._since_s is None:
            self._since_s = loop.time()
            loop.call_soon(self._next_turn, loop)
            return
        if not self._waiting and loop.time() - self._since_s < self._slice_s:
            return
        gate: asyncio.Future[None] = loop.create_future()
        self._waiting.append(gate)
        await gate

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._since_s = None
        let_through = 0
        while self._waiting and let_through < self._batch:
            gate = self._waiting.popleft()
            if not gate.done():  # its task was cancelled
                gate.set_result(None)
                let_through += 1
        if let_through:
            self._since_s = loop.time()
            loop.call_soon(self._next_turn, loop)
