"""Calls old and new, read once: what clustering sees of them, and beside it sessions, tools, models and outcomes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from harness.cluster.features import Features, features_of, plain_text
from harness.records.call import Call
from harness.records.logs import Payload, canonical
from harness.store.calls import read_calls

__all__ = ["Aside", "Tool", "Traffic", "language_of", "read_traffic"]

_STOPS: Final[dict[str, frozenset[str]]] = {
    "en": frozenset(["the", "and", "to", "of", "is", "in", "you", "for", "that", "it", "with", "my", "please"]),
    "de": frozenset(["der", "die", "das", "und", "ist", "nicht", "ich", "sie", "mit", "für", "ein", "bitte"]),
    "fr": frozenset(["le", "la", "les", "et", "est", "je", "vous", "pour", "une", "des", "dans", "que"]),
    "es": frozenset(["el", "los", "y", "es", "que", "por", "para", "una", "con", "mi", "del", "las"]),
    "it": frozenset(["il", "di", "e", "che", "per", "una", "con", "non", "sono", "mi", "della"]),
    "pt": frozenset(["o", "os", "e", "que", "não", "para", "uma", "com", "meu", "por", "do", "da"]),
    "nl": frozenset(["de", "het", "een", "en", "ik", "niet", "voor", "met", "van", "op", "dat"]),
}
_LOOKED_AT: Final = 400


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it was offered: its hash, and the hash of each part of its schema."""

    name: str
    hash: str
    parts: tuple[tuple[str, str], ...]
    """Path within the schema and a hash of what stands there; `description` is the tool's own."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What of a call clustering does not look at."""

    session: str
    model: str | None
    agent: str | None
    tools: int
    """Place in `Traffic.offered`."""
    outcome: float | None
    finish: str | None
    language: str


@dataclass(slots=True)
class Traffic:
    """All calls, in the order of `features.calls`."""

    features: Features
    aside: list[Aside] = field(default_factory=list)
    offered: list[tuple[Tool, ...]] = field(default_factory=list)
    old: frozenset[str] = frozenset()
    """Ids that are in the clusters' folder."""

    def new_rows(self) -> list[int]:
        """Places of the calls that are not in the clusters' folder."""
        return [row for row, call in enumerate(self.features.calls) if call.id not in self.old]


def read_traffic(calls: Path, references: Sequence[Path], known: Iterable[str]) -> Traffic:
    """The calls of a folder, and of the others those that are known, each once.

    known: ids in the clusters' folder. A call that repeats a known one word for word in another session is a new call,
    with a `~` behind its id: left out, tasks whose calls repeat would seem to shrink. Raises DataError where a folder
    is not what it has to be.
    """
    reading = _Reading(frozenset(known))
    features = features_of(reading.calls(calls, references))
    return Traffic(features, reading.aside, reading.offered, reading.known)


@dataclass(slots=True)
class _Reading:
    known: frozenset[str]
    aside: list[Aside] = field(default_factory=list)
    offered: list[tuple[Tool, ...]] = field(default_factory=list)
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _tools: dict[int, tuple[tuple[Payload, ...], int]] = field(default_factory=dict)
    """By identity, which the objects of one folder share; they are held so that no other takes their number."""

    def calls(self, main: Path, references: Sequence[Path]) -> Iterator[Call]:
        seen: dict[str, str | None] = {}
        for folder in references:
            for call in read_calls(folder):
                if call.id in self.known and call.id not in seen:
                    seen[call.id] = call.session
                    yield self._noted(call)
        for call in read_calls(main):
            if call.id not in seen:
                yield self._noted(call)
            elif call.session is not None and call.session != seen[call.id]:
                yield self._noted(replace(call, id=f"{call.id}~"))

    def _noted(self, call: Call) -> Call:
        self.aside.append(self._aside(call))
        return call

    def _aside(self, call: Call) -> Aside:
        reply = call.reference.reply
        return Aside(
            session=call.session if call.session is not None else f"call {call.id}",
            model=call.model,
            agent=call.agent,
            tools=self._offered(call.tools),
            outcome=call.outcome,
            finish=reply.get("finish_reason"),
            language=language_of(
                next((plain_text(one) for one in reversed(call.messages) if one.get("role") == "user"), "")
            ),
        )

    def _offered(self, tools: tuple[Payload, ...]) -> int:
        found = self._tools.get(id(tools))
        if found is not None and found[0] is tools:
            return found[1]
        made = tuple(sorted((_tool(one) for one in tools), key=lambda one: one.name))
        place = self._places.setdefault(tuple(one.hash for one in made), len(self.offered))
        if place == len(self.offered):
            self.offered.append(made)
        if len(self._tools) < 10_000:
            self._tools[id(tools)] = (tools, place)
        return place


def _last_user(call: Call) -> str:
    return next((plain_text(one) for one in reversed(call.messages) if one.get("role") == "user"), "")


def _tool(tool: Payload) -> Tool:
    parts = dict(_parts(tool.get("parameters"), ""))
    parts["description"] = _short(tool.get("description"))
    return Tool(str(tool.get("name", "")), _short(tool), tuple(sorted(parts.items())))


def _parts(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each leaf of a schema by its path; lists as a whole."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield from _parts(value, f"{path}.{key}" if path else str(key))
    elif schema is not None:
        yield path, _short(schema)


def _short(value: object) -> str:
    return sha256(canonical(value)).hexdigest()[:12]


def language_of(text: str) -> str:
    """A guess, enough to see languages come and go: a script's name, or of Latin text the language of its small words.

    >>> language_of("Please book a table for the evening"), language_of("Где мой заказ?"), language_of("ok")
    ('en', 'cyrillic', 'latin')
    """
    letters = [one for one in text[:_LOOKED_AT] if one.isalpha()]
    if not letters:
        return "none"
    script, _ = Counter(map(_script, letters)).most_common(1)[0]
    if script != "latin":
        return script
    words = Counter(text[:_LOOKED_AT].lower().split())
    votes = {name: sum(words[word] for word in stops) for name, stops in _STOPS.items()}
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] >= 2 else "latin"


def _script(letter: str) -> str:
    code = ord(letter)
    for end, name in (
        (0x250, "latin"), (0x370, "other"), (0x400, "greek"), (0x530, "cyrillic"), (0x590, "other"), (0x600, "hebrew"),
        (0x780, "arabic"), (0x900, "other"), (0x980, "devanagari"), (0x0E00, "other"), (0x0E80, "thai"),
        (0x1100, "other"), (0x1200, "hangul"), (0x1E00, "other"), (0x2000, "latin"), (0x3040, "other"),
        (0x3100, "kana"), (0x3400, "other"), (0xA000, "han"), (0xAC00, "other"), (0xD7B0, "hangul"),
    ):  # fmt: skip
        if code < end:
            return name
    return "other"
