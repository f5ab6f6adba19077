"""Checks of values by their own rules: checksums, ranges that were never given out, randomness."""

import ipaddress
from collections import Counter
from math import log2

__all__ = ["card_valid", "entropy_bits", "iban_valid", "ip_valid", "looks_random", "luhn_valid", "ssn_valid"]

_IBAN_LENGTH = range(15, 35)
_CARD_FIRST = "2345689"


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B).

    >>> luhn_valid("4242" * 4), luhn_valid("4242" * 3 + "4241")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_valid(digits: str) -> bool:
    """Whether a row of digits can be a payment card: 12 to 19 digits, a first digit that cards have, the check digit.

    1 is there only for the airlines' UATP and JCB's older 1800 (15 digits). A row of one digit alone is none.
    """
    if not 12 <= len(digits) <= 19 or len(set(digits)) < 2 or not luhn_valid(digits):
        return False
    return digits[0] in _CARD_FIRST or (digits[0] == "1" and len(digits) == 15)


def iban_valid(value: str) -> bool:
    """Whether the check digits of an account number fit (ISO 13616, ISO 7064 mod 97-10). Spaces and case do not count.

    >>> iban_valid("GB82 WEST 1234 5698 7654 32"), iban_valid("GB83 WEST 1234 5698 7654 32")
    (True, False)
    """
    plain = "".join(value.split()).replace("-", "").upper()
    if len(plain) not in _IBAN_LENGTH or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def ssn_valid(value: str) -> bool:
    """Whether a US social security number can have been given out: area not 000, 666 or 9xx, no part all zeros.

    Source: Social Security Administration, randomization rules of 2011.
    >>> ssn_valid("078-05-1120"), ssn_valid("666-12-3456")
    (True, False)
    """
    digits = "".join(char for char in value if char.isdigit())
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


def ip_valid(value: str) -> bool:
    """Whether it is an address of the internet protocol, version 4 or 6, that could be somebody's.

    Loopback, the unspecified address and masks are not; private networks are, since they tell a machine of a user.
    """
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or value.startswith("255."))


def entropy_bits(value: str) -> float:
    """Shannon entropy of the characters, in bits a character.

    >>> entropy_bits("aaaa"), entropy_bits("abcd")
    (0.0, 2.0)
    """
    counts = Counter(value)
    return sum(-count / len(value) * log2(count / len(value)) for count in counts.values()) if value else 0.0


def looks_random(value: str, *, bits: float = 3.0) -> bool:
    """Whether a word seems drawn, not written: letters and digits mixed, and high entropy.

    `snake_case_name`, `ALongClassName` and `example.com/path` are not; of random keys of 24 characters one in a hundred
    has no digit.
    """
    if not any(char.isdigit() for char in value):
        return False
    return any(char.isalpha() for char in value) and entropy_bits(value) >= bits
