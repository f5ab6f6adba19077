"""The scorer of answers in words, numbers, choices and JSON: every way of matching that needs no model."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from harness.errors import DataError
from harness.protocols import Case
from harness.records import Protocol, Reply, Sample, Score, TextMatch, TextTarget
from harness.scorers.context import ScorerContext
from harness.scorers.text_choice import judge_choice
from harness.scorers.text_json import judge_json, judge_json_value
from harness.scorers.text_number import Number, judge_numeric, numbers
from harness.scorers.text_pattern import judge_regex
from harness.scorers.text_verdict import Judged, text_target, unreadable_target
from harness.scorers.text_words import judge_exact, judge_normalised, judge_rouge
from harness.scorers.wording import plain_json
from harness.toolcalling.decode import said
from harness.toolcalling.repair import repaired_json
from harness.toolcalling.strict_json import read

__all__ = ["TextScorer", "as_score", "judge_text", "repaired_value", "unanswered"]

_LATE: Mapping[TextMatch, str] = {"embedding": "embedding", "judge": "judge"}
"""Ways of matching that a model decides, with the scorer that does it."""


class TextScorer:
    """Judges replies against a TextTarget."""

    name = "text"

    def __init__(self, *, repair: bool = True) -> None:
        """Takes whether a miss of match `json` is also judged after JSON repair."""
        self._repair = repair

    @classmethod
    def from_context(cls, context: ScorerContext) -> "TextScorer":
        """As for any scorer's class."""
        return cls(repair=context.scoring.repair)

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        """The verdict on a reply, by the target's `match`. Thoughts up to `</think>` are not part of the answer."""
        del protocol
        judged = judge_text(sample, reply)
        repaired = repaired_value(sample, reply, judged) if self._repair else None
        return as_score(self.name, sample, trial, judged).model_copy(update={"repaired": repaired})

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Each accepted answer, and the nearest that are wrong; for `regex` the target's `example`."""
        target = text_target(sample)
        yield from _CASES[target.match](target) if target.match in _CASES else ()
        yield Case("near_miss", "nothing is said", Reply(content="", finish_reason="stop"))
        yield Case("near_miss", "the thoughts never end", Reply(content="<think>so", finish_reason="length"))


def judge_text(sample: Sample, reply: Reply) -> Judged:
    """The verdict on a reply. Raises DataError for a target that cannot be read or that only a model can judge."""
    target = text_target(sample)
    if target.match in _LATE:
        raise DataError(
            f"sample {sample.id} has match {target.match}: write scorer: {_LATE[target.match]} in suite.yaml"
        )
    answer = said(reply.content)
    judged = _MATCHES[target.match](answer, target, sample.id)
    if not answer:
        return replace(unanswered(reply), parts=judged.parts, counts=judged.counts)
    if judged.miss in {"no_answer", "decode"} and reply.finish_reason == "length":
        return replace(judged, miss="length", why=f"cut off at the limit of tokens: {judged.why}")
    return judged


def unanswered(reply: Reply) -> Judged:
    """The verdict on a reply without an answer after its thoughts."""
    if reply.finish_reason == "length":
        return Judged(0.0, "length", "the reply reached the limit of tokens before an answer")
    return Judged(0.0, "no_answer", "there is no answer in the reply")


def repaired_value(sample: Sample, reply: Reply, judged: Judged) -> float | None:
    """What a miss of match `json` would be worth after JSON repair; None where repair reads nothing else in it.

    A reply that was cut off is not repaired, as in tool calls: an open end is no slip of form.
    """
    target = text_target(sample)
    if target.match != "json" or judged.miss in {None, "length"} or reply.finish_reason == "length":
        return None
    value = repaired_json(said(reply.content))
    if value is None:
        return None
    after = judge_json_value(value, target, sample.id)
    return None if after.extracted == judged.extracted else after.value


def as_score(scorer: str, sample: Sample, trial: int, judged: Judged) -> Score:
    """A verdict on text as the record that is written. Without a value it is the suite's fault: unscored."""
    at_fault = "harness" if judged.value is None else "model" if judged.miss else None
    return Score(
        sample=sample.id,
        category=sample.category,
        trial=trial,
        scorer=scorer,
        value=judged.value,
        parts=judged.parts,
        counts=judged.counts,
        miss=judged.miss,
        boundary=at_fault,
        why=judged.why,
        extracted=plain_json(judged.extracted),
    )


@lru_cache(maxsize=4096)
def _accepted_numbers(accepted: tuple[str, ...], sample: str) -> tuple[Number, ...]:
    found = []
    for text in accepted:
        read = list(numbers(text))
        if len(read) != 1:
            raise unreadable_target(sample, f"the accepted answer {text!r} holds {len(read)} numbers, not one")
        found += read
    return tuple(found)


_MATCHES: Mapping[TextMatch, Callable[[str, TextTarget, str], Judged]] = {
    "exact": lambda answer, target, _: judge_exact(answer, target),
    "normalised": lambda answer, target, _: judge_normalised(answer, target),
    "numeric": lambda answer, target, sample: judge_numeric(answer, target, _accepted_numbers(target.accepted, sample)),
    "choice": lambda answer, target, _: judge_choice(answer, target),
    "regex": judge_regex,
    "json": judge_json,
    "rouge": lambda answer, target, _: judge_rouge(answer, target),
}


def _reply(text: str) -> Reply:
    return Reply(content=text, finish_reason="stop")


def _words(target: TextTarget) -> Iterator[Case]:
    for one in target.accepted:
        yield Case("gold", "an accepted answer", _reply(one))
    yield Case("gold", "an accepted answer after thoughts", _reply(f"<think>Hm.</think>\n{target.accepted[0]}"))
    yield Case("near_miss", "an accepted answer among other words", _reply(f"perhaps {target.accepted[0]} or not"))


def _rouge(target: TextTarget) -> Iterator[Case]:
    for one in target.accepted:
        yield Case("gold", "an accepted answer", _reply(one))
    if target.threshold != 0:
        yield Case("near_miss", "not one word in common", _reply("zzyzx qwrtp"))


def _numeric(target: TextTarget) -> Iterator[Case]:
    for one in target.accepted:
        yield Case("gold", "an accepted number", _reply(one))
    first = target.accepted[0]
    yield Case("gold", "an accepted number in prose", _reply(f"Let me see: 7 and 9. The answer is {first}."))
    yield Case("near_miss", "the number is not the last", _reply(f"{first} would be wrong, it is 98765432.1"))
    yield Case("near_miss", "no number", _reply("I do not know."))


def _choice(target: TextTarget) -> Iterator[Case]:
    right = target.accepted[0]
    for one in target.accepted:
        yield Case("gold", "an accepted label", _reply(one))
    yield Case("gold", "an accepted label after a cue", _reply(f"Let us see.\nThe answer is ({right})."))
    for wrong in [one for one in target.choices if one not in target.accepted][:1]:
        yield Case("near_miss", "another label", _reply(f"The answer is ({wrong})."))
        yield Case("near_miss", "two labels", _reply(f"It is ({right}) or ({wrong})."))


def _regex(target: TextTarget) -> Iterator[Case]:
    if target.example is not None:
        yield Case("gold", "the target's example", _reply(target.example))


def _json(target: TextTarget) -> Iterator[Case]:
    for text in target.accepted:
        yield Case("gold", "an accepted value", _reply(text))
        yield Case("gold", "an accepted value in a fenced block", _reply(f"Here it is:\n```json\n{text}\n```"))
    for text in target.accepted[:1]:
        yield Case("near_miss", "not closed", _reply(text.rstrip()[:-1]))
        value = read(text)
        if isinstance(value, dict) and value:
            dropped = (target.fields or tuple(value))[0]
            lacking = {key: one for key, one in value.items() if key not in {dropped, dropped.partition(".")[0]}}
            yield Case("near_miss", "a field left out", _reply(json.dumps(lacking, ensure_ascii=False)))
    yield Case("near_miss", "prose", _reply("I cannot say."))


_CASES: Mapping[TextMatch, Callable[[TextTarget], Iterator[Case]]] = {
    "exact": _words,
    "normalised": _words,
    "rouge": _rouge,
    "numeric": _numeric,
    "choice": _choice,
    "regex": _regex,
    "json": _json,
}
