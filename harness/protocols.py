"""The few shapes that plug-ins meet: a backend, a scorer, a suite loader, an environment."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from harness.records import Attempt, Reply, Sample, Score, Step, ToolCall
from harness.records import Protocol as ToolProtocol
from harness.records.manifest import BackendFacts, WeightFacts

__all__ = [
    "Backend",
    "Case",
    "Checkable",
    "Endpoint",
    "Environment",
    "LateScore",
    "LateScorer",
    "Scorer",
    "SpreadBackend",
    "SuiteLoader",
    "World",
    "WorldVerdict",
]


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


@dataclass(frozen=True, slots=True)
class Case:
    """An outcome whose verdict is known beforehand, to check a scorer with (`do=validate`, the contract test)."""

    kind: Literal["gold", "near_miss"]
    """`gold` must score 1; a `near_miss` must score less."""
    why: str
    """What it is, or what is wrong with it, in a few words."""
    reply: Reply = field(default_factory=Reply)
    steps: tuple[Step, ...] = ()


@runtime_checkable
class SpreadBackend(Protocol):
    """A backend whose engines are on several nodes: it has the attempts made there, and is asked for each of them."""

    async def probe(self, samples: Sequence[Sample]) -> str | None:
        """A warning if the chat template drops the tools."""
        ...

    async def ask(self, sample: Sample, trial: int, *, due_ns: int | None = None, slot: int | None = None) -> Attempt:
        """The attempt as it ended after its retries. due_ns: `perf_counter_ns` at which the schedule wanted it out."""
        ...


class Scorer(Protocol):
    """Judges a reply at once: pure, deterministic, quick, and never raising on what a model may say.

    A plug-in class may have `from_context(context: ScorerContext)`; without it the class is called without arguments.
    """

    name: str

    def score(self, sample: Sample, reply: Reply, protocol: ToolProtocol, trial: int = 0) -> Score:
        """The verdict on a reply. A reply that cannot be read is value 0 with its miss, never an exception."""
        ...


LateScore = Callable[[Sample, Attempt], Awaitable[Score]]


class LateScorer(Protocol):
    """Judges when all replies are there, off the clock's path: by running programs or tools, or by asking a model.

    Made as a `Scorer` is. Attempts without a reply never reach it, but for agents' tasks and replayed sessions that
    ended in the model's failure: what was done until then may count for parts, never for the value.
    """

    name: str
    concurrency: int
    """Attempts to judge at once."""

    def open(self) -> AbstractAsyncContextManager[LateScore]:
        """A context that gives the function which judges. Raises ConfigError if what it needs is not here.

        That function raises HarnessError where the judging itself failed: the attempt stays without a score.
        """
        ...


class Checkable(Protocol):
    """A scorer, of either kind, that brings what it can be checked with; every registered one does."""

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Outcomes of this sample with a known verdict, for the protocol `native`; none where none is known."""
        ...


@dataclass(frozen=True, slots=True)
class WorldVerdict:
    """What became of a task."""

    value: float
    """0..1; 1 is done."""
    parts: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    why: str = ""
    """What is not as it should be, without giving an answer away: it is what the model is told on feedback."""


class World(Protocol):
    """One task's own copy of an environment. Lives in a worker process; may be slow, and may be killed at any time."""

    def begin(self, turn: int) -> None:
        """Called before the messages of a turn go to the model; the first is 0."""
        ...

    def call(self, call: ToolCall) -> tuple[str, bool]:
        """Runs a tool; what it gives back as text, and whether it is an error. Never raises on what a model may say."""
        ...

    def verdict(self, steps: Sequence[Step], *, ended: bool = True) -> WorldVerdict:
        """Whether the task is done, from the state of the world and from what was said and called.

        The world has seen the calls of these steps that ran, in order. ended: whether the model came to the end of its
        task; if not (out of steps, the context overflowed), the value is 0, and so is every part that repeats it.
        """
        ...


class Environment(Protocol):
    """Makes worlds: a plug-in of the group `harness.environments`, called with the suite's data folder (or None)."""

    name: str

    def open(self, sample: Sample) -> World:
        """A new world for a sample, the same each time. Raises DataError if the sample's task makes no sense here."""
        ...

    def gold(self, sample: Sample) -> tuple[str, ...]:
        """What an agent has to say at the end of each turn besides the calls of the target's plan; empty: nothing."""
        ...


class SuiteLoader(Protocol):
    """Turns a suite's data into samples, in an order that depends on the data alone."""

    name: str

    def samples(self) -> Iterator[Sample]:
        """All samples of the suite. Raises AssetError or DataError where the data cannot be had or read."""
        ...
