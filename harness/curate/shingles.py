"""What a call says as a set of hashed runs of three words, made once for each message, template left out."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.curate.asking import plain_text
from harness.curate.entry import Entry
from harness.curate.spool import Spool

__all__ = ["Hashes", "Shingles", "jaccard", "message_runs", "shingle"]

Hashes = NDArray[np.uint32]
"""Sorted, each once."""

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_RUN: Final = 3
_NONE: Final[Hashes] = np.empty(0, np.uint32)
_LONG: Final = 200
"""Words from which on a user's message may be a prompt template with something filled in."""
_MOST_UNITS: Final = 2000
"""Sessions of an agent that its template is learnt from."""
_LEAST_SESSIONS: Final = 3
_REMEMBERED: Final = 1 << 16
"""Messages whose sets are in memory."""


def shingle(text: str, role: str) -> Hashes:
    """The runs of three words of a text, hashed to 32 bits; of a shorter one, the whole. The role is the first word.

    >>> len(shingle("a b c d", "user")), len(shingle("", "user"))
    (3, 1)
    """
    words = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text)]
    hashed = np.array([zlib.crc32(role.encode()), *words], np.uint64)
    if len(hashed) < _RUN:
        hashed = np.concatenate([hashed, np.zeros(_RUN - len(hashed), np.uint64)])
    runs = hashed[:-2] * np.uint64(0x9E3779B97F4A7C15) + hashed[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F) + hashed[2:]
    runs ^= runs >> np.uint64(29)
    runs *= np.uint64(0xBF58476D1CE4E5B9)
    return np.unique((runs >> np.uint64(32)).astype(np.uint32))


def message_runs(message: Mapping[str, Any]) -> tuple[bool, Hashes]:
    """Whether a message may be a prompt template with something filled in, and its runs, template among them."""
    role = str(message.get("role"))
    text = [plain_text(message.get("content"))]
    text += [f"{call.get('name')} {call.get('arguments')}" for call in message.get("tool_calls") or ()]
    hashes = shingle("\n".join(text), role)
    return role == "system" or (role == "user" and len(hashes) >= _LONG), hashes


def jaccard(one: Hashes, other: Hashes) -> float:
    """Shared over all, of two sets; 1 for two empty ones."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    if not len(short):
        return 0.0 if len(long) else 1.0
    found = np.minimum(np.searchsorted(long, short), len(long) - 1)
    both = int(np.count_nonzero(long[found] == short))
    return both / (len(one) + len(other) - both)


class Shingles:
    """The sets of messages and calls.

    Runs of words in system prompts, and in long user messages, that many sessions of one agent have are its template
    and are left out: with them any two calls of an agent would look alike. A tool list counts as one run.
    """

    def __init__(
        self,
        spool: Spool,
        entries: Sequence[Entry],
        template_frac: float,
        made: Callable[[int], tuple[bool, Hashes]] | None = None,
    ) -> None:
        """made: gives `message_runs` of the message at a place, where they are made already."""
        self._spool = spool
        self._made = made or (lambda place: message_runs(spool.value(place)))
        self._raw: dict[int, tuple[bool, Hashes]] = {}
        self.template = self._learn(entries, template_frac)
        self._raw.clear()
        self.message = lru_cache(maxsize=_REMEMBERED)(self._message)
        self.of_call = lru_cache(maxsize=2048)(self._of_places)

    def _message(self, place: int) -> Hashes:
        """The set of a message, without what is template."""
        maybe_template, hashes = self._made(place)
        if maybe_template and len(self.template):
            return hashes[~np.isin(hashes, self.template, assume_unique=True)]
        return hashes

    def places(self, entry: Entry) -> tuple[int, ...]:
        """What the set of a call is made of: its distinct messages, and its tools, as -2 - place."""
        places = sorted(set(entry.messages))
        return (*places, -2 - entry.tools) if entry.tools >= 0 else tuple(places)

    def part(self, place: int) -> Hashes:
        """The set of one of `places`."""
        if place < 0:
            return np.array([zlib.crc32(self._spool.data(-2 - place))], np.uint32)
        return self.message(place)

    def _of_places(self, places: tuple[int, ...]) -> Hashes:
        parts = [self.part(place) for place in places]
        return np.unique(np.concatenate(parts)) if parts else _NONE

    def _learn(self, entries: Iterable[Entry], frac: float) -> Hashes:
        prompts: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for entry in entries:
            units = prompts[entry.agent or ""]
            if entry.unit in units or len(units) < _MOST_UNITS:
                units[entry.unit].update(self._prompts(entry))
        found = [self._template_of(units.values(), frac) for units in prompts.values()]
        return np.unique(np.concatenate(found)) if found else _NONE

    def _prompts(self, entry: Entry) -> list[int]:
        places = []
        for place in entry.messages[:3]:
            if place not in self._raw:
                self._raw[place] = self._made(place)
            if self._raw[place][0]:
                places.append(place)
        return places

    def _template_of(self, units: Iterable[set[int]], frac: float) -> Hashes:
        alike = Counter(frozenset(places) for places in units)
        sessions = alike.total()
        least = max(_LEAST_SESSIONS, frac * sessions)
        sets: list[Hashes] = []
        weights: list[NDArray[np.int64]] = []
        for places, count in alike.items():
            if places:
                sets.append(np.unique(np.concatenate([self._raw[place][1] for place in places])))
                weights.append(np.full(len(sets[-1]), count, np.int64))
        if not sets:
            return _NONE
        hashes, where = np.unique(np.concatenate(sets), return_inverse=True)
        counts = np.bincount(where, np.concatenate(weights))
        template: Hashes = hashes[counts >= least]
        return template
