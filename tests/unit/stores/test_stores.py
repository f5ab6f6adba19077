"""Results published and brought back, and logs read from a store."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from harness.config import CollectConfig, RemoteConfig, compose_apart
from harness.errors import BackendError, ConfigError, DataError
from harness.logs.store import LogStore
from harness.query.engine import asked
from harness.query.source import Source
from harness.records.manifest import Manifest
from harness.router.control import read_control
from harness.store.runfolder import MANIFEST, SUMMARY, lock, read_manifest, write_record
from harness.stores.logs import brought
from harness.stores.publish import VERBS, publish, pull
from harness.stores.remote import Remote, opened_remote
from harness.verbs import collect
from harness.verbs import publish as publish_verb
from tests.support.every_result import SECRET_WORDS, every_result
from tests.support.log_calls import write_openai
from tests.support.s3_server import ENVIRONMENT, s3_server
from tests.support.stored_runs import pair


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder in fsspec's store in memory, empty at the beginning and at the end."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield "memory://bucket/team"
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(params=["memory", "file"])
def remote(request: pytest.FixtureRequest, bucket: str, tmp_path: Path) -> Remote:
    return opened_remote(bucket if request.param == "memory" else f"file://{tmp_path}/store", "remote.url")


def accuracies(results: Path) -> list[tuple[Any, ...]]:
    with asked("SELECT run, accuracy FROM runs ORDER BY run", Source(results)) as answer:
        return list(answer.rows())


def test_what_was_published_comes_back_as_it_was(remote: Remote, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "results")

    sent = publish(tmp_path / "results", remote)
    got = pull(tmp_path / "other", remote)

    assert sorted(sent.moved) == sorted(got.moved) == sorted(f"run/{one.name}" for one in (first, second))
    for folder in (first, second):
        for file in folder.iterdir():
            if file.name != ".lock":
                assert (tmp_path / "other" / "run" / folder.name / file.name).read_bytes() == file.read_bytes()
    assert accuracies(tmp_path / "other") == accuracies(tmp_path / "results")


def test_publishing_and_pulling_again_moves_nothing(remote: Remote, tmp_path: Path) -> None:
    pair(tmp_path / "results")
    publish(tmp_path / "results", remote)
    pull(tmp_path / "other", remote)

    sent, got = publish(tmp_path / "results", remote), pull(tmp_path / "other", remote)

    assert (sent.moved, sent.bytes, sent.unchanged) == ([], 0, 2)
    assert (got.moved, got.bytes, got.unchanged) == ([], 0, 2)


def test_a_file_that_two_runs_share_is_there_once(remote: Remote, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "results")
    assert (first / "samples.jsonl").read_bytes() == (second / "samples.jsonl").read_bytes()

    publish(tmp_path / "results", remote)

    files = sum(1 for one in (first, second) for file in one.iterdir() if file.name != ".lock")
    assert len(remote.names("objects", "")) == files - 1


def test_a_folder_is_not_there_before_its_last_file_is(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair(tmp_path / "results")

    def killed(self: Remote, data: bytes, *parts: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(Remote, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path / "results", remote)

    with pytest.raises(DataError, match="nothing is published"):
        pull(tmp_path / "other", remote)
    assert len(publish(tmp_path / "results", remote).moved) == 2


def test_a_run_that_is_running_or_not_at_its_end_is_left_alone(bucket: str, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "results")
    manifest = read_manifest(second)
    write_record(second / MANIFEST, Manifest.model_validate({**manifest.model_dump(), "status": "interrupted"}))

    with lock(first):
        done = publish(tmp_path / "results", opened_remote(bucket, "remote.url"))

    assert done.moved == []
    assert {one.partition(": ")[2] for one in done.left} == {"it is running", "it is interrupted, and not at its end"}


def test_figures_alone_are_published_where_texts_are_to_stay(bucket: str, tmp_path: Path) -> None:
    pair(tmp_path / "results")
    remote = opened_remote(bucket, "remote.url")

    publish(tmp_path / "results", remote, texts=False)

    held = b"".join(remote.read("objects", name) for name in remote.names("objects", ""))
    assert b"forecast" not in held
    pull(tmp_path / "other", remote)
    assert accuracies(tmp_path / "other") == accuracies(tmp_path / "results")


def test_a_file_that_was_changed_in_the_store_is_refused_and_leaves_no_folder(bucket: str, tmp_path: Path) -> None:
    pair(tmp_path / "results")
    remote = opened_remote(bucket, "remote.url")
    publish(tmp_path / "results", remote)
    for name in remote.names("objects", ""):
        remote.write(b"{}", "objects", name)

    with pytest.raises(DataError, match="not what its name says"):
        pull(tmp_path / "other", remote)

    assert list((tmp_path / "other" / "run").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.json", ".hidden", "a/b", "latest.py"])
def test_a_list_that_names_other_files_is_refused(name: str, bucket: str, tmp_path: Path) -> None:
    pair(tmp_path / "results")
    remote = opened_remote(bucket, "remote.url")
    publish(tmp_path / "results", remote)
    (listed, *_) = remote.names("run", ".json")
    remote.write(remote.read("run", listed).replace(b'"summary.json"', f'"{name}"'.encode()), "run", listed)

    with pytest.raises(DataError, match="remove it there"):
        pull(tmp_path / "other", remote)

    assert not list(tmp_path.rglob("*evil*"))


def test_a_folder_here_that_differs_is_left_alone_and_named(bucket: str, tmp_path: Path) -> None:
    first, _ = pair(tmp_path / "results")
    remote = opened_remote(bucket, "remote.url")
    publish(tmp_path / "results", remote)
    before = (first / SUMMARY).read_text()
    (first / SUMMARY).write_text(before + " ")

    done = pull(tmp_path / "results", remote)

    assert done.left == [f"run/{first.name}: the folder here differs; move it away, or publish it"]
    assert (first / SUMMARY).read_text() == before + " "


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_result(tmp_path_factory.mktemp("everything"))


def test_results_of_every_verb_come_back_as_they_were(bucket: str, everything: Path, tmp_path: Path) -> None:
    remote = opened_remote(bucket, "remote.url")

    sent, got = publish(everything, remote), pull(tmp_path / "other", remote)

    assert {one.partition("/")[0] for one in sent.moved} == set(VERBS)
    assert sorted(sent.moved) == sorted(got.moved)
    for name in (one for one in got.moved if not one.startswith("run/")):
        for file in (tmp_path / "other" / name).iterdir():
            if file.name != "control.json":
                assert file.read_bytes() == (everything / name / file.name).read_bytes()
    sql = "SELECT count(*) FROM routes, monitors, todos, conversion_rows, precisions, audits, curves"
    with asked(sql, Source(tmp_path / "other")) as there, asked(sql, Source(everything)) as here:
        assert list(there.rows()) == list(here.rows())
    assert pull(tmp_path / "other", remote).unchanged == len(got.moved)


def test_a_policy_that_was_pulled_opens_nothing_to_traffic(bucket: str, everything: Path, tmp_path: Path) -> None:
    (name,) = (one.name for one in (everything / "route").iterdir())
    results = tmp_path / "results"
    shutil.copytree(everything / "route" / name, results / "route" / name)
    for file, text in (("route_hook.py", "raise SystemExit"), ("control.json", '{"mode": "on", "share": 1.0}')):
        (results / "route" / name / file).write_text(text)
    remote = opened_remote(bucket, "remote.url")

    publish(results, remote)
    pull(tmp_path / "other", remote)

    assert read_control(tmp_path / "other" / "route" / name).mode == "shadow"
    assert not (tmp_path / "other" / "route" / name / "route_hook.py").exists()


def test_a_single_result_is_named_with_its_verb(bucket: str, everything: Path, tmp_path: Path) -> None:
    remote = opened_remote(bucket, "remote.url")
    (name,) = (one.name for one in (everything / "gate").iterdir())

    sent = publish(everything, remote, [f"gate/{name}"])
    got = pull(tmp_path / "other", remote, [f"gate/{name}"])

    assert sent.moved == got.moved == [f"gate/{name}"]
    with pytest.raises(DataError, match=rf"audit {name} is not published.*there: nothing"):
        pull(tmp_path / "other", remote, [f"audit/{name}"])
    with pytest.raises(DataError, match="named with their verb"):
        publish(everything, remote, ["gate/.."])


@pytest.mark.parametrize(
    ("word", "held"),
    [
        ("sk-proj-4f5e6d7c8b9a0f1e", True),
        ("https://x.example/v1?key=AIzaSy012345678", True),
        ("key_results_search", False),
    ],
)
def test_a_result_that_holds_what_looks_like_a_key_is_left_alone(
    word: str, held: bool, bucket: str, everything: Path, tmp_path: Path
) -> None:
    (name,) = (one.name for one in (everything / "gate").iterdir())
    results = tmp_path / "results"
    shutil.copytree(everything / "gate" / name, results / "gate" / name)
    (results / "gate" / name / "gate.md").write_text(f"asked with {word}.\n")

    done = publish(results, opened_remote(bucket, "remote.url"))

    assert bool(done.left) is held
    assert word not in "".join(done.left)


def test_looks_with_words_stay_here_where_texts_are_to_stay(bucket: str, everything: Path) -> None:
    remote = opened_remote(bucket, "remote.url")

    done = publish(everything, remote, texts=False)

    held = b"".join(remote.read("objects", name) for name in remote.names("objects", ""))
    assert SECRET_WORDS.encode() not in held
    assert any(one.startswith("iterate/") for one in done.left)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("results", "is no address"),
        ("s3://key:SECRET@bucket/x", "holds credentials"),
        ("abfs://box/x?sig=SECRET", "holds credentials"),
        ("nope://x/y", "known are"),
    ],
)
def test_an_address_that_cannot_be_is_told_without_its_secret(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        opened_remote(url, "remote.url")

    assert "SECRET" not in str(caught.value)


def test_results_are_not_written_to_a_store_directly() -> None:
    with pytest.raises(ConfigError, match="do=publish") as caught:
        compose_apart("do=report", "paths.results=s3://key:SECRET@bucket/results")

    assert "SECRET" not in str(caught.value)


def test_the_verb_says_what_it_published(bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = pair(tmp_path / "results")
    config = compose_apart("do=publish", f"paths.results={tmp_path}/results", f"remote.url={bucket}")
    assert isinstance(config, RemoteConfig)

    publish_verb.main([config])

    said = capsys.readouterr().out
    assert first.name in said
    assert "2 folders" in said


def put_logs(bucket: str, tmp_path: Path) -> str:
    files = fsspec.filesystem("memory")
    log = write_openai(tmp_path / "a.jsonl", 40)
    files.pipe_file(f"{bucket}/logs/day1/a.jsonl.gz", gzip.compress(log.read_bytes()))
    files.pipe_file(f"{bucket}/logs/b.jsonl", write_openai(tmp_path / "b.jsonl", 20, first=40).read_bytes())
    files.pipe_file(f"{bucket}/logs/picture.png", b"no log")
    return f"{bucket}/logs"


@pytest.mark.parametrize(("tail", "kept"), [("", 60), ("/b.jsonl", 20), ("/day1/*.gz", 40), ("/**/*.jsonl*", 60)])
def test_logs_are_collected_from_a_store_and_no_copy_stays(
    tail: str, kept: int, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    url = put_logs(bucket, tmp_path) + tail
    words = {"path": str(tmp_path / "store")}
    config = CollectConfig.model_validate({"do": "collect", "logs": {"path": url}, "store": words, "progress": "off"})

    collect.main([config])
    first = capsys.readouterr().out
    collect.main([config])

    assert f"{kept} kept" in first
    with LogStore.open(tmp_path / "store", key=None, reader="test") as store:
        assert sum(1 for _ in store.records()) == kept
    assert not [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]


@pytest.mark.parametrize("tail", ["/none.jsonl", "/logs/*.nope"])
def test_an_address_without_a_log_says_so(tail: str, bucket: str, tmp_path: Path) -> None:
    put_logs(bucket, tmp_path)

    with pytest.raises(DataError, match=r"has no log|not there"), brought([bucket + tail], tmp_path / "cache"):
        pass


def s3(folder: Path, address: str, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    told = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL_S3": address, "HARNESS_CACHE": str(folder / "cache"), **more}
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=told)


@pytest.mark.slow
def test_a_bucket_of_s3_takes_results_and_gives_them_and_logs_back(tmp_path: Path) -> None:
    first, _ = pair(tmp_path / "results")
    with s3_server() as address:
        files = fsspec.filesystem(
            "s3", key=ENVIRONMENT["AWS_ACCESS_KEY_ID"], secret=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=address, skip_instance_cache=True,
        )  # fmt: skip
        files.mkdir("bucket")
        files.pipe_file("bucket/logs/a.jsonl.gz", gzip.compress(write_openai(tmp_path / "a.jsonl", 40).read_bytes()))

        sent = s3(tmp_path, address, "do=publish", "remote.url=s3://bucket/team")
        got = s3(tmp_path, address, "do=pull", "remote.url=s3://bucket/team", "paths.results=other")
        logs = s3(tmp_path, address, "do=collect", "logs.path=s3://bucket/logs", "progress=off")
        absent = s3(tmp_path, address, "do=pull", "remote.url=s3://no-such-bucket/team")
    gone = s3(tmp_path, address, "do=pull", "remote.url=s3://bucket/team", AWS_MAX_ATTEMPTS="1")

    assert [one.returncode for one in (sent, got, logs)] == [0, 0, 0], sent.stderr + got.stderr + logs.stderr
    assert (tmp_path / "other" / "run" / first.name / SUMMARY).read_bytes() == (first / SUMMARY).read_bytes()
    assert "40 kept" in logs.stdout
    assert (absent.returncode, gone.returncode) == (2, 3)
    every = "".join(one.stdout + one.stderr for one in (sent, got, logs, absent, gone))
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in every
    assert "Traceback" not in every


def test_a_store_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    remote = opened_remote(f"file://{tmp_path}/locked/x", "remote.url")
    (tmp_path / "locked").write_text("a file where a folder has to be")

    with pytest.raises((BackendError, DataError)) as caught:
        remote.write(b"x", "run", "a.json")

    assert "\n" not in str(caught.value)
