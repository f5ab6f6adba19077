"""The detector that needs no model: patterns, checks, words around and names of fields."""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from harness.config.pii import PiiConfig
from harness.curate.pii.addresses import find_addresses
from harness.curate.pii.configured import Allowed, compile_patterns
from harness.curate.pii.contact import CONTACT
from harness.curate.pii.fields import field_kind, find_in_pairs, value_span
from harness.curate.pii.names import find_again, find_names
from harness.curate.pii.numbers import NUMBERS, find_grouped, find_zips
from harness.curate.pii.recognizer import Recognizer, Text, prepare, recognize
from harness.curate.pii.secrets import SECRETS
from harness.curate.pii.spans import Detector, Span, settle

__all__ = ["Memory", "RulesDetector", "rules_detector"]


def rules_detector(config: PiiConfig | None = None) -> Detector:
    """A detector without NER. Raises ConfigError for a configured pattern that is wrong or that runs away."""
    return RulesDetector(config or PiiConfig())


class Memory:
    """The spans of texts seen before, by a hash: the texts themselves are not kept. Full, it forgets all."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._seen: dict[tuple[bytes, str | None], tuple[Span, ...]] = {}

    def get(self, text: str, field: str | None) -> list[Span] | None:
        """The spans of a text in a field; None: not seen."""
        known = self._seen.get(self._key(text, field))
        return None if known is None else list(known)

    def put(self, text: str, field: str | None, spans: list[Span]) -> list[Span]:
        """The same spans, remembered."""
        if len(self._seen) >= self._room:
            self._seen.clear()
        if self._room:
            self._seen[self._key(text, field)] = tuple(spans)
        return spans

    def _key(self, text: str, field: str | None) -> tuple[bytes, str | None]:
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), field


class RulesDetector:
    """All recognizers whose kind is wanted, and the configured patterns."""

    def __init__(self, config: PiiConfig) -> None:
        self._wanted = config.wanted()
        self._threshold = config.threshold
        self._recognizers = tuple(one for one in (*SECRETS, *CONTACT, *NUMBERS) if one.kind in self._wanted)
        self._configured = compile_patterns(config)
        self._allowed = Allowed(config)
        self._memory = Memory(config.remember)

    def find(self, text: str, field: str | None = None) -> list[Span]:
        """The spans of one text, in order and not overlapping."""
        known = self._memory.get(text, field)
        return (
            known
            if known is not None
            else self._memory.put(text, field, self.choose(text, self.candidates(text, field)))
        )

    def find_all(self, texts: Sequence[str], fields: Sequence[str | None] | None = None) -> list[list[Span]]:
        """The spans of each text."""
        return [self.find(text, field) for text, field in zip(texts, fields or [None] * len(texts), strict=True)]

    def choose(self, text: str, candidates: Iterator[Span]) -> list[Span]:
        """Of all that was seen in a text, what is wanted, sure enough, not allowed, and not overlapped by surer."""
        return settle(
            span
            for span in candidates
            if span.kind in self._wanted
            and span.score >= self._threshold
            and not self._allowed(text[span.start : span.end])
        )

    def candidates(self, raw: str, field: str | None = None) -> Iterator[Span]:
        """Whatever any recognizer sees in a text."""
        if len(raw) < _SHORTEST:
            return
        if field is not None:
            yield from self._by_field(raw, field)
        text = prepare(raw)
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
        for recognizer in self._recognizers:
            if has_digit or recognizer.kind not in _DIGITS_ONLY:
                yield from recognize(recognizer, text)
        if has_digit:
            yield from find_grouped(text)
            yield from find_zips(text)
        yield from find_addresses(text)
        yield from find_in_pairs(text)
        yield from find_names(text)

    def _by_field(self, raw: str, field: str) -> Iterator[Span]:
        kind = field_kind(field)
        span = value_span(raw, 0, len(raw), kind) if kind is not None and len(raw) <= _LONGEST_VALUE else None
        if span is not None:
            yield Span(span.start, span.end, span.kind, _FIELD_SCORE, span.by)


_SHORTEST = 1
_LONGEST_VALUE = 4096
_FIELD_SCORE = 0.99
"""Over whatever is seen within the value: a street in the field `name` is part of the name."""
_DIGIT = re.compile(r"[0-9]")
_DIGITS_ONLY = frozenset(recognizer.kind for recognizer in NUMBERS) | {"IP_ADDRESS", "MAC_ADDRESS"}


def builtin_recognizers() -> tuple[Recognizer, ...]:
    """Every recognizer that is one pattern, for the documentation and the tests."""
    return (*SECRETS, *CONTACT, *NUMBERS)
