"""Words, digits and mixed ids in the same form under a key; what is composed of them stays composed of the same."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.curate.pii.names import family_names, given_names
from harness.curate.pii.places import STREET_WORDS, WEEKDAYS_MONTHS
from harness.curate.pii.places import words as listed
from harness.curate.surrogates.order import SecretOrder

__all__ = ["Words", "in_case_of", "refill"]

_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+")
_VOWELS = "aeiou"
_CONSONANTS = "bcdfghjklmnpqrstvwxyz"
_ALPHABETS = ("абвгдежзийклмнопрстуфхцчшщъыьэюяё", "αβγδεζηθικλμνξοπρστυφχψω")
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ORDINARY = frozenset(
    (*STREET_WORDS, *WEEKDAYS_MONTHS, *listed(
        "the and for are but not you all any can had her was one our out day get has him his how man new now "
        "old see two way who boy did its let put say she too use this that with have from they will what when "
        "make like time just know take into year your good some could them than then only come over also back "
        "work well even want give most true false null none"
    ))
)  # fmt: skip
_LONGEST = 64
_REMEMBERED = 20_000


class Words:
    """Surrogates of the parts that values are made of. The same part has the same surrogate wherever it stands.

    So a name, the e-mail address and the user id made of it stay made of one another, and what one call of an agent
    takes out of a line of text stays a piece of that line.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._orders: dict[str, SecretOrder] = {}
        self._known: dict[str, str] = {}

    def order(self, label: str) -> SecretOrder:
        """The secret order of one kind of number."""
        if label not in self._orders:
            self._orders[label] = SecretOrder(self._key, label)
        return self._orders[label]

    def phrase(self, text: str, keep: frozenset[str] = frozenset()) -> str:
        """A text with each word and each row of digits replaced, but for the words to keep (in small letters)."""
        return _TOKEN.sub(lambda match: match[0] if match[0].lower() in keep else self.token(match[0]), text)

    def token(self, token: str) -> str:
        """The surrogate of one word or of one row of digits."""
        known = self._known.get(token)
        if known is None:
            known = self.digits(token) if token[0] in _DIGITS else self._word(token)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[token] = known
        return known

    def digits(self, row: str, valid: Callable[[str], bool] | None = None, label: str = "digits") -> str:
        """A row of as many digits; a zero leads exactly where one led."""
        if len(row) > _LONGEST:
            return self.digits(row[:_LONGEST], valid, label) + self.digits(row[_LONGEST:], valid, label)
        width, led = len(row), row[0] == "0"

        def fits(number: int) -> bool:
            drawn = f"{number:0{width}d}"
            return (drawn[0] == "0") == led and (valid is None or valid(drawn))

        return f"{self.order(f'{label}{width}').after(int(row), 10**width, fits):0{width}d}"

    def mixed(self, text: str) -> str:
        """An id of digits and letters: each by another of its kind, in its case, marks left where they are."""
        plain = [char for char in text if char.isascii() and char.isalnum()]
        drawn = ""
        for start in range(0, len(plain), _LONGEST):
            drawn += self._mixed("".join(plain[start : start + _LONGEST]).lower())
        return refill(text, [in_case_of(old, new) for old, new in zip(plain, drawn, strict=True)])

    def _mixed(self, small: str) -> str:
        pools = [_DIGITS if char in _DIGITS else _LETTERS for char in small]
        return self._pooled(small, pools, "mixed", lambda drawn: (drawn[0] == "0") == (small[0] == "0"))

    def _word(self, word: str) -> str:
        small = word.lower()
        for label, names in _listed().items():
            place = names.places.get(small)
            if place is not None:
                return in_case_of(word, names.names[self.order(label).after(place, len(names.names))])
        return in_case_of(word, self._made_up(small))

    def _made_up(self, small: str) -> str:
        """A word that is in no list, of the same length, vowels for vowels."""
        if len(small) > _LONGEST:
            return self._made_up(small[:_LONGEST]) + self._made_up(small[_LONGEST:])
        split = [_split(char) for char in small]
        pools = [_pool(one[0]) for one in split]
        ordinary = small in _ORDINARY
        drawn = self._pooled(
            "".join(one[0] for one in split),
            pools,
            f"word{[len(one) - 1 for one in split]}",
            lambda made: not _is_listed(made) and (ordinary or made not in _ORDINARY),
        )
        return "".join(unicodedata.normalize("NFC", char + one[1:]) for char, one in zip(drawn, split, strict=True))

    def _pooled(self, text: str, pools: Sequence[str], label: str, valid: Callable[[str], bool]) -> str:
        number, n = 0, 1
        for char, pool in zip(text, pools, strict=True):
            number, n = number * len(pool) + pool.index(char), n * len(pool)
        sizes = ",".join(f"{pool[0]}{len(pool)}" for pool in pools)
        return _spelled(self.order(label + sizes).after(number, n, lambda one: valid(_spelled(one, pools))), pools)


def _spelled(number: int, pools: Sequence[str]) -> str:
    chars = []
    for pool in reversed(pools):
        number, place = divmod(number, len(pool))
        chars.append(pool[place])
    return "".join(reversed(chars))


@dataclass(frozen=True, slots=True)
class _List:
    names: tuple[str, ...]
    places: dict[str, int]


@lru_cache(maxsize=1)
def _listed() -> dict[str, _List]:
    """Given names, and family names that are no given ones; those with accents apart, as mail addresses have none."""
    found = {}
    for label, names in (("given", given_names()), ("family", family_names() - given_names())):
        for plain in (True, False):
            chosen = tuple(sorted(name for name in names if name.isascii() == plain))
            found[f"{label} {plain}"] = _List(chosen, {name: place for place, name in enumerate(chosen)})
    return found


def _is_listed(word: str) -> bool:
    return any(word in names.places for names in _listed().values())


def _split(char: str) -> str:
    """A Latin letter and its marks; another letter as it is."""
    parts = unicodedata.normalize("NFD", char)
    return parts if parts[0].isascii() else char


@lru_cache(maxsize=4096)
def _pool(char: str) -> str:
    """The letters that one may become: vowels, consonants, or those of its row of 128 in Unicode."""
    if char in _VOWELS:
        return _VOWELS
    if char in _CONSONANTS:
        return _CONSONANTS
    for letters in _ALPHABETS:
        if char in letters:
            return letters
    row = ord(char) & ~0x7F
    letters = "".join(one for one in map(chr, range(row, row + 128)) if one.isalpha() and one.lower() == one)
    return letters if char in letters else char


def in_case_of(original: str, drawn: str) -> str:
    """A word in the case of another: small, capital, or capital where that one is.

    >>> in_case_of("MIA", "zoe"), in_case_of("Mia", "josefine"), in_case_of("mcDonald", "abcdefgh")
    ('ZOE', 'Josefine', 'abCdefgh')
    """
    if original.islower():
        return drawn.lower()
    if original.isupper():
        return drawn.upper() if len(original) > 1 or len(drawn) == 1 else drawn.capitalize()
    if original[:1].isupper() and original[1:].islower():
        return drawn[:1].upper() + drawn[1:].lower()
    return "".join(
        new.upper() if place < len(original) and original[place].isupper() else new for place, new in enumerate(drawn)
    )


def refill(text: str, drawn: Sequence[str]) -> str:
    """A text whose ASCII letters and digits, in order, are those drawn."""
    fresh = iter(drawn)
    return "".join(next(fresh) if char.isascii() and char.isalnum() else char for char in text)
