"""What the comparisons of text agree on: a verdict, and how the words of an answer are shown."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from harness.errors import DataError
from harness.records import MissClass, Sample, TextTarget, target_of

__all__ = ["Judged", "accepted_words", "quoted", "text_target", "unreadable_target"]

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Judged:
    """The worth of one answer. `value` None: it could not be judged, by the suite's own fault."""

    value: float | None
    miss: MissClass | None = None
    """None if the value is 1, or none."""
    why: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    extracted: JsonValue = None


def text_target(sample: Sample) -> TextTarget:
    """The sample's text target. Raises DataError for a sample of another kind."""
    return target_of(sample, TextTarget)


def quoted(text: str) -> str:
    r"""A text on one line in quotes, cut after 80 characters, sound Unicode.

    >>> quoted("a\n b")
    '"a b"'
    """
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return f'"{line}"' if len(line) <= _SHOWN else f'"{line[: _SHOWN - 1]}…"'


def accepted_words(accepted: tuple[str, ...]) -> str:
    """Up to three accepted answers, for a sentence."""
    more = f" or {len(accepted) - 3} more" if len(accepted) > 3 else ""
    return " or ".join(quoted(one) for one in accepted[:3]) + more


def unreadable_target(sample: str, what: str) -> DataError:
    """The error for a target that cannot mean what it says."""
    return DataError(f"sample {sample}: {what}; correct its target and check with do=validate")
