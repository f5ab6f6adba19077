"""What `prepare` is handed besides options and samples: the suite, the model that will learn, and its judge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.assets import OnProgress
from harness.backends.transformers_plan import Checkpoint
from harness.config import ModelConfig, RunConfig
from harness.protocols import LateScorer, Scorer
from harness.records.convert import DatasetRow
from harness.suite.spec import SuiteSpec

__all__ = ["Lengths", "Setup"]

Lengths = Callable[[Sequence[DatasetRow]], Sequence[tuple[int, int]]]
"""Tokens of each row's prompt and of its reply, as the model's own chat template and tokenizer make them."""


def _quiet(_line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The suite and the student."""

    spec: SuiteSpec
    model: ModelConfig
    """The student: its protocol and prompt decide how a row is written."""
    scorer: Scorer | LateScorer
    """The suite's: a row's answer has to be right by it."""
    cluster: tuple[str, ...] | None = None
    """Categories of the suite, by id or label; None: all of them."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Labels of categories whose ids are no words."""
    max_tokens: int | None = None
    """Longer rows are left out; None: no limit."""
    checkpoint: Path | None = None
    """Folder of the student's checkpoint, with its tokenizer: rows are counted in its tokens. None: nobody counts."""
    python: Path | None = None
    """A Python with torch and transformers, where there is one (`torch_python`)."""
    lengths: Lengths | None = None
    """Counts tokens in place of the checkpoint's tokenizer."""
    teacher: RunConfig | None = None
    """How the teacher is asked; None: composed from `data.teacher` and `data.teacher_overrides`."""
    weigher: Checkpoint | None = None
    """The teacher's own weights, where it weighs the replies (`teacher_checkpoint`); None: found when it does."""
    suite_data: Path | None = None
    on_progress: OnProgress | None = None
    say: Callable[[str], None] = _quiet
