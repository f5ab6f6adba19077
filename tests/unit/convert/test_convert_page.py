"""The page of a conversion: whole without a network, from the ledger alone, with nothing from outside as markup."""

from pathlib import Path

import pytest

from harness.records.convert import Ledger
from harness.records.learning import LearningCurve, LearningPoint
from harness.report.convert import build_page, headline
from harness.report.formats import percent
from tests.support.conversions import Conversion


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Conversion.made(tmp_path_factory.mktemp("page")).ledger


def test_the_page_loads_nothing_from_elsewhere(ledger: Ledger) -> None:
    page = build_page(ledger)

    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<script" not in page


def test_the_headline_tells_before_after_and_whether_it_is_shown(ledger: Ledger) -> None:
    gate = ledger.gate
    assert gate is not None
    base, tuned = gate.row("base"), gate.row("tuned_grammar")
    assert base is not None
    assert tuned is not None

    said = headline(ledger)

    assert percent(base.accuracy or 0.0) in said
    assert said.endswith("is shown")


def test_every_row_every_link_and_the_curves_are_on_the_page(ledger: Ledger) -> None:
    page = build_page(ledger)

    assert all(row.title in page for row in (ledger.gate.rows if ledger.gate else ()))
    assert all(f"<b>{link.step}</b>" in page for link in ledger.links)
    assert page.count('class="card picture"') == 2


def test_a_learning_curve_is_drawn_where_there_is_one(ledger: Ledger) -> None:
    points = tuple(LearningPoint(n_rows=n, accuracy=n / 200) for n in (50, 100))
    curve = LearningCurve(
        name="shop", model_title="SmolLM2", suite="shop", suite_hash="0" * 64, split="test", made_at="2026-03-02",
        points=points,
    )  # fmt: skip

    page = build_page(ledger, curve)

    assert "Learning curve of shop" in page


def test_a_conversion_without_a_gate_says_so(ledger: Ledger) -> None:
    page = build_page(ledger.model_copy(update={"gate": None}))

    assert "not yet put to the gate" in page


def test_names_from_outside_are_no_markup(ledger: Ledger) -> None:
    page = build_page(ledger.model_copy(update={"name": "<img src=x>"}))

    assert "<img src=x>" not in page


def test_no_folder_of_this_machine_is_on_the_page(ledger: Ledger, tmp_path: Path) -> None:
    assert str(tmp_path.parent) not in build_page(ledger)
