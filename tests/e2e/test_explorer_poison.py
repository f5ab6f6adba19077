"""Every page made of hostile texts, in a real browser: nothing runs, nothing is asked for, nothing is broken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, sync_playwright

from tests.e2e.test_leaderboard_page import CHROMIUM, OPTIONS
from tests.support.poison import HIDDEN, POISONED_PAGES

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")

_TRAP = """
window.caught = [];
for (const name of ['alert', 'confirm', 'prompt', 'open', 'print', 'fetch'])
  window[name] = () => { window.caught.push(name); };
"""
# `d3` is the library of the pictures.
_FOUND = """() => {
  const attributes = [...document.querySelectorAll('*')].flatMap((node) => [...node.attributes]);
  const beside = document.createElement('iframe');
  document.body.append(beside);
  const usual = new Set([...Object.getOwnPropertyNames(beside.contentWindow), 'caught', 'd3']);
  beside.remove();
  return {
    caught: window.caught,
    owned: 'owned' in window,
    globals: Object.getOwnPropertyNames(window).filter((name) => !usual.has(name) && !/^([0-9]+$|__)/.test(name)),
    handlers: attributes.filter((one) => one.name.startsWith('on')).map((one) => one.name),
    addresses: attributes.filter((one) => ['href', 'src', 'action', 'srcdoc', 'xlink:href'].includes(one.name)
      && /^\\s*(javascript|data:(?!,)|https?):/i.test(one.value)).map((one) => one.value),
    foreign: document.querySelectorAll('iframe, object, embed, base, img[src=x], [action], [rel=stylesheet]').length,
    scripts: document.scripts.length,
    text: document.documentElement.outerHTML,
  };
}"""


@dataclass
class Watch:
    """What a page did that it should not have done."""

    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("poison")


def opened(browser: Browser, path: Path) -> tuple[Page, Watch]:
    """The page with a trap in it; all requests but for itself and the files beside it are refused."""
    page, watch = browser.new_page(viewport={"width": 1400, "height": 900}), Watch()
    allowed = (path.as_uri(), path.with_name(f"{path.stem}-data").as_uri())

    def gate(route: Route) -> None:
        if route.request.url.startswith(allowed):
            route.continue_()
        else:
            watch.requests.append(route.request.url)
            route.abort()

    def refuse(dialog: Dialog) -> None:
        watch.dialogs.append(dialog.message)
        dialog.dismiss()

    page.set_default_timeout(120_000)
    page.add_init_script(_TRAP)
    page.route("**/*", gate)
    page.on("console", lambda message: watch.troubles.append(message.text))
    page.on("pageerror", lambda error: watch.troubles.append(str(error)))
    page.on("dialog", refuse)
    page.on("popup", lambda popup: watch.requests.append(popup.url))
    page.goto(path.as_uri())
    return page, watch


def act(page: Page) -> None:
    """What a curious reader does: opens everything, looks at a few samples, two runs beside each other."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate("document.querySelectorAll('.open').forEach((one) => one.click())")
    if page.locator("#list").count():
        if page.locator("#beside option").count() > 1:
            page.select_option("#beside", index=1)
        for key in ("ArrowDown", "ArrowDown", "End", "Home"):
            page.locator("#list").press(key)
        page.locator("#detail h3").first.wait_for()
        page.evaluate("document.querySelectorAll('#detail details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize("name", sorted(POISONED_PAGES))
def test_nothing_hostile_runs_or_breaks_the_page(browser: Browser, folder: Path, name: str) -> None:
    page, watch = opened(browser, POISONED_PAGES[name](folder))
    try:
        act(page)
        widths = {}
        for width in (360, 900, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            widths[width] = page.evaluate("document.documentElement.scrollWidth")
        found = page.evaluate(_FOUND)
    finally:
        page.close()

    text = found.pop("text")
    assert watch == Watch()
    assert found.pop("scripts") <= 3
    assert found == {"caught": [], "owned": False, "globals": [], "handlers": [], "addresses": [], "foreign": 0}
    assert HIDDEN.search(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)) is None  # our own script aside
    assert "⟦U+202E⟧gnp.exe" in text
    assert widths == {360: 360, 900: 900, 1400: 1400}
