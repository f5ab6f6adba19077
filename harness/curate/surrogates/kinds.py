"""What stands for a value of each kind."""

import re
from collections.abc import Callable

from harness.curate.pii.places import COUNTRIES, NATIONALITIES, STREET_BEFORE, STREET_ENDS, STREET_WORDS, US_STATES
from harness.curate.pii.places import words as listed
from harness.curate.surrogates.network import domain, email, is_public
from harness.curate.surrogates.numbers import age, birth, card, iban, phone, ssn
from harness.curate.surrogates.words import Words, in_case_of

__all__ = ["KEPT", "MADE_OF_WORDS", "stands_for", "stays"]

KEPT = frozenset({"TITLE"})
"""Kinds that stay: `Mr.` tells nobody."""
MADE_OF_WORDS = frozenset(
    {"PERSON", "LOCATION", "STREET_ADDRESS", "ORGANIZATION", "EMAIL_ADDRESS", "USER_ID", "CARD_LAST4", "ZIP_CODE"}
)
"""Kinds replaced part by part: a part has the same surrogate in all of them."""
_PARTICLES = frozenset(
    listed(
        "de da do dos das del della di la le les los las el du des van der den von am an im zur zum of the y "
        "e i al bin ten ter and"
    )
)
_STREET = frozenset((
    *STREET_WORDS, *STREET_ENDS, *(part for start in STREET_BEFORE for part in start.split()), *_PARTICLES,
    *listed(
        "apt apartment suite ste unit flat floor fl room rm bldg building lot po p o box st nd rd th n s e w "
        "ne nw se sw north south east west"
    ),
))  # fmt: skip
_PLACE = _PARTICLES | frozenset(
    listed("new san santa saint st north south east west city fort port mount lake beach county town")
)
_FIRM = frozenset(listed("inc llc ltd corp co company group gmbh ag sa plc and of the university bank hospital school"))
_ID = frozenset(
    listed("user usr customer cust client guest member account acct employee emp patient driver admin id no")
)
_STAYS = frozenset(name.lower() for name in (*COUNTRIES, *US_STATES)) - {"new york", "washington"}
"""Two states are towns as well, and far more often."""
_CODE = re.compile(r"[A-Z]{2,3}")
_OF_WORDS = re.compile(r"@?[^\W\d_]+(?:[._\-]?[^\W\d_]+)*(?:[._\-]?[0-9]+)?")
_COIN = re.compile(r"0x|bc1|ltc1|[13]")


def stays(kind: str, value: str) -> bool:
    """Whether a value is left: titles, public sites, and states and countries, as HIPAA's safe harbour does."""
    if kind == "DOMAIN_NAME":
        return is_public(value)
    return kind in KEPT or (kind == "LOCATION" and all(_stays(part) for part in value.split(",")))


def _stays(part: str) -> bool:
    return not part.strip() or part.strip().lower() in _STAYS or _CODE.fullmatch(part.strip()) is not None


def stands_for(words: Words, kind: str, value: str) -> str:
    """The surrogate of a value that is no secret and no address of a machine."""
    make = _MAKE.get(kind, _own)
    drawn = make(words, value)
    return words.phrase(value) if drawn == value else drawn


def _location(words: Words, value: str) -> str:
    return ",".join(part if _stays(part) else words.phrase(part, _PLACE) for part in value.split(","))


def _user_id(words: Words, value: str) -> str:
    if "@" in value[1:]:
        return email(words, value)
    if _OF_WORDS.fullmatch(value):
        return re.sub(
            r"[^\W_]+",
            lambda part: (
                part[0] if len(part[0]) == 1 and part[0].isalpha() else words.phrase(part[0], _ID | _one(part[0]))
            ),
            value,
        )
    return words.phrase(value, _ID) if " " in value else words.mixed(value)


def _one(part: str) -> frozenset[str]:
    """The single letter that an id such as C1001 begins with."""
    return frozenset(part[0].lower()) if len(part) > 1 and part[0].isalpha() and part[1].isdigit() else frozenset()


def _zip(words: Words, value: str) -> str:
    return words.mixed(value) if any(char.isalpha() for char in value) else words.phrase(value)


def _nation(words: Words, value: str) -> str:
    small = value.lower()
    if small not in _NATIONS:
        return words.phrase(value)
    names = list(_NATIONS)
    return in_case_of(value, names[words.order("nation").after(_NATIONS[small], len(names))])


_NATIONS = {name: place for place, name in enumerate(sorted({name.lower() for name in NATIONALITIES}))}


def _coin(words: Words, value: str) -> str:
    match = _COIN.match(value)
    end = match.end() if match else 0
    return value[:end] + words.mixed(value[end:])


def _own(words: Words, value: str) -> str:
    """A kind of the user's own: letters in front of the first digit stay."""
    match = re.match(r"[^0-9]{1,8}(?=[0-9])", value)
    end = match.end() if match else 0
    return value[:end] + words.mixed(value[end:])


_MAKE: dict[str, Callable[[Words, str], str]] = {
    "AGE": age,
    "BANK_ACCOUNT": Words.mixed,
    "CARD_LAST4": Words.phrase,
    "CREDIT_CARD": card,
    "CRYPTO": _coin,
    "DATE_OF_BIRTH": birth,
    "DATE_TIME": birth,
    "DOMAIN_NAME": domain,
    "EMAIL_ADDRESS": email,
    "IBAN_CODE": iban,
    "LOCATION": _location,
    "NATIONAL_ID": Words.mixed,
    "NRP": _nation,
    "ORGANIZATION": lambda words, value: words.phrase(value, _FIRM),
    "PASSPORT": Words.mixed,
    "PERSON": lambda words, value: words.phrase(value, _PARTICLES),
    "PHONE_NUMBER": phone,
    "STREET_ADDRESS": lambda words, value: words.phrase(value, _STREET),
    "USER_ID": _user_id,
    "US_DRIVER_LICENSE": Words.mixed,
    "US_SSN": ssn,
    "ZIP_CODE": _zip,
}
