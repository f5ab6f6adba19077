"""Where a run's answers are from, and what others or a batch service would have them cost: kept apart from the rest."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.config import PriceConfig
from harness.cost import hosted_cost_usd
from harness.measure import e2e_s, ttft_s
from harness.records import Attempt, RecordedBy
from harness.records.summary import CachedAnswers, RecordedAnswers, RecordedCost

__all__ = ["Books"]


@dataclass(slots=True)
class Books:
    """Sums over the attempts added so far; a few numbers, whatever the run's size."""

    price: PriceConfig | None = None
    """For what the answers would cost as a batch."""
    n: int = 0
    n_cached: int = 0
    spent_usd: float | None = None
    _n_unspent: int = 0
    _first: float = 0.0
    _last: float = 0.0
    _n_recorded: int = 0
    _n_e2e: int = 0
    _n_ttft: int = 0
    _models: Counter[str] = field(default_factory=Counter)
    _sources: Counter[str] = field(default_factory=Counter)
    _told_usd: float = 0.0
    _n_told: int = 0
    _by: Counter[RecordedBy] = field(default_factory=Counter)
    _beside_usd: float = 0.0
    _n_beside: int = 0
    _batch_usd: float = 0.0
    _n_batch: int = 0
    _n_unbatched: int = 0

    def add(self, attempt: Attempt) -> None:
        """Counts one finished attempt."""
        self.n += 1
        spent = attempt.spent_usd
        if spent is None:
            self._n_unspent += attempt.failure is None  # what a failed one cost is told to nobody
        else:
            self.spent_usd = (self.spent_usd or 0.0) + spent
        if attempt.origin == "cached":
            self._cached(attempt.timing.at)
        elif attempt.origin == "recorded":
            self._recorded(attempt)
        if attempt.recorded_cost_usd is not None:
            self._told(attempt, attempt.recorded_cost_usd)
        self._batch(attempt)

    def _batch(self, attempt: Attempt) -> None:
        batch = None
        if self.price is not None and not attempt.steps:
            batch = hosted_cost_usd(attempt.usage, self.price, batch=True)
        if batch is not None:
            self._batch_usd += batch
            self._n_batch += 1
        else:
            self._n_unbatched += attempt.failure is None or bool(attempt.steps)

    def _cached(self, at: float) -> None:
        self._first = min(self._first, at) if self.n_cached else at
        self._last = max(self._last, at)
        self.n_cached += 1

    def _recorded(self, attempt: Attempt) -> None:
        self._n_recorded += 1
        self._models[attempt.model] += 1
        self._n_e2e += e2e_s(attempt.timing) is not None
        self._n_ttft += ttft_s(attempt.timing) is not None
        if attempt.latency_source is not None:
            self._sources[attempt.latency_source] += 1

    def _told(self, attempt: Attempt, usd: float) -> None:
        self._told_usd += usd
        self._n_told += 1
        if attempt.recorded_cost_by is not None:
            self._by[attempt.recorded_cost_by] += 1
        if attempt.cost_usd is not None:
            self._beside_usd += attempt.cost_usd
            self._n_beside += 1

    def spent(self, cost_usd: float | None) -> float | None:
        """What was paid of a known cost; None where the cost is not known."""
        return None if cost_usd is None or self._n_unspent else self.spent_usd

    def batch_usd(self) -> float | None:
        """All answers at batch prices; None where one has none, and for agents, whose steps wait for each other."""
        return self._batch_usd if self._n_batch and not self._n_unbatched else None

    def told(self) -> RecordedCost | None:
        """What others say that the answers cost."""
        if not self._n_told:
            return None
        beside = self._beside_usd if self._n_beside == self._n_told else None
        by = tuple(name for name, _ in self._by.most_common())
        return RecordedCost(usd=self._told_usd, n=self._n_told, by=by, computed_usd=beside)

    def cached(self) -> CachedAnswers | None:
        """How many answers are from the cache, and of when."""
        if not self.n_cached:
            return None
        return CachedAnswers(n=self.n_cached, of=self.n, first=_date(self._first), last=_date(self._last))

    def recorded(self) -> RecordedAnswers | None:
        """How many answers are a log's own."""
        if not self._n_recorded:
            return None
        return RecordedAnswers(
            n=self._n_recorded,
            of=self.n,
            models=tuple(name for name, _ in self._models.most_common()),
            n_e2e=self._n_e2e,
            n_ttft=self._n_ttft,
            latency_sources=tuple(name for name, _ in self._sources.most_common()),
        )


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
