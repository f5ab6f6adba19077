"""What each verb of the command line takes."""

from typing import Any, Literal

from pydantic import Field, model_validator

from harness.config.backends import BackendConfig
from harness.config.model import ModelConfig
from harness.config.running import AgentConfig, HardwareConfig, RunnerConfig, ScoringConfig, SuiteConfig
from harness.records import Record

__all__ = [
    "VERBS",
    "DoctorConfig",
    "DoctorOptions",
    "ExportConfig",
    "ExportTarget",
    "FetchConfig",
    "PathsConfig",
    "ReportConfig",
    "RunConfig",
    "ValidateConfig",
    "VerbConfig",
]


class PathsConfig(Record):
    """Where files go, relative to the current folder."""

    results: str = "results"
    reports: str = "reports"


class VerbConfig(Record):
    """What every verb has."""

    do: str
    paths: PathsConfig = PathsConfig()
    progress: Literal["auto", "plain", "off"] = "auto"


class RunConfig(VerbConfig):
    """`do=run`: a suite put to a model."""

    suite: SuiteConfig
    model: ModelConfig
    backend: BackendConfig
    hardware: HardwareConfig
    run: RunnerConfig
    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()


class ReportConfig(VerbConfig):
    """`do=report`: the leaderboard, made anew from the runs on disk."""

    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest of each suite, model, protocol and weights."""


class ExportTarget(Record):
    """Which format, and where to."""

    to: str
    """`inspect`: logs that `inspect view` reads. `lm_eval`: result files as its `--log_samples` leaves them."""
    out: str | None = None
    """Folder; None: `export/` within each run's."""


class ExportConfig(VerbConfig):
    """`do=export`: runs written in the formats of other programs."""

    export: ExportTarget
    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest run."""


class ValidateConfig(VerbConfig):
    """`do=validate`: a suite's targets and scorer checked with outcomes whose verdict is known."""

    suite: SuiteConfig
    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()


class FetchConfig(VerbConfig):
    """`do=fetch`: weights and data brought into the cache, for machines that will be off the network."""

    suite: SuiteConfig
    model: ModelConfig
    backend: BackendConfig


class DoctorOptions(Record):
    """What the doctor is to insist on, and where its verdicts turn."""

    require: tuple[str, ...] = ()
    """Names of checks; exit 1 where one of them is not as it must be."""
    device: str = "laptop_16gb"
    """Name in `conf/hardware`: the consumer device by which a model is a small one, unless `hardware` is one itself."""
    ttft_s: float = Field(default=2.0, gt=0)
    """Longest median wait for the first token that is practical for one user."""
    tokens_per_s: float = Field(default=10.0, gt=0)
    """Slowest median generation that is."""


class DoctorConfig(VerbConfig):
    """`do=doctor`: what this machine, or another, can run, and what is missing."""

    model: ModelConfig | None = None
    """None: all of `conf/model`."""
    backend: BackendConfig
    hardware: HardwareConfig
    """`none`: this machine."""
    doctor: DoctorOptions = DoctorOptions()

    @model_validator(mode="before")
    @classmethod
    def _no_model_chosen(cls, data: Any) -> Any:
        """Without a choice the group `model` holds the defaults of every model's keys and no name."""
        model = data.get("model") if isinstance(data, dict) else None
        return {**data, "model": None} if isinstance(model, dict) and "name" not in model else data


VERBS: dict[str, type[VerbConfig]] = {
    "run": RunConfig,
    "report": ReportConfig,
    "fetch": FetchConfig,
    "validate": ValidateConfig,
    "export": ExportConfig,
    "doctor": DoctorConfig,
}
