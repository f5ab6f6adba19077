"""What each verb of the command line takes."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.config.audit import AuditOptions
from harness.config.backends import BackendConfig
from harness.config.chain import CHAIN_KEYS, ChainConfig, gathered
from harness.config.compare import CompareOptions
from harness.config.convert import ConvertOptions
from harness.config.gate import AcceptOptions, GateOptions
from harness.config.iterate import IterateOptions
from harness.config.load import LoadOptions
from harness.config.log_verbs import (
    BuildConfig,
    ClusterConfig,
    CollectConfig,
    CurateConfig,
    ForgetConfig,
    LeakcheckConfig,
    ReceiveConfig,
    ReceiveOptions,
    RotateConfig,
)
from harness.config.model import ModelConfig
from harness.config.monitor import MonitorOptions
from harness.config.quantize import QuantizeOptions
from harness.config.route import RouteOptions
from harness.config.running import AgentConfig, ExecutorConfig, HardwareConfig, RunnerConfig, ScoringConfig, SuiteConfig
from harness.config.select import SelectOptions, StatsConfig
from harness.config.tables import QueryConfig, RemoteConfig, TrackConfig
from harness.config.tracking import TrackingConfig
from harness.config.verb import PathsConfig, ReportOptions, SuiteVerbConfig, VerbConfig
from harness.records import Record

__all__ = [
    "VERBS",
    "AcceptConfig",
    "AuditConfig",
    "BuildConfig",
    "ClusterConfig",
    "CollectConfig",
    "CompareConfig",
    "ConvertConfig",
    "CurateConfig",
    "DoctorConfig",
    "DoctorOptions",
    "ExportConfig",
    "ExportTarget",
    "FetchConfig",
    "ForgetConfig",
    "GateConfig",
    "IterateConfig",
    "LeakcheckConfig",
    "LoadConfig",
    "MonitorConfig",
    "PathsConfig",
    "QuantizeConfig",
    "QuantizeOptions",
    "QueryConfig",
    "ReceiveConfig",
    "ReceiveOptions",
    "RemoteConfig",
    "ReportConfig",
    "ReportOptions",
    "RotateConfig",
    "RouteConfig",
    "RunConfig",
    "SelectConfig",
    "SuiteVerbConfig",
    "TrackConfig",
    "ValidateConfig",
    "VerbConfig",
]


class RunConfig(SuiteVerbConfig):
    """`do=run`: a suite put to a model."""

    model: ModelConfig
    backend: BackendConfig
    """The engine: `conf/backend` has them all."""
    hardware: HardwareConfig
    run: RunnerConfig
    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()
    tracking: TrackingConfig = Field(default=TrackingConfig(), exclude=True)
    """Of `do=run` alone; where runs are tracked is no part of what they are, and stands in no manifest."""
    executor: ExecutorConfig = ExecutorConfig()


class QuantizeConfig(RunConfig):
    """`do=quantize`: one suite put to one model at several precisions."""

    quantize: QuantizeOptions = QuantizeOptions()


class SelectConfig(VerbConfig):
    """`do=select`: who can take which cluster over, from stored runs."""

    hardware: HardwareConfig
    """Where the chosen one must fit. `none`: no matter."""
    stats: StatsConfig = StatsConfig()
    select: SelectOptions = SelectOptions()


class RouteConfig(VerbConfig):
    """`do=route`: a routing policy made and certified from stored runs."""

    route: RouteOptions = RouteOptions()


class MonitorConfig(VerbConfig):
    """`do=monitor`: the sampled verification of a routing policy in production."""

    monitor: MonitorOptions = MonitorOptions()


class AcceptConfig(VerbConfig):
    """`do=accept`: a run made the baseline of its suite."""

    run: str = "latest"
    """A run folder; `latest`: the newest complete run."""
    accept: AcceptOptions


class GateConfig(VerbConfig):
    """`do=gate`: a run held against the baseline."""

    run: str = "latest"
    """The candidate: a run folder; `latest`: the newest complete run, of a suite that has a baseline."""
    gate: GateOptions = GateOptions()
    tracking: TrackingConfig = Field(default=TrackingConfig(), exclude=True)
    """Where the verdict is told of, besides `results/`."""


class CompareConfig(VerbConfig):
    """`do=compare`: stored runs held against each other."""

    compare: CompareOptions = CompareOptions()
    tracking: TrackingConfig = Field(default=TrackingConfig(), exclude=True)
    """Where the verdict is told of, besides `results/`."""


class IterateConfig(VerbConfig):
    """`do=iterate`: what is new since the last time, what changed by it, and what to do again."""

    iterate: IterateOptions = IterateOptions()
    chain: ChainConfig | None = None
    """With `logs.path`: how they become calls; on the command line its keys have no prefix."""

    @model_validator(mode="before")
    @classmethod
    def _from_logs(cls, data: Any) -> Any:
        """The keys of the chain under `chain` where logs are named, else away."""
        if not isinstance(data, dict) or "logs" not in data:
            return data
        logs = data["logs"]
        named = isinstance(logs, dict) and bool(logs.get("path"))
        return gathered(data) if named else {key: one for key, one in data.items() if key not in CHAIN_KEYS}

    @model_validator(mode="after")
    def _one_source(self) -> "IterateConfig":
        if (self.chain is None) == (self.iterate.calls is None):
            msg = "name the new calls, iterate.calls=curated/NAME, or logs, logs.path=calls.jsonl: one of the two"
            raise ValueError(msg)
        if self.chain is not None and self.iterate.clusters is None:
            msg = "with logs.path name the known tasks, too: iterate.clusters=clusters/NAME"
            raise ValueError(msg)
        return self


class AuditConfig(RunConfig):
    """`do=audit`: logs made into a suite, put to models, judged. Several models are several of these."""

    stats: StatsConfig = StatsConfig()
    select: SelectOptions = SelectOptions()
    audit: AuditOptions = AuditOptions()

    @model_validator(mode="before")
    @classmethod
    def _all_that_was_built(cls, data: Any) -> Any:
        """Of logs every split that was built is asked; a suite that is there already takes no keys of `do=build`."""
        if not isinstance(data, dict):
            return data
        if "logs" not in data and data.get("chain") is None:
            return {name: value for name, value in data.items() if name != "build"}
        suite = data.get("suite")
        options = suite.get("options") if isinstance(suite, dict) else None
        if isinstance(suite, dict) and isinstance(options, dict) and options.get("split") is None:
            data = {**data, "suite": {**suite, "options": {**options, "split": "all"}}}
        return data

    @model_validator(mode="after")
    def _judged_at_the_end(self) -> "AuditConfig":
        if self.run.stop is not None:
            msg = "run.stop ends a run before an audit has its samples; leave it out, or lower audit.per_cluster"
            raise ValueError(msg)
        return self


class ConvertConfig(RunConfig):
    """`do=convert`: a suite's train split learned by a model, and what came of it put to the gate."""

    cluster: tuple[str, ...] | None = None
    """Categories of the suite, by id or label; None: all of them."""
    convert: ConvertOptions = ConvertOptions()

    @field_validator("cluster", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _of_a_suite(cls, data: Any) -> Any:
        """The keys of `suite=replay` are not for this verb: its `cluster` is another one."""
        if isinstance(data, dict) and ("logs" in data or data.get("chain") is not None):
            msg = "do=convert learns from a suite that is there: make it with do=build, then suite=NAME"
            raise ValueError(msg)
        return data


class LoadConfig(SuiteVerbConfig):
    """`do=load`: the log's own load played to an engine."""

    model: ModelConfig
    backend: BackendConfig
    """The engine: `conf/backend` has them all."""
    load: LoadOptions = LoadOptions()


class ReportVerbOptions(ReportOptions):
    """What `do=report` can be told besides."""

    figures: bool = False
    """Every picture also as SVG, PNG and CSV, for a paper; this needs matplotlib."""
    clusters: str | None = None
    """Folder that `do=cluster` made, for the map of its tasks among the figures."""

    @field_validator("clusters")
    @classmethod
    def _map_with_figures(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not info.data.get("figures"):
            msg = "it is for the figures of a paper: add report.figures=true, or leave report.clusters out"
            raise ValueError(msg)
        return value


class ReportConfig(VerbConfig):
    """`do=report`: the leaderboard, made anew from the runs on disk."""

    report: ReportVerbOptions = ReportVerbOptions()

    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest of each suite, model, protocol and weights."""


class ExportTarget(Record):
    """Which format, and where to."""

    to: str
    """`inspect`: logs that `inspect view` reads. `lm_eval`: result files as its `--log_samples` leaves them.
    `statgate`, `nel`: results for those gates. `pytest_benchmark`: the times, for `pytest-benchmark compare`."""
    out: str | None = None
    """Folder; None: `export/` within each run's."""


class ExportConfig(VerbConfig):
    """`do=export`: runs written in the formats of other programs."""

    export: ExportTarget
    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest run."""


class ValidateConfig(SuiteVerbConfig):
    """`do=validate`: a suite's targets and scorer checked with outcomes whose verdict is known."""

    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()


class FetchConfig(VerbConfig):
    """`do=fetch`: weights and data brought into the cache, for machines that will be off the network."""

    suite: SuiteConfig
    model: ModelConfig
    backend: BackendConfig
    """The engine: `conf/backend` has them all."""


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
    """The engine: `conf/backend` has them all."""
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
    "receive": ReceiveConfig,
    "report": ReportConfig,
    "fetch": FetchConfig,
    "validate": ValidateConfig,
    "export": ExportConfig,
    "doctor": DoctorConfig,
    "quantize": QuantizeConfig,
    "collect": CollectConfig,
    "curate": CurateConfig,
    "cluster": ClusterConfig,
    "forget": ForgetConfig,
    "rotate": RotateConfig,
    "build": BuildConfig,
    "load": LoadConfig,
    "convert": ConvertConfig,
    "leakcheck": LeakcheckConfig,
    "select": SelectConfig,
    "route": RouteConfig,
    "monitor": MonitorConfig,
    "audit": AuditConfig,
    "accept": AcceptConfig,
    "gate": GateConfig,
    "iterate": IterateConfig,
    "compare": CompareConfig,
    "query": QueryConfig,
    "publish": RemoteConfig,
    "pull": RemoteConfig,
    "track": TrackConfig,
}
