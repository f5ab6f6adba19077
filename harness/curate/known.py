"""The values seen anywhere in a session, and where they stand again without a word that would tell what they are."""

import re
from collections.abc import Iterable, Set

from harness.config.pii import SECRET_KINDS
from harness.curate.pii.names import family_names, given_names
from harness.curate.pii.places import words
from harness.curate.pii.shadow import shadow
from harness.curate.pii.spans import Span
from harness.curate.surrogates.kinds import stays

__all__ = ["KnownValues", "tokens_of"]

_TOKEN = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[^\W\d_]+")
_JOINED = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)+")
"""`O'Connell` is looked for whole: neither half is a name."""
_SCORE = 0.5
_SURE_NAME = 0.8
_MOST = 5000
"""Values of a session; more are no session but a whole database in a prompt, whose fields tell by themselves."""
_LEAST = {
    "CREDIT_CARD": 12,
    "DATE_OF_BIRTH": 8,
    "EMAIL_ADDRESS": 6,
    "IBAN_CODE": 15,
    "PASSPORT": 7,
    "PHONE_NUMBER": 9,
    "STREET_ADDRESS": 8,
    "US_DRIVER_LICENSE": 7,
    "US_SSN": 9,
    "USER_ID": 5,
    "ZIP_CODE": 5,
    "MAC_ADDRESS": 12,
    "IP_ADDRESS": 7,
    "NATIONAL_ID": 8,
    "BANK_ACCOUNT": 8,
    "CRYPTO": 20,
    "LOCATION": 4,
    "PERSON": 3,
    "DOMAIN_NAME": 9,
    "ORGANIZATION": 5,
    **dict.fromkeys(SECRET_KINDS, 8),
}
"""Shortest value that is looked for again; kinds that are not here never are (an age, four digits of a card)."""
_NEEDS_DIGIT = frozenset(
    {"STREET_ADDRESS", "USER_ID", "ZIP_CODE", "PASSPORT", "US_DRIVER_LICENSE", "NATIONAL_ID", "BANK_ACCOUNT"}
)
_CAPITAL = frozenset({"LOCATION", "ORGANIZATION"})
_EVERYDAY = frozenset(
    words(
        "will may mark grace hope rose art bill jack chase drew grant page young long king day brown green "
        "white black gray grey price park bush wood west hill field stone banks cook baker may june april "
        "august summer autumn joy faith ruby amber crystal iris ivy lily daisy dean earl major duke prince "
        "bishop pope knight miles chance rich frank ernest buck ray rod dale glen heath holly ginger pearl "
        "jade gene guy max min dick pat sue rob nick josh harry bob sandy star sky chip norm van penny dawn "
        "eve christian angel jordan paris london austin dallas phoenix madison lincoln jackson washington "
        "houston charlotte chelsea florence virginia georgia carolina savannah sydney israel chad china "
        "america smith carter mason hunter taylor parker cooper turner walker fisher fox wolf bird lamb rice "
        "bean love best good new case cash bond church bell ball bridges brooks rivers lake forest moss reed "
        "bush branch berry cherry olive basil sage rosemary jasmine violet coral sterling silver gold diamond "
        "jewel gem royal noble power moody strong sharp swift savage wise bright light short small little "
        "free freeman johnson model test user admin agent customer order account name email address phone "
        "city state street card item product data type python java ada rust ruby julia perl swift django "
        "flask claude gemini haiku sonnet opus"
    )
)
"""Words that are names too: looked for again only within a full name."""


_NOT_PLACES = frozenset(
    words(
        "mobile reading orange bath nice home street city address order model test data online hall of "
        "unknown various central main"
    )
)


class KnownValues:
    """What one session holds. `version` changes whenever something is added."""

    def __init__(self, most: int = _MOST) -> None:
        self.version = 0
        self._most = most
        self._values: dict[str, tuple[str, float, str]] = {}
        self._by_first: dict[str, set[str]] = {}

    def add(self, value: str, kind: str, score: float) -> None:
        """Adds a value, and of a full name its parts; not what could be anything else where it stands alone."""
        self._one(value, kind, score)
        if kind == "PERSON":
            words = _NAME.findall(value)
            for word in dict.fromkeys((*words, *_JOINED.findall(value))) if len(words) > 1 else ():
                self._one(word, kind, max(score, _SURE_NAME))

    def kind_of(self, value: str, kind: str) -> str:
        """The kind that a value has in this session: the surest that was seen, so that it has one surrogate."""
        known = self._values.get(value.lower())
        return kind if known is None else known[0]

    def _one(self, value: str, kind: str, score: float) -> None:
        small = value.lower()
        known = self._values.get(small)
        if known is not None:
            if score > known[1] and kind != known[0]:
                self._values[small] = (kind, score, value)
                self.version += 1
            return
        if len(self._values) < self._most and score >= _SCORE and _alone(value, small, kind, score):
            tokens = _TOKEN.findall(small)
            if tokens:
                self._values[small] = (kind, score, value)
                self._by_first.setdefault(tokens[0], set()).add(small)
                self.version += 1

    def __bool__(self) -> bool:
        return bool(self._values)

    def about(self, text: str) -> "KnownValues":
        """The values that a text could hold: those that begin with one of its words."""
        found = KnownValues(self._most)
        for small in self._beginning(tokens_of(text)):
            found._values[small] = self._values[small]
            found._by_first.setdefault(_TOKEN.findall(small)[0], set()).add(small)
        return found

    def beginning(self, tokens: Set[str]) -> tuple[str, ...]:
        """The values, as they were written, that begin with one of some words in small letters; sorted."""
        return tuple(self._values[small][2] for small in sorted(self._beginning(tokens)))

    def _beginning(self, tokens: Set[str]) -> set[str]:
        return {small for token in tokens & self._by_first.keys() for small in self._by_first[token]}

    def find(self, text: str, found: Iterable[Span]) -> list[Span]:
        """The spans found, and in the gaps between them the known values, as whole words."""
        shade = shadow(text) if self._by_first else None
        if shade is None:
            return self._find(text, list(found))
        spans = list(found)
        more = self._find(shade.text, [shade.under(span) for span in spans])
        spans += [shade.span(span) for span in more if span.by == "known"]
        spans.sort(key=lambda span: span.start)
        return spans

    def _find(self, text: str, spans: list[Span]) -> list[Span]:
        small = text.lower()
        if not self._by_first or len(small) != len(text):
            return spans
        first = self._by_first.keys() & set(_TOKEN.findall(small))
        if not first:
            return spans
        candidates = sorted(
            (value for token in first for value in self._by_first[token]), key=lambda one: (-len(one), one)
        )
        taken = bytearray(len(text))
        for span in spans:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
        for value in candidates:
            kind, score, written = self._values[value]
            place = small.find(value)
            while place >= 0:
                end = place + len(value)
                if _stands(text, place, end, written, kind) and taken.find(1, place, end) < 0:
                    taken[place:end] = b"\1" * len(value)
                    spans.append(Span(place, end, kind, score, "known"))
                place = small.find(value, end)
        spans.sort(key=lambda span: span.start)
        return spans


def tokens_of(text: str) -> set[str]:
    """The words of a text, or of its shadow, in small letters."""
    shade = shadow(text)
    return set(_TOKEN.findall((text if shade is None else shade.text).lower()))


def _alone(value: str, small: str, kind: str, score: float) -> bool:
    """Whether a value is worth looking for where nothing tells what it is."""
    if (
        len(value) < _LEAST.get(kind, 1 << 30)
        or len(value) > 4096
        or "\n" in value
        or '"' in value
        or stays(kind, value)
    ):
        return False
    if kind in _NEEDS_DIGIT and not any(map(str.isdigit, value)):
        return kind == "USER_ID" and len(value) >= 8 and any(mark in value for mark in "._-@")
    if kind == "PERSON":
        return _name_alone(value, small, sure=score >= _SURE_NAME)
    if kind in _CAPITAL:
        return value[0].isupper() and small not in _NOT_PLACES
    return True


def _name_alone(value: str, small: str, *, sure: bool) -> bool:
    """sure: by its field, or part of a full name; a single word after `called` may be anything."""
    words = _NAME.findall(small)
    if any(map(str.isdigit, value)) or not words:
        return False
    if len(words) > 1:
        return not all(word in _EVERYDAY for word in words) or sure
    return small not in _EVERYDAY and (
        small in given_names() or small in family_names() or (sure and len(small) >= 5 and value[0].isupper())
    )


def _stands(text: str, start: int, end: int, written: str, kind: str) -> bool:
    """Whether it is a whole word, so written that it can be the value: towns, firms and single names with a capital.

    A single name in small letters has to be a listed one, or part of an id.
    """
    before, behind = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or behind.isalnum():
        return False
    seen = text[start:end]
    if kind in _CAPITAL:
        return seen[:1].isupper()
    if kind == "PERSON" and " " in written and all(word in _EVERYDAY for word in _NAME.findall(written.lower())):
        return seen in (written, written.upper())
    if kind == "PERSON" and " " not in written and not seen[:1].isupper():
        listed = seen in given_names() or seen in family_names()
        return (listed and len(seen) >= _SMALL_NAME) or before in _ID_MARKS or behind in _ID_MARKS
    return True


_SMALL_NAME = 4
_ID_MARKS = frozenset("_@")
