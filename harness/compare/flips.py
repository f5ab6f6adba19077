"""Where two runs part: samples worth more with one of them, and the classes by which either lost them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, get_args

import orjson
from pydantic import JsonValue

from harness.records import Attempt, Sample, Score
from harness.records.compare import Flip, MissFlow, MissRow, Outcome
from harness.records.score import MissClass
from harness.report.text import clip
from harness.store.runs import StoredRun

__all__ = ["attempts_in_both", "beginning", "flips_of", "miss_table", "reply_text"]

_PROMPT: Final = 240
_REPLY: Final = 320
_WHY: Final = 240
_ORDER: Final[dict[str, int]] = {name: place for place, name in enumerate(("right", *get_args(MissClass), "partial"))}


def attempts_in_both(a: StoredRun, b: StoredRun, shared: Sequence[str]) -> list[tuple[Score, Score]]:
    """Scores of the attempts (sample and trial) that both runs have scored, in the order of the samples."""
    places = {one: place for place, one in enumerate(shared)}
    first, second = (
        {(one.sample, one.trial): one for one in run.scores if one.value is not None and one.sample in places}
        for run in (a, b)
    )
    keys = sorted(first.keys() & second.keys(), key=lambda key: (places[key[0]], key[1]))
    return [(first[key], second[key]) for key in keys]


def _ended(score: Score) -> Outcome:
    return "right" if score.value == 1 else score.miss or "partial"


def miss_table(
    a: StoredRun, b: StoredRun, shared: Sequence[str]
) -> tuple[tuple[MissRow, ...], tuple[MissFlow, ...]]:  # fmt: skip
    """What either lost by class and what the other made of it, in the order of the waterfall; and all that moved."""
    flows = Counter((_ended(one), _ended(two)) for one, two in attempts_in_both(a, b, shared))
    names = sorted({name for pair in flows for name in pair if name != "right"}, key=_ORDER.__getitem__)
    rows = [
        MissRow(
            miss=name,
            a=sum(n for (one, _), n in flows.items() if one == name),
            b_right=flows[(name, "right")],
            b=sum(n for (_, two), n in flows.items() if two == name),
            a_right=flows[("right", name)],
        )
        for name in names
    ]
    order = sorted(flows.items(), key=lambda item: (-item[1], _ORDER[item[0][0]], _ORDER[item[0][1]]))
    return tuple(rows), tuple(MissFlow(a=one, b=two, n=n) for (one, two), n in order)


def flips_of(a: StoredRun, b: StoredRun, shared: Sequence[str], *, texts: bool) -> tuple[Flip, ...]:
    """Samples whose mean value differs, those lost first, then in the order of the suite."""
    pairs: dict[str, list[tuple[Score, Score]]] = defaultdict(list)
    for one, two in attempts_in_both(a, b, shared):
        pairs[one.sample].append((one, two))
    samples = {one.id: one for one in b.samples}
    answers = [{(one.sample, one.trial): one for one in run.attempts} for run in (a, b)] if texts else [{}, {}]
    found = []
    for name, scores in pairs.items():
        before, after = (sum(pair[side].value or 0.0 for pair in scores) / len(scores) for side in (0, 1))
        if before == after:
            continue
        sign = 1 if after > before else -1
        one, two = max(scores, key=lambda pair: sign * ((pair[1].value or 0.0) - (pair[0].value or 0.0)))
        key = (name, one.trial)
        found.append(
            Flip(
                sample=name,
                trial=one.trial,
                category=samples[name].category,
                change="gained" if after > before else "lost",
                a_value=before,
                b_value=after,
                a_miss=one.miss,
                b_miss=two.miss,
                prompt=beginning(samples[name]) if texts else None,
                a_reply=reply_text(answers[0].get(key), one) if texts else None,
                b_reply=reply_text(answers[1].get(key), two) if texts else None,
                a_why=clip(one.why, _WHY) if texts and one.why else None,
                b_why=clip(two.why, _WHY) if texts and two.why else None,
            )
        )
    return tuple(sorted(found, key=lambda one: one.change != "lost"))


def beginning(sample: Sample) -> str | None:
    """How the last words of the user begin; of a sample without any those of the last turn that has some."""
    words = [one for one in sample.messages if one.content]
    asked = [one for one in words if one.role == "user"] or words
    return clip(asked[-1].content or "", _PROMPT) if asked else None


def reply_text(attempt: Attempt | None, score: Score) -> str | None:
    """What was answered, short: the calls that were read, else the calls as sent, else the words, else the failure."""
    if _is_calls(score.extracted):
        return clip(_json(score.extracted), _REPLY)
    if attempt is None:
        return None
    reply = attempt.reply
    if reply is None:
        return f"no reply: {attempt.failure.kind}" if attempt.failure else None
    if reply.tool_calls:
        return clip(" ".join(f"{one.name}({one.arguments})" for one in reply.tool_calls), _REPLY)
    return clip(reply.content, _REPLY) if reply.content else "nothing"


def _is_calls(value: JsonValue) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "name" in one for one in value)


def _json(value: JsonValue) -> str:
    calls = value if isinstance(value, list) else []
    return " ".join(
        f"{one['name']}({orjson.dumps(one.get('arguments')).decode()})" for one in calls if isinstance(one, dict)
    )
