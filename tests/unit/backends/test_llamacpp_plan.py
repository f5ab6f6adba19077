"""Configuration and weights become settings that take effect, or one line that says why they cannot."""

from pathlib import Path

import pytest

from harness.backends import llamacpp_plan
from harness.backends.llamacpp import LlamaCpp
from harness.backends.llamacpp_child import EngineSettings, common_params
from harness.backends.llamacpp_plan import plan
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig, LoraConfig, ModelConfig, WeightsConfig
from harness.errors import AssetError, BackendError, ConfigError, HarnessError
from tests.support.gguf_files import llama_header, write_gguf

GIB = 1024**3


def model(**changes: object) -> ModelConfig:
    return ModelConfig.model_validate({"name": "tiny", "title": "Tiny", "licence": "MIT", **changes})


def config(**changes: object) -> LlamaCppConfig:
    return LlamaCppConfig.model_validate({"name": "llamacpp", **changes})


def weights(folder: Path, *, context: int = 8192, layers: int = 4) -> WeightFile:
    path = write_gguf(folder / "tiny.gguf", llama_header(context=context, layers=layers))
    return resolve_weights(model(weights={"path": str(path)}), cache=folder / "cache")


def test_context_is_per_slot_and_the_models_own_by_default(tmp_path: Path) -> None:
    settings = plan(config(slots=3), model(), weights(tmp_path, context=4096))

    assert settings.context_tokens == 3 * 4096


def test_a_context_larger_than_the_models_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"context_tokens=9000 .* at most backend\.context_tokens=8192"):
        plan(config(context_tokens=9000), model(), weights(tmp_path, context=8192))


def test_a_default_context_shrinks_until_its_cache_fits_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llamacpp_plan, "available_memory", lambda: 4 * GIB)
    file = weights(tmp_path, context=32_768, layers=1024)  # 64 Ki elements, 128 KiB per token: 4 GiB for all

    settings = plan(config(), model(), file)

    assert settings.context_tokens == 4096  # the largest halving at or below 1 GiB that the weights leave room for


def test_a_smaller_cache_type_leaves_room_for_more_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_plan, "available_memory", lambda: 4 * GIB)
    file = weights(tmp_path, context=32_768, layers=1024)

    wide = plan(config(kv_type="f32"), model(), file)
    narrow = plan(config(kv_type="q4_0"), model(), file)

    assert narrow.context_tokens > wide.context_tokens


def test_a_very_long_context_is_not_taken_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_plan, "available_memory", lambda: 1024 * GIB)

    settings = plan(config(), model(), weights(tmp_path, context=262_144))

    assert settings.context_tokens == 32_768


def test_threads_default_to_cores_that_may_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_plan, "_CGROUP", tmp_path)
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(12)), raising=False)

    within_affinity = llamacpp_plan.usable_cores()
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    within_quota = llamacpp_plan.usable_cores()

    assert (within_affinity, within_quota) == (12, 3)


@pytest.mark.parametrize(
    ("backend", "entry", "said"),
    [
        ({"batch_tokens": 256, "ubatch_tokens": 512}, {}, r"ubatch_tokens=512 is more than backend\.batch_tokens=256"),
        ({"kv_type": "q8_0", "flash_attention": "off"}, {}, r"kv_type=q8_0 needs flash attention"),
        ({"lora": [{"path": "absent.gguf"}]}, {}, r"path=absent\.gguf is no file"),
        ({}, {"chat_template": "absent.jinja"}, r"chat_template=absent\.jinja is no file"),
    ],
)
def test_what_could_not_take_effect_is_refused_before_a_start(
    tmp_path: Path, backend: dict[str, object], entry: dict[str, object], said: str
) -> None:
    file = weights(tmp_path)

    with pytest.raises(HarnessError, match=said):
        plan(config(**backend), model(**entry), file)


def test_an_adapter_that_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.safetensors"
    adapter.write_bytes(b"{}")

    with pytest.raises(AssetError, match=r"adapter\.safetensors is no GGUF file"):
        plan(config(lora=(LoraConfig(path=str(adapter)),)), model(), weights(tmp_path))


def test_a_model_without_weights_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"tiny has no GGUF weights .* model\.weights\.path=/path/to/model\.gguf"):
        resolve_weights(model(), cache=tmp_path)


def test_a_hosted_model_is_no_matter_for_a_local_engine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use backend=endpoint"):
        resolve_weights(model(hosted=True), cache=tmp_path)


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="is a folder"):
        resolve_weights(model(weights=WeightsConfig(path=str(tmp_path))), cache=tmp_path)


def test_one_part_of_split_weights_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "part.gguf", {**llama_header(context=512), "split.count": 3})

    with pytest.raises(AssetError, match="is one of 3 parts"):
        resolve_weights(model(weights={"path": str(path)}), cache=tmp_path / "cache")


def test_facts_of_own_weights_name_no_folder(tmp_path: Path) -> None:
    facts = weights(tmp_path).facts

    assert facts.file == "tiny.gguf"
    assert facts.source == "path"
    assert str(tmp_path) not in facts.model_dump_json()


def test_every_setting_reaches_the_engines_parameters() -> None:
    engine = pytest.importorskip("xllamacpp")
    settings = EngineSettings(
        model_path="m.gguf",
        alias="tiny",
        context_tokens=1536,
        slots=3,
        threads=5,
        gpu_layers=7,
        batch_tokens=640,
        ubatch_tokens=320,
        cache=False,
        kv_type="q8_0",
        flash_attention="on",
        lora=(("a.gguf", 0.5),),
        chat_template="{{ x }}",
    )

    params = common_params(engine, settings, has_gpu=True)

    assert (params.model.path, params.model_alias) == ("m.gguf", {"tiny"})
    assert (params.n_ctx, params.n_parallel) == (1536, 3)
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (5, 5)
    assert (params.n_gpu_layers, params.fit_params) == (7, False)
    assert (params.n_batch, params.n_ubatch) == (640, 320)
    assert (params.cache_type_k.name, params.cache_type_v.name) == ("GGML_TYPE_Q8_0", "GGML_TYPE_Q8_0")
    assert params.flash_attn_type.name == "LLAMA_FLASH_ATTN_TYPE_ENABLED"
    assert [(one.path, one.scale) for one in params.lora_adapters] == [("a.gguf", 0.5)]
    assert (params.chat_template, params.use_jinja) == ("{{ x }}", True)
    assert (params.cache_prompt, params.cache_ram_mib, params.n_ctx_checkpoints) == (False, 0, 0)
    assert (params.hostnames, params.port, params.ui) == (["127.0.0.1"], 0, False)


async def test_a_platform_without_xllamacpp_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no wheel here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    backend = LlamaCpp(config(), model(), weights=weights(tmp_path))

    with pytest.raises(BackendError, match=r"\(no wheel here\): pip install xllamacpp; .* model=endpoint model\.url="):
        async with backend.serve():
            pass


async def test_gpu_layers_without_a_gpu_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xllamacpp.py").write_text("def get_device_info(): return []")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    backend = LlamaCpp(config(gpu_layers=8), model(), weights=weights(tmp_path))

    with pytest.raises(ConfigError, match=r"backend\.gpu_layers=8, but this build of xllamacpp sees no GPU"):
        async with backend.serve():
            pass


def test_probabilities_beside_tools_are_refused_before_the_engine_does(tmp_path: Path) -> None:
    asked = model(protocol="native", generation={"logprobs": True})

    with pytest.raises(ConfigError, match=r"model\.protocol=constrained or prompted"):
        plan(config(), asked, weights(tmp_path))
