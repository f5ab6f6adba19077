"""The words that several pictures share: what a run was measured under, and what a caption must say of its runs."""

from collections.abc import Sequence

from harness.report.formats import counted, share_text
from harness.report.group import Group
from harness.report.links import explorer_link
from harness.report.view import RunView

__all__ = ["conditions", "interval_text", "listed", "measured_under", "sample_link"]

_SHOWN = 3


def conditions(run: RunView) -> str:
    """What the figures of a run depend on, a line each: attempts, weights, engine, machine, date."""
    manifest, summary = run.manifest, run.summary
    facts = manifest.backend
    lines = [
        counted(summary.n_scored, "scored attempt"),
        ", ".join(filter(None, [summary.quantization, _engine(run)])),
        f"{manifest.machine.cpu}, {manifest.machine.cores} cores" if facts is None or facts.weights else "",
        summary.started_at[:16].replace("T", " ") + " UTC",
        *(f"{key} {value}" for key, value in sorted(run.settings.items())[:_SHOWN]),
    ]
    return "\n".join(filter(None, lines))


def _engine(run: RunView) -> str:
    facts = run.manifest.backend
    return " ".join(filter(None, [facts.name, facts.build])) if facts else run.summary.backend


def interval_text(run: RunView) -> str:
    """The interval of a run's accuracy with its level; empty without one."""
    found = run.summary.accuracy_interval
    return f"{found.level * 100:g} % interval {share_text(found.low, found.high)}" if found else ""


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """Names in one line, the rest counted."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def measured_under(group: Group, runs: Sequence[RunView]) -> str:
    """Suite, attempts, engines, machines and dates of some runs: the last sentences of a caption."""
    sizes = sorted({run.summary.n_scored for run in runs})
    n = counted(sizes[0], "scored attempt") if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} scored attempts"
    methods = sorted({one.method for run in runs if (one := run.summary.accuracy_interval)})
    levels = sorted({one.level for run in runs if (one := run.summary.accuracy_interval)})
    bars = f" Error bars: {', '.join(f'{level * 100:g} %' for level in levels)} ({listed(methods)})." if levels else ""
    machines = sorted({f"{run.manifest.machine.cpu}, {run.manifest.machine.cores} cores" for run in runs})
    days = sorted(run.summary.started_at[:10] for run in runs)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return (
        f"Suite: {group.title} (sha256 {runs[0].summary.suite_hash[:12]}), {n} a run.{bars} "
        f"Engines: {listed(sorted({_engine(run) for run in runs}))}. Harness on {listed(machines)}; {when}."
    )


def sample_link(**keys: str) -> str:
    """Address of the samples of a run, a miss or a category on the leaderboard."""
    return explorer_link(**keys)
