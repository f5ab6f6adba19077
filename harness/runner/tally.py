"""Running totals of a run, flat in memory: a few numbers an attempt, no reply is kept."""

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.measure import decode_tokens_per_s, e2e_s, tpot_s, tpot_with_first_s, ttft_s
from harness.records import Attempt, FailureKind, MissClass, Sample, Score
from harness.records.summary import DecisionTable

__all__ = ["Doubles", "Tally"]


if TYPE_CHECKING:  # arrays take a type parameter for type checkers only
    Doubles = array[float]
else:
    Doubles = array


def _doubles() -> Doubles:
    return array("d")


@dataclass(slots=True)
class Tally:
    """Counts and measured values of the attempts added so far."""

    n_finished: int = 0
    n_scored: int = 0
    n_failed: int = 0
    n_model_failures: int = 0
    value_sum: float = 0.0
    values: dict[str, dict[str, Doubles]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(_doubles)))
    """Values by category and sample: the trials of one sample are not independent."""
    sessions: dict[str, str] = field(default_factory=dict)
    """Session by sample, for samples that share one with others."""
    seen: Counter[str] = field(default_factory=Counter)
    """Finished attempts by category."""
    misses: Counter[MissClass] = field(default_factory=Counter)
    failures: Counter[FailureKind] = field(default_factory=Counter)
    decisions: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    """(should call, called)."""
    ttft: Doubles = field(default_factory=_doubles)
    tpot: Doubles = field(default_factory=_doubles)
    tpot_with_first: Doubles = field(default_factory=_doubles)
    e2e: Doubles = field(default_factory=_doubles)
    decode_rate: Doubles = field(default_factory=_doubles)
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    uncosted: int = 0

    def add(self, sample: Sample, attempt: Attempt, score: Score) -> None:
        """Counts one finished attempt with its score."""
        self.n_finished += 1
        self.seen[sample.category] += 1
        if attempt.failure is not None:
            self.failures[attempt.failure.kind] += 1
        if score.value is None:
            self.n_failed += 1
        else:
            self._scored(sample, attempt, score, score.value)
        if attempt.failure is None or attempt.failure.boundary == "model":
            self._measured(attempt)
        self._tokens(attempt)

    def _scored(self, sample: Sample, attempt: Attempt, score: Score, value: float) -> None:
        self.n_scored += 1
        self.value_sum += value
        self.values[sample.category][sample.id].append(value)
        if sample.session is not None:
            self.sessions[sample.id] = sample.session
        if score.miss is not None:
            self.misses[score.miss] += 1
        if attempt.failure is not None:
            self.n_model_failures += 1
        right = score.parts.get("decision")
        if right is not None:
            should_call = sample.target.expect != "no_call"
            self.decisions[(should_call, should_call == (right == 1.0))] += 1

    def _measured(self, attempt: Attempt) -> None:
        timing, usage = attempt.timing, attempt.usage
        for values, value in (
            (self.ttft, ttft_s(timing)),
            (self.tpot, tpot_s(timing, usage)),
            (self.tpot_with_first, tpot_with_first_s(timing, usage)),
            (self.e2e, e2e_s(timing) if attempt.reply is not None else None),
            (self.decode_rate, decode_tokens_per_s(timing, usage)),
        ):
            if value is not None:
                values.append(value)

    def _tokens(self, attempt: Attempt) -> None:
        usage = attempt.usage
        self.prompt_tokens = _plus(self.prompt_tokens, usage.prompt_tokens)
        self.cached_tokens = _plus(self.cached_tokens, usage.cached_tokens)
        self.output_tokens = _plus(self.output_tokens, usage.output_tokens)
        self.cost_usd = _plus_usd(self.cost_usd, attempt.cost_usd)
        self.uncosted += attempt.cost_usd is None

    def decision_table(self) -> DecisionTable | None:
        """The 2×2 of calling; None if nothing was decided."""
        if not self.decisions:
            return None
        return DecisionTable(
            should_call_called=self.decisions[(True, True)],
            should_call_silent=self.decisions[(True, False)],
            should_abstain_called=self.decisions[(False, True)],
            should_abstain_silent=self.decisions[(False, False)],
        )


def _plus(total: int | None, value: int | None) -> int | None:
    return total if value is None else (total or 0) + value


def _plus_usd(total: float | None, value: float | None) -> float | None:
    return total if value is None else (total or 0.0) + value
