"""What a scorer may need to be made: the suite's data and options, and the run's settings for judging."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from harness.config import AgentConfig, ScoringConfig
from harness.protocols import LateScorer, Scorer
from harness.registry import load_plugin

__all__ = ["ScorerContext", "is_late", "make_scorer", "workers"]


@dataclass(frozen=True, slots=True)
class ScorerContext:
    """Handed to `from_context` of a scorer's class."""

    data: Path | None = None
    """The suite's data as fetched; None for a suite without."""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    """`options` of the suite, the configuration's on top."""
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    agent: AgentConfig = field(default_factory=AgentConfig)


def make_scorer(name: str, context: ScorerContext) -> Scorer | LateScorer:
    """The scorer registered under a name. Raises ConfigError if there is none or it refuses its options."""
    kind = load_plugin("harness.scorers", name)
    make = getattr(kind, "from_context", None)
    return cast(Scorer | LateScorer, make(context) if make is not None else kind())  # type: ignore[operator]


def is_late(scorer: Scorer | LateScorer) -> bool:
    """Whether a scorer judges after the last reply."""
    return not hasattr(scorer, "score")


def workers(scoring: ScoringConfig) -> int:
    """How many judgements to make at once where they take the processor."""
    return scoring.workers or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0, 1])
