"""How late the event loop itself was while it measured, and whether that matters for what was measured."""

import asyncio
from array import array
from bisect import bisect_left
from types import TracebackType
from typing import Self

from harness.records.manifest import LagFacts

__all__ = ["LagMonitor", "lag_warning"]

_TIMER_S = 0.001
"""asyncio rounds the wait for a timer up to whole milliseconds (`selectors.EpollSelector.select`)."""
_EDGES_S = tuple(1e-5 * 1.1**step for step in range(170))
"""Upper edges of the histogram's bins: from 10 us, each a tenth wider than the one before, to 99 s."""
_TTFT_SHARE, _TPOT_SHARE = 0.05, 1.0


class LagMonitor:
    """Samples the lag of the running loop while the context is entered; memory does not grow with time.

    Every `interval_s` a timer fires and hands a callback to the loop. A sample is the greater of two waits: of the
    callback, from being handed over until it ran (one turn of the loop), and of the timer beyond its due time, less
    the millisecond by which asyncio rounds timers up. Both are waits that an arriving piece of a reply would have had.
    Costs about 10 us a sample: 0.1 % of one core at the default.
    """

    def __init__(self, interval_s: float = 0.01) -> None:
        self._interval_s = interval_s
        self._bins = array("q", [0]) * (len(_EDGES_S) + 1)
        self._max_s = 0.0
        self._n = 0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._arm(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due_s = loop.time() + self._interval_s
        self._timer = loop.call_at(due_s, self._fired, loop, due_s)

    def _fired(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        loop.call_soon(self._turned, loop, now_s, now_s - due_s - _TIMER_S)
        self._arm(loop)

    def _turned(self, loop: asyncio.AbstractEventLoop, fired_s: float, late_s: float) -> None:
        self.add(max(loop.time() - fired_s, late_s))

    def add(self, lag_s: float) -> None:
        """Counts one sample."""
        self._bins[bisect_left(_EDGES_S, lag_s)] += 1
        self._max_s = max(self._max_s, lag_s)
        self._n += 1

    def facts(self) -> LagFacts | None:
        """Quantiles so far, each at most a tenth above the sample that it stands for; None before the first sample."""
        if self._n == 0:
            return None
        return LagFacts(p50_s=self._quantile(0.5), p99_s=self._quantile(0.99), max_s=self._max_s, n=self._n)

    def _quantile(self, share: float) -> float:
        wanted, seen = share * self._n, 0
        for edge_s, count in zip(_EDGES_S, self._bins, strict=False):
            seen += count
            if seen >= wanted:
                return min(edge_s, self._max_s)
        return self._max_s


def lag_warning(lag: LagFacts | None, ttft_p50_s: float | None, tpot_p50_s: float | None) -> str | None:
    """A sentence for the reader if the loop's lag was not small against what was measured; else None.

    Rule: the 99th percentile of the lag is above 5 % of the median TTFT, or above the median time per output token
    (pieces that arrive during one lag are read together, with the mark of the last). What was not measured is not
    compared.
    >>> lag_warning(LagFacts(p50_s=0.0001, p99_s=0.004, max_s=0.01, n=100), 0.05, 0.01)
    "the harness's event loop was up to 4.0 ms late (p99 of 100 samples; worst 10 ms), which is not small against a \
median TTFT of 50 ms: lower run.concurrency, or let nothing else use the processor"
    >>> lag_warning(LagFacts(p50_s=0.0001, p99_s=0.002, max_s=0.01, n=100), 0.05, 0.01) is None
    True
    """
    if lag is None:
        return None
    against = []
    if ttft_p50_s is not None and lag.p99_s > _TTFT_SHARE * ttft_p50_s:
        against.append(f"a median TTFT of {ttft_p50_s * 1e3:.3g} ms")
    if tpot_p50_s is not None and lag.p99_s > _TPOT_SHARE * tpot_p50_s:
        against.append(f"a median time per output token of {tpot_p50_s * 1e3:.3g} ms")
    if not against:
        return None
    return (
        f"the harness's event loop was up to {lag.p99_s * 1e3:.1f} ms late (p99 of {lag.n} samples; worst "
        f"{lag.max_s * 1e3:.0f} ms), which is not small against {' and '.join(against)}: "
        "lower run.concurrency, or let nothing else use the processor"
    )
