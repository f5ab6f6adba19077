"""Train, calibration and test: whole groups, in shares reached as closely as those allow, the same when logs grow."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate

from harness.config.curate import SplitConfig
from harness.curate.entry import Entry
from harness.curate.rules import STRADDLES
from harness.records.call import SPLITS, Split

__all__ = ["chance", "split_by_seed", "split_by_time"]


def chance(seed: int, name: str) -> float:
    """A number in 0..1 that a seed and a name decide, evenly spread over names.

    >>> chance(0, "a") == chance(0, "a") != chance(1, "a")
    True
    """
    return int.from_bytes(blake2b(f"{seed} {name}".encode(), digest_size=7).digest(), "big") / (1 << 56)


def split_by_seed(entries: Sequence[Entry], config: SplitConfig, before: Mapping[str, Split]) -> None:
    """Gives each group a split. entries: kept, with their groups, in the order of time.

    before: earlier splits by id of call or record. A group that holds such calls stays where they were; where they were
    in several, it goes to the first of train, calibration, test: what was trained on never becomes test.
    A new group is decided when its first call comes, by chance from the seed and that call's id, among the splits that
    the agent's calls so far have too few of. So calls sent later decide nothing earlier either.
    """
    wanted = {split: float(getattr(config, split)) for split in SPLITS}
    chosen = _as_before(entries, before)
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        split = chosen.get(entry.group)
        if split is None:
            draw = chance(config.seed, entry.record)
            timeless = entry.at is None  # no order of arrival: by chance alone
            split = chosen[entry.group] = _draw(draw, wanted if timeless else _lacking(wanted, counts[entry.agent]))
        entry.split = split
        counts[entry.agent][split] += 1


def _as_before(entries: Sequence[Entry], before: Mapping[str, Split]) -> dict[int, Split]:
    chosen: dict[int, Split] = {}
    for entry in entries if before else ():
        split = before.get(entry.record) or before.get(entry.content_id)
        if split is not None:
            chosen[entry.group] = min(split, chosen.get(entry.group, split), key=SPLITS.index)
    return chosen


def _lacking(wanted: Mapping[Split, float], so_far: Counter[str]) -> dict[Split, float]:
    """How many calls each split lacks once another one is there."""
    total = so_far.total() + 1
    return {split: max(0.0, share * total - so_far[split]) for split, share in wanted.items()}


def _draw(draw: float, weights: Mapping[Split, float]) -> Split:
    """A split with a chance that is proportional to its weight."""
    bounds = list(accumulate(weights.values()))
    at = draw * bounds[-1]
    return next(split for split, bound in zip(weights, bounds, strict=True) if at < bound and weights[split] > 0)


def split_by_time(entries: Sequence[Entry], config: SplitConfig) -> list[float]:
    """Gives each group a split by its first call's time; returns the times of the two cuts, inf where none is reached.

    entries: kept, with their groups, in the order of time. What a group says after a cut that it began before stays
    on the earlier side, or is marked as dropped (`split.straddling`). Groups without a time are of the earliest.
    """
    births: dict[int, float] = {}
    sizes: Counter[int] = Counter()
    for entry in entries:
        births.setdefault(entry.group, float("-inf") if entry.at is None else entry.at)
        sizes[entry.group] += 1
    order = sorted(births, key=lambda one: (births[one], one))
    cuts = _cuts(order, sizes, config)
    where: dict[int, int] = {}
    bounds: list[float] = []
    for place, cut in enumerate(cuts):
        bounds.append(births[order[cut]] if cut < len(order) else float("inf"))
        where.update((one, place + 1) for one in order[cut:])
    for entry in entries:
        part = where.get(entry.group, 0)
        entry.split = SPLITS[part]
        late = entry.at is not None and part < len(bounds) and entry.at >= bounds[part]
        if late and config.straddling == "drop":
            entry.dropped = STRADDLES
    return bounds


def _cuts(order: Sequence[int], sizes: Mapping[int, int], config: SplitConfig) -> list[int]:
    """Places in the order of groups where calibration and test begin: as near to the shares as whole groups allow."""
    total = sum(sizes.values())
    cuts: list[int] = []
    for share in (config.train, config.train + config.calibration):
        before, best, least = 0, 0, float("inf")
        for place in range(len(order) + 1):
            if abs(before - share * total) < least:
                best, least = place, abs(before - share * total)
            before += sizes[order[place]] if place < len(order) else 0
        cuts.append(max(best, cuts[-1] if cuts else 0))
    return cuts
