"""Numbers as people and models write them, read exactly and compared within a tolerance."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from harness.records import TextTarget
from harness.scorers.text_verdict import Judged, accepted_words

__all__ = ["Number", "answer_number", "judge_numeric", "numbers"]

_BLANKS = "[ \u00a0\u2009\u202f]"
_VULGAR = re.compile(r"(\d?)([¼-¾⅐-⅞])")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,40})\}\s?\{([^{}]{1,40})\}")
_POWER = re.compile(r"(?<=\d)\s?(?:×|\\times|\\cdot|\*|x)\s?10\s?(?:\^|\*\*)\s?\{?([+-]?\d{1,4})\}?")
_GROUPED = "|".join(
    rf"\d{{1,3}}(?:{mark}\d{{3}})++(?!\d)(?:{decimal}\d++)?"
    for mark, decimal in ((",", "[.]"), ("[.]", ","), (f"(?:{_BLANKS}|['’_])", "[.,]"))
)
_LIST = r"\d++(?:,\d++){2,}+|\d++(?:[.]\d++){2,}+"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?<!\d/)(?P<sign>[+-](?=[\d.$€£]))?[$€£]?(?P<digits>{_GROUPED}|{_LIST}|\d++(?:[.,]\d++)?|[.]\d++)"
    r"(?P<power>[eE][+-]?\d++(?!\w))?"
    r"(?:(?P<mixed>[ ]\d{1,9}/\d{1,9}(?![\d/]))|(?P<over>[ ]?/[ ]?\d++(?![/.,]\d)))?"
    rf"(?:{_BLANKS}?(?P<scale>thousand|million|billion|trillion)\b)?"
    rf"(?:{_BLANKS}?\\?(?P<percent>%|percent\b|per{_BLANKS}cent\b))?",
    re.IGNORECASE,
)
_GROUPS, _ENUMERATION = re.compile(_GROUPED), re.compile(r"\d++(?:,\d++){2,}+")
_SCALE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MOST_DIGITS, _MOST_POWER, _MOST_CHARS = 400, 400, 100_000
_BOXED = re.compile(r"\\boxed\s?\{((?:[^{}]|\{[^{}]{0,200}\}){0,400}+)\}")
_HASHES = re.compile(r"^\s{0,8}####[ \t]*(.+)$", re.MULTILINE)
_CUE = re.compile(
    r"(?:answer|result|total)(?:\s+(?:is|are|was|comes to|equals|would be))?\s?[:=]"
    r"|\banswer\s+(?:is|equals|comes to)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as read, exact."""

    value: Fraction
    percent: bool = False
    """Whether a sign or word of percent follows; `value` is then still the number as written."""

    def __str__(self) -> str:
        shown = str(self.value) if self.value.denominator == 1 else f"{_as_float(self.value):.12g}"
        return shown + ("%" if self.percent else "")


def numbers(text: str) -> Iterator[Number]:
    """The numbers in a text, in order; what is glued to a letter before it (H2O, x2) is none.

    Read are: a sign (not after a digit or letter: 3-5 is 3 and 5); a currency sign before; thousands in groups of three
    by comma, point, blank, apostrophe or underscore; a decimal point, or a decimal comma where the digits after it are
    not one group of three (1,234 is a thousand, 3,14 and 0,125 are not); exponents (1e-3, 3 × 10^8); fractions (3/4,
    1 3/4, ½, LaTeX); thousand to trillion as words; percent as sign or word. Units after it are passed over; 1,2,3 are
    three numbers, and 1.10.2 is none.
    >>> [str(one) for one in numbers("From 1,234.5 km to -3/4, or 50 %")]
    ['1234.5', '-0.75', '50%']
    """
    for match in _NUMBER.finditer(_plain(text[-_MOST_CHARS:])):
        if _ENUMERATION.fullmatch(match["digits"]) and not _GROUPS.fullmatch(match["digits"]):
            yield from (Number(Fraction(one)) for one in match["digits"].split(",") if len(one) <= _MOST_DIGITS)
            continue
        value = _value(match)
        if value is not None:
            yield Number(value, match["percent"] is not None)


def answer_number(answer: str) -> Number | None:
    r"""The number that a reply gives as its answer; None if there is none.

    The first of these that holds a number: the last \boxed{…} (its last number); the last line with ####; the first
    number after the last "answer is", "answer:", "result =", "total:" or the like, up to the end of the line, and after
    the last equals sign where its first sentence has one; the last number of the text.
    >>> str(answer_number("3 + 4 = 7, and 7 * 6 is 42. The answer is **42** apples. Check: 42 / 6 = 7"))
    '42'
    """
    for pattern in (_BOXED, _HASHES):
        found = [match[1] for match in pattern.finditer(answer[-_MOST_CHARS:])]
        inside = list(numbers(found[-1])) if found else []
        if inside:
            return inside[-1]
    cues = list(_CUE.finditer(answer))
    if cues:
        rest = answer[cues[-1].end() :].lstrip().split("\n", 1)[0]
        first = next(numbers(_right_side(rest)), None)
        if first is not None:
            return first
    last = None
    for one in numbers(answer):
        last = one
    return last


def _right_side(text: str) -> str:
    """What follows the last equals sign of the first sentence: "6 * 7 = 42 apples. So 1 = 1" gives "42 apples"."""
    sentence = re.split(r"(?<=[^\d])[.](?:\s|$)|(?<=\d)[.](?:\s|$)", text, maxsplit=1)[0]
    return sentence.rpartition("=")[2] if re.search(r"=\s?[-+$€£]?\d", sentence) else text


def judge_numeric(answer: str, target: TextTarget, accepted: tuple[Number, ...]) -> Judged:
    """1 if the answer's number is an accepted one within the tolerance, absolute or relative to the accepted number.

    Where only one of the two is a percentage, it may stand for its number or for a hundredth of it: 50 and 0.5 both
    are 50 %.
    """
    found = answer_number(answer)
    if found is None:
        return Judged(0.0, "no_answer", "there is no number in the answer")
    if any(_close(found, one, target) for one in accepted):
        return Judged(1.0, extracted=str(found))
    within = f" within {target.tolerance:g}{' of it' if target.relative else ''}" if target.tolerance else ""
    why = f"the number read is {found}, accepted: {accepted_words(target.accepted)}{within}"
    return Judged(0.0, "wrong_answer", why, extracted=str(found))


def _close(found: Number, wanted: Number, target: TextTarget) -> bool:
    room = Fraction(str(target.tolerance)) * (abs(wanted.value) if target.relative else 1)
    if abs(found.value - wanted.value) <= room:
        return True
    if found.percent == wanted.percent:
        return False
    scaled = found.value / 100 if found.percent else found.value * 100
    return abs(scaled - wanted.value) <= room


def _plain(text: str) -> str:
    """The text with one way of writing signs, fractions and powers."""
    text = _VULGAR.sub(lambda match: f"{match[1]} {unicodedata.normalize('NFKC', match[2])}", text)
    text = text.replace("\u2044", "/").replace("\u2212", "-").replace("\u2013", "-")
    text = text.replace("{,}", ",").replace("\\,", " ").replace("\\$", "$").replace("\\!", "")
    text = _LATEX_FRACTION.sub(lambda match: f" {match[1]}/{match[2]}", text)
    text = _POWER.sub(lambda match: f"e{match[1]}", text)
    return re.sub(r"(?<!\w)(\*\*|__)(?=[-+$€£.\d])|(?<=[\d%])(\*\*|__)(?!\w)", " ", text)


def _value(match: re.Match[str]) -> Fraction | None:
    digits = _decimal(match["digits"])
    if len(digits) > _MOST_DIGITS or digits.count(".") > 1:  # a version, such as 1.10.2
        return None
    value = Fraction(digits)
    if match["power"]:
        power = match["power"][1:]
        if len(power) > len(str(_MOST_POWER)) + 1 or abs(int(power)) > _MOST_POWER:
            return None
        value *= Fraction(10) ** int(power)
    if match["mixed"]:
        above, below = match["mixed"].split("/")
        value = value + Fraction(int(above), int(below)) if int(below) else value
    elif match["over"]:
        below = match["over"].strip(" /")
        if len(below) > _MOST_DIGITS or not int(below):
            return None
        value /= int(below)
    if match["scale"]:
        value *= _SCALE[match["scale"].lower()]
    return -value if match["sign"] == "-" else value


def _decimal(written: str) -> str:
    """Digits with a decimal point at most."""
    bare = re.sub(r"[ \u00a0\u2009\u202f'’_]", "", written)
    points, commas = bare.count("."), bare.count(",")
    if points and commas:
        decimal = max(bare.rfind("."), bare.rfind(","))
        return re.sub("[.,]", "", bare[:decimal]) + "." + bare[decimal + 1 :]
    if commas == 1 and (bare != written or not re.fullmatch(r"[1-9]\d{0,2},\d{3}", bare)):
        return bare.replace(",", ".")
    if commas:
        return bare.replace(",", "")
    return bare.replace(".", "") if points > 1 and _GROUPS.fullmatch(written) else bare


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
