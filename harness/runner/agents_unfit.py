"""Whether a run of agents' tasks says anything of its model."""

from collections.abc import Mapping, Sequence

from harness.records.score import CALLED, READABLE

__all__ = ["agents_unfit"]


def agents_unfit(counts: Mapping[str, Sequence[int]], evident: int) -> str | None:
    """Why the agents' tasks of a run say nothing of its model; None if nothing speaks against them, or there are none.

    counts: [passed, of] by name over all scored attempts (`Tally.counts`). evident: tasks, or replies where no task has
    a plan with calls, from which on a broken parser or template is likelier than chance.
    """
    called, tasks = counts.get(CALLED, (0, 0))
    readable, replies = counts.get(READABLE, (0, 0))
    look = "look at the raw replies, the chat template, the tool parser and model.protocol before believing it"
    if replies >= evident and not readable:
        return f"not one of the agent's {replies} replies could be read: {look}"
    if tasks >= evident and not called:
        return f"not one call in {tasks} tasks that need some ({readable} of {replies} replies could be read): {look}"
    return None
