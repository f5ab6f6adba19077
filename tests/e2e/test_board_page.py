"""The large table in a real browser: filters, columns, permalinks, keys, touch and paper. Skipped without Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from harness.report import RunView, write_leaderboard
from tests.e2e.test_leaderboard_page import CHROMIUM, OPTIONS
from tests.support.every_page import PAGES
from tests.support.report_runs import made_run
from tests.unit.report.test_board import by_traffic, configured

PATIENCE_MS = 180_000
"""A busy machine is slow, not wrong."""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    found = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True)
    found.set_default_timeout(PATIENCE_MS)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext, board: str) -> Page:
    """The board, opened; what it complains of fails the test that looks at it."""
    opened = context.new_page()
    opened.goto(board)
    return opened


def other_suite(run: RunView) -> RunView:
    """The run as one of another suite, which stands for other calls."""
    name = f"{run.id}_travel"
    manifest = run.manifest.model_copy(update={"suite": "travel", "suite_hash": "ab" * 32, "run": name})
    summary = run.summary.model_copy(update={"suite": "travel", "suite_hash": "ab" * 32, "run": name})
    return replace(run, manifest=manifest, summary=summary)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three models on two suites that stand for traffic: a small one, a large hosted one, one of another licence."""
    small = by_traffic(made_run("small", "Small", "constrained", skill=0.4), 0.4, 0.3, 0.5, calls=300.0)
    large = by_traffic(made_run("large", "Large", "native", skill=0.9, base_s=1.5), 0.9, 0.8, 0.95, calls=300.0)
    large = configured(large, hosted=True, parameters=70_000_000_000, licence="Llama-3.2")
    backend = large.manifest.backend
    assert backend is not None
    unseen = large.manifest.model_copy(update={"backend": backend.model_copy(update={"weights": None})})
    large = replace(large, manifest=unseen)
    third = configured(by_traffic(made_run("third", "Third", skill=0.2), 0.2, 0.1, 0.3, calls=300.0), licence="MIT")
    path = tmp_path_factory.mktemp("board") / "leaderboard.html"
    write_leaderboard([small, large, third, other_suite(small), other_suite(large)], path)
    return path.as_uri()


def names(page: Page, table: str = "#suite-1-table") -> list[str]:
    return page.locator(f"{table} tbody:not([hidden]) tr:first-child .c-model").all_inner_texts()


def titles(page: Page, table: str = "#suite-1-table") -> list[str]:
    return [text.split("\n")[0] for text in names(page, table)]


def test_matrix_is_ordered_by_all_traffic_and_can_be_sorted_by_a_suite(page: Page) -> None:
    before = titles(page, "#matrix")

    page.locator("#matrix th[data-key=suite-2] button").click()
    page.locator("#matrix th[data-key=suite-2] button").click()

    assert before == ["Large, native", "Small, constrained", "Third, prompted"]
    assert titles(page, "#matrix") == ["Small, constrained", "Large, native", "Third, prompted"]
    assert "board=0" in page.evaluate("location.hash")


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("where", "hosted", ["Large"]),
        ("size", "500000000", ["Small", "Third"]),
        ("licence", "MIT", ["Third"]),
    ],
)
def test_each_field_filters_every_table(page: Page, field: str, value: str, left: list[str]) -> None:
    page.select_option(f"#{field}", value)

    assert sorted(titles(page)) == left
    assert [name.split(",")[0] for name in sorted(titles(page, "#matrix"))] == left


def test_a_suite_alone_hides_the_others_and_their_columns(page: Page) -> None:
    page.select_option("#suite", "suite-2")

    assert page.locator("article.suite:visible").count() == 1
    assert page.locator("#matrix thead th:visible").count() == 3
    assert page.locator("#shown").inner_text() == "2 of 5 runs"


def test_all_runs_come_back_with_one_press(page: Page) -> None:
    page.fill("#find", "small")
    page.select_option("#where", "local")

    page.locator("#reset").click()

    assert page.locator("#shown").inner_text() == "5 runs"
    assert page.evaluate("location.hash") == ""
    assert page.locator("#reset").is_hidden()


def test_columns_are_chosen_and_the_address_remembers_them(page: Page) -> None:
    page.locator("#columns summary").click()
    page.check("[name=column][value=hardware]")
    page.uncheck("[name=column][value=n]")
    page.reload()

    heads = page.locator("#suite-1-table thead th:visible").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    assert "hardware" in heads
    assert "n" not in heads
    spans = page.locator("#suite-1-table .groups td:visible").evaluate_all("(all) => all.map((one) => one.colSpan)")
    assert sum(spans) == len(heads)
    page.locator("#columns summary").click()
    page.locator("#columns-usual").click()
    assert "cols" not in page.evaluate("location.hash")


def test_back_undoes_sorting_filters_and_columns_one_by_one(page: Page) -> None:
    page.locator("#suite-1-table th[data-key=ttft_p50] button").click()
    page.select_option("#where", "local")
    page.evaluate("document.querySelector('[name=column][value=n]').click()")

    page.go_back()
    column = page.locator("#suite-1-table th[data-key=n]").is_visible()
    page.go_back()
    runs = page.locator("#shown").inner_text()
    page.go_back()

    assert column
    assert runs == "5 runs"
    assert page.locator("#suite-1-table th[data-key=ttft_p50]").get_attribute("aria-sort") is None
    assert page.locator("#suite-1-table th[data-key=traffic]").get_attribute("aria-sort") == "descending"
    assert titles(page) == ["Large", "Small", "Third"]
    page.go_forward()
    assert page.locator("#suite-1-table th[data-key=ttft_p50]").get_attribute("aria-sort") == "ascending"


def test_a_permalink_restores_table_and_sample(page: Page, board: str) -> None:
    run = page.locator("#suite-1-table tbody[data-run]").last.get_attribute("data-run")

    page.goto("about:blank")
    page.goto(f"{board}#q=third&sort=e2e_p50&order=descending&cols=n&run={run}&sample=multiple_3")

    assert titles(page) == ["Third"]
    assert page.locator("#suite-1-table th[data-key=e2e_p50]").get_attribute("aria-sort") == "descending"
    assert page.locator("#suite-1-table th[data-key=n]").is_hidden()
    page.locator("#detail h3").first.wait_for()
    assert page.locator("#detail h3").first.inner_text() == "multiple_3"


def test_conditions_show_with_keys_alone_and_stay_while_the_table_scrolls(page: Page) -> None:
    button = page.locator("#suite-1-table .open").first

    button.focus()
    conditions = page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.wait_for_timeout(100)

    for words in ("Engine: llamacpp", "Context and slots: 8,192 tokens", "Harness: 0.1.0, commit"):
        assert words in conditions
    assert page.evaluate("document.activeElement.closest('td').className").startswith("c-date")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.textContent") == "Small"
    assert "Hardware: Example CPU" in page.locator("#tip").inner_text()


def test_a_dash_says_with_keys_alone_why_it_is_one(page: Page) -> None:
    page.locator("#suite-1-table .open").first.focus()
    place = page.locator("#suite-1-table tbody").first.locator("tr").first.locator("th:visible, td:visible")
    dash = place.evaluate_all("(all) => all.findIndex((one) => one.classList.contains('none'))")

    for _ in range(dash):
        page.keyboard.press("ArrowRight")

    assert dash > 0
    assert page.locator("#tip").inner_text() != ""


def test_a_tap_shows_and_opens_the_conditions(browser: Browser, board: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(board)

    page.locator("#suite-1-table .open").first.tap()

    assert page.locator("#suite-1-table tr.more").first.is_visible()
    assert page.locator("#suite-1-table .open").first.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


@pytest.mark.parametrize("width", [360, 900, 1400])
def test_board_scrolls_in_its_own_box_with_every_column_and_choice_open(page: Page, width: int) -> None:
    page.locator("#columns summary").click()
    page.locator("#columns-all").click()

    page.set_viewport_size({"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_paper_shows_the_tables_without_controls_and_in_ink_on_white(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")

    assert page.locator("#filters").is_hidden()
    assert page.locator("#matrix table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 249)"


def test_nothing_moves_for_readers_who_want_it_still(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")

    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert page.evaluate("getComputedStyle(document.querySelector('.open'), '::before').transitionDuration") == "0s"


@pytest.fixture(scope="module")
def every_page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: write(tmp_path_factory.mktemp(name)).as_uri() for name, write in PAGES.items()}


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of the checker, from the package that brings it."""
    pytest.importorskip(
        "axe_playwright_python", reason="no checker: pip install axe-playwright-python (make test does)"
    )
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_checker_finds_no_barrier(
    browser: Browser, every_page: dict[str, str], axe: str, name: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme=scheme, offline=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(every_page[name])
    page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true;"
        "for (const one of document.querySelectorAll('.board .open')) one.click();"
    )

    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    context.close()

    assert [(one["impact"], one["id"], one["nodes"][0]["target"]) for one in found["violations"]] == []


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, every_page: dict[str, str], name: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, offline=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()

    page.goto(every_page[name])

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()
