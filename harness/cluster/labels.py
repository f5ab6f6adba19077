"""What a person sees of a cluster: words by c-TF-IDF, the calls in its middle, its family, its name."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from harness.cluster.features import Seen
from harness.records.cluster import ClusterFamily

__all__ = ["actions_of", "family_of", "name_of", "words_of"]

_WORDS: Final = 8
_TEXTS_EACH: Final = 400
_TOKEN: Final = r"(?u)\b[^\W\d_]{3,}\b"
_ROUTES: Final = re.compile(r"(transfer|hand_?off|route|delegate|escalate)", re.IGNORECASE)
_ASKS_ROUTE: Final = re.compile(r"\b(rout(e|er|ing)|hand[- ]?off|next agent|which agent|delegate)\b", re.IGNORECASE)
_ASKS_SUMMARY: Final = re.compile(r"\b(summar(y|ies|i[sz]e\w*)|tl;?dr|abstract of|condense)\b", re.IGNORECASE)
_SHORT: Final = 48
_FEW_ANSWERS: Final = 0.5


def words_of(groups: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """For each group of texts the words that are frequent in it and rare in the others, best first.

    c-TF-IDF (Grootendorst 2022): tf(t, c) · ln(1 + A / f(t)), with A the mean number of words of a group and f(t) the
    frequency of t in all of them. At most 400 texts a group are read, evenly spaced.
    """
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    documents = [" \n ".join(texts[:: max(1, len(texts) // _TEXTS_EACH)][:_TEXTS_EACH]) for texts in groups]
    try:
        vectorizer = CountVectorizer(stop_words="english", token_pattern=_TOKEN, max_features=50_000)
        counts = vectorizer.fit_transform(documents)
    except ValueError:  # not one word in all texts
        return [() for _ in groups]
    names = vectorizer.get_feature_names_out()
    sizes = np.asarray(counts.sum(axis=1)).ravel()
    everywhere = np.log1p(sizes.mean() / np.asarray(counts.sum(axis=0)).ravel())
    found = []
    for place in range(len(documents)):
        row = counts[place]
        weights = row.data / max(1, sizes[place]) * everywhere[row.indices]
        best = sorted(range(len(weights)), key=lambda one: (-weights[one], names[row.indices[one]]))[:_WORDS]
        found.append(tuple(str(names[row.indices[one]]) for one in best))
    return found


def actions_of(calls: Sequence[Seen]) -> dict[str, float]:
    """Share of the calls by what the log's model did, the commonest eight."""
    counts: Counter[str] = Counter()
    for call in calls:
        counts[call.action] += call.weight
    total = sum(counts.values())
    return {action: round(count / total, 4) for action, count in counts.most_common(8)}


def family_of(calls: Sequence[Seen], instruction: str, form: str) -> ClusterFamily:
    """What kind of task it is, by the first of these rules that holds.

    Half of the calls call tools: routing if those hand over (`transfer`, `handoff`, `route`), else toolcall. Half of
    the replies are empty: other. Nine of ten replies are within 48 characters and at most half of them differ:
    classification, or routing where the instruction speaks of that. A JSON format, or JSON in most replies: extraction.
    The curated family is code for half: code. The instruction asks for a summary: summary. Else instruct.
    """
    total = len(calls)
    called = [call for call in calls if call.action != "text"]
    if 2 * len(called) >= total:
        return "routing" if 2 * sum(bool(_ROUTES.search(call.action)) for call in called) >= total else "toolcall"
    spoken = [call for call in calls if call.action == "text" and call.reply.strip()]
    if 2 * len(spoken) < total - len(called):
        return "other"
    different = len({call.reply.strip().lower() for call in spoken})
    if 10 * sum(call.reply_chars <= _SHORT for call in spoken) >= 9 * len(spoken) and different <= max(
        1, _FEW_ANSWERS * len(spoken)
    ):
        return "routing" if _ASKS_ROUTE.search(instruction) else "classification"
    as_json = sum(call.reply.lstrip()[:1] in {"{", "["} for call in spoken)
    if form != "text" or 2 * as_json > len(spoken):
        return "extraction"
    if 2 * sum(call.family == "code" or "```" in call.reply for call in calls) >= total:
        return "code"
    return "summary" if _ASKS_SUMMARY.search(instruction) else "instruct"


def name_of(words: Sequence[str], actions: dict[str, float]) -> str:
    """A short name: the commonest action, if half of the calls take it, and the first words."""
    action, share = next(iter(actions.items()), ("text", 0.0))
    what = action if share >= 0.5 else "mixed"
    return f"{what}: {' '.join(words[:4])}" if words else what
