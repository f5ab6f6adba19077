"""do=cluster over several processors: the same folder as on one."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.cluster.build import build
from harness.cluster.features import Features, features_of
from harness.cluster.folder import Kept, read_kept, write_kept, write_map
from harness.cluster.reading import features_in
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.cores import ONE_CORE, Cores
from harness.errors import DataError
from harness.executor.cores import LocalCores
from harness.store.calls import CONTENTS, read_calls
from tests.support.planted_calls import call, planted, write_folder
from tests.support.posted import Posted

AGAIN = [call(900, "card lost today", system="You help people.", tools=("lookup",), action="lookup")]


def calls_in(folder: Path) -> Path:
    desks = [planted(["card", "flight", "recipe"], 20), planted(["garden", "card"], 20, first=500, system="You sell.")]
    return write_folder(folder, [*(one for desk in desks for _, one in desk), *AGAIN])


@pytest.fixture
def two() -> Iterator[LocalCores]:
    with LocalCores(2) as cores:
        yield cores


@pytest.fixture
def _nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cluster.build._SMALL", 0)
    monkeypatch.setattr("harness.cluster.vectors._HASHED_AT_ONCE", 7)


def written(folder: Path, features: Features, cores: Cores, kept: Kept | None = None) -> dict[str, str]:
    """A hash of each file that is left; of the middles, whose file holds times, one of the arrays."""
    options = ClusterOptions.model_validate({"calls": "curated/x", "name": "x", "embedding": "tfidf", "stability": 3})
    made = build(features, options, embedding_named("tfidf", cores=cores), kept or Kept(), cores)
    made.kept.book = made.book.model_copy(update={"made": "now"})
    write_kept(folder, made.kept)
    write_map(folder, made.points)
    hashes = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}
    with np.load(folder / "centroids.npz") as arrays:
        hashes["centroids.npz"] = hashlib.sha256(b"".join(arrays[name].tobytes() for name in arrays)).hexdigest()
    return hashes


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_features_read_in_parts_are_those_of_the_whole(tmp_path: Path, rows: int) -> None:
    folder = calls_in(tmp_path / "calls")

    parts = features_in(folder, Posted(), rows)

    assert parts == features_of(read_calls(folder))


@pytest.mark.usefixtures("_nothing_is_small")
def test_clusters_are_the_same_bytes_whichever_process_worked_on_which_part(tmp_path: Path, two: LocalCores) -> None:
    features = features_in(calls_in(tmp_path / "calls"))

    one = written(tmp_path / "one", features, ONE_CORE)
    posted = written(tmp_path / "posted", features, Posted())
    spawned = written(tmp_path / "spawned", features_in(tmp_path / "calls", two, 50), two)

    assert set(one) == {"clusters.json", "assignments.parquet", "centroids.npz", "edits.json", "map.json"}
    assert posted == one
    assert spawned == one


@pytest.mark.usefixtures("_nothing_is_small")
def test_a_later_run_goes_on_alike_on_several_processors(tmp_path: Path) -> None:
    features = features_in(calls_in(tmp_path / "calls"))
    written(tmp_path / "first", features, ONE_CORE)

    one = written(tmp_path / "one", features, ONE_CORE, read_kept(tmp_path / "first"))
    posted = written(tmp_path / "posted", features, Posted(), read_kept(tmp_path / "first"))

    assert posted == one


def test_a_damaged_folder_is_one_line_from_another_process_too(tmp_path: Path, two: LocalCores) -> None:
    folder = calls_in(tmp_path / "calls")
    (folder / CONTENTS).write_bytes(b"nothing")

    with pytest.raises(DataError, match=r"contents\.parquet cannot be read") as told:
        features_in(folder, two, rows=40)

    assert "\n" not in str(told.value)
