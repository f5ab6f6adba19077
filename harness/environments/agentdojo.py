"""AgentDojo's four environments: tools that really run, the package's own checks, and injected texts where wanted."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError
from yaml import YAMLError

from harness.environments.agentdojo_package import Call, InjectionTask, Package, Suite, UserTask, load_package
from harness.errors import DataError
from harness.protocols import WorldVerdict
from harness.records import AgentTarget, Record, Sample, Step, ToolCall, target_of

__all__ = ["AgentDojo", "AgentDojoTask", "AgentDojoWorld"]

T = TypeVar("T")
_KEPT = 8
"""Environments kept as read: reading takes up to 60 ms, copying 1."""


class AgentDojoTask(Record):
    """What a sample's `task` holds."""

    version: str
    """Of the benchmark, such as `v1.2.2`."""
    suite: str
    user_task: str
    answer: str = ""
    """What the package's reference says to the user in the end; empty where nothing of it is checked."""
    attack: str | None = None
    injection_task: str | None = None
    """What the attacker wants done."""
    stops: bool = False
    """Whether the attacker only wants the user's task not to be done (denial of service)."""
    injections: dict[str, str] = Field(default_factory=dict)
    """Texts put into the environment, by the name of their place."""


class AgentDojo:
    """Makes worlds from the fetched files of the agentdojo package."""

    name = "agentdojo"

    def __init__(self, data: Path | None) -> None:
        """`data`: the folder that holds `agentdojo/`. Raises DataError without one."""
        if data is None:
            raise DataError("the environment agentdojo needs the package's files: suite.yaml names them under data")
        self._data = data
        self._package: Package | None = None
        self._fresh: dict[bytes, BaseModel] = {}

    def open(self, sample: Sample) -> "AgentDojoWorld":
        """A new world. Raises DataError for a task that the package does not have."""
        package, task = self._loaded(), _task_of(sample)
        return AgentDojoWorld(package, task, self._environment(package, task).model_copy(deep=True))

    def gold(self, sample: Sample) -> tuple[str, ...]:
        """The answer that the package's own reference gives to the user."""
        return (_task_of(sample).answer,)

    def _environment(self, package: Package, task: AgentDojoTask) -> BaseModel:
        """The environment as its files have it: never handed out, only copies of it; the last few are kept."""
        key = orjson.dumps([task.version, task.suite, task.injections])
        if key not in self._fresh:
            if len(self._fresh) >= _KEPT:
                self._fresh.pop(next(iter(self._fresh)))
            try:
                self._fresh[key] = _suite(package, task).load_and_inject_default_environment(task.injections)
            except (ValueError, YAMLError) as error:
                raise DataError(f"{task.suite} does not take the injected texts: {str(error)[:200]}") from error
        return self._fresh[key]

    def _loaded(self) -> Package:
        if self._package is None:
            self._package = load_package(self._data)
        return self._package


class AgentDojoWorld:
    """One copy of an environment, with what it was before."""

    def __init__(self, package: Package, task: AgentDojoTask, fresh: BaseModel) -> None:
        self._package, self._task = package, task
        self._suite = _suite(package, task)
        self._user = _named(self._suite.user_tasks, task.user_task, task)
        self._attacker: InjectionTask | None = None
        if task.injection_task is not None:
            self._attacker = _named(self._suite.injection_tasks, task.injection_task, task)
        self._now = self._user.init_environment(fresh)
        self._before = self._now.model_copy(deep=True)
        self._moment = _noon(self._now)

    def begin(self, turn: int) -> None:
        """There is one turn, and nothing happens at its beginning."""

    def call(self, call: ToolCall) -> tuple[str, bool]:
        """What the tool gives back, as YAML where it is structured, or its error."""
        self._package.clock.moment = self._moment
        try:
            return self._package.run(self._suite, self._now, call.name, call.arguments)
        except Exception as error:  # a tool's own defect, with arguments that a model made up: it is told, as others
            return f"{type(error).__name__}: {error}"[:1000], True
        finally:
            self._moment = self._package.clock.moment

    def verdict(self, steps: Sequence[Step], *, ended: bool = True) -> WorldVerdict:
        """The package's checks of the user's task and, under attack, of the attacker's.

        A task that the model did not end is not done, whatever its check says; the attacker's may be.
        They get copies, since some of them change what they look at. An exception of the check of the user's task is
        raised on (no score); of the attacker's, the part `attack_success` is left out.
        """
        said = (steps[-1].reply.content or "") if steps else ""
        before, after = self._before.model_copy(deep=True), self._now.model_copy(deep=True)
        calls = [result.call for step in steps for result in step.results]
        traces = [self._package.trace(self._suite, call.name, call.arguments) for call in calls]
        done = ended and _utility(self._user, said, before, after, traces)
        why = "" if done else "The user's task is not done, or something besides it was changed."
        if self._task.attack is None:
            return WorldVerdict(float(done), {"utility": float(done)}, why=why)
        parts = {"utility_under_attack": float(done)}
        if self._task.stops:  # before the first reply no text of the attacker's has been read
            succeeded = not done if steps else None
        else:
            succeeded = self._attack_success(said, before, after, traces)
        if succeeded is not None:
            parts["attack_success"] = float(succeeded)
        return WorldVerdict(float(done), parts, why=why)

    def _attack_success(self, said: str, before: BaseModel, after: BaseModel, traces: Sequence[Call]) -> bool | None:
        """Whether the attacker's task was done; None if its check cannot say."""
        assert self._attacker is not None
        try:
            seen = self._attacker.security_from_traces(said, before, after, traces)
            return bool(self._attacker.security(said, before, after) if seen is None else seen)
        except Exception:  # the package's checks stumble over things they do not foresee: not a verdict either way
            return None


def _utility(task: UserTask, said: str, before: BaseModel, after: BaseModel, traces: Sequence[Call]) -> bool:
    seen = task.utility_from_traces(said, before, after, traces)
    return bool(task.utility(said, before, after) if seen is None else seen)


def _task_of(sample: Sample) -> AgentDojoTask:
    try:
        task = AgentDojoTask.model_validate(target_of(sample, AgentTarget).task)
    except ValidationError as error:
        raise DataError(f"sample {sample.id} is no task of agentdojo: {error.errors()[0]['msg']}") from error
    if task.attack is not None and task.injection_task is None:
        raise DataError(f"sample {sample.id} has an attack but no injection_task")
    return task


def _suite(package: Package, task: AgentDojoTask) -> Suite:
    return _named(package.suites(task.version), task.suite, task)


def _named(found: Mapping[str, T], name: str, task: AgentDojoTask) -> T:
    if name not in found:
        raise DataError(f"agentdojo {task.version} has no {name!r} here, only {', '.join(found)}")
    return found[name]


def _noon(environment: BaseModel) -> datetime:
    """Noon of the day that it is in the environment; where it has no calendar, nothing asks for the time."""
    today = getattr(getattr(environment, "calendar", None), "current_day", date(2024, 5, 15))
    return datetime.combine(today, time(12))
