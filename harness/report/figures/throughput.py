"""Calls served a second against calls open at once: from load replays, and from runs at several concurrencies."""

from collections.abc import Sequence

from pydantic import JsonValue

from harness.records.load import LoadBook, LoadPoint
from harness.report.figures.figure import Axis, Plot, Point, Series
from harness.report.figures.words import conditions, listed, measured_under
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["throughput_of_load", "throughput_of_runs"]

_OPEN = Axis("open_calls", "Calls open at once", "count")
_SERVED = Axis("served_per_s", "Whole replies a second", "per_second")


def throughput_of_runs(group: Group) -> Plot | None:
    """Replies a second by `run.concurrency`; None where no model of the suite was run at two of them or more.

    Older runs count, too: of each model, protocol and concurrency the latest complete one. Runs with arrivals of their
    own (open loop) are left out, as are those with answers from a cache or from a log.
    """
    lines: dict[str, dict[int, RunView]] = {}
    for run in sorted((*group.older, *group.ranked), key=lambda run: run.summary.started_at):
        at = _concurrency(run)
        if at is not None and _rate(run) is not None:
            name = ", ".join(filter(None, [run.title, run.summary.protocol, run.summary.quantization]))
            lines.setdefault(name, {})[at] = run
    shown = {name: runs for name, runs in lines.items() if len(runs) > 1}
    if not shown:
        return None
    series = [
        Series(name, name, tuple(_run_point(name, at, run) for at, run in sorted(runs.items())), "line", place)
        for place, (name, runs) in enumerate(sorted(shown.items()))
    ]
    every = [run for runs in shown.values() for run in runs.values()]
    return Plot(
        key="throughput",
        title="Throughput against concurrency",
        message=_message(series),
        caption="Finished replies over the busy time of the run, by requests in flight. "
        + measured_under(group, every),
        x=_OPEN,
        y=_SERVED,
        series=tuple(series),
    )


def throughput_of_load(books: Sequence[LoadBook]) -> Plot | None:
    """Replies a second by the mean number of open calls at each speed played; None where nothing was served."""
    series = []
    for place, book in enumerate(books):
        known = [one for one in book.points if one.served_per_s is not None and one.served]
        name = ", ".join(filter(None, [book.model_title, book.protocol, book.quantization]))
        if known:
            points = sorted((_load_point(name, one) for one in known), key=lambda point: point.x)
            series.append(Series(book.run, f"{name} ({book.started_at[:10]})", tuple(points), "line", place))
    if not series:
        return None
    machines = listed(sorted({f"{book.machine.cpu}, {book.machine.cores} cores" for book in books}))
    return Plot(
        key="load-throughput",
        title="Throughput under the log's own load",
        message=_message(series),
        caption="Each point is a speed of the replayed log: calls due and not done on average, and whole replies a "
        f"second. The curve flattens where the engine is full. Machines: {machines}.",
        x=Axis("mean_open_calls", "Calls open at once, on average", "count"),
        y=_SERVED,
        series=tuple(series),
    )


def _concurrency(run: RunView) -> int | None:
    """Requests in flight of a closed loop; None for any other."""
    part: JsonValue = run.manifest.config.get("run")
    if not isinstance(part, dict) or run.summary.recorded is not None or run.summary.n_cached:
        return None
    arrival, found = part.get("arrival"), part.get("concurrency")
    closed = not isinstance(arrival, dict) or arrival.get("kind", "closed") == "closed"
    return found if closed and isinstance(found, int) else None


def _rate(run: RunView) -> float | None:
    summary = run.summary
    done = summary.n_scored + summary.n_unscored
    return done / summary.wall_s if summary.complete and summary.wall_s and done else None


def _run_point(name: str, at: int, run: RunView) -> Point:
    rate = _rate(run) or 0.0
    tokens = run.summary.system_tokens_per_s
    more = f", {tokens:.3g} output tokens a second" if tokens else ""
    return Point(float(at), rate, f"{name}: {rate:.3g} replies a second, {at} open{more}\n{conditions(run)}")


def _load_point(name: str, one: LoadPoint) -> Point:
    rate = one.served_per_s or 0.0
    offered = f"{one.offered_per_s:.3g}" if one.offered_per_s is not None else "–"
    text = (
        f"{name}, {one.speed:g} × today's load: {rate:.3g} replies a second, {one.backlog.mean:.3g} open on average\n"
        f"{offered} calls a second offered, {one.sent} sent: {one.verdict}"
    )
    return Point(one.backlog.mean, rate, text, label=f"{one.speed:g} ×", strong=one.verdict == "holds")


def _message(series: Sequence[Series]) -> str:
    told = []
    for one in series:
        best = max(one.points, key=lambda point: point.y)
        told.append(f"{one.name} reaches {best.y:.3g} a second with {best.x:.3g} open")
    return f"{'; '.join(told[:4])}."
