"""The rows that are clustered: the embedding of what varies beside what a call answers, what it did, and its step."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from harness.assets.progress import OnProgress, Progress
from harness.assets.store import cache_dir
from harness.cluster.features import Seen
from harness.cluster.served import Served, served
from harness.cores import ONE_CORE, Cores
from harness.embed import MINILM_SHA256, VectorCache, fetch_embedder, load_embedder
from harness.errors import ConfigError, extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["BESIDE", "Embedding", "embedding_named", "need_sklearn", "rows_of", "unit"]

GROUP: Final = "harness.embeddings"
"""Entry points: each a function that takes a list of texts and gives an array of shape (n, width)."""
_TEXT_PART, _ACTION_PART, _TRIGGER_PART, _STEP_PART = 0.6, 0.2, 0.15, 0.05
"""Shares in the squared length of a row; what is the same for all calls of a node falls out when it is centred."""
_ACTIONS, _TRIGGERS, _STEPS = 96, 48, 6
BESIDE: Final = _ACTIONS + _TRIGGERS + _STEPS
"""Columns of a row beside those of its text."""
_HASHED: Final = 512
"""Width of TF-IDF rows: words hashed to signed places, so that new words find a place too."""
_PLACES: Final = 1 << 16
_FITTED: Final = 50_000
"""Texts that words are weighed by."""
_HASHED_AT_ONCE: Final = 10_000
_AT_ONCE: Final = 2_000
_EMBEDDED: Final = 200
"""Texts of a part: some seconds."""
_LOADERS: Final = {
    "model2vec": ("model2vec", "StaticModel"),
    "sentence-transformers": ("sentence_transformers", "SentenceTransformer"),
}


@dataclass(frozen=True, slots=True)
class Embedding:
    """A way from texts to vectors. `embed` gives unit rows of float32, shape (n, width)."""

    name: str
    embed: Callable[[Sequence[str]], "Matrix"]
    fit: Callable[[Sequence[str]], Callable[[Sequence[str]], "Matrix"]] | None = None
    """For one that weighs words by the texts: from some of them to the function that embeds all."""

    def fitted(self, texts: Sequence[str]) -> Callable[[Sequence[str]], "Matrix"]:
        """`embed`, fitted to these texts where it can be."""
        return self.fit(texts) if self.fit else self.embed


def need_sklearn() -> None:
    """Nothing where scikit-learn is installed. Raises ConfigError where it is not."""
    try:
        import sklearn  # noqa: F401  # asked for, not used: every step after this one needs it
    except ImportError:
        raise ConfigError(f"clustering needs scikit-learn 1.3 or newer: {extra('logs')}") from None


def embedding_named(
    name: str,
    tell: OnProgress | None = None,
    url: str | None = None,
    key_env: str | None = None,
    cores: Cores = ONE_CORE,
) -> Embedding:
    """The embedding of that name, its weights loaded with the first text. cores: of `minilm` and `tfidf`.

    url, key_env: of a served one (`openai:NAME`). Raises ConfigError for an unknown one.
    """
    kind, _, model = name.partition(":")
    if kind == "openai" and model:
        server = served(model, url, key_env)
        return Embedding(f"{name}@{server.url}", lambda texts: _of_server(server, texts, tell))
    if url is not None or key_env is not None:
        raise ConfigError(f"cluster.embedding_url and embedding_key_env are for openai:NAME, and embedding is {name}")
    if name == "minilm":
        return Embedding(f"minilm@{MINILM_SHA256[:12]}", lambda texts: _minilm(texts, tell, cores))
    if name == "tfidf":
        return Embedding("tfidf", lambda texts: _tfidf(texts, cores)(texts), lambda texts: _tfidf(texts, cores))
    if kind in {"model2vec", "sentence-transformers"} and model:
        return Embedding(name, _of_package(kind, model))
    found = [one for one in entry_points(group=GROUP) if one.name == kind]
    if found:
        function = cast(Callable[[Sequence[str]], Any], found[0].load())
        return Embedding(name, lambda texts: unit(np.asarray(function(list(texts)), dtype=np.float32)))
    named = ["model2vec:NAME", "sentence-transformers:NAME", "openai:NAME"]
    known = ["minilm", "tfidf", *named, *sorted(_plugged())]
    raise ConfigError(
        f"cluster.embedding={name} is not known; take one of {', '.join(known)}, or an entry point of {GROUP}"
    )


def _plugged() -> set[str]:
    return {one.name for one in entry_points(group=GROUP)}


def _of_package(kind: str, model: str) -> Callable[[Sequence[str]], "Matrix"]:
    """The encoder of a model by its name or folder. Raises ConfigError at once where the package is missing."""
    module, loader = (
        ("model2vec", "StaticModel") if kind == "model2vec" else ("sentence_transformers", "SentenceTransformer")
    )
    try:
        loaded = getattr(import_module(module), loader)
    except ImportError:
        raise ConfigError(f"cluster.embedding={kind}:{model} needs {kind}: pip install {kind}") from None

    def embed(texts: Sequence[str]) -> "Matrix":
        try:
            encoder = loaded.from_pretrained(model) if kind == "model2vec" else loaded(model)
        except (OSError, ValueError) as error:
            why = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
            raise ConfigError(f"cluster.embedding={kind}:{model} cannot be loaded: {why}") from None
        return unit(np.asarray(encoder.encode(list(texts)), dtype=np.float32))

    return embed


@dataclass(frozen=True, slots=True)
class _MiniLm:
    """Of some texts their vectors."""

    threads: int
    """Texts at once in a process."""

    def open(self) -> "Callable[[Sequence[str]], Matrix]":
        """With the weights loaded, from the cache of the machine that this is."""
        embed = load_embedder(cache_dir())
        if self.threads == 1:
            return lambda texts: np.stack([embed(text) for text in texts])

        def several(texts: Sequence[str]) -> "Matrix":
            with ThreadPoolExecutor(self.threads) as pool:
                return np.stack(list(pool.map(embed, texts)))

        return several


def _minilm(texts: Sequence[str], tell: OnProgress | None, cores: Cores) -> "Matrix":
    """On one processor two at a time, as one waits now and then; on several one in each."""
    stage = _MiniLm(2 if cores.count == 1 else 1)

    def make(fresh: Sequence[str]) -> "Matrix":
        try:
            fetch_embedder(cache_dir(), tell)
            return np.concatenate(list(cores.map(stage, _parts(fresh, _EMBEDDED))))
        except ConfigError as error:
            raise ConfigError(f"{error}; cluster.embedding=tfidf needs nothing more") from None

    return _kept(texts, VectorCache(cache_dir() / "vectors.sqlite"), make)


def _parts(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _of_server(server: Served, texts: Sequence[str], tell: OnProgress | None) -> "Matrix":
    done = 0

    def make(fresh: Sequence[str]) -> "Matrix":
        nonlocal done
        vectors = server.embed(fresh)
        done += len(fresh)
        if tell is not None:
            tell(Progress(f"{done:,} texts embedded by {server.model}, {server.tokens:,} tokens", 0, 0))
        return vectors

    return _kept(texts, VectorCache(cache_dir() / "vectors.sqlite", server.name), make)


def _kept(texts: Sequence[str], cache: VectorCache, make: Callable[[Sequence[str]], "Matrix"]) -> "Matrix":
    """From the cache, or made and kept, some thousands at once so that a stop loses little."""
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, []).append(place)
    different = list(places)
    found: Matrix | None = None
    for start in range(0, len(different), _AT_ONCE):
        part = different[start : start + _AT_ONCE]
        vectors = cache.known(part)
        fresh = [text for text in part if text not in vectors]
        if fresh:
            made = dict(zip(fresh, make(fresh), strict=True))
            cache.keep(made)
            vectors |= made
        if found is None:
            found = np.zeros((len(texts), len(vectors[part[0]])), dtype=np.float32)
        for text in part:
            found[places[text]] = vectors[text]
    return unit(found if found is not None else np.zeros((0, 1), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Hashing:
    """Of some texts how often each has which word: a sparse array, words hashed to 65,536 places."""

    def open(self) -> Callable[[Sequence[str]], Any]:
        """Nothing is learned from one part for the next."""
        from sklearn.feature_extraction.text import HashingVectorizer

        hasher = HashingVectorizer(
            n_features=_PLACES, norm=None, alternate_sign=False, stop_words="english", dtype=np.float32
        )
        hashed: Callable[[Sequence[str]], Any] = hasher.transform
        return hashed


def _tfidf(fitted_on: Sequence[str], cores: Cores) -> "Callable[[Sequence[str]], Matrix]":
    """Hashed words, weighed by how few of the first 50,000 texts have them; dense, 512 wide."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfTransformer

    first = fitted_on[:_FITTED] or [""]
    counts = list(cores.map(_Hashing(), _parts(first, _HASHED_AT_ONCE)))
    idf = TfidfTransformer(sublinear_tf=True).fit(vstack(counts, format="csr"))
    folding = _folding(_PLACES)

    def embed(texts: Sequence[str]) -> "Matrix":
        found = np.zeros((len(texts), _HASHED), dtype=np.float32)
        known = texts is fitted_on and len(texts) == len(first)
        start = 0
        for part in counts if known else cores.map(_Hashing(), _parts(texts, _HASHED_AT_ONCE)):
            found[start : start + part.shape[0]] = (idf.transform(part) @ folding).toarray()
            start += part.shape[0]
        return unit(found)

    return embed


def _folding(wide: int) -> Any:
    """A sparse random projection (Achlioptas' signs, one place each) from `wide` columns to 512, always the same."""
    from scipy.sparse import csr_matrix

    draw = np.random.default_rng(20_260_101)
    columns = draw.integers(0, _HASHED, wide)
    signs = draw.choice(np.array([-1.0, 1.0], dtype=np.float32), wide)
    return csr_matrix((signs, (np.arange(wide), columns)), shape=(wide, _HASHED))


def unit(rows: "Matrix") -> "Matrix":
    """The rows at length 1, those of length 0 as they are."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Matrix = (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32, copy=False)
    return scaled


def rows_of(calls: Sequence[Seen], vectors: "Matrix", which: Sequence[int]) -> "Matrix":
    """One row a call, shape (n, width + 150). which: for each call the place of its text in `vectors`.

    Names of tools are hashed to places, so that a tool which comes later has one too.
    """
    wide = vectors.shape[1]
    rows = np.zeros((len(calls), wide + BESIDE), dtype=np.float32)
    rows[:, :wide] = vectors[list(which)] * np.float32(_TEXT_PART**0.5)
    every = np.arange(len(calls))
    rows[every, wide + np.array([_place(call.action, _ACTIONS) for call in calls], dtype=int)] = np.sqrt(_ACTION_PART)
    at = wide + _ACTIONS
    rows[every, at + np.array([_place(call.trigger, _TRIGGERS) for call in calls], dtype=int)] = np.sqrt(_TRIGGER_PART)
    steps = [min(_STEPS - 1, (max(0, call.step) + 1).bit_length() - 1) for call in calls]
    rows[every, at + _TRIGGERS + np.array(steps, dtype=int)] = np.sqrt(_STEP_PART)
    return rows


def _place(name: str, wide: int) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).digest()) % wide
