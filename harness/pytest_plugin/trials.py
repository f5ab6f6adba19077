"""A function tried until it is certain how often it succeeds: for code that asks a model and varies."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import Any, Literal

import pytest

from harness.errors import DataError
from harness.gate.words import share_words
from harness.pytest_plugin.answers import Answer, Finding, settled
from harness.records.interval import Interval
from harness.stats.sequential import Blocks, Evidence, mean_sequence

__all__ = ["Trials", "try_often"]


@dataclass(frozen=True, slots=True)
class Trials:
    """What came of it."""

    finding: Finding
    n: int
    value: float
    """Mean of the trials."""
    interval: Interval
    """95 %, for all looks together."""


def try_often(
    inconclusive: Answer,
    function: Callable[..., object],
    *args: Any,
    at_least: float = 0.9,
    alpha: float = 0.05,
    most: int = 400,
    **kwargs: Any,
) -> Trials:
    """Calls the function until it is certain that it succeeds in at least this share of calls, or in less.

    A call succeeds that returns nothing or True, and fails that returns False, raises AssertionError or calls
    pytest.fail; a number between 0 and 1 is what it is worth. Any other exception ends the test: it is broken, and not
    wrong. Wrong certainty either way has a chance of alpha at most, however soon it stops (betting,
    `stats.sequential`). Trials must not know of each other. Raises DataError for limits that make no sense.
    """
    __tracebackhide__ = True
    if not 0 < at_least < 1 or not 0 < alpha < 0.5 or most < 1:
        raise DataError(
            "at_least lies within 0 and 1, alpha within 0 and 0.5, and most is 1 or more, "
            f"not {at_least}, {alpha}, {most}"
        )
    need, blocks, first = log(1 / alpha), Blocks(), ""
    above, below = Evidence(at_least, "above"), Evidence(at_least, "below")
    while above.count < most and max(above.best, below.best) < need:
        value, why = _tried(function, args, kwargs)
        first = first or why
        blocks[round(value, 12), 1] += 1
        above.look(value)
        below.look(value)
    n, total = above.count, sum(value * times for (value, _), times in blocks.items())
    interval = mean_sequence(blocks)
    assert interval is not None
    name = getattr(function, "__name__", str(function))
    status: Literal["pass", "fail", "inconclusive"] = (
        "pass" if above.best >= need else "fail" if below.best >= need else "inconclusive"
    )
    words = {"pass": "certain", "fail": "certain that it is not", "inconclusive": "not decided"}[status]
    left = min(above.to_go(need), below.to_go(need))
    more = f"; about {round(left):,} calls more would decide it" if status == "inconclusive" and left < inf else ""
    seen = f"{total:g} of {n} ({share_words(interval.low)} … {share_words(interval.high)} at every look)"
    why = f"; first failure: {first}" if first else ""
    found = Finding(
        status, f"{name} succeeds at least {share_words(at_least)}: {words}; {seen}, α {alpha:g}{more}{why}"
    )
    return Trials(settled(found, inconclusive), n, total / n, interval)


def _tried(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, str]:
    """What one call is worth, and why it is less than it could be."""
    try:
        found = function(*args, **kwargs)
    except (AssertionError, pytest.fail.Exception) as error:
        return 0.0, str(error).splitlines()[0] if str(error) else type(error).__name__
    if found is None:
        return 1.0, ""
    if isinstance(found, bool | int | float) and 0 <= found <= 1:
        return float(found), "" if found else f"it returned {found}"
    raise DataError(f"a trial returns nothing, True, False, or a number between 0 and 1, not {found!r}")
