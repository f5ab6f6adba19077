"""Builds the documentation site from docs/ into site-docs/html: `make docs`. Runs in .venv-docs.

The pages are copied first, and links that leave docs/ become plain paths, since a site has no such files. Afterwards
each page is told to load nothing from elsewhere (Content-Security-Policy, scripts by their hash), and is read for
whatever does.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from links import LINK, ROOT, prose

DOCS: Final = ROOT / "docs"
OUT: Final = ROOT / "site-docs"
_SCRIPT: Final = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*\btype=\"?application/json)[^>]*>(.*?)</script>", re.DOTALL)
_CHARSET: Final = re.compile(r"<meta charset=\"?utf-8\"?>", re.IGNORECASE)
_LOADED: Final = re.compile(
    r"<(?:script|link|img|iframe|source|audio|video|object|embed)\b[^>]*?\b(?:src|href|data)=\"?((?:https?:)?//[^\s\">]+)",
    re.IGNORECASE,
)
_STYLED: Final = re.compile(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)")


def staged(text: str, page: Path) -> str:
    """The page with links to files outside docs/ as plain paths.

    >>> staged("See [the example](../examples/ci/README.md) and [cost](cost.md).", DOCS / "ci.md")
    'See the example (`examples/ci/README.md`) and [cost](cost.md).'
    """
    plain, parts, at = prose(text), [], 0
    for found in LINK.finditer(plain):
        path = (page.parent / found[3].partition("#")[0]).resolve()
        if ":" in found[3] or found[3].startswith("#") or path.is_relative_to(DOCS):
            continue
        words, name = text[found.start(2) : found.end(2)], path.relative_to(ROOT).as_posix()
        parts += [text[at : found.start()], f"`{name}`" if words.strip("`") == name else f"{words} (`{name}`)"]
        at = found.end()
    return "".join([*parts, text[at:]])


def copy_pages(to: Path) -> None:
    """Pages and pictures of docs/ for the builder, its scripts left out."""
    shutil.rmtree(to, ignore_errors=True)
    for source in sorted(one for one in DOCS.rglob("*") if one.suffix in {".md", ".png", ".svg"}):
        target = to / source.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(staged(source.read_text(encoding="utf-8"), source), encoding="utf-8")
        else:
            shutil.copyfile(source, target)


def policy(page: str) -> str:
    """The Content-Security-Policy of a page: what lies beside it, and the inline scripts that it has, by their hash."""
    hashes = sorted({base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in _SCRIPT.findall(page)})
    scripts = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    rest = "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
    ends = "worker-src 'self' blob:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {scripts}; {rest}; {ends}"


def from_elsewhere(folder: Path) -> Iterator[str]:
    """A line for each thing that a page or style sheet would load from another host."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".html", ".css"}:
            pattern = _LOADED if path.suffix == ".html" else _STYLED
            for address in pattern.findall(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(folder)} loads {address}"


def sealed(page: str) -> str:
    """The page with its policy, right after its character set."""
    return _CHARSET.sub(lambda one: f'{one[0]}<meta http-equiv="Content-Security-Policy" content="{policy(page)}">',
                        page, count=1)  # fmt: skip


def main() -> int:
    """0 when the site is built; 1 where the builder complains or a page would load something from elsewhere."""
    copy_pages(OUT / "pages")
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT, check=False)
    if built.returncode:
        return 1
    found = list(from_elsewhere(OUT / "html"))
    for path in (OUT / "html").rglob("*.html"):
        path.write_text(sealed(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
