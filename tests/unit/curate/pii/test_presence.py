"""One reading of a text says which patterns can be in it; what it rules out must never have been there."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.pii import PiiConfig
from harness.curate.pii import rules
from harness.curate.pii.addresses import ADDRESS_GATES
from harness.curate.pii.fields import FIELD_GATES
from harness.curate.pii.loosened import loosened, misread
from harness.curate.pii.names import NAME_GATES
from harness.curate.pii.numbers import NUMBER_GATES
from harness.curate.pii.presence import Gate, Presence
from harness.curate.pii.recognizer import gate_of, prepare, recognize
from harness.curate.pii.zips import ZIP_GATES

PATTERNS = (
    r"(?<!a)b{2,3}(?=a)",
    r"a(?=b)[a-b]B",
    r"(?<=a)b+|^1$",
    r"(?P<one>a|b)\s(?P=one)",
    r"[^A]\d{1,2}(?!b)",
    r"(?i:a[^b]é|K1)",
    r"\W\w\D\S.",
    r"(?>a+)b|a*+1",
    r"[é-ü]b|é",
    r"\bb?a{13}\b|ab{14,20}a",
    r"a(?:b|)(?:1(?= )|_)",
)
LETTERS = "aAbB1 ?_\néüЖ٣\u212a\u017fkK"
TEXTS = (
    "sk-ant-" + "aB3x" * 8 + " and ghp_" + "a1B2" * 9 + ", AKIAIOSFODNN7EXAMPLE; xoxb-1234567890-abc",
    "token=abcd1234efgh5678 password: hunter2!x Authorization: Bearer abcd1234efgh5678",
    "mail ann@example.org or ann (at) example (dot) org from 10.1.2.3, fe80::1ff:fe23:4567:890a, 00:1A:2b:3C:4d:5E",
    "https://user:pw12345@example.org/x?sig=abcd1234efgh5678 and www.example.org in /home/annlee/x",
    "card 4242 4242 4242 4242, SSN 078-05-1120, IBAN GB82WEST12345698765432, call +49 30 1234567 or (415) 555-2671",
    "born 12.03.1980, passport C01234567, driver license D1234567, account number 12345678, ending in 4242",
    "My zip code is 92193. He lives at 12 Oak Street, Apt. 4, Springfield, IL 62704; P.O. Box 77; from Aarhus 8000",
    "Hauptstraße 5, rue de la Paix 12, 12 rue de la Paix, PSC 12, Box 34 APO AE 09012, London SW1A 1AA, aged 45",
    "Dear Mary-Ann O'Neil, my name is john smith. Mr. Jean Dupont is 52 years old; ann_lee42, JOHN SMITH called",
    '{"zipCode": "92193", "user": {"name": "Ann Lee"}, "téléphone": "555 1234 567"} <zip>92193</zip>',
    "the corner of Mill Lane and High Street, tax id: 12-3456789, NIF: 12345678Z, age: 37, ****4242 visa",
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("small", [False, True], ids=["as-written", "small-letters"])
@settings(max_examples=30, deadline=None)
@given(text=st.text(LETTERS, max_size=24) | st.from_regex(r"[ab]?a{12,15}b{0,16}[ab1 é]?", fullmatch=True))
def test_what_a_pattern_finds_its_loosened_form_finds(pattern: str, small: bool, text: str) -> None:
    there = re.search(pattern, text.lower() if small else text) is not None

    possible = re.search(loosened(pattern, small=small).encode(), text.encode("ascii", "replace")) is not None

    assert possible or not there or misread(text)


def test_every_letter_that_is_an_ascii_letter_in_another_case_is_known() -> None:
    beyond = [chr(code) for code in range(128, sys.maxunicode + 1)]

    folded = {char for char in beyond if re.match("[a-z]", char, re.IGNORECASE) or any(map(str.isascii, char.lower()))}

    assert {char for char in beyond if misread(char)} == folded


def test_no_recognizer_finds_anything_where_its_gate_is_not() -> None:
    found = [
        (one, raw)
        for one in rules.builtin_recognizers()
        for raw in TEXTS
        if any(True for _ in recognize(one, prepare(raw)))
    ]

    missing = [(one.name, raw) for one, raw in found if not _in(gate_of(one), raw)]

    assert missing == []
    assert len({one.name for one, _ in found}) >= 25


@pytest.mark.parametrize(
    "gate",
    [*ADDRESS_GATES.items(), *FIELD_GATES.items(), *NAME_GATES.items(), *NUMBER_GATES.items(), *ZIP_GATES.items()],
    ids=lambda item: item[0],
)
def test_each_finders_gate_is_in_what_it_finds_and_not_in_plain_prose(gate: tuple[str, Gate]) -> None:
    prose = "The agent reads the file, runs the tests and writes down what it has seen so far."

    assert any(_in(gate[1], raw) for raw in TEXTS)
    assert not _in(gate[1], prose)


def test_a_text_with_odd_letters_opens_every_gate() -> None:
    presence = Presence({"mark": Gate("[0-9]")})

    assert presence("\u212aelvin") is None


def test_without_the_automaton_every_gate_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)

    presence = Presence({"digit": Gate("[0-8]")})

    assert presence("no digit") is None


def test_the_automaton_tells_the_gates_that_are_there() -> None:
    pytest.importorskip("re2", reason="needs the package google-re2")
    presence = Presence({"digit": Gate("[0-9]"), "word": Gate("ann", small=True)}, {"mark": Gate("é")})

    seen = [set(presence(text) or ()) for text in ("Ann", "4", "no", "Ann é 4", "")]

    assert seen == [{"word"}, {"digit"}, set(), {"word", "mark", "digit"}, set()]


def test_the_rules_find_the_same_with_and_without_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("re2", reason="needs the package google-re2")
    everything = PiiConfig(kinds=("all",))
    gated = [rules.rules_detector(everything).find(raw) for raw in TEXTS]
    monkeypatch.setattr(Presence, "__call__", lambda *_: None)

    found = [rules.rules_detector(everything).find(raw) for raw in TEXTS]

    assert gated == found
    assert sum(map(len, found)) >= 50


def _in(gate: Gate, raw: str) -> bool:
    loose = loosened(re.compile(gate.pattern, gate.flags), small=gate.small)
    return re.search(loose.encode(), raw.encode("ascii", "replace")) is not None
