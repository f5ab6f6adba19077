"""do=cluster as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import ClusterConfig
from harness.errors import ConfigError, DataError
from harness.verbs import cluster
from tests.support.planted_calls import call, planted, write_folder


def config(folder: Path, **options: object) -> ClusterConfig:
    taken = {
        "calls": str(folder / "curated" / "desk"),
        "out": str(folder / "clusters"),
        "embedding": "tfidf",
        "stability": 0,
    }
    paths = {"reports": str(folder / "reports")}
    return ClusterConfig.model_validate(
        {"do": "cluster", "cluster": taken | options, "paths": paths, "progress": "off"}
    )


def test_the_command_prints_the_tasks_and_leaves_folder_and_page(tmp_path: Path) -> None:
    write_folder(tmp_path / "curated" / "desk", [one for _, one in planted(["card", "flight"], 40)])
    command = [sys.executable, "-m", "harness", "do=cluster", "cluster.calls=curated/desk", "cluster.embedding=tfidf"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "2 tasks in 1 node: 100 % of 80 calls" in done.stdout.replace("\u202f", " ").replace("\xa0", " ")
    names = {one.name for one in (tmp_path / "clusters" / "desk").iterdir()}
    assert names == {"clusters.json", "assignments.parquet", "centroids.npz", "edits.json", "map.json"}
    page = (tmp_path / "reports" / "clusters.html").read_text()
    assert page.count('<a class="dot') == 80
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_text_of_a_call_cannot_become_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> [red]x[/red] \u202e"
    write_folder(tmp_path / "curated" / "desk", [call(place, f"{evil} {place}") for place in range(12)])

    cluster.main([config(tmp_path)])

    page = (tmp_path / "reports" / "clusters.html").read_text()
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_what_cannot_be_is_answered_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do=curate"):
        cluster.main([config(tmp_path)])
    write_folder(tmp_path / "curated" / "desk", [])
    with pytest.raises(DataError, match="has no calls"):
        cluster.main([config(tmp_path)])
    with pytest.raises(ConfigError, match=r"cluster\.embedding=nothing"):
        cluster.main([config(tmp_path, embedding="nothing")])
