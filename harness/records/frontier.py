"""One model at several precisions on one suite: what each loses, weighs and takes."""

from typing import Literal

from pydantic import Field

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.manifest import MachineFacts
from harness.records.paired import PairedComparison
from harness.records.summary import Interval

__all__ = ["Frontier", "FrontierPlan", "FrontierPoint"]


class FrontierPlan(Record):
    """What a frontier's folder was begun for, so that the same command goes on with it."""

    schema_version: Literal[1] = 1
    key: str
    """Hash over the configurations of all its runs."""
    runs: dict[str, str] = Field(default_factory=dict)
    """Names of the run folders by type, as far as they are complete."""
    complete: bool = False


class FrontierPoint(Record):
    """One precision. A null was not measured."""

    type: str
    """As asked for, or the name given to a file."""
    run: str
    """Name of the run folder."""
    file: str
    bytes: int
    sha256: str
    origin: str
    """`as shipped`, `given`, or from what and by what it was made."""
    parameters: int | None
    bytes_per_weight: float | None
    made_of: dict[str, float]
    """Share of the weights by what their tensors are really stored as."""
    memory_bytes: int | None
    """Resident memory of the engine."""
    memory_from: Literal["measured", "estimated"] | None
    context_tokens: int | None
    accuracy: float | None
    accuracy_interval: Interval | None
    n_scored: int
    n_failed: int
    """Lost to the infrastructure: in neither accuracy nor pairs."""
    ttft_p50_s: float | None
    tpot_p50_s: float | None
    e2e_p50_s: float | None
    e2e_p95_s: float | None
    tokens_per_s: float | None
    """Median over attempts of generated tokens a second."""
    comparison: PairedComparison | None
    """With the baseline; null for the baseline, and where no verdict can be had."""
    no_verdict: str | None = None
    """Why not."""


class Frontier(Record):
    """All precisions of a model beside the one that they are held against."""

    schema_version: Literal[1] = 1
    name: str
    """Name of the folder."""
    made_at: str
    """ISO 8601, UTC."""
    model: str
    model_title: str
    suite: str
    suite_hash: str
    protocol: Protocol
    backend: str
    build: str | None
    machine: MachineFacts
    baseline: str
    margin: float
    alpha: float
    source_file: str | None
    """The file that the others were made from; null where all were given."""
    source_type: str | None
    quantizer: str | None
    together: bool
    """Whether the runs took turns, attempt by attempt: only then do their times compare."""
    complete: bool
    notes: tuple[str, ...] = ()
    """What a reader must know before believing a number."""
    points: tuple[FrontierPoint, ...]

    def point(self, type_: str) -> FrontierPoint | None:
        """The point of a type; None where there is none."""
        return next((one for one in self.points if one.type == type_), None)
