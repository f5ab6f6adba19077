"""Where the tables of a page lie, and how the page links to them."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.config import ReportOptions
from harness.report.export import COLUMNS, Table, formats, write_tables

__all__ = ["Kept", "Links", "export_links", "keep_tables"]

Links = dict[str, list[tuple[str, str]]]
"""By name of the table its formats, each with its link."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Tables that were written."""

    folder: str
    """Relative to `reports`."""
    names: tuple[str, ...]
    """Those that have a row."""


def keep_tables(reports: Path, page: str, tables: Sequence[Table], options: ReportOptions) -> Kept | None:
    """Writes the tables of a page under `reports/tables/<page>/`.

    None, and what was there removed, where `report.tables` is off. Raises DataError if they cannot be written.
    """
    folder = f"tables/{page}"
    if not options.tables:
        shutil.rmtree(reports / folder, ignore_errors=True)
        return None
    write_tables(reports / folder, tables)
    return Kept(folder, tuple(one.name for one in tables if one.rows))


def export_links(kept: Kept | None, root: str = "") -> Links:
    """Links from a page that stands `root` away from `reports`, and to what the columns mean; empty for no tables."""
    if kept is None or not kept.names:
        return {}
    found: Links = {
        name: [(kind, f"{root}{quote(f'{kept.folder}/{name}.{kind}')}") for kind in formats()] for name in kept.names
    }
    return {**found, COLUMNS.removesuffix(".json"): [("json", f"{root}{quote(f'{kept.folder}/{COLUMNS}')}")]}
