"""Which samples are learned from, which are looked at while training, and which only the gate may ask."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from harness.convert.data.likeness import Likeness
from harness.errors import ConfigError, DataError
from harness.records import Sample

__all__ = ["Taken", "categories", "dealt", "set_aside", "take"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The samples of a suite, by what is done with them."""

    categories: tuple[str, ...]
    train: tuple[Sample, ...]
    calibration: tuple[Sample, ...]
    gate: tuple[Sample, ...]
    """All test samples of the suite, of whatever cluster: no row may be one of them."""
    elsewhere: tuple[Sample, ...]
    """Train samples of the other clusters."""


def take(samples: Sequence[Sample], cluster: Sequence[str] | None, names: Mapping[str, str], suite: str) -> Taken:
    """The samples by split and cluster.

    Raises ConfigError for a cluster that is not there, DataError where there is nothing to learn from.
    """
    wanted = categories(samples, cluster, names)
    inside = [one for one in samples if one.category in wanted]
    train = tuple(one for one in inside if one.split == "train")
    if not train:
        held = ", ".join(sorted({one.split for one in inside})) or "no split"
        asked = "" if cluster is None else f" of {', '.join(cluster)}"
        raise DataError(
            f"suite {suite} has no sample{asked} in the split train (there: {held}), and rows are made of that one "
            "alone; build it with build.splits=[test,train,calibration]"
        )
    return Taken(
        tuple(wanted),
        train,
        tuple(one for one in inside if one.split == "calibration"),
        tuple(one for one in samples if one.split == "test"),
        tuple(one for one in samples if one.split == "train" and one.category not in wanted),
    )


def categories(samples: Iterable[Sample], cluster: Sequence[str] | None, names: Mapping[str, str]) -> list[str]:
    """The suite's categories that were asked for, in the order of the suite; all for None.

    A category is known by its id, its label, or its label with dashes or underscores for blanks, in any case.
    """
    known = list(dict.fromkeys(one.category for one in samples))
    if cluster is None:
        return known
    found: set[str] = set()
    for asked in cluster:
        hits = [one for one in known if _plain(asked) in {_plain(one), _plain(names.get(one, one))}]
        if not hits:
            shown = [f"{one} ({names[one]})" if names.get(one) else one for one in known]
            labels = [label for one in known for label in (one, names.get(one, one))]
            near = get_close_matches(asked, labels, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"cluster={asked} is none of this suite: {', '.join(shown[:20])}{hint}")
        found.update(hits)
    return [one for one in known if one in found]


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


def dealt(samples: Iterable[Sample], seed: int) -> list[Sample]:
    """The samples in an order that seed and ids alone decide, the same on every machine."""
    return sorted(samples, key=lambda one: (hashlib.sha256(f"{seed}:{one.id}".encode()).digest(), one.id))


def set_aside(
    train: Sequence[Sample], likeness: Likeness, most: int, share: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Train without a part, and that part: whole groups of sessions and of what is nearly the same.

    The part has at most `most` samples and at most that share of them; whole groups are taken by chance until the
    next one would not fit.
    """
    room = min(most, int(share * len(train)))
    groups = likeness.groups(train)
    members: dict[int, list[Sample]] = {}
    for sample in train:
        members.setdefault(groups[sample.id], []).append(sample)
    aside: set[str] = set()
    order = sorted(members.values(), key=lambda group: hashlib.sha256(f"{seed}:{group[0].id}".encode()).digest())
    for group in order:
        if len(aside) + len(group) <= room:
            aside.update(one.id for one in group)
    return [one for one in train if one.id not in aside], [one for one in train if one.id in aside]
