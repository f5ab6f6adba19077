"""Accuracy by category or cluster, model by model, with what cannot be told apart from the best."""

from collections.abc import Sequence

from harness.records.summary import CategorySummary
from harness.report.figures.figure import Cell, Grid
from harness.report.figures.words import listed, measured_under, sample_link
from harness.report.formats import counted, percent, share_text
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["category_titles", "heat_grid"]


def category_titles(runs: Sequence[RunView]) -> dict[str, str]:
    """What people call each category that only has an id, as `title (id)`."""
    found = {name: one.title for run in runs for name, one in run.summary.by_category.items() if one.title}
    return {name: f"{title} ({name})" for name, title in found.items()}


def heat_grid(group: Group) -> Grid | None:
    """Categories down, runs across; None with fewer than two categories or without a scored one.

    A cell is undecided if its interval overlaps with that of the best cell of its row: the same rule as for places in
    the table. Overlap is no proof of equality.
    """
    runs = group.own
    names = list(dict.fromkeys(name for run in runs for name in run.summary.by_category))
    titles = category_titles(runs)
    rows = [(titles.get(name, name), _row(group, runs, name)) for name in names]
    if len(rows) < 2 or not any(cell.value is not None for _, cells in rows for cell in cells):
        return None
    decided = [any(cell.best and not cell.undecided for cell in cells) for _, cells in rows]
    kind = "cluster" if titles else "category"
    return Grid(
        key="categories",
        title=f"Accuracy by {kind}",
        message=_message(rows, decided, [group.names[run.id] for run in runs], kind),
        caption=f"Accuracy in per cent by {kind}, the number of scored attempts below. ≈: not told apart from the best "
        f"of its {kind}, the intervals overlap. {measured_under(group, runs)}",
        row_title=kind,
        column_title="run",
        columns=tuple(group.names[run.id] for run in runs),
        rows=tuple(rows),
        row_notes=_shares(runs, names),
        notes=tuple(_untold(rows, decided, kind) if len(runs) > 1 else ()),
    )


def _shares(runs: Sequence[RunView], names: Sequence[str]) -> tuple[str, ...]:
    """The share of the traffic that each row stands for; nothing where the suite stands for none."""
    found = {name: one.traffic_frac for run in runs for name, one in run.summary.by_category.items()}
    known = [found.get(name) for name in names]
    return tuple("" if one is None else f"{percent(one)} of the traffic" for one in known) if any(known) else ()


def _row(group: Group, runs: Sequence[RunView], name: str) -> tuple[Cell, ...]:
    found = [run.summary.by_category.get(name) for run in runs]
    best = max((one.accuracy for one in found if one and one.accuracy is not None), default=None)
    several_runs = len(runs) > 1
    top = next((one for one in found if one and best is not None and one.accuracy == best), None)
    tied = [one is not None and one.accuracy is not None and _overlaps(one, top) for one in found]
    several = sum(tied) > 1
    return tuple(
        _cell(
            group,
            run,
            name,
            one,
            best=one is not None and one.accuracy == best and several_runs,
            undecided=several and tie,
        )
        for run, one, tie in zip(runs, found, tied, strict=True)
    )


def _overlaps(one: CategorySummary, top: CategorySummary | None) -> bool:
    """Whether nothing shows that one is below the top; without an interval nothing can."""
    if top is None or one.interval is None or top.interval is None:
        return True
    return one.interval.high >= top.interval.low


def _cell(group: Group, run: RunView, name: str, one: CategorySummary | None, *, best: bool, undecided: bool) -> Cell:
    if one is None or one.accuracy is None:
        return Cell(None, text="nothing scored")
    interval = one.interval
    words = f"{group.names[run.id]}: {percent(one.accuracy)}, {counted(one.n_scored, 'scored attempt')}"
    words += f", {interval.level * 100:g} % interval {share_text(interval.low, interval.high)}" if interval else ""
    words += "\nnot told apart from the best here" if undecided else "\nthe best here" if best else ""
    return Cell(
        one.accuracy,
        interval.low if interval else None,
        interval.high if interval else None,
        one.n_scored,
        undecided,
        best and one.accuracy > 0,
        words,
        sample_link(run=run.id, category=name),
    )


def _message(
    rows: Sequence[tuple[str, tuple[Cell, ...]]], decided: Sequence[bool], names: Sequence[str], kind: str
) -> str:
    if len(names) == 1:
        cells = [(title, cells[0].value) for title, cells in rows if cells[0].value is not None]
        ordered = sorted(cells, key=lambda entry: -(entry[1] or 0.0))
        (best, high), (worst, low) = ordered[0], ordered[-1]
        return f"highest in {best} ({percent(high or 0.0)}), lowest in {worst} ({percent(low or 0.0)})."
    leads = [
        f"{title}: {names[[cell.best for cell in cells].index(True)]}"
        for (title, cells), clear in zip(rows, decided, strict=True)
        if clear
    ]
    told = f"; leads in {listed(leads)}" if leads else ""
    return f"{sum(decided)} of {len(rows)} rows ({kind}) have a best run that no other one's interval reaches{told}."


def _untold(rows: Sequence[tuple[str, tuple[Cell, ...]]], decided: Sequence[bool], kind: str) -> list[str]:
    if not any(cell.undecided for _, cells in rows for cell in cells):
        return []
    return [f"≈ marks what is not told apart from the best: undecided in {len(rows) - sum(decided)} of {len(rows)} "
            f"({kind})."]  # fmt: skip
