"""Views of `do=convert`: each ledger with its steps, rows of the gate, files, training, and what more rows buy."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from harness.query.source import Source
from harness.query.stacking import MADE, RUN, SUITE, Stored, high, low, stacked
from harness.records.convert import (
    ChainLink,
    CurvePoint,
    ExportFile,
    GateTableRow,
    GeneralCheck,
    LearningCurve,
    Ledger,
    TrainPoint,
)
from harness.report.export import Columns, Field, Table, Value, table_of

__all__ = ["LEDGERS", "curves", "files", "general", "ledgers", "rows", "steps", "training"]

LEDGERS: Final = Stored(
    "convert", "ledger.json", Ledger,
    ((Field("conversion", "text", "", "Folder of the conversion."), lambda one: one[0]),
     (MADE, lambda one: one[1].made_at), (SUITE, lambda one: one[1].suite)),
)  # fmt: skip

_LEDGERS: Columns[tuple[str, Ledger]] = (
    (Field("cluster", "text", "", "What was learned; null: the whole suite."), lambda one: one[1].cluster),
    (Field("base", "text", "", "File of the weights before."), lambda one: one[1].base.file),
    (Field("base_sha256", "text", "", "Of that file."), lambda one: one[1].base.sha256),
    (Field("method", "text", "", "lora, qlora, dora or full."), lambda one: one[1].method),
    (Field("n_train", "count", "rows", "That it learned from."), lambda one: one[1].dataset.n_train),
    (Field("n_validation", "count", "rows", "That training was stopped by."), lambda one: one[1].dataset.n_validation),
    (Field("n_test", "count", "samples", "Kept for the gate."), lambda one: one[1].dataset.n_test),
    (Field("steps", "count", "steps", "Of training."), lambda one: one[1].training.steps),
    (Field("best_step", "count", "steps", "The checkpoint that was kept."), lambda one: one[1].training.best_step),
    (Field("file", "text", "", "That the model is served with."),
     lambda one: found.file.path if (found := one[1].export.file(one[1].export.chosen)) else None),
    (Field("file_sha256", "text", "", "Of that file."),
     lambda one: found.file.sha256 if (found := one[1].export.file(one[1].export.chosen)) else None),
    (Field("verdict", "text", "", "Of the gate: pass, fail or inconclusive; null: it was not asked."),
     lambda one: one[1].gate.verdict if one[1].gate else None),
    (Field("why", "text", "", "In a sentence."), lambda one: one[1].gate.why if one[1].gate else None),
    (Field("enough", "text", "", "Cheapest row that is not shown to be worse; null: none but the tuned one."),
     lambda one: one[1].gate.enough if one[1].gate else None),
    (Field("payback_calls", "number", "calls", "After which it has paid; null: not known, or never."),
     lambda one: one[1].payback.calls if one[1].payback else None),
    (Field("hours", "number", "h", "Of the machine."), lambda one: one[1].hours),
    (Field("usd", "number", "USD", "Machine and teacher; null: a part is not known."), lambda one: one[1].usd),
    (Field("promoted", "flag", "", "Whether it was made a model of its own."), lambda one: one[1].promoted is not None),
    (Field("notes", "text", "", "What a reader must know."), lambda one: " ".join(one[1].notes) or None),
)  # fmt: skip
ledgers = partial(LEDGERS.each, name="conversions", columns=_LEDGERS)
"""Every conversion that has a ledger."""

_ROWS: Columns[GateTableRow] = (
    (Field("row", "text", "", "base, examples, grammar, tuned, tuned_grammar, checkpoint or reference."),
     lambda one: one.row),
    (RUN, lambda one: one.run),
    (Field("protocol", "text", "", "How it is told of its tools."), lambda one: one.protocol),
    (Field("n_scored", "count", "attempts", "With a value."), lambda one: one.n_scored),
    (Field("n_failed", "count", "attempts", "Lost to the infrastructure."), lambda one: one.n_failed),
    (Field("accuracy", "number", "share", "Mean value."), lambda one: one.accuracy),
    (Field("low", "number", "share", "Lower end of its interval."), lambda one: low(one.accuracy_interval)),
    (Field("high", "number", "share", "Upper end."), lambda one: high(one.accuracy_interval)),
    (Field("form", "number", "share", "Replies that can be read, by the schema."), lambda one: one.form),
    (Field("abstention", "number", "share", "Right not to call, of the samples that want no call."),
     lambda one: one.abstention),
    (Field("difference", "number", "share", "To the base, pair by pair."),
     lambda one: one.against_base.difference if one.against_base else None),
    (Field("difference_low", "number", "share", "Lower end of its interval."),
     lambda one: low(one.against_base.interval) if one.against_base else None),
    (Field("difference_high", "number", "share", "Upper end."),
     lambda one: high(one.against_base.interval) if one.against_base else None),
    (Field("p_adjusted", "number", "p", "That it is no better than the base, corrected for all rows."),
     lambda one: one.p_adjusted),
    (Field("reference_verdict", "text", "", "Against the reference: pass, fail or need_more; null: none."),
     lambda one: one.against_reference.verdict.verdict if one.against_reference else None),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), lambda one: one.e2e_p50_s),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one.e2e_p95_s),
    (Field("tokens_per_s", "number", "tokens/s", "Median speed of generation."), lambda one: one.tokens_per_s),
    (Field("cost_usd_per_success", "number", "USD", "Cost over the sum of values."),
     lambda one: one.cost_usd_per_success),
)  # fmt: skip
rows = partial(LEDGERS.of, name="conversion_rows", rows=lambda one: one.gate.rows if one.gate else (), columns=_ROWS)
"""The gate of every conversion, a row for each set-up."""

_STEPS: Columns[ChainLink] = (
    (Field("step", "text", "", "logs, curate, cluster, suite, data, train, export or gate."), lambda one: one.step),
    (Field("said", "text", "", "What was done."), lambda one: one.said),
    (Field("key", "text", "", "Hash of what decided it; null: it was made elsewhere."), lambda one: one.key),
    (Field("inputs", "text", "", "What it read: name and SHA-256."),
     lambda one: "; ".join(f"{name} {digest}" for name, digest in one.inputs.items()) or None),
    (Field("files", "count", "files", "That it left in the folder."), lambda one: len(one.files)),
    (Field("bytes", "count", "bytes", "Of these."), lambda one: sum(file.bytes for file in one.files)),
    (Field("seconds", "number", "s", "That it took; null: not known."), lambda one: one.seconds),
)  # fmt: skip
steps = partial(LEDGERS.of, name="conversion_steps", rows=lambda one: one.links, columns=_STEPS)
"""Every step of every ledger, from the logs to the gate."""

_FILES: Columns[ExportFile] = (
    (Field("type", "text", "", "Type of a GGUF, or adapter or safetensors."), lambda one: one.type),
    (Field("file", "text", "", "Its name in the folder."), lambda one: one.file.path),
    (Field("bytes", "count", "bytes", "Its size."), lambda one: one.file.bytes),
    (Field("sha256", "text", "", "Of the file."), lambda one: one.file.sha256),
    (Field("made_by", "text", "", "What wrote it."), lambda one: one.made_by),
    (Field("survived", "number", "share", "Of what training changed, what is left; null: not looked at."),
     lambda one: one.delta.survived if one.delta else None),
    (Field("verdict", "text", "", "pass, warn or refuse; null: not looked at."),
     lambda one: one.delta.verdict if one.delta else None),
)  # fmt: skip
files = partial(LEDGERS.of, name="conversion_files", rows=lambda one: one.export.files, columns=_FILES)
"""The files that engines can load."""

_POINTS: Columns[TrainPoint] = (
    (Field("step", "count", "steps", "Of training."), lambda one: one.step),
    (Field("seconds", "number", "s", "Of training so far."), lambda one: one.seconds),
    (Field("rows", "count", "rows", "Seen so far."), lambda one: one.rows),
    (Field("tokens", "count", "tokens", "Seen so far."), lambda one: one.tokens),
    (Field("loss", "number", "nats", "Mean since the last line."), lambda one: one.loss),
    (Field("divergence", "number", "nats", "From the teacher; null: none."), lambda one: one.divergence),
    (Field("validation_loss", "number", "nats", "On the rows to stop by."), lambda one: one.validation_loss),
    (Field("metric", "number", "share", "Of the task, on those rows."), lambda one: one.metric),
    (Field("learning_rate", "number", "", "At this step."), lambda one: one.learning_rate),
)
training = partial(LEDGERS.of, name="conversion_training", rows=lambda one: one.training.points, columns=_POINTS)
"""Every line of every training."""

_GENERAL: Columns[GeneralCheck] = (
    (Field("of_suite", "text", "", "Suite that is not its task."), lambda one: one.suite),
    (Field("n", "count", "samples", "Asked."), lambda one: one.n),
    (Field("base", "number", "share", "Accuracy before."), lambda one: one.base),
    (Field("tuned", "number", "share", "Accuracy after."), lambda one: one.tuned),
    (Field("verdict", "text", "", "No worse: pass, fail or need_more; null: none."),
     lambda one: one.comparison.verdict.verdict if one.comparison else None),
    (Field("difference", "number", "share", "Pair by pair."),
     lambda one: one.comparison.difference if one.comparison else None),
    (Field("base_run", "text", "", "Folder of the run before."), lambda one: one.base_run),
    (Field("tuned_run", "text", "", "Of the run after."), lambda one: one.tuned_run),
    (Field("no_verdict", "text", "", "Why there is none; null: there is one."), lambda one: one.no_verdict),
)  # fmt: skip
general = partial(
    LEDGERS.of, name="conversion_general", rows=lambda one: one.gate.general if one.gate else (), columns=_GENERAL
)
"""Whether every tuned model still does what is not its task."""

_CURVE: Columns[tuple[LearningCurve, CurvePoint]] = (
    (Field("rows", "count", "rows", "That it was trained on."), lambda one: one[1].rows),
    (Field("steps", "count", "steps", "Of training."), lambda one: one[1].steps),
    (Field("seconds", "number", "s", "Of training."), lambda one: one[1].seconds),
    (Field("metric", "text", "", "What was judged; null: nobody could."), lambda one: one[0].metric),
    (Field("accuracy", "number", "share", "Of the best step, on the rows to stop by; null: nobody could judge."),
     lambda one: one[1].metric),
    (Field("low", "number", "share", "Lower end of its interval."), lambda one: low(one[1].interval)),
    (Field("high", "number", "share", "Upper end."), lambda one: high(one[1].interval)),
    (Field("n", "count", "rows", "That it was judged on."), lambda one: one[1].n),
    (Field("says", "text", "", "What the next doubling buys, or why that cannot be told."), lambda one: one[0].why),
)  # fmt: skip


def curves(source: Source) -> Table:
    """What more training rows buy: a row for each training on a part of them, also of conversions without a ledger."""
    fields = tuple(one for one, _ in LEDGERS.before)
    parts = ((before, table_of("curve", "Curve", points, _CURVE)) for before, points in _curves(source))
    return stacked("curves", "What more training rows buy", fields, parts)


def _curves(source: Source) -> Iterator[tuple[tuple[Value, ...], list[tuple[LearningCurve, CurvePoint]]]]:
    known = dict(LEDGERS.read(source))
    base = source.results / LEDGERS.verb
    drawn = {file.parents[1].name: file for file in source.files(base, "curve/curve.json")}
    for folder in sorted({*known, *drawn}):
        ledger = known.get(folder)
        before = (folder, ledger.made_at if ledger else None, ledger.suite if ledger else None)
        found = source.record(drawn[folder], LearningCurve) if folder in drawn else None
        curve = found or (ledger.curve if ledger else None)
        yield before, [(curve, point) for point in curve.points] if curve else []
