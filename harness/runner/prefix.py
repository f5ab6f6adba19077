"""Orders samples for prefix caches: prompts that begin alike come one after the other, and stay with their slot."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import orjson

from harness.records import Sample
from harness.toolcalling.encode import ChatRequest

__all__ = ["Routes", "by_prefix", "prefix_key", "shared_frac"]

T = TypeVar("T")
PrefixKey = tuple[bytes, ...]


def prefix_key(request: ChatRequest) -> PrefixKey:
    """Eight bytes for the tools and for each message, in the order in which a prompt holds them.

    Two prompts share as much of their beginning as their keys do: agent calls repeat tools, system prompt and history
    whole, so that nothing finer than a message is needed, and a million keys stay small.
    """
    parts = [orjson.dumps(request.tools), *(orjson.dumps(message) for message in request.messages)]
    return tuple(hashlib.blake2b(part, digest_size=8).digest() for part in parts)


def by_prefix(samples: Sequence[Sample], encode: Callable[[Sample], ChatRequest]) -> tuple[Sample, ...]:
    """The samples with those next to each other that share the longest beginnings; groups in order of appearance.

    Sorting by key puts every shared prefix into one run, which is the best order for a cache that holds the last
    prompt of a slot; a stable order of groups keeps the suite's own order where nothing is shared.
    """
    first: dict[PrefixKey, int] = {}
    keys = [prefix_key(encode(sample)) for sample in samples]
    for position, key in enumerate(keys):
        for depth in range(1, len(key) + 1):
            first.setdefault(key[:depth], position)

    def place(index: int) -> tuple[tuple[int, ...], int]:
        key = keys[index]
        return tuple(first[key[:depth]] for depth in range(1, len(key) + 1)), index

    return tuple(samples[index] for index in sorted(range(len(samples)), key=place))


def shared_frac(samples: Sequence[Sample], encode: Callable[[Sample], ChatRequest]) -> float | None:
    """Share of the prompts' bytes that stood at the beginning of the prompt before; None without samples.

    What a prefix cache of one slot can save in this order, at most, as a fraction 0..1.
    """
    if not samples:
        return None
    texts = [[orjson.dumps(request.tools), *map(orjson.dumps, request.messages)] for request in map(encode, samples)]
    total = sum(len(part) for parts in texts for part in parts)
    shared = sum(_common(before, after) for before, after in pairwise(texts))
    return shared / total


def _common(before: Sequence[bytes], after: Sequence[bytes]) -> int:
    saved = 0
    for left, right in zip(before, after, strict=False):
        if left != right:
            break
        saved += len(left)
    return saved


class Routes(Generic[T]):
    """Work dealt to the slots of an engine in unbroken stretches, so that a prefix stays with the slot that holds it.

    A slot that is done takes over from the far end of the longest stretch that is left: the end that shares least with
    what its owner is working on.
    """

    def __init__(self, work: Iterable[T], slots: int) -> None:
        items = list(work)
        size, more = divmod(len(items), slots)
        self._queues: list[deque[T]] = []
        start = 0
        for slot in range(slots):
            end = start + size + (slot < more)
            self._queues.append(deque(items[start:end]))
            start = end

    def take(self, slot: int) -> T | None:
        """The next item for a slot; None when all is dealt."""
        own = self._queues[slot]
        if own:
            return own.popleft()
        longest = max(self._queues, key=len)
        return longest.pop() if longest else None
