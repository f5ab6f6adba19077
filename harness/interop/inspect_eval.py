"""Inspect set to work: one task, once or again, quiet, with each finished sample handed over as it ends."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from inspect_ai import eval_async, eval_retry_async
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.hooks import Hooks, SampleEnd, TaskStart, hooks
from inspect_ai.log import EvalLog, EvalSample, EvalSpec
from inspect_ai.model import Model, get_model
from inspect_ai.util._display import init_display_type
from pydantic import JsonValue

from harness.errors import ConfigError, DataError
from harness.interop.inspect_provider import OFFERED, PROVIDER
from harness.interop.served import Served

__all__ = ["Plan", "Taker", "evaluate", "taking"]

_FLUSH_EVERY = 10
"""Samples after which Inspect's log is on disk; what a kill loses there is in our journal."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What Inspect is told to do."""

    task: str
    args: Mapping[str, JsonValue]
    sample_ids: tuple[str | int, ...] | None
    """None: all of the dataset."""
    epochs: int
    connections: int
    retries: int
    logs: Path
    """Folder for its log."""
    earlier: Path | None
    """Log of an interrupted sitting to go on from."""


@dataclass(frozen=True, slots=True)
class Taker:
    """Who is told of what happens."""

    started: Callable[[EvalSpec], None]
    ended: Callable[[EvalSample], None]


_taker: ContextVar[Taker | None] = ContextVar("harness_taker", default=None)


@hooks(name="harness_run", description="Hands each finished sample to the run of the harness that asked for it.")
class _HandOver(Hooks):
    def enabled(self) -> bool:
        return _taker.get() is not None

    async def on_task_start(self, data: TaskStart) -> None:
        if (taker := _taker.get()) is not None:
            taker.started(data.spec)

    async def on_sample_end(self, data: SampleEnd) -> None:
        if (taker := _taker.get()) is not None:
            taker.ended(data.sample)


@contextmanager
def taking(taker: Taker, served: Served) -> Iterator[Model]:
    """The model that Inspect asks, at the engine that is up; samples go to `taker` while the context lasts."""
    offered = OFFERED.set(served)
    init_display_type("none")  # the progress shown is ours
    with redirect_stdout(StringIO()):  # the first model made tells of all hooks, on the screen
        model = get_model(f"{PROVIDER}/{served.config.model.name}", memoize=False)
    told = _taker.set(taker)
    try:
        yield model
    finally:
        _taker.reset(told)
        OFFERED.reset(offered)


async def evaluate(plan: Plan, model: Model) -> EvalLog:
    """Inspect's log of the task, whole. Cancelled, it leaves a log that a later sitting goes on from.

    Raises CancelledError where it was cancelled, ConfigError for what the task needs and this machine lacks, DataError
    if the task as a whole broke off.
    """
    try:
        logs = await (_again(plan, plan.earlier) if plan.earlier else _anew(plan, model))
    except PrerequisiteError as error:
        raise ConfigError(f"suite.task={plan.task}: {_line(str(error.message))}") from None
    if not logs or logs[0].status == "cancelled":  # it keeps the cancelling to itself
        raise asyncio.CancelledError
    log = logs[0]
    if log.status == "error" and log.error is not None:
        raise DataError(f"suite.task={plan.task} broke off: {_line(log.error.message)}")
    return log


async def _anew(plan: Plan, model: Model) -> list[EvalLog]:
    return await eval_async(
        plan.task,
        model=model,
        task_args=dict(plan.args),
        sample_id=list(plan.sample_ids) if plan.sample_ids is not None else None,
        epochs=plan.epochs,
        fail_on_error=False,
        log_dir=str(plan.logs),
        log_format="eval",
        log_buffer=_FLUSH_EVERY,
        log_realtime=False,
        score_display=False,
        ctl_server=False,
        max_samples=plan.connections,
        max_connections=plan.connections,
        max_retries=plan.retries,
    )


async def _again(plan: Plan, earlier: Path) -> list[EvalLog]:
    return await eval_retry_async(
        str(earlier),
        log_dir=str(plan.logs),
        log_format="eval",
        log_buffer=_FLUSH_EVERY,
        log_realtime=False,
        ctl_server=False,
        max_samples=plan.connections,
        max_connections=plan.connections,
        max_retries=plan.retries,
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
