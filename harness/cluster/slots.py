"""A labelled line of a template that takes one of a few values, such as `Domain: retail`."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

__all__ = ["slot_values"]

_LINE: Final = re.compile(r"^[ \t]*[-*]?[ \t]*([A-Za-z][\w ]{1,30}):[ \t]*(\S.{0,40}?)[ \t]*$", re.MULTILINE)
_FEWEST: Final = 3
_MOST_VALUES: Final = 12
_COVER: Final = 0.95
_TELLS: Final = 0.9
_LOOKED_AT: Final = 600


def slot_values(texts: Sequence[str]) -> tuple[str, list[str]] | None:
    """The label and each text's value, where a line parts the texts into kinds that differ in their other lines too.

    A line counts if 95 % of the texts have it, with at most twelve values of three texts and 5 % each, and if a linear
    model of the other lines' words tells the value in nine of ten held-out texts: a domain does that, a customer's tier
    does not. Texts without the line go to the commonest value. None where there is no such line.
    """
    if len(texts) < 2 * _FEWEST:
        return None
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for place, text in enumerate(texts):
        for match in _LINE.finditer(text):
            found[match[1].strip()].setdefault(place, match[2])
    for label in sorted(found):
        values = found[label]
        counts = Counter(values.values())
        least = max(_FEWEST, 0.05 * len(texts))
        if len(values) < _COVER * len(texts) or not 2 <= len(counts) <= _MOST_VALUES or min(counts.values()) < least:
            continue
        if _told_by_the_rest(texts, values):
            common = counts.most_common(1)[0][0]
            return label, [values.get(place, common) for place in range(len(texts))]
    return None


def _told_by_the_rest(texts: Sequence[str], values: dict[int, str]) -> bool:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    step = max(1, len(values) // _LOOKED_AT)
    places = sorted(values)[::step]
    wanted = [values[place] for place in places]
    if min(Counter(wanted).values()) < _FEWEST or len(set(wanted)) < 2:
        return False
    rest = [_LINE.sub(lambda match: "" if match[2] in set(wanted) else match[0], texts[place]) for place in places]
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"), RidgeClassifier())
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    guessed = cross_val_predict(model, rest, wanted, cv=folds)
    right = sum(guess == value for guess, value in zip(guessed, wanted, strict=True))
    chance = max(Counter(wanted).values()) / len(wanted)
    return bool(right / len(wanted) >= max(_TELLS, chance + 0.5 * (1 - chance)))
