"""The task of a live request, found off the program's loop: embedding a text takes milliseconds of a processor."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, DataError
from harness.router.decide import Place
from harness.router.policy import INDEX, Deployed
from harness.router.question import Question

if TYPE_CHECKING:
    from harness.router.nearest import TaskIndex

__all__ = ["Embed", "Placing", "built_in", "open_index"]

Embed = Callable[[Sequence[str]], Any]
"""From n texts to unit vectors, an array of shape (n, width)."""


def open_index(deployed: Deployed, embed: Embed | None = None) -> "TaskIndex":
    """The index of a policy, checked by its hash.

    embed: None: the embedding that the index was made with, if it is the built-in one. Raises DataError for a missing,
    damaged or other index, ConfigError for an embedding that is not built in, AssetError without its weights.
    """
    from harness.router.nearest import TaskIndex

    policy = deployed.policy
    assert policy.index is not None
    index = TaskIndex.load(deployed.folder / INDEX, policy.index, embed or _none)
    if policy.embedding is not None and policy.embedding != index.head.embedding:
        raise DataError(f"the policy asks for {policy.embedding}, and its index was made with {index.head.embedding}")
    if embed is None:
        index.embed = _built_in(index.head.embedding)
    return index


def _none(texts: Sequence[str]) -> Any:
    raise ConfigError(f"there is no embedding for {len(texts)} texts")


def built_in() -> Embed:
    """The embedding that indexes are made with: MiniLM over the beginning of a text.

    Raises AssetError without weights, ConfigError without the packages.
    """
    import numpy as np

    from harness.assets.store import cache_dir
    from harness.embed import load_embedder
    from harness.router.nearest import MOST_TOKENS

    one = load_embedder(cache_dir(), threads=min(2, os.cpu_count() or 1), most_tokens=MOST_TOKENS)
    return lambda texts: np.stack([one(text) for text in texts])


def _built_in(name: str) -> Embed:
    from harness.router.nearest import EMBEDDING

    if name != EMBEDDING:
        raise ConfigError(f"the index was made with {name}: give Router(embed=…) that function, texts to unit vectors")
    return built_in()


class Placing:
    """Finds tasks in a thread."""

    def __init__(self, deployed: Deployed, embed: Embed | None) -> None:
        """Raises what `open_index` raises."""
        self._index = open_index(deployed, embed)
        self._threads: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    async def place(self, question: Question) -> Place:
        """The nearest task."""
        if self._threads is None or self._process != os.getpid():  # a forked child has no thread of its parent's
            self._process = os.getpid()
            self._threads = ThreadPoolExecutor(1, "harness-router-place")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._index.place, question)

    def close(self) -> None:
        """Ends the thread; a later call starts another."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
