"""The summary of a run with `run.stop`: its accuracy with what holds at every look, and no interval that does not."""

from harness.records.sequential import EarlyStop
from harness.records.summary import Summary

__all__ = ["as_stopped"]


def as_stopped(summary: Summary, early: EarlyStop | None) -> Summary:
    """The summary with the accuracy and the confidence sequences of the rule; as it was for a run without one.

    Where the end hangs on the answers, intervals for a fixed number of samples are too narrow: of other figures than
    the accuracy they are left out, and so is the accuracy by traffic.
    """
    if early is None:
        return summary
    categories = {
        name: one.model_copy(update={"interval": early.by_category.get(name)})
        for name, one in summary.by_category.items()
    }
    return summary.model_copy(
        update={
            "early": early,
            "accuracy": early.accuracy,
            "accuracy_interval": early.accuracy_interval,
            "by_category": categories,
            "traffic": None,
            "parts": {name: one.model_copy(update={"interval": None}) for name, one in summary.parts.items()},
            "pass_at": tuple(one.model_copy(update={"interval": None}) for one in summary.pass_at),
            "pass_hat": tuple(one.model_copy(update={"interval": None}) for one in summary.pass_hat),
            "cost_usd_per_sample_interval": None,
            "cost_usd_per_success_interval": None,
            "warnings": (*summary.warnings, early.sentence),
        }
    )
