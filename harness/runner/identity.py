"""What a run is: its parts, the hash of everything that decides an answer, and the folder it belongs to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness import __version__
from harness.assets.store import file_sha256
from harness.config import (
    BackendConfig,
    JudgeConfig,
    LlamaCppConfig,
    ModelConfig,
    RecordedConfig,
    RunConfig,
    template_file,
)
from harness.errors import ConfigError
from harness.paths import conf_dir
from harness.protocols import Backend, LateScorer, Scorer
from harness.records import AgentTarget, Sample, TrajectoryTarget
from harness.records.manifest import WeightFacts
from harness.records.summary import Ceiling
from harness.store.runfolder import ATTEMPTS, find_unfinished, new_folder, read_manifest

__all__ = ["Against", "Job", "config_hash", "run_folder"]

_CHECKERS = {
    "embedding": ("onnxruntime", "tokenizers"),
    "instruct": ("emoji", "langdetect", "lm-eval", "nltk", "syllapy"),
    "inspect": ("inspect-ai", "inspect-evals"),
    "lm_eval": ("lm-eval",),
    "text": ("jsonschema",),
}
"""Packages that judge, by scorer."""

_DECIDING = {"trials", "seed", "concurrency", "arrival", "order", "deadline_s", "stall_s"}
"""Keys of `run` that can change an answer or a timing."""


@dataclass(frozen=True, slots=True)
class Against:
    """What `run.stop` holds the candidates against."""

    name: str
    job: int | None = None
    """Number of the job that is the baseline; None: a stored run."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of a stored run: value by sample."""
    digest: str | None = None
    """SHA-256 over them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run: a configuration with its samples, engine and judge."""

    config: RunConfig
    suite: str
    suite_hash: str
    samples: tuple[Sample, ...]
    backend: Backend
    weights: WeightFacts | None
    scorer: Scorer | LateScorer
    data: Path | None = None
    """The suite's data, for environments."""
    of_run: str | None = None
    """Folder of the run whose misses these samples are."""
    ceiling: Ceiling | None = None
    """How far the model that the suite was recorded from agrees with itself."""
    against: Against | None = None
    """Of `run.stop`; None: everything is asked."""
    traffic: Mapping[str, float] = field(default_factory=dict)
    """Logged calls that each category of the whole suite stands for; empty for a suite that stands for none."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What people call the categories, where these are only ids."""


def config_hash(job: Job) -> str:
    """SHA-256 over everything that decides an answer: two runs of one hash can be finished into each other."""
    config = job.config
    decides: dict[str, JsonValue] = {
        "suite": job.suite_hash,
        "model": config.model.model_dump(mode="json", exclude={"weights", "price", "title", "publisher"}),
        "weights": job.weights.sha256 if job.weights else None,
        "backend": config.backend.model_dump(mode="json", exclude={"start_timeout_s", "connect_timeout_s", "check"}),
        "run": config.run.model_dump(mode="json", include=_DECIDING),
        "chat_template": _template_sha256(config.model),
        "lora": _lora_sha256(config.backend),
        "recorded": _recorded_sha256(config.backend),
        "scorer": job.scorer.name,
        "agent": config.agent.model_dump(mode="json") if _is_agents(job) else None,
        "options": config.suite.options,
        "repair": config.scoring.repair,
        "sandbox": config.scoring.sandbox.model_dump(mode="json") if job.scorer.name == "code" else None,
        "checkers": _versions(job.scorer.name),
        "judge": _judge(config.scoring.judge) if job.scorer.name == "judge" else None,
        "harness": __version__,
    }
    if job.against is not None:  # another rule ends elsewhere
        rule = config.run.model_dump(mode="json", include={"stop", "verdict"})
        decides["stop"] = {**rule, "against": job.against.digest or job.against.name}
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _versions(scorer: str) -> dict[str, JsonValue]:
    """Versions of the packages that a scorer's verdicts come from; None where one is not installed."""
    found: dict[str, JsonValue] = {}
    for package in _CHECKERS.get(scorer, ()):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _is_agents(job: Job) -> bool:
    return any(isinstance(sample.target, AgentTarget | TrajectoryTarget) for sample in job.samples)


def _template_sha256(model: ModelConfig) -> str | None:
    return file_sha256(template_file(model.chat_template, conf_dir())) if model.chat_template else None


def _lora_sha256(backend: BackendConfig) -> list[JsonValue]:
    """Hashes of the adapters, so that one trained anew under its old name is another configuration."""
    if not isinstance(backend, LlamaCppConfig):
        return []
    files = [Path(one.path).expanduser() for one in backend.lora]
    return [file_sha256(file) if file.is_file() else None for file in files]


def _judge(judge: JudgeConfig) -> dict[str, JsonValue]:
    """What decides a judge's verdict: not where it is reached and how patiently it is asked."""
    told = [one for one in judge.overrides if not one.startswith(("model.url=", "run.", "backend.connect_timeout_s="))]
    return {"model": judge.model, "swap": judge.swap, "max_tokens": judge.max_tokens, "overrides": [*told]}


def _recorded_sha256(backend: BackendConfig) -> str | None:
    """Hash of the answers on record, so that other answers under the same name are another run."""
    if not isinstance(backend, RecordedConfig) or backend.path is None:
        return None
    path = Path(backend.path).expanduser()
    file = path / ATTEMPTS if path.is_dir() else path
    return file_sha256(file) if file.is_file() else None


def run_folder(job: Job) -> tuple[Path, bool]:
    """The folder to write to, and whether it holds an earlier sitting. Raises ConfigError for one that does not fit."""
    results, resume = Path(job.config.paths.results), job.config.run.resume
    if resume == "never":
        return new_folder(results), False
    digest = config_hash(job)
    if resume == "auto":
        found = find_unfinished(results, digest)
        return (found, True) if found else (new_folder(results), False)
    folder = Path(resume)
    manifest = read_manifest(folder)
    if manifest.config_hash != digest:
        raise ConfigError(
            f"run.resume={resume} was run with another suite, model, weights, backend, seed or version; "
            "use run.resume=never to start anew"
        )
    return folder.resolve(), True
