"""Every view by name: what it holds, and what makes results for it where there are none."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from harness.query import records
from harness.query.source import Source
from harness.report.export import Table

__all__ = ["EXAMPLES", "VIEWS", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """One table that SQL can name."""

    name: str
    says: str
    make: str
    """What to type for results that it would show."""
    table: Callable[[Source], Table] | None = None
    """None: it is read from journals (`harness.query.journals`)."""


_RUN: Final = "python -m harness suite=toolcall model=smollm2"
_SELECT: Final = "python -m harness do=select"
_COMPARE: Final = "python -m harness do=compare"
_GATE: Final = "python -m harness do=gate"
_CONVERT: Final = "python -m harness do=convert"
_ALL: Final = (
    View("runs", "a row for each run folder, with the leaderboard's figures", _RUN, records.runs),
    View("categories", "accuracy of each run in each category", _RUN, partial(records.of_runs, name="categories")),
    View("misses", "where the attempts of each run were lost", _RUN, partial(records.of_runs, name="misses")),
    View("parts", "parts of the score of each run", _RUN, partial(records.of_runs, name="parts")),
    View("attempts", "a row for each attempt: its last outcome with its score, times, tokens and cost", _RUN),
    View("scores", "the verdict on each attempt", _RUN),
    View("samples", "what each run was asked", _RUN),
    View("comparisons", "pairs of runs that were held against each other", _COMPARE, records.comparisons),
    View("flips", "samples that differ within those pairs", _COMPARE, records.flips),
    View("gates", "verdicts of gates", _GATE, records.gates),
    View("checks", "each check of each gate", _GATE, records.checks),
    View("decisions", "the verdict on each cluster of each selection", _SELECT,
         partial(records.selected, table="verdicts", name="decisions")),
    View("evidence", "every criterion behind those verdicts", _SELECT,
         partial(records.selected, table="evidence", name="evidence")),
    View("variants", "every variant that a selection chose from", _SELECT,
         partial(records.selected, table="variants", name="variants")),
    View("audits", "what audits say of each task", "python -m harness do=audit logs.path=…", records.audited),
    View("loads", "each speed of each load replay", "python -m harness do=load", records.loads),
    View("precisions", "each precision of a model", "python -m harness do=quantize", records.precisions),
    View("conversions", "each conversion with a ledger", _CONVERT, records.conversions),
    View("conversion_rows", "each set-up in the gate of a conversion", _CONVERT, records.conversion_rows),
    View("clusters", "recurring tasks, of folders in query.clusters", "python -m harness do=cluster",
         partial(records.clusters, table="clusters", name="clusters")),
    View("weeks", "calls of each of those tasks by week", "python -m harness do=cluster",
         partial(records.clusters, table="weeks", name="weeks")),
)  # fmt: skip
VIEWS: Final[dict[str, View]] = {one.name: one for one in _ALL}
EXAMPLES: Final = (
    (
        "the best run of each model on each suite",
        "SELECT suite, model, protocol, accuracy, accuracy_low, accuracy_high FROM runs "
        "WHERE standing = 'ranked' ORDER BY suite, accuracy DESC",
    ),
    (
        "what is lost most, by model and category",
        "SELECT model, category, miss, count(*) AS n FROM attempts WHERE miss IS NOT NULL "
        "GROUP BY ALL ORDER BY n DESC LIMIT 10",
    ),
    (
        "which samples no run gets right",
        "SELECT suite, sample, count(*) AS attempts FROM scores GROUP BY ALL HAVING max(value) = 0 ORDER BY ALL",
    ),
)
"""Questions with their SQL."""
