"""Where the answers of a run are from, in the words of the page and of the terminal."""

from harness.records import RecordedBy
from harness.records.summary import Summary
from harness.report.formats import counted, usd

__all__ = ["answers_text", "recorded_cost_text", "recorded_mark", "unmeasured_reason"]

_SHOWN = 3
_WHO: dict[RecordedBy, str] = {"provider": "the provider", "litellm": "litellm", "log": "the log"}


def recorded_mark(summary: Summary) -> str:
    """What stands behind a time that a log gives; empty behind a measured one."""
    return " (log)" if summary.recorded else ""


def answers_text(summary: Summary) -> str | None:
    """Which answers were not asked for in this run, and what their times are; None if all were.

    >>> answers_text(Summary.model_construct(recorded=None, cached=None)) is None
    True
    """
    words = list(filter(None, (_recorded(summary), _cached(summary))))
    return " ".join(words) or None


def _recorded(summary: Summary) -> str:
    found = summary.recorded
    if found is None:
        return ""
    who = ", ".join(found.models[:_SHOWN]) + (
        f" and {len(found.models) - _SHOWN} more" if found.models[_SHOWN:] else ""
    )
    be = "is" if found.of == 1 else "are"
    text = f"{found.n:,} of {counted(found.of, 'answer')} {be} on record ({who}), none was asked for here."
    kinds = [f"{found.n_e2e:,} end to end"] * bool(found.n_e2e) + [f"{found.n_ttft:,} to the first token"] * bool(
        found.n_ttft
    )
    if not kinds:
        return f"{text} No times are on record."
    taken = f", taken from {', '.join(found.latency_sources)}" if found.latency_sources else ""
    return f"{text} Times are the log's ({'; '.join(kinds)}{taken}): not to be compared with measured ones."


def _cached(summary: Summary) -> str:
    found = summary.cached
    if found is None:
        return ""
    when = found.first if found.first == found.last else f"{found.first} to {found.last}"
    return (
        f"{found.n:,} of {counted(found.of, 'answer')} from the cache of {when}: they cost nothing now, and their "
        "times are in no figure."
    )


def unmeasured_reason(summary: Summary, otherwise: str) -> str:
    """Why a time is not there."""
    if summary.cached is not None:
        return "not measured: the answers are from the cache of replies"
    if summary.recorded is not None:
        return "not on record"
    return otherwise


def recorded_cost_text(summary: Summary) -> str | None:
    """What others say that the answers cost, beside what is computed; None where nobody does."""
    found = summary.recorded_cost
    if found is None:
        return None
    beside = "" if found.computed_usd is None else f"; the same at list price: {usd(found.computed_usd)}"
    by = " and ".join(_WHO[one] for one in found.by) or "others"
    return f"{usd(found.usd)} for {counted(found.n, 'attempt')}, as told by {by}{beside}"
