"""Patterns and exceptions of the user's own, checked before they run: a bad one is an error, never silence.

Python's `re` cannot be stopped, so these run in the package `regex`, which reads the same syntax and takes a time
limit. (A linear-time engine such as RE2 would refuse look-arounds, which such patterns often need.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.config.pii import PiiConfig, PiiPattern
from harness.curate.pii.fields import field_name
from harness.curate.pii.recognizer import Text
from harness.curate.pii.spans import Span
from harness.errors import ConfigError, extra

__all__ = ["Allowed", "Configured", "compile_patterns"]

_PROBES = tuple(
    unit * (4000 // len(unit)) + "\x00" for unit in ("a", "1", " ", "-", "a1", "a ", "1 ", "1-", "a@", "a.", "_", "\n")
)
_PROBE_S = 0.25
_TEXT_S = 5.0
"""Longest that one configured pattern may search one text."""


def compile_patterns(config: PiiConfig) -> tuple["Configured", ...]:
    """The configured patterns, ready. Raises ConfigError naming the one that is wrong or runs away."""
    return tuple(
        Configured(pattern, _compile(pattern.regex, f"pii.patterns[{place}].regex"), config.context_chars)
        for place, pattern in enumerate(config.patterns)
    )


def _compile(pattern: str, key: str) -> Any:
    """A compiled pattern of the package `regex`, whose types are its own."""
    try:
        import regex
    except ImportError:
        message = f"{key} needs the package regex, which is not installed; type: {extra('logs')}"
        raise ConfigError(message) from None
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ConfigError(f"{key}={pattern!r} is no regular expression: {error}; correct it or take it out") from None
    if compiled.fullmatch("") is not None:
        raise ConfigError(
            f"{key}={pattern!r} matches the empty text; say at least one character that a value must have"
        )
    for probe in _PROBES:
        try:
            compiled.search(probe, timeout=_PROBE_S)
        except TimeoutError:
            raise ConfigError(_runaway(key, pattern, f"{len(probe)} characters {probe[:8]!r}…", _PROBE_S)) from None
    return compiled


def _runaway(key: str, pattern: str, where: str, limit: float) -> str:
    return (
        f"{key}={pattern!r} takes over {limit:g} s on {where}; bound its repeats, as in {{1,40}}, and nest none of them"
    )


@dataclass(frozen=True, slots=True)
class Configured:
    """One configured pattern."""

    pattern: PiiPattern
    compiled: Any
    context_chars: int

    def find(self, text: Text, field: str | None) -> Iterator[Span]:
        """Its spans in a text. Raises ConfigError where it runs away: a hole in silence would be worse."""
        rule = self.pattern
        named = field is not None and field_name(field) in {field_name(name) for name in rule.fields}
        group = "value" if "value" in self.compiled.groupindex else 0
        try:
            for match in self.compiled.finditer(text.raw, timeout=_TEXT_S):
                start, end = match.span(group)
                if start < end and (named or self._in_context(text, start)):
                    yield Span(start, end, rule.kind, rule.score, f"pattern:{rule.kind}")
        except TimeoutError:
            where = f"a text of {len(text.raw)} characters"
            raise ConfigError(_runaway(f"pii.patterns of {rule.kind}", rule.regex, where, _TEXT_S)) from None

    def _in_context(self, text: Text, start: int) -> bool:
        words = self.pattern.context
        return not words or any(word.lower() in text.before(start, self.context_chars) for word in words)


class Allowed:
    """Whether a value is one that is never reported."""

    def __init__(self, config: PiiConfig) -> None:
        self._values = frozenset(value.strip().lower() for value in config.allow)
        self._patterns = tuple(
            (_compile(pattern, f"pii.allow_patterns[{place}]"), pattern)
            for place, pattern in enumerate(config.allow_patterns)
        )

    def __bool__(self) -> bool:
        """False where no value is."""
        return bool(self._values or self._patterns)

    def __call__(self, value: str) -> bool:
        """True for a listed value, in any case, and for one that a pattern matches in full."""
        if value.strip().lower() in self._values:
            return True
        for compiled, pattern in self._patterns:
            try:
                if compiled.fullmatch(value, timeout=_TEXT_S) is not None:
                    return True
            except TimeoutError:
                raise ConfigError(
                    _runaway("pii.allow_patterns", pattern, f"a value of {len(value)} characters", _TEXT_S)
                ) from None
        return False
