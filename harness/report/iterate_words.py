"""What was found, in a sentence each; for the terminal, the ledger and the page alike."""

from typing import Final

from harness.records.iterate import (
    ChangeKind,
    DriftMeasure,
    DriftRow,
    Dropped,
    Iteration,
    RouterRow,
    SourceChange,
    Stake,
)
from harness.report.formats import counted, usd

__all__ = [
    "change_words",
    "drift_words",
    "dropped_words",
    "headline",
    "measure_words",
    "router_words",
    "stake_words",
    "summary_lines",
]

_CHANGES: Final[dict[ChangeKind, str]] = {
    "tool_added": "tool {} added",
    "tool_removed": "tool {} removed",
    "tool_changed": "tool {} changed",
    "prompt_added": "sentence {} added to the instruction",
    "prompt_removed": "sentence {} removed from the instruction",
    "model_added": "the log's model {} is new",
    "model_removed": "the log's model {} is gone",
}


def change_words(one: SourceChange) -> str:
    """A change at the source."""
    detail = f": {', '.join(one.detail)}" if one.detail else ""
    since = f", since {one.since}" if one.since else ""
    return f"{_CHANGES[one.kind].format(one.what)}{detail}{since} ({one.calls:,} new calls)"


def drift_words(one: DriftRow) -> str:
    """What drifted, by the figures that are sure and large enough; by the surest where none is."""
    large = [each for each in one.measures if each.notable] or list(one.measures[:1])
    said = "; ".join(measure_words(each) for each in large[:3])
    return f"{one.side} drifted: {said}"


def measure_words(one: DriftMeasure) -> str:
    """One figure of a comparison."""
    if one.kind == "mean":
        return f"{one.name} {_figure(one.old)} → {_figure(one.now)}"
    if one.kind == "psi":
        return f"{one.name} (stability index {_rounded(one.effect, 2)})"
    if one.kind == "auc":
        return f"{one.name} (a classifier tells new from old, AUC {one.effect:.2f})"
    return f"{one.name} (MMD² {_rounded(one.effect, 3)})"


def _rounded(value: float, digits: int) -> str:
    """With a minus sign as in print, and none before 0."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def router_words(one: RouterRow) -> str:
    """What changed in the router's logs."""
    name = "calls handed on" if one.what == "handed on" else "verified calls with another answer"
    return f"{name} {one.old:.1%} → {one.now:.1%}"


def stake_words(one: Stake) -> str:
    """What is at stake a week: the money where it is known, else tokens, else calls."""
    parts = []
    if one.saved_usd_week is not None:
        parts.append(f"saves {usd(one.saved_usd_week)} a week")
    if one.usd_week is not None:
        parts.append(f"{usd(one.usd_week)} a week")
    if one.tokens_week is not None and one.usd_week is None:
        parts.append(f"{one.tokens_week:,.0f} tokens a week")
    if one.calls_week is not None:
        count = f"{one.calls_week:,.0f}" if one.calls_week >= 100 else f"{one.calls_week:.2g}"
        parts.append(f"{count} calls a week")
    return ", ".join(parts) or "no time is logged, so nothing by the week"


def headline(found: Iteration) -> str:
    """The one sentence on top."""
    if found.steps:
        failed = [one for one in found.steps if one.exit_code not in {0, 1, 2}]
        return f"{counted(len(found.steps), 'step')} done again" + (f", {len(failed)} failed." if failed else ".")
    if not found.n_new:
        said = "No new call"
    else:
        span = f" ({found.first} to {found.last})" if found.first and found.last else ""
        said = f"{counted(found.n_new, 'new call')}{span}"
    return f"{said}: {counted(len(found.todos), 'thing') if found.todos else 'nothing'} to do again."


def summary_lines(found: Iteration) -> list[str]:
    """What the terminal says before the list."""
    lines = [headline(found)]
    if found.n_new:
        fresh = sum(one.within is None for one in found.new_clusters)
        lines.append(
            f"  {found.to_known:,} in known tasks, {found.to_new:,} in {counted(fresh, 'new task')}, "
            f"{found.to_none:,} in none yet; {found.n_fresh:,} not seen before"
        )
    drifted = [one for one in found.drift if one.drifted]
    lines.append(
        f"  drift: {len(drifted)} of {counted(found.tests, 'test')} (α {found.alpha:g} over all of them)"
        if found.tests
        else "  drift: nothing was tested, for too few calls or sessions"
    )
    lines += [f"    {one.where}: {drift_words(one)}" for one in drifted]
    lines += [f"    {one.cluster}: {router_words(one)}" for one in found.router if one.drifted]
    lines += [f"  {one.node}: {change_words(one)}" for one in found.changes]
    lines += [f"  left out by '{one.rule}': {dropped_words(one)}" for one in found.dropped]
    lines += [f"  {one.name}: {one.outcome} ({one.seconds:.0f} s)" for one in found.steps]
    return lines + [f"  note: {one}" for one in found.notes]


def dropped_words(one: Dropped) -> str:
    """How much more a rule of curation leaves out."""
    before, now = one.old / one.old_read, one.new / one.new_read
    return f"{one.old:,} of {one.old_read:,} before ({before:.1%}), {one.new:,} of {one.new_read:,} now ({now:.1%})"
