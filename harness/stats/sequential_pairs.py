"""A candidate beside a baseline, looked at after every pair: non-inferior, inferior, or neither yet.

Δ is the mean value of the candidate minus that of the baseline. Two capitals grow with the differences (`sequential`):
one against Δ ≤ −margin, one against Δ ≥ −margin; the first that reaches 1/α decides. For outcomes right or wrong the
differences are −1, 0 and 1, and pairs that agree speak as `no worse than the margin`, each for little.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import log

from harness.errors import DataError
from harness.records.sequential import SequentialVerdict
from harness.stats.sequential import Blocks, Evidence, blocks_of, mean_sequence, shuffled

__all__ = ["PairedSequence", "sequential_verdict"]


@dataclass(slots=True)
class PairedSequence:
    """The differences of one candidate from one baseline, told unit by unit.

    Raises DataError unless 0 < margin < 1 and 0 < alpha < 0.5.
    """

    margin: float
    alpha: float = 0.05
    largest: int = 1
    """Most pairs in a unit (session), known before the first look."""
    better: Evidence = field(init=False)
    """Against "worse by the margin or more"."""
    worse: Evidence = field(init=False)
    """Against "worse by the margin at most"."""
    blocks: Blocks = field(init=False, default_factory=Counter)
    n_pairs: int = field(init=False, default=0)
    gained: int = field(init=False, default=0)
    lost: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1 or not 0 < self.alpha < 0.5:
            raise DataError(f"a margin lies within 0 and 1 and alpha within 0 and 0.5, not {self.margin}, {self.alpha}")
        self.better = Evidence(-self.margin, "above", low=-1.0, largest=self.largest)
        self.worse = Evidence(-self.margin, "below", low=-1.0, largest=self.largest)

    def look(self, *differences: float) -> None:
        """Takes the differences of one unit: one pair, or all pairs of a session.

        >>> test = PairedSequence(margin=0.05)
        >>> for _ in range(90):
        ...     test.look(0.0)
        >>> test.verdict().verdict
        'pass'
        """
        total, size = sum(differences), len(differences)
        self.better.look(total, size)
        self.worse.look(total, size)
        self.blocks[round(total, 12), size] += 1
        self.n_pairs += size
        self.gained += sum(one > 0 for one in differences)
        self.lost += sum(one < 0 for one in differences)

    @property
    def decided(self) -> bool:
        """Whether a verdict is certain when this is the only one that is sought."""
        return max(self.better.best, self.worse.best) >= log(1 / self.alpha)

    def verdict(self, level: float = 0.95, decided_at: int | None = None) -> SequentialVerdict:
        """Where it stands after the looks so far."""
        need = log(1 / self.alpha)
        shown = "pass" if self.better.best >= need else "fail" if self.worse.best >= need else "need_more"
        total = sum(one * times for (one, _), times in self.blocks.items())
        return SequentialVerdict(
            verdict=shown,
            margin=self.margin,
            alpha=self.alpha,
            n_pairs=self.n_pairs,
            n_blocks=sum(self.blocks.values()),
            decided_at=decided_at,
            difference=total / self.n_pairs if self.n_pairs else None,
            interval=mean_sequence(self.blocks, low=-1.0, largest=self.largest, level=level),
            p_noninferior=self.better.p,
            p_inferior=self.worse.p,
        )


def sequential_verdict(
    differences: Sequence[float],
    *,
    margin: float,
    alpha: float = 0.05,
    sessions: Sequence[Hashable | None] | None = None,
    seed: int | None = 0,
) -> SequentialVerdict:
    """The verdict that looks after every unit would have brought, with the number of pairs that it took.

    differences: candidate − baseline of each sample, within −1 and 1. sessions: of each; samples of one are one unit.
    seed: of the random order in which units are taken; None: as they come, which is valid only where that order has
    nothing to do with the outcomes (a drift has). Stops at the first certainty.
    >>> sequential_verdict([1.0] * 30 + [0.0] * 300, margin=0.05).verdict
    'pass'
    >>> sequential_verdict([-1.0] * 200 + [0.0] * 300, margin=0.05).verdict
    'fail'
    """
    units = blocks_of(differences, sessions)
    order = range(len(units)) if seed is None else shuffled(len(units), [seed])
    test = PairedSequence(margin, alpha, max(map(len, units), default=1))
    for place in order:
        test.look(*units[place])
        if test.decided:
            return test.verdict(decided_at=test.n_pairs)
    return test.verdict()
