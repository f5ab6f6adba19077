"""Values that a line break cuts in two: each half alone is none, both together are."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from harness.curate.pii.checks import looks_random
from harness.curate.pii.contact import CONTACT
from harness.curate.pii.names import family_names, given_names
from harness.curate.pii.numbers import NUMBERS, find_grouped
from harness.curate.pii.recognizer import Text, joined, prepare, recognize
from harness.curate.pii.secrets import SECRETS
from harness.curate.pii.spans import Span

__all__ = ["find_broken"]

_BREAK = r"[ \t\r]{0,4}(?:\n|\\n)[ \t>|]{0,8}"
_JOINT: Final = re.compile(r"(?:\n|\\n)[ \t>|]{0,8}(?=[\w(@+/])")
"""The break and what indents the second line. It begins with what is rare: a text of one line costs one scan."""
_TAIL: Final = " \t\r=\\"
"""What a line may end with that belongs to the break: blanks, and the marks of a soft one."""
_NUMBER_LEFT: Final = re.compile(r"[0-9A-Za-z+(][0-9A-Za-z ().+\-]{0,40}$")
_NUMBER_RIGHT: Final = re.compile(r"[(]?[0-9][0-9A-Za-z ().\-]{0,30}")
_WORD_LEFT: Final = re.compile(r"[^\W\d_]+$")
_NAME_RIGHT: Final = re.compile(r"[^\W\d_]{2,25}(?![\w@])")
_MAIL_LEFT: Final = re.compile(r"[\w.+%'\-@]{1,130}$")
_MAIL_RIGHT: Final = re.compile(r"[\w.+%'\-@]{1,130}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-+/=.~]{4,512}(?![^\s\"'`,;)\]}<\\])")
_TOKEN_END: Final = re.compile(r"[A-Za-z0-9_\-+/=.~]{16}")
_TOKEN_LEFT: Final = re.compile(r"[A-Za-z0-9_\-+/=.~]{16,512}$")
_MOST_LINES: Final = 60
_CONTEXT: Final = 48
_MAILS: Final = tuple(one for one in CONTACT if one.name in ("email", "email_in_url"))
_IBAN: Final = next(one for one in NUMBERS if one.name == "iban")
_CARD_SAID: Final = re.compile(r"card|karte|carte|tarjeta|carta|cartão|kaart|visa|master")


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where two lines meet: the end of the first without blanks, and the beginning of the second."""

    raw: str
    left: int
    right: int

    def span(self, span: Span, start: int, join: str) -> Span | None:
        """A span of `raw[start:left] + join + raw[right:…]` as one of the text; None if it does not cross the seam."""
        seam = self.left - start
        if not span.start < seam or span.end <= seam + len(join):
            return None
        moved = self.right - seam - len(join)
        return replace(span, start=start + span.start, end=span.end + moved, by=f"{span.by}:broken")


def find_broken(text: Text) -> Iterator[Span]:
    """Spans over a line break: mail addresses, numbers with their checks, keys and tokens, a first and a last name."""
    raw = text.raw
    if "\n" not in raw:
        return
    done = 0
    for joint in _JOINT.finditer(raw):
        left = joint.start()
        while left and raw[left - 1] in _TAIL:
            left -= 1
        if left <= done:
            continue
        seam = _Seam(raw, left, joint.end())
        for look in _looks(raw, seam):
            span = look(seam)
            if span is not None:
                done = span.end
                yield span
                break


def _looks(raw: str, seam: _Seam) -> Iterator[Callable[[_Seam], Span | None]]:
    """What a seam may cut, by the characters on both sides of it; mostly nothing."""
    before, behind = raw[seam.left - 1], raw[seam.right]
    if (before.isdigit() or before in ")-") and (behind.isdigit() or behind == "("):
        yield _number
    if "@" in raw[max(0, seam.left - 130) : seam.right + 130]:
        yield _mail
    if before.isascii() and not raw[max(0, seam.left - 16) : seam.left].isalpha():
        yield _token
    if behind.isupper() and before.islower():
        yield _name


def _number(seam: _Seam) -> Span | None:
    raw = seam.raw
    head = _NUMBER_LEFT.search(raw, max(0, seam.left - 42), seam.left)
    tail = _NUMBER_RIGHT.match(raw, seam.right)
    if head is None or tail is None or not _may_be_cut(raw[head.start() : seam.left], tail.group()):
        return None
    if _WORDLESS.fullmatch(raw, raw.rfind("\n", 0, seam.left) + 1, seam.left) and _WORDLESS_LINE.match(raw, seam.right):
        return None  # a column of numbers
    start = max(0, head.start() - _CONTEXT)
    if any(span.end == seam.left - start for span in find_grouped(prepare(raw[start : seam.left]))):
        return None  # the first line has it whole
    if any(not span.start for span in find_grouped(prepare(raw[seam.right : tail.end() + 16]))):
        return None  # the second has
    joins = ("",) if raw[seam.left - 1] == "-" else (" ", "")
    for join in joins:
        whole = prepare(raw[start : seam.left] + join + raw[seam.right : tail.end()])
        for span in (*find_grouped(whole), *recognize(_IBAN, whole)):
            found = seam.span(span, start, join)
            if found is not None and _sure_number(whole, span, join):
                return found
    return None


def _may_be_cut(head: str, tail: str) -> bool:
    """Whether a number of some kind may lie over the break: cheap, since most lines that end in a digit are none."""
    for join in ("", " "):
        for match in _CUT.finditer(f"{head}{join}{tail}"):
            if match.start() < len(head) < match.end() - len(join):
                return True
    return False


_CUT: Final = re.compile(
    r"[0-9]{12,19}|[0-9]{4}[ .\-][0-9]{4,6}[ .\-][0-9]{4}(?:[ .\-]?[0-9]{1,4})?|[0-9]{3}[ \-][0-9]{2}[ \-][0-9]{4}"
    r"|\(?[0-9]{3}\)?[ .\-/]{1,2}[0-9]{3}[ .\-][0-9]{4}|\+[0-9][0-9 ().\-]{6,24}"
    r"|[0-9]{2,5}[ \-/][0-9]{3,4}[ \-]?[0-9]{3,5}"
    r"|[A-Za-z]{2}[0-9]{2}[ \-]?(?:[A-Za-z0-9]{4}[ \-]?){2,7}[A-Za-z0-9]{0,4}"
)
_WORDLESS: Final = re.compile(r"[^A-Za-z]*")
_WORDLESS_LINE: Final = re.compile(r"[^A-Za-z\n]*(?:\n|$)")


def _sure_number(whole: Text, span: Span, join: str) -> bool:
    """Columns of numbers join to something by chance: a card needs its groups or a word, the others their marks."""
    value = whole.raw[span.start : span.end]
    if span.kind == "CREDIT_CARD":
        return (
            " " in value.replace(join, "", 1)
            or "-" in value
            or _CARD_SAID.search(whole.before(span.start, 48)) is not None
        )
    if span.kind == "US_SSN":
        return "-" in value or span.score == 1.0
    return span.kind == "IBAN_CODE" or (span.kind == "PHONE_NUMBER" and span.score >= 0.7 and not value.isdigit())


def _mail(seam: _Seam) -> Span | None:
    raw = seam.raw
    head = _MAIL_LEFT.search(raw, max(0, seam.left - 130), seam.left)
    tail = _MAIL_RIGHT.match(raw, seam.right)
    if head is None or tail is None or not _cut_mail(head.group(), tail.group()):
        return None
    start = head.start()
    whole = prepare(raw[start : seam.left] + tail.group())
    spans = (seam.span(span, start, "") for one in _MAILS for span in recognize(one, whole))
    return next((span for span in spans if span is not None), None)


def _cut_mail(head: str, tail: str) -> bool:
    """Whether the break is within an address, and not behind one or in front of one."""
    name, at, domain = head.rpartition("@")
    if at:
        ended = domain.endswith((".", "-"))
        begun = domain.count(".") == (1 if domain.endswith(".") else 0)
        return "@" not in tail and bool(name) and begun and (ended or "." in tail) and tail[:1].islower()
    return tail.startswith("@") or ("@" in tail and head.endswith(("_", "+", "-", "%")) and head[-2:-1].isalnum())


def _token(seam: _Seam) -> Span | None:
    """A key or token that goes on over as many lines as hold nothing else."""
    raw = seam.raw
    if _TOKEN_END.match(raw, max(0, seam.left - 16), seam.left) is None or _TOKEN.match(raw, seam.right) is None:
        return None  # nearly always, and cheaper to know than where a token begins
    head = _TOKEN_LEFT.search(raw, max(0, seam.left - 512), seam.left)
    if head is None:
        return None
    start = max(0, head.start() - _CONTEXT)
    told = raw[start : seam.left].lower()
    if not any(map(told.__contains__, _TOKEN_NAMES)) and not any(map(told.__contains__, _TOKEN_MARKS)):
        return None
    pieces, ends = _lines(raw, head.group(), seam.right)
    if len(pieces) < 2:
        return None
    whole = prepare(raw[start : head.start()] + "".join(pieces))
    spans = (_unwrapped(span, head.start() - start, start, ends) for one in SECRETS for span in recognize(one, whole))
    return next((span for span in spans if span is not None), None)


def _lines(raw: str, head: str, place: int) -> tuple[list[str], list[tuple[int, int]]]:
    """The pieces of what may be one token, and for each but the first how many characters come before it, and where."""
    pieces, ends = [head], [(len(head), place)]
    for _ in range(_MOST_LINES):
        piece = _TOKEN.match(raw, place)
        if piece is None or not _goes_on(pieces[-1], piece.group()):
            break
        pieces.append(piece.group())
        following = _JOINT_HERE.match(raw, piece.end())
        if following is None:
            break
        place = following.end()
        ends.append((ends[-1][0] + len(pieces[-1]), place))
    return pieces, ends


_TOKEN_MARKS: Final = ("eyj", *(mark for one in SECRETS if one.dense for mark in one.anchors if len(mark) > 2))
_TOKEN_NAMES: Final = ("key", "token", "secret", "credential", "session", "cookie", "bearer", "basic", "aws", "hooks.")
"""Without one of either nothing that is looked for is in a row of tokens."""
_JOINT_HERE: Final = re.compile(_BREAK + r"(?=[A-Za-z0-9_\-+/=.~])")


def _goes_on(line: str, piece: str) -> bool:
    """Whether a piece may be the rest of what a line began: drawn as it is, and not a word or a name of a field."""
    rest = piece.rstrip("=.")
    if rest.lower().startswith(_TOKEN_MARKS):
        return False  # another one begins
    return looks_random(rest, bits=2.0) or (len(rest) >= len(line) - 8 and len(rest) >= 32 and not rest.islower())


def _unwrapped(span: Span, context: int, start: int, ends: list[tuple[int, int]]) -> Span | None:
    """A span of the joined lines as one of the text; None where it does not cross the first break."""
    first, last = span.start - context, span.end - context
    if first >= ends[0][0] or last <= ends[0][0]:
        return None
    behind = [(length, place) for length, place in ends if length < last]
    length, place = behind[-1]
    return replace(span, start=start + span.start, end=place + last - length, by=f"{span.by}:broken")


def _name(seam: _Seam) -> Span | None:
    raw = seam.raw
    head = _WORD_LEFT.search(raw, max(0, seam.left - 26), seam.left)
    tail = _NAME_RIGHT.match(raw, seam.right)
    if head is None or tail is None or not head.group()[:1].isupper() or joined(raw, head.start(), "_@/\\#"):
        return None
    if head.group().lower() not in given_names() or tail.group().lower() not in family_names():
        return None
    if not tail.group()[1:].islower():
        return None
    return Span(head.start(), tail.end(), "PERSON", 0.6, "known_name:broken")
