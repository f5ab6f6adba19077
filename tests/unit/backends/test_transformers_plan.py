"""Which weights, adapter and Python the engine `transformers` gets, and the words where there are none. No torch."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from harness.assets import cache_dir
from harness.backends.torch_python import torch_python
from harness.backends.transformers_lane import TransformersLane
from harness.backends.transformers_plan import checkpoint_of, settings_of
from harness.backends.unpack import unpacked
from harness.backends.unpack_child import end_tokens
from harness.backends.weights import resolve_weights
from harness.config import ModelConfig, TransformersConfig
from harness.errors import AssetError, BackendError, ConfigError
from tests.support.hub_server import tiny_gguf

without_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="this Python has torch")


def model(path: Path | None = None, **changes: object) -> ModelConfig:
    weights = {} if path is None else {"path": str(path)}
    base = {"name": "small", "title": "Small", "licence": "unknown", "weights": weights}
    return ModelConfig.model_validate({**base, **changes})


def config(**changes: object) -> TransformersConfig:
    return TransformersConfig.model_validate({"name": "transformers", **changes})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "checkpoint"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (made / "model.safetensors").write_bytes(b"\0" * 64)
    return made


def test_a_folder_is_described_by_the_digest_of_all_that_is_in_it(folder: Path) -> None:
    before = checkpoint_of(config(), model(folder)).facts
    (folder / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "awq"}}))

    after = checkpoint_of(config(), model(folder)).facts

    assert (before.file, before.bytes, before.quantization) == ("checkpoint", 64, None)
    assert after.quantization == "awq"
    assert after.sha256 != before.sha256


@pytest.mark.parametrize(("missing", "told"), [("config.json", "no config.json"), ("model.safetensors", "safetensors")])
def test_a_folder_that_is_no_checkpoint_is_refused(folder: Path, missing: str, told: str) -> None:
    (folder / missing).unlink()

    with pytest.raises(AssetError, match=told):
        checkpoint_of(config(), model(folder))


def test_a_model_without_safetensors_is_told_what_to_give() -> None:
    with pytest.raises(AssetError, match=r"model\.weights\.path=/folder"):
        checkpoint_of(config(), model())
    with pytest.raises(ConfigError, match="backend=endpoint"):
        checkpoint_of(config(), model(hosted=True))


def test_an_adapter_is_a_folder_of_peft(folder: Path, tmp_path: Path) -> None:
    checkpoint = checkpoint_of(config(), model(folder))

    with pytest.raises(AssetError, match=r"adapter_config\.json"):
        settings_of(config(adapter=str(tmp_path)), model(folder), checkpoint)
    with pytest.raises(ConfigError, match=r"backend\.adapter"):
        settings_of(config(merge=True), model(folder), checkpoint)


def test_a_python_that_is_none_is_told_with_what_builds_one() -> None:
    with pytest.raises(ConfigError, match="make train-env"):
        torch_python("/nowhere/python")


@without_torch
def test_without_an_environment_the_error_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.backends.torch_python.conf_dir", lambda: tmp_path / "conf")

    with pytest.raises(ConfigError, match="make train-env"):
        torch_python(None)


def test_the_environment_beside_the_harness_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / ".venv-train" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    monkeypatch.setattr("harness.backends.torch_python.conf_dir", lambda: tmp_path / "conf")
    monkeypatch.setattr("harness.backends.torch_python.importlib.util.find_spec", lambda _: None)

    assert torch_python(None) == python


@without_torch
async def test_a_python_without_torch_is_told_in_one_line(folder: Path) -> None:
    lane = TransformersLane(config(python=sys.executable), model(folder))

    with pytest.raises(BackendError, match=r"No module named 'torch'.*make train-env") as failed:
        async with lane.serve():
            pass

    assert "\n" not in str(failed.value)


@without_torch
async def test_inline_needs_torch_in_this_python(folder: Path) -> None:
    with pytest.raises(BackendError, match="make train-env"):
        async with TransformersLane(config(process="inline"), model(folder)).serve():
            pass


@without_torch
def test_a_gguf_file_cannot_be_unpacked_without_torch(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(tiny_gguf(1000))
    weights = resolve_weights(model(tmp_path / "tiny.gguf"))

    with pytest.raises(AssetError, match="make train-env"):
        unpacked(weights, Path(sys.executable))

    assert list((cache_dir() / "work").iterdir()) == []


def test_special_tokens_that_end_a_turn_end_the_reply() -> None:
    vocabulary = {"<|im_end|>": 2, "<|endoftext|>": 0, "<|end|>": 9}

    assert end_tokens([7, None, 2], vocabulary, special={0, 2}) == [7, 2, 0]
