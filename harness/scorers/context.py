"""What a scorer may need to be made: the suite's data and options, and the run's settings for judging."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from harness.assets import OnProgress
from harness.backends import backend_for
from harness.config import AgentConfig, RunConfig, ScoringConfig, compose_judge
from harness.prices import priced
from harness.protocols import Backend, LateScorer, Scorer
from harness.records import Failure, FailureKind, MissClass
from harness.registry import load_plugin

__all__ = ["JudgeSeat", "ScorerContext", "failed_miss", "is_late", "judge_seat", "make_scorer", "workers"]

_MISSES: dict[FailureKind, MissClass] = {"context_overflow": "context_overflow"}


@dataclass(frozen=True, slots=True)
class JudgeSeat:
    """The model that judges: its own configuration, and how its endpoint is brought up."""

    config: RunConfig
    backend: Backend


@dataclass(frozen=True, slots=True)
class ScorerContext:
    """Handed to `from_context` of a scorer's class."""

    data: Path | None = None
    """The suite's data as fetched; None for a suite without."""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    """`options` of the suite, the configuration's on top."""
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    agent: AgentConfig = field(default_factory=AgentConfig)
    judge: JudgeSeat | None = None
    """None: no model is there to judge."""


def make_scorer(name: str, context: ScorerContext) -> Scorer | LateScorer:
    """The scorer registered under a name. Raises ConfigError if there is none or it refuses its options."""
    kind = load_plugin("harness.scorers", name)
    make = getattr(kind, "from_context", None)
    return cast(Scorer | LateScorer, make(context) if make is not None else kind())  # type: ignore[operator]


def judge_seat(scoring: ScoringConfig, on_progress: OnProgress | None = None) -> JudgeSeat | None:
    """The model that judges, composed by Hydra, its weights fetched; None if none was chosen.

    Works inside the app. Raises ConfigError for a model or overrides that do not fit, AssetError without weights.
    """
    if scoring.judge.model is None:
        return None
    config = compose_judge(scoring.judge)
    config = config.model_copy(update={"model": priced(config.model, getattr(config.backend, "python", None))})
    backend = backend_for(config.model, config.backend, on_progress=on_progress)
    backend.prepare()
    return JudgeSeat(config, backend)


def is_late(scorer: Scorer | LateScorer) -> bool:
    """Whether a scorer judges after the last reply."""
    return not hasattr(scorer, "score")


def failed_miss(failure: Failure) -> MissClass:
    """Where a sample is lost by a failure that is the model's."""
    return _MISSES.get(failure.kind, "decode")


def workers(scoring: ScoringConfig) -> int:
    """How many judgements to make at once where they take the processor."""
    return scoring.workers or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0, 1])
