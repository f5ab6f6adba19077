"""Figures and limits of a gate in words."""

from collections.abc import Callable

from harness.records.gate import CheckKind
from harness.records.paired import PairedComparison
from harness.report.formats import seconds, usd

__all__ = ["LABELS", "RULES", "label_of", "pair_words", "points", "share_words", "size_words", "time_words"]

LABELS = {
    "accuracy": "right answers",
    "weighted": "right answers by traffic",
    "wrong_calls": "silent where no call is wanted",
    "missed_calls": "called where one is wanted",
    "form": "form kept",
    "cost": "cost of a call",
    "tokens": "tokens of a call",
    "ttft": "first token",
    "e2e": "whole reply",
    "fit": "run usable",
}


def label_of(name: str) -> str:
    """A check's name as people read it; of a cluster its own."""
    return LABELS.get(name, name)


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign and one digit.

    >>> points(-0.0333), points(0.0), points(0.1)
    ('−3.3', '0.0', '+10.0')
    """
    value = round(100 * share, 1)
    return f"{'−' if value < 0 else '+' if value > 0 else ''}{abs(value):.1f}"


def share_words(share: float) -> str:
    """A share in per cent.

    >>> share_words(0.931)
    '93.1 %'
    """
    return f"{100 * share:.1f} %"


def size_words(name: str, value: float) -> str:
    """A mean of USD or tokens."""
    return usd(value) if name == "cost" else f"{value:,.1f} tokens"


def time_words(value: float) -> str:
    """Seconds or milliseconds."""
    return seconds(value)


def pair_words(found: PairedComparison) -> str:
    """What was lost and gained, with the difference and its interval."""
    ends = f"{points(found.interval.low)} … {points(found.interval.high)}"
    sessions = f" in {found.sessions} sessions" if found.sessions is not None else ""
    calls = ", by their calls" if found.weighted else ""
    told = f"{found.lost} lost, {found.gained} gained of {found.n}{sessions}{calls}"
    return f"{told}: {points(found.difference)} points ({ends})"


RULES: dict[CheckKind, Callable[[str, float], str]] = {
    "margin": lambda _, limit: f"loses less than {100 * limit:g} points",
    "keep": lambda _, limit: f"keeps {100 * limit:g} % of the baseline's",
    "least": lambda _, limit: f"at least {100 * limit:g} %",
    "ratio": lambda _, limit: f"at most {limit:g} times",
    "most": lambda name, limit: f"at most {size_words(name, limit)}",
    "within": lambda _, limit: f"95 of 100 within {limit:g} s",
    "fit": lambda *_: "has readable replies",
}
