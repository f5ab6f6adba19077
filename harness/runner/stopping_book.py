"""What has come back so far, by model, and the contests that are fought with it, each in its own fixed order."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.measure import e2e_s
from harness.records import Attempt, Sample, Score
from harness.runner.stopping_plan import Stratum
from harness.stats.sequential import Blocks

__all__ = ["Contest", "Seat", "Spent"]


@dataclass(slots=True)
class Spent:
    """What the attempts of one model in one cluster took."""

    n: int = 0
    tokens: int = 0
    n_told: int = 0
    """Attempts with a usage."""
    usd: float = 0.0
    n_priced: int = 0
    seconds: float = 0.0

    def add(self, attempt: Attempt) -> None:
        """Adds one attempt."""
        prompt, output = attempt.usage.prompt_tokens, attempt.usage.output_tokens
        self.n += 1
        self.n_told += prompt is not None or output is not None
        self.tokens += (prompt or 0) + (output or 0)
        self.n_priced += attempt.cost_usd is not None
        self.usd += attempt.cost_usd or 0.0
        self.seconds += e2e_s(attempt.timing) or 0.0

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(
            self.n + other.n,
            self.tokens + other.tokens,
            self.n_told + other.n_told,
            self.usd + other.usd,
            self.n_priced + other.n_priced,
            self.seconds + other.seconds,
        )

    def costs_no_more(self, other: "Spent") -> bool:
        """Whether its attempts cost at most as much as the other's, on the mean so far: in USD where all have a price,
        in seconds where none has. Where one side alone is priced, nothing is said.
        """
        if not self.n or not other.n:
            return False
        if self.n_priced == self.n and other.n_priced == other.n:
            return self.usd / self.n <= other.usd / other.n
        return not self.n_priced and not other.n_priced and self.seconds / self.n <= other.seconds / other.n


@dataclass(slots=True)
class Seat:
    """The answers of one model, sample by sample. The value of a sample is the mean of its trials."""

    name: str
    trials: int
    whole: bool = False
    """Whether nothing more will come."""
    spent: dict[str, Spent] = field(default_factory=dict)
    """By cluster."""
    looks: int = 0
    values: dict[str, float] = field(default_factory=dict)
    """Of the samples with at least one value."""
    _ended: Counter[str] = field(default_factory=Counter)
    _scored: Counter[str] = field(default_factory=Counter)

    @classmethod
    def stored(cls, name: str, values: Mapping[str, float]) -> "Seat":
        """A run that lies on the disk."""
        return cls(name, 1, whole=True, values=dict(values))

    def hear(self, cluster: str, attempt: Attempt, score: Score) -> None:
        """Takes one finished attempt; one that was lost ends its trial without a value."""
        sample = attempt.sample
        self._ended[sample] += 1
        if score.value is not None:
            self._scored[sample] += 1
            before = self.values.get(sample, 0.0)
            self.values[sample] = before + (score.value - before) / self._scored[sample]
        self.spent.setdefault(cluster, Spent()).add(attempt)

    def has(self, unit: tuple[Sample, ...]) -> bool:
        """Whether nothing of a unit is still to come."""
        return self.whole or all(self._ended[sample.id] >= self.trials for sample in unit)

    def blocks(self, stratum: Stratum, category: str | None = None) -> Blocks:
        """The units that are complete, up to the first that is not: how often each sum and number of values was seen.

        category: only of its samples.
        """
        found: Blocks = Counter()
        for unit in stratum.units:
            if not self.has(unit):
                break
            chosen = [one.id for one in unit if category in (None, one.category) and one.id in self.values]
            if chosen:
                found[round(sum(self.values[one] for one in chosen), 12), len(chosen)] += 1
        return found


@dataclass(slots=True)
class Contest:
    """One model beside another in one cluster, unit by unit in the cluster's order."""

    stratum: Stratum
    first: Seat
    second: Seat
    look: Callable[[list[float]], bool]
    """Takes the differences first − second of one unit; whether any evidence is stronger now than ever before."""
    place: int = 0
    """Units gone through."""
    looks: int = 0
    """Those of them in which both have values."""

    def step(self) -> bool | None:
        """Looks at the next unit: whether evidence grew; None as long as one of the two has not all of it."""
        units = self.stratum.units
        if self.place == len(units) or not (self.first.has(units[self.place]) and self.second.has(units[self.place])):
            return None
        both = [one.id for one in units[self.place] if one.id in self.first.values and one.id in self.second.values]
        self.place += 1
        if not both:
            return False
        self.looks += 1
        return self.look([self.first.values[one] - self.second.values[one] for one in both])
