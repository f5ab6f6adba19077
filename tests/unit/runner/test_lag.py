"""The loop's own lag: seen when it is there, bounded, and a warning only where it matters."""

import asyncio
import time

import pytest

from harness.records.manifest import LagFacts
from harness.runner.lag import LagMonitor, lag_warning


async def test_a_loop_that_stands_still_is_seen() -> None:
    async with LagMonitor(interval_s=0.005) as monitor:
        await asyncio.sleep(0.02)
        time.sleep(0.15)  # noqa: ASYNC251 - the loop is meant to stand still
        await asyncio.sleep(0.02)

    facts = monitor.facts()
    assert facts is not None
    assert facts.max_s >= 0.14
    assert facts.p50_s < facts.max_s


async def test_a_turn_of_the_loop_that_takes_long_is_seen_though_the_timer_was_in_time() -> None:
    async with LagMonitor(interval_s=0.005) as monitor:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + 0.005
        loop.call_at(due_s + 1e-4, time.sleep, 0.1)  # ready in the same turn as the monitor's timer, or the one after
        await asyncio.sleep(0.15)

    facts = monitor.facts()
    assert facts is not None
    assert facts.max_s >= 0.08


async def test_nothing_is_sampled_after_the_context_and_nothing_is_claimed_before() -> None:
    monitor = LagMonitor(interval_s=0.001)
    assert monitor.facts() is None

    async with monitor:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.01)  # a callback that was already handed over
    sampled = monitor.facts()
    await asyncio.sleep(0.02)

    assert sampled is not None
    assert monitor.facts() == sampled


def test_quantiles_are_at_most_a_tenth_above_the_samples() -> None:
    monitor = LagMonitor()

    for microseconds in range(100, 10_100, 100):
        monitor.add(microseconds / 1e6)

    facts = monitor.facts()
    assert facts is not None
    assert facts.n == 100
    assert facts.max_s == pytest.approx(0.01)
    assert 0.005 <= facts.p50_s <= 0.005 * 1.1
    assert 0.0099 <= facts.p99_s <= 0.01


def test_a_lag_beyond_all_bins_is_its_own_maximum() -> None:
    monitor = LagMonitor()

    monitor.add(500.0)

    assert monitor.facts() == LagFacts(p50_s=500.0, p99_s=500.0, max_s=500.0, n=1)


@pytest.mark.parametrize(
    ("p99_s", "ttft_s", "tpot_s", "named"),
    [
        (0.002, 0.05, 0.01, []),
        (0.004, 0.05, 0.01, ["TTFT of 50 ms"]),
        (0.015, 0.5, 0.01, ["per output token of 10 ms"]),
        (0.1, 0.05, 0.01, ["TTFT", "per output token"]),
        (0.1, None, None, []),
    ],
)
def test_the_warning_names_what_the_lag_is_not_small_against(
    p99_s: float, ttft_s: float | None, tpot_s: float | None, named: list[str]
) -> None:
    lag = LagFacts(p50_s=0.0001, p99_s=p99_s, max_s=0.2, n=1000)

    warning = lag_warning(lag, ttft_s, tpot_s)

    assert (warning is None) == (not named)
    assert all(word in (warning or "") for word in named)


def test_no_lag_measured_is_no_warning() -> None:
    assert lag_warning(None, 0.001, 0.001) is None
