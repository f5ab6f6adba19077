"""Kinds told by the name of the field that a value stands in: `"zip": "92193"` has no other context."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from harness.curate.pii.checks import entropy_bits, looks_random
from harness.curate.pii.places import words
from harness.curate.pii.presence import Gate
from harness.curate.pii.recognizer import Text
from harness.curate.pii.secrets import is_placeholder
from harness.curate.pii.spans import Span
from harness.curate.pii.tongues import FIELDS_ABROAD

__all__ = ["FIELD_GATES", "field_kind", "field_name", "find_in_pairs", "value_span"]

_BY_NAME: dict[str, str] = {
    name: kind
    for kind, names in {
        "PERSON": "first_name last_name given_name family_name middle_name "
        "full_name surname forename firstname lastname fullname "
        "maiden_name nickname display_name customer_name "
        "user_full_name passenger_name contact_name account_holder "
        "cardholder "
        "cardholder_name card_holder holder_name beneficiary_name "
        "recipient_name sender_name employee_name patient_name "
        "author_name billing_name shipping_name legal_name real_name person_name guest_name owner_name",
        "ZIP_CODE": "zip zip_code zipcode postal_code postalcode postcode post_code plz",
        "STREET_ADDRESS": "street street_address street1 street2 street_name "
        "address1 address2 address_1 address_2 address_line1 "
        "address_line2 "
        "address_line_1 address_line_2 address_line line1 "
        "line2 addr addr1 addr2 home_address mailing_address "
        "shipping_address billing_address "
        "house_number address full_address delivery_address residence",
        "LOCATION": "city town city_name hometown locality birth_place birthplace place_of_birth residence_city county",
        "DATE_OF_BIRTH": "dob date_of_birth birth_date birthdate birthday birth_day dateofbirth",
        "EMAIL_ADDRESS": "email e_mail mail email_address mail_address user_email contact_email",
        "PHONE_NUMBER": "phone phone_number phonenumber mobile mobile_number "
        "mobile_phone cell cell_phone cellphone telephone "
        "tel fax fax_number "
        "home_phone work_phone contact_number msisdn caller_id phone_no",
        "US_SSN": "ssn social_security social_security_number ss_number",
        "PASSPORT": "passport passport_number passport_no passport_id",
        "US_DRIVER_LICENSE": "driver_license drivers_license driver_licence drivers_licence "
        "driving_licence license_number licence_number dl_number "
        "driver_license_number drivers_license_number",
        "NATIONAL_ID": "national_id tax_id taxpayer_id ein tin vat_number "
        "cpf cnpj nino aadhaar pan_number identity_number "
        "id_card id_number "
        "personal_number health_insurance_number medicare_number mrn medical_record_number",
        "USER_ID": "user_id userid username user_name login login_name "
        "screen_name customer_id client_id_number member_id "
        "account_id handle "
        "user_login employee_id patient_id driver_id guest_id subscriber_id end_user end_user_id",
        "CREDIT_CARD": "card_number cardnumber credit_card credit_card_number cc_number pan card_no debit_card_number",
        "CARD_LAST4": "last_four last4 last_4 card_last4 card_last_four last_four_digits last_digits",
        "IBAN_CODE": "iban iban_code",
        "BANK_ACCOUNT": "account_number bank_account bank_account_number "
        "routing_number sort_code acct_number bic swift",
        "IP_ADDRESS": "ip ip_address ipaddress client_ip remote_addr remote_ip host_ip source_ip x_forwarded_for",
        "AGE": "age age_years",
        "ORGANIZATION": "company company_name employer organization organisation organization_name",
        "NRP": "nationality religion ethnicity citizenship race political_affiliation",
        "PASSWORD": "password passwd pwd passphrase pass_phrase passcode "
        "pin pin_code cvv cvc cvv2 security_code security_answer "
        "otp one_time_password "
        "user_password db_password",
        "API_KEY": "api_key apikey access_token refresh_token id_token "
        "auth_token token bearer_token authorization x_api_key "
        "secret secret_key client_secret "
        "private_token session_token session_key access_key "
        "api_token api_secret webhook_secret signing_secret "
        "cookie set_cookie "
        "proxy_authorization x_auth_token csrf_token xsrf_token sas_token subscription_key",
        "AWS_SECRET_KEY": "aws_secret_access_key secret_access_key secretaccesskey",
        "PRIVATE_KEY": "private_key privatekey ssh_key ssh_private_key",
    }.items()
    for name in names.split()
} | {name: kind for kind, names in FIELDS_ABROAD.items() for name in names}
_SQUASHED = {name.replace("_", ""): kind for name, kind in _BY_NAME.items()}
_PERSONS = frozenset(
    words(
        "user customer passenger passengers client patient employee "
        "person contact member guest driver owner holder author "
        "recipient sender "
        "beneficiary cardholder traveler traveller subscriber "
        "applicant profile saved_passengers users customers employees "
        "contacts "
        "kunde mitarbeiter fahrgast utilisateur voyageur salarie usuario cliente persona pasajero paciente empleado "
        "utente passeggero dipendente passageiro funcionario klant gebruiker reiziger medewerker"
    )
)
_GENERIC = frozenset(("name", "nom", "nombre", "nome", "naam"))
"""A name of anything: of a person under a person."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^a-z0-9]+")
_INDEX = re.compile(r"\[\d*\]|(?<=\.)\d+(?=\.|$)")
_PERSON_VALUE = re.compile(r"[^\W\d_][^\d_@/\\{}<>=;:]{1,60}")
_SHAPES = {
    "DATE_OF_BIRTH": re.compile(r"\S.*\d"),
    "PHONE_NUMBER": re.compile(r"[+(]?\d[\d .()/\-x]{4,24}"),
    "ZIP_CODE": re.compile(r"(?=.*\d)[A-Za-z\d][A-Za-z\d \-]{1,9}"),
    "CARD_LAST4": re.compile(r"\d{4}"),
    "US_SSN": re.compile(r"[\dxX*]{3}[ \-]?[\dxX*]{2}[ \-]?\d{4}"),
    "EMAIL_ADDRESS": re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}"),
    "IP_ADDRESS": re.compile(r"[0-9a-fA-F.:]{3,45}"),
    "AGE": re.compile(r"\d{1,3}"),
    "CREDIT_CARD": re.compile(r"[\d*xX][\d*xX \-]{7,22}\d"),
    "IBAN_CODE": re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z\d \-]{8,36}"),
    "BANK_ACCOUNT": re.compile(r"[A-Z\d][A-Z\d\- ]{4,24}"),
    "PASSPORT": re.compile(r"(?=.*\d)[A-Za-z\d]{5,12}"),
    "US_DRIVER_LICENSE": re.compile(r"(?=.*\d)[A-Za-z\d\- ]{4,20}"),
    "NATIONAL_ID": re.compile(r"(?=.*\d)[A-Za-z\d.\-/ ]{4,24}"),
    "USER_ID": re.compile(r"(?=.*[^\W_])[^\s{}<>\"']{2,80}"),
    "STREET_ADDRESS": re.compile(r"(?=.*[^\W_])[^{}<>=@]{1,160}"),
    "LOCATION": re.compile(r"[^\W\d_][^\d{}<>=@;:\"]{1,60}"),
    "ORGANIZATION": re.compile(r"[^\W_][^{}<>=@\"]{1,80}"),
    "NRP": re.compile(r"[^\W\d_][^\d{}<>=@\"]{2,40}"),
    "PERSON": _PERSON_VALUE,
}
_NOTHING = frozenset(
    words(
        "none null nil n/a na unknown true false undefined string "
        "str int integer number object array boolean tbd test "
        "yes no - all any"
    )
)


@lru_cache(maxsize=8192)
def field_kind(field: str) -> str | None:
    """The kind that a field of this name or key path holds; None: the name does not tell.

    Case, `camelCase`, dashes and list places do not count; of a path the last key does, and `name` under a person.
    >>> field_kind("user.address.zipCode"), field_kind("passengers.0.name"), field_kind("tool.name")
    ('ZIP_CODE', 'PERSON', None)
    """
    keys = [key for key in _INDEX.sub("", field).split(".") if key and not key.isdigit()]
    if not keys:
        return None
    last = _plain(keys[-1])
    if last in _GENERIC:
        return "PERSON" if len(keys) > 1 and _plain(keys[-2]) in _PERSONS else None
    return _BY_NAME.get(last) or _SQUASHED.get(last)


def field_name(field: str) -> str:
    """The last key of a path in small letters with underscores: `order.orderId` is `order_id`."""
    keys = [key for key in _INDEX.sub("", field).split(".") if key and not key.isdigit()]
    return _plain(keys[-1]) if keys else ""


def _plain(key: str) -> str:
    if not key.isascii():  # `Téléphone`, `Straße`
        key = _ACCENTS.sub("", unicodedata.normalize("NFKD", key.replace("ß", "ss")))
    return _SPLIT.sub("_", _CAMEL.sub("_", key).lower()).strip("_")


_ACCENTS = re.compile(r"[\u0300-\u036f]+")


def value_span(raw: str, start: int, end: int, kind: str) -> Span | None:
    """The value between two places as a span of the kind its field tells, if it can be one of that kind."""
    value = raw[start:end].strip()
    start += len(raw[start:end]) - len(raw[start:end].lstrip())
    if not value or value.lower() in _NOTHING:
        return None
    if kind in _SECRET:
        scheme = _SCHEME.match(value)
        if scheme is not None:
            start, value = start + scheme.end(), value[scheme.end() :]
        fits = _secret(value, kind)
    else:
        fits = _SHAPES[kind].fullmatch(value) is not None and (kind != "PERSON" or _named(value))
    return Span(start, start + len(value), kind, 0.85, "field") if fits else None


_SCHEME = re.compile(r"(?:bearer|basic|token|apikey) +(?=\S)", re.IGNORECASE)
_SECRET = frozenset(("PASSWORD", "API_KEY", "AWS_SECRET_KEY", "PRIVATE_KEY"))


def _secret(value: str, kind: str) -> bool:
    if is_placeholder(value) and not (kind == "PASSWORD" and value.isdigit()):
        return False
    if kind == "API_KEY":
        return len(value) >= 8 and (
            looks_random(value, bits=2.5) or (len(value) >= 16 and entropy_bits(value) > 3.5 and " " not in value)
        )
    return len(value) >= 3


def _named(value: str) -> bool:
    parts = value.split()
    return len(parts) <= 5 and any(part[0].isupper() or not part.isascii() for part in parts)


_COLON = re.compile(
    r"""["']\s{0,2}[:=]\s{0,2}(?:"(?P<double>[^"\\\n]{1,160})|'(?P<single>[^'\\\n]{1,160})|(?P<bare>[0-9][0-9.\-]{2,24}))"""
)
_BACKSLASHED = re.compile(
    r"""\\{1,7}["']\s{0,2}:\s{0,2}\\{1,7}(?:"(?P<double>[^"\\\n]{1,160})|'(?P<single>[^'\\\n]{1,160}))"""
)


def find_in_pairs(text: Text) -> Iterator[Span]:
    """Values of telling fields within JSON, Python's notation or JSON inside a string, wherever a text holds some."""
    raw = text.raw
    if "</" in raw and text.may("tagged"):
        for match in _TAGGED.finditer(raw):
            kind = field_kind(match["key"])
            span = None if kind is None else value_span(raw, *match.span("value"), kind)
            if span is not None:
                yield span
    if (":" not in raw and "=" not in raw) or not text.may("pair"):
        return
    for match in _COLON.finditer(raw):
        span = _pair(raw, match.start(), *match.span(str(match.lastgroup)))
        if span is not None:
            yield span
    if "\\" in raw:
        for match in _BACKSLASHED.finditer(raw):
            span = _pair(raw, match.start(), *match.span(str(match.lastgroup)))
            if span is not None:
                yield span


_TAGGED = re.compile(r"<(?P<key>[A-Za-z_][\w.\-]{1,40})>(?P<value>[^<>\n]{1,160})</")
_PARENT = re.compile(r"""([A-Za-z_]+)\\{0,7}["']\s{0,3}:\s{0,3}\[?\s{0,8}\{\s{0,8}\\{0,7}["']$""")


def _pair(raw: str, key_end: int, start: int, end: int) -> Span | None:
    before = raw[max(0, key_end - 40) : key_end].rstrip("\\")
    key = before[max(before.rfind('"'), before.rfind("'")) + 1 :]
    parent = _PARENT.search(before[: len(before) - len(key)]) if key == "name" else None
    kind = field_kind(key if parent is None else f"{parent[1]}.{key}")
    return None if kind is None else value_span(raw, start, end, kind)


def _named_key(closes: str) -> str:
    """A pattern of every key that could tell a kind, up to one of the characters behind a key.

    Whatever is no letter may stand in and behind a name (`zip_code`, `zip.0`, `zipCode`); a key with a list's place or
    a letter with an accent is not looked at here.
    """
    names = "|".join("[^a-zA-Z]*".join(name.split("_")) for name in sorted({*_BY_NAME, *_SQUASHED, *_GENERIC}))
    return rf"(?:(?i:{names})[^a-zA-Z{closes}]*|(?:[^\x00-\x7f]|\[[0-9]*\])[^{closes}]*)"


FIELD_GATES: dict[str, Gate] = {
    "tagged": Gate(_named_key("<>") + r">[^<>\n]"),
    "pair": Gate(_named_key("\"'") + r"[\"']\s*[:=]"),
}
"""What must be in a text for values that their field tells."""
