"""The library that pages carry is the very file of its package, with its licence."""

import re
from hashlib import sha256
from importlib.resources import files

from harness.report.figures.html import FIGURE_JS
from harness.report.leaderboard import build_leaderboard
from tests.support.report_runs import made_run

FOLDER = files("harness.report") / "static" / "vendor"


def test_the_file_is_the_one_whose_hash_is_recorded() -> None:
    rows = re.findall(r"^\| `([\w.-]+\.js)` .*`([0-9a-f]{64})` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)

    assert [name for name, _ in rows] == [name.removeprefix("vendor/") for name in FIGURE_JS if ".min." in name]
    for name, recorded in rows:
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == recorded


def test_the_licence_goes_into_every_page_with_the_library() -> None:
    licence = (FOLDER / "d3-LICENSE").read_text(encoding="utf-8").strip()

    page = build_leaderboard([made_run()])

    assert "Permission to use, copy, modify, and/or distribute" in licence
    assert licence in page
    assert page.index(licence) < page.index("d3js.org v")


def test_the_library_weighs_less_than_600_kb_and_ends_no_script_early() -> None:
    text = "".join((FOLDER / name.removeprefix("vendor/")).read_text() for name in FIGURE_JS if "vendor" in name)

    assert len(text.encode()) < 600_000
    assert "</script" not in text.lower()
    assert "<!--" not in text
