"""What is written as GGUF holds the merged checkpoint's own values, rows turned as llama.cpp wants them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.convert.export.delta import delta_report
from harness.convert.export.tool import ordered
from harness.errors import BackendError
from tests.support.gguf_files import llama_header, write_gguf
from tests.support.tiny_checkpoint import python_with_torch, tiny_checkpoint

pytestmark = pytest.mark.skipif(python_with_torch() is None, reason="no Python with torch here: make train-env")

Array = NDArray[np.float32]
_HEADS = {"q": 4, "k": 2}
_STORED = """
import sys
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
tensors = GGUFReader(sys.argv[1]).tensors
np.savez(sys.argv[2], **{one.name: dequantize(one.data, one.tensor_type) for one in tensors})
"""


def stored(source: Path, out: Path) -> dict[str, Array]:
    """The tensors of a GGUF file, dequantised by the gguf package."""
    python = python_with_torch()
    assert python is not None
    words = [python, "-P", "-c", _STORED, str(source), str(out)]
    subprocess.run(words, check=True, timeout=300, capture_output=True)
    with np.load(out) as found:
        return dict(found)


def checkpoint(folder: Path) -> dict[str, Array]:
    """The tensors of a checkpoint in 32 bits: a length, a JSON header, then their bytes (safetensors' own format)."""
    data = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    found = {}
    for name, one in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + at for at in one["data_offsets"])
            assert one["dtype"] == "F32"
            found[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(one["shape"])
    return found


def turned(values: Array, heads: int) -> Array:
    """As llama.cpp's converter turns q and k, written out: row 2i of a head is row i of its first half."""
    out = np.empty_like(values)
    size = values.shape[0] // heads
    for head in range(heads):
        own = values[head * size : (head + 1) * size]
        mine = out[head * size : (head + 1) * size]
        mine[0::2], mine[1::2] = own[: size // 2], own[size // 2 :]
    return out


def in_file(tensors: dict[str, Array]) -> dict[str, Array]:
    """The checkpoint's tensors by llama.cpp's names and in its order of rows."""
    places = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    found = {}
    for name, values in tensors.items():
        if name.startswith("model.layers."):
            _, _, layer, rest = name.split(".", 3)
            place = places[rest.removesuffix(".weight")]
            heads = _HEADS.get(place.removeprefix("attn_"))
            found[f"blk.{layer}.{place}.weight"] = turned(values, heads) if heads else values
    others = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    return found | {
        f"{new}.weight": tensors[f"{old}.weight"] for old, new in others.items() if f"{old}.weight" in tensors
    }


@pytest.fixture(scope="module")
def base() -> Path:
    return tiny_checkpoint()


@pytest.fixture(scope="module")
def template(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint as a GGUF file in 32 bits, written by this test alone."""
    folder = tmp_path_factory.mktemp("template")
    tensors = in_file(checkpoint(base))
    header = llama_header(context=1024) | {
        "general.architecture": "llama", "llama.block_count": 8, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.embedding_length": 32, "general.file_type": 0,
        "tokenizer.chat_template": "a template",
    }  # fmt: skip
    return write_gguf(folder / "base.gguf", header, tensors)


def order(do: str, **words: Any) -> dict[str, Any]:
    python, heard = python_with_torch(), [0.0]
    assert python is not None
    done = ordered(Path(python), do, {name: str(value) for name, value in words.items()}, heard.append)
    assert heard == sorted(heard)
    assert 0 < heard[-1] <= 1
    return done


@pytest.fixture(scope="module")
def merged(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merged") / "merged"
    order("merge", base=base, adapter=base / "adapter", out=out, dtype="float32")
    return out


def written(kind: str, base: Path, merged: Path, template: Path, folder: Path) -> Path:
    out = folder / f"{kind}.gguf"
    order("gguf", base=base, merged=merged, template=template, out=out, name="mine", description="d", type=kind)
    return out


def test_a_file_in_32_bits_has_the_merged_values_to_the_bit(
    base: Path, merged: Path, template: Path, tmp_path: Path
) -> None:
    expected = in_file(checkpoint(merged))

    file = written("F32", base, merged, template, tmp_path)

    found = stored(file, tmp_path / "stored.npz")
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_what_training_changed_is_left_in_the_file(base: Path, merged: Path, template: Path, tmp_path: Path) -> None:
    file = written("Q8_0", base, merged, template, tmp_path)

    found = order("delta", base=base, merged=merged, template=template, file=file)

    report = delta_report("x", "Q8_0", found, least=0.5, warn=0.85, base_type="F32")
    assert report.verdict == "pass"
    assert report.survived == pytest.approx(1.0, abs=0.01)
    assert len(report.tensors) == 3 * 8  # q, v and o of each layer


def test_nothing_of_it_is_left_in_the_bases_own_file(base: Path, merged: Path, template: Path) -> None:
    found = order("delta", base=base, merged=merged, template=template, file=template)

    report = delta_report("x", "F32", found, least=0.5, warn=0.85, base_type="F32")
    assert report.survived == pytest.approx(0.0, abs=1e-6)
    assert report.verdict == "refuse"
    assert report.unchanged == 1.0


def test_an_adapter_in_gguf_times_its_scale_is_what_training_changed(
    base: Path, merged: Path, template: Path, tmp_path: Path
) -> None:
    file = tmp_path / "lora.gguf"
    order("adapter", base=base, adapter=base / "adapter", template=template, out=file, name="mine")

    factors = stored(file, tmp_path / "lora.npz")
    before = in_file(checkpoint(base))
    after = in_file(checkpoint(merged))
    config = json.loads((base / "adapter" / "adapter_config.json").read_text())
    scale = config["lora_alpha"] / config["r"]
    for name in ("blk.0.attn_q.weight", "blk.7.attn_output.weight"):
        change = scale * factors[f"{name}.lora_b"] @ factors[f"{name}.lora_a"]
        assert np.allclose(change, after[name] - before[name], atol=1e-4)


def test_a_file_of_other_weights_is_refused_in_one_line(base: Path, merged: Path, tmp_path: Path) -> None:
    tensors = in_file(checkpoint(base))
    other = {name: np.ascontiguousarray(values[::-1]) for name, values in tensors.items()}
    header = llama_header(context=1024) | {
        "general.architecture": "llama", "llama.block_count": 8, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
    }  # fmt: skip
    template = write_gguf(tmp_path / "other.gguf", header, other)

    with pytest.raises(BackendError, match="is not the checkpoint's") as caught:
        order(
            "gguf",
            base=base,
            merged=merged,
            template=template,
            out=tmp_path / "x.gguf",
            name="m",
            description="",
            type="F16",
        )

    assert "\n" not in str(caught.value)
