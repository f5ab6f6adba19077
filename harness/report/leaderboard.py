"""The leaderboard: one page without a network, from runs to HTML."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.errors import DataError
from harness.records import PROTOCOLS
from harness.report.breakdown import MISSES
from harness.report.choices import Choice, choices, column_choices
from harness.report.columns import Column, definitions
from harness.report.embed import embed
from harness.report.figures.html import FIGURE_JS
from harness.report.formats import counted, percent, usd
from harness.report.group import Group, groups_of
from harness.report.headline import Headline, overview
from harness.report.matrix import Matrix, matrix
from harness.report.page import environment, static_text
from harness.report.section import Section, section
from harness.report.side_files import SideFiles, alone
from harness.report.tables import Links
from harness.report.view import RunView

__all__ = ["build_leaderboard", "write_leaderboard"]

_CSS: Final = ("base.css", "table.css", "figures.css", "explorer.css", "print.css")
_JS: Final = (
    "dom.js",
    "state.js",
    "tip.js",
    *FIGURE_JS,
    "columns.js",
    "filters.js",
    "cells.js",
    "table.js",
    "explorer_data.js",
    "explorer_list.js",
    "explorer_target.js",
    "explorer_steps.js",
    "explorer_diff.js",
    "explorer_detail.js",
    "explorer_keys.js",
    "explorer.js",
    "main.js",
)

_PAGE_BYTES: Final = 4_900_000
"""A page has to stay below 5 MB."""
_MORE_SCRIPTS: Final = "\0more scripts\0"
_DATA: Final = "\0data\0"
"""Stand in the filled template for what depends on its size: no text from outside holds a NUL there."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Everything that the template reads."""

    head: Headline
    strap: str
    sections: tuple[Section, ...]
    protocols: tuple[str, ...]
    n_older: int
    definitions: tuple[tuple[str, str, str], ...]
    matrix: Matrix | None
    choices: tuple[Choice, ...]
    column_choices: tuple[tuple[str, tuple[Column, ...]], ...]
    samples: bool
    """Whether prompts and replies stand in the explorer."""
    exports: Links
    """Where its tables lie as data."""

    @property
    def many(self) -> bool:
        """Whether there is more than one suite."""
        return len(self.sections) > 1


def build_leaderboard(
    runs: Sequence[RunView], side: SideFiles | None = None, *, samples: bool = True, exports: Links | None = None
) -> str:  # fmt: skip
    """The page as HTML, a function of the runs alone; without runs, a page that says so.

    side: where prompts and replies go that would make the page larger than 5 MB; without it all are inside. samples:
    whether they may be told at all. exports: links to the tables as data.

    Of each model × protocol × suite the latest run counts; older ones are rows that the reader can unfold.
    """
    groups = groups_of(runs)
    sections = tuple(section(group) for group in groups)
    page = _Page(
        head=_nothing() if not groups else sections[0].head if len(groups) == 1 else overview(groups),
        strap=_strap(sections),
        sections=sections,
        protocols=tuple(name for name in PROTOCOLS if any(run.summary.protocol == name for run in runs)),
        n_older=sum(len(group.older) for group in groups),
        definitions=tuple(definitions(groups)),
        matrix=matrix(groups),
        choices=choices(groups),
        column_choices=column_choices([one.columns for one in sections]),
        samples=samples,
        exports=exports or {},
    )
    return _with_data(_render(page), groups if samples else [], side)


def write_leaderboard(
    runs: Sequence[RunView], path: Path, *, samples: bool = True, exports: Links | None = None
) -> None:  # fmt: skip
    """Writes the page to `path`, whole or not at all; its folder is made where it is missing.

    What does not fit into the page goes to files beside it, in `<name>-data/`: they are written first, and those of an
    earlier page are removed last. Raises DataError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path.parent):
            side = SideFiles(path)
            _write(build_leaderboard(runs, side, samples=samples, exports=exports), path)
            side.sweep()
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}); choose another folder: paths.reports=…"
        ) from error


def _write(page: str, path: Path) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _nothing() -> Headline:
    return Headline(
        "No finished run yet.",
        ("Make one with: python -m harness suite=toolcall model=smollm2", "Then this page fills itself."),
    )


def _strap(sections: Sequence[Section]) -> str:
    if not sections:
        return ""
    runs = [run for one in sections for run in one.group.current]
    newest = max(run.summary.started_at for run in runs)[:10]
    models = len({run.summary.model for run in runs})
    first = sections[0].group.title if len(sections) == 1 else counted(len(sections), "suite")
    return f"{first} · {counted(models, 'model')} · {counted(len(runs), 'run')} · {newest}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"percent": percent, "counted": counted, "capital": _capital, "usd": usd}
    return made


def _with_data(frame: str, groups: Sequence[Group], side: SideFiles | None) -> str:
    """The page with its data in the room that is left.

    Only where there are files beside it may its script add scripts; what stands in the page still runs by its hash.
    """
    data = embed(groups, _PAGE_BYTES - len(frame.encode()), side)
    head, _, body = frame.partition(_MORE_SCRIPTS)
    before, _, after = body.rpartition(_DATA)
    more = " 'strict-dynamic'" if data.files else ""
    return f"{head}{more}{before}{data.json}{after}"


def _render(page: _Page) -> str:
    """The page through its template, with room for its data; nothing injected could run."""
    script = f'(() => {{\n"use strict";\n{static_text(_JS)}\n}})();'
    return (
        _environment()
        .get_template("leaderboard.html.j2")
        .render(
            page=page,
            misses=MISSES,
            css=Markup(static_text(_CSS)),
            script=Markup(script),
            script_hash=b64encode(sha256(script.encode()).digest()).decode(),
            data=Markup(_DATA),
            more_scripts=Markup(_MORE_SCRIPTS),
        )
    )
