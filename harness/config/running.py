"""How a suite is put to a model: which part of it, how fast, by which agent, judged how, on what machine."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from harness.records import Disturbance, Record

__all__ = [
    "AgentConfig",
    "ArrivalConfig",
    "BudgetConfig",
    "ExecutorConfig",
    "HardwareConfig",
    "JudgeConfig",
    "RunnerConfig",
    "SandboxConfig",
    "ScoringConfig",
    "SuiteConfig",
    "VerdictConfig",
]


class HardwareConfig(Record):
    """What an hour of the machine costs, for the cost of local models."""

    name: str
    """Of the machine, as in the file's name in `conf/hardware`; `none`: nothing is known of it."""
    title: str
    """What pages call it."""
    usd_per_hour: float | None = Field(default=None, ge=0)
    """Rent. None: computed from price, lifetime and power below, or unknown."""
    price_usd: float | None = Field(default=None, gt=0)
    """Of your own machine, in USD; with `lifetime_hours`."""
    lifetime_hours: float | None = Field(default=None, gt=0)
    """Hours of use over which the price is written off."""
    watts: float | None = Field(default=None, ge=0)
    """Draw under load, where no counter measures it."""
    usd_per_kwh: float | None = Field(default=None, ge=0)
    """Price of energy."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Main memory as it is sold: in units of 2**30 bytes."""
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    """Of one card; None: models lie in main memory."""
    usable_frac: float = Field(default=0.9, gt=0, le=1)
    """Share of the memory where models lie that other programs leave."""
    disk_gb: float | None = Field(default=None, gt=0)
    """Room for weights, in units of 10**9 bytes."""
    memory_bandwidth_gbs: float | None = Field(default=None, gt=0)
    """Of the memory where models lie, in 10**9 bytes a second."""
    consumer: bool | None = None
    """Whether many people own one: the devices by which a model is a small one."""


class SuiteConfig(Record):
    """Which suite, and how much of it."""

    name: str
    """Of the suite, as `suite=NAME` and on pages."""
    path: str | None = None
    """Folder of a suite of your own, with `suite.yaml` in it; None: `suites/<name>/` of the project."""
    task: str | None = None
    """Of `suite=inspect`: the task, by registered name or file."""
    tasks: tuple[str, ...] = ()
    """Of `suite=lm_eval`: the tasks, by name."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What this suite's loader, scorer or environment can be told besides; wins over `options` in `suite.yaml`."""
    limit: int | None = Field(default=None, ge=1)
    """Number of samples; null for all."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Room that an answer of this suite needs: `model.generation.max_tokens` where neither model nor user name one."""
    sampling: Literal["balanced", "proportional"] = "balanced"
    """`balanced`: every category an equal share. `proportional`: as in the whole suite."""
    categories: tuple[str, ...] | None = None
    """Only samples of these categories; null: of all."""
    seed: int = 0
    """Decides which samples `limit` takes."""


class ArrivalConfig(Record):
    """When requests are sent: closed loop, or open loop at times that do not wait for the server."""

    kind: Literal["closed", "poisson", "constant", "log"] = "closed"
    """`closed`: `concurrency` at once. `poisson`, `constant`: at `rate_per_s`. `log`: at the samples' own times."""
    rate_per_s: float | None = Field(default=None, gt=0)
    """Requests a second on the mean, of `poisson` and `constant`, which need it."""
    speedup: float = Field(default=1.0, gt=0)
    """For `log`: 10 plays an hour of traffic in six minutes."""
    max_in_flight: int = Field(default=1024, ge=1, le=65536)
    """Bound on open-loop requests at once; what it holds back still counts from the time it was due."""

    @model_validator(mode="after")
    def _rate_where_needed(self) -> "ArrivalConfig":
        if self.kind in {"poisson", "constant"} and self.rate_per_s is None:
            msg = f"{self.kind} arrivals need a rate; add run.arrival.rate_per_s=2"
            raise ValueError(msg)
        return self


class BudgetConfig(Record):
    """What one sitting may use up (null: no limit). Then the run ends in order, and the same command goes on."""

    calls: int | None = Field(default=None, ge=1)
    """Requests, retries among them."""
    tokens: int | None = Field(default=None, ge=1)
    """Prompt and output tokens."""
    usd: float | None = Field(default=None, gt=0)
    """Of hosted models with a price."""
    minutes: float | None = Field(default=None, gt=0)
    """Wall-clock time."""


class VerdictConfig(Record):
    """What has to be certain before `run.stop=verdict` ends a run, and how certain."""

    margin: float = Field(default=0.05, gt=0, lt=1)
    """Loss of accuracy, as a fraction, that is still no worse."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance that any candidate passes wrongly in any cluster; that any fails wrongly; that any is dropped wrongly."""
    correction: Literal["holm", "bonferroni", "none"] = "holm"
    """How α is shared by the candidates and clusters of a run. `none`: each verdict has α for itself."""
    by: Literal["category", "suite"] = "category"
    """One verdict for each cluster (category of the suite), or one for the whole suite."""
    eliminate: bool = True
    """Drop a candidate from a cluster where another one is surely better and costs no more."""


class ExecutorConfig(Record):
    """Where the work is done (`conf/executor`)."""

    name: Literal["local", "ray"] = "local"
    """`local`: this machine's cores. `ray`: a Ray cluster (docs/scale.md)."""
    address: str | None = None
    """Of a Ray cluster: `auto`, or `host:port` of its head, or `ray://host:10001`. None: one of this machine's own."""
    cores: int | None = Field(default=None, ge=1)
    """`local`: processes that collect, curate, cluster and build work in. `ray`: processors of a cluster of this
    machine's own. None: all of them."""
    workers: int | None = Field(default=None, ge=1, le=4096)
    """Workers, an engine each; None: as many as the cluster has room for."""
    runs: int | None = Field(default=None, ge=1)
    """Runs of one command at once (`model=[a,b]`, a sweep); None: as many as the cluster has room for."""
    cpus: float = Field(default=1.0, ge=0)
    """Processors of a worker: so many are kept for it."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of a worker."""
    start_timeout_s: float = Field(default=600.0, gt=0)
    """Until the first workers have their engines up."""

    @model_validator(mode="after")
    def _of_a_cluster(self) -> Self:
        """With `local` there are no workers, whose settings would do nothing."""
        if self.name == "local":
            bare = ExecutorConfig.model_fields
            told = [key for key in bare if key not in {"name", "cores"} and getattr(self, key) != bare[key].default]
            if told:
                raise ValueError(f"{told[0]}={getattr(self, told[0])} is of a Ray cluster's workers; add executor=ray")
        return self


class RunnerConfig(Record):
    """How the suite is put to the model."""

    concurrency: int = Field(default=1, ge=1, le=4096)
    """Requests in flight at once, in closed loop."""
    order: Literal["auto", "suite", "prefix"] = "auto"
    """`prefix`: samples whose prompts begin alike one after the other. `auto`: so where the engine caches prefixes."""
    arrival: ArrivalConfig = ArrivalConfig()
    budget: BudgetConfig = BudgetConfig()
    trials: int = Field(default=1, ge=1)
    """Times that each sample is asked."""
    warmup: int = Field(default=2, ge=0)
    """Requests before the clock counts; not recorded."""
    deadline_s: float = Field(default=120.0, gt=0)
    """Per try, from sending to the last byte."""
    stall_s: float = Field(default=60.0, gt=0)
    """Longest silence within a reply."""
    retries: int = Field(default=3, ge=0, le=20)
    """Tries after the first, for infrastructure failures that may pass."""
    seed: int = 0
    """Sent with each request, the number of the trial added; decides times of arrival and orders, too."""
    reply_cache: Literal["off", "read", "write", "on"] = "off"
    """Answers of servers from, and into, the cache of replies: a rerun of the same requests costs nothing, and what is
    not asked is not timed. Engines of our own are always asked."""
    reply_cache_mb: int = Field(default=2048, ge=1)
    """The oldest answers make room beyond this."""
    resume: str = "auto"
    """`auto`: finish the newest interrupted run of the same configuration. `never`: start anew. Or a run folder."""
    recheck: Literal["constrained"] | None = None
    """Put the misses of a tool suite again under a grammar, in a run of their own: what of the loss is format."""
    stop: Literal["verdict"] | None = None
    """`verdict`: end as soon as it is certain of every candidate in every cluster whether it is worse than the baseline
    by more than the margin."""
    against: str | None = None
    """The baseline of `stop`: the folder of a run of this suite, or one of this command's models by its name; null: the
    first of them."""
    verdict: VerdictConfig = VerdictConfig()
    max_failed_frac: float = Field(default=0.5, ge=0, le=1)
    """More infrastructure failures than this among the last 20 attempts stop the run (exit 3)."""

    @model_validator(mode="after")
    def _stall_within_deadline(self) -> "RunnerConfig":
        if self.stall_s > self.deadline_s:
            msg = f"stall_s {self.stall_s:g} is longer than deadline_s {self.deadline_s:g}; lower run.stall_s"
            raise ValueError(msg)
        return self


class AgentConfig(Record):
    """How an agent's task is driven: for suites with an environment."""

    max_steps: int = Field(default=20, ge=1)
    """Replies within one turn before the task counts as out of steps."""
    tool_timeout_s: float = Field(default=10.0, gt=0)
    """For one call of a tool; then its worker is killed and the model is told."""
    max_result_chars: int = Field(default=20_000, ge=100)
    """What a tool gives back is cut to this length."""
    disturb: Disturbance | None = None
    """What is done to one call of each task on purpose, once, to see whether the model recovers."""
    feedback: bool = False
    """One more try after the checker's message where the task is not done; the first verdict stays the value."""


class SandboxConfig(Record):
    """Where programs that a model wrote are run, and what they may use up."""

    kind: Literal["auto", "bwrap", "docker", "none"] = "auto"
    """`auto`: bubblewrap, else Docker, else refuse. `none`: no wall at all, only limits; say it aloud or not at all."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Wall-clock time of one program, all its tests included."""
    memory_mb: int = Field(default=1024, ge=64)
    """Memory of one program, in MiB."""
    processes: int = Field(default=32, ge=1)
    """Processes and threads of one program."""
    output_kb: int = Field(default=64, ge=1)
    """What it prints is cut to so many KiB."""
    disk_mb: int = Field(default=16, ge=1)
    """What it may write, in MiB."""
    image: str = "python:3.11-slim"
    """Of `docker`."""


class JudgeConfig(Record):
    """Which model judges answers that need one (scorer `judge`)."""

    model: str | None = None
    """Name in `conf/model`; None: no judge, and suites that need one refuse."""
    overrides: tuple[str, ...] = ()
    """What is typed besides to set that model up: `["model.url=…","backend.threads=2","run.deadline_s=300"]`."""
    swap: bool = True
    """Judge each answer twice, with the order of what the judge is shown turned round."""
    max_tokens: int | None = Field(default=None, ge=16)
    """For one verdict; None: the model's own `generation.max_tokens`."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """Judgements at once."""


class ScoringConfig(Record):
    """How replies are judged, where judging takes more than a look."""

    workers: int | None = Field(default=None, ge=1)
    """Programs, worlds or judgements at once; None: as many as processors."""
    repair: bool = True
    """Also score each miss of a tool or JSON task from its reply after JSON repair, as a second number."""
    sandbox: SandboxConfig = SandboxConfig()
    judge: JudgeConfig = JudgeConfig()
