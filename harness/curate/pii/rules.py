"""The detector that needs no model: patterns, checks, words around and names of fields."""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

from harness.config.pii import PiiConfig
from harness.curate.pii.addresses import ADDRESS_GATES, find_addresses
from harness.curate.pii.broken import find_broken
from harness.curate.pii.columns import find_columns
from harness.curate.pii.configured import Allowed, compile_patterns
from harness.curate.pii.contact import CONTACT
from harness.curate.pii.fields import FIELD_GATES, field_kind, find_in_pairs, value_span
from harness.curate.pii.names import NAME_GATES, find_again, find_names
from harness.curate.pii.numbers import NUMBER_GATES, NUMBERS, find_grouped
from harness.curate.pii.presence import Presence
from harness.curate.pii.recognizer import Recognizer, Text, gate_of, prepare, recognize
from harness.curate.pii.secrets import SECRETS
from harness.curate.pii.shadow import plain_text, shadow
from harness.curate.pii.spans import Detector, Span, settle
from harness.curate.pii.tongues import ABROAD
from harness.curate.pii.zips import ZIP_GATES, find_zips

__all__ = ["Memory", "RulesDetector", "rules_detector"]


def rules_detector(config: PiiConfig | None = None) -> Detector:
    """A detector without NER. Raises ConfigError for a configured pattern that is wrong or that runs away."""
    return RulesDetector(config or PiiConfig())


class Memory:
    """The spans of texts seen before, by a hash: the texts themselves are not kept. Full, it forgets all."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._seen: dict[tuple[bytes, str | None], tuple[Span, ...]] = {}

    def key(self, text: str, field: str | None) -> tuple[bytes, str | None]:
        """What stands for a text in a field."""
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), field

    def get(self, key: tuple[bytes, str | None]) -> list[Span] | None:
        """The spans of a text; None: not seen."""
        known = self._seen.get(key)
        return None if known is None else list(known)

    def put(self, key: tuple[bytes, str | None], spans: list[Span]) -> list[Span]:
        """The same spans, remembered."""
        if len(self._seen) >= self._room:
            self._seen.clear()
        if self._room:
            self._seen[key] = tuple(spans)
        return spans


class RulesDetector:
    """All recognizers whose kind is wanted, and the configured patterns."""

    def __init__(self, config: PiiConfig) -> None:
        self._wanted = config.wanted()
        self._threshold = config.threshold
        self._recognizers = tuple(one for one in builtin_recognizers() if one.kind in self._wanted)
        self._by_name = {one.name: place for place, one in enumerate(self._recognizers)}
        gates = {one.name: gate_of(one) for one in self._recognizers} | NUMBER_GATES | ZIP_GATES
        self._presence = Presence(gates, ADDRESS_GATES | NAME_GATES, FIELD_GATES)
        self._configured = compile_patterns(config)
        self._allowed = Allowed(config)
        self._memory = Memory(config.remember)

    def find(self, text: str, field: str | None = None) -> list[Span]:
        """The spans of one text, in order and not overlapping."""
        key = self._memory.key(text, field)
        known = self._memory.get(key)
        return known if known is not None else self._memory.put(key, self.choose(text, self.candidates(text, field)))

    def find_all(self, texts: Sequence[str], fields: Sequence[str | None] | None = None) -> list[list[Span]]:
        """The spans of each text."""
        return [self.find(text, field) for text, field in zip(texts, fields or [None] * len(texts), strict=True)]

    def choose(self, text: str, candidates: Iterator[Span]) -> list[Span]:
        """Of all that was seen in a text, what is wanted, sure enough, not allowed, and not overlapped by surer."""
        allowed = self._allowed
        return settle(
            span
            for span in candidates
            if span.kind in self._wanted
            and span.score >= self._threshold
            and not (allowed and allowed(plain_text(text[span.start : span.end])))
        )

    def candidates(self, raw: str, field: str | None = None) -> Iterator[Span]:
        """Whatever any recognizer sees in a text, or in its shadow."""
        shade = shadow(raw)
        if shade is None:
            yield from self._seen(raw, field)
            return
        for span in self._seen(shade.text, field):
            yield shade.span(span)
        for pattern in self._configured:  # one may be about the very characters that the shadow has not
            yield from pattern.find(prepare(raw), field)

    def _seen(self, raw: str, field: str | None) -> Iterator[Span]:
        if len(raw) < _SHORTEST:
            return
        if field is not None:
            yield from self._by_field(raw, field)
        text = prepare(raw, self._presence(raw))
        people: list[Span] = []
        for span in self._plain(text):
            if span.kind == "PERSON":
                people.append(span)
            yield span
        yield from find_again(text, people)
        for pattern in self._configured:
            yield from pattern.find(text, field)

    def _plain(self, text: Text) -> Iterator[Span]:
        has_digit = _DIGIT.search(text.raw) is not None
        for recognizer in self._present(text):
            if has_digit or recognizer.kind not in _DIGITS_ONLY:
                yield from recognize(recognizer, text)
        for gates, find in _FINDERS:
            if text.may_any(gates):
                yield from find(text)
        yield from find_columns(text)
        yield from find_names(text)
        yield from find_broken(text)

    def _present(self, text: Text) -> Sequence[Recognizer]:
        """The recognizers whose gate can be in a text, in their order."""
        if text.seen is None:
            return self._recognizers
        places = self._by_name
        return [self._recognizers[place] for place in sorted(places[name] for name in text.seen if name in places)]

    def _by_field(self, raw: str, field: str) -> Iterator[Span]:
        kind = field_kind(field)
        span = value_span(raw, 0, len(raw), kind) if kind is not None and len(raw) <= _LONGEST_VALUE else None
        if span is not None:
            yield Span(span.start, span.end, span.kind, _FIELD_SCORE, span.by)


_SHORTEST = 1
_LONGEST_VALUE = 4096
_FIELD_SCORE = 0.99
"""Over whatever is seen within the value: a street in the field `name` is part of the name."""
_FINDERS: tuple[tuple[frozenset[str], Callable[[Text], Iterator[Span]]], ...] = (
    (frozenset(("grouped",)), find_grouped),
    (frozenset(ZIP_GATES), find_zips),
    (frozenset(ADDRESS_GATES), find_addresses),
    (frozenset(FIELD_GATES), find_in_pairs),
)
_DIGIT = re.compile(r"[0-9]")
_DIGITS_ONLY = frozenset(recognizer.kind for recognizer in NUMBERS) | {"IP_ADDRESS", "MAC_ADDRESS"}


def builtin_recognizers() -> tuple[Recognizer, ...]:
    """Every recognizer that is one pattern, for the documentation and the tests."""
    return (*SECRETS, *CONTACT, *NUMBERS, *ABROAD)
