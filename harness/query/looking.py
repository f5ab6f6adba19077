"""Views of `do=iterate`: every look at new calls, what it found, and what is to be done again."""

from functools import partial
from typing import Final

from harness.query.stacking import Stored
from harness.records.iterate import Iteration
from harness.report.export import Columns, Field
from harness.report.iterate import iterate_tables

__all__ = ["LOOKS", "iterations"]


def _bare(one: Iteration) -> Iteration:
    """Without names that are made of words, which the command leaves out with report.samples=false, too."""
    new = tuple(each.model_copy(update={"name": each.id}) for each in one.new_clusters)
    return one.model_copy(update={"new_clusters": new})


LOOKS: Final = Stored(
    "iterate", "iteration.json", Iteration,
    ((Field("iteration", "text", "", "Folder of the look."), lambda one: one[0]),
     (Field("state", "text", "", "Name of the state that goes on from look to look."), lambda one: one[1].state),
     (Field("looked_at", "text", "ISO 8601", "When, UTC: made_at is that of a verdict."), lambda one: one[1].made_at)),
    iterate_tables,
    _bare,
)  # fmt: skip

_LOOKS: Columns[tuple[str, Iteration]] = (
    (Field("look", "count", "", "Number of the look."), lambda one: one[1].look),
    (Field("calls", "text", "", "Folder of the curated calls."), lambda one: one[1].calls),
    (Field("clusters", "text", "", "Folder of the clusters."), lambda one: one[1].clusters),
    (Field("n_old", "count", "calls", "Calls that the clusters were made of."), lambda one: one[1].n_old),
    (Field("n_new", "count", "calls", "Calls since."), lambda one: one[1].n_new),
    (Field("n_fresh", "count", "calls", "Of them, those that no look saw before."), lambda one: one[1].n_fresh),
    (Field("to_known", "count", "calls", "New calls of known tasks."), lambda one: one[1].to_known),
    (Field("to_new", "count", "calls", "Of new tasks."), lambda one: one[1].to_new),
    (Field("to_none", "count", "calls", "Of none."), lambda one: one[1].to_none),
    (Field("tests", "count", "tests", "That the correction counts."), lambda one: one[1].tests),
    (Field("drifted", "count", "tests", "That are sure, and large enough."),
     lambda one: sum(each.drifted for each in one[1].drift) + sum(each.drifted for each in one[1].router)),
    (Field("new_tasks", "count", "tasks", "That were not there."), lambda one: len(one[1].new_clusters)),
    (Field("changes", "count", "", "Tools, instructions and models that changed."), lambda one: len(one[1].changes)),
    (Field("stale", "count", "verdicts", "That something speaks against."), lambda one: len(one[1].stale)),
    (Field("todos", "count", "", "Things to do again."), lambda one: len(one[1].todos)),
    (Field("steps", "count", "steps", "That were done (iterate.apply=true)."), lambda one: len(one[1].steps)),
    (Field("seconds", "number", "s", "How long it took."), lambda one: one[1].seconds),
)  # fmt: skip
iterations = partial(LOOKS.each, name="iterations", columns=_LOOKS)
"""Every look."""
