"""Numbers that name somebody, and numbers that look like them."""

import pytest

from harness.config.pii import PiiConfig
from harness.curate.pii.checks import card_valid, iban_valid, ip_valid, luhn_valid, ssn_valid
from harness.curate.pii.rules import rules_detector

DETECTOR = rules_detector(PiiConfig())


def kinds(text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.kind) for span in DETECTOR.find(text)]


def with_check_digit(digits: str) -> str:
    return next(digits + str(last) for last in range(10) if luhn_valid(digits + str(last)))


CARD = with_check_digit("4111222233334" + "44")


@pytest.mark.parametrize("between", ["", " ", "-"])
def test_card_is_found_in_any_grouping(between: str) -> None:
    card = between.join((CARD[:4], CARD[4:8], CARD[8:12], CARD[12:]))

    assert kinds(f"Charge {card} now") == [(card, "CREDIT_CARD")]


def test_number_that_fails_luhn_is_no_card() -> None:
    wrong = CARD[:-1] + str((int(CARD[-1]) + 1) % 10)

    assert not card_valid(wrong)
    assert kinds(f"Charge {wrong} now") == []
    assert not card_valid("0" * 16)


def test_iban_is_found_with_spaces_and_not_with_a_wrong_check() -> None:
    good = "GB82 WEST " + "1234 5698 7654 32"

    assert kinds(f"to {good}.") == [(good, "IBAN_CODE")]
    assert iban_valid(good)
    assert not iban_valid(good.replace("82", "83", 1))
    assert "IBAN_CODE" not in {kind for _, kind in kinds(f"to {good.replace('82', '83', 1)}.")}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("123-45-6789", True),
        ("000-12-3456", False),
        ("666-12-3456", False),
        ("912-12-3456", False),
        ("123-00-3456", False),
        ("123-45-0000", False),
    ],
)
def test_social_security_number_keeps_to_the_ranges_that_were_given_out(value: str, valid: bool) -> None:
    assert ssn_valid(value) is valid
    assert (("US_SSN") in {kind for _, kind in kinds(f"SSN {value}")}) is valid


@pytest.mark.parametrize(
    "phone",
    [
        "+1-984-182-0190",
        "+46 (0)8 928 571 38",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "415-555-2671x42",
        "+4915112345678",
        "0490 75 40 81",
    ],
)
def test_phone_that_shows_its_form_is_found_without_a_word(phone: str) -> None:
    assert kinds(f"ask {phone} today") == [(phone, "PHONE_NUMBER")]


@pytest.mark.parametrize(
    "phone", ["9472 7916", "60-56-85-91", "(37) 788-063", "03.93.92.16.85", "4155552671", "0378 3549890"]
)
def test_phone_of_any_country_is_found_by_the_word_before_it(phone: str) -> None:
    assert kinds(f"Please call me on {phone}.") == [(phone, "PHONE_NUMBER")]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4567 of 2024-05-16 14:00:00",
        "order #4155552671 and item 9523456873",
        "at 2024-05-16T14:00:00.123456Z",
        "range 1000000-2000000 of [1234567, 7654321]",
        "commit 1234567890abcdef",
        "0x1234567890 bytes",
        "1715870400 seconds",
        "3.14159265358979",
        "total 1,234,567.89",
        "uuid 12345678-1234-1234-1234-123456789012",
        "call f(1234567890123)",
    ],
)
def test_orders_times_and_figures_are_no_phones(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind in ("PHONE_NUMBER", "CREDIT_CARD", "US_SSN")] == []


@pytest.mark.parametrize("date", ["1984-03-05", "03/05/1984", "March 5, 1984", "5 March 1984", "5.3.1984"])
def test_date_is_a_birthday_only_beside_a_word_that_says_so(date: str) -> None:
    assert kinds(f"She was born on {date}.") == [(date, "DATE_OF_BIRTH")]
    assert kinds(f"(DOB: {date})") == [(date, "DATE_OF_BIRTH")]
    assert kinds(f"The flight leaves on {date}.") == []


def test_other_dates_are_found_when_they_are_asked_for() -> None:
    detector = rules_detector(PiiConfig(kinds=("all",)))
    text = "It leaves on 2024-05-16 11:34:35 sharp."

    assert [(text[s.start : s.end], s.kind) for s in detector.find(text)] == [("2024-05-16 11:34:35", "DATE_TIME")]


@pytest.mark.parametrize(
    ("text", "zip_code"),
    [
        ("my zip code is 92193", "92193"),
        ("Fort Worth, TX 76165, USA", "76165"),
        ("I live in San Diego, 92133.", "92133"),
        ("ZIP: 7412 SL", "7412 SL"),
        ("postal code: 53-320", "53-320"),
        ("Office in London SW1A 1AA now", "SW1A 1AA"),
        ("Ottawa K1A 0B1", "K1A 0B1"),
        ("the depot in Karlstad 65224 is", "65224"),
    ],
)
def test_zip_code_is_found_by_word_place_or_letters(text: str, zip_code: str) -> None:
    assert (zip_code, "ZIP_CODE") in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "unzip the file 12345",
        "error 40123 in line 76165",
        "HTTP 10024 of 76165 rows",
        "zip file of 3 parts",
        "in Section 1021",
        "from March 2021",
        "in Windows 10240",
    ],
)
def test_plain_numbers_are_no_zip_codes(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind == "ZIP_CODE"] == []


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Visa ending in 8023", "8023", "CARD_LAST4"),
        ("my driver's license number is F162823540116", "F162823540116", "US_DRIVER_LICENSE"),
        ("passport no. X1234567", "X1234567", "PASSPORT"),
        ("account number is 0012345678", "0012345678", "BANK_ACCOUNT"),
        ("he is a 38-year-old man", "38", "AGE"),
        ("at the age of 61 she", "61", "AGE"),
        ("tax id: 12-3456789", "12-3456789", "NATIONAL_ID"),
    ],
)
def test_number_is_named_by_the_words_around_it(text: str, value: str, kind: str) -> None:
    assert (value, kind) in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "the image 2023 ends",
        "page 61 of 99",
        "38 years of experience",
        "a license file of 2048 bytes",
        "passport photo 35x45",
    ],
)
def test_numbers_without_such_words_are_left(text: str) -> None:
    assert kinds(text) == []


def test_loopback_and_masks_are_nobodys_address() -> None:
    assert not ip_valid("127.0.0.1")
    assert not ip_valid("255.255.255.0")
    assert not ip_valid("1.2.3.400")
    assert ip_valid("10.1.2.3")
