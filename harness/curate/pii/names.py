"""Names of people without a model: by titles, by the words that announce a name, and by lists of names.

`data/given_names.txt` and `data/family_names.txt` hold the names that at least two of the country lists of Faker (MIT
licence) share, less those that are everyday English words.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files

from harness.curate.pii.places import STREET_WORDS, UPPER, WEEKDAYS_MONTHS, words
from harness.curate.pii.presence import Gate
from harness.curate.pii.recognizer import Text, joined, starting
from harness.curate.pii.spans import Span

__all__ = ["NAME_GATES", "family_names", "find_again", "find_names", "given_names"]

_CAP = rf"[{UPPER}](?:[^\W\d_]|(?<=[^\W\d_])['’\-](?=[^\W\d_])){{1,24}}"
_INITIAL = rf"[{UPPER}]\b\.?"
_PARTICLE = r"(?:de|da|do|dos|van|von|der|den|del|della|di|bin|al|el|la|le|ten|ter)"
_ROW = re.compile(rf"{_CAP}(?:[ ](?:{_PARTICLE} ){{0,2}}(?:{_CAP}|{_INITIAL})){{0,4}}(?![\w@(\[/=\\]|\.\w|::)")
_LETTERS = re.compile(r"[\W\d_]")
_CAPITAL_RUN = re.compile(rf"[{UPPER}][^\W\d_]*")
_SINGLE = re.compile(r"[^\W\d_][\w'’\-]*\.?")
_TITLE = re.compile(
    r"(?P<title>Mrs?\.?|Ms\.?|Miss|Mme|Madam|mrs?\.|ms\.|Dr\.?"
    r"|dr\.|Prof(?:essor|\.)?|Rev\.|Hon\.|Capt\.|Lt\.|Sgt\.|"
    r"Sir|Señora?|Sra?\.|Herrn?|Frau|Monsieur|Madame|Signora?|Senhora?|Mevrouw|Meneer)"
    rf" (?P<name>(?:{_CAP}|{_INITIAL})(?: (?:{_PARTICLE} )?(?:{_CAP}|{_INITIAL})){{0,3}})"
)
_TOLD = re.compile(
    r"(?:name(?: is|'s|:|\?| was| on (?:the|my) account(?: is|\? user:)| in the account is|d (?:him|her|it))"
    r"|passenger(?: \d{1,2})?:|customer:|patient:|contact:|recipient:|guest:|attendee:|cardholder:"
    r"|calls (?:me|him|her)|call (?:me|him|her|myself)|called|"
    r"this is|i am|i'm|under (?:the name(?: of)?|my [\w' ]{0,20}name)"
    r"|speaking with"
    r"|dear|hi|hello|hey|regards,|sincerely,|best,|thanks,|follow up with"
    r"|my (?:kid|son|daughter|wife|husband|brother|sister|"
    r"mother|father|friend|boss|partner|colleague)(?:'s name)"
    r"?(?: is)?"
    r"|mein name ist|ich hei(?:ß|ss)e|je m[’']appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome è"
    r"|meu nome é|me chamo|chamo-me|ik heet|mijn naam is)"
    r"(?:\*\*)?[ \t*\"'\n]{1,4}(?:mr\.? |mrs\.? |ms\.? |dr\.? )?"
)
_TOLD_FIRST = (
    "name",
    "passenger",
    "customer:",
    "patient:",
    "contact:",
    "recipient:",
    "guest:",
    "attendee:",
    "cardholder:",
    "call",
    "this is",
    "i am",
    "i'm",
    "under ",
    "speaking with",
    "dear ",
    "hi ",
    "hello ",
    "hey ",
    "regards,",
    "sincerely,",
    "best,",
    "thanks,",
    "follow up with",
    "my ",
    "mein name ist",
    "ich hei",
    "je m",
    "mon nom est",
    "me llamo",
    "mi nombre es",
    "mi chiamo",
    "il mio nome",
    "meu nome",
    "me chamo",
    "chamo-me",
    "ik heet",
    "mijn naam is",
)
_TOLD_SMALL = re.compile(r"(?:name is|name's|call(?:s|ed)? (?:me|him|her)|follow up with|\bmy name:)$")
_FULL = re.compile(rf"{_CAP}(?: (?:{_PARTICLE} ){{0,2}}(?:{_CAP}|{_INITIAL})){{0,3}}")
_FULL_SMALL = re.compile(r"[^\W\d_]{3,20}(?: [^\W\d_]{3,20})?(?=[.,!?\n]|$| and\b| from\b| in\b)")
_ID_END = re.compile(r"[0-9](?<=[a-z_.][0-9])[0-9]{0,5}(?![\w@])")
_ID_START = re.compile(r"(?<![\w@./\-])(?P<first>[a-z]{2,15})[_.](?P<last>[a-z]{2,20})[_.]?$")

NAME_GATES: dict[str, Gate] = {
    "title": Gate(_TITLE.pattern),
    "told_name": Gate(f"(?i:{_TOLD.pattern})[{UPPER}]"),
    "told_name_small": Gate(rf"(?i:{_TOLD_SMALL.pattern})[\s*\"']+[^\W\d_]{{3}}"),
    "id_of_names": Gate(_ID_START.pattern + _ID_END.pattern),
}
"""What must be in a text for each way to tell a name but the lists. (Edges as `$` do not count in a gate.)"""

_COMMON = frozenset(
    (
        *STREET_WORDS,
        *WEEKDAYS_MONTHS,
        *words(
            "the a an i you he she it we they this that these "
            "those and or but if then so as at in on of to for "
            "from with by not no yes ok okay "
            "sorry sure thanks thank please hello hi hey dear "
            "what who when where why how which is are was were "
            "be been can could would should "
            "will may might do does did have has had let just "
            "still here there now well also after before your "
            "my his her its our their all any "
            "inc llc ltd corp company group university college "
            "school hospital airport airlines bank hotel restaurant "
            "city county state country "
            "north south east west new old great united saint "
            "san los las order orders return exchange account "
            "customer user agent assistant "
            "credit card gift visa mastercard american express "
            "paypal mr mrs ms dr sir madam prof yours email phone "
            "address zip code payment "
            "item items flight flights reservation gold silver "
            "economy business basic type error warning exception "
            "none true false note "
            "sorry unable looking trying going calling having "
            "glad happy afraid interested ready based currently "
            "experiencing using traveling "
            "good morning afternoon evening everyone team support "
            "everybody all there folks again back being currently "
            "only one"
        ),
    )
)


_NAMES_TOO = frozenset(words("will may april june august"))
"""Names among the common words, where somebody says that it is one and another name follows."""
_OWN_NAME = re.compile(r"name(?: is|'s|:)[\s*\"']*$")
_OWNS = re.compile(r"['’]s$")


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    """Given names in small letters."""
    return _names("given_names.txt")


@lru_cache(maxsize=1)
def family_names() -> frozenset[str]:
    """Family names in small letters."""
    return _names("family_names.txt")


@lru_cache(maxsize=1)
def _first_names() -> frozenset[str]:
    """Given names that are no common words."""
    return given_names() - _COMMON


@lru_cache(maxsize=1)
def _first_runs() -> frozenset[str]:
    """The letters that such a name begins with, up to a hyphen or an apostrophe."""
    return frozenset(_LETTERS.split(name, maxsplit=1)[0] for name in _first_names())


def _names(file: str) -> frozenset[str]:
    return frozenset((files("harness.curate.pii") / "data" / file).read_text(encoding="utf-8").split())


def find_names(text: Text) -> Iterator[Span]:
    """Names with a title, announced names, rows of capital words from a known name on, and ids made of names."""
    for match in _TITLE.finditer(text.raw) if text.may("title") else ():
        if not joined(text.raw, match.start()) and match.group("name").split()[0].lower().rstrip(".") not in _COMMON:
            yield Span(*match.span("title"), "TITLE", 0.7, "title")
            yield Span(*match.span("name"), "PERSON", 0.8, "titled_name")
    told = text.may("told_name") or text.may("told_name_small")
    for match in starting(_TOLD, _TOLD_FIRST, text.small) if told else ():
        if not joined(text.raw, match.start(), "-"):
            yield from _told(text, match)
    yield from _rows(text)
    for digits in _ID_END.finditer(text.raw) if text.may("id_of_names") else ():
        opened = _ID_START.search(text.raw, max(0, digits.start() - 40), digits.start())
        if opened is not None and (opened["first"] in given_names() or opened["last"] in family_names()):
            yield Span(opened.start(), digits.end(), "USER_ID", 0.7, "id_of_names")


def _rows(text: Text) -> Iterator[Span]:
    """Names from the lists."""
    if _first_runs().isdisjoint(map(str.lower, _CAPITAL_RUN.findall(text.raw))):
        return
    first_names = _first_names()
    for match in _ROW.finditer(text.raw):
        if first_names.isdisjoint(match[0].lower().split()):
            continue  # nearly all: every sentence begins with a capital
        if not joined(text.raw, match.start(), "_@/\\#$.<-"):
            yield from _row(match)


_MOST_PARTS = 300
"""A text that names more people is a list, in which each stands in full."""


def find_again(text: Text, people: Sequence[Span]) -> Iterator[Span]:
    """The parts of full names where they stand alone: whom a text names once it names by the family name after."""
    parts: dict[str, float] = {}
    for person in people:
        words = _SINGLE.findall(text.raw[person.start : person.end])
        if len(words) > 1:
            parts |= {
                word: min(person.score, 0.55)
                for word in words
                if len(word) > 2 and word[0].isupper() and word.lower() not in _COMMON
            }
    for word, score in list(parts.items())[:_MOST_PARTS]:
        start = text.raw.find(word)
        while start >= 0:
            end = start + len(word)
            if not joined(text.raw, start) and not text.raw[end : end + 1].isalnum():
                yield Span(start, end, "PERSON", score, "named_before")
            start = text.raw.find(word, end)


def _told(text: Text, match: re.Match[str]) -> Iterator[Span]:
    name = _FULL.match(text.raw, match.end())
    if name is not None:
        parts = [word.lower() for word in name.group().split()]
        weak = (
            re.search(
                r"(?:i'm|i am|this is|passenger|customer|contact|hi|hello|hey|dear)[\s*\"']*$|:\W*$", match.group()
            )
            is not None
        )
        known = parts[0] in given_names() or len(parts) > 1
        if _OWN_NAME.search(match.group()) and parts[0] in _NAMES_TOO and len(parts) > 1:
            yield Span(*name.span(), "PERSON", 0.8, "told_name")
        elif parts[0] not in _COMMON and (known or not weak):
            yield Span(*name.span(), "PERSON", 0.7 if known else 0.5, "told_name")
        return
    if _TOLD_SMALL.search(match.group().rstrip(" \t*\"'")):
        small = _FULL_SMALL.match(text.raw, match.end())
        if small is not None and not any(word in _COMMON for word in small.group().lower().split()):
            yield Span(*small.span(), "PERSON", 0.5, "told_name")


def _row(match: re.Match[str]) -> Iterator[Span]:
    """The person in a row of capital words: from the first known given name on, four words at most."""
    words = list(_SINGLE.finditer(match.group()))
    given, family = given_names(), family_names()
    for place, word in enumerate(words):
        first = word.group().lower()
        if first not in _first_names():
            continue
        if word.group().isupper() and not _both_upper(words, place):
            continue
        last = place
        while (
            last + 1 < len(words)
            and last - place < 3
            and not _OWNS.search(words[last].group())
            and words[last + 1].group().lower().rstrip(".") not in _COMMON
        ):
            last += 1
        surname = words[last].group().lower()
        score = 0.45 if last == place else 0.75 if surname in family or surname in given else 0.6
        base, tail = match.start(), 2 * (_OWNS.search(words[last].group()) is not None)
        yield Span(base + word.start(), base + words[last].end() - tail, "PERSON", score, "known_name")
        return


def _both_upper(words: Sequence[re.Match[str]], place: int) -> bool:
    """Whether a given name in capitals has a listed family name in capitals behind it: `JOHN SMITH`, not `MAX SIZE`."""
    behind = words[place + 1].group() if place + 1 < len(words) else ""
    return behind.isupper() and len(behind) > 2 and behind.lower() in family_names()
