"""Views of records: a row for each run, category, verdict, check, speed, precision or task."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import orjson

from harness.query.source import Source
from harness.query.stacking import MADE, RUN, SUITE, Part, Stored, named, stacked
from harness.records.audit import Audit
from harness.records.cluster import ClusterBook
from harness.records.compare import CompareMatrix, Comparison
from harness.records.decision import Selection
from harness.records.frontier import Frontier
from harness.records.gate import Change, GateResult
from harness.records.load import LoadBook
from harness.report.compare_tables import comparison_tables, matrix_tables
from harness.report.decision_tables import audit_tables, gate_tables, selection_tables
from harness.report.export import Columns, Field, Table, Value
from harness.report.group import group_of, groups_of
from harness.report.leaderboard_tables import leaderboard_tables
from harness.report.machine_tables import cluster_tables, frontier_tables, load_tables
from harness.report.site_read import SiteRun
from harness.report.view import RunView

__all__ = ["AUDITS", "FRONTIERS", "GATES", "LOADS", "SELECTIONS", "TEXTS", "clusters", "comparisons", "flips",
           "frontiers", "gate_changes", "gate_samples", "gates", "of_runs", "runs"]  # fmt: skip

TEXTS: Final = frozenset({"prompt", "a_reply", "b_reply", "a_why", "b_why", "words", "text"})
"""Columns that hold words of calls, where the same table is on a page."""
SELECTIONS: Final = Stored(
    "select", "selection.json", Selection,
    ((Field("selection", "text", "", "Folder of the selection."), lambda one: one[0]),
     (MADE, lambda one: one[1].made_at), (SUITE, lambda one: one[1].suite)),
    selection_tables,
)  # fmt: skip
AUDITS: Final = Stored(
    "audit", "audit.json", Audit,
    ((Field("audit", "text", "", "Folder of the audit."), lambda one: one[0]), (SUITE, lambda one: one[1].suite)),
    audit_tables,
)  # fmt: skip
GATES: Final = Stored(
    "gate", "gate.json", GateResult,
    ((Field("gate", "text", "", "Folder of the gate."), lambda one: one[0]), (SUITE, lambda one: one[1].suite)),
    gate_tables,
)  # fmt: skip
LOADS: Final = Stored(
    "load", "load.json", LoadBook,
    ((Field("load", "text", "", "Folder of the replay."), lambda one: one[0]), (SUITE, lambda one: one[1].suite),
     (Field("model", "text", "", "Its name."), lambda one: one[1].model)),
    load_tables,
)  # fmt: skip
FRONTIERS: Final = Stored(
    "quantize", "frontier.json", Frontier,
    ((Field("frontier", "text", "", "Folder of it."), lambda one: one[0]), (SUITE, lambda one: one[1].suite),
     (Field("model", "text", "", "Its name."), lambda one: one[1].model)),
    frontier_tables,
)  # fmt: skip


def runs(source: Source) -> Table:
    """Every run folder with the leaderboard's figures, null where there is no summary."""
    found = source.runs()
    board = leaderboard_tables(groups_of(one.view for one in found if one.view is not None))
    table = named(board, "runs")
    keys = [one.key for one in table.fields]
    lines = {str(row[keys.index("run")]): dict(zip(keys, row, strict=True)) for row in table.plain()}
    rest = [one for one in table.fields if one.key not in {"run", "suite", "status", "name", "where"}]
    fields = (
        RUN,
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
    return stacked(name, f"Every run's {name}", (RUN, SUITE), _parts(source, name), drop=("name",))


def _parts(source: Source, name: str) -> Iterator[Part]:
    views: list[RunView] = [one.view for one in source.runs() if one.view is not None]
    for view in views:
        yield (view.id, view.summary.suite), named(leaderboard_tables([group_of([view])]), name)


_GATES: Columns[tuple[str, GateResult]] = (
    (MADE, lambda one: one[1].made_at),
    (Field("verdict", "text", "", "pass, fail or inconclusive."), lambda one: one[1].verdict),
    (Field("exit_code", "count", "", "0 pass, 1 fail, 2 inconclusive."), lambda one: one[1].exit_code),
    (Field("candidate", "text", "", "Folder of the run."), lambda one: one[1].candidate.run),
    (Field("baseline", "text", "", "Folder of the run held against."), lambda one: one[1].baseline.run),
    (Field("checks", "count", "checks", "In all."), lambda one: len(one[1].checks)),
    (Field("failed", "count", "checks", "That failed."),
     lambda one: sum(each.status == "fail" for each in one[1].checks)),
)  # fmt: skip
gates = partial(GATES.each, name="gates", columns=_GATES)
"""Every gate."""


def _changes(found: GateResult) -> tuple[Change, ...]:
    return found.changed


def _set_to(value: object) -> Value:
    return None if value is None else orjson.dumps(value).decode()


gate_changes = partial(
    GATES.of, name="gate_changes", rows=_changes,
    columns=(
        (Field("key", "text", "", "Of the configuration."), lambda one: one.key),
        (Field("baseline", "text", "", "As JSON; null: it has none."), lambda one: _set_to(one.baseline)),
        (Field("candidate", "text", "", "As JSON; null: it has none."), lambda one: _set_to(one.candidate)),
    ),
)  # fmt: skip
"""What was set differently in the two runs of every gate."""


def _moved(found: GateResult) -> list[tuple[str, str, str]]:
    return [
        (found.candidate.run, sample, what)
        for what, samples in (("lost", found.lost), ("gained", found.gained))
        for sample in samples
    ]


gate_samples = partial(
    GATES.of, name="gate_samples", rows=_moved,
    columns=(
        (RUN, lambda one: one[0]),
        (Field("sample", "text", "", "Name of the sample."), lambda one: one[1]),
        (Field("what", "text", "", "lost or gained by the candidate, whose run it is."), lambda one: one[2]),
    ),
)  # fmt: skip
"""The samples that are worth less or more with the candidate of every gate."""


_COMPARISON: Final = (Field("comparison", "text", "", "Folder of the comparison."), MADE, SUITE)


def _compared(source: Source) -> Iterator[tuple[str, Comparison | CompareMatrix]]:
    kinds: tuple[type[Comparison | CompareMatrix], ...] = (Comparison, CompareMatrix)
    yield from source.records("compare", "compare.json", *kinds)


def comparisons(source: Source) -> Table:
    """Every pair that was held against each other, alone or in a matrix."""
    return stacked("comparisons", "Pairs of runs", _COMPARISON, (
        ((folder, one.made_at, one.suite), _pairs(one)) for folder, one in _compared(source)
    ))  # fmt: skip


def _pairs(found: Comparison | CompareMatrix) -> Table:
    if isinstance(found, Comparison):
        return named(comparison_tables(found), "pair")
    table = named(matrix_tables(found), "verdicts")
    names = {"a": "run_a", "b": "run_b"}
    fields = tuple(Field(names.get(one.key, one.key), one.kind, one.unit, one.meaning) for one in table.fields)
    return Table(table.name, table.title, fields, table.rows)


def flips(source: Source) -> Table:
    """The samples that differ in every comparison of two."""
    before = (*_COMPARISON, Field("run_a", "text", "", "Folder of run A."), Field("run_b", "text", "", "Of run B."))
    return stacked("flips", "Samples that differ", before, (
        ((folder, one.made_at, one.suite, one.a.run, one.b.run), named(comparison_tables(one), "flips"))
        for folder, one in _compared(source) if isinstance(one, Comparison)
    ))  # fmt: skip


_FRONTIERS: Columns[tuple[str, Frontier]] = (
    (MADE, lambda one: one[1].made_at),
    (Field("baseline", "text", "", "Precision that the others are held against."), lambda one: one[1].baseline),
    (Field("margin", "number", "share", "Loss of accuracy that is allowed."), lambda one: one[1].margin),
    (Field("alpha", "number", "share", "One-sided chance of a false verdict."), lambda one: one[1].alpha),
    (Field("precisions", "count", "", "That were run."), lambda one: len(one[1].points)),
    (Field("passed", "count", "", "That are shown to be no worse than the margin."),
     lambda one: sum(p.comparison is not None and p.comparison.verdict.verdict == "pass" for p in one[1].points)),
    (Field("protocol", "text", "", "How it is told of its tools."), lambda one: one[1].protocol),
    (Field("source_type", "text", "", "What the others were made from; null: all were given."),
     lambda one: one[1].source_type),
    (Field("together", "flag", "", "Whether the runs took turns: only then do their times compare."),
     lambda one: one[1].together),
    (Field("complete", "flag", "", "Whether all were run."), lambda one: one[1].complete),
    (Field("notes", "text", "", "What a reader must know."), lambda one: " ".join(one[1].notes) or None),
)  # fmt: skip
frontiers = partial(FRONTIERS.each, name="frontiers", columns=_FRONTIERS)
"""Every model that was run at several precisions."""


def clusters(source: Source, table: str, name: str) -> Table:
    """The tasks of every folder of clusters."""
    before = (Field("folder", "text", "", "Folder that do=cluster made."),)
    return stacked(name, f"{name} of every folder of clusters", before, partial(_books, source, table)())


def _books(source: Source, table: str) -> Iterator[Part]:
    for file in source.files(source.clusters, "clusters.json"):
        book = source.record(file, ClusterBook)
        if book is not None:
            yield (file.parent.name,), named(cluster_tables(book, texts=source.texts), table)
