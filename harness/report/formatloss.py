"""How many of the lost points are format: what JSON repair and a grammar give back, and what the grammar takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.breakdown import Segment, parts_of
from harness.report.formats import change, counted, percent
from harness.report.view import RunView

__all__ = ["FormatLoss", "format_losses"]


@dataclass(frozen=True, slots=True)
class FormatLoss:
    """One bar: the points of a run, and which of the lost ones come back in one way."""

    run: str
    way: str
    """`repair`: the same replies after JSON repair. `grammar`: the misses put again under a grammar."""
    segments: tuple[Segment, ...]
    sentence: str
    price: str
    """What it costs; empty where it costs nothing or was not measured."""


def format_losses(runs: Sequence[RunView]) -> list[tuple[RunView, tuple[FormatLoss, ...]]]:
    """Of each run whose misses were repaired or put again, a bar for each way."""
    found = [(run, tuple(filter(None, [_repair(run), _grammar(run)]))) for run in runs]
    return [(run, losses) for run, losses in found if losses]


def _repair(run: RunView) -> FormatLoss | None:
    found = run.summary.format
    if found is None:
        return None
    back = f"JSON repair gives back {_points(found.points_repaired)} of {_points(found.points_lost)} lost points"
    lucky = ""
    if found.points_lucky:
        lucky = f"; it would take {_points(found.points_lucky)} that were won only because a call could not be read"
    bar = _bar(run, found.points_lost, found.points_repaired, "after repair")
    return FormatLoss(run.id, "repair", bar, f"{back}{lucky}.", "")


def _grammar(run: RunView) -> FormatLoss | None:
    found, summary = run.summary.grammar, run.summary
    if found is None or summary.accuracy is None:
        return None
    lost = summary.n_scored * (1 - summary.accuracy)
    back = min(lost, found.points_back * max(1, summary.trials))
    samples = counted(found.n_samples, "missed sample")
    sentence = f"A grammar gives back {_points(back)} of {_points(lost)} lost points, on {samples} put again."
    costs = (
        (found.ttft_s, "to the first token"),
        (found.tpot_s, "per further token"),
        (found.e2e_s, "for the whole reply"),
    )
    price = ", ".join(f"{change(value)} {what}" for value, what in costs if value is not None)
    return FormatLoss(run.id, "grammar", _bar(run, lost, back, "under a grammar"), sentence, price)


def _bar(run: RunView, lost: float, back: float, when: str) -> tuple[Segment, ...]:
    """Shares of all scored attempts: won, won when format is mended, lost either way."""
    won = max(0.0, run.summary.n_scored - lost)
    return parts_of(
        [
            ("both", f"won as they are ({percent(won / run.summary.n_scored)})", won),
            ("gained", f"won {when}", back),
            ("neither", "lost either way", max(0.0, lost - back)),
        ]
    )


def _points(value: float) -> str:
    """Points of attempts, with one digit where partial ones are among them."""
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.1f}"
