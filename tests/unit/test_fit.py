"""Memory that a model needs, against what llama.cpp really allocated, and the verdicts drawn from it."""

from pathlib import Path

import aiohttp
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assets import cache_dir
from harness.backends.gguf import read_header
from harness.backends.llamacpp import LlamaCpp
from harness.backends.weights import resolve_weights
from harness.config import LlamaCppConfig
from harness.doctor.weights import board_models
from harness.fit import (
    BITS_PER_WEIGHT,
    Need,
    Serving,
    advice,
    estimate_shape,
    estimate_weights,
    judge,
    llamacpp_need,
    tensor_engine_need,
)
from harness.fit_published import published_shape
from harness.fit_shape import Shape, shape_of_config, shape_of_gguf
from harness.fit_slm import Latency, practical, slm_verdict, tokens_per_s_bound
from harness.paths import conf_dir
from tests.support.gguf_files import Value, llama_header, write_gguf

MIB = 1 << 20
SMOLLM2: dict[str, Value] = {
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.context_length": 8192,
    "llama.embedding_length": 576,
    "llama.feed_forward_length": 1536,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.vocab_size": 49152,
}
GEMMA: dict[str, Value] = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 18,
    "gemma3.context_length": 32768,
    "gemma3.embedding_length": 640,
    "gemma3.feed_forward_length": 2048,
    "gemma3.attention.head_count": 4,
    "gemma3.attention.head_count_kv": 1,
    "gemma3.attention.key_length": 256,
    "gemma3.attention.value_length": 256,
    "gemma3.attention.sliding_window": 512,
    "gemma3.vocab_size": 262144,
}


def shape_of(metadata: dict[str, Value]) -> Shape:
    shape = shape_of_gguf(metadata)
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("metadata", "serving", "kv_mib", "compute_mib"),
    [
        (SMOLLM2, Serving(2048), 45.0, 16.64 + 0.19),
        (SMOLLM2, Serving(8192), 180.0, 22.64 + 0.19),
        (SMOLLM2, Serving(8192, slots=4), 720.0, 22.64 + 0.75),
        (SMOLLM2, Serving(8192, ubatch_tokens=128), 180.0, 5.66 + 0.19),
        (SMOLLM2, Serving(8192, ubatch_tokens=2048), 180.0, 90.57 + 0.19),
        (SMOLLM2, Serving(8192, kv_type="q8_0"), 95.62, 22.67 + 0.19),
        (GEMMA, Serving(2048), 6.0 + 15.0, 21.28 + 1.0),
        (GEMMA, Serving(32768), 96.0 + 15.0, 51.28 + 1.0),
        (GEMMA, Serving(8192, slots=4), 96.0 + 60.0, 27.28 + 4.0),
        (GEMMA, Serving(8192, ubatch_tokens=128), 24.0 + 11.25, 6.76 + 1.0),
        (GEMMA, Serving(8192, ubatch_tokens=2048), 24.0 + 37.5, 115.11 + 1.0),
    ],
)
def test_cache_and_buffers_are_those_that_llama_cpp_logged(
    metadata: dict[str, Value], serving: Serving, kv_mib: float, compute_mib: float
) -> None:
    need = llamacpp_need(0, shape_of(metadata), serving)

    assert need.kv / MIB == pytest.approx(kv_mib, rel=0.001)
    assert need.compute / MIB == pytest.approx(compute_mib, rel=0.01)


def test_the_shape_is_read_from_a_file_on_disk(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", llama_header(context=4096, layers=4, width=64, heads=4, kv_heads=2))

    shape = shape_of_gguf(read_header(path).metadata)

    assert shape is not None
    assert (shape.kv_full, shape.kv_window, shape.context_tokens) == (4 * 2 * (16 + 16), 0, 4096)


def test_a_header_without_its_sizes_has_no_shape() -> None:
    assert shape_of_gguf({"general.architecture": "llama", "llama.block_count": 4}) is None
    assert shape_of_config({"num_hidden_layers": 4}) is None


def test_a_pattern_in_the_header_wins_over_the_architectures_own() -> None:
    shape = shape_of({**GEMMA, "gemma3.attention.sliding_window_pattern": 2})

    assert shape.kv_full == shape.kv_window == 9 * 512


def test_layers_listed_as_windowed_are_counted_one_by_one() -> None:
    pattern = tuple(int(at % 3 != 0) for at in range(18))

    shape = shape_of({**GEMMA, "gemma3.attention.sliding_window_pattern": pattern})

    assert (shape.kv_full, shape.kv_window) == (6 * 512, 12 * 512)


def test_the_window_of_an_unknown_architecture_counts_as_the_whole_context() -> None:
    renamed = {key.replace("gemma3.", "newone."): value for key, value in GEMMA.items()}

    shape = shape_of({**renamed, "general.architecture": "newone"})

    assert (shape.kv_full, shape.kv_window) == (18 * 512, 0)


def test_recurrent_layers_have_a_state_and_no_cache() -> None:
    shape = published_shape("Qwen/Qwen3.5-9B")

    assert shape is not None
    assert shape.kv_full == 8 * 4 * 512
    assert shape.state_bytes == 24 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)


def test_layers_that_use_earlier_layers_caches_need_none() -> None:
    shape = published_shape("google/gemma-3n-E4B-it")

    assert shape is not None
    assert (shape.kv_full, shape.kv_window) == (4 * 2 * 512, 16 * 2 * 512)


@pytest.mark.parametrize(
    ("repo", "metadata"),
    [("HuggingFaceTB/SmolLM2-135M-Instruct", SMOLLM2), ("google/gemma-3-270m", GEMMA)],
)
def test_a_published_config_and_the_gguf_header_tell_the_same(repo: str, metadata: dict[str, Value]) -> None:
    published, own = published_shape(repo), shape_of(metadata)

    assert published is not None
    fields = ("kv_full", "kv_window", "window", "state_bytes", "width", "feed_forward", "vocab")
    assert [getattr(published, one) for one in fields] == [getattr(own, one) for one in fields]


def test_an_unused_window_in_a_config_counts_for_nothing() -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "sliding_window": 128}

    shape = shape_of_config({**config, "use_sliding_window": False, "model_type": "gemma3"})

    assert shape is not None
    assert (shape.kv_full, shape.kv_window) == (2 * 4 * 32, 0)


@pytest.mark.parametrize(
    ("parameters", "quantization", "published_bytes"),
    [
        (3_836_021_760, "Q4_K_M", 2_491_874_272),  # Phi-4-mini
        (8_190_735_360, "Q4_K_M", 5_027_783_488),  # Qwen3 8B
        (1_720_574_976, "Q8_0", 1_834_426_016),  # Qwen3 1.7B
    ],
)
def test_estimated_weights_lie_within_a_tenth_of_published_files(
    parameters: int, quantization: str, published_bytes: int
) -> None:
    assert estimate_weights(parameters, quantization) == pytest.approx(published_bytes, rel=0.1)


def test_an_unknown_quantization_is_not_guessed() -> None:
    assert estimate_weights(1_000_000, "Q4_Z") is None


def test_bits_per_weight_rise_with_the_name() -> None:
    ladder = [BITS_PER_WEIGHT[one] for one in ("Q2_K", "Q3_K_L", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")]

    assert ladder == sorted(ladder)


@given(st.integers(256, 131072), st.integers(1, 64))
def test_more_context_or_slots_never_need_less(context: int, slots: int) -> None:
    shape = shape_of(GEMMA)
    less = llamacpp_need(10, shape, Serving(context, slots)).total

    assert llamacpp_need(10, shape, Serving(context + 256, slots)).total >= less
    assert llamacpp_need(10, shape, Serving(context, slots + 1)).total > less


def test_tensor_engines_keep_a_window_of_the_cache_and_say_what_is_assumed() -> None:
    need = tensor_engine_need(100, shape_of(GEMMA), Serving(8192, slots=2), gpu=True)

    assert need.kv == 2 * 2 * (3 * 512 * 8192 + 15 * 512 * 512)
    assert "engine" in need.estimated


@pytest.mark.parametrize(("need", "verdict"), [(80, "yes"), (81, "tight"), (100, "tight"), (101, "no")])
def test_the_verdict_turns_at_four_fifths_and_at_all_of_it(need: int, verdict: str) -> None:
    assert judge(need, 100).verdict == verdict


def test_an_unknown_machine_gets_no_verdict() -> None:
    assert judge(1, None).verdict is None


@given(st.integers(1, 16), st.integers(1024, 131072), st.integers(2 << 30, 24 << 30))
def test_slots_and_context_as_advised_do_fit(slots: int, context: int, usable: int) -> None:
    shape, serving = estimate_shape(4_000_000_000), Serving(context, slots)
    need = llamacpp_need(2_500_000_000, shape, serving)
    told = advice(need, shape, serving, 4_000_000_000, usable)
    changed = dict(part.partition("=")[::2] for part in (told or "").split() if part.startswith("backend."))

    if judge(need.total, usable).verdict != "yes" and told is not None and told.startswith("backend."):
        lower = Serving(int(changed.get("backend.context_tokens", context)), int(changed.get("backend.slots", slots)))
        assert judge(llamacpp_need(2_500_000_000, shape, lower).total, usable).verdict == "yes"


def test_where_only_smaller_weights_fit_their_quantization_is_named() -> None:
    shape, serving = estimate_shape(8_000_000_000), Serving(2048)
    need = llamacpp_need(16_000_000_000, shape, serving)

    told = advice(need, shape, serving, 8_000_000_000, 8 << 30)

    assert told is not None
    assert told.startswith("a Q5_K_M of it")


def test_where_nothing_fits_nothing_is_advised() -> None:
    shape = estimate_shape(8_000_000_000)

    assert advice(Need(5 << 30, 1, 1, 1), shape, Serving(2048), 8_000_000_000, 1 << 30) is None


def test_a_measurement_decides_against_any_bound() -> None:
    slow = practical(Latency(ttft_s=9.0, tokens_per_s=100.0), 1e6, ttft_s=2, tokens_per_s=10)

    assert (slow.verdict, slow.basis) == (False, "measured")


@pytest.mark.parametrize(("bound", "verdict"), [(9.9, False), (10.0, None), (19.9, None), (20.0, True), (None, None)])
def test_an_estimate_decides_only_where_half_and_all_of_the_bandwidth_agree(
    bound: float | None, verdict: bool | None
) -> None:
    assert practical(None, bound, ttft_s=2, tokens_per_s=10).verdict is verdict


@pytest.mark.parametrize(
    ("fit", "consumer", "expected"),
    [("yes", True, True), ("tight", True, True), ("no", True, False), (None, True, None), ("yes", None, None)],
)
def test_a_small_model_fits_a_consumer_device_and_answers_in_time(
    fit: str | None, consumer: bool | None, expected: bool | None
) -> None:
    fast = practical(Latency(0.5, 30.0), None, ttft_s=2, tokens_per_s=10)

    assert slm_verdict(fit, fast, consumer=consumer).verdict is expected  # type: ignore[arg-type]


def test_a_model_that_fits_and_is_too_slow_is_not_small() -> None:
    slow = practical(Latency(0.5, 3.0), None, ttft_s=2, tokens_per_s=10)

    assert slm_verdict("yes", slow, consumer=True).verdict is False


def test_a_model_that_fits_and_was_not_timed_stays_open() -> None:
    unknown = practical(None, None, ttft_s=2, tokens_per_s=10)

    assert slm_verdict("yes", unknown, consumer=True).verdict is None


def test_on_a_device_that_is_no_consumers_the_question_stays_open() -> None:
    fast = practical(Latency(0.5, 30.0), None, ttft_s=2, tokens_per_s=10)

    assert slm_verdict("yes", fast, consumer=False).verdict is None


def test_without_bandwidth_or_size_there_is_no_bound() -> None:
    assert tokens_per_s_bound(None, 10) is None
    assert tokens_per_s_bound(10.0, None) is None


@pytest.mark.model
@pytest.mark.parametrize(("name", "context"), [("smollm2", 8192), ("gemma3_270m", 4096)])
async def test_the_embedded_engine_takes_what_was_computed(name: str, context: int) -> None:
    model = board_models(conf_dir() / "model")[name]
    weights = resolve_weights(model, cache=cache_dir())
    published = published_shape(model.weights.safetensors.repo if model.weights.safetensors else None)
    shape = shape_of_gguf(weights.header.metadata, vocab=published.vocab if published else None)
    assert shape is not None
    before = {one.pid for one in psutil.Process().children()}

    async with LlamaCpp(LlamaCppConfig(name="llamacpp", context_tokens=context), model, weights=weights).serve() as at:
        (engine,) = [one for one in psutil.Process().children() if one.pid not in before]
        body = {"model": at.model, "prompt": "one two three " * 200, "max_tokens": 2}
        async with aiohttp.ClientSession() as session, session.post(f"{at.base_url}/completions", json=body) as reply:
            status = reply.status
        resident = engine.memory_info().rss

    assert status == 200
    assert llamacpp_need(weights.facts.bytes, shape, Serving(context)).total == pytest.approx(resident, rel=0.06)
