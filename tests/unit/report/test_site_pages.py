"""The site of all runs: what it lists, what it links to, what it leaves out, and when it is made anew."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness.compare.matrix import compare_matrix
from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareOptions, ReportOptions
from harness.records.compare import CompareMatrix, Comparison
from harness.report.group import groups_of
from harness.report.leaderboard import write_leaderboard
from harness.report.leaderboard_tables import leaderboard_tables
from harness.report.select import write_page as write_selection
from harness.report.site import finish_pages, write_site
from harness.report.site_links import explorer_runs, weave
from harness.report.site_read import read_results
from harness.report.tables import export_links, keep_tables
from harness.report.view import RunView
from harness.store.runfolder import SUMMARY, lock, write_record
from harness.store.runs import read_run
from tests.support.audits import audit_of, mixed
from tests.support.gates import gated, side
from tests.support.report_runs import four_runs, made_run
from tests.support.stored_runs import store

HOSTILE = "<script>document.title='owned'</script>\u202e<!--site--><!--data-->"


class _Links(HTMLParser):
    """Addresses that a page leads to or loads, and the names of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.links += [value for name in ("href", "src") if (value := given.get(name)) and tag != "use"]


def read(page: Path) -> _Links:
    found = _Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def dangling(reports: Path) -> list[str]:
    """Links of all pages that lead to nothing under `reports`, or out of it."""
    lost = []
    for page in reports.rglob("*.html"):
        found = read(page)
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            inside = target.is_relative_to(reports.resolve()) or target == page
            there = target.is_file() and (page != target or "=" in parts.fragment or not parts.fragment
                                          or parts.fragment in found.ids)  # fmt: skip
            if parts.scheme or parts.netloc or not inside or not there:
                lost.append(f"{page.relative_to(reports)}: {link}")
    return lost


def keep(results: Path, found: Comparison | CompareMatrix) -> None:
    folder = results / "compare" / found.name
    folder.mkdir(parents=True)
    write_record(folder / "compare.json", found)


def board(results: Path, reports: Path, options: ReportOptions) -> None:
    """The leaderboard as `do=report` leaves it."""
    views = []
    for folder in sorted((results / "run").iterdir()):
        if (folder / SUMMARY).is_file():
            run = read_run(folder)
            views.append(RunView(run.manifest, run.summary, run.samples, run.attempts, run.scores))
    kept = keep_tables(reports, "leaderboard", leaderboard_tables(groups_of(views)), options)
    write_leaderboard(views, reports / "leaderboard.html", samples=options.samples, exports=export_links(kept))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Four runs, a comparison, a matrix, a selection, an audit and a gate."""
    return filled(tmp_path / "results")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of these, only to be looked at."""
    return made(filled(tmp_path_factory.mktemp("site") / "results"))


def filled(place: Path) -> Path:
    entries = [entry_of(read_run(store(view, place))) for view in four_runs()]
    keep(place, compare_pair("2026-03-06_00-00-00-000001", entries[0], entries[1], CompareOptions()))
    keep(place, compare_matrix("2026-03-06_00-00-00-000002", entries, CompareOptions()))
    selection = mixed()
    for verb, name, record in (
        ("select", "selection.json", selection),
        ("audit", "audit.json", audit_of(selection)),
        ("gate", "gate.json", gated(side("old", [1] * 60), side("new", [1] * 60))),
    ):
        folder = place / verb / "2026-03-07_00-00-00-000001"
        folder.mkdir(parents=True)
        write_record(folder / name, record)
    return place


def made(results: Path, **options: object) -> Path:
    reports = results.parent / "reports"
    asked = ReportOptions.model_validate({"site": True} | options)
    board(results, reports, asked)
    write_site(results, reports, asked)
    return reports


def test_every_link_of_every_page_leads_somewhere_within_the_site(site: Path) -> None:
    assert dangling(site) == []
    assert (site / ".nojekyll").is_file()


def test_the_index_leads_to_every_run_gate_and_comparison(site: Path) -> None:
    links = set(read(site / "index.html").links)
    assert {f"runs/{view.id}.html" for view in four_runs()} <= links
    assert {"leaderboard.html", "select.html", "audit.html", "compare.html", "gates/2026-01-01.html"} <= links
    assert sum(link.startswith("compare/") for link in links) == 2


def test_pages_lead_to_each_other(site: Path) -> None:
    for page in (*site.glob("*.html"), *(site / "runs").glob("*.html")):
        root = "" if page.parent == site else "../"
        assert {f"{root}index.html", f"{root}leaderboard.html"} <= set(read(page).links)


def test_runs_without_an_end_are_listed_with_their_state(tmp_path: Path) -> None:
    place = tmp_path / "results"
    running, killed = (
        store(RunView.of(view.manifest.model_copy(update={"status": "running"}), view.summary), place)
        for view in four_runs()[:2]
    )
    damaged = store(made_run(started_at="2026-06-01T10:15:00Z"), place)
    (damaged / "summary.json").write_text("{}")
    for folder in (running, killed):
        (folder / SUMMARY).unlink()
    (killed / ".lock").touch()

    with lock(running):
        found = {one.id: one.status for one in read_results(place).runs}

    assert found == {running.name: "running", killed.name: "killed", damaged.name: "damaged"}


def test_a_site_of_damaged_runs_is_made_all_the_same_and_names_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "results"
    store(made_run(), place)
    damaged = store(made_run(started_at="2026-06-01T10:15:00Z"), place)
    (damaged / "manifest.json").write_text("{}")

    write_site(place, tmp_path / "reports", ReportOptions())

    index = (tmp_path / "reports" / "index.html").read_text()
    assert damaged.name in index
    assert str(tmp_path) not in index + (tmp_path / "reports" / "runs" / f"{damaged.name}.html").read_text()


def test_only_what_changed_is_made_anew(results: Path) -> None:
    reports = made(results)
    page = reports / "runs" / f"{four_runs()[0].id}.html"
    before = page.read_bytes()

    same = write_site(results, reports, ReportOptions())
    store(made_run(started_at="2026-06-01T10:15:00Z"), results)
    more = write_site(results, reports, ReportOptions())

    assert (same.rendered, more.rendered) == (0, 1)
    assert page.read_bytes() == before


def test_pages_of_runs_that_are_gone_go_too(results: Path) -> None:
    reports = made(results)
    gone = results / "run" / four_runs()[0].id
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()

    write_site(results, reports, ReportOptions())

    assert not (reports / "runs" / f"{gone.name}.html").exists()


def test_without_samples_no_prompt_or_reply_is_in_any_file(results: Path) -> None:
    shown, secret = made(results), "like over the next"
    told = [one for one in shown.rglob("*.*") if one.is_file() and secret.encode() in one.read_bytes()]
    assert told

    made(results, samples=False)

    assert [one for one in shown.rglob("*") if one.is_file() and secret.encode() in one.read_bytes()] == []
    assert dangling(shown) == []


def test_a_page_of_clusters_that_tells_calls_is_taken_out_of_a_site_without_samples(results: Path) -> None:
    reports = made(results)
    (reports / "clusters.html").write_text("<body>an example of a call</body>")

    bill = write_site(results, reports, ReportOptions(samples=False))

    assert bill.removed == ("clusters.html",)
    assert not (reports / "clusters.html").exists()


def test_a_comparison_that_is_no_longer_stored_is_taken_out_of_a_site_without_samples(results: Path) -> None:
    reports = made(results)
    shutil.rmtree(results / "compare")

    bill = write_site(results, reports, ReportOptions(samples=False))

    assert "compare.html" in bill.removed
    assert list((reports / "compare").iterdir()) == []


def test_no_folder_of_this_machine_is_in_the_site(site: Path) -> None:
    away = [str(site.parent), str(Path.home()), str(Path.cwd())]
    for file in site.rglob("*.*"):
        if file.is_file():
            assert not any(one.encode() in file.read_bytes() for one in away), file.name


def test_a_verb_leaves_its_page_linked_where_there_is_a_site_and_alone_where_not(results: Path) -> None:
    alone = results.parent / "alone"
    write_selection(mixed(), alone / "select.html")
    finish_pages(results, alone, ReportOptions())
    reports = made(results)

    write_selection(mixed(), reports / "select.html")
    finish_pages(results, reports, ReportOptions())

    assert "index.html" not in read(alone / "select.html").links
    assert "index.html" in read(reports / "select.html").links


def test_a_page_leads_to_its_tables(site: Path) -> None:
    links = set(read(site / "select.html").links)
    assert {"tables/select/verdicts.csv", "tables/select/verdicts.parquet", "tables/select/_columns.json"} <= links
    assert json.loads((site / "tables" / "select" / "verdicts.json").read_text())["rows"]


def test_texts_from_outside_cannot_stand_in_for_the_places_of_links(tmp_path: Path) -> None:
    place = tmp_path / "results"
    run = made_run(title=HOSTILE, change_reply=lambda text: HOSTILE + text)
    other = made_run(title=HOSTILE, protocol="constrained", skill=0.6, change_reply=lambda text: HOSTILE + text)
    a, b = (entry_of(read_run(store(one, place))) for one in (run, other))
    keep(place, compare_pair("2026-03-06_00-00-00-000001", a, b, CompareOptions()))

    reports = made(place)

    for page in reports.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>document" not in text, page.name
        assert text.count("<!--site-->") == 1, page.name
        assert "\u202e" not in text


def test_links_are_written_once_however_often_they_are_filled(site: Path) -> None:
    assert weave(site) == 0


def test_the_explorer_is_asked_for_runs_that_it_has(site: Path) -> None:
    ids = {view.id for view in four_runs()}

    assert ids <= explorer_runs(site)
    pair = next(one for one in (site / "compare").glob("*.html") if not one.name.startswith("matrix"))
    deep = [link for link in read(pair).links if "leaderboard.html#" in link]
    assert deep
    assert all(re.search(r"#run=.*&beside=.*&sample=", link) for link in deep)


def test_a_comparison_without_an_explorer_has_no_deep_links(results: Path) -> None:
    reports = results.parent / "reports"

    write_site(results, reports, ReportOptions())

    for page in (reports / "compare").glob("*.html"):
        assert not [link for link in read(page).links if "leaderboard.html#" in link]
