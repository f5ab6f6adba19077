"""The leaderboard in a real browser, as a reader uses it. Skipped where no Chromium is installed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from harness.report import RunView, write_leaderboard
from tests.support.report_families import agent_run, answer_run, code_run, every_family, instruct_run
from tests.support.report_runs import four_runs, made_run

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")


@dataclass
class Watch:
    """What a page did that it should not have done."""

    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(four_runs(), tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with a suite of every kind."""
    return written(every_family(), tmp_path_factory.mktemp("families"))


def written(runs: list[RunView], folder: Path) -> str:
    path = folder / "leaderboard.html"
    write_leaderboard(runs, path)
    return path.as_uri()


class Open(Protocol):
    """Opens an address, with every request but its own file refused and written down."""

    def __call__(
        self, address: str, *, scheme: Literal["light", "dark"] = "light", scripts: bool = True
    ) -> tuple[Page, Watch]: ...


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    contexts = []

    def opened(address: str, *, scheme: Literal["light", "dark"] = "light", scripts: bool = True) -> tuple[Page, Watch]:
        context = browser.new_context(
            viewport={"width": 1400, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page, watch = context.new_page(), Watch()

        def gate(route: Route) -> None:
            if route.request.url.split("#")[0] == address.split("#")[0]:
                route.continue_()
            else:
                watch.requests.append(route.request.url)
                route.abort()

        page.route("**/*", gate)
        page.on("console", lambda message: watch.troubles.append(message.text))
        page.on("pageerror", lambda error: watch.troubles.append(str(error)))
        page.goto(address)
        return page, watch

    yield opened
    for context in contexts:
        context.close()


def column(page: Page, key: str) -> list[str]:
    return page.locator(f".board tbody:not([hidden]) tr:first-child .c-{key}").all_inner_texts()


def test_page_opens_without_a_request_or_a_complaint(open_page: Open, board: str) -> None:
    page, watch = open_page(board)

    page.locator("#theme").click()
    page.locator(".open").first.click()

    assert watch == Watch()
    assert page.locator("h1").inner_text().startswith(("Highest: ", "Best: "))


def test_page_of_every_family_opens_without_a_request_or_a_complaint(open_page: Open, families: str) -> None:
    page, watch = open_page(families)

    for option in page.locator("#run option").all():
        page.select_option("#run", option.get_attribute("value") or "")
        page.locator("#list").focus()
        page.keyboard.press("ArrowDown")

    assert watch == Watch()
    assert page.locator("#run optgroup").count() == 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["board", "families"])
def test_body_never_scrolls_sideways(
    open_page: Open, request: pytest.FixtureRequest, which: str, scheme: Literal["light", "dark"]
) -> None:
    page, _ = open_page(request.getfixturevalue(which), scheme=scheme)
    page.evaluate("document.querySelectorAll('.open').forEach((button) => button.click())")
    page.select_option("#beside", index=1)

    for width in (360, 560, 900, 1400):
        page.set_viewport_size({"width": width, "height": 900})

        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_sort_turns_around_and_says_so(open_page: Open, board: str) -> None:
    page, _ = open_page(board)
    head = page.locator("th[data-key=ttft_p50]")

    head.locator("button").click()
    ascending = column(page, "ttft_p50")
    head.locator("button").press("Enter")

    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "ttft_p50") == list(reversed(ascending))
    assert page.locator("#said").inner_text() == "Sorted by TTFT p50, descending"
    assert page.locator("[aria-sort]").count() == 1


def test_cells_without_a_value_sort_last_either_way(open_page: Open, tmp_path: Path) -> None:
    runs = [made_run(), made_run("other", "Other", usd_per_s=None), made_run("third", "Third", base_s=3.0)]
    page, _ = open_page(written(runs, tmp_path))
    button = page.locator("th[data-key=cost] button")

    button.click()
    first = column(page, "cost")
    button.click()
    second = column(page, "cost")

    assert first[-1].startswith("–")
    assert second[-1].startswith("–")
    assert first[:2] == list(reversed(second[:2]))


def test_filters_hide_rows_and_survive_a_reload(open_page: Open, board: str) -> None:
    page, _ = open_page(board)

    page.fill("#find", "gemma")
    page.uncheck("input[name=protocol][value=prompted]")
    page.reload()

    assert column(page, "protocol") == ["constrained"]
    assert page.locator("#shown").inner_text() == "1 of 4 runs"
    page.fill("#find", "nothing has this name")
    assert page.locator(".empty").is_visible()


def test_older_runs_show_on_request(open_page: Open, tmp_path: Path) -> None:
    runs = [made_run(started_at="2026-01-01T00:00:00Z"), made_run(started_at="2026-02-01T00:00:00Z")]
    page, _ = open_page(written(runs, tmp_path))
    before = column(page, "date")

    page.check("#older")

    assert before == ["2026-02-01"]
    assert sorted(column(page, "date")) == ["2026-01-01", "2026-02-01"]


def test_deep_link_opens_its_sample_beside_another_run(open_page: Open, board: str) -> None:
    runs = four_runs()
    link = f"#run={runs[0].id}&sample=multiple_3&beside={runs[1].id}"

    page, watch = open_page(board + link)

    assert page.locator("#detail h3").first.inner_text() == "multiple_3"
    assert page.locator("#detail h4.run").all_inner_texts() == [
        "A · SmolLM2-135M-Instruct, prompted, Q4_1",
        "B · SmolLM2-135M-Instruct, constrained, Q4_1",
    ]
    assert page.locator("#samples").bounding_box() is not None
    assert page.evaluate("scrollY") > 500
    assert watch == Watch()


def test_sample_shows_prompt_tools_target_reply_and_reason(open_page: Open, board: str) -> None:
    run = four_runs()[0]
    place = next(place for place, score in enumerate(run.scores) if score.miss == "decode")
    sample, reply = run.samples[place], run.attempts[place].reply

    page, _ = open_page(f"{board}#run={run.id}&sample={sample.id}")

    detail = page.locator("#detail").inner_text()
    assert reply
    assert reply.content
    assert (sample.messages[0].content or "") in detail
    assert sample.tools[0].description in detail
    assert sample.tool_target.calls[0].name in detail
    assert reply.content in detail
    assert run.scores[place].why in detail
    assert "to first token" in (page.locator("#detail .times").get_attribute("aria-label") or "")


def test_arrow_keys_walk_the_list_and_the_address_follows(open_page: Open, board: str) -> None:
    page, _ = open_page(board)

    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")

    chosen = page.locator("#list [aria-selected=true] .id").text_content()
    assert chosen == page.locator("#detail h3").first.inner_text() == "simple_java_1"
    assert "sample=simple_java_1" in page.evaluate("location.hash")
    page.keyboard.press("End")
    assert page.locator("#list [aria-selected=true] .id").text_content() == "simple_python_39"


def test_part_of_a_bar_leads_to_its_samples(open_page: Open, board: str) -> None:
    run = four_runs()[0]
    missed = sum(score.miss == "decode" for score in run.scores)
    page, _ = open_page(board)

    page.locator(f'.bars a[href="#run={run.id}&miss=decode"]').click()

    page.wait_for_function("document.getElementById('miss').value === 'decode'")
    assert page.locator("#list .option").count() == missed
    assert page.input_value("#run") == run.id


def test_list_can_be_cut_down_to_the_flips(open_page: Open, board: str) -> None:
    runs = four_runs()
    values = [{score.sample: score.value for score in run.scores} for run in runs[:2]]
    flips = sum(values[0][sample] != values[1][sample] for sample in values[0])
    page, _ = open_page(f"{board}#run={runs[0].id}&beside={runs[1].id}")

    page.select_option("#result", "differs")

    assert page.locator("#list .option").count() == flips > 0


def test_tip_comes_with_the_keyboard_and_goes_with_escape(open_page: Open, board: str) -> None:
    page, _ = open_page(board)

    page.locator("th[data-key=abstention] button").focus()
    shown = page.locator("#tip").inner_text()
    page.keyboard.press("Escape")

    assert shown.startswith("Of the samples that want no call")
    assert page.locator("#tip").is_hidden()


def test_hostile_reply_is_text(open_page: Open, tmp_path: Path) -> None:
    run = made_run(title=f"Model {HOSTILE}", change_reply=lambda text: HOSTILE + text)

    page, watch = open_page(written([run], tmp_path))

    assert "owned" not in page.title()
    assert page.locator("img").count() == 0
    assert "<img src=x" in page.locator("#detail").inner_text()
    assert "⟦U+202E⟧" in page.locator("#detail .ctl").all_inner_texts()
    assert watch == Watch()


def test_page_works_without_scripts_for_table_and_pictures(open_page: Open, board: str) -> None:
    page, _ = open_page(board, scripts=False)

    assert page.locator(".board tbody").count() == 4
    assert page.locator("svg.plot.wide").first.is_visible()
    assert page.locator("tr.more").first.is_visible()
    assert page.locator("#samples").is_hidden()


@pytest.mark.parametrize("which", ["board", "families"])
def test_every_text_has_contrast_in_both_themes(open_page: Open, request: pytest.FixtureRequest, which: str) -> None:
    address = request.getfixturevalue(which)
    script = """() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgba = (css) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = (c) => c.slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (node) => {
        for (; node; node = node.parentElement) {
          const c = rgba(getComputedStyle(node).backgroundColor);
          if (c[3] === 255) return c;
        }
        return rgba('white');
      };
      const bad = new Set();
      for (const node of document.querySelectorAll('body *:not(svg *)')) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!own || !node.checkVisibility() || node.closest('button:disabled, .unseen, script, style')) continue;
        const a = light(rgba(getComputedStyle(node).color)), b = light(ground(node));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
      }
      return [...bad];
    }"""

    for scheme in ("light", "dark"):
        page, _ = open_page(address + (f"#run={agent_run().id}" if which == "families" else ""), scheme=scheme)
        page.locator(".open").nth(2).click()

        assert page.evaluate(script) == []


def test_each_control_has_a_name(open_page: Open, board: str) -> None:
    page, _ = open_page(board)

    tree = page.locator("body").aria_snapshot()

    nameless = re.findall(r"^\s*- (button|link|textbox|searchbox|combobox|checkbox|listbox)(?: \[.*\])?:?$", tree, re.M)
    assert nameless == []


def test_page_without_runs_is_a_message(open_page: Open, tmp_path: Path) -> None:
    page, watch = open_page(written([], tmp_path))

    assert page.locator("h1").inner_text() == "No finished run yet."
    assert watch == Watch()


def test_index_leads_to_each_suite(open_page: Open, families: str) -> None:
    page, _ = open_page(families)

    links = page.locator(".index a")
    targets = [link.get_attribute("href") or "" for link in links.all()]

    assert len(targets) == 7
    assert [page.locator(target).locator("h2").inner_text() for target in targets] == links.all_inner_texts()


def test_sorting_keeps_unranked_runs_below_the_line(open_page: Open, families: str) -> None:
    page, _ = open_page(families)
    board = page.locator(".board", has=page.locator("[data-apart]"))

    board.locator("th[data-key=accuracy] button").click()
    board.locator("th[data-key=ttft_p50] button").click()

    kinds = board.locator("tbody").evaluate_all(
        "(rows) => rows.map((row) => ['data-older', 'data-apart', 'data-divide'].findIndex((n) => row.hasAttribute(n)))"
    )
    assert kinds == [-1, -1, -1, 2, 1, 1]
    reasons = board.locator("tbody[data-apart] .why-apart").all_inner_texts()
    assert any("chat template drops the tools" in reason for reason in reasons)


def test_sort_of_a_later_table_survives_a_reload(open_page: Open, families: str) -> None:
    page, _ = open_page(families)
    second = page.locator(".board").nth(1)
    second.locator("th[data-key=e2e_p50] button").click()
    chosen = second.locator("tbody[data-run] .open").all_inner_texts()

    page.reload()

    assert second.locator("th[data-key=e2e_p50]").get_attribute("aria-sort") == "ascending"
    assert second.locator("tbody[data-run] .open").all_inner_texts() == chosen


def test_agent_is_shown_step_by_step(open_page: Open, families: str) -> None:
    run = agent_run()
    place = next(place for place, attempt in enumerate(run.attempts) if attempt.feedback_at is not None)
    attempt = run.attempts[place]

    page, _ = open_page(f"{families}#run={run.id}&sample={attempt.sample}&trial={attempt.trial or ''}")

    detail = page.locator("#detail").inner_text()
    assert page.locator(".step").count() == len(attempt.steps)
    assert "timed out on purpose" in detail
    assert "could not be read, and the model was told: expected a JSON list of calls" in detail
    assert "The checker says what is wrong; one more try." in detail
    assert "no such folder: archive" in detail
    assert "step 1: reply" in (page.locator("#detail .times").get_attribute("aria-label") or "")


def test_program_and_tests_stand_in_monospaced_blocks(open_page: Open, families: str) -> None:
    run = code_run(skill=0.3)
    place = next(place for place, score in enumerate(run.scores) if score.value == 1)

    page, _ = open_page(f"{families}#run={run.id}&sample={run.samples[place].id}")

    blocks = page.locator("#detail pre.code").all_inner_texts()
    assert any(text.startswith("assert ") for text in blocks)
    assert any("return sorted(values)" in text for text in blocks)
    assert page.locator("#detail .verdict").inner_text().endswith("passes")


def test_instructions_are_ticked_one_by_one(open_page: Open, families: str) -> None:
    run = instruct_run()
    score = next(score for score in run.scores if len(dict(score.extracted)["strict"]) == 3)  # type: ignore[arg-type]

    page, _ = open_page(f"{families}#run={run.id}&sample={score.sample}")

    signs = [text[0] for text in page.locator("#detail .followed li").all_inner_texts()]
    strict = dict(score.extracted)["strict"]  # type: ignore[arg-type]
    assert [sign == "✓" for sign in signs] == strict
    assert page.locator("#detail .instructions li").count() == 3


def test_accepted_answer_and_judge_are_shown(open_page: Open, families: str) -> None:
    run = answer_run(skill=0.4)

    page, _ = open_page(f"{families}#run={run.id}&sample=desk_3")

    detail = page.locator("#detail").inner_text()
    assert "Polite, says that it is late" in detail
    assert "qwen2.5-7b-instruct" in detail
    assert "verdict in" in detail
