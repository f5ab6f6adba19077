"""Views of records: a row for each run, category, verdict, check, speed, conversion or task."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from harness.query.source import Source
from harness.records.audit import Audit
from harness.records.cluster import ClusterBook
from harness.records.compare import CompareMatrix, Comparison
from harness.records.convert import GateTableRow, Ledger
from harness.records.decision import Selection
from harness.records.frontier import Frontier
from harness.records.gate import GateResult
from harness.records.load import LoadBook
from harness.report.compare_tables import comparison_tables, matrix_tables
from harness.report.decision_tables import audit_tables, gate_tables, selection_tables
from harness.report.export import Columns, Field, Table, Value, table_of
from harness.report.group import group_of, groups_of
from harness.report.leaderboard_tables import leaderboard_tables
from harness.report.machine_tables import cluster_tables, frontier_tables, load_tables
from harness.report.site_read import SiteRun
from harness.report.view import RunView

__all__ = ["TEXTS", "audited", "checks", "clusters", "comparisons", "conversion_rows", "conversions", "flips", "gates",
           "loads", "of_runs", "precisions", "runs", "selected"]  # fmt: skip

TEXTS: Final = frozenset({"prompt", "a_reply", "b_reply", "a_why", "b_why", "words"})
"""Columns that hold words of calls, where the same table is on a page."""
_RUN: Final = Field("run", "text", "", "Folder of the run.")
_SUITE: Final = Field("suite", "text", "", "Name of the suite.")
_MADE: Final = Field("made_at", "text", "ISO 8601", "When, UTC.")

Part = tuple[Sequence[Value], Table]
"""Values of the columns before, and a table that is to stand behind them."""


def _stacked(name: str, title: str, before: Sequence[Field], parts: Iterable[Part], drop: Iterable[str] = ()) -> Table:
    """Tables one under the other, each row after the values of its part; columns by their names."""
    fields = {one.key: one for one in before}
    left, rows = set(drop), []
    for values, table in parts:
        for one in table.fields:
            if one.key not in left:
                fields.setdefault(one.key, one)
        keys = [one.key for one in table.fields]
        head = dict(zip((one.key for one in before), values, strict=True))
        rows += [{**dict(zip(keys, row, strict=True)), **head} for row in table.plain()]
    return Table(name, title, tuple(fields.values()), tuple(tuple(row.get(key) for key in fields) for row in rows))


def _named(tables: Sequence[Table], name: str) -> Table:
    return next(one for one in tables if one.name == name)


def runs(source: Source) -> Table:
    """Every run folder with the leaderboard's figures, null where there is no summary."""
    found = source.runs()
    board = leaderboard_tables(groups_of(one.view for one in found if one.view is not None))
    table = _named(board, "runs")
    keys = [one.key for one in table.fields]
    lines = {str(row[keys.index("run")]): dict(zip(keys, row, strict=True)) for row in table.plain()}
    rest = [one for one in table.fields if one.key not in {"run", "suite", "status", "name", "where"}]
    fields = (
        _RUN,
        Field("status", "text", "", "complete, settled, stopped, interrupted, failed, running, killed or damaged."),
        Field("suite", "text", "", "Name of the suite; null: damaged."),
        Field("standing", "text", "", "ranked, not ranked, or older: another run of the set-up counts."),
        Field("title", "text", "", "The run as people call it, told apart from others of its suite."),
        Field("place", "text", "", "local, hosted, or on record."),
        Field("of_run", "text", "", "The run whose misses alone were put again; null: a run of its own."),
        *rest,
    )
    return Table("runs", "Every run", fields, tuple(_run_row(one, lines.get(one.id, {}), rest) for one in found))


def _run_row(one: SiteRun, line: dict[str, Value], rest: Sequence[Field]) -> tuple[Value, ...]:
    manifest = one.manifest
    told: dict[str, Value] = {} if manifest is None else {
        "suite_hash": manifest.suite_hash, "model": manifest.model, "protocol": manifest.protocol,
        "started_at": manifest.started_at, "commit": manifest.commit,
    }  # fmt: skip
    known = {**told, **line}
    return (
        one.id, one.status, manifest.suite if manifest else None, line.get("status"), line.get("name"),
        line.get("where"), manifest.of_run if manifest else None, *(known.get(field.key) for field in rest),
    )  # fmt: skip


def of_runs(source: Source, name: str) -> Table:
    """A table of the leaderboard for every run, older ones too: `categories`, `misses` or `parts`."""
    return _stacked(name, f"Every run's {name}", (_RUN, _SUITE), _parts(source, name), drop=("name",))


def _parts(source: Source, name: str) -> Iterator[Part]:
    views: list[RunView] = [one.view for one in source.runs() if one.view is not None]
    for view in views:
        yield (view.id, view.summary.suite), _named(leaderboard_tables([group_of([view])]), name)


def selected(source: Source, table: str, name: str) -> Table:
    """A table of every selection."""
    before = (Field("selection", "text", "", "Folder of the selection."), _MADE, _SUITE)
    found = source.records("select", "selection.json", Selection)
    parts = (((folder, one.made_at, one.suite), _named(selection_tables(one), table)) for folder, one in found)
    return _stacked(name, f"{name} of every selection", before, parts)


def audited(source: Source) -> Table:
    """What every audit says of each task."""
    before = (Field("audit", "text", "", "Folder of the audit."), _SUITE)
    found = source.records("audit", "audit.json", Audit)
    return _stacked("audits", "Tasks of every audit", before, (
        ((folder, one.suite), _named(audit_tables(one), "clusters")) for folder, one in found
    ))  # fmt: skip


_GATES: Columns[GateResult] = (
    (Field("gate", "text", "", "Folder of the gate."), lambda one: one.name),
    (_MADE, lambda one: one.made_at),
    (_SUITE, lambda one: one.suite),
    (Field("verdict", "text", "", "pass, fail or inconclusive."), lambda one: one.verdict),
    (Field("exit_code", "count", "", "0 pass, 1 fail, 2 inconclusive."), lambda one: one.exit_code),
    (Field("candidate", "text", "", "Folder of the run."), lambda one: one.candidate.run),
    (Field("baseline", "text", "", "Folder of the run held against."), lambda one: one.baseline.run),
    (Field("checks", "count", "checks", "In all."), lambda one: len(one.checks)),
    (Field("failed", "count", "checks", "That failed."), lambda one: sum(each.status == "fail" for each in one.checks)),
)


def gates(source: Source) -> Table:
    """Every gate."""
    found = [one for _, one in source.records("gate", "gate.json", GateResult)]
    return table_of("gates", "Verdicts of gates", found, _GATES)


def checks(source: Source) -> Table:
    """The checks of every gate."""
    before = (Field("gate", "text", "", "Folder of the gate."), _SUITE)
    found = source.records("gate", "gate.json", GateResult)
    return _stacked("checks", "Checks of every gate", before, (
        ((folder, one.suite), gate_tables(one)[0]) for folder, one in found
    ))  # fmt: skip


_COMPARISON: Final = (Field("comparison", "text", "", "Folder of the comparison."), _MADE, _SUITE)


def _compared(source: Source) -> Iterator[tuple[str, Comparison | CompareMatrix]]:
    kinds: tuple[type[Comparison | CompareMatrix], ...] = (Comparison, CompareMatrix)
    yield from source.records("compare", "compare.json", *kinds)


def comparisons(source: Source) -> Table:
    """Every pair that was held against each other, alone or in a matrix."""
    return _stacked("comparisons", "Pairs of runs", _COMPARISON, (
        ((folder, one.made_at, one.suite), _pairs(one)) for folder, one in _compared(source)
    ))  # fmt: skip


def _pairs(found: Comparison | CompareMatrix) -> Table:
    if isinstance(found, Comparison):
        return _named(comparison_tables(found), "pair")
    table = _named(matrix_tables(found), "verdicts")
    names = {"a": "run_a", "b": "run_b"}
    fields = tuple(Field(names.get(one.key, one.key), one.kind, one.unit, one.meaning) for one in table.fields)
    return Table(table.name, table.title, fields, table.rows)


def flips(source: Source) -> Table:
    """The samples that differ in every comparison of two."""
    before = (*_COMPARISON, Field("run_a", "text", "", "Folder of run A."), Field("run_b", "text", "", "Of run B."))
    return _stacked("flips", "Samples that differ", before, (
        ((folder, one.made_at, one.suite, one.a.run, one.b.run), _named(comparison_tables(one), "flips"))
        for folder, one in _compared(source) if isinstance(one, Comparison)
    ))  # fmt: skip


def loads(source: Source) -> Table:
    """Every speed of every load replay."""
    before = (Field("load", "text", "", "Folder of the replay."), _SUITE, Field("model", "text", "", "Its name."))
    found = source.records("load", "load.json", LoadBook)
    return _stacked("loads", "Speeds of every load replay", before, (
        ((folder, one.suite, one.model), _named(load_tables(one), "speeds")) for folder, one in found
    ))  # fmt: skip


def precisions(source: Source) -> Table:
    """Every precision of every model that was quantized."""
    before = (Field("frontier", "text", "", "Folder of it."), _SUITE, Field("model", "text", "", "Its name."))
    found = source.records("quantize", "frontier.json", Frontier)
    return _stacked("precisions", "Precisions of every frontier", before, (
        ((folder, one.suite, one.model), frontier_tables(one)[0]) for folder, one in found
    ))  # fmt: skip


_LEDGER: Columns[tuple[str, Ledger]] = (
    (Field("conversion", "text", "", "Folder of the conversion."), lambda one: one[0]),
    (_MADE, lambda one: one[1].made_at),
    (_SUITE, lambda one: one[1].suite),
    (Field("cluster", "text", "", "What was learned; null: the whole suite."), lambda one: one[1].cluster),
    (Field("base", "text", "", "File of the weights before."), lambda one: one[1].base.file),
    (Field("base_sha256", "text", "", "Of that file."), lambda one: one[1].base.sha256),
    (Field("method", "text", "", "lora, qlora, dora or full."), lambda one: one[1].method),
    (Field("hours", "number", "h", "Of the machine."), lambda one: one[1].hours),
    (Field("usd", "number", "USD", "Machine and teacher; null: a part is not known."), lambda one: one[1].usd),
    (Field("promoted", "flag", "", "Whether it was made a model of its own."), lambda one: one[1].promoted is not None),
    (Field("notes", "text", "", "What a reader must know."), lambda one: " ".join(one[1].notes) or None),
)  # fmt: skip
_ROWS: Columns[tuple[str, Ledger, GateTableRow]] = (
    (Field("conversion", "text", "", "Folder of the conversion."), lambda one: one[0]),
    (_SUITE, lambda one: one[1].suite),
    (Field("row", "text", "", "base, examples, grammar, tuned, tuned_grammar, checkpoint or reference."),
     lambda one: one[2].row),
    (_RUN, lambda one: one[2].run),
    (Field("protocol", "text", "", "How it is told of its tools."), lambda one: one[2].protocol),
    (Field("n_scored", "count", "attempts", "With a value."), lambda one: one[2].n_scored),
    (Field("accuracy", "number", "share", "Mean value."), lambda one: one[2].accuracy),
    (Field("low", "number", "share", "Lower end of its interval."),
     lambda one: one[2].accuracy_interval.low if one[2].accuracy_interval else None),
    (Field("high", "number", "share", "Upper end."),
     lambda one: one[2].accuracy_interval.high if one[2].accuracy_interval else None),
    (Field("difference", "number", "share", "To the base, pair by pair."),
     lambda one: one[2].against_base.difference if one[2].against_base else None),
    (Field("p_adjusted", "number", "p", "That it is no better than the base, corrected for all rows."),
     lambda one: one[2].p_adjusted),
    (Field("reference_verdict", "text", "", "Against the reference: pass, fail or need_more; null: none."),
     lambda one: one[2].against_reference.verdict.verdict if one[2].against_reference else None),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), lambda one: one[2].e2e_p50_s),
    (Field("cost_usd_per_success", "number", "USD", "Cost over the sum of values."),
     lambda one: one[2].cost_usd_per_success),
)  # fmt: skip


def conversions(source: Source) -> Table:
    """Every conversion that has a ledger."""
    return table_of("conversions", "Conversions", source.records("convert", "ledger.json", Ledger), _LEDGER)


def conversion_rows(source: Source) -> Table:
    """The gate of every conversion, a row for each set-up."""
    found = source.records("convert", "ledger.json", Ledger)
    rows = [(folder, one, row) for folder, one in found if one.gate for row in one.gate.rows]
    return table_of("conversion_rows", "Set-ups in the gates of conversions", rows, _ROWS)


def clusters(source: Source, table: str, name: str) -> Table:
    """The tasks of every folder of clusters."""
    before = (Field("folder", "text", "", "Folder that do=cluster made."),)
    return _stacked(name, f"{name} of every folder of clusters", before, partial(_books, source, table)())


def _books(source: Source, table: str) -> Iterator[Part]:
    for file in source.files(source.clusters, "clusters.json"):
        book = source.record(file, ClusterBook)
        if book is not None:
            yield (file.parent.name,), _named(cluster_tables(book, texts=source.texts), table)
