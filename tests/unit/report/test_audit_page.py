"""The page and the words of an audit."""

import re
from functools import cache
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.audit import Audit
from harness.report.audit import build_page, write_page
from harness.report.audit_table import RULES, baseline_name, cell_text, headline, markdown_page, print_audit, spent
from tests.support.audits import audit_of, mixed
from tests.support.lanes import lane, questions, selected


@cache
def found() -> Audit:
    return audit_of(mixed(), {"shop": {"moves": 300, None: 100}})


def test_the_first_screen_says_what_moves_to_whom_and_what_it_saves() -> None:
    page = build_page(found())

    top = page.partition("<main>")[0]
    assert "of the calls can move from big to small today, which saves" in top
    assert "Can move today" in top
    assert "that no cluster moves wrongly, at a margin of 5 points" in top
    assert "do not fit into the context of 8,192 tokens" in top
    assert "gone was not asked: nothing listens there" in top


def test_every_cluster_has_a_cell_for_every_model_that_leads_to_its_answers() -> None:
    page = build_page(found())

    cells = re.findall(r'<td class="cell (\w+)">', page)
    assert len(cells) == 2 * len(found().clusters)
    assert {"pass", "fail", "need_more"} == set(cells)
    assert 'href="leaderboard.html#run=small&amp;category=stays"' in page
    for line in found().clusters:
        assert RULES[line.next] in page


def test_the_page_needs_no_network_and_no_script() -> None:
    page = build_page(found())

    assert not re.search(r"""(?:src|href)=["'](?:https?:|//)""", page)
    assert "<script" not in page
    assert not re.search(r"\bnan\b", page.lower())
    assert "None" not in page


def test_names_from_outside_are_escaped() -> None:
    asked = questions(60, "<b>x</b>\u202e|")
    selection = selected(lane("big", asked), [lane("<img src=q>", asked, cost=0.1)], asked)
    made = audit_of(selection, {"<i>agent</i>": {"<b>x</b>\u202e|": 60}}, logs=("<u>log",))

    page, text = build_page(made), markdown_page(made)

    for bad in ("<img", "<b>x", "<i>agent", "<u>log", "\u202e"):
        assert bad not in page
    assert "<b>x" not in text
    assert "x&lt;/b>\u202e\\|" in text


def test_nothing_that_moves_is_no_success() -> None:
    asked = questions(12, "few")
    made = audit_of(selected(lane("big", asked), [lane("small", asked, cost=0.1)], asked))

    page = build_page(made)

    assert headline(made) == "Nothing is shown to be able to move from big yet: 1 of 1 cluster need more samples."
    assert "nobody yet" in page
    assert "No cluster has enough samples for a verdict" in page.partition("<main>")[0]


def test_calls_that_fit_nowhere_come_first() -> None:
    asked = questions(12, "few")
    made = audit_of(selected(lane("big", asked), [lane("small", asked, cost=0.1)], asked))
    (run, gone) = made.runs
    assert run.overflow is not None
    long = run.model_copy(update={"overflow": run.overflow.model_copy(update={"n": 9, "traffic_frac": 0.75})})

    said = headline(made.model_copy(update={"runs": (long, gone)}))

    assert said.startswith("75\u202f% of the calls do not fit into the model's context. Nothing is shown")
    assert headline(made).startswith("Nothing is shown")


def test_a_cost_that_nobody_knows_is_a_dash_and_saves_nothing() -> None:
    asked = questions(300, "moves")
    made = audit_of(selected(lane("big", asked, cost=None), [lane("small", asked, cost=None)], asked))

    assert spent(made, "usd") is None
    assert "saves" not in headline(made)
    assert "not known: a cost was not recorded or measured" in build_page(made)


def test_money_that_is_lost_is_not_said_to_be_saved() -> None:
    asked = questions(300, "moves")
    dearer = selected(lane("big", asked, cost=1.0), [lane("small", asked, cost=2.0)], asked, stats={"cost_ratio": None})

    said = headline(audit_of(dearer))

    assert said.endswith("which costs 100\u202f% more.")


def test_the_markdown_has_every_cluster_and_every_command() -> None:
    text = markdown_page(found())

    assert all(one.name in text for one in found().clusters)
    assert found().command in text
    assert "python -m harness do=curate" in text


def test_the_terminal_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_audit(found())

    said = " ".join(capsys.readouterr().out.split())
    assert " ".join(headline(found()).split()) in said
    assert "passes 100" in said


def test_a_cell_says_what_is_missing_for_a_verdict() -> None:
    (few,) = (one for one in found().clusters if one.cluster == "few")

    assert re.match(r"open 100\u202f%, ≈ [\d,]+ more$", cell_text(few.cells[0]))


def test_the_baseline_of_a_log_is_named_by_its_model() -> None:
    asked = questions(12, "few")
    log = lane("big", asked, title="incumbent (big-1)", model="big-1")

    assert baseline_name(selected(log, [lane("small", asked)], asked)) == "big-1"


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataError, match="cannot be written"):
        write_page(found(), tmp_path / "file" / "audit.html")
