"""`do=run` of several models or suites with `executor=ray`: at once over one cluster, each in its own folder."""

import signal
from collections.abc import Iterator, Sequence
from functools import partial

from harness.assets import OnProgress, console_progress
from harness.config import ExecutorConfig, RunConfig
from harness.errors import ConfigError, HarnessError
from harness.executor import one_floor
from harness.interop.inspect_run import is_inspect
from harness.runner.at_once import execute_at_once
from harness.runner.identity import Job
from harness.runner.job import Outcome
from harness.runner.recheck import recheck, refuse_recheck
from harness.runner.stopping_against import facing
from harness.verbs.run import make_job, tell
from harness.verbs.suited import suited

__all__ = ["goes_at_once", "run_at_once"]


def goes_at_once(configs: Sequence[RunConfig]) -> bool:
    """Whether the runs of a job of the command are made beside those of its other jobs."""
    return configs[0].executor.name == "ray" and not any(is_inspect(config) for config in configs)


def run_at_once(groups: Sequence[Sequence[RunConfig]]) -> list[HarnessError]:
    """Why runs failed, after all were made and reported; that one fails is no other's concern.

    groups: the models of each job of the command. Each model is a run for itself, but with `run.stop`, which asks the
    models of a job in turn. Works inside Hydra. Raises ConfigError for clusters that differ, BackendError where there
    is none, and KeyboardInterrupt after interrupted runs have been put in order.
    """
    executor = _one_executor([config for group in groups for config in group])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    errors: list[HarnessError] = []
    with console_progress(show=groups[0][0].progress != "off") as on_progress:
        made = [jobs for group in _apart(groups, on_progress) if (jobs := _made(group, on_progress, errors))]
        outcomes = _executed(made, executor, partial(make_job, on_progress=on_progress), errors) if made else []
    if outcomes:
        try:
            tell([job.config for jobs in made for job in jobs], outcomes)
        except HarnessError as error:  # replies without a verdict
            errors.append(error)
    return errors


def _one_executor(configs: Sequence[RunConfig]) -> ExecutorConfig:
    """Where the runs are made. Raises ConfigError if that is several clusters."""
    first = configs[0].executor
    for key in ("address", "cores", "runs"):
        values = dict.fromkeys(getattr(config.executor, key) for config in configs)
        if len(values) > 1:
            told = ", ".join(str(value) for value in values)
            raise ConfigError(f"executor.{key} is {told} in one sweep, whose runs share one cluster; give one value")
    return first


def _apart(groups: Sequence[Sequence[RunConfig]], on_progress: OnProgress) -> Iterator[list[RunConfig]]:
    """The models that are asked in turn: one by one, but with `run.stop` those of a job."""
    found = iter(suited([config for group in groups for config in group], on_progress))
    for group in groups:
        models = [next(found) for _ in group]
        if models[0].run.stop is None:
            yield from ([one] for one in models)
        else:
            yield models


def _made(group: Sequence[RunConfig], on_progress: OnProgress, errors: list[HarnessError]) -> list[Job]:
    """The jobs of one group; none where they cannot be made."""
    try:
        jobs = facing([make_job(config, on_progress) for config in group])
        if group[0].run.recheck:
            refuse_recheck(jobs)
    except HarnessError as error:
        errors.append(_of(group, error))
        return []
    return jobs


def _executed(
    groups: Sequence[Sequence[Job]], executor: ExecutorConfig, again: partial[Job], errors: list[HarnessError]
) -> list[Outcome]:
    """What came of those that did not fail, in their order."""
    in_turn = any(len(jobs) > 1 for jobs in groups)  # of `run.stop`: each comparison wants all its models at a time
    outcomes: list[Outcome] = []
    with one_floor([[job.backend for job in jobs] for jobs in groups], executor):
        found = execute_at_once(groups, 1 if in_turn else executor.runs)
        for jobs, one in zip(groups, found, strict=True):
            try:
                outcomes += _rechecked(jobs, one, again) if isinstance(one, list) else []
            except HarnessError as error:
                one = error
            if isinstance(one, HarnessError):
                errors.append(_of([job.config for job in jobs], one))
    return outcomes


def _rechecked(jobs: Sequence[Job], outcomes: Sequence[Outcome], again: partial[Job]) -> list[Outcome]:
    if jobs[0].config.run.recheck is None or any(one.interrupted or one.stopped for one in outcomes):
        return list(outcomes)
    return [recheck(job, outcome, again) for job, outcome in zip(jobs, outcomes, strict=True)]


def _of(configs: Sequence[RunConfig], error: HarnessError) -> HarnessError:
    """The error with the run that it befell."""
    models = ", ".join(dict.fromkeys(config.model.name for config in configs))
    return type(error)(f"{configs[0].suite.name}, {models}: {error}")
