"""Checks every link within the project's pages: that the file is there and has the heading. No network, no packages."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = ("*.md", "docs/**/*.md", "examples/**/*.md", "suites/*/*.md", "harness/**/*.md")
_FENCE: Final = re.compile(r"^ *(```+|~~~+).*?^ *\1`*~* *$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\)")
_HEADING: Final = re.compile(r"^#{1,6} +(.*?)(?: +#+)? *$", re.MULTILINE)
_OWN_ANCHOR: Final = re.compile(r"<[^>]+\b(?:id|name)=\"([^\"]+)\"")
_OUTSIDE: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it stands in a page."""

    line: int
    target: str


def prose(text: str) -> str:
    """The page with code blanked out: same length, same lines."""
    for pattern in (_FENCE, _CODE):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return text


def links(text: str) -> Iterator[Link]:
    """The links of a page to its own project; addresses with a scheme are somebody else's to keep.

    >>> [link.target for link in links("[a](b.md#c), `[no](x.md)`, ![p](images/p.png), [q](https://example.org)")]
    ['b.md#c', 'images/p.png']
    """
    plain = prose(text)
    for found in LINK.finditer(plain):
        if not _OUTSIDE.match(found[3]):
            yield Link(plain.count("\n", 0, found.start()) + 1, found[3])


def slug(heading: str) -> str:
    """The anchor that GitHub, GitLab and the site give to a heading.

    >>> slug("What `do=run` leaves, and why"), slug("[A link](x.md): pass^k")
    ('what-dorun-leaves-and-why', 'a-link-passk')
    """
    words = LINK.sub(r"\2", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(text: str) -> set[str]:
    r"""Every anchor of a page; the second heading of one name ends in `-1`.

    >>> sorted(anchors("# A\n## B\n## B\n"))
    ['a', 'b', 'b-1']
    """
    plain = _FENCE.sub("", text)
    found = set(_OWN_ANCHOR.findall(plain))
    seen: dict[str, int] = {}
    for heading in _HEADING.findall(plain):
        name = slug(heading)
        again = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{again}" if again else name)
    return found


def broken(root: Path, page: Path) -> Iterator[str]:
    """A line for each link of the page that leads nowhere: `FILE:LINE: TARGET: why`."""
    text = page.read_text(encoding="utf-8")
    for link in links(text):
        path, _, anchor = link.target.partition("#")
        target = page if not path else (page.parent / unquote(path)).resolve()
        where = f"{page.relative_to(root)}:{link.line}: {link.target}"
        if path.startswith("/") or not target.is_relative_to(root):
            yield f"{where}: not within the project; write it relative to this page"
        elif not target.exists():
            yield f"{where}: there is no {target.relative_to(root)}"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"{where}: {target.relative_to(root)} has no heading {anchor!r}"


def pages(root: Path) -> list[Path]:
    """The pages that are looked at."""
    return sorted({page for pattern in PAGES for page in root.glob(pattern) if page.is_file()})


def main(arguments: list[str]) -> int:
    """0 if every link leads somewhere, else 1 with a line for each that does not. An argument: another root."""
    root = Path(arguments[0]).resolve() if arguments else ROOT
    found = [line for page in pages(root) for line in broken(root, page)]
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
