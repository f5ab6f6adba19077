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
from harness.report.columns import definitions
from harness.report.embed import Embedded, embed
from harness.report.formats import counted, percent, usd
from harness.report.group import groups_of
from harness.report.headline import Headline, overview
from harness.report.page import environment, static_text
from harness.report.section import Section, section
from harness.report.view import RunView

__all__ = ["build_leaderboard", "write_leaderboard"]

_CSS: Final = ("base.css", "table.css", "figures.css", "explorer.css", "print.css")
_JS: Final = (
    "dom.js",
    "state.js",
    "tip.js",
    "table.js",
    "explorer_list.js",
    "explorer_target.js",
    "explorer_steps.js",
    "explorer_detail.js",
    "explorer.js",
    "main.js",
)


@dataclass(frozen=True, slots=True)
class _Page:
    """Everything that the template reads."""

    head: Headline
    strap: str
    sections: tuple[Section, ...]
    data: Embedded
    protocols: tuple[str, ...]
    n_older: int
    definitions: tuple[tuple[str, str, str], ...]

    @property
    def many(self) -> bool:
        """Whether there is more than one suite."""
        return len(self.sections) > 1


def build_leaderboard(runs: Sequence[RunView]) -> str:
    """The page as HTML, a function of the runs alone; without runs, a page that says so.

    Of each model × protocol × suite the latest run counts; older ones are rows that the reader can unfold.
    """
    groups = groups_of(runs)
    sections = tuple(section(group) for group in groups)
    page = _Page(
        head=_nothing() if not groups else sections[0].head if len(groups) == 1 else overview(groups),
        strap=_strap(sections),
        sections=sections,
        data=embed(groups),
        protocols=tuple(name for name in PROTOCOLS if any(run.summary.protocol == name for run in runs)),
        n_older=sum(len(group.older) for group in groups),
        definitions=tuple(definitions(groups)),
    )
    return _render(page)


def write_leaderboard(runs: Sequence[RunView], path: Path) -> None:
    """Writes the page to `path`, whole or not at all; its folder is made where it is missing.

    Raises DataError if it cannot be written.
    """
    page = build_leaderboard(runs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(page)
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}); choose another folder: paths.reports=…"
        ) from error


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


def _render(page: _Page) -> str:
    """The page through its template; the script runs by its hash alone, so nothing injected could."""
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
            data=Markup(page.data.json),
        )
    )
