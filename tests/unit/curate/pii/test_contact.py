"""Addresses on a network, addresses of streets, names and fields: with what only looks like them."""

import pytest

from harness.config.pii import PiiConfig
from harness.curate.pii.fields import field_kind
from harness.curate.pii.rules import rules_detector

DETECTOR = rules_detector(PiiConfig())


def kinds(text: str, field: str | None = None) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.kind) for span in DETECTOR.find(text, field)]


@pytest.mark.parametrize(
    "mail", ["ann.lee+x@mail.example.co.uk", "o'neil@example.org", "jörg@müller.de", "A_B%c@ex-ample.io"]
)
def test_mail_address_is_found_whole(mail: str) -> None:
    assert kinds(f"<{mail}>, and") == [(mail, "EMAIL_ADDRESS")]


@pytest.mark.parametrize(
    "text", ["git@github.com:a/b.git", "logo@2x.png", "@property", "a @ b", "user@host", "x@y..z", "pkg@1.2.3"]
)
def test_other_at_signs_are_no_mail(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind == "EMAIL_ADDRESS"] == []


@pytest.mark.parametrize(
    "address", ["106.31.73.20", "10.0.0.17", "2001:db8::8a2e:370:7334", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"]
)
def test_network_address_is_found(address: str) -> None:
    assert (address, "IP_ADDRESS") in kinds(f"from {address} port 80")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "v1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "version 10.0.19041.400",
        "12:30:45",
        "std::vector",
        "a::b::c",
        "01.02.03.04",
        "[::1]",
    ],
)
def test_versions_times_and_namespaces_are_no_network_addresses(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind == "IP_ADDRESS"] == []


def test_hardware_address_is_found_and_a_broadcast_is_not() -> None:
    assert kinds("at 3c:22:fb:9a:01:7e on") == [("3c:22:fb:9a:01:7e", "MAC_ADDRESS")]
    assert kinds("at ff:ff:ff:ff:ff:ff on") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("see https://www.UEarly.se/ now", "https://www.UEarly.se/"), ("on www.example.com.", "www.example.com")],
)
def test_web_address_is_found(text: str, value: str) -> None:
    assert kinds(text) == [(value, "DOMAIN_NAME")]


def test_name_in_a_home_folder_is_found_and_usual_ones_are_left() -> None:
    assert kinds("File /home/jdoe77/app.py") == [("jdoe77", "USER_ID")]
    assert kinds("File /home/ubuntu/app.py and /Users/runner/x") == []


@pytest.mark.parametrize(
    "street",
    [
        "445 Maple Drive",
        "619 Broadway",
        "12 North 5th Street",
        "0896 69 Farnell Street",
        "Hauptstraße 5",
        "Petőfi utca 12",
        "Rua do Ouro 12",
        "Villacher Strasse 89",
        "PSC 1437, Box 3833\nAPO AA 66791",
        "P.O. Box 221",
    ],
)
def test_street_is_found(street: str) -> None:
    found = [value for value, kind in kinds(f"Ship it to {street}") if kind == "STREET_ADDRESS"]

    assert found == [street]


def test_parts_behind_a_street_are_spans_of_their_own() -> None:
    text = "It goes to 445 Maple Drive, Suite 394, Fort Worth, TX 76165, USA."

    assert kinds(text) == [
        ("445 Maple Drive", "STREET_ADDRESS"),
        ("Suite 394", "STREET_ADDRESS"),
        ("Fort Worth", "LOCATION"),
        ("TX", "LOCATION"),
        ("76165", "ZIP_CODE"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "on 16 May 2024 at 10",
        "Python 3 and Windows 10",
        "see Figure 12 and Table 3",
        "run 3 Times 4",
        "5 Musicians Of The 70s",
    ],
)
def test_dates_and_numbered_things_are_no_streets(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind == "STREET_ADDRESS"] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Yusuf Gonzalez and", "Yusuf Gonzalez"),
        ("Dr. Kyle Kuefer called", "Kyle Kuefer"),
        ("Passengers: Aarav Ahmed, 2", "Aarav Ahmed"),
        ("Hi Emma, thanks", "Emma"),
        ("ask Maria van der Berg about", "Maria van der Berg"),
        ("my name is patricia desrosiers.", "patricia desrosiers"),
    ],
)
def test_name_is_found_by_title_announcement_or_list(text: str, name: str) -> None:
    assert (name, "PERSON") in kinds(text)


def test_family_name_is_found_again_where_it_stands_alone() -> None:
    text = "Maria Kovacs wrote. Kovacs paid."

    assert kinds(text) == [("Maria Kovacs", "PERSON"), ("Kovacs", "PERSON")]


@pytest.mark.parametrize(
    "text",
    [
        "May I ask? Will it rain? Mark it.",
        "Thank you for the Gift Card",
        "class Base(Model): pass",
        "import Django",
        "Hi There, Sorry Sir",
    ],
)
def test_everyday_words_with_capitals_are_no_names(text: str) -> None:
    assert [kind for _, kind in kinds(text) if kind == "PERSON"] == []


def test_user_id_made_of_names_is_found_and_other_ids_are_left() -> None:
    assert kinds("my user ID is james_taylor_7043.") == [("james_taylor_7043", "USER_ID")]
    assert kinds("use credit_card_7434610 and test_case_12") == []


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("zip", "ZIP_CODE"),
        ("user.address.zipCode", "ZIP_CODE"),
        ("passengers[0].first_name", "PERSON"),
        ("passengers.0.name", "PERSON"),
        ("headers.X-Api-Key", "API_KEY"),
        ("date_of_birth", "DATE_OF_BIRTH"),
        ("tool.name", None),
        ("name", None),
        ("zipped", None),
    ],
)
def test_field_name_tells_the_kind(field: str, kind: str | None) -> None:
    assert field_kind(field) == kind


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("zip", "92193", "ZIP_CODE"),
        ("first_name", "Xqwrta", "PERSON"),
        ("city", "Fort Worth", "LOCATION"),
        ("password", "hunter2", "PASSWORD"),
        ("customer_id", "C1001", "USER_ID"),
        ("last_four", "1167", "CARD_LAST4"),
        ("address2", "Suite 5", "STREET_ADDRESS"),
    ],
)
def test_value_without_context_is_found_by_its_field(field: str, value: str, kind: str) -> None:
    assert kinds(value, f"user.{field}") == [(value, kind)]
    assert (value, kind) in kinds(f'{{"{field}": "{value}"}}')
    assert (value, kind) in kinds(f"{{'{field}': '{value}'}}")
    assert (value, kind) in kinds(f'"{{\\"{field}\\": \\"{value}\\"}}"')


def test_name_within_a_person_is_found_and_a_tools_is_left() -> None:
    assert ("Zed Qux", "PERSON") in kinds('{"user": {"name": "Zed Qux"}}')
    assert kinds('{"tool": {"name": "Zed Qux"}}') == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("zip", "None"), ("email", "n/a"), ("first_name", "string"), ("token", "max"), ("age", "old"), ("city", "")],
)
def test_value_that_cannot_be_of_the_kind_is_left(field: str, value: str) -> None:
    assert kinds(value, field) == []
