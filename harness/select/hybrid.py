"""Two models in a row: the variant answers, and where its reply shows a sign the baseline is asked too."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.config import Signal
from harness.select.lane import Answer, Lane, Question

__all__ = ["Hybrid", "hybrid_of", "rule_text"]

_WORDS: dict[Signal, str] = {
    "no_reply": "there is no reply, by the model's own fault",
    "cut_off": "the reply ends at the limit of tokens",
    "unreadable": "its call or JSON cannot be read",
    "unknown_tool": "it calls a tool that was not offered",
    "schema": "arguments or JSON break the schema",
    "no_answer": "no answer is found in the text",
    "no_call": "tools are offered and it calls none",
}


@dataclass(frozen=True, slots=True)
class Hybrid:
    """The answers of both in a row, on the samples of a cluster."""

    lane: Lane
    escalated: float
    """Share of the traffic that goes on to the baseline."""
    signals: dict[str, int]
    """Why, by count of answers."""


def rule_text(signals: Sequence[Signal]) -> str:
    """The rule in one sentence."""
    if not signals:
        return "No hybrids were judged."
    reasons = "; ".join(_WORDS[one] for one in signals)
    return (
        f"The variant answers first. Its reply is dropped and the baseline is asked the same if one of these is seen: "
        f"{reasons}. Cost and time of both calls count, and no reply is passed on before it was checked."
    )


def hybrid_of(asked: Sequence[Question], lane: Lane, base: Lane, signals: Collection[Signal]) -> Hybrid | None:
    """The variant with the baseline behind it; None where no call would go on to it, or all would.

    Computed from the answers on record: the baseline's reply to the same sample stands for what it would reply when
    asked. Samples that would go on and that the baseline has no answer to are left out.
    """
    found: dict[str, tuple[Answer, ...]] = {}
    why: Counter[str] = Counter()
    moved = weight = 0.0
    for one in asked:
        behind = base.answers.get(one.id, ())
        answers, handed = [], 0
        for place, answer in enumerate(lane.answers.get(one.id, ())):
            if answer.signal not in signals:
                answers.append(replace(answer, ttft_s=answer.e2e_s))
            elif behind:
                assert answer.signal is not None
                why[answer.signal] += 1
                handed += 1
                answers.append(_both(answer, behind[place % len(behind)]))
        if answers:
            found[one.id] = tuple(answers)
            weight += one.weight
            moved += one.weight * handed / len(answers)
    if not why or moved >= weight:
        return None
    return Hybrid(Lane(lane.variant, found), moved / weight, dict(why.most_common()))


def _both(first: Answer, then: Answer) -> Answer:
    return Answer(
        value=then.value,
        decision=then.decision,
        formed=then.formed,
        ttft_s=_sum(first.e2e_s, then.ttft_s),
        e2e_s=_sum(first.e2e_s, then.e2e_s),
        cost_usd=_sum(first.cost_usd, then.cost_usd),
        tokens=None if first.tokens is None or then.tokens is None else first.tokens + then.tokens,
    )


def _sum(first: float | None, then: float | None) -> float | None:
    return None if first is None or then is None else first + then
