"""The time to the first token by the length of the prompt, cold and warm cache apart."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from harness.measure import ttft_s
from harness.report.figures.figure import Axis, Draw, Plot, Point, Series, Table, Value
from harness.report.figures.latency import asked
from harness.report.figures.words import listed, measured_under
from harness.report.formats import seconds
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["ttft_by_prompt"]

_MOST_RUNS: Final = 4
_MOST_POINTS: Final = 600
_WARM_FRAC: Final = 0.5
"""Share of the prompt's tokens that come from the cache, from which on an attempt counts as warm: as in the summary."""
_LEAST: Final = 3
_LEAST_RATIO: Final = 1.1
_LOG_FROM: Final = 8.0
_DRAWN: Final[dict[str, Draw]] = {"cold": "cloud", "warm": "squares", "": "cloud"}

Pairs = list[tuple[float, float]]


def ttft_by_prompt(group: Group) -> Plot | None:
    """Time to the first token against prompt tokens for the best runs; None where no server tells its tokens.

    Nor is there one where all prompts are of one length. Requests with at least half of their prompt read from the
    cache are a series of their own. A server that says nothing of its cache counts as neither.
    """
    found = [(run, _pairs(run)) for run in group.ranked]
    known = [(run, kinds) for run, kinds in found if any(len(pairs) >= _LEAST for pairs in kinds.values())]
    if not known:
        return None
    shown = known[:_MOST_RUNS]
    lengths = [tokens for _, kinds in shown for pairs in kinds.values() for tokens, _ in pairs]
    if max(lengths) < _LEAST_RATIO * min(lengths):
        return None
    series = []
    for place, (run, kinds) in enumerate(shown):
        for kind, pairs in kinds.items():
            if pairs:
                name = ", ".join(filter(None, [group.names[run.id], kind]))
                points = tuple(Point(x, y) for x, y in _thinned(pairs))
                series.append(Series(f"{run.id}-{kind or 'all'}", name, points, _DRAWN[kind], place))
    times = [point.y for one in series for point in one.points]
    more = [group.names[run.id] for run, _ in known[_MOST_RUNS:]]
    return Plot(
        key="ttft-prompt",
        title="Time to the first token by length of the prompt",
        message=_message(group, shown),
        caption="Each dot is a request. Warm, as squares: at least half of the prompt's tokens came from the engine's "
        "cache. " + measured_under(group, [run for run, _ in shown]),
        x=Axis("prompt_tokens", "Prompt tokens", "tokens", log=max(lengths) / min(lengths) >= _LOG_FROM),
        y=Axis("ttft_s", "Time to the first token", "seconds", log=max(times) / min(times) >= _LOG_FROM),
        series=tuple(series),
        notes=(f"The {_MOST_RUNS} best runs are drawn; left out: {listed(more)}.",) if more else (),
        left_out=tuple(group.names[run.id] for run, kinds in found if not any(kinds.values())),
        digest=_digest(group, shown),
    )


def _pairs(run: RunView) -> dict[str, Pairs]:
    """(prompt tokens, TTFT) of each request: cold, warm, and those whose server tells nothing of its cache."""
    kinds: dict[str, Pairs] = {"cold": [], "warm": [], "": []}
    for call in asked(run):
        tokens, cached, time = call.usage.prompt_tokens, call.usage.cached_tokens, ttft_s(call.timing)
        if not tokens or time is None or time <= 0:
            continue
        kind = "" if cached is None else "warm" if cached / tokens >= _WARM_FRAC else "cold"
        kinds[kind].append((float(tokens), time))
    return kinds


def _thinned(pairs: Pairs) -> Pairs:
    """All of them, or of many an even choice along the prompt's length, so that both ends stay."""
    ordered = sorted(pairs)
    if len(ordered) <= _MOST_POINTS:
        return ordered
    return [ordered[place] for place in np.linspace(0, len(ordered) - 1, _MOST_POINTS).round().astype(int)]


def _message(group: Group, shown: Sequence[tuple[RunView, dict[str, Pairs]]]) -> str:
    told = []
    for run, kinds in shown:
        parts = [
            f"{kind or 'all'} {seconds(float(np.median([y for _, y in pairs])))} at "
            f"{float(np.median([x for x, _ in pairs])):,.0f} tokens"
            for kind, pairs in kinds.items()
            if pairs
        ]
        told.append(f"{group.names[run.id]}: {', '.join(parts)}")
    return f"medians: {'; '.join(told)}."


def _digest(group: Group, shown: Sequence[tuple[RunView, dict[str, Pairs]]]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for run, kinds in shown:
        for kind, pairs in kinds.items():
            if pairs:
                x, y = np.array(pairs).T
                quantiles = (round(float(one), 4) for one in np.quantile(y, (0.5, 0.95)))
                rows.append(
                    (group.names[run.id], kind or "not told", len(pairs), int(x.min()), round(float(np.median(x))),
                     int(x.max()), *quantiles)
                )  # fmt: skip
    head = ("run", "cache", "requests", "least tokens", "median tokens", "most tokens", "TTFT p50 (s)", "TTFT p95 (s)")
    return Table(head, tuple(rows))
