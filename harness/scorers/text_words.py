"""Answers compared as words: to the letter, in a normal form, and by ROUGE."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.records import TextTarget
from harness.scorers.text_verdict import Judged, accepted_words, quoted

__all__ = [
    "Rouge",
    "by_threshold",
    "judge_exact",
    "judge_normalised",
    "judge_rouge",
    "normal_form",
    "rouge",
    "token_f1",
]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_TOKEN = re.compile(r"[^\W_]+")
_PUNCTUATION = frozenset(string.punctuation)


def normal_form(text: str) -> str:
    """The text as SQuAD compares it: lower case, without punctuation and English articles, single blanks.

    In this order: Unicode NFKC, case folding, removal of ASCII punctuation and of every character of the Unicode
    categories P (punctuation), of the articles a, an, the as whole words, and of surplus white space. Source: SQuAD
    1.1's `evaluate-v1.1.py` (Rajpurkar et al. 2016, arXiv:1606.05250); NFKC, case folding and punctuation beyond ASCII
    are ours.
    >>> normal_form("  The  Eiffel-Tower! ")
    'eiffeltower'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(one for one in folded if one not in _PUNCTUATION and not unicodedata.category(one).startswith("P"))
    return " ".join(_ARTICLES.sub(" ", kept).split())


def token_f1(answer: str, accepted: str) -> float:
    """Harmonic mean of precision and recall over the words of the normal forms, as SQuAD has it; 0..1.

    >>> token_f1("the tall tower", "tower")
    0.6666666666666666
    """
    left, right = normal_form(answer).split(), normal_form(accepted).split()
    if not left or not right:
        return float(left == right)
    return _f1((Counter(left) & Counter(right)).total(), len(left), len(right))


def judge_exact(answer: str, target: TextTarget) -> Judged:
    """1 if the answer is one of those accepted to the letter, white space around both aside."""
    if any(answer == one.strip() for one in target.accepted):
        return Judged(1.0, extracted=answer)
    why = f"the answer is {quoted(answer)}, accepted: {accepted_words(target.accepted)}"
    return Judged(0.0, "wrong_answer", why, extracted=answer)


def judge_normalised(answer: str, target: TextTarget) -> Judged:
    """1 if the normal forms are equal; with the part `token_f1`, the best over the accepted answers."""
    parts = {"token_f1": max(token_f1(answer, one) for one in target.accepted)}
    form = normal_form(answer)
    if any(_same_normal(answer, form, one) for one in target.accepted):
        return Judged(1.0, parts=parts, extracted=form)
    why = f"the answer in its normal form is {quoted(form)}, accepted: {accepted_words(target.accepted)}"
    return Judged(0.0, "wrong_answer", why, parts, extracted=form)


def _same_normal(answer: str, form: str, accepted: str) -> bool:
    """Equal in normal form; to the letter where nothing is left of the accepted answer ("+", "the")."""
    wanted = normal_form(accepted)
    return form == wanted if wanted else answer.casefold() == accepted.strip().casefold()


@dataclass(frozen=True, slots=True)
class Rouge:
    """F measures 0..1."""

    rouge_1: float
    rouge_2: float
    rouge_l: float


def rouge(answer: str, accepted: str) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L as F1 of overlapping words, pairs of words, and the longest common subsequence.

    Words are runs of letters and digits of any script in lower case, without stemming; for ASCII text that is what the
    package rouge-score 0.1.2 does, whose values these are. The subsequence is taken over the whole text (not by
    sentence, `rougeLsum`). Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries".
    >>> rouge("the cat sat", "the cat ran")
    Rouge(rouge_1=0.6666666666666666, rouge_2=0.5, rouge_l=0.6666666666666666)
    """
    left, right = _TOKEN.findall(answer.lower()), _TOKEN.findall(accepted.lower())
    pairs = (_pairs(left), _pairs(right))
    return Rouge(
        _f1((Counter(left) & Counter(right)).total(), len(left), len(right)),
        _f1((pairs[0] & pairs[1]).total(), pairs[0].total(), pairs[1].total()),
        _f1(_common(left, right), len(left), len(right)),
    )


def judge_rouge(answer: str, target: TextTarget) -> Judged:
    """ROUGE-L F1, the best over the accepted answers, or 1 and 0 by the threshold; the other measures as parts."""
    best = max((rouge(answer, one) for one in target.accepted), key=lambda one: one.rouge_l)
    parts = {"rouge_1": best.rouge_1, "rouge_2": best.rouge_2, "rouge_l": best.rouge_l}
    return by_threshold("ROUGE-L F1", best.rouge_l, target.threshold, parts)


def by_threshold(what: str, measure: float, threshold: float | None, parts: dict[str, float]) -> Judged:
    """A measure as the value itself, or as 1 and 0 where a threshold is set."""
    value = measure if threshold is None else float(measure >= threshold)
    if value == 1:
        return Judged(1.0, parts=parts)
    wanted = "1 is an answer as accepted" if threshold is None else f"wanted: {threshold:g} or more"
    return Judged(value, "wrong_answer", f"{what} with the nearest accepted answer is {measure:.3f}, {wanted}", parts)


def _f1(common: int, left: int, right: int) -> float:
    if common == 0:
        return 0.0
    precision, recall = common / left, common / right
    return 2 * precision * recall / (precision + recall)


def _pairs(words: Sequence[str]) -> Counter[tuple[str, str]]:
    return Counter(pairwise(words))


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of bits at a time: 2,000 words a side take 5 ms.

    Source: Hyyrö 2004, "Bit-Parallel LCS-length Computation Revisited".
    """
    places: dict[str, int] = {}
    for at, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(left)) - 1
    row = full
    for word in right:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(left) - row.bit_count()
