"""Accuracy by the number of training rows: whether more rows would still help."""

from harness.records.learning import LearningCurve, LearningPoint
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series
from harness.report.formats import counted, percent, share_text

__all__ = ["learning_plot"]


def learning_plot(curve: LearningCurve) -> Plot:
    """The curve with its intervals, and what the model to be replaced reaches."""
    ordered = sorted(curve.points, key=lambda one: one.n_rows)
    first, last = ordered[0], ordered[-1]
    goal = curve.goal_accuracy
    bars = " Error bars: intervals." if any(one.low is not None for one in ordered) else ""
    how = f", trained by {curve.method}" if curve.method else ""
    return Plot(
        key=f"learning-{curve.name}",
        title=f"Learning curve of {curve.name}",
        message=f"{percent(first.accuracy)} with {counted(first.n_rows, 'row')}, {percent(last.accuracy)} with "
        f"{counted(last.n_rows, 'row')}" + (f"; the model to be replaced has {percent(goal)}." if goal else "."),
        caption=f"{curve.model_title}{how}: accuracy on the {curve.split} split of {curve.suite} (sha256 "
        f"{curve.suite_hash[:12]}) by training rows, none of which is from that split.{bars} {curve.made_at[:10]}.",
        x=Axis("training_rows", "Training rows", "count"),
        y=Axis("accuracy", "Accuracy", "share"),
        series=(Series(curve.name, curve.model_title, tuple(_point(one) for one in ordered), "line"),),
        rules=(Rule(goal, "model to be replaced"),) if goal is not None else (),
        notes=curve.notes,
    )


def _point(one: LearningPoint) -> Point:
    words = [f"{counted(one.n_rows, 'training row')}: {percent(one.accuracy)}"]
    words += [f"interval {share_text(one.low, one.high)}"] if one.low is not None and one.high is not None else []
    words += [counted(one.n_scored, "scored attempt")] if one.n_scored else []
    words += [one.label] if one.label else []
    return Point(float(one.n_rows), one.accuracy, ", ".join(words), one.low, one.high, one.label)
