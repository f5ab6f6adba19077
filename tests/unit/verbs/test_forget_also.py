"""do=forget names what else was made of forgotten calls, and takes them out of it on request."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from harness.cluster.build import build as build_clusters
from harness.cluster.features import features_of
from harness.cluster.folder import MAP, Kept, read_kept, write_kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions, ForgetConfig
from harness.config.building import BuildOptions
from harness.errors import ConfigError
from harness.logs.store import LogStore
from harness.records.logs import LogRecord
from harness.store.calls import CALLS, CONTENTS, read_calls, read_curated, sha256_of
from harness.suite.build import build as build_suite
from harness.verbs import forget
from tests.support.curated_calls import call, curated, sessions


@dataclass(frozen=True)
class Place:
    """A working folder with a store, and what was made of its calls."""

    folder: Path
    calls: Path
    clusters: Path
    suite: Path

    def forget(self, **told: object) -> None:
        store = {"path": str(self.folder / "store")}
        chosen = {"do": "forget", "store": store, "also_in": str(self.folder), **told}
        forget.main([ForgetConfig.model_validate(chosen)])


def records() -> list[LogRecord]:
    asked = "Where is my parcel of the ninth of May with the blue shoes?"
    twice = [
        call("s90", asked, reply={"role": "assistant", "content": f"It is in {town}."}, user=town)
        for town in ("Aarhus",)
    ]
    other = call("s91", asked, at=1_767_300_000.0, reply={"role": "assistant", "content": "It is in Zagreb."})
    return [*sessions(8, user="ann"), *twice, other]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    with LogStore.open(tmp_path / "store", key=None, create=True, reader="test") as store:
        store.append(records())
        calls = curated(tmp_path / "curated", list(store.records())).folder
    options = ClusterOptions(calls=str(calls), name="it", embedding="tfidf", stability=0)
    write_kept(
        tmp_path / "clusters" / "it",
        build_clusters(features_of(read_calls(calls)), options, embedding_named("tfidf"), Kept()).kept,
    )
    made = BuildOptions.model_validate(
        {
            "calls": str(calls),
            "name": "mine",
            "out": str(tmp_path / "suites"),
            "splits": ["train", "calibration", "test"],
        }
    )
    suite = build_suite(made).folder
    return Place(tmp_path, calls, tmp_path / "clusters" / "it", suite)


def content_bytes(place: Place) -> bytes:
    table = pq.read_table(place.calls / CONTENTS)
    return "\n".join(table["json"].to_pylist()).encode()


def test_what_else_holds_the_calls_is_named_and_left(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = sha256_of(place.calls / CALLS)

    place.forget(session="s3")

    said = capsys.readouterr().out
    assert f"still in {place.calls}: 4 calls" in said
    assert f"still in {place.clusters}: 4 calls" in said
    assert f"still in {place.suite}: 4 samples" in said
    assert sha256_of(place.calls / CALLS) == before


def test_calls_are_taken_out_everywhere(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    doomed = {one.id for one in read_calls(place.calls) if one.session == "s3"}
    (place.clusters / MAP).write_text("[]", encoding="utf-8")
    others = [one for one in read_calls(place.calls) if one.session != "s3"]

    place.forget(session="s3", also=True)

    assert f"{place.calls}: 4 calls taken out, {len(others)} left" in capsys.readouterr().out
    assert list(read_calls(place.calls)) == others
    assert doomed.isdisjoint(read_kept(place.clusters).assigned)
    assert not (place.clusters / MAP).exists()
    assert not any(name in (place.suite / "samples.jsonl").read_text() for name in doomed)
    assert not any(name in (place.suite / "incumbent.jsonl").read_text() for name in doomed)
    assert '{"id": "3-0"}' not in content_bytes(place).decode()


def test_manifest_and_suite_describe_what_is_left(place: Place) -> None:
    place.forget(session="s3", also=True)

    manifest = read_curated(place.calls)
    assert manifest.read == manifest.kept + sum(rule.calls for rule in manifest.dropped)
    assert {name: sha256_of(place.calls / name) for name in manifest.files} == manifest.files
    assert {path.stat().st_mode & 0o777 for path in place.calls.iterdir()} == {0o600}
    assert sum(manifest.splits.values()) == manifest.kept == len(list(read_calls(place.calls)))
    built = yaml.safe_load((place.suite / "suite.yaml").read_text())["built"]
    assert built["samples.jsonl"] == sha256_of(place.suite / "samples.jsonl")
    assert "4 samples were taken out by do=forget" in (place.suite / "datasheet.md").read_text()


def test_answer_of_a_forgotten_call_beside_another_goes_too(place: Place) -> None:
    (kept,) = [one for one in read_calls(place.calls) if one.session == "s91"]
    assert [one.reply["content"] for one in kept.also] == ["It is in Aarhus."]

    place.forget(user="Aarhus", also=True)

    (kept,) = [one for one in read_calls(place.calls) if one.session == "s91"]
    assert kept.also == ()
    assert b"Aarhus" not in content_bytes(place)
    assert "Aarhus" not in (place.suite / "samples.jsonl").read_text()


def test_calls_that_an_earlier_command_forgot_are_still_known(place: Place) -> None:
    place.forget(session="s3")

    place.forget(session="s3", also=True)

    assert "s3" not in {one.session for one in read_calls(place.calls)}


def test_folder_of_which_nothing_is_left_goes(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.forget(before="2100-01-01", also=True)

    assert "none left: removed" in capsys.readouterr().out
    assert not place.calls.exists()
    assert not place.clusters.exists()
    assert not place.suite.exists()


def test_run_of_a_mended_suite_is_named_and_left(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run = place.folder / "results" / "run" / "2026-01-01"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text('{"suite": "mine"}')

    place.forget(session="s3", also=True)

    assert f"make it anew with do=report: {run}" in capsys.readouterr().out
    assert run.exists()


def test_lifting_beside_taking_out_is_refused(place: Place) -> None:
    with pytest.raises(ConfigError, match="one of them"):
        place.forget(session="s3", also=True, lift=True)


def test_lifting_says_whether_there_was_anything(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.forget(session="s3")

    place.forget(session="s3", lift=True)
    place.forget(session="s3", lift=True)

    said = capsys.readouterr().out
    assert "lifted: the next do=collect" in said
    assert "nothing to lift" in said


def test_place_that_is_no_folder_is_refused_before_anything_is_deleted(place: Place) -> None:
    with pytest.raises(ConfigError, match="also_in=nowhere is no folder"):
        place.forget(session="s3", also_in="nowhere")

    with LogStore.open(place.folder / "store", key=None, reader="test") as store:
        assert len(list(store.records(session="s3"))) == 4
