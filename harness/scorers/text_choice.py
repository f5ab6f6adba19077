"""The choice that a reply makes among labels: read by stated rules, refused where it is ambiguous."""

import re
from collections.abc import Iterator, Sequence

from harness.records import TextTarget
from harness.scorers.text_verdict import Judged, accepted_words
from harness.scorers.text_words import normal_form

__all__ = ["AmbiguousChoiceError", "choice_of", "judge_choice"]

_BOXED = re.compile(r"\\boxed\s?\{\s?(?:\\(?:text|mathrm|textbf)\s?\{)?([^{}]{1,200})\}")
_CUE = re.compile(
    r"\b(?:answer|choice|option|selection)(?:\s+(?:is|would be|should be|must be))?\s*(?:[:=]|\bis\b)?"
    r"\s*(?:option\s+|choice\s+|letter\s+)?",
    re.IGNORECASE,
)
_AFTER = r"(?=$|[\s)\]}*_.,:;!?'\"`/<$-])"
_OPEN = r"[\s(\[{*_'\"`$]*"
_ALTERNATIVE = re.compile(r"[)\]*_'\"`]*\s*(?:or|and|/|&|,)\s*[(\[*_'\"`]*", re.IGNORECASE)
_MOST_CHARS = 20_000


class AmbiguousChoiceError(ValueError):
    """The reply names several labels and settles on none; the message says which."""


def choice_of(answer: str, labels: Sequence[str], texts: Sequence[str] = ()) -> str | None:
    r"""The label that a reply chooses; None if it names none. Raises AmbiguousChoiceError if it settles on none.

    The first of these that names a label: the whole reply is a label, or a label's text; the last \boxed{…}; the last
    "answer is", "answer:", "option" or the like that a label follows, unless another is joined to it by or, and, a
    comma or a slash; a label with a bracket, point or colon at the head of the first line, alone, with its text, or in
    a reply of one line that names no other; labels in bold or brackets; labels standing alone as words (a single letter
    in capitals, and A or I not where it is the article or the pronoun); texts named. In the last three, two different
    labels are ambiguous.
    >>> choice_of("Not (A), since it is cold. The answer is **b**.", "ABCD")
    'B'
    """
    known = {_key(label): label for label in labels}
    named = {normal_form(text): label for label, text in zip(labels, texts, strict=False) if normal_form(text)}
    cut = answer[-_MOST_CHARS:]
    whole = _whole(cut, known, named)
    if whole is not None:
        return whole
    one = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    for found in (_boxed(cut, known, named), _cued(cut, one, known), _headed(cut, one, known, named)):
        if found is not None:
            return found
    for stage in (_marked(cut, one), _alone(cut, one), _texts(cut, named)):
        labels_named = {known.get(_key(said), said) for said in stage}
        if len(labels_named) > 1:
            raise AmbiguousChoiceError(f"it names {' and '.join(sorted(labels_named)[:4])} and settles on none")
        if labels_named:
            return labels_named.pop()
    return None


def judge_choice(answer: str, target: TextTarget) -> Judged:
    """1 if the reply chooses an accepted label; an ambiguous reply is wrong."""
    try:
        choice = choice_of(answer, target.choices, target.choice_texts)
    except AmbiguousChoiceError as error:
        return Judged(0.0, "no_answer", f"the choice is ambiguous: {error}")
    if choice is None:
        return Judged(0.0, "no_answer", f"none of {', '.join(target.choices[:8])} is named in the answer")
    if choice in target.accepted:
        return Judged(1.0, extracted=choice)
    why = f"the choice is {choice}, accepted: {accepted_words(target.accepted)}"
    return Judged(0.0, "wrong_answer", why, extracted=choice)


def _key(label: str) -> str:
    return label.strip().casefold()


def _whole(answer: str, known: dict[str, str], named: dict[str, str]) -> str | None:
    """The label where the whole reply is one, or its text."""
    bare = answer.strip(" \t\r\n*_`'\"()[]{}.:$")
    return known.get(_key(bare)) or named.get(normal_form(answer))


def _headed(answer: str, one: str, known: dict[str, str], named: dict[str, str]) -> str | None:
    """The label that stands with a mark at the head of the first line: alone, or before its text or a single line."""
    first, _, below = answer.strip().partition("\n")
    match = re.match(rf"[\s*_`(\[]*({one})[)\].:*_`]+(?:\s+(.*))?$", first, re.IGNORECASE)
    if match is None:
        return None
    label, rest = known[_key(match[1])], match[2] or ""
    form = normal_form(rest)
    if not form or named.get(form) == label:
        return label
    others = {*_marked(rest, one), *_alone(rest, one)} - {match[1]}
    return None if below.strip() or form in named or others else label


def _boxed(answer: str, known: dict[str, str], named: dict[str, str]) -> str | None:
    found = [match[1] for match in _BOXED.finditer(answer)]
    return _whole(found[-1], known, named) if found else None


def _cued(answer: str, one: str, known: dict[str, str]) -> str | None:
    """The label after the last cue that has one. Raises AmbiguousChoiceError where a second one is joined to it."""
    label = re.compile(rf"{_OPEN}({one}){_AFTER}", re.IGNORECASE)
    for cue in reversed(list(_CUE.finditer(answer))):
        match = label.match(answer, cue.end())
        if match is None or _is_article(match[1], answer[match.end() :]):
            continue
        joined = _ALTERNATIVE.match(answer, match.end())
        second = label.match(answer, joined.end()) if joined else None
        if second is not None and _key(second[1]) != _key(match[1]) and not _is_article(second[1], " x"):
            raise AmbiguousChoiceError(f"the answer is {match[1]} or {second[1]}")
        return known[_key(match[1])]
    return None


def _is_article(said: str, rest: str) -> bool:
    """Whether what could be a label is the word "a" or "i" before another word."""
    return said in {"a", "i"} and re.match(r"\s+\w", rest) is not None


def _marked(answer: str, one: str) -> Iterator[str]:
    """Labels in bold, in brackets, or before a bracket."""
    pattern = rf"\*\*[(\[]?({one})[)\].:]?(?:\*\*|[\s)])|[(\[]({one})[)\]]"
    for match in re.finditer(pattern, answer, re.IGNORECASE):
        yield match[1] or match[2]


def _alone(answer: str, one: str) -> Iterator[str]:
    """Labels that stand as words: longer ones in any case, single letters in capitals."""
    for match in re.finditer(rf"(?<![\w'’-])({one})(?![\w'’-])", answer, re.IGNORECASE):
        said = match[1]
        if len(said) == 1 and said.isalpha() and (said.islower() or _goes_on(said, answer[match.end() :])):
            continue
        yield said


def _goes_on(said: str, rest: str) -> bool:
    """Whether a capital A or I is the article or the pronoun: another word follows, and no link between labels."""
    return said in {"A", "I"} and re.match(r"\s+(?!(?:or|and|is|because|since|as)\b)\w", rest) is not None


def _texts(answer: str, named: dict[str, str]) -> Iterator[str]:
    words = f" {normal_form(answer)} "
    for text, label in named.items():
        if f" {text} " in words:
            yield label
