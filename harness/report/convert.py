"""The page of a conversion: one file without a network, from the ledger alone to HTML."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.assets.progress import human_bytes
from harness.records.convert import DeltaReport, GateTable, GateTableRow, Ledger, TrainPoint
from harness.records.learning import LearningCurve
from harness.report.figures.figure import Axis, Plot, Point, Series
from harness.report.figures.html import picture
from harness.report.figures.learning import learning_plot
from harness.report.formats import counted, memory, parameters, percent, points, seconds, share_text, usd
from harness.report.page import environment, static_text, write_html

__all__ = ["build_page", "headline", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "convert.css", "print.css")


def write_page(ledger: Ledger, path: Path, curve: LearningCurve | None = None) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(ledger, curve))


def build_page(ledger: Ledger, curve: LearningCurve | None = None) -> str:
    """The page as HTML. curve: accuracy by the number of training rows, where it was measured."""
    gate = ledger.gate
    return (
        _environment()
        .get_template("convert.html.j2")
        .render(
            ledger=ledger,
            gate=gate,
            served=gate.row(gate.served) if gate is not None else None,
            headline=headline(ledger),
            findings=_findings(ledger),
            pictures=[picture(one, "convert") for one in _plots(ledger, curve)],
            reports=[one.delta for one in ledger.export.files if one.delta is not None],
            css=Markup(static_text(_CSS)),
        )
    )


def headline(ledger: Ledger) -> str:
    """What came of it, in a sentence."""
    gate = ledger.gate
    if gate is None:
        return f"{ledger.name}: trained and exported, and not yet put to the gate"
    base, tuned = gate.row("base"), gate.row(gate.served)
    if base is None or tuned is None or base.accuracy is None or tuned.accuracy is None:
        return f"{ledger.name}: {gate.verdict}"
    word = {"pass": "shown", "fail": "refuted", "inconclusive": "not yet shown"}[gate.verdict]
    return (
        f"{ledger.name}: from {percent(base.accuracy)} to {percent(tuned.accuracy)} on "
        f"{counted(gate.n_samples, 'sample')} that it never saw; that it may take over is {word}"
    )


def _findings(ledger: Ledger) -> list[str]:
    gate = ledger.gate
    found = []
    if gate is not None:
        found.append(f"{gate.why[0].upper()}{gate.why[1:]}.")
        if gate.enough_why:
            found.append(f"{gate.enough_why[0].upper()}{gate.enough_why[1:]}.")
    found += [f"{one}." if not one.endswith(".") else one for one in ledger.notes]
    return found


def _plots(ledger: Ledger, curve: LearningCurve | None) -> list[Plot]:
    training = ledger.training.points
    found = []
    loss = _loss_plot(ledger, training)
    if loss is not None:
        found.append(loss)
    metric = _metric_plot(ledger, training)
    if metric is not None:
        found.append(metric)
    if curve is not None:
        found.append(learning_plot(curve))
    return found


def _loss_plot(ledger: Ledger, training: tuple[TrainPoint, ...]) -> Plot | None:
    own = [one for one in training if one.loss is not None]
    held = [one for one in training if one.validation_loss is not None]
    if len(own) < 2:
        return None
    learned = [_point(one, one.loss, "loss") for one in own]
    ends = {learned[0].x, learned[-1].x}
    learned = [replace(one, label=f"{one.y:.2f}") if one.x in ends else one for one in learned]
    series = [Series("train", "rows that it learns from", tuple(learned), "line", 0)]
    if held:
        series.append(
            Series(
                "validation",
                "rows set aside",
                tuple(_point(one, one.validation_loss, "loss") for one in held),
                "line",
                1,
            )
        )
    first, last = own[0], own[-1]
    return Plot(
        key=f"loss-{ledger.name}",
        title="Loss",
        message=f"from {first.loss:.3f} at step {first.step:,} to {last.loss:.3f} at step {last.step:,}",
        caption=f"Cross-entropy of the replies' tokens, mean since the last mark, by step of training {ledger.name}.",
        x=Axis("step", "Step", "count"),
        y=Axis("loss", "Loss", "none", low=0.0),
        series=tuple(series),
    )


def _metric_plot(ledger: Ledger, training: tuple[TrainPoint, ...]) -> Plot | None:
    seen = [one for one in training if one.metric is not None]
    if len(seen) < 2:
        return None
    best = max(seen, key=lambda one: one.metric or 0.0)
    name = ledger.training.metric or "task metric"
    return Plot(
        key=f"metric-{ledger.name}",
        title=f"{name[0].upper()}{name[1:]} while training",
        message=f"best {percent(best.metric or 0.0)} at step {best.step:,}",
        caption=f"{name} on {ledger.dataset.n_validation} validation rows, by step of training {ledger.name}.",
        x=Axis("step", "Step", "count"),
        y=Axis("metric", name, "share", low=0.0, high=1.0),
        series=(Series("metric", name, tuple(_point(one, one.metric, name) for one in seen), "line", 1),),
    )


def _point(one: TrainPoint, value: float | None, what: str) -> Point:
    assert value is not None
    return Point(float(one.step), value, f"step {one.step:,}: {what} {value:.4g}")


def _spread(row: GateTableRow, name: str) -> str:
    interval = getattr(row, f"{name}_interval")
    return "" if interval is None else share_text(interval.low, interval.high)


def _verdict_class(row: GateTableRow) -> str:
    """Class of the colour of a row's verdict against the base."""
    pair, p = row.against_base, row.p_adjusted
    if pair is None or p is None or p > pair.verdict.alpha:
        return "undecided"
    return "pass" if pair.difference > 0 else "fail"


def _verdict_word(row: GateTableRow) -> str:
    pair, p = row.against_base, row.p_adjusted
    if pair is None or p is None:
        return "baseline" if row.row == "base" else row.no_verdict or "–"
    if p > pair.verdict.alpha:
        return "not decided"
    return "better" if pair.difference > 0 else "worse"


def _worst(report: DeltaReport) -> str:
    if report.worst is None or report.worst.survived is None:
        return "–"
    return f"{report.worst.name} ({report.worst.type}) {percent(report.worst.survived)}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _lasting(value: float) -> str:
    """Seconds, from two minutes on as minutes, from two hours on as hours."""
    if value < 120:
        return seconds(value)
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _is_served(row: GateTableRow, gate: GateTable) -> bool:
    return row.row == gate.served


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "points": points, "seconds": seconds, "memory": memory, "size": human_bytes, "usd": usd,
        "counted": counted, "shares": share_text, "parameters": parameters, "spread_of": _spread,
        "verdict_class": _verdict_class, "verdict_word": _verdict_word, "worst": _worst, "signed": _signed,
        "is_served": _is_served, "lasting": _lasting,
    }  # fmt: skip
    return made
