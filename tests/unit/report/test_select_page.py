"""The page and the tables of a selection."""

import re
from functools import cache
from html import escape
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.decision import Plan, Selection
from harness.report.links import explorer_link
from harness.report.select import build_page, write_page
from harness.report.select_figures import bars_of, fronts_of
from harness.report.select_table import headline, markdown_page, price_text, print_selection
from tests.support.lanes import lane, questions, selected


@cache
def mixed() -> Selection:
    """A cluster of each verdict: replace, hybrid, keep, need more."""
    asked = [*questions(300, "moves"), *questions(300, "hands"), *questions(300, "stays"), *questions(9, "few")]
    signals = dict.fromkeys(range(300, 340), "unreadable")
    wrong = [*range(300, 340), *range(600, 800)]
    slm = lane("slm", asked, wrong, cost=0.1, seconds=0.5, signals=signals)
    return selected(lane("llm", asked, seconds=2.0), [slm, lane("other", asked, range(900), cost=0.2)], asked)


def test_every_verdict_stands_on_the_page_with_its_evidence() -> None:
    found = mixed()

    page = build_page(found)

    assert {one.cluster: one.verdict for one in found.decisions} == {
        "moves": "replace", "hands": "hybrid", "stays": "keep", "few": "need-n-more",
    }  # fmt: skip
    for name in ("replace", "hybrid", "keep", "need-n-more"):
        assert f'class="tag {name}"' in page
    assert page.count("<summary>Evidence</summary>") == 4
    assert "0 lost and 0 gained of 300" in page
    assert "unreadable 40" in page
    assert "Belcak et al. 2025" in page
    assert "one for all" not in page  # one deployment takes all that moves


def test_the_page_needs_no_network_and_no_script() -> None:
    page = build_page(mixed())

    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "<script" not in page
    assert "nan" not in page.lower()


def test_a_verdict_leads_to_the_replies_of_the_runs_that_the_explorer_has() -> None:
    found = mixed()
    run = found.variants[-1].run

    page = build_page(found, frozenset({run}))

    links = set(re.findall(r'href="(leaderboard\.html#[^"]+)"', page))
    assert links == {
        escape(explorer_link("leaderboard.html", run=run, category=one.cluster))
        for one in found.decisions
        for each in one.evidence
        if found.variant(each.variant).run == run
    }
    assert links


def test_names_from_outside_are_escaped() -> None:
    asked = questions(60, "<b>x</b>\u202e")

    page = build_page(selected(lane("llm", asked), [lane("<img src=q>", asked, cost=0.1)], asked))

    assert "<img" not in page
    assert "<b>x" not in page
    assert "\u202e" not in page


def test_the_headline_claims_no_more_than_the_verdicts() -> None:
    asked = questions(10)
    bad = questions(200)

    undecided = selected(lane("llm", asked), [lane("slm", asked, cost=0.1)], asked)
    kept = selected(lane("llm", bad), [lane("slm", bad, range(200), cost=0.1)], bad)

    assert headline(undecided) == "Nothing is shown to be able to move from llm yet: 1 of 1 cluster need more samples."
    assert headline(kept) == "Every call stays with llm: in none of 1 cluster will a variant do."
    assert headline(mixed()).startswith("33 % of the calls can move from llm, 62 % with hybrids; of 4 clusters 2 move")


def test_the_picture_of_shares_adds_up_and_has_its_interval() -> None:
    bars = bars_of(mixed())

    assert [bar.unit for bar in bars] == ["Calls", "Tokens", "USD", "Seconds"]
    for bar in bars:
        assert sum(part.width for part in bar.parts) == pytest.approx(100)
        assert bar.low < bar.high


def test_the_picture_of_the_front_has_every_variant_at_both_widths() -> None:
    found = mixed()

    fronts = fronts_of(found)

    assert [title for title, _ in fronts] == ["Accuracy against cost", "Accuracy against time"]
    for _, plots in fronts:
        assert [plot.size for plot in plots] == ["wide", "narrow"]
        assert all(len(plot.dots) == len(found.variants) for plot in plots)


def test_the_tables_say_the_same_in_the_terminal_and_in_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    found = mixed()

    print_selection(found)
    shown, written = capsys.readouterr().out, markdown_page(found)

    for text in (shown, written):
        assert "need ≈" in text
        assert "replace" in text
        assert headline(found)[:40] in " ".join(text.split())
    assert "- **stays**: keep" in written
    assert "60 % (Belcak" in written


def test_a_record_read_back_makes_the_same_page() -> None:
    found = mixed()

    again = Selection.model_validate_json(found.model_dump_json())

    assert build_page(again) == build_page(found)


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")

    with pytest.raises(DataError, match=r"paths\.reports"):
        write_page(mixed(), tmp_path / "reports" / "select.html")


@pytest.mark.parametrize(
    ("calls", "dearer", "said"),
    [
        (None, None, ""),
        (0.25, 60.0, "25.0 % of the calls, $60.0 per 1,000"),
        (0.25, -60.0, "25.0 % of the calls, $60.0 less per 1,000"),
        (-0.1, None, "10.0 % of the calls more move"),
    ],
)
def test_what_a_plan_gives_away_has_no_minus(calls: float | None, dearer: float | None, said: str) -> None:
    plan = Plan(
        name="best 2", deployments=(), assignment={}, exact=True, calls_moved=0.5, cost_usd_per_1k=None,
        price_calls=calls, price_usd_per_1k=dearer,
    )  # fmt: skip

    assert price_text(plan) == said


def test_tables_spell_out_what_cannot_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    asked = questions(60, "a\u202eb\nc\x1b[31m")
    found = selected(
        lane("llm\u202e", asked), [lane("slm\u2066", asked, cost=0.1, label="slm\u2066\n## x")], asked
    )  # fmt: skip

    print_selection(found)

    for text in (capsys.readouterr().out, markdown_page(found)):
        assert not set(text) & set("\u202e\u2066\x1b")
        assert "⟦U+202E⟧" in text
        assert not re.search("^## x", text, re.MULTILINE)
