"""Pictures as files for a paper: SVG, PNG, data and caption of each, with a page that shows them all."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from markupsafe import Markup

from harness.errors import DataError
from harness.report.figures.figure import Figure, table_of
from harness.report.figures.html import FIGURE_JS, Picture, csv_text, picture
from harness.report.figures.paper import paper_png, paper_svg
from harness.report.page import environment, static_text, write_html
from harness.report.text import visible

__all__ = ["FIGURES_PAGE", "Chapter", "write_figures"]

FIGURES_PAGE: Final = "index.html"
_LIST: Final = "figures.json"
_CSS: Final = ("base.css", "table.css", "figures.css", "print.css")
_JS: Final = ("dom.js", "tip.js", *FIGURE_JS, "pictures.js")
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pictures that belong together: those of a suite, or those of other stored results."""

    title: str
    figures: tuple[Figure, ...]


def write_figures(chapters: Sequence[Chapter], folder: Path) -> list[Path]:
    """Writes `NAME.svg`, `.png`, `.csv` and `.txt` of each picture, `figures.json` and the page; returns the pictures.

    The names are those of suite and picture, the same at each call; files of an earlier call that are not written again
    are removed, and nothing else in the folder is touched. Raises DataError where it cannot be written, ConfigError
    without matplotlib.
    """
    named = [(chapter, name, figure) for chapter, name, figure in _named(chapters)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _written(folder / _LIST)
        entries, files, cards = [], set(), []
        for chapter, name, figure in named:
            own = _files(name, figure)
            for file, data in own.items():
                (folder / file).write_bytes(data)
            files |= set(own)
            entries.append({"name": name, "chapter": chapter, "title": visible(figure.title), "files": sorted(own)})
            links = tuple((label, f"{name}.{end}") for label, end in _LINKS)
            cards.append((chapter, picture(figure, "", links, name)))
        for gone in before - files:
            (folder / gone).unlink(missing_ok=True)
        (folder / _LIST).write_bytes(orjson.dumps(entries, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}); choose another folder: paths.reports=…"
        ) from error
    write_html(folder / FIGURES_PAGE, _page(cards))
    return [folder / f"{name}.svg" for _, name, _ in named]


_LINKS: Final = (("SVG", "svg"), ("PNG, 300 dpi", "png"), ("CSV", "csv"), ("Caption", "txt"))


def _named(chapters: Iterable[Chapter]) -> list[tuple[str, str, Figure]]:
    """Each picture with its chapter's title and a name of its own for files."""
    found: list[tuple[str, str, Figure]] = []
    seen: set[str] = set()
    for chapter in chapters:
        for figure in chapter.figures:
            name = wanted = f"{_slug(chapter.title)}-{_slug(figure.key)}"
            number = 2
            while name in seen:
                name, number = f"{wanted}-{number}", number + 1
            seen.add(name)
            found.append((chapter.title, name, figure))
    return found


def _slug(text: str) -> str:
    """Letters, digits and hyphens that every file system takes."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found[:_LONGEST].rstrip("-") or "figure"


def _files(name: str, figure: Figure) -> dict[str, bytes]:
    caption = f"{figure.title}\n\n{figure.caption}\n\nWhat it shows: {figure.message}\n"
    return {
        f"{name}.svg": paper_svg(figure),
        f"{name}.png": paper_png(figure),
        f"{name}.csv": csv_text(table_of(figure)).encode(),
        f"{name}.txt": visible(caption).encode(),
    }


def _written(path: Path) -> set[str]:
    """Names of the files that an earlier call wrote; none where its list cannot be read."""
    try:
        return {
            name
            for entry in orjson.loads(path.read_bytes())
            for name in entry["files"]
            if re.fullmatch(r"[a-z0-9-]+\.(svg|png|csv|txt)", name)
        }
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _page(cards: Sequence[tuple[str, Picture]]) -> str:
    script = f'(() => {{\n"use strict";\n{static_text(_JS)}\n}})();'
    titles = list(dict.fromkeys(title for title, _ in cards))
    return (
        environment()
        .get_template("pictures.html.j2")
        .render(
            chapters=[(title, [card for own, card in cards if own == title]) for title in titles],
            css=Markup(static_text(_CSS)),
            script=Markup(script),
            script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        )
    )
