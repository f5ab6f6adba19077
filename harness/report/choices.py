"""What the reader can choose from: the values that rows are filtered by, and the columns that can be shown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.report.columns import COLUMNS, GENERAL, Column
from harness.report.facts import facets_of
from harness.report.formats import parameters
from harness.report.group import Group

__all__ = ["Choice", "choices", "column_choices"]

_SIZES: Final = (500_000_000, 1_000_000_000, 2_000_000_000, 4_000_000_000, 8_000_000_000, 15_000_000_000)
_NAMES: Final = (("where", "Where"), ("licence", "Licence"), ("hardware", "Hardware"))


@dataclass(frozen=True, slots=True)
class Choice:
    """A field with its options, each a value and what it reads."""

    facet: str
    title: str
    options: tuple[tuple[str, str], ...]


def choices(groups: Sequence[Group]) -> tuple[Choice, ...]:
    """Those fields that tell at least two runs apart."""
    found = [facets_of(run) for group in groups for run in (*group.current, *group.older)]
    made = [Choice("suite", "Suite", tuple((group.anchor, group.title) for group in groups))]
    made.append(Choice("size", "Size", _sizes([int(one.size) if one.size else None for one in found])))
    for facet, title in _NAMES:
        counts = Counter(getattr(one, facet) for one in found)
        known = tuple((value, value) for value, _ in counts.most_common() if value)
        made.append(Choice(facet, title, known if len(counts) > 1 else ()))
    return tuple(choice for choice in made if len(choice.options) > (choice.facet in {"suite", "where"}))


def _sizes(found: Sequence[int | None]) -> tuple[tuple[str, str], ...]:
    """Upper bounds that some of the models keep and others do not, and those of unknown size if there are any."""
    known = sorted(size for size in found if size is not None)
    if not known:
        return ()
    bounds = [bound for bound in _SIZES if known[0] <= bound < known[-1]]
    told = [(str(bound), f"up to {parameters(bound)}") for bound in bounds]
    return (*told, *([("unknown", "not known")] if len(known) < len(found) else []))


def column_choices(shown: Iterable[Sequence[Column]]) -> tuple[tuple[str, tuple[Column, ...]], ...]:
    """The columns of all tables by group, each once, in general words where tables differ in theirs.

    The model's name is not among them: it always stands.
    """
    found: dict[str, dict[str, Column]] = {}
    for columns in shown:
        for column in columns:
            if column.key != "model":
                own = found.setdefault(column.group, {})
                same = own.setdefault(column.key, column)
                if same.title != column.title:
                    own[column.key] = _plain(column)
    return tuple((group, tuple(columns.values())) for group, columns in found.items())


def _plain(column: Column) -> Column:
    known = next((one for one in COLUMNS if one.key == column.key), column)
    return replace(column, title=known.title.format(**GENERAL))
