"""The doctor's findings as tables: boxed on a terminal, plain lines elsewhere."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assets.progress import human_bytes
from harness.doctor.board import Row
from harness.doctor.check import Check
from harness.fit import GIB

__all__ = ["doctor_console", "show_checks", "show_model", "show_models"]

_STYLES = {"ok": "green", "yes": "green", "tight": "yellow", "no": "dim", "missing": "yellow", "does not fit": "red"}
_PLAIN_WIDTH = 400
"""Lines that a program reads are not wrapped."""


def doctor_console() -> Console:
    """A console of the terminal's width; elsewhere of any."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def _table(console: Console, title: str, columns: Sequence[str]) -> Table:
    plain = not console.is_terminal
    table = Table(title=title, title_justify="left", box=None if plain else box.ROUNDED, pad_edge=not plain)
    for column in columns:
        table.add_column(column)
    return table


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def show_checks(console: Console, checks: Iterable[Check]) -> None:
    """A table per area, in the order in which areas come."""
    areas: dict[str, list[Check]] = {}
    for check in checks:
        areas.setdefault(check.area, []).append(check)
    for area, found in areas.items():
        table = _table(console, area, ("name", "state", "seen", "how to get it"))
        for one in found:
            table.add_row(one.name, _styled(one.state), Text(one.seen), Text(one.get if one.state == "missing" else ""))
        console.print(table)
        console.print()


def show_models(console: Console, title: str, rows: Sequence[Row], device: str) -> None:
    """A line per model."""
    table = _table(console, title, ("model", "weights", "file", "needs", "fits", f"small on {device}", "what to do"))
    for row in rows:
        table.add_row(
            row.name,
            row.quantization,
            _file(row),
            f"{'about ' if row.need.estimated else ''}{row.need.total / GIB:.2f} GiB",
            _styled(_fits(row)),
            Text(_small(row)),
            Text(_todo(row)),
        )
    console.print(table)


def show_model(console: Console, row: Row) -> None:
    """One model's need by its parts, under its line."""
    need, serving = row.need, row.serving
    parts = (("weights", need.weights), ("cache", need.kv), ("compute", need.compute), ("engine", need.engine))
    console.print()
    context = f"{serving.context_tokens} tokens × {serving.slots} slots"
    listed = " + ".join(f"{name} {size / GIB:.2f}" for name, size in parts)
    console.print(Text(f"{row.name}  {context}: {listed} = {need.total / GIB:.2f} GiB"))
    if row.fit.usable is not None:
        console.print(Text(f"usable    {row.fit.usable / GIB:.2f} GiB of {row.place}"))
    if need.estimated:
        console.print(Text(f"estimated {', '.join(need.estimated)}"))


def _file(row: Row) -> str:
    about = "about " if "weights" in row.need.estimated else ""
    return f"{about}{human_bytes(row.file_bytes)}, {'here' if row.here else 'to fetch'}"


def _fits(row: Row) -> str:
    return {"yes": "yes", "tight": "tight", "no": "does not fit", None: "unknown"}[row.fit.verdict]


def _small(row: Row) -> str:
    return f"{ {True: 'yes', False: 'no', None: 'unknown'}[row.slm.verdict] }: {row.slm.why}"


def _todo(row: Row) -> str:
    if row.fit.verdict == "no":
        return row.change or "a larger machine, or a smaller model"
    steps = [f"more room with {row.change}"] if row.fit.verdict == "tight" and row.change else []
    if row.room_on_disk is False:
        steps.append("free some disk, or set HARNESS_CACHE to a larger one")
    elif not row.here:
        steps.append(row.fetch)
    return "; ".join(steps)
