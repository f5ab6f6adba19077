"""`suite=inspect`: a task of Inspect's, run by Inspect on our backend, recorded as every run of ours."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from harness.assets import OnProgress, cache_dir
from harness.backends import backend_for
from harness.config import RunConfig
from harness.errors import ConfigError, DataError
from harness.interop.inspect_task import InspectTask, need_inspect, public_name
from harness.prices import priced
from harness.protocols import LateScore
from harness.runner.identity import Job, run_folder
from harness.runner.job import Outcome
from harness.runner.session import Session
from harness.store.runfolder import lock, point_latest
from harness.suite.spec import load_suite, read_spec

__all__ = ["InspectScorer", "execute_inspect", "is_inspect"]


class InspectScorer:
    """Stands for the judge of a run whose verdicts come from Inspect, each with its sample."""

    name = "inspect"
    concurrency = 1

    def open(self) -> AbstractAsyncContextManager[LateScore]:
        """Raises DataError: a reply without its verdict is put again, not judged."""
        raise DataError("the scores of suite=inspect come from Inspect; run the same command again")


def is_inspect(config: RunConfig) -> bool:
    """Whether the suite's samples come from a task of Inspect's."""
    path = Path(config.suite.path).expanduser() if config.suite.path else None
    return read_spec(config.suite.name, path).loader == InspectTask.name


def execute_inspect(configs: Sequence[RunConfig], on_progress: OnProgress | None) -> list[Outcome]:
    """Runs the task for each configuration, one after the other, as far as they come; each folder is readable.

    Raises ConfigError for an unknown task or for settings that Inspect's way of running has no room for, DataError if
    the task breaks off, BackendError if an engine fails or most of what was asked was lost. KeyboardInterrupt is
    answered with outcomes marked `interrupted`.
    """
    need_inspect()
    from harness.interop.inspect_sitting import Sitting

    outcomes: list[Outcome] = []
    together = uuid.uuid4().hex
    for config, job in [(config, _job(config, on_progress)) for config in configs]:
        folder, resumed = run_folder(job)
        with lock(folder):
            point_latest(folder)
            session = Session(job, folder, resumed, together)
            try:
                interrupted, stopped = Sitting(session, str(config.suite.task)).run()
                outcomes.append(Outcome(folder, session.summary(), interrupted, stopped))
            finally:
                session.close()
        if interrupted or stopped:
            break
    return outcomes


def _job(config: RunConfig, on_progress: OnProgress | None) -> Job:
    if config.run.arrival.kind != "closed":
        kind = config.run.arrival.kind
        raise ConfigError(f"run.arrival.kind={kind}: suite=inspect sends in closed loop only; leave it out")
    if config.run.stop is not None:
        raise ConfigError("run.stop is for suites whose requests are ours; leave it out with suite=inspect")
    if config.run.recheck is not None:
        raise ConfigError("run.recheck is for suites whose requests are ours; leave it out with suite=inspect")
    if config.run.reply_cache != "off":
        raise ConfigError("run.reply_cache is for suites whose requests are ours; leave it out with suite=inspect")
    config = config.model_copy(update={"model": priced(config.model, getattr(config.backend, "python", None))})
    suite = load_suite(config.suite, cache_dir(), on_progress)
    backend = backend_for(config.model, config.backend, on_progress=on_progress)
    shown = config.suite.model_copy(update={"task": public_name(str(config.suite.task)), "options": suite.options})
    return Job(
        config=config.model_copy(update={"suite": shown}),  # without the folders of whoever runs it
        suite=suite.spec.name,
        suite_hash=suite.hash,
        samples=suite.samples,
        backend=backend,
        weights=backend.prepare(),
        scorer=InspectScorer(),
    )
