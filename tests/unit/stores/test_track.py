"""Runs told to MLflow: what is told, and that a server which is away costs a line and no more."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import CompareConfig, RunConfig, TrackConfig, TrackingConfig, compose_apart
from harness.errors import BackendError, ConfigError, DataError
from harness.store.runfolder import read_manifest, read_summary
from harness.stores.decisions import decision_of
from harness.stores.track import metrics_of, params_of, track
from harness.verbs import compare
from harness.verbs import track as verb
from tests.support.every_result import every_result
from tests.support.stored_runs import pair

_READ = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
found = client.search_runs([client.get_experiment_by_name("harness").experiment_id])
print(json.dumps([{"name": one.info.run_name, "status": one.info.status, "metrics": one.data.metrics,
                   "params": one.data.params, "tags": one.data.tags,
                   "files": [file.path for file in client.list_artifacts(one.info.run_id)]} for one in found]))
"""


def unused_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def test_metrics_have_intervals_and_nothing_for_what_was_not_measured(tmp_path: Path) -> None:
    summary = read_summary(pair(tmp_path)[0])

    found = metrics_of(summary)

    assert summary.accuracy_interval is not None
    assert found["accuracy"] == summary.accuracy
    assert found["accuracy_low"] == summary.accuracy_interval.low
    assert found["accuracy_high"] == summary.accuracy_interval.high
    assert found["category/multiple/n_scored"] == summary.by_category["multiple"].n_scored
    assert "energy_joules" not in found
    assert summary.energy_joules is None


def test_parameters_are_the_configuration_flat_and_short(tmp_path: Path) -> None:
    manifest = read_manifest(pair(tmp_path)[0])
    config = {"model": {"name": "m", "prompt": {"system": "word " * 300}}, "odd:key": 1, "none": None}

    found = params_of(manifest.model_copy(update={"config": config}))

    assert found["model.name"] == "m"
    assert found["model.prompt.system"].startswith("sha256:")
    assert found["odd_key"] == "1"
    assert "none" not in found


def test_a_server_that_is_away_is_one_line_and_no_error_at_the_end_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder, _ = pair(tmp_path)

    verb.track_quietly([folder], TrackingConfig(mlflow=unused_address()))

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("not tracked: MLflow at http://127.0.0.1:")
    assert "do=track" in said


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    folder, _ = pair(tmp_path)
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)

    with pytest.raises(BackendError, match="did not answer within"):
        track([folder], TrackingConfig(mlflow="sqlite:///x.db", python=str(hangs), timeout_s=0.5))


def test_without_mlflow_it_says_what_to_install(tmp_path: Path) -> None:
    folder, _ = pair(tmp_path)
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)

    with pytest.raises(BackendError, match=r"slm-harness\[mlflow\]"):
        track([folder], TrackingConfig(mlflow="sqlite:///x.db", python=str(bare)))


def test_credentials_in_the_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_USERNAME") as caught:
        compose_apart("do=track", "tracking.mlflow=https://me:SECRET@tracking.example")

    assert "SECRET" not in str(caught.value)


def test_where_a_run_is_tracked_is_no_part_of_its_configuration() -> None:
    found = compose_apart("tracking.mlflow=http://127.0.0.1:1")

    assert isinstance(found, RunConfig)
    assert found.tracking.mlflow == "http://127.0.0.1:1"
    assert "tracking" not in found.model_dump()


def test_the_verb_wants_an_address(tmp_path: Path) -> None:
    config = TrackConfig.model_validate({"do": "track", "paths": {"results": str(tmp_path)}})

    with pytest.raises(ConfigError, match=r"tracking\.mlflow="):
        verb.main([config])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_result(tmp_path_factory.mktemp("everything"))


def told(results: Path, verb: str, scratch: Path) -> dict[str, float]:
    (folder,) = (results / verb).iterdir()
    return {name: value for name, value in decision_of(folder, scratch)[0].metrics.items() if value is not None}


def test_a_gate_tells_each_check_with_its_interval(everything: Path, tmp_path: Path) -> None:
    found = told(everything, "gate", tmp_path)

    assert found["exit_code"] == 1
    assert found["check/accuracy/estimate_low"] <= found["check/accuracy/estimate"] < 0
    assert found["samples_lost"] == 20


def test_an_audit_tells_what_moves_and_a_frontier_what_each_precision_loses(everything: Path, tmp_path: Path) -> None:
    audit, frontier = told(everything, "audit", tmp_path), told(everything, "quantize", tmp_path)

    assert audit["clusters"] == 5
    assert sum(value for name, value in audit.items() if name.startswith("share_")) == pytest.approx(1.0)
    assert frontier["precision/Q2_K/lost"] == 22
    assert "precision/F16/difference" not in frontier


def test_a_conversion_tells_its_gate_its_training_by_step_and_its_curve(everything: Path, tmp_path: Path) -> None:
    decision, _, _ = decision_of(everything / "convert" / "shop", tmp_path)

    assert decision.metrics["row/tuned/accuracy"] is not None
    assert decision.metrics["curve/rows_20"] == 0.5
    assert decision.tags["verdict"] == "pass"
    assert all(step >= 0 for _, _, step in decision.series)


def test_a_comparison_is_told_without_prompts_and_replies(everything: Path, tmp_path: Path) -> None:
    (folder,) = (everything / "compare").iterdir()

    decision, _, files = decision_of(folder, tmp_path)

    said = b"".join(one.read_bytes() for one in files)
    assert b"forecast" in (folder / "compare.json").read_bytes().lower()
    assert b"forecast" not in said.lower()
    assert decision.metrics["whole/difference"] is not None


def test_a_verdict_is_told_when_it_is_made(
    tmp_path: Path, everything: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    first, second = pair(tmp_path / "results")
    config = compose_apart(
        "do=compare", f"compare.a={first}", f"compare.b={second}", f"paths.results={tmp_path}/results",
        f"paths.reports={tmp_path}/reports", f"tracking.mlflow={unused_address()}",
    )  # fmt: skip
    assert isinstance(config, CompareConfig)

    compare.main([config])

    assert "not tracked: MLflow at http://127.0.0.1:" in capsys.readouterr().err
    assert list((tmp_path / "results" / "compare").glob("*/compare.json"))


@pytest.mark.parametrize(
    "words", [["do=audit", "suite=toolcall"], ["do=quantize"], ["do=convert"], ["do=gate"], ["do=compare"]]
)
def test_each_verb_takes_where_its_verdict_is_tracked(words: list[str]) -> None:
    found = compose_apart(*words, "tracking.mlflow=http://127.0.0.1:1")

    assert "tracking" not in found.model_dump()


def test_a_name_that_is_no_result_says_what_there_is(everything: Path) -> None:
    config = TrackConfig.model_validate(
        {"do": "track", "runs": ["gate/none"], "tracking": {"mlflow": "http://127.0.0.1:1"},
         "paths": {"results": str(everything)}}
    )  # fmt: skip

    with pytest.raises(DataError, match="named with their verb, as gate/NAME"):
        verb.main([config])


def mlflow_python() -> str:
    named = os.environ.get("HARNESS_MLFLOW_PYTHON")
    if named is None and importlib.util.find_spec("mlflow") is None:
        pytest.skip("no mlflow here: pip install 'slm-harness[mlflow]', or name a Python: HARNESS_MLFLOW_PYTHON")
    return named or sys.executable


@pytest.mark.slow
def test_mlflow_has_each_run_once_however_often_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = mlflow_python()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    first, second = pair(tmp_path)
    config = TrackingConfig(mlflow=f"file://{tmp_path}/mlruns", python=python, timeout_s=300)

    told = [track([first, second], config), track([first, second], config)]
    summary = read_summary(second)
    (second / "summary.json").write_text(summary.model_copy(update={"accuracy": 0.75}).model_dump_json())
    told.append(track([first, second], config))

    read = subprocess.run([python, "-W", "ignore", "-c", _READ, str(config.mlflow)], capture_output=True, text=True,
                          check=True)  # fmt: skip
    runs = {one["name"]: one for one in json.loads(read.stdout.splitlines()[-1])}
    assert [[one.done for one in each] for each in told] == [
        ["new", "new"], ["unchanged", "unchanged"], ["unchanged", "updated"],
    ]  # fmt: skip
    assert set(runs) == {first.name, second.name}
    changed = runs[second.name]
    assert changed["metrics"]["accuracy"] == 0.75
    assert changed["tags"]["harness.suite_hash"] == summary.suite_hash
    assert changed["params"]["suite_name"] == "toolcall"
    assert changed["status"] == "FINISHED"
    assert {"summary.json", "manifest.json", "run.html"} <= set(changed["files"])
