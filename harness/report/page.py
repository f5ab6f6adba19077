"""What every page is made with: one way to fill a template, where nothing from outside is markup, one way to write."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import DataError
from harness.report.links import explorer_query, page_link
from harness.report.text import visible
from harness.store.runfolder import write_atomic

__all__ = ["environment", "shown", "static_text", "write_html"]


def environment() -> Environment:
    """Templates that escape what they are given, spell out invisible characters and refuse a name that is not there."""
    made = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"explorer": explorer_query, "page_link": page_link}
    return made


def shown(value: object) -> object:
    """Text from outside with its invisible characters spelled out; our own markup as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def static_text(names: Sequence[str]) -> str:
    """The named files of `static/`, one after the other."""
    folder = files("harness.report") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def write_html(path: Path, html: str) -> None:
    """Writes a page, whole or not at all, with the folders above it. Raises DataError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); choose another folder: paths.reports=…"
        ) from error
    write_atomic(path, html)
