"""Street addresses of many countries, with flat, town, state and zip behind them as spans of their own.

Apart, because an agent's tool takes them apart: the street that the user writes in one line must stay equal to the
`address1` of the call.
"""

import re
from collections.abc import Iterator

from harness.curate.pii.places import (
    COUNTRIES,
    STREET_BEFORE,
    STREET_ENDS,
    STREET_WORDS,
    UPPER,
    US_STATES,
    WEEKDAYS_MONTHS,
    words,
)
from harness.curate.pii.presence import Gate
from harness.curate.pii.recognizer import Text, joined, starting
from harness.curate.pii.spans import Span

__all__ = ["ADDRESS_GATES", "find_addresses"]

_CAP = rf"(?:[{UPPER}][\w'’.\-]{{0,24}})"
_SMALL_WORD = (
    r"(?:de|da|do|dos|das|del|della|delle|di|la|le|les|los|las|"
    r"el|du|des|van|der|den|von|am|an|im|zur|zum|of|the|y|e|i|"
    r"a|og)"
)
_NAME = rf"(?:{_CAP}(?: (?:{_SMALL_WORD} ){{0,2}}{_CAP}){{0,3}})"
_NAME_SMALL = r"(?:[^\W\d_][\w'’.\-]{0,24}(?: [^\W\d_][\w'’.\-]{0,24}){0,3})"
_NAME_SMALL_1 = r"(?:[^\W\d_][\w'’.\-]{1,24}(?: [A-ZÀ-Þ][\w'’.\-]{0,24}){0,2})"
_NUMBER = r"[0-9]{1,6}[A-Za-z]?(?:[\-/][0-9]{1,4}[A-Za-z]?)?"
_TAIL_NUMBER = r"[0-9]{0,5}[A-Za-z]?(?:[\-/][0-9]{1,4}[A-Za-z]?)?"
_EDGE = "_#$€£.,:/-"
_UNIT = (
    r"(?:(?:apt|apartment|suite|ste|unit|flat|floor|fl|room|"
    r"rm|bldg|building|lot|trailer|dept)\b\.?,? ?#?\d{1,5}[a-z]?"
    r"(?![\w])|"
    r"#\d{1,5}[a-z]?(?![\w])|unit \d{1,5},? box \d{1,6}|box \d{1,6}(?![\w]))"
)
_STREET_WORD = "(?:" + "|".join(sorted(STREET_WORDS, key=len, reverse=True)) + r")\b\.?"

_AMERICAN = re.compile(
    rf"[0-9]{_TAIL_NUMBER} (?:{_NUMBER} )?(?:(?:[NSEW]|NE|NW|SE|SW|North|South|East|West)\.? )?"
    rf"(?:{_CAP} |\d{{1,3}}(?:st|nd|rd|th) ){{1,4}}(?i:{_STREET_WORD})(?![\w\-])|"
    rf"[0-9]{_TAIL_NUMBER} (?:{_NUMBER} )?(?:Broadway|Avenue [A-Z]\b|(?:Highway|Route|Hwy|Rt) \d{{1,4}})"
)
_NUMBER_WORDS_NUMBER = re.compile(
    rf"[0-9][0-9]{{0,5}} (?P<middle>(?:[0-9]{{1,5}} )?{_NAME}(?"
    rf":,? {_CAP})?) [0-9]{{1,5}}(?:(?!s)[a-z])?\b\.?(?![\w%:/\-]|"
    rf"[.,]\d)"
)
_FRENCH = re.compile(
    rf"[0-9]{_TAIL_NUMBER} (?:{_NUMBER} )?(?i:rue|avenue|av\.|"
    rf"boulevard|bd|allée|chemin|impasse|quai|route|place|cours|"
    rf"square) (?:{_SMALL_WORD} |d'|l'){{0,3}}{_NAME_SMALL_1}"
)
_FRENCH_WORDS = (
    " rue ",
    " avenue",
    " av. ",
    " boul",
    " bd ",
    " all",
    " chemin",
    " impasse",
    " quai",
    " route",
    " place",
    " cours",
    " square",
)
_MILITARY = re.compile(
    r"\b(?:PSC \d{1,6},? Box \d{1,6}|Unit \d{1,6},? Box \d{1,6}|"
    r"(?:USS|USNS|USNV|USCGC) \w{2,24})[\s,]{1,3}(?:APO|FPO|"
    r"DPO),? (?:AA|AE|AP) \d{5}(?:-\d{4})?"
)
_BOX = re.compile(r"box #?[0-9]{1,7}(?!\w)")
_BOX_OF = re.compile(r"(?:p\.? ?o\.? ?|post ?|post office |post-)$")
_HOUSE = re.compile(r"[ \n][0-9]{1,5}[a-zA-Z]?(?!\w|[:%/]|[.,\-]\d)")
_BEFORE = re.compile(
    r"(?:^|[^\w])(?P<street>(?:"
    + "|".join(sorted({re.escape(word) for word in STREET_BEFORE}, key=len, reverse=True))
    + r") "
    rf"(?:{_SMALL_WORD} |dell'|d'|l'){{0,3}}{_NAME_SMALL},?(?: n[º°.]{{0,2}})?)$"
)
_SAID = re.compile(
    r"(?:address(?:es)?(?: is| are|:|=| to| at| on file is)"
    r"?|live[sd]? (?:at|on|in)|living (?:at|on|in)|reside[sd]?"
    r" (?:at|on|in)|stay(?:s|ing)? (?:at|on)|located (?:at|"
    r"on|in)|"
    r"office(?:s are| is)(?: located)? (?:at|on|in)|restaurant "
    r"is (?:at|on)|house is (?:at|on)|shop is (?:at|on)|store "
    r"is (?:at|on)|hotel is (?:at|on)|station is (?:at|on)"
    r"|"
    r"ship(?:ped)?(?: \w+){0,3} to|sen[dt](?: \w+){0,3} to|"
    r"deliver(?:ed)?(?: \w+){0,3} (?:to|at)|mail(?:ed)?(?: "
    r"\w+){0,3} to|return to|taxi to|ride to|moved? to|"
    r"meet(?:ing)?(?: \w+){0,2} at|side of|arrived at|you "
    r"off at|stop(?:ped)? at|corner of|enter on|it(?:'s| is)"
    r" in|here they are:)[\s:\"'*]{1,4}(?:the corner of )?"
)
_SAID_FIRST = (
    "address",
    "live",
    "living ",
    "reside",
    "stay",
    "located ",
    "office",
    "restaurant is",
    "house is",
    "shop is",
    "store is",
    "hotel is",
    "station is",
    "ship",
    "send ",
    "sent ",
    "deliver",
    "mail",
    "return to",
    "taxi to",
    "ride to",
    "move",
    "meet",
    "side of",
    "arrived at",
    "you off at",
    "stop",
    "corner of",
    "enter on",
    "it's in",
    "it is in",
    "here they are:",
)
_SAID_VALUE = re.compile(
    rf"(?:[0-9]{{1,6}}[a-zA-Z]? ){{0,2}}{_NAME} (?:[0-9]{{1,5}}[a-zA-Z]?"
    rf"\b\.?(?: and {_NAME}(?: [0-9]{{1,5}}\b)?)?|(?i:{_STREET_WORD})"
    rf"(?: and {_NAME})?)|"
    rf"{_NAME} and {_NAME} [0-9]{{1,5}}\b\.?|{_NAME} (?:{_CAP} )?and {_NAME} (?i:{_STREET_WORD})|"
    rf"[0-9]{{1,6}} (?:{_CAP} ){{1,4}}(?=[,\n]|apt|suite)|"
    rf"[0-9]{{1,6}} [^\W\d_]{{3,20}}(?: [^\W\d_]{{2,20}}){{0,2}} "
    rf"[0-9]{{1,5}}\b|(?i:[^\W\d_]{{3,20}} {_STREET_WORD})(?"
    rf"= and|[.,\n])"
)
_CORNER = re.compile(
    rf"corner of (?P<value>(?:[0-9]{{1,6}} )?[^\W\d_][\w'’.\-]{{1,24}}(?"
    rf": (?!and )[^\W_][\w'’.\-]{{0,24}}){{0,5}} and (?:[0-9]{{1,6}} "
    rf")?(?:{_NAME}(?: [0-9]{{1,5}}\b\.?)?|[^\W_][\w'’.\-]{{1,24}}(?"
    rf": \w{{2,24}})?))"
)
_MORE_UNIT = re.compile(rf"[,\s>?]{{0,8}}(?P<unit>{_UNIT})", re.IGNORECASE)
_WORLD = (
    r"(?:[A-Z][a-z]+ \([A-Za-z]+\)|"
    + "|".join(sorted({re.escape(name) for name in (*COUNTRIES, *US_STATES)}, key=len, reverse=True))
    + ")"
)
_TAIL = re.compile(
    rf"(?:[,\s>?]{{1,8}}(?P<city>[^\W\d_][\w'’.\-]{{1,24}}(?: [^\W\d_][\w'’.\-]{{0,24}}){{0,3}}?))?"
    rf"(?:[,\s>?]{{1,8}}(?P<state>(?-i:[A-Z]{{2,3}})\b|nan\b|[a-z]{{2}}(?=,? \d)|\d{{2}}(?=\s)|{_WORLD}))?"
    rf"(?:[,\s>?]{{1,8}}(?P<country>{_WORLD}))?"
    rf"[,\s>?]{{1,8}}(?P<zip>\d{{5}}(?:-\d{{4}})?|\d{{4}}(?"
    rf": ?[A-Z]{{2}})?|\d{{2}}-\d{{3}}|\d{{3}} \d{{2}}|\d{{6}})"
    rf"(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
_TAIL_COUNTRY = re.compile(
    rf"[,\s>?]{{1,8}}(?P<city>{_NAME})[,\s>?]{{1,8}}(?P<country>(?"
    rf"i:{_WORLD}))\b|[,\s]{{1,6}}(?P<town>{_NAME}),? (?P<state>[A-Z]{{2}}\b|"
    rf"nan\b)"
)
_CLOCK = frozenset(WEEKDAYS_MONTHS)
_NO_STREET = frozenset(
    words("version python step figure table page chapter section windows item line level phase part round top")
)


def find_addresses(text: Text) -> Iterator[Span]:
    """Streets with house numbers, boxes, flats, and what stands behind them."""
    has_digit = _DIGIT.search(text.raw) is not None
    streets = [*_said(text), *_streets(text)] if has_digit else list(_said(text))
    yield from streets
    for span in streets:
        yield from _behind(text, span.end)
        yield from _above(text.raw, span.start)


_DIGIT = re.compile(r"[0-9]")
_UNIT_WORDS = ("apt", "apt.", "apartment", "suite", " ste", " ste.", " flat")
_END_WORDS = (*STREET_ENDS, " u.")

ADDRESS_GATES: dict[str, Gate] = {
    "street": Gate(_AMERICAN.pattern),
    "street_french": Gate(_FRENCH.pattern),
    "street_between_numbers": Gate(_NUMBER_WORDS_NUMBER.pattern),
    "street_by_ending": Gate(f"(?i:{'|'.join(map(re.escape, (*_UNIT_WORDS, *_END_WORDS)))}){_HOUSE.pattern}"),
    "street_by_beginning": Gate(f"(?i:{_BEFORE.pattern}){_HOUSE.pattern}"),
    "military": Gate(_MILITARY.pattern),
    "box": Gate(_BOX_OF.pattern + _BOX.pattern, small=True),
    "corner": Gate(_CORNER.pattern),
    "said": Gate(f"(?i:{_SAID.pattern})(?:{_SAID_VALUE.pattern})"),
}
"""What must be in a text for each finder of streets. (Edges as `$` do not count in a gate.)"""


def _streets(text: Text) -> Iterator[Span]:
    for match in _AMERICAN.finditer(text.raw) if text.may("street") else ():
        if not joined(text.raw, match.start(), _EDGE):
            yield _street(*match.span(), 0.85, "street")
    french = text.may("street_french") and any(word in text.small for word in _FRENCH_WORDS)
    for match in _FRENCH.finditer(text.raw) if french else ():
        if not joined(text.raw, match.start(), _EDGE):
            yield _street(*match.span(), 0.75, "street_by_beginning")
    for match in _NUMBER_WORDS_NUMBER.finditer(text.raw) if text.may("street_between_numbers") else ():
        parts = match.group("middle").lower().replace(".", "").split()
        if not joined(text.raw, match.start(), _EDGE) and _is_street(match.group(), parts):
            yield _street(*match.span(), 0.55, "street_between_numbers")
    yield from _boxes(text)
    if text.may("street_by_ending") or text.may("street_by_beginning"):
        yield from _by_house_number(text)


def _is_street(value: str, parts: list[str]) -> bool:
    """Whether words between two numbers can be a street: four digits in all, no month, no numbered thing."""
    return sum(map(str.isdigit, value)) >= 4 and not _CLOCK.intersection(parts) and parts[0] not in _NO_STREET


def _boxes(text: Text) -> Iterator[Span]:
    if text.may("military") and "po " in text.small:
        for match in _MILITARY.finditer(text.raw):
            yield _street(*match.span(), 0.95, "military")
    for match in _BOX.finditer(text.small) if text.may("box") else ():
        opened = _BOX_OF.search(text.small, max(0, match.start() - 12), match.start())
        if opened is not None:
            yield _street(opened.start(), match.end(), 0.8, "box")


def _by_house_number(text: Text) -> Iterator[Span]:
    """Streets whose house number stands behind the name, as on most of the continent, and flats by number."""
    for match in _HOUSE.finditer(text.raw):
        start = match.start()
        last = text.raw[start - 1 : start]
        if not last.isalpha() and last not in {".", ","}:
            continue
        before = text.small[max(0, start - 12) : start]
        if before.endswith(_UNIT_WORDS):
            word = start - len(before.split()[-1])
            yield _street(word, match.end(), 0.5, "unit")
        elif before.endswith(_END_WORDS):
            begin = _word_start(text.raw, start)
            if text.raw[begin : begin + 1].isupper() or text.raw[begin : begin + 1].isdigit():
                yield _street(begin, match.end(), 0.6, "street_by_ending")
        else:
            opened = _BEFORE.search(text.small, max(0, start - 48), start)
            if opened is not None:
                yield _street(
                    _number_before(text.raw, opened.start("street")), match.end(), 0.75, "street_by_beginning"
                )


def _street(start: int, end: int, score: float, by: str) -> Span:
    return Span(start, end, "STREET_ADDRESS", score, by)


def _word_start(raw: str, place: int) -> int:
    """Where a street begins whose name ends at `place`: with its capital words and a number before them."""
    start = place - 3 if raw[max(0, place - 3) : place] == " u." else place
    if raw[max(0, start - 12) : start].lower().endswith(_END_WORDS) and not raw[start - 1 :].startswith("."):
        last = raw.rfind(" ", max(0, start - 12), start)
        if last > 0 and raw[last + 1 : start].islower():
            start = last
    for _ in range(3):
        begin = start
        while begin and start - begin < 30 and (raw[begin - 1].isalpha() or raw[begin - 1] in "'’-"):
            begin -= 1
        if begin == start or not raw[begin].isupper():
            break
        start = begin
        if begin < 2 or raw[begin - 1] != " " or not raw[begin - 2].isalpha():
            break
        start = begin - 1
    while start < place and raw[start] == " ":
        start += 1
    return _number_before(raw, start)


def _number_before(raw: str, start: int) -> int:
    match = _TRAILING_NUMBER.search(raw[max(0, start - 8) : start])
    return start - len(match.group()) if match else start


_TRAILING_NUMBER = re.compile(r"(?<![\d\w.,])[0-9]{1,6} $")


def _said(text: Text) -> Iterator[Span]:
    """What follows words that announce an address."""
    for match in _CORNER.finditer(text.raw) if text.may("corner") else ():
        yield _street(*match.span("value"), 0.75, "corner")
    for match in starting(_SAID, _SAID_FIRST, text.small) if text.may("said") else ():
        if joined(text.raw, match.start()):
            continue
        value = _SAID_VALUE.match(text.raw, match.end())
        if value is None:
            continue
        parts = value.group().lower().split()
        if not _CLOCK.intersection(parts) and not _NO_STREET.intersection(parts):
            yield _street(*value.span(), 0.65, "said")


_BLOCK_EDGE = " \t>?|*"
_NAME_LINE = re.compile(r"[^\W\d_][^\d\n:;!?@/\\{}()\[\]<>=_\"]{1,50}")


def _above(raw: str, start: int) -> Iterator[Span]:
    """The lines over a street that begins its line: on a letter the addressee, their post and their firm."""
    begin = raw.rfind("\n", 0, start) + 1
    if raw[begin:start].strip(_BLOCK_EDGE):
        return
    for _ in range(3):
        end = begin - 1
        begin = raw.rfind("\n", 0, max(end, 0)) + 1
        line = raw[begin : max(end, begin)].strip(_BLOCK_EDGE)
        if not line:
            if raw[begin : max(end, begin)].strip() or end <= 0:
                return
            continue
        if _NAME_LINE.fullmatch(line) is None or line[-1] in ".," or line.count(" ") > 5 or not line[0].isupper():
            return
        place = raw.index(line, begin)
        person = " " in line and all(word[0].isupper() for word in line.split())
        yield Span(place, place + len(line), "PERSON" if person else "ORGANIZATION", 0.42, "letterhead")


def _behind(text: Text, end: int) -> Iterator[Span]:
    """Flat, town, state, country and zip that follow a street."""
    for _ in range(3):
        unit = _MORE_UNIT.match(text.raw, end)
        if unit is None:
            break
        yield Span(*unit.span("unit"), "STREET_ADDRESS", 0.8, "unit")
        end = unit.end()
    tail = _TAIL.match(text.raw, end) or _TAIL_COUNTRY.match(text.raw, end)
    if tail is None:
        return
    for part, kind in (
        ("city", "LOCATION"),
        ("town", "LOCATION"),
        ("state", "LOCATION"),
        ("country", "LOCATION"),
        ("zip", "ZIP_CODE"),
    ):
        if part in tail.re.groupindex and tail.group(part):
            yield Span(*tail.span(part), kind, 0.7, "address_tail")
