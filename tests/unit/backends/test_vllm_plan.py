"""What vLLM is told by each option, and what its log says of a failure."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.backends.vllm_log import advice, reason_in_vllm_log
from harness.backends.vllm_plan import arguments, child_environment, served_name, vllm_python
from harness.backends.vllm_weights import TensorFolder
from harness.config import ModelConfig, VllmConfig
from harness.errors import AssetError, ConfigError
from harness.records.manifest import WeightFacts


def entry(**changes: object) -> ModelConfig:
    return ModelConfig.model_validate({"name": "small", "title": "Small", "licence": "unknown", **changes})


def config(**changes: object) -> VllmConfig:
    return VllmConfig.model_validate({"name": "vllm", **changes})


def folder(context_tokens: int | None = 8192) -> TensorFolder:
    facts = WeightFacts(file="small", bytes=4, sha256="0" * 64)
    return TensorFolder(Path("/weights/small"), facts, context_tokens)


def words(model: ModelConfig | None = None, weights: TensorFolder | None = None, **changes: object) -> list[str]:
    return arguments(config(**changes), model or entry(), weights or folder())


def value(line: Sequence[str], flag: str) -> str:
    return line[line.index(flag) + 1]


def test_the_strict_lane_is_the_default() -> None:
    line = words()

    assert "--no-enable-prefix-caching" in line
    assert "--enable-prefix-caching" in words(cache="on")
    assert value(line, "--generation-config") == "vllm"
    assert "--stream-interval" not in line


def test_every_word_that_the_harness_sets_is_refused_of_anybody_else(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    line = words(
        entry(chat_template=str(tmp_path / "t.jinja")), quantization="awq", eager=True, tool_parser="hermes",
        reasoning_parser="qwen3", mode="batch", lora=[{"path": str(adapter), "name": "mine"}],
    )  # fmt: skip

    for flag in {word for word in (*line, "--host", "--port") if word.startswith("--")}:
        with pytest.raises(ConfigError, match="which the harness decides"):
            words(extra_args=[flag])


@pytest.mark.parametrize("word", ["--config=other.yaml", "--no-enforce-eager", "--no_enable_lora", "--max_model_len=9"])
def test_words_that_set_the_same_in_another_way_are_refused_too(word: str) -> None:
    with pytest.raises(ConfigError, match="which the harness decides"):
        words(extra_args=[word])


def test_each_option_reaches_the_command_line() -> None:
    line = words(
        context_tokens=2048, slots=7, dtype="float16", quantization="awq", kv_type="fp8", tensor_parallel=2,
        gpu_memory_frac=0.5, eager=True, tool_parser="hermes", reasoning_parser="qwen3", extra_args=["--seed", "3"],
    )  # fmt: skip

    assert [
        value(line, flag)
        for flag in (
            "--max-model-len", "--max-num-seqs", "--dtype", "--quantization", "--kv-cache-dtype",
            "--tensor-parallel-size", "--gpu-memory-utilization", "--tool-call-parser", "--reasoning-parser", "--seed",
        )
    ] == ["2048", "7", "float16", "awq", "fp8", "2", "0.5", "hermes", "qwen3", "3"]  # fmt: skip
    assert {"--enforce-eager", "--enable-auto-tool-choice"} <= set(line)


def test_arguments_of_native_calls_are_held_to_their_schema() -> None:
    assert value(words(tool_parser="hermes"), "--tool-strict-level") == "parameter"


def test_the_batch_lane_passes_a_reply_on_as_a_whole() -> None:
    assert int(value(words(mode="batch"), "--stream-interval")) > 1_000_000


def test_without_a_wish_the_context_is_the_models_within_bounds_or_left_to_vllm() -> None:
    assert value(words(), "--max-model-len") == "8192"
    assert value(words(weights=folder(131_072)), "--max-model-len") == "32768"
    assert value(words(weights=folder(None)), "--max-model-len") == "auto"


def test_more_context_than_the_model_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at most backend\.context_tokens=8192"):
        words(context_tokens=9000)


@pytest.mark.parametrize(("extra", "key"), [("--max_model_len=9", "backend.context_tokens"), ("--port", "loopback")])
def test_words_that_the_harness_decides_are_refused_in_the_extra_ones(extra: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        words(extra_args=[extra])


def test_threads_and_cache_of_a_processor_go_by_the_environment() -> None:
    told = child_environment(config(threads=3, cpu_cache_gib=5))

    assert (told["OMP_NUM_THREADS"], told["VLLM_CPU_OMP_THREADS_BIND"], told["VLLM_CPU_KVCACHE_SPACE"]) == (
        "3", "nobind", "5",
    )  # fmt: skip
    assert told["HF_HUB_OFFLINE"] == "1"
    assert "OMP_NUM_THREADS" not in child_environment(config())


def test_an_adapter_answers_under_its_own_name_and_brings_its_rank(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 12}))
    lora = [{"path": str(tmp_path), "name": "tuned"}]

    line = words(lora=lora)

    assert value(line, "--max-lora-rank") == "16"
    assert json.loads(value(line, "--lora-modules")) == {"name": "tuned", "path": str(tmp_path)}
    assert served_name(entry(), config(lora=lora)) == "tuned"
    assert served_name(entry(served_name="small"), config(lora=lora)) == "small"


def test_two_adapters_want_a_choice() -> None:
    two = config(lora=[{"path": "a", "name": "a"}, {"path": "b", "name": "b"}])

    with pytest.raises(ConfigError, match=r"model\.served_name=a"):
        served_name(entry(), two)


def test_a_folder_that_holds_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"adapter_config\.json"):
        words(lora=[{"path": str(tmp_path)}])


def test_the_environment_that_is_not_there_is_said_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backends.vllm_plan.ENVIRONMENT", ".venv-that-nobody-made")

    with pytest.raises(ConfigError, match="make vllm-env"):
        vllm_python(None)
    with pytest.raises(ConfigError, match="is no program"):
        vllm_python(str(tmp_path))


LOG = """\
(APIServer pid=1) INFO 11-21 14:22:58 [api_utils.py:286] non-default args: {'model': '/home/me/m'}
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9] Traceback (most recent call last):
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9]   File "/home/me/x.py", line 1, in f
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9] {cause}
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.
"""


@pytest.mark.parametrize(
    ("cause", "said", "way_out"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.", "CUDA out of memory", "less memory"),
        ("ValueError: Free memory on device cuda:0 (1/8 GiB) is less than desired", "Free memory", "gpu_memory_frac"),
        ("ValueError: To serve, 9 GiB KV cache is needed, which is larger", "KV cache is needed", "cpu_cache_gib"),
        ("RuntimeError: operator torchvision::nms does not exist", "nms does not exist", "pip uninstall torchvision"),
        ("ValueError: Cannot find the config file for awq", "for awq", "backend.quantization"),
        ("KeyError: 'invalid tool call parser: zz (chose from { a })'", "parser: zz", "backend.tool_parser"),
        ("RuntimeError: Not enough allowed NUMA nodes to bind", "NUMA", "backend.tensor_parallel=1"),
        ("OSError: Can't read '/home/me/models/a.json'", "Can't read 'a.json'", ""),
    ],
)
def test_the_cause_is_picked_out_of_the_log_with_a_way_out(cause: str, said: str, way_out: str) -> None:
    reason = reason_in_vllm_log(LOG.replace("{cause}", cause))

    assert said in reason
    assert way_out in advice(reason)
    assert "/home/me" not in reason


def test_a_refused_setting_is_told_in_its_own_words() -> None:
    log = (
        "(APIServer pid=1) pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, Unknown quantization method: zz. Must be one of ['awq']. [type=value_error, input=1]\n"
    )

    reason = reason_in_vllm_log(log)

    assert reason == "Unknown quantization method: zz. Must be one of ['awq']."
    assert "backend.quantization" in advice(reason)


def test_a_word_that_vllm_does_not_know_is_told() -> None:
    reason = reason_in_vllm_log("usage: api_server.py [-h]\napi_server.py: error: unrecognized arguments: --zz\n")

    assert reason == "unrecognized arguments: --zz"
    assert "backend.extra_args" in advice(reason)
