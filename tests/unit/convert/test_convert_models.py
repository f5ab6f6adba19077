"""A converted model is one of the configuration: `models/NAME.yaml` in the current folder is found by `model=NAME`."""

from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from harness.config import LlamaCppConfig, RunConfig, own_models, parse, register_defaults, register_own_models
from harness.convert.export.template import converter_of, with_gguf
from harness.convert.model_file import write_model
from harness.errors import ConfigError, DataError
from harness.paths import conf_dir
from harness.records.convert import ExportResult
from tests.support.conversions import BASE, convert_config
from tests.support.frontiers import tiny_weights


def composed(*words: str) -> RunConfig:
    register_defaults()
    register_own_models()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        found = parse(compose("config", overrides=list(words)))
    assert isinstance(found, RunConfig)
    return found


def exported(kind: str, name: str) -> ExportResult:
    path = f"export/{name}-Q8_0.gguf" if kind == "merged" else f"export/{name}-lora.gguf"
    file = {"file": {"path": path, "bytes": 3, "sha256": "ab" * 32}, "made_by": "x"}
    type_ = "Q8_0" if kind == "merged" else "adapter"
    return ExportResult.model_validate(
        {
            "key": "k", "serve": kind, "name": name, "chosen": type_, "base": BASE.model_dump(),
            "files": [{**file, "type": type_}], "model_config_file": f"models/{name}.yaml",
        }
    )  # fmt: skip


def test_a_merged_model_is_chosen_by_its_name_with_its_file_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "convert" / "unit_merged"
    write_model(convert_config("model.protocol=prompted"), exported("merged", "unit_merged"), folder)

    found = composed("model=unit_merged")

    gguf = found.model.weights.gguf
    assert (found.model.name, found.model.protocol, found.model.licence) == ("unit_merged", "prompted", "Apache-2.0")
    assert gguf is not None
    assert gguf.quantization == "Q8_0"
    assert gguf.asset.model_dump()["path"] == "results/convert/unit_merged/export/unit_merged-Q8_0.gguf"
    assert gguf.asset.model_dump()["sha256"] == "ab" * 32


def test_an_adapter_is_loaded_beside_the_weights_of_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = convert_config()
    folder = tmp_path / "results" / "convert" / "unit_beside"
    write_model(config, exported("adapter", "unit_beside"), folder)

    found = composed("model=unit_beside")

    assert isinstance(found.backend, LlamaCppConfig)
    assert [one.path for one in found.backend.lora] == ["results/convert/unit_beside/export/unit_beside-lora.gguf"]
    assert found.model.weights.gguf == config.model.weights.gguf


def test_what_is_typed_still_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(convert_config(), exported("merged", "unit_typed"), tmp_path / "results" / "convert" / "unit_typed")

    found = composed("model=unit_typed", "model.protocol=native", "model.generation.max_tokens=9")

    assert (found.model.protocol, found.model.generation.max_tokens) == ("native", 9)


def test_a_file_that_somebody_else_wrote_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "unit_mine.yaml").write_text("model: {name: unit_mine}\n")

    with pytest.raises(DataError, match=r"choose another name: convert\.name="):
        write_model(convert_config(), exported("merged", "unit_mine"), tmp_path / "c")


def test_the_model_of_a_conversion_in_another_folder_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = tmp_path / "a" / "unit_two", tmp_path / "b" / "unit_two"
    first.mkdir(parents=True)
    (first / "ledger.json").write_text("{}")
    write_model(convert_config(), exported("merged", "unit_two"), first)

    again = write_model(convert_config(), exported("merged", "unit_two"), first)
    with pytest.raises(DataError, match=r"is the model of a/unit_two/ledger\.json; choose another name"):
        write_model(convert_config(), exported("merged", "unit_two"), second)

    assert again.is_file()


def test_files_that_are_no_models_and_names_of_the_project_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("- a\n- list\n")
    (tmp_path / "broken.yaml").write_text("model: {")
    (tmp_path / "other.yaml").write_text("model: {name: another}\n")
    (tmp_path / "smollm2.yaml").write_text("model: {name: smollm2}\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"model": {"name": "mine"}}))

    assert list(own_models(tmp_path)) == ["mine"]


def test_a_base_that_is_a_checkpoint_is_asked_as_the_file_that_was_made_of_it(tmp_path: Path) -> None:
    made = tiny_weights(tmp_path, "F16")
    folder, pinned = convert_config(f"model.weights.path={tmp_path}"), convert_config()

    assert with_gguf(folder, made).model.weights.path == str(made.path)
    assert with_gguf(pinned, made) == pinned


def test_without_llama_cpps_converter_it_is_said_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text("")

    with pytest.raises(ConfigError, match=r"name llama\.cpp's convert_hf_to_gguf\.py"):
        converter_of(str(tmp_path / "nowhere.py"))

    assert converter_of(str(script)) == script
