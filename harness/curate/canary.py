"""Made-up people and keys that are put among real calls, to be looked for in everything that is ever written."""

import base64
import json
import random
import secrets
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from harness.curate.pii.checks import luhn_valid
from harness.curate.pseudonyms import private_file, write_private
from harness.errors import DataError
from harness.records.logs import LogRecord, Payload

__all__ = [
    "CANARY_FILE",
    "MARK",
    "Canary",
    "is_planted",
    "load_canaries",
    "make_person",
    "persons",
    "plant",
    "plant_among",
    "save_canaries",
    "user_of",
]

CANARY_FILE = "canaries.jsonl"
MARK = "planted"
"""Of a planted call, in what else was logged."""
_WORD = 9
"""Letters of a made-up name: 10^12 of them, none of which stands anywhere by chance."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A value that nobody has."""

    kind: str
    value: str


def persons(key: bytes, count: int) -> list[tuple[Canary, ...]]:
    """Made-up people that only who has the key can make up again: a second run plants the same ones."""
    seeds = (blake2b(number.to_bytes(4, "big"), key=key, person=b"slm-canaries").digest() for number in range(count))
    return [make_person(random.Random(seed)) for seed in seeds]


def make_person(chance: random.Random | None = None) -> tuple[Canary, ...]:
    """A value of each kind for one made-up person, and keys of theirs. chance: None: the system's own."""
    chance = chance or secrets.SystemRandom()
    first, last = _word(chance), _word(chance)
    number = f"{chance.randrange(10**6):06d}"
    card = _card("4" + _digits(chance, 14))
    phone = f"({chance.randrange(201, 989)}) {chance.randrange(201, 989)}-{_digits(chance, 4)}"
    ssn = f"{chance.randrange(100, 665)}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}"
    account = "".join(chance.choices(string.ascii_uppercase, k=4)) + _digits(chance, 14)
    signed = (_token(chance, 24), _token(chance, 40), _token(chance, 43))
    body = "\n".join(_token(chance, 64) for _ in range(4))
    values = {
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "PERSON": f"{first} {last}",
        "USER_ID": f"{first}_{last}_{number}".lower(),
        "EMAIL_ADDRESS": f"{first}.{last}{number}@example.com".lower(),
        "PHONE_NUMBER": phone,
        "CREDIT_CARD": " ".join(card[place : place + 4] for place in range(0, 16, 4)),
        "US_SSN": ssn,
        "IBAN_CODE": _iban("GB", account),
        "STREET_ADDRESS": f"{chance.randrange(1000, 9999)} {_word(chance)} Street",
        "API_KEY": "-".join(("sk", "proj", _token(chance, 40))),
        "AWS_KEY": "AKIA" + "".join(chance.choices(string.ascii_uppercase + "234567", k=16)),
        "JWT": ".".join((_part({"alg": "HS256", "kid": signed[0]}), _part({"sub": signed[1]}), signed[2])),
        "PASSWORD": _token(chance, 18),
        "PRIVATE_KEY": body,
    }
    return tuple(Canary(kind, value) for kind, value in values.items())


def _word(chance: random.Random) -> str:
    return "".join(
        chance.choice("bdfgklmnprstvz" if place % 2 == 0 else "aeiou") for place in range(_WORD)
    ).capitalize()


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.digits, k=count))


def _token(chance: random.Random, count: int) -> str:
    drawn = "".join(chance.choices(string.ascii_letters + string.digits, k=count - 3))
    return drawn + "".join(map(chance.choice, (string.ascii_lowercase, string.ascii_uppercase, string.digits)))


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _card(digits: str) -> str:
    return next(digits + check for check in string.digits if luhn_valid(digits + check))


def _iban(country: str, account: str) -> str:
    number = int("".join(str(int(char, 36)) for char in account + country + "00"))
    return f"{country}{98 - number % 97:02d}{account}"


def plant(record: LogRecord, person: Sequence[Canary]) -> LogRecord:
    """A further call like this one in which a made-up person says who they are and a tool answers with what it knows.

    Its session is its own. The values stand in prose, in arguments, in JSON within a string, and in headers.
    """
    has = {one.kind: one.value for one in person}
    name = blake2b(has["USER_ID"].encode(), digest_size=8).hexdigest()
    call = f"call_{name}"
    asked = (
        f"My name is {has['PERSON']}, my email is {has['EMAIL_ADDRESS']} and my phone number is "
        f"{has['PHONE_NUMBER']}. I live at {has['STREET_ADDRESS']}. Please put it on my credit "
        f"card {has['CREDIT_CARD']}; my IBAN is {has['IBAN_CODE']}, my SSN is {has['US_SSN']}."
    )
    profile = {
        "user_id": has["USER_ID"],
        "name": {"first_name": has["FIRST_NAME"], "last_name": has["LAST_NAME"]},
        "address1": has["STREET_ADDRESS"],
        "note": json.dumps({"email": has["EMAIL_ADDRESS"], "password": has["PASSWORD"], "api_key": has["API_KEY"]}),
    }
    framed = "\n".join(("-----BEGIN " + "PRIVATE KEY-----", has["PRIVATE_KEY"], "-----END " + "PRIVATE KEY-----"))
    seen = f"Your config holds\n{framed}\naws_access_key_id = {has['AWS_KEY']}"
    look_up = json.dumps(
        {"first_name": has["FIRST_NAME"], "last_name": has["LAST_NAME"], "email": has["EMAIL_ADDRESS"]}
    )
    messages: tuple[Payload, ...] = (
        *(one for one in record.messages if one.get("role") == "system"),
        {"role": "user", "content": asked},
        {"role": "assistant", "tool_calls": [{"id": call, "name": "find_user", "arguments": look_up}]},
        {"role": "tool", "tool_call_id": call, "content": json.dumps(profile)},
        {"role": "user", "content": seen},
    )
    reply: Payload = {"role": "assistant", "content": f"Thank you, {has['PERSON']}. I found {has['USER_ID']}."}
    headers = {"Authorization": f"Bearer {has['JWT']}", "X-Forwarded-User": has["EMAIL_ADDRESS"]}
    extra = {MARK: True, "headers": headers, "end_user": has["USER_ID"]}
    return replace(
        record,
        id=f"{name}{name}",
        messages=messages,
        reply=reply,
        more_replies=(),
        failure=None,
        session=f"planted-{name}",
        step=0,
        span=None,
        parent=None,
        user=has["USER_ID"],
        extra=extra,
    )


def user_of(person: Sequence[Canary]) -> str:
    """The name under which a made-up person is an end user."""
    return next(one.value for one in person if one.kind == "USER_ID")


def plant_among(records: Sequence[LogRecord], people: Sequence[Sequence[Canary]]) -> Iterator[LogRecord]:
    """A planted call for each person, made after real ones in turn."""
    for place, person in enumerate(people):
        yield plant(records[place % len(records)], person)


def is_planted(record: LogRecord) -> bool:
    """Whether a call is one of the made-up ones: kept out of suites once it is redacted."""
    return record.extra.get(MARK) is True


def save_canaries(canaries: Sequence[Canary], path: Path | None = None) -> Path:
    """Adds canaries to the file that only its owner can read; returns where it is. None: this project's own."""
    where = path or private_file(CANARY_FILE)
    lines = [
        json.dumps({"kind": one.kind, "value": one.value})
        for one in (*(load_canaries(where) if where.exists() else ()), *canaries)
    ]
    write_private(where, "\n".join((*dict.fromkeys(lines), "")))
    return where


def load_canaries(path: Path) -> tuple[Canary, ...]:
    """The canaries of a file: JSON lines with kind and value, or any text with a value a line.

    Raises DataError where it cannot be read or a value is shorter than four characters, without the value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"leakcheck.values={path} cannot be read ({error.__class__.__name__}); give a text file, a value a line"
        ) from None
    found = [_read(line.strip(), number, path) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return tuple(dict.fromkeys(found))


def _read(line: str, number: int, path: Path) -> Canary:
    try:
        given = json.loads(line)
    except json.JSONDecodeError:
        given = line
    canary = (
        Canary(str(given.get("kind", "VALUE")), str(given.get("value", "")))
        if isinstance(given, dict)
        else Canary("VALUE", line)
    )
    if len(canary.value) < 4:
        raise DataError(
            f"{path}, line {number}: a value of fewer than 4 characters stands everywhere; give longer ones"
        )
    return canary
