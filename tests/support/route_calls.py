"""Calls made up for routing: what a small and a large model answered, with a planted tie of confidence and success."""

from collections.abc import Callable, Sequence
from math import log

import numpy as np

from harness.records import Certainty, Message, Reply, Sample, TextTarget
from harness.records.route import ModelTarget
from harness.route.evidence import Call, Drawn, Evidence
from harness.router.question import sample_question

__all__ = ["LARGE", "SMALL", "call", "drawn", "evidence", "planted", "reply", "sample", "target"]


def target(name: str, samples: int = 1) -> ModelTarget:
    """A model by its name."""
    return ModelTarget(
        name=name, run=f"run-{name}", model=name, protocol="native", label=f"{name}, native", samples=samples
    )


LARGE, SMALL = target("large"), target("small")


def sample(id_: str, text: str = "What is the capital of France?", *, category: str = "a", session: str | None = None,
           weight: float = 1.0, split: str = "test", arrival_s: float | None = None) -> Sample:  # fmt: skip
    """A question in words."""
    return Sample(
        id=id_, category=category, session=session, weight=weight, messages=(Message(role="user", content=text),),
        target=TextTarget(accepted=("Paris",), match="exact"), scorer="text", arrival_s=arrival_s,
        split=split,
    )  # fmt: skip


def reply(content: str | None = "Paris", sure: float | None = None, finish: str = "stop") -> Reply:
    """A reply whose tokens were held to be that likely."""
    certainty = None
    if sure is not None:
        told = log(sure)
        certainty = Certainty(tokens=3, mean_logprob=told, least_logprob=told - 1.0, first_logprob=told)
    return Reply(content=content, finish_reason=finish, certainty=certainty)


def drawn(value: float, *, sure: float | None = None, cost: float | None = 1.0, seconds: float | None = 1.0,
          content: str | None = "Paris", finish: str = "stop") -> Drawn:  # fmt: skip
    """One answer."""
    return Drawn(value, reply(content, sure, finish), cost, seconds, 100, 10)


def call(of: Sample, large: Drawn, *small: Drawn, name: str = "small") -> Call:
    """A call that both have answered; several small ones are trials."""
    return Call(of, sample_question(of), large, {name: small})


def evidence(tuning: Sequence[Call], testing: Sequence[Call], *small: ModelTarget) -> Evidence:
    """Both splits of a made-up suite."""
    return Evidence("made", "0" * 64, LARGE, small or (SMALL,), tuple(tuning), tuple(testing), "planted halves")


def planted(count: int, seed: int, right: Callable[[float], float], *, prefix: str, large: float = 0.9,
            sessions: int = 1) -> list[Call]:  # fmt: skip
    """Calls whose small model is right with `right(confidence)`, the confidence uniform; told as a log probability.

    sessions: calls of each session.
    """
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        sure = float(rng.uniform(0.01, 1.0))
        own = drawn(float(rng.random() < right(sure)), sure=sure, cost=0.1, seconds=0.5)
        best = drawn(float(rng.random() < large), cost=1.0, seconds=2.0)
        session = f"{prefix}s{place // sessions}" if sessions > 1 else None
        found.append(call(sample(f"{prefix}{place}", session=session), best, own))
    return found
