"""Rows in the tokens of a real tokenizer, and what a teacher with the same one holds of them."""

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config import (
    HardwareConfig,
    ModelConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
    TransformersConfig,
    WeightsConfig,
)
from harness.config.convert import ConvertData
from harness.convert.data import Setup, prepare
from harness.convert.data.files import read_rows
from harness.errors import ConfigError
from tests.support.convert_samples import setup, shop
from tests.support.tiny_checkpoint import python_with_torch, tiny_checkpoint

pytestmark = pytest.mark.skipif(python_with_torch() is None, reason="no Python with torch: make train-env")


def local(teacher: Path) -> Setup:
    model = ModelConfig(name="big", title="Big", licence="x", weights=WeightsConfig(path=str(teacher)))
    asked = RunConfig(
        do="run",
        suite=SuiteConfig(name="x"),
        model=model,
        backend=TransformersConfig(name="transformers"),
        hardware=HardwareConfig(name="none", title="None"),
        run=RunnerConfig(),
    )
    return replace(
        setup(),
        lengths=None,
        checkpoint=tiny_checkpoint(),
        python=Path(python_with_torch() or ""),
        teacher=asked,
    )


WEIGHED = ConvertData(teacher="big", distill="logits", top_k=8, validation=0)


def header(file: Path) -> dict[str, dict[str, list[int]]]:
    """What a safetensors file says of itself."""
    with file.open("rb") as held:
        (size,) = struct.unpack("<Q", held.read(8))
        return dict(json.loads(held.read(size)))


def test_a_teacher_weighs_every_token_of_every_reply(tmp_path: Path) -> None:
    manifest = prepare(WEIGHED, shop(3, 0), local(tiny_checkpoint()), tmp_path)

    rows = read_rows(tmp_path / "train.jsonl")
    # a token for each byte, and one for the mark that ends the turn
    assert [one.reply_tokens for one in rows] == [len(str(one.reply["content"]).encode()) + 1 for one in rows]
    logits = manifest.logits
    assert logits is not None
    assert (logits.rows, logits.tokens) == (3, manifest.reply_tokens)
    assert 0 < logits.mass <= 1
    shapes = {name: one["shape"] for name, one in header(tmp_path / "logits.safetensors").items() if "shape" in one}
    n = logits.tokens
    assert shapes == {"ends": [4], "tokens": [n], "ids": [n, 8], "logprobs": [n, 8]}
    assert manifest.teacher_calls == 0


def test_a_teacher_with_another_tokenizer_is_refused_with_the_reason(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_checkpoint(), other)
    held = json.loads((other / "tokenizer.json").read_text())
    held["model"]["merges"].append(["a", "b"])
    held["model"]["vocab"]["ab"] = len(held["model"]["vocab"])
    (other / "tokenizer.json").write_text(json.dumps(held))

    with pytest.raises(ConfigError, match="student and big have two tokenizers"):
        prepare(WEIGHED, shop(3, 0), local(other), tmp_path / "data")

    assert not (tmp_path / "data" / "dataset.json").exists()
