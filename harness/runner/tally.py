"""Running totals of a run, flat in memory: a few numbers an attempt, no reply is kept."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from harness.measure import (
    decode_tokens_per_s,
    e2e_s,
    queue_s,
    tpot_s,
    tpot_with_first_s,
    ttft_content_s,
    ttft_reasoning_s,
    ttft_s,
    ttft_tool_s,
)
from harness.records import Attempt, FailureKind, JudgeFacts, MissClass, Sample, Score, Step
from harness.records.summary import DecisionTable
from harness.runner.books import Books
from harness.runner.samplesums import PartSums, SampleSums
from harness.runner.trajectories import TrajectorySums

__all__ = ["Doubles", "Figure", "Tally"]


if TYPE_CHECKING:  # arrays take a type parameter for type checkers only
    Doubles = array[float]
else:
    Doubles = array


def _doubles() -> Doubles:
    return array("d")


Figure = Literal[
    "ttft", "ttft_content", "ttft_reasoning", "ttft_tool", "ttft_cold", "ttft_warm", "queue", "tpot", "tpot_with_first",
    "e2e", "decode_rate", "task",
]  # fmt: skip
_WARM_FRAC = 0.5


def _cached_ttft(attempt: Attempt | Step, *, warm: bool) -> float | None:
    """TTFT if the prompt was cached as wanted; None where the server does not say what was."""
    prompt, cached = attempt.usage.prompt_tokens, attempt.usage.cached_tokens
    if not prompt or cached is None or (cached / prompt >= _WARM_FRAC) != warm:
        return None
    return ttft_s(attempt.timing)


def _figures(call: Attempt | Step) -> tuple[tuple[Figure, float | None], ...]:
    """Each figure of one request, None where it is undefined or was not measured."""
    timing, usage = call.timing, call.usage
    return (
        ("ttft", ttft_s(timing)),
        ("ttft_content", ttft_content_s(timing)),
        ("ttft_reasoning", ttft_reasoning_s(timing)),
        ("ttft_tool", ttft_tool_s(timing)),
        ("ttft_cold", _cached_ttft(call, warm=False)),
        ("ttft_warm", _cached_ttft(call, warm=True)),
        ("queue", queue_s(timing, call.server)),
        ("tpot", tpot_s(timing, usage)),
        ("tpot_with_first", tpot_with_first_s(timing, usage)),
        ("e2e", e2e_s(timing) if call.reply is not None else None),
        ("decode_rate", decode_tokens_per_s(timing, usage)),
    )


@dataclass(slots=True)
class JudgeSums:
    """What the models that judged cost, over all attempts."""

    calls: int = 0
    seconds: float = 0.0
    cost_usd: float | None = None
    n_both_ways: int = 0
    n_agreed: int = 0

    def add(self, facts: JudgeFacts) -> None:
        """Adds what one verdict took."""
        self.calls += facts.calls
        self.seconds += facts.seconds
        self.cost_usd = _plus_usd(self.cost_usd, facts.cost_usd)
        if facts.agreed is not None:
            self.n_both_ways += 1
            self.n_agreed += facts.agreed


@dataclass(slots=True)
class Tally:
    """Counts and measured values of the attempts added so far."""

    n_finished: int = 0
    n_waiting: int = 0
    """Attempts on disk that a late scorer has yet to judge: not finished."""
    n_scored: int = 0
    n_failed: int = 0
    n_unscored: int = 0
    """Attempts with a reply that has no value of its own: a metric over the whole corpus, say."""
    n_model_failures: int = 0
    value_sum: float = 0.0
    samples: SampleSums = field(default_factory=SampleSums)
    misses: Counter[MissClass] = field(default_factory=Counter)
    failures: Counter[FailureKind] = field(default_factory=Counter)
    overflowed: set[str] = field(default_factory=set)
    """Samples whose prompt did not fit into the context."""
    parts: PartSums = field(default_factory=PartSums)
    counts: dict[str, list[int]] = field(default_factory=dict)
    """[passed, of] by name, over all scored attempts."""
    repaired: float = 0.0
    """Value that JSON repair would add, over all scored attempts."""
    lucky: float = 0.0
    """Value that repair would take away: calls where none was wanted, which nobody could read."""
    n_repairable: int = 0
    """Attempts that JSON repair reads differently."""
    n_repaired: int = 0
    """Attempts that JSON repair would have made worth more."""
    judging: JudgeSums = field(default_factory=JudgeSums)
    books: Books = field(default_factory=Books)
    trajectories: TrajectorySums = field(default_factory=TrajectorySums)
    n_steps: int = 0
    """Replies of agents, over all attempts."""
    decisions: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    """(should call, called)."""
    measured: dict[Figure, Doubles] = field(default_factory=lambda: {name: _doubles() for name in get_args(Figure)})
    """Measured values, 8 bytes each."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    uncosted: int = 0
    """Answers of unknown cost."""
    untold: int = 0
    """Attempts that failed without a cost: what a provider takes for them, if anything, it tells nobody."""

    def add(self, sample: Sample, attempt: Attempt, score: Score) -> None:
        """Counts one finished attempt with its score."""
        self.n_finished += 1
        position = self.samples.see(sample.id, sample.category, sample.session, sample.weight)
        if attempt.failure is not None:
            self.failures[attempt.failure.kind] += 1
            if attempt.failure.kind == "context_overflow":
                self.overflowed.add(sample.id)
        if score.value is None and attempt.failure is None:
            self.n_unscored += 1
        elif score.value is None:
            self.n_failed += 1
        else:
            self.samples.add(position, score.value)
            self.parts.add(position, score.parts)
            self._scored(sample, attempt, score, score.value)
        if attempt.failure is None or attempt.failure.boundary == "model":
            self._measured(attempt)
        self.samples.spend(position, attempt.cost_usd, e2e_s(attempt.timing))
        self._tokens(attempt)
        self.books.add(attempt)
        self.n_steps += len(attempt.steps)
        if score.judge is not None:
            self.judging.add(score.judge)
        if score.trajectory is not None:
            self.trajectories.add(sample, score.trajectory)

    def _scored(self, sample: Sample, attempt: Attempt, score: Score, value: float) -> None:
        self.n_scored += 1
        self.value_sum += value
        if score.miss is not None:
            self.misses[score.miss] += 1
        if attempt.failure is not None:
            self.n_model_failures += 1
        for name, (passed, of) in score.counts.items():
            both = self.counts.setdefault(name, [0, 0])
            both[0] += passed
            both[1] += of
        self.n_repairable += score.repaired is not None
        if score.repaired is not None:
            self.repaired += max(0.0, score.repaired - value)
            self.n_repaired += score.repaired > value
            self.lucky += max(0.0, value - score.repaired)
        right = score.parts.get("decision")
        should_call = sample.wants_call
        if right is not None and should_call is not None:
            self.decisions[(should_call, should_call == (right == 1.0))] += 1

    def _measured(self, attempt: Attempt) -> None:
        if attempt.steps and attempt.origin != "cached" and (took := e2e_s(attempt.timing)) is not None:
            self.measured["task"].append(took)
        for call in attempt.steps or (attempt,):
            if call.origin == "cached":  # its times are of another day
                continue
            for name, value in _figures(call):
                if value is not None:
                    self.measured[name].append(value)

    def _tokens(self, attempt: Attempt) -> None:
        usage = attempt.usage
        self.prompt_tokens = _plus(self.prompt_tokens, usage.prompt_tokens)
        self.cached_tokens = _plus(self.cached_tokens, usage.cached_tokens)
        self.output_tokens = _plus(self.output_tokens, usage.output_tokens)
        self.cost_usd = _plus_usd(self.cost_usd, attempt.cost_usd)
        if attempt.cost_usd is None:
            self.untold += attempt.failure is not None
            self.uncosted += attempt.failure is None

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
