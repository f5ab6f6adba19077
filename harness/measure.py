"""Latency and throughput from raw marks: one definition each, None where it is undefined.

Conventions as in vLLM, aiperf and MLPerf (time per output token without the first) and, under its own name, the one of
guidellm (first token counted in).
"""

from collections.abc import Sequence

import numpy as np

from harness.records import ServerTiming, Step, Timing, Usage
from harness.records.summary import Quantiles

__all__ = [
    "decode_tokens_per_s",
    "e2e_s",
    "quantiles",
    "queue_s",
    "total_usage",
    "total_usd",
    "tpot_s",
    "tpot_with_first_s",
    "ttft_content_s",
    "ttft_reasoning_s",
    "ttft_s",
    "ttft_tool_s",
]

_NS = 1e9


def _first_ns(timing: Timing) -> int | None:
    content, reasoning, tool = timing.first_content_ns, timing.first_reasoning_ns, timing.first_tool_ns
    if reasoning is None and tool is None:
        return content
    return min((mark for mark in (content, reasoning, tool) if mark is not None), default=None)


def ttft_s(timing: Timing) -> float | None:
    """Seconds from the intended send to the first content, reasoning or tool-call token; None if none came.

    >>> ttft_s(Timing(at=0, intended_ns=-1_000_000_000, first_content_ns=250_000_000))
    1.25
    """
    first = _first_ns(timing)
    return None if first is None else (first - timing.intended_ns) / _NS


def _since_intended_s(timing: Timing, mark_ns: int | None) -> float | None:
    return None if mark_ns is None else (mark_ns - timing.intended_ns) / _NS


def ttft_content_s(timing: Timing) -> float | None:
    """Seconds from the intended send to the first token of the answer's text; None if it has no text.

    >>> ttft_content_s(Timing(at=0, first_reasoning_ns=250_000_000, first_content_ns=900_000_000))
    0.9
    """
    return _since_intended_s(timing, timing.first_content_ns)


def ttft_reasoning_s(timing: Timing) -> float | None:
    """Seconds from the intended send to the first reasoning token; None if none was streamed.

    >>> ttft_reasoning_s(Timing(at=0, first_reasoning_ns=250_000_000, first_content_ns=900_000_000))
    0.25
    """
    return _since_intended_s(timing, timing.first_reasoning_ns)


def ttft_tool_s(timing: Timing) -> float | None:
    """Seconds from the intended send to the first token of a native tool call; None if none was streamed.

    A server that parses calls itself may hold tokens back until it knows that a call has begun: that wait is in here.
    >>> ttft_tool_s(Timing(at=0, first_tool_ns=400_000_000))
    0.4
    """
    return _since_intended_s(timing, timing.first_tool_ns)


def queue_s(timing: Timing, server: ServerTiming | None) -> float | None:
    """Seconds that the request was at the server without being computed, or on its way; None where no one can know.

    What the server reports itself (`queue_s`) is taken as it is. Else, where it reports its times of service (llama.cpp
    `timings`): from send to last byte, less the prompt's and the generation's time. That is an upper bound: beside the
    wait for a free slot it holds the network both ways, the chat template and tokenising, some milliseconds in all on
    loopback. It counts from the real send: what the harness itself held back is no queue of the server's.
    >>> queue_s(Timing(at=0, end_ns=2_000_000_000), ServerTiming(prompt_s=0.25, predicted_s=1.25))
    0.5
    """
    if server is None:
        return None
    if server.queue_s is not None:
        return server.queue_s
    if server.prompt_s is None or server.predicted_s is None or timing.end_ns is None:
        return None
    return max(0.0, timing.end_ns / _NS - server.prompt_s - server.predicted_s)


def e2e_s(timing: Timing) -> float | None:
    """Seconds from the intended send to the last byte.

    >>> e2e_s(Timing(at=0, end_ns=2_000_000_000))
    2.0
    """
    return None if timing.end_ns is None else (timing.end_ns - timing.intended_ns) / _NS


def tpot_s(timing: Timing, usage: Usage) -> float | None:
    """Seconds per output token without the first: (last token − first token) / (output tokens − 1).

    None below two tokens. Source: MLPerf inference rules; vLLM `bench serve`.
    >>> tpot_s(Timing(at=0, first_content_ns=10**9, last_ns=3 * 10**9), Usage(output_tokens=5))
    0.5
    """
    first, tokens = _first_ns(timing), usage.output_tokens
    if first is None or timing.last_ns is None or tokens is None or tokens < 2 or timing.last_ns <= first:
        return None
    return (timing.last_ns - first) / (tokens - 1) / _NS


def tpot_with_first_s(timing: Timing, usage: Usage) -> float | None:
    """Seconds per output token with the first: (last token − send) / output tokens. Source: guidellm.

    >>> tpot_with_first_s(Timing(at=0, first_content_ns=10**9, last_ns=3 * 10**9), Usage(output_tokens=6))
    0.5
    """
    tokens = usage.output_tokens
    if timing.last_ns is None or not tokens:
        return None
    return timing.last_ns / tokens / _NS


def decode_tokens_per_s(timing: Timing, usage: Usage) -> float | None:
    """Output tokens per second of one reply while it decodes: the inverse of `tpot_s`.

    >>> decode_tokens_per_s(Timing(at=0, first_content_ns=10**9, last_ns=3 * 10**9), Usage(output_tokens=5))
    2.0
    """
    each = tpot_s(timing, usage)
    return None if each is None else 1 / each


def quantiles(values: Sequence[float]) -> Quantiles | None:
    """Mean and order statistics (linear between neighbours) of measured values; None without one.

    >>> quantiles([1.0, 2.0, 3.0]).p50
    2.0
    """
    if not len(values):
        return None
    data = np.asarray(values, dtype=np.float64)
    p50, p95, p99 = (float(q) for q in np.quantile(data, (0.5, 0.95, 0.99)))
    return Quantiles(n=len(data), mean=float(data.mean()), p50=p50, p95=p95, p99=p99)


def total_usage(steps: Sequence[Step]) -> Usage:
    """Sums over the steps; None where no step knows a number."""

    def total(values: Sequence[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    counted = [step.usage.counted_by for step in steps if step.usage.counted_by]
    return Usage(
        prompt_tokens=total([step.usage.prompt_tokens for step in steps]),
        cached_tokens=total([step.usage.cached_tokens for step in steps]),
        cache_write_tokens=total([step.usage.cache_write_tokens for step in steps]),
        output_tokens=total([step.usage.output_tokens for step in steps]),
        reasoning_tokens=total([step.usage.reasoning_tokens for step in steps]),
        counted_by="chunks" if "chunks" in counted else counted[0] if counted else None,
    )


def total_usd(costs: Sequence[float | None]) -> float | None:
    """What the steps cost; None where that of one is not known, or there is none."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None
