"""Values that a reader sees and a plain pattern does not: odd forms of letters, no width, two lines, columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.pii import PiiConfig
from harness.curate.pii.rules import rules_detector
from harness.curate.pii.shadow import plain_value, shadow
from harness.curate.pii.spans import Span

DETECTOR = rules_detector(PiiConfig(remember=0))
WIDE = {ord(char): ord(char) + 0xFEE0 for char in map(chr, range(0x21, 0x7F))}


def found(text: str) -> dict[str, str]:
    return {text[span.start : span.end]: span.kind for span in DETECTOR.find(text)}


@pytest.mark.parametrize(
    ("value", "kind", "before"),
    [
        ("ann.lee@example.org", "EMAIL_ADDRESS", "mail "),
        ("4242 4242 4242 4242", "CREDIT_CARD", "card "),
        ("078-05-1120", "US_SSN", "ssn "),
        ("+49 30 901820", "PHONE_NUMBER", "call "),
        ("GB82 WEST 1234 5698 7654 32", "IBAN_CODE", ""),
        ("sk-proj-Ab3dE5gH7jK9mN1pQ3sT5vW7", "API_KEY", ""),
    ],
)
class TestOddForms:
    def test_full_width_value_is_found_whole(self, value: str, kind: str, before: str) -> None:
        wide = value.translate(WIDE)

        assert found(f"{before}{wide} and so on").get(wide) == kind

    @pytest.mark.parametrize("nothing", ["\u200b", "\u00ad", "\u2060", "\ufeff"])
    def test_value_with_characters_of_no_width_is_found_with_them(
        self, value: str, kind: str, before: str, nothing: str
    ) -> None:
        hidden = nothing.join(value)

        assert found(f"{before}{hidden} and so on").get(hidden) == kind


def test_digits_of_other_scripts_are_digits() -> None:
    assert found("card ٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢") == {"٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢": "CREDIT_CARD"}


def test_minus_signs_and_narrow_blanks_group_as_plain_ones() -> None:
    assert found("ssn 078−05−1120, card 4242\u202f4242\u202f4242\u202f4242") == {
        "078−05−1120": "US_SSN",
        "4242\u202f4242\u202f4242\u202f4242": "CREDIT_CARD",
    }


def test_letter_with_its_accent_apart_is_one_letter() -> None:
    assert found("My name is Jose\u0301 Garci\u0301a.") == {"Jose\u0301 Garci\u0301a": "PERSON"}


def test_field_tells_a_full_width_value() -> None:
    assert [span.kind for span in DETECTOR.find("９２１９３", field="zip")] == ["ZIP_CODE"]


def test_power_and_trade_mark_stay_what_they_are() -> None:
    assert shadow("120 m² of Acme™") is None


@given(st.text("ab4２@.\u200b\u00ad\u0301e ﬁ①", max_size=40))
def test_every_character_of_the_shadow_has_its_place_in_the_text(text: str) -> None:
    shade = shadow(text)
    if shade is None:
        return

    spans = [shade.span(Span(place, place + 1, "AGE", 1.0, "")) for place in range(len(shade.text))]

    assert [span.start for span in spans] == sorted(span.start for span in spans)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    for char, span in zip(shade.text, spans, strict=True):
        assert char in plain_value(text[span.start : span.end], "AGE")


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("write to ann.lee@\nexample.org today", "ann.lee@\nexample.org", "EMAIL_ADDRESS"),
        ("write to ann.lee\n@example.org today", "ann.lee\n@example.org", "EMAIL_ADDRESS"),
        ("write to ann.lee@exam\nple.org today", "ann.lee@exam\nple.org", "EMAIL_ADDRESS"),
        ("write to ann.lee@example.\n  org today", "ann.lee@example.\n  org", "EMAIL_ADDRESS"),
        ("write to ann_\nlee@example.org today", "ann_\nlee@example.org", "EMAIL_ADDRESS"),
        ("my card is 4242 4242\n4242 4242, thanks", "4242 4242\n4242 4242", "CREDIT_CARD"),
        ("my card is 42424242\r\n42424242, thanks", "42424242\r\n42424242", "CREDIT_CARD"),
        ("the ssn is 078-05-\n1120.", "078-05-\n1120", "US_SSN"),
        ("please call me at 415-555-\n0199.", "415-555-\n0199", "PHONE_NUMBER"),
        ("please call me at (415)\n555-0199.", "(415)\n555-0199", "PHONE_NUMBER"),
        ("pay to GB82 WEST 1234\n5698 7654 32 now", "GB82 WEST 1234\n5698 7654 32", "IBAN_CODE"),
        (
            "use sk-proj-Ab3dE5gH7jK9mN1pQ3s\nT5vW7xY9zB2cD4f to log in",
            "sk-proj-Ab3dE5gH7jK9mN1pQ3s\nT5vW7xY9zB2cD4f",
            "API_KEY",
        ),
        ("It was written by Margaret\nThompson, who left.", "Margaret\nThompson", "PERSON"),
        ("Margaret\nThompson left.", "Margaret\nThompson", "PERSON"),
    ],
)
def test_value_over_two_lines_is_found_whole(text: str, value: str, kind: str) -> None:
    assert found(text).get(value) == kind


def test_wrapped_token_is_found_over_all_its_lines() -> None:
    head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    body = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
    token = f"{head}.{body}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    wrapped = "\n".join(token[start : start + 40] for start in range(0, len(token), 40))

    assert found(f"Authorization:\n{wrapped}\n") == {wrapped: "JWT"}


@pytest.mark.parametrize(
    "text",
    [
        "mail ann@example.org\nThanks for it",
        "ann@example.org\nbob@example.org\ncarl@example.org",
        "key sk-proj-Ab3dE5gH7jK9mN1pQ3sT5vW7\nThanks",
        "sk-proj-Ab3dE5gH7jK9mN1pQ3sT5vW7\nsk-proj-Zb3dE5gH7jK9mN1pQ3sT5vW8\n",
        "key sk-proj-Ab3dE5gH7jK9mN1pQ3sT5vW7\nconfiguration_of_the_server",
        "It is done.\nann@example.org",
        "mail ann@example.org.\nThen wait",
        "call +1 415 555 0199\n2 tickets",
        "call 415-555-0199\n3 tickets",
        "42424242\n42424242\n10203040\n",
        "Grace\nMode is on",
    ],
)
def test_lines_that_end_a_value_are_not_joined(text: str) -> None:
    assert not [value for value in found(text) if "\n" in value]


def test_header_of_a_csv_tells_what_its_columns_hold() -> None:
    text = 'id,name,zip,plan\n7,mia li,92193,gold\n8,"Ödegaard, Jo",10115,iron\n'

    assert found(text) == {
        "mia li": "PERSON",
        "92193": "ZIP_CODE",
        "Ödegaard, Jo": "PERSON",
        "10115": "ZIP_CODE",
    }


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_header_with_another_mark_tells_as_well(mark: str) -> None:
    rows = [["user_id", "last_name", "city", "total"], ["mk77", "Quux", "Springfield", "12.50"]]

    assert found("\n".join(mark.join(row) for row in rows)) == {
        "mk77": "USER_ID",
        "Quux": "PERSON",
        "Springfield": "LOCATION",
    }


def test_table_of_markdown_is_read_by_its_header() -> None:
    text = "Here they are:\n\n| First name | Zip code | Seats |\n|---|---|---|\n| Zork | 92193 | 4 |\n\nDone, Zork."

    assert found(text)["92193"] == "ZIP_CODE"
    assert found(text)["Zork"] == "PERSON"


def test_list_in_prose_is_no_header() -> None:
    text = "We need name, phone, and city\nso that 12, 13, and 14\ncan be booked, paid, and sent."

    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Kennwort: Tr0ub4dor", "Tr0ub4dor", "PASSWORD"),
        ("Das Passwort lautet hunter22x.", "hunter22x", "PASSWORD"),
        ("Mein Passwort: Sommer2024!", "Sommer2024!", "PASSWORD"),
        ("mot de passe : Tr0ub4dor", "Tr0ub4dor", "PASSWORD"),
        ("La contraseña es hunter22x.", "hunter22x", "PASSWORD"),
        ("parola d'ordine: Tr0ub4dor", "Tr0ub4dor", "PASSWORD"),
        ("A senha é hunter22x.", "hunter22x", "PASSWORD"),
        ("wachtwoord: Tr0ub4dor", "Tr0ub4dor", "PASSWORD"),
        ("Telefon: 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("Mon numéro de téléphone est 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("teléfono 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("cellulare: 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("telemóvel 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("mijn telefoonnummer is 5550 1234", "5550 1234", "PHONE_NUMBER"),
        ("geboren am 03.04.1985", "03.04.1985", "DATE_OF_BIRTH"),
        ("né le 03/04/1985", "03/04/1985", "DATE_OF_BIRTH"),
        ("fecha de nacimiento: 03/04/1985", "03/04/1985", "DATE_OF_BIRTH"),
        ("data di nascita 03/04/1985", "03/04/1985", "DATE_OF_BIRTH"),
        ("data de nascimento: 03/04/1985", "03/04/1985", "DATE_OF_BIRTH"),
        ("geboortedatum: 03-04-1985", "03-04-1985", "DATE_OF_BIRTH"),
        ("Reisepass C01X00T47", "C01X00T47", "PASSPORT"),
        ("passeport 12AB34567", "12AB34567", "PASSPORT"),
        ("número de pasaporte AB1234567", "AB1234567", "PASSPORT"),
        ("Kontonummer: 1234567890", "1234567890", "BANK_ACCOUNT"),
        ("numéro de compte : 12345678901", "12345678901", "BANK_ACCOUNT"),
        ("Steuer-ID: 12345678903", "12345678903", "NATIONAL_ID"),
        ("codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S", "NATIONAL_ID"),
        ("code postal 75011", "75011", "ZIP_CODE"),
        ("Postleitzahl: 10115", "10115", "ZIP_CODE"),
        ("Mein Name ist Zorka Quux.", "Zorka Quux", "PERSON"),
        ("Je m'appelle Zorka Quux.", "Zorka Quux", "PERSON"),
        ("Me llamo Zorka Quux.", "Zorka Quux", "PERSON"),
        ("Mi chiamo Zorka Quux.", "Zorka Quux", "PERSON"),
        ("Meu nome é Zorka Quux.", "Zorka Quux", "PERSON"),
        ("Ik heet Zorka Quux.", "Zorka Quux", "PERSON"),
    ],
)
def test_words_of_other_languages_tell(text: str, value: str, kind: str) -> None:
    assert found(text).get(value) == kind


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("vorname", "Zorka", "PERSON"),
        ("Téléphone", "5550 1234", "PHONE_NUMBER"),
        ("código_postal", "08001", "ZIP_CODE"),
        ("contraseña", "hunter22x", "PASSWORD"),
        ("data_di_nascita", "03/04/1985", "DATE_OF_BIRTH"),
        ("endereço", "rua qualquer", "STREET_ADDRESS"),
        ("woonplaats", "Utrecht", "LOCATION"),
    ],
)
def test_field_names_of_other_languages_tell(field: str, value: str, kind: str) -> None:
    assert [span.kind for span in DETECTOR.find(value, field=field)] == [kind]
