"""What cannot be trained here is refused with what to type, and memory is told from shapes."""

import json
from pathlib import Path

import pytest

from harness.convert.training.child import share_of_rate
from harness.convert.training.estimate import Sizes, memory_need, refusal, sizes_of, steps_within
from harness.convert.training.plan import _device, _possible, machine_of
from harness.errors import BackendError, ConfigError
from harness.records.convert import DatasetManifest, LogitsFile, TrainPlan
from harness.records.manifest import WeightFacts

SMOLLM2 = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "head_dim": 64, "vocab_size": 49152, "tie_word_embeddings": True,
    "max_position_embeddings": 8192, "model_type": "llama",
}  # fmt: skip


def plan(**changed: object) -> TrainPlan:
    base = WeightFacts(file="base", bytes=1, sha256="0" * 64)
    told: dict[str, object] = {
        "key": "k", "method": "lora", "base": base, "base_folder": "base", "data_key": "d", "seed": 0, "rank": 16,
        "alpha": 32.0, "targets": ("all-linear",), "learning_rate": 1e-3, "epochs": 1.0, "batch": 8,
        "max_tokens": 1024, "dtype": "bfloat16", "device": "cpu",
    }  # fmt: skip
    return TrainPlan.model_validate(told | changed)


def dataset() -> DatasetManifest:
    return DatasetManifest(
        key="d", suite="s", suite_hash="h", cluster=None, protocol="prompted", n_train=100, n_validation=10, n_test=10,
        reply_tokens=4000,
    )  # fmt: skip


@pytest.fixture
def smollm2(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM2))
    return tmp_path


def sizes(folder: Path, found: TrainPlan) -> Sizes:
    told = sizes_of(found, folder, dataset())
    assert told is not None
    return told


def test_weights_are_counted_from_the_shape(smollm2: Path) -> None:
    found = sizes(smollm2, plan())

    assert found.parameters == pytest.approx(134_515_008, rel=0.001)  # what transformers counts
    assert found.trainable == 4_884_480  # what peft counts at rank 16


def test_full_training_needs_the_optimizers_memory(smollm2: Path) -> None:
    full = plan(method="full", rank=None, alpha=None, targets=(), batch=1, max_tokens=64)
    lora = plan(batch=1, max_tokens=64)

    more = memory_need(full, sizes(smollm2, full)) - memory_need(lora, sizes(smollm2, lora))

    assert more > 134_515_008 * 12


def test_checkpointing_needs_less_memory(smollm2: Path) -> None:
    found = sizes(smollm2, plan())

    assert memory_need(plan(), found, checkpointing=True) < memory_need(plan(), found)


def test_a_teacher_needs_memory_for_its_file_and_for_a_second_distribution(smollm2: Path) -> None:
    logits = LogitsFile(
        file="l", teacher="t", top_k=16, rows=100, tokens=4000, tokenizer_sha256="t", mass=0.9, seconds=1.0
    )
    alone = sizes(smollm2, plan())
    taught = sizes_of(plan(), smollm2, dataset().model_copy(update={"logits": logits}))
    assert taught is not None

    more = memory_need(plan(), taught) - memory_need(plan(), alone)

    assert more == pytest.approx(1.25 * (taught.targets * 49152 * 20 + 4000 * 16 * 8), rel=1e-6)


def test_a_batch_is_no_larger_than_the_rows(smollm2: Path) -> None:
    assert sizes(smollm2, plan(batch=5000)).tokens == 100 * 1024


def test_a_checkpoint_that_does_not_tell_its_shape_has_no_sizes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    assert sizes_of(plan(), tmp_path, dataset()) is None


def test_what_does_not_fit_is_refused_with_the_numbers_and_what_to_type() -> None:
    why = refusal(20_000_000_000, 8_000_000_000, "full")

    assert why is not None
    assert "20.0 GB" in why
    assert "8.0 GB" in why
    assert "convert.training.batch=1" in why
    assert "convert=lora" in why


def test_what_fits_is_not_refused() -> None:
    assert refusal(7_000_000_000, 8_000_000_000, "full") is None


def test_what_fits_to_the_last_byte_is_refused() -> None:
    assert refusal(8_000_000_000, 8_000_000_000, "lora") is not None


def test_four_bits_are_refused_without_cuda() -> None:
    with pytest.raises(ConfigError, match="needs CUDA, and this is cpu; type convert=lora"):
        _possible("qlora", "cpu", 1, "auto")


def test_several_gpus_are_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match=r"type convert\.training\.processes=1"):
        _possible("lora", "cpu", 2, "auto")


def test_half_precision_is_refused_on_a_processor() -> None:
    with pytest.raises(ConfigError, match=r"type convert\.training\.dtype=bfloat16"):
        _possible("lora", "cpu", 1, "float16")


def test_a_card_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="torch sees 1 CUDA devices"):
        _device("cuda:1", {"cards": 1, "mps": False, "packages": {}})


@pytest.mark.parametrize(("cards", "mps", "wanted"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")])
def test_the_best_device_is_taken(cards: int, mps: bool, wanted: str) -> None:
    assert _device("auto", {"cards": cards, "mps": mps, "packages": {}}) == wanted


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_rate_rises_first_and_never_leaves_its_bounds(schedule: str) -> None:
    shares = [share_of_rate(step / 100, 0.1, schedule) for step in range(1, 101)]

    assert shares[:10] == sorted(shares[:10])
    assert shares[9] == pytest.approx(1.0)
    assert all(0.0 <= one <= 1.0 for one in shares)


def test_without_warm_up_the_whole_rate_is_there_at_once() -> None:
    assert share_of_rate(0.0, 0.0, "linear") == 1.0


def test_an_estimate_counts_the_steps_that_the_time_allows() -> None:
    assert steps_within(969, 25.0, 20) == 48
    assert steps_within(969, 0.1, 20) == 969
    assert steps_within(969, 3_000.0, 20) == 1
    assert steps_within(969, 25.0, None) == 969


def test_a_python_that_takes_too_long_is_not_held_for_one_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr("harness.convert.training.plan._ASK_S", 0.05)

    with pytest.raises(BackendError, match=r"did not load torch in 0\.05 s; is the machine busy"):
        machine_of(slow)
