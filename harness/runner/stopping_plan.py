"""What is looked at in which order: the samples as clusters of units, each cluster in an order fixed beforehand."""

import zlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from harness.records import Sample
from harness.stats.sequential import shuffled

__all__ = ["WHOLE", "Stratum", "strata"]

WHOLE = "all"
"""Name of the one stratum where there is one verdict for the whole suite."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One cluster. What is independent stands together: the samples of one session in it are one unit."""

    name: str
    share: float
    """Of the suite's weight, 0..1."""
    units: tuple[tuple[Sample, ...], ...]
    """In the order in which they are looked at, whatever comes back first: it has nothing to do with outcomes."""

    @property
    def n_samples(self) -> int:
        """Samples in all units."""
        return sum(map(len, self.units))

    @property
    def largest(self) -> int:
        """Samples in the largest unit."""
        return max(map(len, self.units), default=1)


def strata(
    samples: Sequence[Sample],
    by: str,
    seed: int,
    paired: Container[str] | None = None,
    traffic: Mapping[str, float] | None = None,
) -> tuple[Stratum, ...]:
    """The clusters of a suite, those with most traffic first.

    by: `category` or `suite`. seed: of the order within each. paired: ids of the samples to take; None: all. traffic:
    calls that each category stands for; without it the weights of its samples say so, those of all samples. A cluster
    without a sample to take has no units.
    """
    weights: dict[str, float] = {}
    groups: dict[str, dict[object, list[Sample]]] = {}
    for sample in samples:
        name = sample.category if by == "category" else WHOLE
        weights[name] = weights.get(name, 0.0) + sample.weight
        units = groups.setdefault(name, {})
        if paired is None or sample.id in paired:
            units.setdefault(("sample", sample.id) if sample.session is None else sample.session, []).append(sample)
    if traffic and set(traffic) >= set(weights):
        weights = {name: traffic[name] for name in weights}
    total = sum(weights.values())
    found = []
    for name, units in groups.items():
        blocks = [tuple(unit) for unit in units.values()]
        order = shuffled(len(blocks), (seed, zlib.crc32(name.encode())))
        found.append(Stratum(name, weights[name] / total, tuple(blocks[place] for place in order)))
    return tuple(sorted(found, key=lambda one: (-one.share, one.name)))
