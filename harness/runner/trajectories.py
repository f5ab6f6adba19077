"""Replayed sessions of a run: running totals, and what they come to."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records import Divergence, Sample, StepOutcome, TrajectoryFacts, TrajectoryMatch
from harness.records.summary import Ceiling
from harness.records.survival import SurvivalPoint, TrajectorySummary
from harness.stats.survival import kaplan_meier

__all__ = ["TrajectorySums"]

if TYPE_CHECKING:  # arrays take a type parameter for type checkers only
    Ints = array[int]
else:
    Ints = array


def _ints() -> Ints:
    return array("I")


@dataclass(slots=True)
class TrajectorySums:
    """Nine bytes a session besides its name."""

    match: TrajectoryMatch | None = None
    ended: Counter[str] = field(default_factory=Counter)
    kinds: Counter[Divergence] = field(default_factory=Counter)
    outcomes: Counter[StepOutcome] = field(default_factory=Counter)
    steps: int = 0
    same: int = 0
    _times: Ints = field(default_factory=_ints)
    """At which step each session was seen last."""
    _events: bytearray = field(default_factory=bytearray)
    """1 where it diverged there."""
    _units: Ints = field(default_factory=_ints)
    """Number of the logged session that each is a part of, or a trial of."""
    _known: dict[str, int] = field(default_factory=dict)

    def add(self, sample: Sample, facts: TrajectoryFacts) -> None:
        """Counts one session."""
        diverged = facts.ended == "diverged"
        self.match = facts.match
        self.ended[facts.ended] += 1
        if facts.kind is not None:
            self.kinds[facts.kind] += 1
        self.outcomes.update(facts.outcomes)
        self.steps += facts.steps
        self.same += facts.depth
        self._times.append(facts.depth + diverged)
        self._events.append(diverged)
        self._units.append(self._known.setdefault(sample.session or f"\0{sample.id}", len(self._known)))

    def summary(self, ceiling: Ceiling | None) -> TrajectorySummary | None:
        """What they come to; None where no session was replayed."""
        n = len(self._times)
        if self.match is None:
            return None
        diverged = self.ended["diverged"]
        agreement = self.same / (self.same + diverged) if self.same + diverged else None
        own = ceiling.step_rate if ceiling is not None else None
        found = kaplan_meier(list(self._times), [bool(one) for one in self._events], list(self._units))
        return TrajectorySummary(
            match=self.match,
            n=n,
            survived=self.ended["survived"],
            diverged=diverged,
            left=self.ended["left"],
            steps=self.steps,
            steps_same=self.same,
            steps_diverged=diverged,
            steps_not_scored=self.steps - self.same - diverged,
            step_agreement=agreement,
            of_ceiling=agreement / own if agreement is not None and own else None,
            kinds=dict(self.kinds.most_common()),
            outcomes=dict(self.outcomes.most_common()),
            median_step=next((one.time for one in found if one.share <= 0.5), None),
            curve=tuple(
                SurvivalPoint(
                    step=one.time, at_risk=one.at_risk, diverged=one.events, share=one.share, interval=one.interval
                )
                for one in found
            ),
        )
