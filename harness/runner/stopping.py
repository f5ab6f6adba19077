"""`run.stop=verdict`: what is asked next, what is certain by now, and when nothing more has to be asked.

Each cluster has an order of its own, fixed before the first answer, and every contest looks at it from its beginning,
whatever comes back first. How far a cluster is followed may then depend on anything, other clusters and models among
it: the chance that a contest ever decides wrongly is bounded over its whole order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import log

from harness.config import VerdictConfig
from harness.records import Attempt, Sample, Score
from harness.records.sequential import Certainty
from harness.runner.stopping_book import Contest, Seat, Spent
from harness.runner.stopping_plan import WHOLE, Stratum
from harness.stats.sequential import Evidence, certain
from harness.stats.sequential_pairs import PairedSequence

__all__ = ["Duel", "Rivalry", "Stopping"]

_FIRST = 4
"""Units of each cluster before any is preferred: fewer decide nothing."""


@dataclass(slots=True)
class Duel:
    """A candidate against the baseline in one cluster."""

    contest: Contest
    test: PairedSequence
    verdict: Certainty = "need_more"
    decided_at: int | None = None
    """Pairs after which the verdict was certain."""
    dominated_by: str | None = None
    asked: bool = True
    """Whether the candidate is still asked in this cluster; once it is not, its pairs have an end."""

    @property
    def open(self) -> bool:
        """Whether more pairs could still decide it."""
        return self.verdict == "need_more" and self.contest.place < len(self.contest.stratum.units)

    @property
    def left(self) -> int:
        """Units that were not looked at."""
        return len(self.contest.stratum.units) - self.contest.place

    def to_go(self, need: float, hope: float = 0.0) -> float:
        """About how many units more decide it."""
        return min(self.test.better.to_go(need, hope), self.test.worse.to_go(need, hope))


@dataclass(slots=True)
class Rivalry:
    """Whether one candidate is better than another one in a cluster."""

    contest: Contest
    test: Evidence
    worse: Duel
    """The duel of the one that is dropped if it is so."""


@dataclass(slots=True)
class _Queue:
    stratum: Stratum
    taken: int = 0

    @property
    def left(self) -> int:
        return len(self.stratum.units) - self.taken


@dataclass(slots=True)
class Stopping:
    """The state of the rule over all models of a command."""

    baseline: Seat
    candidates: Sequence[Seat]
    strata: tuple[Stratum, ...]
    settings: VerdictConfig
    duels: list[Duel] = field(init=False, default_factory=list)
    rivalries: list[Rivalry] = field(init=False, default_factory=list)
    _queues: list[_Queue] = field(init=False)
    _contests: dict[str, list[Contest]] = field(init=False, default_factory=dict)
    """By cluster."""
    _turn: int = 0

    def __post_init__(self) -> None:
        self._queues = [_Queue(stratum) for stratum in self.strata]
        for stratum in self.strata:
            here = [self._duel(stratum, seat) for seat in self.candidates]
            self.duels += here
            if self.settings.eliminate:
                self.rivalries += [_rivalry(one, other) for one in here for other in here if one is not other]
        for contest in [*(one.contest for one in self.duels), *(one.contest for one in self.rivalries)]:
            self._contests.setdefault(contest.stratum.name, []).append(contest)
        self.advance()

    def _duel(self, stratum: Stratum, seat: Seat) -> Duel:
        test = PairedSequence(self.settings.margin, self.settings.alpha, stratum.largest)
        return Duel(Contest(stratum, seat, self.baseline, partial(_look, test)), test)

    def cluster(self, sample: Sample) -> str:
        """The cluster that a sample counts in."""
        return sample.category if self.settings.by == "category" else WHOLE

    def hear(self, seat: Seat, sample: Sample, attempt: Attempt, score: Score) -> None:
        """Takes one finished attempt."""
        seat.hear(self.cluster(sample), attempt, score)
        self.advance(self.cluster(sample))

    def advance(self, cluster: str | None = None) -> None:
        """Looks at what is complete by now, and draws what follows."""
        names = self._contests if cluster is None else [cluster]
        for contest in [one for name in names for one in self._contests.get(name, [])]:
            while (grew := contest.step()) is not None:
                if grew:
                    self._decide()

    def _decide(self) -> None:
        alpha, correction = self.settings.alpha, self.settings.correction
        better = certain([one.test.better.best for one in self.duels], alpha, correction)
        worse = certain([one.test.worse.best for one in self.duels], alpha, correction)
        for duel, passes, fails in zip(self.duels, better, worse, strict=True):
            if duel.verdict == "need_more" and (passes or fails):
                duel.verdict, duel.decided_at = "pass" if passes else "fail", duel.test.n_pairs
        beaten = certain([one.test.best for one in self.rivalries], alpha, correction)
        for rivalry, surely in zip(self.rivalries, beaten, strict=True):
            duel, rival = rivalry.worse, rivalry.contest.first
            if surely and duel.verdict == "need_more" and _spent(rival).costs_no_more(_spent(duel.contest.first)):
                duel.verdict, duel.decided_at, duel.dominated_by = "dominated", duel.test.n_pairs, rival.name

    @property
    def settled(self) -> bool:
        """Whether nothing is left that more answers could decide."""
        return not any(duel.open for duel in self.duels)

    def work(self, seats: Sequence[Seat]) -> Iterator[tuple[Seat, Sample, int]]:
        """What to ask next, seat by seat, as long as something is undecided: seat, sample, trial.

        seats: those that can be asked. Of a cluster the baseline is asked with those candidates that are undecided in
        it, the samples of a session one after the other, every other one backwards over the seats (ABBA). Attempts
        that are there already come too.
        """
        while (queue := self._next()) is not None:
            unit = queue.stratum.units[queue.taken]
            queue.taken += 1
            asked = self._asked(queue.stratum, seats)
            for sample in unit:
                for trial in range(max((seat.trials for seat in asked), default=0)):
                    self._turn += 1
                    for seat in asked if self._turn % 2 else asked[::-1]:
                        yield seat, sample, trial

    def _undecided(self, stratum: Stratum) -> list[Duel]:
        return [one for one in self.duels if one.contest.stratum is stratum and one.verdict == "need_more"]

    def _asked(self, stratum: Stratum, seats: Sequence[Seat]) -> list[Seat]:
        """The baseline, who is undecided, and who has passed and will soon show that one of those can be dropped."""
        here = [one for one in self.duels if one.contest.stratum is stratum]
        for duel in here:
            duel.asked = duel.asked and (duel.verdict == "need_more" or self._drops_soon(duel))
        wanted = [self.baseline, *(one.contest.first for one in here if one.asked)]
        return [seat for seat in seats if any(seat is one for one in wanted)]

    def _drops_soon(self, duel: Duel) -> bool:
        """Whether asking this one on, which costs one answer more a sample, ends what takes two for each sample."""
        if duel.verdict != "pass":
            return False
        need, own = log(max(1, len(self.rivalries)) / self.settings.alpha), self._need
        rivals = [
            one for one in self.rivalries
            if one.contest.first is duel.contest.first and one.contest.stratum is duel.contest.stratum
        ]  # fmt: skip
        return any(
            one.worse.open
            and _spent(duel.contest.first).costs_no_more(_spent(one.worse.contest.first))
            and 1.5 * one.test.to_go(need) < min(one.worse.to_go(own), one.worse.left)
            for one in rivals
        )

    @property
    def _need(self) -> float:
        """Log of the capital at which a verdict is certain while no other is."""
        return log(max(1, len(self.duels)) / self.settings.alpha)

    def _next(self) -> _Queue | None:
        """The cluster whose next unit settles most traffic soonest; None if nothing is left to decide."""
        open_ = [queue for queue in self._queues if queue.left and self._undecided(queue.stratum)]
        fresh = [queue for queue in open_ if queue.taken < _FIRST]
        if fresh:
            return min(fresh, key=lambda queue: queue.taken)
        return max(open_, key=self._urgency, default=None)

    def _urgency(self, queue: _Queue) -> tuple[bool, float]:
        """Whether what is left can be expected to settle it, and the traffic settled for each answer.

        Of what few units say, the hopeful end is taken. Weight over time, greatest first, makes the sum of weighted
        times to the end least where the times are known.
        Source: Smith 1956, Naval Research Logistics Quarterly 3, 59–66.
        """
        undecided = self._undecided(queue.stratum)
        units = max(one.to_go(self._need, hope=1.0) for one in undecided)
        size = queue.stratum.n_samples / len(queue.stratum.units)
        return units <= queue.left, queue.stratum.share / (max(units, 1.0) * size * (len(undecided) + 1))


def _look(test: PairedSequence, differences: list[float]) -> bool:
    before = test.better.best, test.worse.best
    test.look(*differences)
    return (test.better.best, test.worse.best) != before


def _rivalry(better: Duel, worse: Duel) -> Rivalry:
    stratum = better.contest.stratum
    test = Evidence(0.0, "above", low=-1.0, largest=stratum.largest)

    def look(differences: list[float]) -> bool:
        before = test.best
        test.look(sum(differences), len(differences))
        return test.best > before

    return Rivalry(Contest(stratum, better.contest.first, worse.contest.first, look), test, worse)


def _spent(seat: Seat) -> Spent:
    total = Spent()
    for one in seat.spent.values():
        total = total.plus(one)
    return total
