"""What pages say of each other once all are there: the line of links on top, and where the tables lie as data."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

from harness.errors import DataError
from harness.report.export import COLUMNS, FORMATS
from harness.report.tables import Kept, export_links

__all__ = ["INDEX", "PAGES", "explorer_runs", "pages_there", "weave"]

INDEX: Final = "index.html"
PAGES: Final[tuple[tuple[str, str], ...]] = (
    (INDEX, "Overview"),
    ("leaderboard.html", "Leaderboard"),
    ("figures/index.html", "Pictures"),
    ("compare.html", "Compare"),
    ("select.html", "Selection"),
    ("route.html", "Routing"),
    ("monitor.html", "Monitor"),
    ("audit.html", "Audit"),
    ("clusters.html", "Clusters"),
    ("convert.html", "Conversion"),
    ("quantize.html", "Quantization"),
    ("load.html", "Load"),
)
"""Pages that the line leads to, in its order; others of the top level follow under their file's name."""
FOLDERS: Final = ("runs", "gates", "compare")
_ID: Final = re.compile(r'"id":"([^"\\]+)"')


def pages_there(reports: Path) -> frozenset[str]:
    """Every page of the site under `reports`, by its path from there."""
    found = {one.name for one in reports.glob("*.html")}
    for folder in FOLDERS:
        found |= {f"{folder}/{one.name}" for one in (reports / folder).glob("*.html")}
    found |= {page for page, _ in PAGES if "/" in page and (reports / page).is_file()}
    return frozenset(found)


def weave(reports: Path) -> int:
    """Fills the places that pages leave for links, and returns how many pages were written anew.

    The line of links stands where there is an index, else pages stay alone. Raises DataError where a page cannot be
    written.
    """
    there = pages_there(reports)
    tops = _tops(there) if INDEX in there else []
    written = 0
    for page in sorted(there):
        line = _line(tops, page, "../" * page.count("/")) if tops else ""
        data = "" if "/" in page else _data(reports, page)
        written += _fill(reports / page, (("site", str(line)), ("data", str(data))))
    return written


def _tops(there: frozenset[str]) -> list[tuple[str, str]]:
    known = dict(PAGES)
    others = sorted(one for one in there if "/" not in one and one not in known)
    named = [(page, title) for page, title in PAGES if page in there]
    return [*named, *((one, one.removesuffix(".html").replace("-", " ").replace("_", " ")) for one in others)]


def _line(tops: Sequence[tuple[str, str]], page: str, root: str) -> Markup:
    links = [
        Markup('<a href="{}{}"{}>{}</a>').format(
            root, quote(name), Markup(' aria-current="page"') if name == page else "", title
        )
        for name, title in tops
    ]
    return Markup('<nav class="site" aria-label="Pages">{}</nav>').format(Markup("").join(links))


def _data(reports: Path, page: str) -> Markup | str:
    """The tables of a page of the top level, each with its formats; empty where there are none."""
    folder = f"tables/{page.removesuffix('.html')}"
    names = sorted(one.stem for one in (reports / folder).glob(f"*.{FORMATS[0]}"))
    links = export_links(Kept(folder, tuple(names)))
    if not links:
        return ""
    columns = links.pop(COLUMNS.removesuffix(".json"))[0][1]
    each = [
        Markup("{} {}").format(
            name.replace("_", " "),
            Markup(", ").join(Markup('<a href="{}">{}</a>').format(link, kind.upper()) for kind, link in own),
        )
        for name, own in links.items()
    ]
    return Markup(
        '<section aria-labelledby="as-data"><div class="head"><h2 id="as-data">As data</h2></div><p class="exports">{} '
        '(<a href="{}">what the columns mean</a>)</p></section>'
    ).format(Markup("; ").join(each), columns)


def _fill(path: Path, places: Sequence[tuple[str, str]]) -> bool:
    """Whether the page was changed. What comes from outside is escaped, so no place of that name is in it but ours."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            before = file.read()
        text = before
        for name, filling in places:
            start, end = text.find(f"<!--{name}-->"), text.find(f"<!--/{name}-->")
            if 0 <= start < end:
                text = f"{text[:start]}<!--{name}-->{filling}{text[end:]}"
        if text == before:
            return False
        draft = path.with_name(f".{path.name}.part")
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); choose another folder: paths.reports=…"
        ) from error
    return True


def explorer_runs(reports: Path) -> frozenset[str]:
    """Names in the list of the leaderboard's explorer, runs among them; none where there is no leaderboard."""
    try:
        text = (reports / "leaderboard.html").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    return frozenset(_ID.findall(text))
