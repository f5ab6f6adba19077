"""Numbers that name somebody: cards, accounts, social security, passports, licences, phones, zip codes, birthdays.

All are found within runs of digits and the marks that group them, so that a text without such a run costs one scan.
A number that could be anything needs a word beside it that says what it is.
"""

import re
from collections.abc import Iterator

from harness.curate.pii.checks import card_valid, iban_valid, luhn_valid, ssn_valid
from harness.curate.pii.places import words
from harness.curate.pii.presence import Gate
from harness.curate.pii.recognizer import Recognizer, Text, joined
from harness.curate.pii.spans import Span

__all__ = ["NUMBERS", "NUMBER_GATES", "find_grouped"]

_RUN = re.compile(r"[0-9][0-9 .()/\-\u00a0\u2010-\u2013]{5,}[0-9]")
_SPLIT = re.compile(r"[ \u00a0]{2,}|[\-.]{2,}| - |\d{20,}|/ ")
_ISO_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?: [0-2]\d)?$")
_GLUED = re.compile(r"[^\W\d]")
_EXTENSION = re.compile(r" ?(?:x|ext\.? ?)\d{1,6}\b")
_CARD = re.compile(
    r"(?<![\d.\-])(?:\d{12,19}|\d{4}(?:[ \-]\d{4}){2,3}(?:[ \-]?\d{1,3})?|\d{4}(?:\.\d{4}){3}"
    r"|\d{4}[ \-]\d{6}[ \-]\d{4,5})(?![\d]|[.\-]\d)"
)
_SSN = re.compile(r"(?<![\d\-./])\d{3}([ \-])\d{2}\1\d{4}(?![\d\-./]\d|\d)")
_NANP = re.compile(r"(?<![\d.\-/])(?:1[ .\-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .\-/])\d{3}[ .\-]\d{4}(?![\d]|[.\-/]\d)")
_GROUPS = re.compile(r"(?<![\d./\-:])(?<!\d,)\d{1,8}(?:(?:[ .\-\u00a0/]|\) ?| ?\()\d{1,8}){1,6}(?![\d]|[.,:/\-]\d)")
_PLAIN = re.compile(r"(?<![\d.\-/])(?<!\d,)\d{7,15}(?![\d]|[.,\-/]\d)")

_PHONE_WORDS = re.compile(
    r"(?<!smart)(?<!head)phone|mobile|\bcell|\bcall(?:ed|ing)"
    r"?\b|\btel\b|telephone|\bfax\b|\bsms\b|\btext (?:me|him|"
    r"her|us|them)\b|whatsapp|contact|"
    r"\bdial|\bmessages? to\b|\bring (?:me|him|her|us)\b|\breach "
    r"(?:me|him|her|us|them)\b|hotline|desk:|office:|\boffice\b|"
    r"home:|work:|\bregistered\b|"
    r"answering (?:at|on)|\bmsisdn|\bnumber is\b|\bvoicemail|\bextension|\bline:"
    r"|telefo[no]|t[eé]l[eé]phone|tel[eé]fono|\btelem[oó]vel|\bcelular\b|\bcellulare\b|\bhandy|\bmobil|rufnummer|"
    r"\bm[oó]vil\b|\bappele[rz]\b|\banrufen\b|\bllam(?:ar|e|a)me\b|\bchiam[ai]mi\b|\bbel me\b|\bgsm\b"
)
_PHONE_AFTER = re.compile(r"^[\s\-,(]{0,3}(?:office|fax|mobile|cell|home|work|desk|phone|tel\b|direct)")
_NOT_PHONE = re.compile(
    r"(?:\bid|order|card|ticket|invoice|reference|tracking|"
    r"account|model|version|serial|item|product|isbn|zip|postcode|"
    r"iban|ssn|\bsize|"
    r"total|price|amount|score|\bcommit|line|page|lines|port|pid|\bv)[\w ]{0,8}(?:is|:|=|#|no\.?)?[\"' #]{0,3}$"
)
_SSN_WORDS = re.compile(r"\bssn\b|social sec|\bss#|\bsocial\b|tax ?(?:payer)? ?id|\bssns?\b")


def find_grouped(text: Text) -> Iterator[Span]:
    """Cards, social security numbers and phones."""
    for run in _RUN.finditer(text.raw) if text.may("grouped") else ():
        start, end = run.span()
        if end - start <= _LONGEST_DATE and _ISO_DATE.match(text.raw, start, end) is not None:
            continue  # the commonest run of all
        for piece in _pieces(text.raw, start, end):
            yield from _piece(text, *piece)


def _pieces(raw: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a run between gaps that no number has; rows of 20 digits and more are no numbers of people."""
    for gap in _SPLIT.finditer(raw, start, end):
        if gap.start() - start >= 7:
            yield start, gap.start()
        start = gap.end()
    if end - start >= 7:
        yield start, end


def _piece(text: Text, start: int, end: int) -> Iterator[Span]:
    raw = text.raw
    if end - start <= _LONGEST_DATE and _ISO_DATE.match(raw, start, end) is not None:
        return
    if joined(raw, start) or (_GLUED.match(raw, end) is not None and _EXTENSION.match(raw, end) is None):
        return  # the tail of an identifier, a hash, a size, a timestamp with its zone
    row = raw[start:end].isdigit()
    if not row and sum(map(str.isdigit, raw[start:end])) < _FEWEST_DIGITS:
        return
    carded = end - start >= _SHORTEST_CARD and raw[start - 1 : start] != "+"
    for match in _CARD.finditer(raw, start, end) if carded else ():
        digits = "".join(filter(str.isdigit, match.group()))
        if card_valid(digits) or (
            luhn_valid(digits) and len(set(digits)) > 1 and "card" in text.before(match.start(), 24)
        ):
            yield Span(*match.span(), "CREDIT_CARD", 1.0, "card")
    for match in () if row else _SSN.finditer(raw, start, end):
        if ssn_valid(match.group()):
            named = _SSN_WORDS.search(text.before(match.start(), 60)) is not None
            yield Span(*match.span(), "US_SSN", 1.0 if named else 0.75 if "-" in match.group() else 0.3, "ssn")
    yield from _phones(text, start, end)


_LONGEST_DATE = 13
_FEWEST_DIGITS = 7
_SHORTEST_CARD = 12


def _phones(text: Text, start: int, end: int) -> Iterator[Span]:
    raw = text.raw
    lead = _lead(raw, start)
    if raw[lead : lead + 1] == "+" and 8 <= sum(map(str.isdigit, raw[start:end])) <= 15 and end - lead <= 24:
        extension = _EXTENSION.match(raw, end)
        stop = extension.end() if extension is not None else end
        yield Span(lead, stop, "PHONE_NUMBER", 0.9, "phone_international")
        return
    row = raw[start:end].isdigit()
    for match in () if row else _NANP.finditer(raw, lead, end):
        extension = _EXTENSION.match(raw, match.end())
        stop = extension.end() if extension is not None else match.end()
        yield Span(match.start(), stop, "PHONE_NUMBER", 0.75, "phone_american")
    said: bool | None = None
    for pattern in (_PLAIN,) if row else (_GROUPS, _PLAIN):
        for match in pattern.finditer(raw, start, end):
            digits = _national_digits(match.group())
            if not digits:
                continue
            if said is None:
                said = _said_phone(text, lead, end)
            score = 0.7 if said else _national(match.group(), digits)
            if score:
                opened = lead if match.start() == start else match.start()
                yield Span(opened, match.end(), "PHONE_NUMBER", score, "phone_national")


def _lead(raw: str, start: int) -> int:
    """Where a number begins whose first digit is at `start`: with its plus and its bracket."""
    while start and raw[start - 1] in "(+" and start:
        start -= 1
    return start


def _said_phone(text: Text, start: int, end: int) -> bool:
    if text.raw[start : start + 1] == "(" and joined(text.raw, start):
        return False  # the argument of a function
    before = text.before(start, 48)
    if _PHONE_AFTER.match(text.after(end, 16)):
        return True
    if not text.may("phone_words"):
        return False
    return _PHONE_WORDS.search(before) is not None and _NOT_PHONE.search(before) is None


def _national_digits(value: str) -> str:
    """The digits of what may be a number without a country; none of dates and decimals."""
    digits = "".join(filter(str.isdigit, value))
    if not _FEWEST_DIGITS <= len(digits) <= 15 or _DATE_LIKE.match(value) or value.count(".") == 1:
        return ""
    return digits


def _national(value: str, digits: str) -> float:
    """How surely a number that no word announces is a phone; 0: not."""
    parts = re.split(r"[ .\-()/\u00a0]+", value)
    grouped = 3 <= len(parts) <= 6 and min(map(len, parts)) >= 2
    return 0.45 if digits[0] == "0" and grouped and 9 <= len(digits) <= 11 else 0.0


_DATE_LIKE = re.compile(
    r"(?:19|20)\d\d[.\-/ ](?:0?[1-9]|1[0-2])[.\-/ ]|(?:[0-2]?"
    r"\d|3[01])[./\-](?:[0-2]?\d|3[01])[./\-](?:19|20)?\d\d(?"
    r"![.\-/ ]?\d)"
)

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[t ,]{1,2}\d\d?:\d\d(?::\d\d)?(?:\.\d{1,6})?(?: ?[ap]m|z|[+\-]\d\d:?\d\d)?)?"
_NUMERIC_DATE = (
    r"[0-9](?:(?<=[12])[0-9]{3}[\-/.](?:0?[1-9]|1[0-2])[\-/.]"
    + _DAY
    + r"|[0-9]?[\-/.]"
    + _DAY
    + r"(?:[\-/.](?:19|20)\d\d|(?<!\.\d)(?<!\.\d\d)[\-/]\d\d)|"
    r"[0-9]?(?:st|nd|rd|th)?(?: of)?[ \-]" + _MONTH + r"[, \-]{1,2}(?:19|20)\d\d)"
)
_NAMED_DATE = (
    "(?:"
    + "|".join(f"{month}[a-z]{{0,6}}" for month in words("jan feb mar apr may jun jul aug sep oct nov dec"))
    + r")"
    r"\.? " + _DAY + r"(?:st|nd|rd|th)?,? (?:19|20)\d\d"
)
_DATE_END = r"(?![\d]|[./\-]\d)"
_BIRTH = re.compile(r"\bborn\b|birth|\bdob\b|\bd\.o\.b|date_of_birth")
_LICENCE = re.compile(r"licen[sc]e|\bdl\b|driver")
_PASSPORT = re.compile(r"passport")
_ZIP = re.compile(r"\bzip|postal|post ?code|\bplz\b")
_ID_VALUE = (
    r"(?i:(?: (?:number|no\.?|card))?(?: is|:|#)?[ \"']{1,2}(?"
    r"P<value>(?=[a-z.\-/ ]{0,4}\d)[a-z0-9][a-z0-9.\-/]{6,16}[a-z0-9])"
    r"(?![\w]))"
)


def _five_digits(value: str) -> bool:
    return sum(map(str.isdigit, value)) >= 5


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _has_digit(value: str) -> bool:
    return any(char.isdigit() for char in value)


NUMBERS: tuple[Recognizer, ...] = (
    Recognizer(
        "IBAN_CODE",
        "iban",
        re.compile(
            r"(?<![a-z0-9])[a-z][a-z][0-9][0-9][ \-]?(?:[a-z0-9]{4}[ "
            r"\-]?){2,7}[a-z0-9]{1,4}(?![a-z0-9])"
        ),
        score=1.0,
        check=lambda value: iban_valid(value) and _UUID.fullmatch(value) is None,
        small=True,
        gate=re.compile(r"[0-9][0-9][ \-]?[a-z0-9]{4}[ \-]?[a-z0-9]{4}[ \-]?[a-z0-9]{2}"),
    ),
    Recognizer(
        "DATE_OF_BIRTH",
        "birthday",
        re.compile(_NUMERIC_DATE + _DATE_END),
        ("born", "birth", "dob", "d.o.b"),
        score=0.9,
        context=_BIRTH,
        context_chars=48,
        small=True,
        edge="_./-",
    ),
    Recognizer(
        "DATE_OF_BIRTH",
        "birthday_in_words",
        re.compile(_NAMED_DATE + _DATE_END),
        ("born", "birth", "dob", "d.o.b"),
        score=0.9,
        context=_BIRTH,
        context_chars=48,
        small=True,
        edge="_",
    ),
    Recognizer("DATE_TIME", "date", re.compile(_NUMERIC_DATE + _CLOCK + _DATE_END), score=0.6, small=True, edge="_./-"),
    Recognizer(
        "DATE_TIME", "date_in_words", re.compile(_NAMED_DATE + _CLOCK + _DATE_END), score=0.6, small=True, edge="_"
    ),
    Recognizer(
        "ZIP_CODE",
        "zip_named",
        re.compile(
            r"(?:zip|postal|post ?code|plz)(?:[ _]?codes?)?\)?"
            r"[\"'*]{0,3}(?: is| was| of|:|=| -|,)?[\"'*: ]{0,4}(?"
            r"P<value>(?=[a-z\d \-]{0,7}\d)(?:\d{4} [a-z]{2}(?"
            r"=\s*(?:$|\n|[,.;]))|[a-z\d]{2,5}(?:[ \-]\d[a-z\d]{1,3})"
            r"?))(?![\w])"
        ),
        ("zip", "post", "plz"),
        score=0.8,
        check=_has_digit,
        small=True,
    ),
    Recognizer(
        "CARD_LAST4",
        "card_ending",
        re.compile(
            r"(?:ending|ends|end|last (?:four|4)(?: digits)?|last_(?"
            r":four|4))(?: in| with| are| is| of|:)?[\"'*`: (]{0,5}(?"
            r"P<value>[0-9]{4})(?![\w\-]|\.\d)"
        ),
        ("end", "last"),
        score=0.85,
        small=True,
    ),
    Recognizer(
        "CARD_LAST4",
        "card_masked",
        re.compile(r"(?:[*x•●.]{4}[ \-]?){1,3}(?P<value>[0-9]{4})(?![\w])"),
        ("****", "xxxx", "••••", "●●●●", "...."),
        score=0.7,
        small=True,
        context=re.compile(r"card|visa|master|amex|debit|credit|\*{4}|x{4}|•{4}"),
    ),
    Recognizer(
        "US_DRIVER_LICENSE",
        "driver_licence",
        re.compile(
            r"(?<![\w\-])(?=[a-z\-]{0,4}[0-9])[a-z0-9][a-z0-9\-]{4,18}[0-9](?"
            r"![\w])"
        ),
        ("licen",),
        score=0.65,
        context=_LICENCE,
        check=_five_digits,
        small=True,
    ),
    Recognizer(
        "PASSPORT",
        "passport",
        re.compile(r"(?<![\w\-])(?:[a-z]{0,2}[0-9]{6,9}[a-z]?|(?=(?:[a-z]{0,4}[0-9]){4})[a-z0-9]{9})(?![\w\-])"),
        ("passport",),
        score=0.7,
        context=_PASSPORT,
        small=True,
    ),
    Recognizer(
        "BANK_ACCOUNT",
        "bank_account",
        re.compile(
            r"(?:account|acct|routing|sort code)(?: (?:number|"
            r"no\.?|num|#))?(?: is|:|#| number:)?[ \"'#]{1,3}(?"
            r"P<value>[0-9][0-9\- ]{5,18}[0-9])(?![\w\-])"
        ),
        ("account", "acct", "routing", "sort code"),
        score=0.6,
        small=True,
    ),
    Recognizer(
        "NATIONAL_ID",
        "national_id",
        re.compile(
            r"(?:national (?:id|insurance)|tax(?:payer)? (?:id|"
            r"number)|aadhaar|identity card|personal (?:id|number)"
            r")" + _ID_VALUE
        ),
        ("national i", "tax", "aadhaar", "identity card", "personal "),
        score=0.6,
        check=_five_digits,
        small=True,
        edge="_",
    ),
    Recognizer(
        "NATIONAL_ID",
        "national_id_short",
        re.compile(
            r"(?:NINO|EIN|TIN|CPF|CNPJ|PAN|NIF|DNI|NIE|BSN|PESEL|"
            r"ABN|TFN|SIN)" + _ID_VALUE
        ),
        score=0.6,
        check=_five_digits,
        edge="_",
    ),
    Recognizer(
        "AGE",
        "age_old",
        re.compile(
            r"[0-9][0-9]?[0-9]?(?=[ \-]?(?:years?|yrs?|y)[ \-]?"
            r"(?:old\b|/?o\b))"
        ),
        ("old", "y/o", "yo"),
        score=0.7,
        small=True,
        edge="_.-",
    ),
    Recognizer(
        "AGE",
        "age_told",
        re.compile(
            r"(?:age(?:d? (?:of |is |was )?|[\"']?[:=] ?\"?)|turn(?"
            r":ed)? |when (?:s?he|they) (?:was|were) |i'm (?=\d\d[.,!\n])"
            r"|i am (?=\d\d[.,!\n])|he is (?=\d\d[.,!\n])|he's "
            r"(?=\d\d[.,!\n]))(?P<value>[0-9]{1,3})(?![\w\-/:]|"
            r"[.,]\d)"
        ),
        ("age", "turn", "when", "i'm", "i am", "he is", "he's"),
        score=0.6,
        small=True,
        edge="_",
    ),
)
"""The rest of the numbers, each with a shape of its own."""

NUMBER_GATES: dict[str, Gate] = {"grouped": Gate(_RUN.pattern), "phone_words": Gate(_PHONE_WORDS.pattern, small=True)}
"""What must be in a text for cards, social security numbers and phones, and for a word that announces a phone."""
