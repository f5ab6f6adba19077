"""Many stored runs on the same samples: each against each."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from harness.compare.pair import Entry, common_samples, verdict_of
from harness.config import CompareOptions
from harness.errors import DataError
from harness.records.compare import CompareMatrix, MatrixCell
from harness.records.paired import PairedComparison
from harness.report.view import RunView
from harness.stats.multiplicity import adjusted
from harness.stats.paired_verdict import compare
from harness.stats.ranking import rank
from harness.store.runs import StoredRun

__all__ = ["compare_matrix", "labels_of"]

MOST = 40
"""Runs of a matrix: 40 are 1,560 verdicts."""


def compare_matrix(name: str, entries: Sequence[Entry], options: CompareOptions) -> CompareMatrix:
    """Every run against every other, p adjusted over all cells; `name` is that of its folder.

    Raises DataError for runs that do not compare, that are named twice, and for too many.
    """
    _refuse(entries)
    shared, left = common_samples(entries, common=options.common)
    values = {one.name: one.values(shared) for one in entries}
    empty = [name for name, held in values.items() if not held]
    if empty:
        raise DataError(f"run {empty[0]} has no scored sample among the {len(shared):,} shared ones; leave it out")
    sessions = {one: entries[0].samples[one].session for one in shared}
    found = [
        (a.name, b.name, compare(values[a.name], values[b.name], margin=options.margin, alpha=options.alpha,
                                 sessions=sessions))
        for a in entries for b in entries if a is not b and values[a.name].keys() & values[b.name].keys()
    ]  # fmt: skip
    means = {run: {one: sum(each) / len(each) for one, each in held.items()} for run, held in values.items()}
    overall = {run: sum(held.values()) / len(held) for run, held in means.items()}
    order = sorted(entries, key=lambda one: (-overall[one.name], one.name))
    labels = labels_of([one.run for one in entries])
    return CompareMatrix(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=entries[0].run.summary.suite,
        margin=options.margin,
        alpha=options.alpha,
        correction=options.correction,
        shared=len(shared),
        left_out=left,
        runs=tuple(one.side.run for one in order),
        labels=tuple(labels[one.name] for one in order),
        means=tuple(overall[one.name] for one in order),
        cells=tuple(_cells(found, options)),
        ranking=rank(means, alpha=options.alpha, sessions=sessions, method=options.correction),
        notes=tuple(_notes(entries, left)),
    )


def _refuse(entries: Sequence[Entry]) -> None:
    twice = [name for name, count in Counter(one.name for one in entries).items() if count > 1]
    if twice:
        raise DataError(f"run {twice[0]} is named twice in compare.runs; name each once")
    if len(entries) > MOST:
        raise DataError(f"compare.runs has {len(entries)} runs, at most {MOST} make a matrix; name fewer")


def _cells(found: Sequence[tuple[str, str, PairedComparison]], options: CompareOptions) -> list[MatrixCell]:
    pairs = [pair for _, _, pair in found]
    ps = zip(
        adjusted([one.verdict.p_noninferior for one in pairs], options.correction),
        adjusted([one.verdict.p_inferior for one in pairs], options.correction),
        adjusted([one.mcnemar_p for one in pairs], options.correction),
        strict=True,
    )
    cells = []
    for (a, b, pair), (noninferior, inferior, difference) in zip(found, ps, strict=True):
        word = verdict_of(pair, noninferior, inferior, difference)
        cells.append(
            MatrixCell(
                a=a,
                b=b,
                verdict=word,
                n=pair.n,
                gained=pair.gained,
                lost=pair.lost,
                difference=pair.difference,
                interval=pair.interval,
                sessions=pair.sessions,
                p_noninferior=noninferior,
                p_inferior=inferior,
                p_difference=difference,
                more=pair.verdict.more if word == "inconclusive" else None,
            )
        )
    return cells


def labels_of(runs: Sequence[StoredRun]) -> dict[str, str]:
    """Name of each run as people say it, told apart from the others: by protocol, settings, and at last by its date."""
    views = [RunView(one.manifest, one.summary) for one in runs]
    protocols = {view.summary.protocol for view in views}
    alike = set.intersection(*(set(view.settings.items()) for view in views)) if views else set()
    named = {}
    for view in views:
        parts = [view.title]
        parts += [view.summary.protocol] if len(protocols) > 1 else []
        parts += [f"{key.rpartition('.')[2]}={value}" for key, value in sorted(view.settings.items())
                  if (key, value) not in alike][:3]  # fmt: skip
        named[view.id] = ", ".join(parts)
    counts = Counter(named.values())
    return {
        name: label if counts[label] == 1 else f"{label}, {name[:19].replace('_', ' ')}"
        for name, label in named.items()
    }


def _notes(entries: Sequence[Entry], left: int) -> list[str]:
    notes = []
    if left:
        notes.append(f"{left:,} samples that not all runs have are left out (compare.common).")
    lost = [one for one in entries if one.run.summary.n_failed]
    if lost:
        names = ", ".join(one.name for one in lost[:5]) + (", …" if len(lost) > 5 else "")
        notes.append(f"Runs that lost attempts to the infrastructure, which are in no figure: {names}.")
    notes += [f"{one.name} is not to be ranked: {one.run.summary.unfit}" for one in entries if one.run.summary.unfit]
    return notes
