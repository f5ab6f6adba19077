"""A Python that the configuration names is looked at before anything is fetched for it."""

import sys
from pathlib import Path

import pytest

from harness.backends.named_python import lacking, named_python
from harness.backends.transformers_lane import TransformersLane
from harness.backends.vllm import Vllm
from harness.config import ModelConfig, TransformersConfig, VllmConfig
from harness.errors import BackendError, ConfigError
from tests.support.fake_vllm import fake_python
from tests.support.hub_server import running_hub


def named(path: Path | str) -> Path:
    return named_python(str(path), "backend.python", ".venv-vllm", "make vllm-env")


def hub_model() -> ModelConfig:
    weights = {"safetensors": {"repo": "Owner/Small-1B"}}
    return ModelConfig.model_validate({"name": "small", "title": "Small", "licence": "unknown", "weights": weights})


def program(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_python_is_taken_by_the_place_of_its_link(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(fake_python(tmp_path / "venv"))

    assert named(link) == link


@pytest.mark.parametrize("text", ["#!/bin/sh\n", "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho hello\n", "no program at all"])
def test_a_program_that_is_no_python_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = program(tmp_path, text)

    with pytest.raises(ConfigError, match=r"is no Python: .*; it looks like \.venv-vllm/bin/python") as failed:
        named(path)

    assert "\n" not in str(failed.value)


def test_packages_that_are_not_there_are_named() -> None:
    assert lacking(Path(sys.executable), ("json", "no_such_package")) == ("no_such_package",)


@pytest.mark.parametrize("make", ["vllm", "transformers"])
def test_the_hub_is_not_asked_for_a_python_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str
) -> None:
    path = str(program(tmp_path, "#!/bin/sh\n"))
    backend = (
        Vllm(VllmConfig(name="vllm", python=path), hub_model())
        if make == "vllm"
        else TransformersLane(TransformersConfig(name="transformers", python=path), hub_model())
    )
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

        with pytest.raises(ConfigError, match="is no Python"):
            backend.prepare()

        assert hub.asked == []


def test_the_hub_is_not_asked_for_a_python_without_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = str(fake_python(tmp_path / "bare", installed=False))
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

        with pytest.raises(BackendError, match=r"vLLM is not installed in backend\.python="):
            Vllm(VllmConfig(name="vllm", python=bare), hub_model()).prepare()

        assert hub.asked == []
