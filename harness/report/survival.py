"""How far replayed sessions go along with the record: the curve's geometry, and its figures in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.records import Divergence
from harness.records.summary import Summary
from harness.records.survival import SurvivalPoint, TrajectorySummary
from harness.report.formats import counted, percent, share_text
from harness.report.view import RunView

__all__ = ["KINDS", "SurvivalPlot", "session_lines", "survival_plots"]

KINDS: Final[dict[Divergence, str]] = {
    "called": "called where the log has words",
    "words": "words where the log calls",
    "stopped_early": "stopped early",
    "other_tool": "another tool",
    "other_arguments": "other arguments",
    "other_count": "too many or too few calls",
    "other_order": "a call of another step",
    "unknown_call": "a tool that the record never calls",
    "repeated_call": "a call once more than on record",
    "other_words": "other words",
    "unreadable": "unreadable",
    "cut_off": "cut off",
    "silent": "said nothing",
    "content_filter": "stopped by a filter",
    "context_overflow": "context overflow",
    "step_limit": "out of replies",
}
"""How a session left the record, in words."""
WIDTH, HEIGHT = 250.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, 44.0, 12.0, 24.0
_MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Corner:
    """The curve just after a step, in the plot's units."""

    x: float
    y: float
    low: float | None
    high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class SurvivalPlot:
    """The curve of one run."""

    run: RunView
    line: str
    """As SVG polyline points: stairs from 100 % on."""
    corners: tuple[Corner, ...]
    x_ticks: tuple[tuple[float, int], ...]
    y_ticks: tuple[tuple[float, int], ...]
    end: str
    """The last share in words."""
    end_y: float
    text: str
    """The picture in words."""
    facts: tuple[str, ...]
    """What stands below it."""


def survival_plots(runs: Sequence[RunView]) -> list[SurvivalPlot]:
    """One plot for each run of sessions; all with one scale."""
    found = [(run, run.summary.trajectories) for run in runs]
    known = [(run, one) for run, one in found if one is not None and one.curve]
    most = max((one.curve[-1].step for _, one in known), default=0)
    return [_plot(run, one, most) for run, one in known]


def _plot(run: RunView, found: TrajectorySummary, most: int) -> SurvivalPlot:
    corners = tuple(_corner(one, most) for one in found.curve)
    stairs = [(_x(0, most), _y(1.0))]
    for corner in corners:
        stairs += [(corner.x, stairs[-1][1]), (corner.x, corner.y)]
    step = max(1, round(most / 6))
    ticks = [number for number in range(most + 1) if number % step == 0 and most - number > step / 2] + [most]
    return SurvivalPlot(
        run=run,
        line=" ".join(f"{x:.1f},{y:.1f}" for x, y in stairs),
        corners=corners,
        x_ticks=tuple((_x(number, most), number) for number in ticks),
        y_ticks=tuple((_y(share / 100), share) for share in (0, 50, 100)),
        end=percent(found.curve[-1].share),
        end_y=corners[-1].y,
        text="; ".join(corner.note for corner in corners),
        facts=tuple(_facts(run.summary, found)),
    )


def _corner(one: SurvivalPoint, most: int) -> Corner:
    between = f", interval {share_text(one.interval.low, one.interval.high)}" if one.interval else ""
    note = f"after step {one.step}: {percent(one.share)}{between}; {one.diverged} of {one.at_risk} diverged at it"
    low, high = (_y(one.interval.low), _y(one.interval.high)) if one.interval else (None, None)
    return Corner(_x(one.step, most), _y(one.share), low, high, note)


def _x(step: int, most: int) -> float:
    return _LEFT + 6 + step / max(1, most) * (WIDTH - _LEFT - _RIGHT - 6)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)


def _facts(summary: Summary, found: TrajectorySummary) -> list[str]:
    """Sessions, steps and ways off the record, a sentence each."""
    left = f", {found.left:,} left it by an answer from elsewhere in the log" if found.left else ""
    lines = [
        f"{found.survived:,} of {counted(found.n, 'session')} followed the record to its end, {found.diverged:,} "
        f"diverged{left}.",
        f"Of {counted(found.steps, 'step')}, {found.steps_same:,} as on record, {found.steps_diverged:,} where a "
        f"session diverged, {found.steps_not_scored:,} after that: these cannot be scored.",
    ]
    if found.step_agreement is not None:
        own = found.of_ceiling if summary.recorded is None else None
        beside = f", {percent(own)} of what the log's model reaches with itself" if own is not None else ""
        lines.append(f"One more step as on record: {percent(found.step_agreement)}{beside}.")
    if found.median_step is not None:
        lines.append(f"Half of the sessions are gone at step {found.median_step:,}.")
    if found.kinds:
        ways = ", ".join(f"{KINDS[kind]} {n:,}" for kind, n in found.kinds.items())
        lines.append(f"How they diverged: {ways}.")
    return lines


def session_lines(summary: Summary) -> list[str]:
    """The same as lines of Markdown, with the curve as a table; nothing for a run of anything else."""
    found = summary.trajectories
    if found is None:
        return []
    lines = [f"- {line}" for line in _facts(summary, found)]
    lines.append(f"- Results were given by `{found.match}` matching; the user's turns are those of the log.")
    rows = [
        f"| {one.step} | {one.at_risk} | {one.diverged} | {percent(one.share)} | "
        f"{share_text(one.interval.low, one.interval.high) if one.interval else '–'} |"
        for one in found.curve[:_MOST_ROWS]
    ]
    head = [
        "",
        "| step | came to it | diverged | still as on record | 95 % interval |",
        "| --- | --- | --- | --- | --- |",
    ]
    more = len(found.curve) - len(rows)
    return [*lines, *head, *rows, *([f"| {more} more | | | | |"] if more else [])]
