"""Pictures in a real browser, as a reader uses them. Skipped where no Chromium is installed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

from harness.report.figures.collect import run_figures
from harness.report.figures.files import Chapter, write_figures
from harness.report.figures.learning import learning_plot
from harness.report.figures.tasks import task_map
from harness.report.figures.throughput import throughput_of_load
from harness.report.group import group_of
from tests.support.pictured import learning_curve, load_book, many_runs, task_book

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")
pytest.importorskip("matplotlib", reason="pictures for a paper need matplotlib (requirements/dev.txt)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with a picture of each kind."""
    folder = tmp_path_factory.mktemp("figures")
    load, tasks = throughput_of_load([load_book()]), task_map(*task_book())
    assert load is not None
    assert tasks is not None
    wanted = {"latency", "e2e-ecdf", "waterfall", "categories"}
    runs = tuple(one for one in run_figures(group_of(many_runs(9))) if one.key in wanted)
    write_figures([Chapter("suite", runs), Chapter("other", (learning_plot(learning_curve()), load, tasks))], folder)
    return (folder / "index.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    yield from opened(browser, address)


@pytest.fixture
def still(browser: Browser, address: str) -> Iterator[Page]:
    """The page without scripts."""
    yield from opened(browser, address, scripts=False)


def opened(browser: Browser, address: str, *, scripts: bool = True) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900}, java_script_enabled=scripts)
    found = context.new_page()
    troubles: list[str] = []

    def gate(route: Route) -> None:
        if route.request.url.split("#")[0] == address:
            route.continue_()
        else:
            troubles.append(route.request.url)
            route.abort()

    found.route("**/*", gate)
    found.on("console", lambda message: troubles.append(message.text))
    found.on("pageerror", lambda error: troubles.append(str(error)))
    found.goto(address)
    yield found
    context.close()
    assert troubles == []


def plot(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} svg.plot.wide")


def test_the_point_under_the_pointer_is_told_with_its_run(page: Page) -> None:
    found = plot(page, "suite-e2e-ecdf")
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    assert box is not None
    line = found.locator("g.series:not(.quiet-series) polyline").first.get_attribute("points") or ""
    x, y = (float(one) for one in line.split()[20].split(","))

    page.mouse.move(box["x"] + x * box["width"] / 620, box["y"] + y * box["height"] / 400)

    page.locator("#tip").wait_for(state="visible")
    assert re.search(r": \d+(\.\d)? % at [\d.]+ m?s$", page.locator("#tip").inner_text())
    assert found.locator("g.series.on").count() == 1


def test_a_mark_tells_its_conditions_to_keyboard_and_pointer(page: Page) -> None:
    mark = plot(page, "suite-latency").locator(".mark").first

    mark.focus()

    told = page.locator("#tip").inner_text()
    assert "interval" in told
    assert "llamacpp b7012" in told
    assert "scored attempts" in (mark.get_attribute("aria-label") or "")


def test_an_entry_of_the_legend_hides_its_series_and_brings_it_back(page: Page) -> None:
    card, key = page.locator("#suite-e2e-ecdf"), page.locator("#suite-e2e-ecdf .keys button").first

    key.click()
    hidden = card.locator("g.series.off").count()
    key.click()

    assert hidden == 2  # of the wide and of the narrow drawing
    assert card.locator("g.series.off").count() == 0
    assert key.get_attribute("aria-pressed") == "true"


def test_arrow_keys_walk_along_a_curve_and_say_what_is_there(page: Page) -> None:
    found = plot(page, "suite-e2e-ecdf")

    found.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#said").inner_text()
    page.keyboard.press("ArrowDown")
    other = page.locator("#said").inner_text()

    assert " % at " in first
    assert other.split(":")[0] != first.split(":")[0]


def test_zoom_moves_marks_and_numbers_and_goes_back(page: Page) -> None:
    card, found = page.locator("#suite-latency"), plot(page, "suite-latency")
    before = found.locator(".ticks-x text").all_inner_texts()

    card.locator(".tools .wide").get_by_label("Zoom in").click()
    within = found.locator(".ticks-x text").all_inner_texts()
    card.locator(".tools .wide").get_by_label("Zoom back").click()

    assert within != before
    assert found.locator(".ticks-x text").all_inner_texts() == before
    assert "zoomed" not in (found.get_attribute("class") or "")


def test_the_data_of_a_picture_opens_as_a_table_with_its_files(page: Page) -> None:
    card = page.locator("#other-learning-support-v1-smollm2")

    card.locator("summary").click()

    assert card.locator(".rows tbody tr").count() == 4
    assert [one.inner_text() for one in card.locator(".files a").all()] == ["SVG", "PNG, 300 dpi", "CSV", "Caption"]


def test_pictures_are_there_without_scripts(still: Page) -> None:
    assert still.locator("svg.plot.wide").count() == 5
    assert all(one.is_visible() for one in still.locator("svg.plot.wide").all())
    assert all(one.get_attribute("aria-label") for one in still.locator("svg.plot").all())


@pytest.mark.parametrize("width", [360, 900, 1400])
def test_no_picture_is_wider_than_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide = page.locator("svg.plot.wide").first.is_visible()
    assert wide == (width > 560)
