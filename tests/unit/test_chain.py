"""From logs to a suite in one go: nothing twice, nothing raw left behind."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.assets.progress import silent
from harness.chain import Chain, make_chain
from harness.config import ChainConfig
from harness.errors import ConfigError, DataError
from harness.logs.store import LogStore, store_key
from harness.paths import conf_dir
from harness.records.cluster import ClusterBook
from harness.store.calls import read_calls
from harness.suite.arrivals import ARRIVALS
from tests.support.agent_logs import write_log

KEY = "b3VyLXRlc3Qta2V5LWhhcy0zMi1ieXRlcy1pbi1pdCE="
ALL = ["train", "calibration", "test"]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_PSEUDONYM_KEY", "k" * 44)
    monkeypatch.delenv("HARNESS_STORE_KEY", raising=False)


def made(folder: Path, log: Path, said: list[str] | None = None, **parts: dict[str, Any]) -> Chain:
    told = {
        "logs": {"path": [str(log)]},
        "curate": parts.get("curate", {}),
        "cluster": {"embedding": "tfidf", "stability": 0} | parts.get("cluster", {}),
        "build": {"splits": ALL} | parts.get("build", {}),
        "store": parts.get("store", {}),
        "replay": {"out": str(folder / "replay")},
    }
    config = ChainConfig.model_validate(told)
    return make_chain(config, folder / "reports", silent, (said if said is not None else []).append)


def reused(chain: Chain) -> dict[str, bool]:
    return {step.name: step.reused for step in chain.steps}


def test_logs_become_a_suite_with_a_line_for_each_step(tmp_path: Path) -> None:
    said: list[str] = []

    chain = made(tmp_path, write_log(tmp_path / "calls.jsonl"), said)

    assert [one.split()[0] for one in said] == ["collect", "curate", "cluster", "build"]
    assert chain.name.startswith("calls-")
    assert {one.name for one in chain.suite.iterdir()} >= {"suite.yaml", "samples.jsonl", "incumbent.jsonl", ARRIVALS}
    assert chain.clusters is not None
    assert (tmp_path / "reports" / "clusters.html").is_file()


def test_the_data_sheet_has_the_names_of_the_clusters(tmp_path: Path) -> None:
    chain = made(tmp_path, write_log(tmp_path / "calls.jsonl"))

    assert chain.clusters is not None
    book = ClusterBook.model_validate_json((chain.clusters / "clusters.json").read_bytes())
    sheet = (chain.suite / "datasheet.md").read_text()
    assert any(f"| {one.id} {one.name.replace('|', '/')} | " in sheet for one in book.clusters)


def test_what_other_splits_hold_is_told(tmp_path: Path) -> None:
    said: list[str] = []

    made(tmp_path, write_log(tmp_path / "calls.jsonl"), said, build={"splits": ["test"]})

    assert "are in other splits (build.splits, suite.options.split)" in said[-1]


def test_a_second_call_does_nothing_twice(tmp_path: Path) -> None:
    log = write_log(tmp_path / "calls.jsonl")
    first = made(tmp_path, log)
    before = (first.suite / "samples.jsonl").stat().st_mtime_ns

    again = made(tmp_path, log)

    assert reused(again) == {"curate": True, "cluster": True, "build": True}
    assert again.suite == first.suite
    assert (again.suite / "samples.jsonl").stat().st_mtime_ns == before


def test_the_same_log_under_another_name_is_the_same_suite(tmp_path: Path) -> None:
    log = write_log(tmp_path / "calls.jsonl")
    first = made(tmp_path, log)

    again = made(tmp_path, log.rename(tmp_path / "moved.jsonl"))

    assert again.suite == first.suite


def test_a_longer_log_is_another_suite(tmp_path: Path) -> None:
    log = write_log(tmp_path / "calls.jsonl")
    first = made(tmp_path, log)

    again = made(tmp_path, write_log(log, 36))

    assert again.suite != first.suite
    assert len(list(read_calls(again.curated))) == 36


def test_other_settings_of_a_step_keep_the_steps_before_it(tmp_path: Path) -> None:
    log = write_log(tmp_path / "calls.jsonl")
    made(tmp_path, log)

    again = made(tmp_path, log, build={"per_cluster": 3})

    assert reused(again) == {"curate": True, "cluster": True, "build": False}


def test_without_a_key_no_raw_call_is_left(tmp_path: Path) -> None:
    chain = made(tmp_path, write_log(tmp_path / "calls.jsonl"))

    assert chain.store is None
    assert list((tmp_path / "replay" / "stores").iterdir()) == []


def test_with_a_key_the_store_is_kept_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    log = write_log(tmp_path / "calls.jsonl")
    first = made(tmp_path, log, store={"key_env": "OUR_KEY"})

    again = made(tmp_path, log, store={"key_env": "OUR_KEY"}, curate={"max_chars": 100_000})

    assert reused(again) == {"collect": True, "curate": False, "cluster": False, "build": False}
    assert first.store == again.store
    assert again.store is not None
    with LogStore.open(again.store, key=store_key("OUR_KEY", None), reader="test") as store:
        assert len(list(store.records())) == 30


def test_a_store_left_by_a_killed_command_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "replay" / "stores" / ".passing-abc"
    left.mkdir(parents=True)

    made(tmp_path, write_log(tmp_path / "calls.jsonl"))

    assert not left.exists()


def test_without_the_embedding_words_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ConfigError("embeddings need onnxruntime")

    monkeypatch.setattr("harness.chain.load_embedder", missing)
    said: list[str] = []

    made(tmp_path, write_log(tmp_path / "calls.jsonl"), said, cluster={"embedding": "auto"})

    assert any(
        "cluster.embedding=tfidf, since minilm cannot be had: embeddings need onnxruntime" in one for one in said
    )


def test_a_folder_without_logs_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()

    with pytest.raises(DataError, match="logs"):
        made(tmp_path, tmp_path / "logs")

    assert not (tmp_path / "replay").exists()


def test_a_log_that_cannot_be_read_is_not_said_to_be_kept_where_it_is_not(tmp_path: Path) -> None:
    log = write_log(tmp_path / "calls.jsonl")
    log.write_text(log.read_text() + '{"model":\n' * 50)

    with pytest.raises(DataError, match=r"cannot be read.*allow more \(logs\.max_bad_frac=…\)") as caught:
        made(tmp_path, log)

    assert "is kept" not in str(caught.value)


def test_each_step_of_suite_replay_takes_what_its_verb_takes() -> None:
    replay = yaml.safe_load((conf_dir() / "suite" / "replay.yaml").read_text())
    apart = {
        "curate": {"store", "name", "out", "restore_map", "canaries", "max_leak"},
        "build": {"calls", "name", "out", "replace", "clusters"},
    }

    for step, own in apart.items():
        verb = yaml.safe_load((conf_dir() / "do" / f"{step}.yaml").read_text())
        assert set(replay[step]) == set(verb[step]) - own
    assert set(replay["cluster"]) <= set(yaml.safe_load((conf_dir() / "do" / "cluster.yaml").read_text())["cluster"])
