"""Which calls a suite takes: by cluster, as many as a verdict in each needs, with the traffic that they stand for."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, log, sqrt

from harness.records.call import Split

__all__ = ["Candidate", "Stratum", "needed_pairs", "pick"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that can be asked again."""

    id: str
    cluster: str
    split: Split
    session: str | None
    weight: int
    """Calls of the log that it stands for."""


@dataclass(slots=True)
class Stratum:
    """A cluster within a split."""

    cluster: str
    split: Split
    traffic: int = 0
    """Calls of the log."""
    usable: int = 0
    """Different requests among them that can be asked again."""
    taken: dict[str, float] = field(default_factory=dict)
    """Weight of each call taken: the weights of a stratum add up to its traffic."""
    name: str = ""
    """Of the cluster, as people read it; empty: it has none."""

    @property
    def title(self) -> str:
        """The cluster with its name."""
        return f"{self.cluster} {self.name}".rstrip()


def needed_pairs(margin: float, alpha: float, power: float, discordant: float) -> int:
    """Pairs that show a loss below the margin with this power, if there is none and this share of pairs differs.

    n = ψ (z_α + z_β)² / margin², ψ the discordant share; at least log α / log(1 − margin), which is what it takes
    where no pair differs. Source: Connor 1987, Biometrics 43, 207–211, for equal shares.
    >>> needed_pairs(0.05, 0.05, 0.8, 0.0), needed_pairs(0.05, 0.05, 0.8, 0.1)
    (59, 248)
    """
    from scipy.special import ndtri

    reach = float(-ndtri(alpha)) + float(ndtri(power))
    return max(ceil((sqrt(discordant) * reach / margin) ** 2 - 1e-9), ceil(log(alpha) / log(1 - margin)))


def pick(candidates: Sequence[Candidate], size: int, per_session: int | None, seed: int) -> list[Stratum]:
    """Up to `size` calls of each cluster and split, the same on every machine; clusters with most traffic first.

    The order within a stratum is that of SHA-256 over seed and id. A call's weight is its share of its cluster's
    traffic among those taken.
    """
    strata: dict[tuple[Split, str], Stratum] = {}
    members: dict[tuple[Split, str], list[Candidate]] = defaultdict(list)
    for one in candidates:
        key = (one.split, one.cluster)
        stratum = strata.setdefault(key, Stratum(one.cluster, one.split))
        stratum.traffic += one.weight
        stratum.usable += 1
        members[key].append(one)
    for key, stratum in strata.items():
        taken = _taken(members[key], size, per_session, seed)
        worth = stratum.traffic / sum(one.weight for one in taken)
        stratum.taken = {one.id: one.weight * worth for one in taken}
    return sorted(strata.values(), key=lambda one: (one.split, -one.traffic, one.cluster))


def _taken(members: Sequence[Candidate], size: int, per_session: int | None, seed: int) -> list[Candidate]:
    dealt = sorted(members, key=lambda one: (hashlib.sha256(f"{seed}:{one.id}".encode()).digest(), one.id))
    taken: list[Candidate] = []
    seen: Counter[str] = Counter()
    for one in dealt:
        if len(taken) == size:
            break
        if one.session is not None and per_session is not None and seen[one.session] >= per_session:
            continue
        seen[one.session or ""] += 1
        taken.append(one)
    return taken
