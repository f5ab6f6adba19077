"""A GGUF header is read as it stands, and anything else is refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from harness.backends.gguf import read_header
from harness.errors import AssetError
from tests.support.gguf_files import llama_header, write_gguf


def test_context_and_cache_size_come_from_the_header(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", llama_header(context=8192, layers=4, width=64, heads=4, kv_heads=2))

    header = read_header(path)

    assert header.context_tokens == 8192
    assert header.kv_elements_per_token() == 4 * 2 * (16 + 16)
    assert not header.has_chat_template


def test_layers_with_their_own_head_counts_are_added_up(tmp_path: Path) -> None:
    pairs = {**llama_header(context=512, layers=3), "llama.attention.head_count_kv": (2, 0, 1)}

    header = read_header(write_gguf(tmp_path / "m.gguf", pairs))

    assert header.kv_elements_per_token() == (2 + 0 + 1) * (16 + 16)


def test_long_arrays_are_skipped_and_what_follows_is_read(tmp_path: Path) -> None:
    pairs = {"tokenizer.ids": tuple(range(5000)), **llama_header(context=512), "tokenizer.chat_template": "x"}

    header = read_header(write_gguf(tmp_path / "m.gguf", pairs))

    assert header.metadata["tokenizer.ids"] is None
    assert header.has_chat_template


def test_parameters_are_counted_over_all_tensors(tmp_path: Path) -> None:
    tensors = {"a": np.zeros((3, 5), np.float32), "b": np.zeros(7, np.float32)}

    header = read_header(write_gguf(tmp_path / "m.gguf", llama_header(context=512), tensors))

    assert header.parameters == 3 * 5 + 7


@pytest.mark.parametrize("kept", [3, 4, 12, 24, 60, 150, 300])
def test_a_file_cut_off_anywhere_is_refused_in_one_line(tmp_path: Path, kept: int) -> None:
    tensors = {"a": np.zeros(8, np.float32), "b": np.zeros(64, np.float32)}
    path = write_gguf(tmp_path / "m.gguf", llama_header(context=512), tensors)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(AssetError, match=r"^m\.gguf is .*model\.weights\.path=…$"):
        read_header(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.gguf", b"", "it is empty"),
        ("page.gguf", b"<!DOCTYPE html>", "starts with b'<!DO'"),
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}", r"a \.safetensors file, which llama\.cpp does not load"),
        ("old.gguf", b"GGUF\x01\0\0\0" + bytes(40), "version 1 is not one of 2, 3"),
    ],
)
def test_what_is_no_gguf_file_is_said_to_be_none(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(AssetError, match=said):
        read_header(path)


def test_absurd_counts_do_not_run_away(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 16 + bytes(64))

    with pytest.raises(AssetError, match="no whole GGUF file"):
        read_header(path)
