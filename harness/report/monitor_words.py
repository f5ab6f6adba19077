"""What a monitor says, in words: for the page, the terminal and the one line of an alarm."""

from datetime import UTC, datetime

from harness.records.monitor import MonitorReport, MonitorView
from harness.report.formats import percent

__all__ = ["day", "findings", "headline", "limit_words", "more_words", "points", "promise_words", "state_words"]

_OUTCOMES = {
    "disagreement": "share of calls in which the two models do not do the same",
    "loss": "value of the large model's answer less that of the small one's",
    "error": "share of wrong answers of the small model",
}


def headline(report: MonitorReport) -> str:
    """The verdict of all monitors in a sentence."""
    used = f"{report.counts.used:,} verified calls"
    if not report.alarms:
        return f"No alarm after {used} of {report.policy}." if report.counts.used else "No verified call yet."
    names = [one.key for one in report.alarms]
    where = "the whole traffic" if names == ["traffic"] else ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
    off = " The policy is turned off." if report.killed else ""
    first = min(one.alarmed_values or 0 for one in report.alarms)
    what = f"the {report.outcome} has passed its limit ({where})"
    return f"Alarm: {what}, shown at verified call {first:,} of {report.policy}.{off}"


def findings(report: MonitorReport) -> list[str]:
    """What is promised, and what became of each monitor."""
    told = [f"Watched is the {_OUTCOMES[report.outcome]}; {promise_words(report)}"]
    told += [f"{one.key}: {state_words(one)}" for one in report.views[:8]]
    return [*told, *(f"{note}." for note in report.notes)]


def promise_words(report: MonitorReport) -> str:
    """What false alarms may happen."""
    design, many = report.design, len(report.views)
    over = f", all {many} monitors together" if many > 1 else ""
    if design.promise == "ever":
        return (
            f"while it is within the limit, an alarm ever comes with a chance of {percent(design.alpha)} at most{over}."
        )
    return f"while it is within the limit, an alarm comes once in {design.every:,.0f} units on the mean at most{over}."


def limit_words(report: MonitorReport, view: MonitorView) -> str:
    """The limit, and where it is from."""
    if report.design.baseline is None:
        return points(view.limit)
    calls = sum(size * times for _, size, times in report.design.baseline)
    return f"{points(view.limit)}: {points(report.design.limit)} above a baseline of {calls:,} calls, not known exactly"


def state_words(view: MonitorView) -> str:
    """Where one monitor stands."""
    if view.mean is None:
        return "no verified call yet"
    span = "" if view.interval is None else f" [{points(view.interval.low)}, {points(view.interval.high)}]"
    told = f"{points(view.mean)}{span} over {view.values:,} calls, limit {points(view.limit)}"
    if view.alarm:
        after = "" if view.since_values is None else f", {view.since_values:,} calls after it probably began"
        since = "" if view.since is None else f" ({day(view.since)})"
        return f"{told}; alarm on {day(view.alarmed_at)}{after}{since}"
    return f"{told}; {more_words(view)}"


def more_words(view: MonitorView) -> str:
    """How long a change would take to be found."""
    if view.more is None:
        return "a change would not be found soon"
    days = "" if view.days is None else f", {view.days:.1f} days at this pace" if view.days < 10_000 else ""
    return f"a change to the size that it is tuned for would take about {view.more:,} calls more{days}"


def points(value: float | None) -> str:
    """A share in per cent with a decimal place; a dash for none.

    >>> points(0.0523), points(None)
    ('5.2 %', '–')
    """
    return "–" if value is None else f"{100 * value:.1f} %"


def day(at: float | None) -> str:
    """A time to the minute, UTC.

    >>> day(0.0)
    '1970-01-01 00:00'
    """
    return "–" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
