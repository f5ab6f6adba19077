"""One surrogate for each value: same form, same parts, never two the same."""

import random
import re
import string
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.curate.pii.checks import iban_valid, luhn_valid, ssn_valid
from harness.curate.pseudonyms import Pseudonyms, pseudonym_key
from harness.curate.surrogates.order import SecretOrder
from harness.errors import ConfigError

KEY = b"k" * 32


@pytest.fixture(name="names")
def _names() -> Pseudonyms:
    return Pseudonyms(KEY)


@given(st.integers(2, 5000), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_secret_order_is_one_ring_of_all_numbers(n: int, seed: int) -> None:
    order = SecretOrder(bytes([seed]) * 32, "test")

    after = [order.after(number, n) for number in range(n)]

    assert sorted(after) == list(range(n))
    assert all(number != other for number, other in enumerate(after))


def test_an_order_among_valid_numbers_stays_among_them() -> None:
    order = SecretOrder(KEY, "even")

    after = [order.after(number, 1000, lambda one: one % 2 == 0) for number in range(0, 1000, 2)]

    assert sorted(after) == list(range(0, 1000, 2))


def test_a_name_keeps_case_and_parts(names: Pseudonyms) -> None:
    full = names.of("PERSON", "Yusuf Gonzalez")

    first, last = full.split()
    assert "Yusuf" not in full
    assert "Gonzalez" not in full
    assert names.of("PERSON", "YUSUF GONZALEZ") == full.upper()
    assert names.of("PERSON", "Yusuf") == first
    assert names.of("USER_ID", "yusuf_gonzalez_8900").startswith(f"{first}_{last}_".lower())
    assert names.of("EMAIL_ADDRESS", "yusuf.gonzalez2399@example.com").startswith(f"{first}.{last}".lower())


def test_an_email_address_stays_one(names: Pseudonyms) -> None:
    address = names.of("EMAIL_ADDRESS", "j.miller@acme-rockets.co.uk")

    assert re.fullmatch(r"[a-z]\.[a-z]+@[a-z]+-[a-z]+\.co\.uk", address)
    assert "acme" not in address


@pytest.mark.parametrize("card", ["4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005"])
def test_a_card_passes_luhn_in_its_own_grouping(names: Pseudonyms, card: str) -> None:
    other = names.of("CREDIT_CARD", card)

    assert other != card
    assert re.sub(r"\d", "0", other) == re.sub(r"\d", "0", card)
    assert other[0] == card[0]
    assert luhn_valid(re.sub(r"\D", "", other))
    assert names.of("CARD_LAST4", card[-4:]) == other[-4:]


def test_an_account_passes_its_check_in_its_country(names: Pseudonyms) -> None:
    account = "GB82 WEST 1234 5698 7654 32"

    other = names.of("IBAN_CODE", account)

    assert iban_valid(other)
    assert other.startswith("GB")
    assert [len(part) for part in other.split()] == [len(part) for part in account.split()]
    assert names.of("IBAN_CODE", account.replace(" ", "")) == other.replace(" ", "")


def test_a_social_security_number_could_have_been_given_out(names: Pseudonyms) -> None:
    other = names.of("US_SSN", "078-05-1120")

    assert re.fullmatch(r"\d{3}-\d{2}-\d{4}", other)
    assert ssn_valid(other)


def test_a_phone_is_the_same_number_with_and_without_its_country(names: Pseudonyms) -> None:
    long, short = names.of("PHONE_NUMBER", "+1 (212) 555-1234"), names.of("PHONE_NUMBER", "212-555-1234")

    assert re.sub(r"\D", "", long) == "1" + re.sub(r"\D", "", short)
    assert re.fullmatch(r"\+1 \(\d{3}\) \d{3}-\d{4}", long)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("1985-06-15", r"198\d-\d\d-\d\d"),
        ("06/15/1985", r"\d\d/\d\d/198\d"),
        ("June 15th, 1985", r"[A-Z][a-z]+ \d\d(st|nd|rd|th), 198\d"),
        ("15 Jun 1985", r"\d\d [A-Z][a-z]{2} 198\d"),
    ],
)
def test_a_date_of_birth_keeps_notation_and_decade(names: Pseudonyms, written: str, form: str) -> None:
    other = names.of("DATE_OF_BIRTH", written)

    assert re.fullmatch(form, other)
    assert other != written


def test_a_date_is_the_same_day_in_every_notation(names: Pseudonyms) -> None:
    day = date.fromisoformat(names.of("DATE_OF_BIRTH", "1985-06-15"))

    assert names.of("DATE_OF_BIRTH", "06/15/1985") == f"{day:%m/%d/%Y}"


def test_addresses_of_machines_are_those_of_documentation(names: Pseudonyms) -> None:
    others = {names.of("IP_ADDRESS", f"10.0.{place // 250}.{place % 250 + 1}") for place in range(700)}

    nets = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    assert len(others) == 700
    assert all(any(ip_address(one) in net for net in nets) for one in others)
    assert ip_address(names.of("IP_ADDRESS", "fe80::1")) in ip_network("2001:db8::/32")


def test_a_key_keeps_prefix_and_length_and_is_visibly_dead(names: Pseudonyms) -> None:
    key = "-".join(("sk", "proj", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU"))

    other = names.of("API_KEY", key)

    assert other.startswith("sk-proj-REDACTED")
    assert len(other) == len(key)
    assert names.of("API_KEY", other) == other


def test_a_private_key_keeps_its_frame_and_lines(names: Pseudonyms) -> None:
    body = "\n".join("".join(random.Random(line).choices(string.ascii_letters, k=64)) for line in range(3))
    frame = ("-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----")

    other = names.of("PRIVATE_KEY", f"{frame[0]}\n{body}\n{frame[1]}")

    assert other.startswith(f"{frame[0]}\nREDACTED")
    assert other.endswith(frame[1])
    assert not any(line in other for line in body.splitlines())


def test_states_and_titles_stay(names: Pseudonyms) -> None:
    assert names.of("TITLE", "Dr.") == "Dr."
    assert names.of("LOCATION", "CA") == "CA"
    assert names.of("LOCATION", "Springfield, CA").endswith(", CA")


def _values(kind: str, count: int) -> list[str]:
    chance = random.Random(kind)
    digits = "".join
    make = {
        "PERSON": lambda: f"{_word(chance)} {_word(chance)}".title(),
        "EMAIL_ADDRESS": lambda: f"{_word(chance)}{chance.randrange(99)}@{_word(chance)}.com",
        "USER_ID": lambda: f"{_word(chance)}_{chance.randrange(10**4)}",
        "US_SSN": lambda: f"{chance.randrange(100, 600)}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}",
        "PHONE_NUMBER": lambda: (
            f"+1{chance.randrange(200, 999)}{chance.randrange(200, 999)}{chance.randrange(1000, 9999)}"
        ),
        "ZIP_CODE": lambda: f"{chance.randrange(10**5):05d}",
        "DATE_OF_BIRTH": lambda: date.fromordinal(chance.randrange(700_000, 735_000)).isoformat(),
        "PASSWORD": lambda: digits(chance.choices(string.ascii_lowercase + string.digits, k=6)),
        "API_KEY": lambda: "ghp_" + digits(chance.choices(string.ascii_letters + string.digits, k=36)),
        "STREET_ADDRESS": lambda: f"{chance.randrange(1, 9999)} {_word(chance).title()} Street",
        "PASSPORT": lambda: f"{chance.choice('ABC')}{chance.randrange(10**6, 10**7)}",
        "MAC_ADDRESS": lambda: ":".join(f"{chance.randrange(256):02x}" for _ in range(6)),
        "AGE": lambda: str(chance.randrange(10, 100)),
    }
    return sorted({make[kind]() for _ in range(count)})


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=chance.randrange(2, 8)))


@pytest.mark.parametrize(
    "kind",
    [
        "PERSON",
        "EMAIL_ADDRESS",
        "USER_ID",
        "US_SSN",
        "PHONE_NUMBER",
        "ZIP_CODE",
        "DATE_OF_BIRTH",
        "PASSWORD",
        "API_KEY",
        "STREET_ADDRESS",
        "PASSPORT",
        "MAC_ADDRESS",
        "AGE",
    ],
)
@pytest.mark.parametrize("scope", ["project", "session"])
def test_two_values_never_have_one_surrogate_and_none_its_own(kind: str, scope: str) -> None:
    values = _values(kind, 400)
    names = Pseudonyms(KEY, "session" if scope == "session" else "project")

    others = [names.of(kind, value, "s1") for value in values]

    assert len(set(others)) == len(values)
    assert not [value for value, other in zip(values, others, strict=True) if value == other]


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_has_a_surrogate_of_every_kind(text: str) -> None:
    names = Pseudonyms(KEY)

    for kind in (
        "PERSON",
        "EMAIL_ADDRESS",
        "CREDIT_CARD",
        "IBAN_CODE",
        "DATE_OF_BIRTH",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "OWN_ID",
    ):
        assert names.of(kind, text) == names.of(kind, text)


def test_a_session_has_surrogates_of_its_own_and_a_project_has_not() -> None:
    session, project = Pseudonyms(KEY, "session"), Pseudonyms(KEY, "project")

    assert session.of("PERSON", "Mia Li", "a") != session.of("PERSON", "Mia Li", "b")
    assert project.of("PERSON", "Mia Li", "a") == project.of("PERSON", "Mia Li", "b")


def test_the_key_decides_and_a_second_run_gives_the_same() -> None:
    assert Pseudonyms(KEY).of("PERSON", "Mia Li") == Pseudonyms(KEY).of("PERSON", "Mia Li")
    assert Pseudonyms(KEY).of("ZIP_CODE", "91455") != Pseudonyms(b"o" * 32).of("ZIP_CODE", "91455")


def test_the_projects_own_key_is_made_once_outside_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("HARNESS_PSEUDONYM_KEY", raising=False)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    assert pseudonym_key() == pseudonym_key()

    (made,) = (tmp_path / "state").rglob("*.key")
    assert made.stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "project").iterdir())


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("x" * 44)
    file.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        pseudonym_key(file=str(file))


def test_a_restore_map_is_closed_and_lies_outside_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    with pytest.raises(ConfigError, match="lies in the project"):
        Pseudonyms(KEY, restore_map=Path("map.jsonl"))
    names = Pseudonyms(KEY, restore_map=tmp_path / "map.jsonl")
    other = names.of("PERSON", "Mia Li")
    names.close()

    assert other in (tmp_path / "map.jsonl").read_text()
    assert (tmp_path / "map.jsonl").stat().st_mode & 0o777 == 0o600


def test_public_sites_stay_and_others_are_made_up(names: Pseudonyms) -> None:
    page, other = (
        "https://docs.python.org/3/library/os.html#files",
        "https://wiki.acme-rockets.com/users/mkowalczyk?page=7",
    )

    assert names.of("DOMAIN_NAME", page) == page
    assert re.fullmatch(r"https://[a-z]+\.[a-z]+-[a-z]+\.com/users/[a-z]+\?page=\d", names.of("DOMAIN_NAME", other))
    assert "acme" not in names.of("DOMAIN_NAME", other)


def test_a_restore_map_is_encrypted_with_the_key_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    secret = bytes(range(32))
    names = Pseudonyms(KEY, restore_map=tmp_path / "map.parquet", restore_key=secret)
    other = names.of("PERSON", "Mia Li")

    names.close()

    data = (tmp_path / "map.parquet").read_bytes()
    read = pq.read_table(pa.BufferReader(data), decryption_properties=pe.create_decryption_properties(secret))
    assert read.to_pylist() == [{"kind": "PERSON", "surrogate": other, "value": "Mia Li"}]
    assert b"Mia" not in data
    assert data[:4] == b"PARE"
    assert (tmp_path / "map.parquet").stat().st_mode & 0o777 == 0o600
