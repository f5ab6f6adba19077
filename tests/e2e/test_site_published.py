"""A site as `do=report` leaves it, served by a plain static server and read from disk, in a real browser."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.report_runs import four_runs
from tests.support.stored_runs import store

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WAIT_MS = 120_000

needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=os.environ)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four runs, a comparison of two, a matrix of all, and the site."""
    folder = tmp_path_factory.mktemp("published")
    runs = [store(view, folder / "results") for view in four_runs()]
    for words in (
        ["do=compare", "compare.runs=all"],
        ["do=compare", f"compare.a={runs[0].name}", f"compare.b=results/run/{runs[1].name}"],
        ["do=report"],
    ):
        done = harness(folder, *words)
        assert done.returncode == 0, done.stderr
    return folder


def test_a_comparison_prints_its_verdict_and_leaves_page_record_and_tables(place: Path) -> None:
    a, b = (view.id for view in four_runs()[:2])

    done = harness(place, "do=compare", f"compare.a={a}", f"compare.b={b}")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("is better than SmolLM2-135M-Instruct, prompted")
    reports = place / "reports"
    assert json.loads((reports / "compare" / f"{a}~{b}.json").read_text())["whole"]["verdict"] == "superior"
    assert (reports / "compare.md").read_text().startswith("# SmolLM2-135M-Instruct, constrained is better than")
    assert (reports / "tables" / "compare" / f"{a}~{b}" / "flips.parquet").is_file()


def test_what_cannot_be_compared_ends_with_two_and_one_line(place: Path) -> None:
    run = four_runs()[0].id

    same = harness(place, "do=compare", f"compare.a={run}", f"compare.b={run}")
    gone = harness(place, "do=compare", "compare.a=results/run/none")

    for done in (same, gone):
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    assert "is on both sides" in same.stderr
    assert "the newest there:" in gone.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def troubles_of(context: BrowserContext, addresses: list[str]) -> list[str]:
    """What pages said on the console, failed to load, or showed wider than the window."""
    said: list[str] = []
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.on("response", lambda one: said.append(f"{one.status}: {one.url}") if one.status >= 400 else None)
    for address in addresses:
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append(f"{address}: wider than the window")
    page.close()
    return said


def pages(reports: Path) -> list[str]:
    """One page of each kind."""
    first = sorted((reports / "runs").glob("*.html"))[:1]
    return [
        str(one.relative_to(reports))
        for one in (*reports.glob("*.html"), *first, *(reports / "compare").glob("*.html"))
    ]


@needs_browser
@pytest.mark.parametrize("width", [360, 1400])
def test_a_served_site_has_no_missing_file_and_no_message(place: Path, browser: Browser, width: int) -> None:
    reports = place / "reports"
    context = browser.new_context(viewport={"width": width, "height": 800})

    with served(reports) as root:
        said = troubles_of(context, [f"{root}/{one}" for one in pages(reports)])

    context.close()
    assert said == []


@needs_browser
def test_a_site_on_disk_has_no_missing_file_and_no_message(place: Path, browser: Browser) -> None:
    reports = place / "reports"
    context = browser.new_context()

    said = troubles_of(context, [f"file://{reports / one}" for one in pages(reports)])

    context.close()
    assert said == []


def opened(browser: Browser, path: Path) -> Page:
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"file://{path}")
    return page


@needs_browser
def test_runs_on_the_index_are_found_and_sorted(place: Path, browser: Browser) -> None:
    page = opened(browser, place / "reports" / "index.html")

    page.fill("#find", "gemma constrained")
    shown = page.locator("#all-runs tbody tr:visible").count()
    page.fill("#find", "")
    page.click("#all-runs thead th:has-text('Accuracy') button")
    first = page.locator("#all-runs tbody tr").first.inner_text()

    page.close()
    assert shown == 1
    assert "smollm2_constrained" in first


@needs_browser
def test_a_flip_leads_to_its_sample_in_the_explorer(place: Path, browser: Browser) -> None:
    a, b = (view.id for view in four_runs()[:2])
    page = opened(browser, place / "reports" / "compare" / f"{a}~{b}.html")
    sample = page.locator(".flip header b").first.inner_text()

    page.locator(".flip header a").first.click()
    page.wait_for_selector("#detail h3, #detail h4, #detail *")

    said = page.locator("#samples").inner_text()
    chosen = page.evaluate("[document.getElementById('run').value, document.getElementById('beside').value]")
    page.close()
    assert sample in said
    assert chosen == [b, a]
