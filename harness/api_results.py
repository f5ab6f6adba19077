"""Results of other verbs than `do=run` from Python: the typed record of a folder, and its views as frames of pandas."""

from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import ValidationError

from harness.errors import DataError
from harness.query.learning import LEDGERS
from harness.query.records import AUDITS
from harness.query.routing import ROUTES
from harness.query.stacking import Stored
from harness.query.views import VIEWS
from harness.records.audit import Audit
from harness.records.base import Record
from harness.records.convert import Ledger
from harness.records.routing import RouteReport

if TYPE_CHECKING:
    import pandas

__all__ = ["Result", "load_audit", "load_conversion", "load_route"]

R = TypeVar("R", bound=Record)
_VIEWS: Final = {
    "route": ("routes", "route_"),
    "audit": ("audits", "audit_"),
    "convert": ("conversions", "conversion_", "curves"),
}
"""Views of a verb: the first by its name, others by how they begin."""


@dataclass(frozen=True)
class Result(Generic[R]):
    """A folder that a verb left."""

    folder: Path
    record: R = field(repr=False)
    """Everything that is in it, typed."""
    texts: bool = True

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that `frame` takes: those of `do=query` (docs/query.md)."""
        first, *starts = _VIEWS[self.folder.parent.name]
        return tuple(one for one in VIEWS if one == first or one.startswith(tuple(starts)))

    def frame(self, view: str) -> "pandas.DataFrame":
        """The rows of a view that are of this folder. Raises DataError for a view that is none of its own."""
        if view not in self.views:
            raise DataError(f"{view} is no view of {self.folder.parent.name}; there are: {', '.join(self.views)}")
        from harness.api import sql

        key = _STORED[self.folder.parent.name].before[0][0].key
        name = self.name.replace("'", "''")
        results = self.folder.parent.parent
        return sql(f"SELECT * FROM {view} WHERE {key} = '{name}'", results, texts=self.texts)


_STORED: Final[dict[str, Stored[Audit] | Stored[Ledger] | Stored[RouteReport]]] = {
    "route": ROUTES, "audit": AUDITS, "convert": LEDGERS,
}  # fmt: skip


def load_route(route: str | PathLike[str] = "latest", results: str | PathLike[str] = "results", *,
               texts: bool = True) -> Result[RouteReport]:  # fmt: skip
    """What a `do=route` found: by its folder, its name, or the newest. Raises DataError for what is none."""
    return _loaded(ROUTES, fspath(route), Path(results), lambda one, kept: Result(one, kept, texts))


def load_audit(audit: str | PathLike[str] = "latest", results: str | PathLike[str] = "results", *,
               texts: bool = True) -> Result[Audit]:  # fmt: skip
    """What a `do=audit` found: by its folder, its name, or the newest. Raises DataError for what is none."""
    return _loaded(AUDITS, fspath(audit), Path(results), lambda one, kept: Result(one, kept, texts))


def load_conversion(conversion: str | PathLike[str] = "latest", results: str | PathLike[str] = "results", *,
                    texts: bool = True) -> Result[Ledger]:  # fmt: skip
    """The ledger of a `do=convert`: by its folder, its name, or the newest. Raises DataError for what is none."""
    return _loaded(LEDGERS, fspath(conversion), Path(results), lambda one, kept: Result(one, kept, texts))


def _loaded(stored: Stored[R], name: str, results: Path, made: Callable[[Path, R], Result[R]]) -> Result[R]:
    base = results / stored.verb
    files = base.glob(f"*/{stored.file}") if base.is_dir() else ()
    there = sorted((one.parent for one in files if not one.parent.is_symlink()), key=lambda one: _age(one, stored.file))
    if name == "latest" and there:
        folder = there[-1]
    else:
        folder = next((one for one in (Path(name), base / name) if (one / stored.file).is_file()), base / name)
    try:
        record = stored.kind.model_validate_json((folder / stored.file).read_bytes())
    except OSError:
        newest = ", ".join(one.name for one in there[-3:][::-1]) or f"none; make one: do={stored.verb}"
        raise DataError(f"{name} is no result of do={stored.verb} in {base}; the newest there: {newest}") from None
    except ValidationError:
        raise DataError(f"{folder / stored.file} was written by another version, or is damaged") from None
    return made(folder.resolve(), record)


def _age(folder: Path, file: str) -> float:
    return (folder / file).stat().st_mtime
