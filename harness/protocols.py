"""The few shapes that plug-ins meet: a backend, a scorer, a suite loader."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from harness.records import Protocol as ToolProtocol
from harness.records import Reply, Sample, Score
from harness.records.manifest import BackendFacts, WeightFacts

__all__ = ["Backend", "Endpoint", "Scorer", "SuiteLoader"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running OpenAI-compatible server: all that the measuring client needs to know of a backend."""

    base_url: str
    """Up to and including `/v1`, without a trailing slash."""
    model: str
    """Value of `model` in each request."""
    facts: BackendFacts
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Sent with each request; may hold a key, so it is never shown."""
    extra_body: dict[str, object] = field(default_factory=dict)
    """Engine-specific request fields, such as llama.cpp's `cache_prompt`."""
    caches: bool = False
    """Whether it reuses the beginning of an earlier prompt: then the order of the work matters."""
    connect_timeout_s: float = 10.0
    slot_field: str | None = None
    """Request field that chooses the slot, for engines whose cache belongs to a slot (llama.cpp: `id_slot`)."""


class Backend(Protocol):
    """How an endpoint is brought up and down."""

    name: str

    def prepare(self) -> WeightFacts | None:
        """Fetches and checks what serving needs; returns the weights that will answer, None where they are not ours.

        Blocks. Raises AssetError if weights are missing or damaged.
        """
        ...

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context in which the endpoint answers; leaving it, also by an exception, takes the endpoint down.

        Raises AssetError if weights are missing, BackendError if the engine does not come up.
        """
        ...


class Scorer(Protocol):
    """Judges a reply: pure, deterministic, and never raising on what a model may say."""

    name: str

    def score(self, sample: Sample, reply: Reply, protocol: ToolProtocol, trial: int = 0) -> Score:
        """The verdict on a reply. A reply that cannot be read is value 0 with its miss, never an exception."""
        ...


class SuiteLoader(Protocol):
    """Turns a suite's data into samples, in an order that depends on the data alone."""

    name: str

    def samples(self) -> Iterator[Sample]:
        """All samples of the suite. Raises AssetError or DataError where the data cannot be had or read."""
        ...
