"""What the calls of a session hold, found before anything is replaced."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from harness.curate.known import KnownValues
from harness.curate.pii.fields import field_kind
from harness.curate.pii.rules import RulesDetector
from harness.curate.pii.shadow import plain_value
from harness.curate.pii.spans import Detector, Span
from harness.curate.walk import Leaf, Walk
from harness.records.logs import LogRecord, Payload, canonical

__all__ = ["Found", "Learning", "digest_of", "may_be_value"]

_REMEMBERED = 20_000
_MOST_OBJECTS = 1 << 13
_MOST_DIGITS = 19

Found = tuple[str, str, float]
"""A value, its kind, and how sure that is."""
_Asked = tuple[str, str | None]
"""A text and its field."""
_Part = tuple[Payload, Callable[[Walk, Payload], object]]


class Learning:
    """Looks at each distinct message once, however many calls repeat it."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._learnt: OrderedDict[bytes, tuple[Found, ...]] = OrderedDict()
        self._digests: dict[int, tuple[Payload, bytes]] = {}

    def digest(self, part: Payload) -> bytes:
        """The hash of a part's content, remembered for the object itself: calls share those that they repeat."""
        known = self._digests.get(id(part))
        if known is None:
            if len(self._digests) >= _MOST_OBJECTS:
                self._digests.clear()
            known = self._digests[id(part)] = part, digest_of(part)
        return known[1]

    def learn(self, record: LogRecord, known: KnownValues) -> None:
        """Adds what a call holds to what is known of its session."""
        for value, kind, score in self.found(record):
            known.add(value, kind, score)

    def found(self, record: LogRecord) -> Iterator[Found]:
        """What a call holds; what its messages repeat comes again."""
        for part, apply in _parts(record):
            yield from self._found(part, apply)
        if record.user:
            yield record.user, "USER_ID", 1.0

    def look_ahead(self, records: Iterable[LogRecord]) -> None:
        """Puts the texts of many calls to the detector together, which remembers them: a model is faster so."""
        if isinstance(self._detector, RulesDetector):
            return
        asked: dict[_Asked, None] = {}
        seen: set[bytes] = set()
        for record in records:
            for part, apply in _parts(record):
                digest = self.digest(part)
                if digest not in self._learnt and digest not in seen:
                    seen.add(digest)
                    apply(Walk(_collecting(asked)), part)
        self._detector.find_all([text for text, _ in asked], [field for _, field in asked])

    def _found(self, part: Payload, apply: Callable[[Walk, Payload], object]) -> tuple[Found, ...]:
        digest = self.digest(part)
        found = self._learnt.get(digest)
        if found is None:
            collected: list[Found] = []
            apply(Walk(self._finding(collected)), part)
            found = self._learnt[digest] = tuple(dict.fromkeys(collected))
            if len(self._learnt) > _REMEMBERED:
                self._learnt.popitem(last=False)
        return found

    def _finding(self, collected: list[Found]) -> Leaf:
        """Collects what is found and changes nothing."""

        def text(text: str, field: str | None, _: str) -> str:
            collected.extend(
                (plain_value(text[span.start : span.end], span.kind), span.kind, span.score)
                for span in self._detector.find(text, field)
                if _word(text, span)
            )
            return text

        def whole(text: str, _: str) -> None:
            for span in self._detector.find(text):
                value = plain_value(text[span.start : span.end], span.kind)
                if _word(text, span) and not any(char in value for char in '"\\{}[]'):
                    collected.append((value, span.kind, span.score))

        def number(value: str, path: str, where: str) -> str:
            whole = value.removesuffix(".0")
            if may_be_value(whole, path):
                text(whole, path, where)
            return value

        return Leaf(text, number, lambda key, _: key, whole, lambda _: None)


def _collecting(asked: dict[_Asked, None]) -> Leaf:
    """Collects the texts that a look at a part will ask for."""

    def text(text: str, field: str | None, _: str) -> str:
        asked[text, field] = None
        return text

    def whole(text: str, _: str) -> None:
        asked[text, None] = None

    return Leaf(text, lambda value, _, __: value, lambda key, _: key, whole, lambda _: None)


def _parts(record: LogRecord) -> Iterator[_Part]:
    for message in (*record.messages, record.reply, *record.more_replies):
        if message is not None:
            yield message, Walk.message
    for tool in record.tools:
        yield tool, lambda walk, one: walk.value(one, "", "tools")
    rest: Payload = {"params": record.params, "extra": record.extra}
    if record.failure is not None and record.failure.message:
        rest["failure"] = record.failure.message
    yield rest, lambda walk, one: walk.value(one, "", "extra")


def digest_of(part: Payload) -> bytes:
    """The hash of a part's content."""
    try:
        data = canonical(part)
    except TypeError:  # a number beyond 64 bits, half of a surrogate pair: logs have them, orjson does not
        data = repr(part).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).digest()


def _word(text: str, span: Span) -> bool:
    """Whether a span is not a piece of a longer word."""
    return not (span.start and text[span.start - 1].isalnum()) and not text[span.end : span.end + 1].isalnum()


def may_be_value(number: str, path: str) -> bool:
    """Whether a number is worth a look: whole, and long enough or in a field that tells."""
    if not (number.isascii() and number.isdigit()) or number[0] == "0" or len(number) > _MOST_DIGITS:
        return False
    return len(number) >= 4 or (bool(path) and field_kind(path) is not None)
