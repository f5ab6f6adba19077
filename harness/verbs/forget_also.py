"""What was made of forgotten calls: found under a folder, named, and mended where that is asked for."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from harness.cluster.folder import ASSIGNMENTS, BOOK, MAP, read_kept, write_kept
from harness.errors import ConfigError
from harness.records.cluster import Cluster, ClusterBook
from harness.store.calls import CALLS, CURATED_MANIFEST
from harness.store.mending import Gone, Removed, held_by_suite, look_at_curated, mend_curated, mend_suite

__all__ = ["Derived", "check_places", "find_derived", "mend_derived"]

_DEEPEST: Final = 3
_SUITE: Final = ("suite.yaml", "samples.jsonl")
_PAGE: Final = "clusters.html"


@dataclass(slots=True)
class Derived:
    """What holds something of forgotten calls, and how much."""

    removed: Removed = field(default_factory=Removed)
    curated: dict[Path, Removed] = field(default_factory=dict)
    clusters: dict[Path, int] = field(default_factory=dict)
    """Calls that are assigned to one."""
    suites: dict[Path, frozenset[str]] = field(default_factory=dict)
    runs: list[Path] = field(default_factory=list)
    """Runs of those suites: they keep prompts and replies, and are named, never changed."""
    pages: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.curated or self.clusters or self.suites)


def check_places(places: Sequence[str]) -> None:
    """Raises ConfigError for one that is no folder, before anything is deleted."""
    for place in places:
        if not Path(place).expanduser().is_dir():
            raise ConfigError(f"also_in={place} is no folder; name the one that holds curated/, clusters/ and suites/")


def find_derived(places: Sequence[str], gone: Gone) -> Derived:
    """Whatever under these folders holds something of forgotten calls. Raises DataError for a damaged one.

    Curated folders are asked first: they alone know of which record a call was made; clusters and suites are found by
    the calls' ids.
    """
    folders = [one for place in places for one in _folders(place)]
    found = Derived()
    for folder in folders:
        if _is(folder, CURATED_MANIFEST, CALLS):
            held = look_at_curated(folder, gone)
            if held.calls:
                found.curated[folder] = held
                found.removed |= held
    if not found.removed.calls:
        return found
    for folder in folders:
        if _is(folder, BOOK, ASSIGNMENTS):
            assigned = sum(one in found.removed.calls for one in read_kept(folder).assigned)
            found.clusters |= {folder: assigned} if assigned else {}
        elif _is(folder, *_SUITE):
            samples = held_by_suite(folder, found.removed)
            found.suites |= {folder: samples} if samples else {}
        elif (folder / _PAGE).is_file():
            found.pages.append(folder / _PAGE)
    names = {folder.name for folder in found.suites}
    found.runs = [one for one in folders if _suite_of_run(one) in names]
    found.pages = found.pages if found.clusters else []
    return found


def _folders(place: str) -> Iterator[Path]:
    """A folder and those in it, three deep; hidden ones and links left out."""
    level = [Path(place).expanduser()]
    for _ in range(_DEEPEST + 1):
        yield from level
        level = [
            one
            for folder in level
            for one in sorted(folder.iterdir())
            if one.is_dir() and not one.is_symlink() and not one.name.startswith(".")
        ]


def _is(folder: Path, *names: str) -> bool:
    return all((folder / name).is_file() for name in names)


def _suite_of_run(folder: Path) -> str | None:
    if not (folder / "manifest.json").is_file():
        return None
    try:
        suite = orjson.loads((folder / "manifest.json").read_bytes()).get("suite")
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return None
    return suite if isinstance(suite, str) else None


def mend_derived(found: Derived, gone: Gone) -> list[str]:
    """Takes forgotten calls out of all that was found, what is made of others first; says what is left of each."""
    said = []
    for folder, samples in found.suites.items():
        left = mend_suite(folder, samples)
        said.append(_told(folder, len(samples), "samples", left))
    for folder, calls in found.clusters.items():
        left = _mend_clusters(folder, found.removed.calls)
        said.append(_told(folder, calls, "calls", left))
    for page in found.pages:
        page.unlink(missing_ok=True)
        said.append(f"{page}: removed, it showed how calls begin; do=cluster writes it anew")
    for folder, held in found.curated.items():  # last: without them the others could not be found again
        said.append(_told(folder, len(held.calls), "calls", mend_curated(folder, gone, held)))
    return said


def _told(folder: Path, taken: int, what: str, left: int) -> str:
    return f"{folder}: {taken:,} {what} taken out, " + (f"{left:,} left" if left else "none left: removed")


def _mend_clusters(folder: Path, calls: frozenset[str]) -> int:
    """Takes calls out of a folder of clusters, and what of them its book shows; how many calls are left in it."""
    kept = read_kept(folder)
    assert kept.book is not None
    gone = [kept.assigned.pop(one) for one in calls if one in kept.assigned]
    if not kept.assigned:
        shutil.rmtree(folder)
        return 0
    day = datetime.now(UTC).date().isoformat()
    note = f"{len(gone)} calls forgotten on {day}: words, costs and weeks are of before; do=cluster makes them anew"
    kept.book = _book_without(kept.book, calls, gone, note)
    write_kept(folder, kept)
    (folder / MAP).unlink(missing_ok=True)
    return len(kept.assigned)


def _book_without(book: ClusterBook, calls: frozenset[str], gone: Sequence[str], note: str) -> ClusterBook:
    clusters = tuple(_cluster_without(one, calls, gone.count(one.id)) for one in book.clusters)
    return book.model_copy(update={"clusters": clusters, "rows": book.rows - len(gone), "notes": (*book.notes, note)})


def _cluster_without(cluster: Cluster, calls: frozenset[str], taken: int) -> Cluster:
    pairs = [
        (medoid, example)
        for medoid, example in zip(cluster.medoids, cluster.examples, strict=False)
        if medoid not in calls
    ]
    changes: dict[str, object] = {
        "rows": max(0, cluster.rows - taken),
        "medoids": tuple(medoid for medoid, _ in pairs),
        "examples": tuple(example for _, example in pairs),
    }
    if taken and taken >= cluster.rows:  # nobody else's words
        changes |= {"words": (), "name": cluster.id}
    return cluster.model_copy(update=changes) if taken or len(pairs) < len(cluster.medoids) else cluster
