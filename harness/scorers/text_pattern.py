"""Answers held against regular expressions, none of which can hang the run."""

from functools import lru_cache
from importlib import import_module
from typing import Protocol, cast

from harness.errors import ConfigError, extra
from harness.records import TextTarget
from harness.scorers.text_verdict import Judged, accepted_words, quoted, unreadable_target

__all__ = ["TIMEOUT_S", "Pattern", "compiled_pattern", "judge_regex"]

TIMEOUT_S = 0.2
"""For one pattern on one answer; a sound one takes microseconds."""
_MOST_CHARS = 100_000


class _Match(Protocol):
    def group(self) -> str: ...


class Pattern(Protocol):
    """What `regex` compiles to, as far as it is wanted here."""

    def search(self, text: str, *, timeout: float) -> _Match | None:
        """The first match. Raises TimeoutError."""
        ...


def judge_regex(answer: str, target: TextTarget, sample: str) -> Judged:
    """1 if an accepted pattern is found in the answer (anchors are the pattern's own business).

    By the package `regex`, whose searches can be given a time limit; its syntax contains that of Python's `re`. A
    pattern that takes longer than 0.2 s is the suite's fault, not the model's: the attempt stays without a score.
    Raises DataError for a pattern that is none.
    """
    late = []
    for pattern in target.accepted:
        compiled = compiled_pattern(pattern)
        if isinstance(compiled, str):
            raise unreadable_target(sample, f"{quoted(pattern)} is no regular expression ({compiled})")
        try:
            match = compiled.search(answer[:_MOST_CHARS], timeout=TIMEOUT_S)
        except TimeoutError:
            late.append(pattern)
            continue
        if match is not None:
            return Judged(1.0, extracted=match.group())
    if late:
        why = f"the pattern {quoted(late[0])} takes longer than {TIMEOUT_S:g} s: rewrite it without nested repetition"
        return Judged(None, None, why)
    return Judged(0.0, "wrong_answer", f"{quoted(answer)} does not fit {accepted_words(target.accepted)}")


@lru_cache(maxsize=4096)
def compiled_pattern(pattern: str) -> Pattern | str:
    """The pattern ready for use, or why it is none."""
    try:
        regex = import_module("regex")
    except ImportError:
        raise ConfigError(f"match regex needs the package regex: {extra('suites')}") from None
    try:
        return cast(Pattern, regex.compile(pattern))
    except regex.error as error:
        return str(error)
