"""Tables of many records one under the other, each row after what tells its record from the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from harness.query.source import Source
from harness.records.base import Record
from harness.records.interval import Interval
from harness.report.export import Columns, Field, Table, Value, table_of

__all__ = ["MADE", "RUN", "SUITE", "Part", "R", "Stored", "high", "low", "named", "stacked"]

R = TypeVar("R", bound=Record)
T = TypeVar("T")

RUN: Final = Field("run", "text", "", "Folder of the run.")
SUITE: Final = Field("suite", "text", "", "Name of the suite.")
MADE: Final = Field("made_at", "text", "ISO 8601", "When, UTC.")

Part = tuple[Sequence[Value], Table]
"""Values of the columns before, and a table that is to stand behind them."""


def low(interval: Interval | None) -> float | None:
    """The lower end; None where there is no interval."""
    return interval.low if interval else None


def high(interval: Interval | None) -> float | None:
    """The upper end; None where there is no interval."""
    return interval.high if interval else None


def named(tables: Sequence[Table], name: str) -> Table:
    """The table of a name, which is there."""
    return next(one for one in tables if one.name == name)


def stacked(name: str, title: str, before: Sequence[Field], parts: Iterable[Part], drop: Iterable[str] = ()) -> Table:
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


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """Records of one kind under `results/`, and the tables that each of them is."""

    verb: str
    file: str
    kind: type[R]
    before: Columns[tuple[str, R]]
    """Columns before every row, of the folder's name and its record."""
    tables: Callable[[R], Sequence[Table]] = lambda _: ()
    bare: Callable[[R], R] | None = None
    """The record without words of calls, where a column's name does not say that it holds some."""

    def read(self, source: Source) -> Iterator[tuple[str, R]]:
        """The records with the names of their folders, oldest first."""
        for folder, one in source.records(self.verb, self.file, self.kind):
            yield folder, one if source.texts or self.bare is None else self.bare(one)

    def each(self, source: Source, name: str, columns: Columns[tuple[str, R]] = ()) -> Table:
        """A row for each record."""
        return table_of(name, name, self.read(source), (*self.before, *columns))

    def rows(self, source: Source, table: str, name: str) -> Table:
        """One of the tables of every record."""
        return self._under(source, name, lambda one: named(self.tables(one), table))

    def of(self, source: Source, name: str, rows: Callable[[R], Iterable[T]], columns: Columns[T]) -> Table:
        """What a record has several of, a row each."""
        return self._under(source, name, lambda one: table_of(name, name, rows(one), columns))

    def _under(self, source: Source, name: str, made: Callable[[R], Table]) -> Table:
        fields = tuple(one for one, _ in self.before)
        parts = (
            (tuple(read((folder, one)) for _, read in self.before), made(one)) for folder, one in self.read(source)
        )
        return stacked(name, name, fields, parts)
