"""Answers made of several trials of one run, without a new call: a majority, or the first that passes a check.

Every value is the mean over all subsets of k of the T trials (or over 300 drawn ones, where there are more), so that it
is unbiased for k fresh trials whatever T is.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from math import comb

import numpy as np

from harness.records.decision import Variant
from harness.select.lane import Answer, Lane

__all__ = ["first_formed", "majority", "voted"]

_MOST_SUBSETS = 300
_SEED = 20_260
_Rule = Callable[[Sequence[Answer]], Answer]


def voted(lane: Lane, *, parallel: bool) -> list[Lane]:
    """The variants that several trials of this one make; none where it has one trial, or trials are always alike.

    A majority of 3 and of all T, where T is 3 or more (a vote of two is a coin toss), and the first well-formed of T
    where a form is asked for. parallel: whether a majority's calls are made at the same time.
    """
    trials = min((len(each) for each in lane.answers.values()), default=0)
    if trials < 2 or not _differ(lane.answers):
        return []
    how = "at once" if parallel else "in a row"
    sizes = sorted({3, trials}) if trials >= 3 else []
    made = [_made(lane, k, f"majority of {k} {how}", partial(majority, parallel=parallel)) for k in sizes]
    if any(answer.formed is not None for each in lane.answers.values() for answer in each):
        made.append(_made(lane, trials, f"first well-formed of {trials}", first_formed))
    return made


def _differ(answers: Mapping[str, Sequence[Answer]]) -> bool:
    return any(len({answer.action for answer in each}) > 1 for each in answers.values())


def _made(lane: Lane, k: int, rule: str, choose: _Rule) -> Lane:
    rng = np.random.default_rng(_SEED)
    answers = {one: (_over_subsets(each, k, choose, rng),) for one, each in sorted(lane.answers.items())}
    return Lane(_variant(lane.variant, k, rule, answers), answers)


def _over_subsets(each: Sequence[Answer], k: int, choose: _Rule, rng: np.random.Generator) -> Answer:
    """The mean of what the rule makes of every k of these answers."""
    if comb(len(each), k) <= _MOST_SUBSETS:
        chosen = [choose(drawn) for drawn in combinations(each, k)]
    else:
        draws = (rng.permutation(len(each))[:k] for _ in range(_MOST_SUBSETS))
        chosen = [choose([each[place] for place in drawn]) for drawn in draws]
    return _mean(chosen)


def majority(drawn: Sequence[Answer], *, parallel: bool) -> Answer:
    """What most of them do; the mean over the actions that are tied. All are paid for.

    Answers that cannot be read have no vote; where none can, the first stands. parallel: asked at the same time, so
    that it takes as long as the longest; else one after the other.
    """
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in drawn:
        if answer.action is not None:
            groups[answer.action].append(answer)
    most = max((len(group) for group in groups.values()), default=0)
    winners = [_mean(group) for group in groups.values() if len(group) == most] or [drawn[0]]
    return _priced(_mean(winners), drawn, parallel=parallel)


def first_formed(drawn: Sequence[Answer]) -> Answer:
    """The first that shows no sign against it, asked one after the other; the first of all where none is.

    The mean over all orders: of g well-formed ones each is as likely to come first, and each of the others comes
    before all of them with a chance of 1 / (g + 1); all are asked where g = 0.
    """
    good = [answer for answer in drawn if answer.signal is None]
    found = _mean(good or drawn)
    cost, took, tokens = (_until_good(drawn, len(good), name) for name in ("cost_usd", "e2e_s", "tokens"))
    return Answer(
        value=found.value,
        decision=found.decision,
        formed=found.formed,
        ttft_s=took,
        e2e_s=took,
        cost_usd=cost,
        tokens=None if tokens is None else round(tokens),
    )


def _until_good(drawn: Sequence[Answer], good: int, name: str) -> float | None:
    """What is spent, on the mean over all orders, until the first of so many well-formed ones is there."""
    if good == 0:
        return _total([getattr(one, name) for one in drawn])
    lost = _total([getattr(one, name) for one in drawn if one.signal is not None])
    kept = _total([getattr(one, name) for one in drawn if one.signal is None])
    return None if lost is None or kept is None else lost / (good + 1) + kept / good


def _priced(found: Answer, drawn: Sequence[Answer], *, parallel: bool) -> Answer:
    times = [answer.e2e_s for answer in drawn if answer.e2e_s is not None]
    e2e = None if len(times) < len(drawn) else max(times) if parallel else sum(times)
    tokens = _total([answer.tokens for answer in drawn])
    return Answer(
        value=found.value,
        decision=found.decision,
        formed=found.formed,
        ttft_s=e2e,  # nothing can be passed on before all are there
        e2e_s=e2e,
        cost_usd=_total([answer.cost_usd for answer in drawn]),
        tokens=None if tokens is None else round(tokens),
    )


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _mean(answers: Sequence[Answer]) -> Answer:
    """Mean of each figure that all of them have."""

    def mean(name: str) -> float | None:
        total = _total([getattr(answer, name) for answer in answers])
        return None if total is None else total / len(answers)

    value, tokens = mean("value"), mean("tokens")
    assert value is not None
    return Answer(
        value=min(1.0, max(0.0, value)),
        decision=mean("decision"),
        formed=mean("formed"),
        ttft_s=mean("ttft_s"),
        e2e_s=mean("e2e_s"),
        cost_usd=mean("cost_usd"),
        tokens=None if tokens is None else round(tokens),
    )


def _variant(one: Variant, k: int, rule: str, answers: Mapping[str, tuple[Answer, ...]]) -> Variant:
    flat = [answer for each in answers.values() for answer in each]
    costs = [answer.cost_usd for answer in flat if answer.cost_usd is not None]
    times = sorted(answer.e2e_s for answer in flat if answer.e2e_s is not None)
    p50, p95 = (float(np.quantile(times, q)) if times else None for q in (0.5, 0.95))
    return one.model_copy(
        update={
            "id": f"{one.id}+{rule.replace(' ', '-')}",
            "label": f"{one.label}, {rule}",
            "compute": rule,
            "samples": k,
            "cost_usd_per_call": sum(costs) / len(costs) if costs else None,
            "ttft_p50_s": p50,
            "ttft_p95_s": p95,
            "e2e_p50_s": p50,
            "e2e_p95_s": p95,
            "tokens_per_s": None,
        }
    )
