"""Which samples a limited run takes: the same on every machine, and a larger run contains the smaller one."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from harness.errors import ConfigError
from harness.records import Sample

__all__ = ["stratified"]


def stratified(
    samples: Sequence[Sample], limit: int | None, seed: int, mode: Literal["balanced", "proportional"]
) -> tuple[Sample, ...]:
    """The first `limit` samples (None: all) of a dealing that mixes the categories.

    balanced: categories in turn, until each has given all it has. proportional: first one of each category, larger ones
    first, then always the category that is furthest behind its share by Sainte-Laguë's divisors (n / (2 taken + 1));
    largest remainders would not do, since there a larger total can take a seat away again. Within a category the order
    is that of SHA-256 over seed and id, so it depends on neither machine nor process.
    Raises ConfigError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"suite.limit={limit}, allowed: 1 or more, or null for all samples")
    strata: dict[str, list[Sample]] = {}
    for sample in samples:
        strata.setdefault(sample.category, []).append(sample)
    ranked = {name: sorted(members, key=lambda one: _rank(one.id, seed)) for name, members in strata.items()}
    dealt = _in_turn(ranked) if mode == "balanced" else _by_share(ranked)
    return tuple(islice(dealt, limit))


def _rank(identity: str, seed: int) -> tuple[bytes, str]:
    return hashlib.sha256(f"{seed}:{identity}".encode()).digest(), identity


def _in_turn(strata: dict[str, list[Sample]]) -> Iterator[Sample]:
    rounds = max((len(members) for members in strata.values()), default=0)
    for turn in range(rounds):
        yield from (members[turn] for members in strata.values() if turn < len(members))


def _by_share(strata: dict[str, list[Sample]]) -> Iterator[Sample]:
    largest_first = sorted(strata, key=lambda name: (-len(strata[name]), name))
    taken = dict.fromkeys(largest_first, 1)
    yield from (strata[name][0] for name in largest_first)
    for _ in range(sum(map(len, strata.values())) - len(strata)):
        open_ones = [name for name in largest_first if taken[name] < len(strata[name])]
        behind = max(open_ones, key=lambda name: len(strata[name]) / (2 * taken[name] + 1))
        yield strata[behind][taken[behind]]
        taken[behind] += 1
