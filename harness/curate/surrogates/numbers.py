"""Numbers that keep the rules they are checked by: cards, accounts, social security numbers, phones, dates of birth."""

import re
from datetime import date

from harness.curate.pii.checks import card_valid, iban_valid, luhn_valid, ssn_valid
from harness.curate.pii.places import words as listed
from harness.curate.surrogates.words import Words, in_case_of

__all__ = ["age", "birth", "card", "iban", "phone", "ssn"]

_DIGIT = re.compile(r"[0-9]")
_ROW = re.compile(r"[0-9]+")


def _regrouped(value: str, digits: str) -> str:
    """A value with these digits in place of its own."""
    fresh = iter(digits)
    return _DIGIT.sub(lambda _: next(fresh), value)


def card(words: Words, value: str) -> str:
    """A card of the same length, grouping and first digit that passes Luhn; its last four are theirs anywhere."""
    digits = "".join(_DIGIT.findall(value))
    last = words.digits(digits[-4:]) if len(digits) >= 4 else ""
    if not card_valid(digits):  # masked, or mistyped
        rest = digits[: -len(last)] if last else digits
        drawn = (words.digits(rest, label="card part") if rest else "") + last
        return _regrouped(value, drawn)
    free = digits[1:-5]
    drawn = digits[0] + words.digits(free, label="card")
    for check in "0123456789":
        if luhn_valid(drawn + check + last):
            return _regrouped(value, drawn + check + last)
    raise AssertionError("one of ten digits always fits: Luhn's doubling is a permutation of them")


def iban(words: Words, value: str) -> str:
    """An account of the same country, form and length, with its check digits right."""
    plain = [char for char in value if char.isalnum()]
    if not iban_valid(value):
        return words.mixed(value)
    account = words.mixed("".join(plain[4:]).upper())
    country = "".join(plain[:2]).upper()
    number = int("".join(str(int(char, 36)) for char in account + country + "00"))
    fresh = iter(
        in_case_of(old, new) for old, new in zip(plain, country + f"{98 - number % 97:02d}" + account, strict=True)
    )
    return "".join(next(fresh) if char.isalnum() else char for char in value)


def ssn(words: Words, value: str) -> str:
    """A number that could have been given out, in the same form; of a masked one the digits that are left."""
    digits = "".join(_DIGIT.findall(value))
    if len(digits) == 9 and ssn_valid(digits):
        return _regrouped(value, words.digits(digits, ssn_valid, "ssn"))
    return words.phrase(value)


_EXTENSION = re.compile(r"(?i:\s*(?:x|ext\.?|extension)\s*)(?P<digits>\d{1,6})$")


def phone(words: Words, value: str) -> str:
    """A phone of the same country and form. With and without `+1` it is the same number."""
    extension = _EXTENSION.search(value)
    main = value if extension is None else value[: extension.start()]
    tail = "" if extension is None else _ROW.sub(lambda row: words.digits(row[0]), extension[0])
    digits = "".join(_DIGIT.findall(main))
    if not digits:
        return words.phrase(value)
    country = _country(main, digits)
    return _regrouped(main, digits[:country] + _national(words, digits[country:])) + tail


def _country(main: str, digits: str) -> int:
    """How many digits in front name the country."""
    if len(digits) == 11 and digits[0] == "1":
        return 1
    if main.lstrip(" (").startswith("+") and len(digits) > 8:
        return 2
    return 4 if digits.startswith("00") and len(digits) > 10 else 0


def _national(words: Words, digits: str) -> str:
    american = _american(digits)
    return words.digits(digits, _american if american else lambda drawn: not _american(drawn), "phone")


def _american(digits: str) -> bool:
    return len(digits) == 10 and digits[0] > "1" and digits[3] > "1"


_MONTHS = listed("January February March April May June July August September October November December")
_MONTH = r"(?P<month>(?i:" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS) + r"|sept))"
_YEAR = r"(?P<year>(?:18|19|20)\d\d)"
_DAY = r"(?P<day>\d{1,2})(?P<th>st|nd|rd|th)?"
_DATES = (
    re.compile(_YEAR + r"(?P<mark>[\-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<first>\d{1,2})(?P<mark>[\-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>(?:18|19|20)\d\d|\d\d)(?!\d)"),
    re.compile(_MONTH + r"\.? " + _DAY + r",? " + _YEAR),
    re.compile(r"(?<!\d)" + _DAY + r"(?: of)?[ \-]" + _MONTH + r"\.?,?[ \-]" + _YEAR),
)  # fmt: skip
_ONLY_YEAR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_TURN = 30
"""Two-digit years from here on are of the twentieth century."""


def birth(words: Words, value: str) -> str:
    """A date of the same decade in the same notation: ages keep their order of magnitude."""
    for pattern in _DATES:
        match = pattern.search(value)
        if match is not None:
            day = _read(match)
            if day is not None:
                return value[: match.start()] + _written(match, _other_day(words, day)) + value[match.end() :]
    if _ONLY_YEAR.search(value):
        return _ONLY_YEAR.sub(lambda year: year[0][:3] + str(words.order("year").after(int(year[0][3]), 10)), value)
    return _ROW.sub(lambda row: words.digits(row[0]), value)


def _other_day(words: Words, day: date) -> date:
    decade = day.year // 10 * 10
    first = date(decade, 1, 1).toordinal()
    days = date(decade + 10, 1, 1).toordinal() - first
    return date.fromordinal(first + words.order(f"birth{decade}").after(day.toordinal() - first, days))


def _read(match: re.Match[str]) -> date | None:
    parts = match.groupdict()
    year = int(parts["year"])
    if year < 100:
        year += 2000 if year < _TURN else 1900
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        month, day = (second, first) if first > 12 else (first, second)
    else:
        month, day = _month(parts["month"]), int(parts["day"])
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month(text: str) -> int:
    return int(text) if text.isdigit() else 1 + [name[:3].lower() for name in _MONTHS].index(text[:3].lower())


def _written(match: re.Match[str], day: date) -> str:
    """The date in the notation of another. Day first stays day first, also where the numbers no longer tell."""
    parts = match.groupdict()
    year = str(day.year)[-len(parts["year"]) :]
    if "first" in parts:
        day_first = int(parts["first"]) > 12
        first, second = (day.day, day.month) if day_first else (day.month, day.day)
        return parts["mark"].join((_padded(first, parts["first"]), _padded(second, parts["second"]), year))
    fresh = {"year": year, "day": _padded(day.day, parts["day"]), "month": _month_like(parts["month"], day.month)}
    if parts.get("th"):
        fresh["th"] = "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    text, base = match[0], match.start()
    for name in sorted(fresh, key=match.start, reverse=True):
        start, end = match.span(name)
        text = text[: start - base] + fresh[name] + text[end - base :]
    return text


def _padded(number: int, like: str) -> str:
    return f"{number:02d}" if len(like) == 2 else str(number)


def _month_like(like: str, month: int) -> str:
    if like.isdigit():
        return _padded(month, like)
    name = _MONTHS[month - 1]
    return in_case_of(like, name if len(like) > 4 or like.lower() in {"may", "june", "july"} else name[:3])


def age(words: Words, value: str) -> str:
    """An age of the same decade."""
    return _ROW.sub(lambda row: row[0][:-1] + str(words.order("age" + row[0][:-1]).after(int(row[0][-1]), 10)), value)
