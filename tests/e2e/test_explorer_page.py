"""The sample explorer in a real browser: keys, flips, links, comparisons, and texts in files beside the page."""

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from harness.report import leaderboard as board
from harness.report import write_leaderboard
from tests.e2e.test_leaderboard_page import CHROMIUM, OPTIONS
from tests.support.report_families import agent_run, answer_run
from tests.support.report_runs import four_runs, made_run

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")

RUNS = four_runs()
PAIR = f"#run={RUNS[0].id}&beside={RUNS[1].id}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page(viewport={"width": 1400, "height": 900})
    found.set_default_timeout(60_000)
    yield found
    found.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("whole") / "leaderboard.html"
    write_leaderboard([*RUNS, agent_run(), answer_run(skill=0.4)], path)
    return path.as_uri()


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose texts are in files beside it."""
    path = tmp_path_factory.mktemp("split") / "leaderboard.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(board, "_PAGE_BYTES", 0)
        patch.setattr("harness.report.embed._fit", lambda frame, budget: [])
        write_leaderboard(RUNS, path)
    return path


def chosen(page: Page) -> str:
    return page.locator("#list [aria-selected=true] .id").inner_text()


def test_letters_move_only_where_no_field_has_the_focus(page: Page, whole: str) -> None:
    page.goto(whole + PAIR)

    page.locator("#list").press("j")
    page.locator("#list").press("j")
    page.locator("#list").press("k")
    moved = chosen(page)
    page.locator("#list").press("/")
    page.keyboard.type("jk")

    assert moved == RUNS[0].samples[1].id
    assert page.input_value("#text") == "jk"
    page.fill("#text", "")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"


def test_letters_can_be_switched_off_for_good(page: Page, whole: str) -> None:
    page.goto(whole + PAIR)
    page.locator("#list").press("?")
    page.uncheck("#letters")
    page.keyboard.press("Escape")

    page.locator("#list").press("j")
    page.reload()
    page.locator("#list").press("j")

    assert not page.locator("#keys").is_visible()
    assert chosen(page) == RUNS[0].samples[0].id


def test_flips_are_counted_and_walked(page: Page, whole: str) -> None:
    first, second = ({one.sample: one.value for one in run.scores} for run in RUNS[:2])
    lost = [key for key, value in first.items() if value == 1 and second[key] == 0]
    won = [key for key, value in first.items() if value == 0 and second[key] == 1]
    page.goto(whole + PAIR)

    told = page.locator("#flips button").all_inner_texts()
    page.locator("#list").press("Home")
    seen = []
    for _ in range(3):
        page.locator("#list").press("n")
        seen.append(chosen(page))
    page.locator("#flips button", has_text="wrong → right").click()

    assert told[:2] == [f"{len(lost)} right → wrong", f"{len(won)} wrong → right"]
    first_flips = [one.id for one in RUNS[0].samples[1:] if one.id in {*lost, *won}]
    assert seen == first_flips[:3]
    assert page.locator("#list .option").count() == len(won)
    assert page.locator("#result").input_value() == "won"


def test_link_to_a_sample_wins_over_the_filters(page: Page, whole: str) -> None:
    right = next(one.sample for one in RUNS[1].scores if one.value == 1)

    page.goto(f"{whole}#run={RUNS[1].id}&sample={right}&result=missed")

    assert page.locator("#detail h3").first.inner_text() == right
    assert page.locator("#result").input_value() == ""


def test_link_without_a_run_finds_one_that_has_the_sample(page: Page, whole: str) -> None:
    sample = agent_run().samples[1].id

    page.goto(f"{whole}#sample={sample}")

    assert page.locator("#detail h3").first.inner_text().startswith(sample)
    assert page.locator("#run").input_value() == agent_run().id


def test_up_to_four_runs_stand_side_by_side_and_are_compared(page: Page, whole: str) -> None:
    ids = [run.id for run in RUNS]

    page.goto(f"{whole}#run={ids[0]}&beside={ids[1]}&beside2={ids[2]}&beside3={ids[3]}")

    names = page.locator("#detail h4.run").all_inner_texts()
    assert [name[:4] for name in names] == ["A · ", "B · ", "C · ", "D · "]
    assert page.locator("#detail .between h4").count() == 4
    assert page.locator("#list [aria-selected=true] .marks span").count() == 4


def test_wrong_argument_is_named_in_the_diff_and_right_ones_are_not(page: Page, whole: str) -> None:
    run = RUNS[1]
    place = next(place for place, one in enumerate(run.scores) if one.value == 1 and one.extracted)

    page.goto(f"{whole}#run={run.id}&sample={run.scores[place].sample}")

    table = page.locator("#detail .pair").first
    signs = [text[0] for text in table.locator("tbody th").all_inner_texts()]
    assert set(signs) == {"✓"}
    assert table.locator("caption").inner_text().startswith("✓ get_forecast")


def test_words_of_two_replies_are_compared(page: Page, whole: str) -> None:
    page.goto(f"{whole}#run={RUNS[0].id}&beside={RUNS[2].id}")

    for _ in range(12):
        if page.locator("#detail .words").count():
            break
        page.locator("#list").press("j")

    assert page.locator("#detail .words").count()
    assert page.locator("#detail .words del, #detail .words ins").count()


def test_texts_beside_a_page_on_disk_are_loaded_when_they_are_looked_at(page: Page, split: Path) -> None:
    loaded: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))

    page.goto(split.as_uri() + PAIR)
    page.locator("#detail .answers").wait_for()

    assert [one for one in loaded if "leaderboard-data/0000-" in one]
    assert troubles == []
    assert (RUNS[0].samples[0].messages[0].content or "") in page.locator("#detail").inner_text()


def test_page_without_its_folder_says_what_is_missing(page: Page, split: Path, tmp_path: Path) -> None:
    alone = tmp_path / "leaderboard.html"
    shutil.copy(split, alone)

    page.goto(alone.as_uri() + PAIR)

    note = page.locator("#detail .note").first
    expect(note).to_contain_text("copy the folder leaderboard-data along with it")
    assert page.locator("#list .option").count() == len(RUNS[0].samples)
    assert page.locator("#flips button").first.inner_text().endswith("right → wrong")


def test_folder_works_from_a_static_server_too(page: Page, split: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(split.parent))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            page.goto(f"http://127.0.0.1:{server.server_port}/leaderboard.html{PAIR}")
            page.locator("#detail .answers").wait_for()
            answers = page.locator("#detail h4.run").count()
            page.goto("about:blank")
        finally:
            server.shutdown()
            thread.join()

    assert answers == 2


def test_search_goes_through_the_files_on_request(page: Page, split: Path) -> None:
    page.goto(split.as_uri() + f"#run={RUNS[0].id}")
    page.fill("#text", "Here is the call you need")
    before = page.locator("#list .option").count()

    page.locator("#search-state button").click()

    expect(page.locator("#search-state")).to_have_text("All texts of this run were searched.")
    wanted = sum("Here is the call you need" in (one.reply.content or "") for one in RUNS[0].attempts if one.reply)
    assert before == 0
    assert page.locator("#list .option").count() == wanted > 0


def test_markup_that_gets_into_a_page_with_files_still_cannot_load_a_script(page: Page, split: Path) -> None:
    injected = split.with_name("injected.html")
    text = split.read_text(encoding="utf-8")
    injected.write_text(
        text.replace("<main>", '<main><script>window.owned=1</script><img src=x onerror="window.owned=2">'
                     '<script src="other.js"></script>', 1), encoding="utf-8")  # fmt: skip
    split.with_name("other.js").write_text("window.owned = 3", encoding="utf-8")

    page.goto(injected.as_uri() + PAIR)
    page.locator("#detail .answers").wait_for()

    assert page.evaluate("window.owned") is None


def test_long_list_holds_a_part_of_its_lines_and_reaches_its_end(page: Page, tmp_path: Path) -> None:
    write_leaderboard([made_run(n=900)], tmp_path / "leaderboard.html")
    page.goto((tmp_path / "leaderboard.html").as_uri())

    page.locator("#list").press("End")
    last = chosen(page)
    drawn = page.locator("#list .option").count()
    page.locator("#list").evaluate("(list) => { list.scrollTop = list.scrollHeight / 2; }")
    page.wait_for_selector("#option-450")

    assert last.endswith("_899")
    assert drawn < 400
    assert page.locator("#option-450").get_attribute("aria-posinset") == "451"
