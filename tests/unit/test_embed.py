"""Embeddings on the processor, with the weights from the package registry."""

from pathlib import Path

import numpy as np
import pytest

from harness.assets import cache_dir
from harness.embed import Embedder, VectorCache, cosine, embed_texts, load_embedder

pytestmark = pytest.mark.model
ALIKE = [
    ("A man is eating food.", "A man eats something."),
    ("How do I reset my password?", "I forgot my password, how can I change it?"),
    ("Book a table for two tonight", "Please reserve dinner for 2 people this evening"),
]
UNLIKE = [
    ("A man is eating food.", "Stock prices fell sharply on Monday."),
    ("How do I reset my password?", "The cat sat on the mat."),
    ("Book a table for two tonight", "Compile the kernel with debug symbols"),
]


@pytest.fixture(scope="module")
def embed() -> Embedder:
    pytest.importorskip("onnxruntime", reason="pip install 'slm-harness[suites]'")
    return load_embedder(cache_dir())


def test_texts_of_one_meaning_lie_nearer_than_others(embed: Embedder) -> None:
    near = [cosine(embed(left), embed(right)) for left, right in ALIKE]
    far = [cosine(embed(left), embed(right)) for left, right in UNLIKE]

    assert min(near) > 0.5
    assert max(far) < 0.25


def test_vectors_have_unit_length_and_repeat(embed: Embedder) -> None:
    texts = ["a", "", "ünïcode \ud800", "long " * 2_000]

    first, second = embed_texts(texts, embed), embed_texts(list(reversed(texts)), embed)[::-1]

    assert first.shape == (4, 384)
    assert np.linalg.norm(first, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(first, second)


def test_cache_gives_back_what_was_computed_and_computes_nothing_twice(embed: Embedder, tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "vectors.sqlite")
    asked: list[str] = []

    def counting(text: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        asked.append(text)
        return embed(text)

    first = embed_texts(["x", "y", "x"], counting, cache)
    second = embed_texts(["y", "x"], counting, cache)

    assert asked == ["x", "y"]
    assert np.array_equal(first[:2][::-1], second)
    assert VectorCache(tmp_path / "vectors.sqlite", weights="others").known(["x"]) == {}
