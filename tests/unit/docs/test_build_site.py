"""docs/build_site.py: links that leave docs/ become paths, pages are sealed, and what loads from elsewhere is told."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[3] / "docs"
SITE = '<html><head><meta charset="utf-8"></head><body><script>go()</script>{}</body></html>'


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module, with `links` beside it; neither stays behind."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("build_site")
    for name in ("build_site", "links"):
        sys.modules.pop(name, None)


def test_a_link_out_of_docs_is_a_path_and_one_within_stays(site: ModuleType) -> None:
    text = (
        "[why](../SECURITY.md), [cost](cost.md#x), [up](https://example.org), `[c](../x.md)`, [`LICENSE`](../LICENSE)"
    )

    found = site.staged(text, DOCS / "ci.md")

    assert found == "why (`SECURITY.md`), [cost](cost.md#x), [up](https://example.org), `[c](../x.md)`, `LICENSE`"


def test_every_copied_page_links_to_nothing_outside(site: ModuleType, tmp_path: Path) -> None:
    site.copy_pages(tmp_path)

    assert (tmp_path / "index.md").is_file()
    assert not list(tmp_path.rglob("*.py"))
    assert not [page for page in tmp_path.rglob("*.md") if "](../harness" in page.read_text()]


def test_a_page_may_run_its_own_inline_script_and_load_nothing_from_elsewhere(site: ModuleType) -> None:
    page = site.sealed(SITE.format(""))

    assert "default-src 'none'" in page
    assert "script-src 'self' 'sha256-" in page
    assert "unsafe-inline'; script" not in page
    assert page.index("Content-Security-Policy") < page.index("<script>")


@pytest.mark.parametrize(
    "line",
    [
        '<script src="https://cdn.example/x.js"></script>', '<link rel="stylesheet" href="//cdn.example/x.css">',
        "<img src=https://cdn.example/x.png>",
    ],
    ids=["script", "style", "picture"],
)  # fmt: skip
def test_what_a_page_would_load_from_elsewhere_is_told(site: ModuleType, tmp_path: Path, line: str) -> None:
    (tmp_path / "p.html").write_text(SITE.format(line))
    (tmp_path / "s.css").write_text("body { color: red }")

    found = list(site.from_elsewhere(tmp_path))

    assert len(found) == 1
    assert found[0].startswith("p.html loads ")
    assert "//cdn.example/x." in found[0]


def test_a_link_to_follow_and_a_style_sheet_of_its_own_are_no_loading(site: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text(SITE.format('<a href="https://example.org">x</a><img src="images/x.png">'))
    (tmp_path / "s.css").write_text("@import 'x.css'; a { background: url(data:image/png;base64,AA) }")

    assert list(site.from_elsewhere(tmp_path)) == []
