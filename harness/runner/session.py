"""One run in its folder: locked, resumed where it stopped, journaled, summarised; Ctrl-C and kill lose nothing."""

import asyncio
import hashlib
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil
from pydantic import JsonValue

from harness import __version__
from harness.config import RunConfig
from harness.errors import ConfigError, DataError
from harness.protocols import Backend, Endpoint, Scorer
from harness.records import Attempt, Sample, Score, attempt_key
from harness.records.manifest import Manifest, WeightFacts
from harness.records.summary import Summary
from harness.runner.engine import Lane, Stopwatch, Work, judge, run_lane
from harness.runner.facts import commit, machine_facts, package_versions
from harness.runner.probe import probe_tools
from harness.runner.progress import Progress, make_progress
from harness.runner.summarise import summarise
from harness.runner.tally import Tally
from harness.store.journal import Journal, read_journal
from harness.store.runfolder import (
    ATTEMPTS,
    MANIFEST,
    SAMPLES,
    SCORES,
    SUMMARY,
    find_unfinished,
    lock,
    new_folder,
    point_latest,
    read_manifest,
    write_atomic,
    write_record,
)

__all__ = ["Job", "Outcome", "config_hash", "execute"]

_LOADED_S = 0.5
_PATH_KEYS = frozenset({"path", "results", "reports", "chat_template"})


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run: a configuration with its samples, engine and judge."""

    config: RunConfig
    suite: str
    suite_hash: str
    samples: tuple[Sample, ...]
    backend: Backend
    weights: WeightFacts | None
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run lies and what it measured."""

    folder: Path
    summary: Summary
    interrupted: bool


def config_hash(job: Job) -> str:
    """SHA-256 over everything that decides an answer: two runs of one hash can be finished into each other."""
    config = job.config
    decides: dict[str, JsonValue] = {
        "suite": job.suite_hash,
        "model": config.model.model_dump(mode="json", exclude={"weights", "price", "title", "publisher"}),
        "weights": job.weights.sha256 if job.weights else None,
        "backend": config.backend.model_dump(mode="json", exclude={"start_timeout_s", "connect_timeout_s", "check"}),
        "run": config.run.model_dump(mode="json", include={"trials", "seed", "concurrency", "deadline_s", "stall_s"}),
        "scorer": job.scorer.name,
        "harness": __version__,
    }
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()


def execute(job: Job) -> Outcome:
    """Runs a job to its end, or as far as it comes: the folder is complete and readable in either case.

    Raises BackendError if the engine fails, DataError if the folder cannot be written; KeyboardInterrupt is answered
    with an outcome marked `interrupted`.
    """
    folder, resumed = _folder(job)
    with ExitStack() as stack:
        stack.enter_context(lock(folder))
        point_latest(folder)
        session = _Session(job, folder, resumed)
        stack.callback(session.close)
        interrupted = session.run()
    return Outcome(folder, session.summary(), interrupted)


def _folder(job: Job) -> tuple[Path, bool]:
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


@dataclass(slots=True)
class _Session:
    job: Job
    folder: Path
    resumed: bool
    manifest: Manifest = field(init=False)
    tally: Tally = field(init=False, default_factory=Tally)
    done: set[str] = field(init=False, default_factory=set)
    attempts: Journal = field(init=False)
    scores: Journal = field(init=False)
    progress: Progress = field(init=False)
    _earlier_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.manifest = self._manifest()
        self._earlier_s = self.manifest.wall_s
        write_record(self.folder / MANIFEST, self.manifest)
        if not (self.folder / SAMPLES).exists():
            _write_samples(self.folder / SAMPLES, self.job.samples)
        self.attempts = Journal(self.folder / ATTEMPTS)
        self.scores = Journal(self.folder / SCORES)
        self._read_back()
        config = self.job.config
        title = f"{config.suite.name} · {config.model.name} · {config.model.protocol}"
        self.progress = make_progress(config.progress, title, self.n_planned, self.tally.n_finished)

    @property
    def n_planned(self) -> int:
        return len(self.job.samples) * self.job.config.run.trials

    def run(self) -> bool:
        """Runs what is left; returns whether it was interrupted. The manifest says how it ended."""
        status = "failed"
        try:
            if self.tally.n_finished < self.n_planned:
                asyncio.run(self._serve_and_run())
            status = "complete"
        except KeyboardInterrupt:
            status = "interrupted"
        finally:
            self._end(status)
        return status == "interrupted"

    async def _serve_and_run(self) -> None:
        async with self.job.backend.serve() as endpoint:
            warnings = await self._warnings(endpoint)
            self._update(backend=endpoint.facts, warnings=tuple(dict.fromkeys((*self.manifest.warnings, *warnings))))
            lane = Lane(self.job.config.model, endpoint, self.job.scorer, self.job.config.run, self._record)
            clock = Stopwatch()
            try:
                with self.progress:
                    await run_lane(lane, self._work(), clock)
            finally:
                self._update(wall_s=self._earlier_s + clock.seconds)

    async def _warnings(self, endpoint: Endpoint) -> list[str]:
        found = [await probe_tools(endpoint, self.job.config.model, self.job.samples), _busy_warning()]
        return [warning for warning in found if warning]

    def _work(self) -> Iterator[Work]:
        for trial in range(self.job.config.run.trials):
            for sample in self.job.samples:
                if attempt_key(sample.id, trial) not in self.done:
                    yield Work(sample, trial)

    def _record(self, sample: Sample, attempt: Attempt, score: Score) -> None:
        self.attempts.append(attempt)
        self.scores.append(score)
        self.tally.add(sample, attempt, score)
        self.progress.update(self.tally)

    def _read_back(self) -> None:
        """Counts what earlier sittings finished. Attempts lost to the infrastructure are made again."""
        samples = {sample.id: sample for sample in self.job.samples}
        scores = {attempt_key(s.sample, s.trial): s for s in read_journal(self.folder / SCORES, Score)}
        kept = {a.key: a for a in read_journal(self.folder / ATTEMPTS, Attempt)}
        for key, attempt in kept.items():
            if attempt.sample not in samples:
                raise DataError(f"{self.folder / ATTEMPTS} holds sample {attempt.sample}, which this run does not have")
            if attempt.failure is not None and attempt.failure.boundary == "infrastructure":
                continue
            sample, score = samples[attempt.sample], scores.get(key)
            if score is None:  # killed between the two lines
                score = judge(self.job.scorer, sample, attempt)
                self.scores.append(score)
            self.done.add(key)
            self.tally.add(sample, attempt, score)

    def _manifest(self) -> Manifest:
        if self.resumed:
            old = read_manifest(self.folder)
            return old.model_copy(update={"status": "running", "sittings": old.sittings + 1, "ended_at": None})
        config = self.job.config
        head, dirty = commit()
        return Manifest(
            run=self.folder.name,
            job=uuid.uuid4().hex,
            started_at=_now(),
            harness_version=__version__,
            commit=head,
            dirty=dirty,
            config=_public(config.model_dump(mode="json")),
            config_hash=config_hash(self.job),
            suite=self.job.suite,
            suite_hash=self.job.suite_hash,
            model=config.model.name,
            protocol=config.model.protocol,
            machine=machine_facts(),
            packages=package_versions(),
            seed=config.run.seed,
        )

    def _update(self, **changes: object) -> None:
        self.manifest = self.manifest.model_copy(update=changes)
        write_record(self.folder / MANIFEST, self.manifest)

    def _end(self, status: str) -> None:
        self._update(status=status, ended_at=_now())
        write_record(self.folder / SUMMARY, self.summary())

    def summary(self) -> Summary:
        """The summary of what is finished by now."""
        config = self.job.config
        return summarise(self.tally, self.manifest, config, self.n_planned, config.model.title)

    def close(self) -> None:
        """Closes the journals."""
        self.attempts.close()
        self.scores.close()


def _write_samples(path: Path, samples: tuple[Sample, ...]) -> None:
    write_atomic(path, "".join(sample.model_dump_json() + "\n" for sample in samples))


def _public(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The configuration without the folders of whoever ran it: of a path only the file's name is kept."""

    def clean(key: str, value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {name: clean(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [clean(key, item) for item in value]
        if key in _PATH_KEYS and isinstance(value, str):
            return Path(value).name
        return value

    return {name: clean(name, value) for name, value in config.items()}


def _busy_warning() -> str | None:
    """A word when other programs use the processor: timings then measure them too."""
    busy = psutil.cpu_percent(interval=_LOADED_S)
    if busy < 25:
        return None
    return f"other programs used {busy:.0f} % of the processor when the run started: its timings are not comparable"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
