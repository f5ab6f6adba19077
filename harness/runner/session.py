"""One run in its folder: found or made, read back, journaled, summarised."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from harness import __version__
from harness.backends.blame import without_shapes
from harness.backends.clock import kernel_stamps
from harness.energy import EnergyReading
from harness.environments.pool import Worlds
from harness.errors import ConfigError, DataError
from harness.measure import quantiles
from harness.protocols import Endpoint, SpreadBackend
from harness.records import AgentTarget, Attempt, Sample, Score, TrajectoryTarget
from harness.records.manifest import EnergyFacts, LagFacts, Manifest
from harness.records.summary import Summary
from harness.runner.attempt import judge
from harness.runner.engine import Lane
from harness.runner.facts import commit, machine_facts, package_versions
from harness.runner.identity import Job, config_hash
from harness.runner.lag import lag_warning
from harness.runner.prefix import by_prefix, shared_frac
from harness.runner.probe import probe_tools
from harness.runner.replies import Replies, open_replies
from harness.runner.request import chat_request
from harness.runner.stopping_summary import as_stopped
from harness.runner.summarise import summarise
from harness.runner.tally import Tally
from harness.runner.traffic import named
from harness.store.compact import compact_apart
from harness.store.journal import Journal
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import (
    ATTEMPTS,
    MANIFEST,
    PARQUET,
    SAMPLES,
    SCORES,
    SUMMARY,
    read_manifest,
    write_atomic,
    write_record,
)

__all__ = ["Session", "public_config"]

_LOOKED_AT = 512
_NOTE_EVERY_S = 5.0
_WORTH_CACHING = 0.5
_FOLDERS = re.compile(r"""(?:^|(?<=[=\s"']))~?/(?=\S)(?:[^\s"'/]*/)*""")
"""Folders before a file's name, alone or behind `key=`; not those of a web address."""
_KEY_NAMES = re.compile(
    r"(x-|aws_)?(api[-_]?key|authorization|password|(access|secret|session)[-_](key|token).*)", re.IGNORECASE
)
"""Names of what no configuration should hold, where somebody put it into a request's own fields."""
_PATH_KEYS = frozenset({"path", "results", "reports", "replies", "chat_template", "include_path", "data", "tasks"})


@dataclass(slots=True)
class Session:
    """The files and totals of one run while it is being made."""

    job: Job
    folder: Path
    resumed: bool
    together: str
    """Shared by the runs that are executed together."""
    manifest: Manifest = field(init=False)
    tally: Tally = field(init=False, default_factory=Tally)
    done: bytearray = field(init=False, default_factory=bytearray)
    """A byte for each trial of each sample that earlier sittings saw, in the tally's order: 1 if it is finished."""
    attempts: Journal = field(init=False)
    scores: Journal = field(init=False)
    progress: Callable[[], None] = field(init=False, default=lambda: None)
    """Called after each finished attempt."""
    heard: Callable[[Sample, Attempt, Score], None] | None = field(init=False, default=None)
    """Called with each verdict, where one decides what is asked next."""
    ordered: tuple[Sample, ...] = field(init=False)
    replies: Replies | None = field(init=False, default=None)
    prefix_order: bool = field(init=False, default=False)
    seconds: Callable[[], float] = field(init=False, default=lambda: 0.0)
    """Measured wall-clock seconds of this sitting."""
    _earlier_s: float = field(init=False, default=0.0)
    _note_at: float = field(init=False, default=0.0)
    _aside: ThreadPoolExecutor = field(init=False, default_factory=partial(ThreadPoolExecutor, 1))
    _noting: Future[None] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.manifest = self._manifest()
        self.tally.books.price = self.job.config.model.price
        self._earlier_s = self.manifest.wall_s
        self.ordered = self.job.samples
        if not (self.folder / SAMPLES).exists():
            _write_samples(self.folder / SAMPLES, self.job.samples)
        self.attempts = Journal(self.folder / ATTEMPTS)
        self.scores = Journal(self.folder / SCORES)
        self._read_back()
        write_record(self.folder / MANIFEST, self.manifest)
        (self.folder / PARQUET).unlink(missing_ok=True)

    @property
    def n_planned(self) -> int:
        """Attempts planned: samples × trials."""
        return len(self.job.samples) * self.job.config.run.trials

    def remaining(self) -> Iterator[tuple[Sample, int]]:
        """Samples with their trial that have no final outcome yet, in the order of the run."""
        trials = range(self.job.config.run.trials)
        pairs = (
            ((sample, trial) for sample in self.ordered for trial in trials)  # the same prompt again comes next
            if self.prefix_order
            else ((sample, trial) for trial in trials for sample in self.ordered)
        )
        for sample, trial in pairs:
            if not self.is_done(sample.id, trial):
                yield sample, trial

    @property
    def unfinished(self) -> bool:
        """Whether there is something left to do, if only to judge."""
        return self.tally.n_finished < self.n_planned

    @property
    def unasked(self) -> bool:
        """Whether there are attempts left to make."""
        return self.tally.n_finished + self.tally.n_waiting < self.n_planned

    @property
    def environment(self) -> str | None:
        """Name of the environment that the samples need. Raises ConfigError if there are several."""
        targets = (sample.target for sample in self.job.samples)
        names = {target.environment for target in targets if isinstance(target, AgentTarget)}
        if len(names) > 1:
            raise ConfigError(f"a suite has one environment, this has {', '.join(sorted(names))}; split it")
        return next(iter(names), None)

    async def opened(self, endpoint: Endpoint, worlds: Worlds | None) -> Lane:
        """The lane of this run at a live endpoint, its facts noted and its warnings found."""
        spread = self.job.backend if isinstance(self.job.backend, SpreadBackend) else None
        if spread is not None:
            found = await spread.probe(self.job.samples)
        else:
            found = await probe_tools(endpoint, self.job.config.model, self.job.samples)
        self.warn(found)
        self.update(backend=endpoint.facts, tools_dropped=found is not None)
        self._order(endpoint)
        config = self.job.config
        self.replies = open_replies(config, endpoint, self.job.samples)
        if config.run.reply_cache != "off" and self.replies is None:
            self.warn(f"run.reply_cache is for servers: answers of backend={config.backend.name} are made anew")
        return Lane(config.model, endpoint, config.run, self._record, worlds, config.agent, self.replies, spread)

    def _order(self, endpoint: Endpoint) -> None:
        """Puts the samples in order, and says what a prefix cache would save where there is much to save."""
        if self.job.config.run.arrival.kind == "log":  # the log's own order, or its times would make no sense
            self.ordered = tuple(sorted(self.job.samples, key=lambda sample: sample.arrival_s or 0.0))
            return
        wanted = self.job.config.run.order
        self.prefix_order = wanted == "prefix" or (wanted == "auto" and endpoint.caches)
        encode = partial(chat_request, model=self.job.config.model)
        if self.prefix_order:
            self.ordered = by_prefix(self.job.samples, encode)
        elif self.job.config.backend.name == "llamacpp":
            self.warn(_cache_hint(shared_frac(by_prefix(self.job.samples[:_LOOKED_AT], encode), encode)))

    def note_clock(self, lag: LagFacts | None) -> None:
        """Notes what marked the time in this sitting, and how late the event loop was."""
        self.update(lag=lag, clock="kernel" if kernel_stamps() else "read")
        ttft, tpot = quantiles(self.tally.measured["ttft"]), quantiles(self.tally.measured["tpot"])
        self.warn(lag_warning(lag, ttft.p50 if ttft else None, tpot.p50 if tpot else None))

    def note_energy(self, reading: EnergyReading) -> None:
        """Adds what the counters saw of this sitting."""
        before = self.manifest.energy or EnergyFacts(joules=0.0)
        whole = before.joules is not None and reading.joules is not None
        by_source = dict(before.by_source)
        for name, joules in reading.by_source:
            by_source[name] = by_source.get(name, 0.0) + joules
        self.update(
            energy=EnergyFacts(
                joules=(before.joules or 0.0) + (reading.joules or 0.0) if whole else None,
                seconds=before.seconds + reading.seconds,
                by_source=by_source,
                reason=reading.reason or before.reason,
            )
        )

    def warn(self, warning: str | None) -> None:
        """Adds a word for the reader of the results, once."""
        if warning and warning not in self.manifest.warnings:
            self.update(warnings=(*self.manifest.warnings, warning))

    def _record(self, sample: Sample, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        score = judge(self.job.scorer, sample, attempt)
        if score is None:
            self.tally.n_waiting += 1
        else:
            self.scored(sample, attempt, score, waited=False)
        if time.monotonic() > self._note_at:  # a killed sitting's time is not lost
            self._note_time()
        self.progress()

    def _note_time(self) -> None:
        """Writes the measured time so far, in a thread: replacing a file can wait 10 ms for the disk."""
        first, self._note_at = not self._note_at, time.monotonic() + _NOTE_EVERY_S
        if first or (self._noting is not None and not self._noting.done()):
            return
        self.manifest = self.manifest.model_copy(update={"wall_s": self._earlier_s + self.seconds()})
        self._noting = self._aside.submit(write_record, self.folder / MANIFEST, self.manifest)

    def take(self, attempts: Iterator[Attempt]) -> None:
        """Notes attempts that are on record already, those of this run's samples and trials that are not here yet."""
        samples = {sample.id: sample for sample in self.job.samples}
        strange = later = 0
        foreign = ""
        for attempt in attempts:
            sample = samples.get(attempt.sample)
            if sample is None:
                strange += 1
                foreign = foreign or attempt.sample
            elif attempt.trial >= self.job.config.run.trials:
                later += 1
            elif why := _not_judged(sample, attempt):
                raise DataError(f"the recorded answer to {sample.id} {why}")
            elif not self.is_done(attempt.sample, attempt.trial):
                self._record(sample, attempt)
        if strange and self.n_planned and not self.tally.n_finished + self.tally.n_waiting:
            raise DataError(
                f"none of {strange} recorded answers is to a sample of this run: they have ids such as {foreign!r}, "
                f"the suite {next(iter(samples))!r}; give the suite's ids"
            )
        if strange:
            self.warn(f"recorded answers to samples that this run does not have, left aside: {strange}")
        if later:
            trials = self.job.config.run.trials
            self.warn(f"recorded answers of later trials than run.trials={trials}, left aside: {later}")
        if missing := self.n_planned - self.tally.n_finished - self.tally.n_waiting:
            self.warn(f"{missing} of {self.n_planned} attempts have no answer on record")

    def scored(self, sample: Sample, attempt: Attempt, score: Score, *, waited: bool) -> None:
        """Notes a verdict: on disk first, then in the totals. waited: it is a late scorer's."""
        self.scores.append(score)
        self.tally.n_waiting -= waited
        self.tally.add(sample, attempt, score)
        if self.heard is not None:
            self.heard(sample, attempt, score)

    def waiting(self) -> Iterator[tuple[Sample, Attempt]]:
        """What a late scorer has yet to judge, read from the disk."""
        samples = {sample.id: sample for sample in self.job.samples}
        for attempt, score in final_outcomes(self.folder):
            if score is None:
                yield samples[attempt.sample], attempt

    def _read_back(self) -> None:
        """Counts what earlier sittings finished. Attempts lost to the infrastructure are made again."""
        samples = {sample.id: sample for sample in self.job.samples}
        for attempt, score in final_outcomes(self.folder):
            if attempt.sample not in samples:
                raise DataError(f"{self.folder / ATTEMPTS} holds sample {attempt.sample}, which this run does not have")
            if attempt.failure is not None and attempt.failure.boundary == "infrastructure":
                continue
            sample = samples[attempt.sample]
            if score is None:  # killed between the two lines, or left for a late scorer
                score = judge(self.job.scorer, sample, attempt)
                if score is not None:
                    self.scores.append(score)
            if score is None:
                self.tally.n_waiting += 1
            else:
                self.tally.add(sample, attempt, score)
            self._note_done(sample, attempt)

    def _note_done(self, sample: Sample, attempt: Attempt) -> None:
        position = self.tally.samples.see(sample.id, sample.category, sample.session, sample.weight)
        trials = self.job.config.run.trials
        if len(self.done) <= position * trials:
            self.done.extend(bytes(trials))
        self.done[position * trials + attempt.trial] = 1

    def is_done(self, sample: str, trial: int) -> bool:
        """Whether an earlier sitting finished a trial of a sample."""
        position = self.tally.samples.position(sample)
        place = None if position is None else position * self.job.config.run.trials + trial
        return place is not None and place < len(self.done) and self.done[place] == 1

    def _manifest(self) -> Manifest:
        if self.resumed:
            old = read_manifest(self.folder)
            return old.model_copy(update={"status": "running", "sittings": old.sittings + 1, "job": self.together})
        config = self.job.config
        head, dirty = commit()
        return Manifest(
            run=self.folder.name,
            job=self.together,
            started_at=_now(),
            harness_version=__version__,
            commit=head,
            dirty=dirty,
            config=public_config(config.model_dump(mode="json", exclude={"report"})),
            config_hash=config_hash(self.job),
            suite=self.job.suite,
            suite_hash=self.job.suite_hash,
            ceiling=self.job.ceiling,
            model=config.model.name,
            protocol=config.model.protocol,
            machine=machine_facts(),
            packages=package_versions(),
            seed=config.run.seed,
            of_run=self.job.of_run,
        )

    def update(self, **changes: object) -> None:
        """Changes the manifest, on disk too."""
        if self._noting is not None:
            wait([self._noting])
        self.manifest = self.manifest.model_copy(update=changes)
        write_record(self.folder / MANIFEST, self.manifest)

    def end(self, status: str) -> None:
        """Writes what the run measured so far and how the sitting ended; a complete run also as a table (Parquet)."""
        self.warn(None if self.replies is None else self.replies.trouble)
        self.update(ended_at=_now(), wall_s=self._earlier_s + self.seconds())
        write_record(self.folder / SUMMARY, self.summary())
        self.update(status=status)
        if status in {"complete", "settled"}:
            compact_apart(self.folder)

    def summary(self) -> Summary:
        """The summary of what is finished by now."""
        config = self.job.config
        traffic, samples = self.job.traffic, self.job.samples
        title = config.model.title
        found = summarise(self.tally, self.manifest, config, self.n_planned, title, traffic=traffic, samples=samples)
        return named(as_stopped(found, self.manifest.early), self.job.titles)

    def close(self) -> None:
        """Closes the journals."""
        self._aside.shutdown()
        if self.replies is not None:
            self.replies.close()
        self.attempts.close()
        self.scores.close()


def _not_judged(sample: Sample, attempt: Attempt) -> str | None:
    """Why a recorded answer is none that can be judged, with what to give instead; None if it can be."""
    if attempt.failure is not None:
        return None
    ran = attempt.steps and attempt.steps[0].origin != "recorded"
    if isinstance(sample.target, AgentTarget) and not ran:
        return (
            "has no steps, and an agent's task is judged by what was done; "
            "name the folder of a run of this suite: backend.path=results/run/…"
        )
    if isinstance(sample.target, TrajectoryTarget) and not attempt.steps:
        return 'has no steps, and a session is judged step by step: {"id": "…", "steps": [{"content": "…"}, …]}'
    return None


def _cache_hint(shared: float | None) -> str | None:
    if shared is None or shared < _WORTH_CACHING:
        return None
    return (
        f"{shared:.0%} of the prompts' text repeats the beginning of another prompt, and each is computed anew "
        "(the strict lane, backend.cache=off); backend.cache=on saves most of that time, "
        "but greedy answers are then not the same to the letter"
    )


def _write_samples(path: Path, samples: tuple[Sample, ...]) -> None:
    write_atomic(path, "".join(sample.model_dump_json() + "\n" for sample in samples))


def public_config(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The configuration without keys, and without the folders of whoever ran it: of a path the file's name is kept."""

    def clean(key: str, value: JsonValue) -> JsonValue:
        if _KEY_NAMES.fullmatch(key) and isinstance(value, str):
            return "[key]"
        if isinstance(value, dict):
            return {name: clean(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [clean(key, item) for item in value]
        if key in _PATH_KEYS and isinstance(value, str):
            return Path(value).name
        return without_shapes(_FOLDERS.sub("", value)) if isinstance(value, str) else value

    return {name: clean(name, value) for name, value in config.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
