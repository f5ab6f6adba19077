"""Numbers that name somebody: cards, accounts, social security, passports, licences, phones, zip codes, birthdays.

All are found within runs of digits and the marks that group them, so that a text without such a run costs one scan.
A number that could be anything needs a word beside it that says what it is.
"""

import re
from collections.abc import Iterator

from harness.curate.pii.checks import card_valid, iban_valid, luhn_valid, ssn_valid
from harness.curate.pii.places import UPPER, words
from harness.curate.pii.recognizer import Recognizer, Text, joined
from harness.curate.pii.spans import Span

__all__ = ["NUMBERS", "find_grouped", "find_zips"]

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
    for run in _RUN.finditer(text.raw):
        start = run.start()
        for piece in _pieces(text.raw, start, run.end()):
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
    if end - start <= 13 and _ISO_DATE.match(raw, start, end) is not None:
        return  # the commonest run of all
    if joined(raw, start) or (_GLUED.match(raw, end) is not None and _EXTENSION.match(raw, end) is None):
        return  # the tail of an identifier, a hash, a size, a timestamp with its zone
    for match in _CARD.finditer(raw, start, end) if raw[start - 1 : start] != "+" else ():
        digits = "".join(filter(str.isdigit, match.group()))
        if card_valid(digits) or (
            luhn_valid(digits) and len(set(digits)) > 1 and "card" in text.before(match.start(), 24)
        ):
            yield Span(*match.span(), "CREDIT_CARD", 1.0, "card")
    for match in _SSN.finditer(raw, start, end):
        if ssn_valid(match.group()):
            named = _SSN_WORDS.search(text.before(match.start(), 60)) is not None
            yield Span(*match.span(), "US_SSN", 1.0 if named else 0.75 if "-" in match.group() else 0.3, "ssn")
    yield from _phones(text, start, end)


def _phones(text: Text, start: int, end: int) -> Iterator[Span]:
    raw = text.raw
    lead = _lead(raw, start)
    if raw[lead : lead + 1] == "+":
        digits = sum(map(str.isdigit, raw[start:end]))
        if 8 <= digits <= 15 and end - lead <= 24:
            extension = _EXTENSION.match(raw, end)
            yield Span(
                lead, extension.end() if extension is not None else end, "PHONE_NUMBER", 0.9, "phone_international"
            )
            return
    for match in _NANP.finditer(raw, lead, end):
        extension = _EXTENSION.match(raw, match.end())
        stop = extension.end() if extension is not None else match.end()
        yield Span(match.start(), stop, "PHONE_NUMBER", 0.75, "phone_american")
    said = _said_phone(text, lead, end)
    for pattern in (_GROUPS, _PLAIN):
        for match in pattern.finditer(raw, start, end):
            score = _national(match.group(), said=said)
            if score:
                opened = lead if match.start() == start else match.start()
                yield Span(opened, match.end(), "PHONE_NUMBER", score, "phone_national")


def find_zips(text: Text) -> Iterator[Span]:
    """Zip codes that need no word: behind a state or a town, and those whose letters tell (British, Canadian)."""
    raw = text.raw
    for match in _FIVE.finditer(raw):
        if (
            raw[match.start() - 1 : match.start()] in _GAPS
            and _BEFORE_ZIP.search(raw, max(0, match.start() - 8), match.start()) is not None
        ):
            yield Span(*match.span(), "ZIP_CODE", 0.7, "zip_behind_place")
    for match in _AFTER_TOWN.finditer(raw):
        town = _TOWN.search(raw, max(0, match.start() - 48), match.start())
        if town is not None and not _NO_TOWN.intersection(town["name"].lower().split()):
            yield Span(*match.span(), "ZIP_CODE", 0.45, "zip_behind_town")
    for match in _LETTERS_END.finditer(raw):
        opened = _LETTERS_START.search(raw, max(0, match.start() - 5), match.start())
        if opened is not None and not joined(raw, opened.start()):
            yield Span(opened.start(), match.end(), "ZIP_CODE", 0.6, "zip_with_letters")


_GAPS = (" ", ",")
_FIVE = re.compile(r"[0-9]{5}(?:-[0-9]{4})?(?![\w\-]|[.,]\d)")
_AFTER_TOWN = re.compile(
    r"[0-9](?<= .)(?!(?<=[12])[09][0-9]{2}(?![0-9 \-]))"
    r"(?:[0-9]{3,4}(?:-[0-9]{3})?|[0-9]{2} [0-9]{2})(?![\w%:/]|[.,\-][0-9])"
)
_TOWN = re.compile(rf"\b(?:in|near|from) (?P<name>[{UPPER}][\w'\-]{{3,24}}(?: [\w'\-]{{1,24}}){{0,3}}) $")
_NO_TOWN = frozenset(
    words(
        "section chapter figure table page line lines port error version step python windows build issue ticket "
        "room rule code title article part volume season episode ubuntu debian model series class group item "
        "order flight january february march april june july august september october november december"
    )
)
_LETTERS_END = re.compile(r"[0-9](?<= .)(?:[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTV-Z][0-9])(?!\w)")
_LETTERS_START = re.compile(r"(?:[A-Z]{1,2}[0-9][0-9A-Z]?|[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z]) $")


def _lead(raw: str, start: int) -> int:
    """Where a number begins whose first digit is at `start`: with its plus and its bracket."""
    while start and raw[start - 1] in "(+" and start:
        start -= 1
    return start


def _said_phone(text: Text, start: int, end: int) -> bool:
    if text.raw[start : start + 1] == "(" and joined(text.raw, start):
        return False  # the argument of a function
    before = text.before(start, 48)
    if _PHONE_AFTER.search(text.after(end, 16)):
        return True
    return _PHONE_WORDS.search(before) is not None and _NOT_PHONE.search(before) is None


def _national(value: str, *, said: bool) -> float:
    """How surely a number without a country is a phone; 0: not. Dates and decimals are none."""
    digits = "".join(filter(str.isdigit, value))
    if not 7 <= len(digits) <= 15 or _DATE_LIKE.match(value) or value.count(".") == 1:
        return 0.0
    if said:
        return 0.7
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
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|"
    "LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|"
    "OK|OR|PA|PR|RI|SC|"
    "SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|AA|AE|AP"
)


_ID_VALUE = (
    r"(?i:(?: (?:number|no\.?|card))?(?: is|:|#)?[ \"']{1,2}(?"
    r"P<value>(?=[a-z.\-/ ]{0,4}\d)[a-z0-9][a-z0-9.\-/]{6,16}[a-z0-9])"
    r"(?![\w]))"
)


def _five_digits(value: str) -> bool:
    return sum(map(str.isdigit, value)) >= 5


_BEFORE_ZIP = re.compile(r"(?:\b(?:" + _STATES + r")[, ]{1,2}|[a-z], )$")


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
