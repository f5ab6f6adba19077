"""In-context examples: which questions of a suite, with their right answers, stand before a question."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.config import RunConfig, SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import Message, ReplayTarget, Sample, TextTarget, ToolTarget
from harness.scorers.gold import gold_calls
from harness.suite.spec import load_suite, read_spec

__all__ = ["ANSWERABLE", "NO_TOOL_FITS", "Example", "choose", "example_of", "with_examples"]

_SAME_CATEGORY = 1.0
"""Added to a cosine, which is at most 1: examples of the question's own cluster come first."""
NO_TOOL_FITS = "None of the tools can do this."
"""Stands for an answer in words where a suite says that none of the tools is to be called, and not what to say."""
ANSWERABLE = frozenset({"exact", "normalised", "numeric", "choice", "json", "rouge"})
"""Kinds of text target whose accepted answers are answers; of the others they are patterns or rubrics."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its right answer."""

    sample: Sample
    question: Message
    answer: Message

    @property
    def names(self) -> frozenset[str]:
        """Tools that the answer calls."""
        return frozenset(call.name for call in self.answer.tool_calls)


def with_examples(
    samples: Sequence[Sample], config: RunConfig, cache: Path, on_progress: Callable[..., None] | None = None
) -> tuple[Sample, ...]:
    """The samples, each with `model.examples` of the suite's train or calibration split before it.

    Raises ConfigError where the suite has no such split, or none of its questions makes an example.
    """
    model = config.model
    pool = _pool(config.suite, model.examples_split, cache, on_progress)
    ready = [one for sample in pool if (one := example_of(sample)) is not None]
    if not ready:
        raise ConfigError(
            f"model.examples={model.examples}: suite {config.suite.name} has no question in the split "
            f"{model.examples_split} that makes an example (a single question by the user with a known answer); "
            "build the suite with build.splits=[test,train], or type model.examples=0"
        )
    return choose(samples, ready, model.examples, similar=model.examples_by == "similar")


def _pool(
    config: SuiteConfig, split: str, cache: Path, on_progress: Callable[..., None] | None
) -> list[Sample]:  # fmt: skip
    """All samples of one split, whatever part of the suite is run."""
    home = Path(config.path).expanduser() if config.path else None
    options = dict(config.options)
    if read_spec(config.name, home).loader == "jsonl":
        options["split"] = split
    whole = config.model_copy(update={"limit": None, "categories": None, "options": options})
    try:
        return [one for one in load_suite(whole, cache, on_progress).samples if one.split == split]
    except DataError:  # no sample of that split: the caller says what to type
        return []


def example_of(sample: Sample) -> Example | None:
    """The sample as an example; None where its answer is not known or it does not end with a question of the user.

    Only that last message is shown: the history before it belongs to another session.
    """
    if not sample.messages or sample.messages[-1].role != "user" or sample.split == "test":
        return None
    target = sample.target
    answer: Message | None = None
    if isinstance(target, ToolTarget) and target.expect in {"calls", "no_call"}:
        calls = gold_calls(target)
        words = None if calls else NO_TOOL_FITS
        answer = Message(role="assistant", content=words, tool_calls=calls)
    elif isinstance(target, ReplayTarget):
        first = target.references[0]
        answer = Message(role="assistant", content=first.text, tool_calls=tuple(first.calls))
    elif isinstance(target, TextTarget) and target.match in ANSWERABLE and target.accepted:
        answer = Message(role="assistant", content=target.accepted[0])
    if answer is None or not (answer.content or answer.tool_calls):
        return None
    return Example(sample, sample.messages[-1], answer)


def choose(
    samples: Sequence[Sample], pool: Sequence[Example], count: int, *, similar: bool
) -> tuple[Sample, ...]:  # fmt: skip
    """Each sample with up to so many examples, the best one last, nearest to the question.

    An example fits where all tools that it calls are offered, where both questions have tools or both have none, and
    where it is of another session. similar: cosine of TF-IDF words of the questions, those of the same category first;
    else the same order for all (SHA-256 of the id). A sample for which none fits stays without.
    """
    ordered = sorted(pool, key=lambda one: hashlib.sha256(one.sample.id.encode()).digest())
    near = (
        _cosines([_question(one) for one in samples], [_question(one.sample) for one in ordered]) if similar else None
    )
    made = []
    for place, sample in enumerate(samples):
        offered = frozenset(tool.name for tool in sample.tools)
        fitting = [number for number, one in enumerate(ordered) if _fits(one, sample, offered)]
        if near is not None:
            scores = near[place]
            fitting.sort(key=lambda number: -_score(ordered[number], sample, float(scores[number])))
        taken = [ordered[number] for number in fitting[:count]]
        turns = tuple(message for one in reversed(taken) for message in (one.question, one.answer))
        made.append(sample.model_copy(update={"examples": turns}))
    return tuple(made)


def _fits(one: Example, sample: Sample, offered: frozenset[str]) -> bool:
    if one.sample.id == sample.id or (sample.session is not None and one.sample.session == sample.session):
        return False
    return one.names <= offered and bool(one.sample.tools) == bool(sample.tools)


def _score(one: Example, sample: Sample, cosine: float) -> float:
    return cosine + (_SAME_CATEGORY if one.sample.category == sample.category else 0.0)


def _question(sample: Sample) -> str:
    """The last words of the user."""
    return next((one.content or "" for one in reversed(sample.messages) if one.role == "user"), "")


def _cosines(questions: Iterable[str], pool: Iterable[str]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """(questions, pool) cosine of TF-IDF vectors, the weights from the pool alone."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # a second to import: only where examples are wanted

    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    known = list(pool)
    if not any(re.search(r"\w", one) for one in known):
        return np.zeros((len(list(questions)), len(known)))
    kept = words.fit_transform(known)
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.asarray(
        (words.transform(list(questions)) @ kept.T).todense(), dtype=np.float64
    )
    return found
