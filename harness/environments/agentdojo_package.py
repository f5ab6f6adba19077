"""The agentdojo package's own suites, tools and attacks, loaded from its fetched files.

Only a worker or a process of its own loads it: the package changes how PyYAML writes text for the whole process. What
it has for talking to model providers is left out, so that none of their clients need be installed.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Protocol, cast

import yaml
from pydantic import BaseModel

from harness.errors import ConfigError, DataError, extra

__all__ = [
    "Attack",
    "Call",
    "Clock",
    "Function",
    "InjectionTask",
    "Package",
    "Suite",
    "UserTask",
    "load_package",
    "need_packages",
]

_NEEDED = {"deepdiff": "deepdiff", "docstring_parser": "docstring-parser", "email_validator": "email-validator"}
"""What the package's tools and checks import besides the core's own requirements: module, and what pip calls it."""
_PIPELINE = "agentdojo.agent_pipeline"
_WITH_CLOCK = ("email_client", "cloud_drive_client")
_VICTIM = "local"
"""Name that the package knows a locally served model by; its attacks then say "Local model"."""


class Call(Protocol):
    """A call as the package holds it."""

    function: str
    args: dict[str, object]


class Function(Protocol):
    """A tool."""

    name: str
    description: str
    parameters: type[BaseModel]


class UserTask(Protocol):
    """A user's task with its check."""

    ID: str
    PROMPT: str
    GROUND_TRUTH_OUTPUT: str

    def init_environment(self, environment: BaseModel) -> BaseModel:
        """The environment as this task wants it, maybe the same object."""
        ...

    def ground_truth(self, pre_environment: BaseModel) -> list[Call]:
        """Calls that do it."""
        ...

    def utility(self, model_output: str, pre_environment: BaseModel, post_environment: BaseModel) -> bool:
        """Whether the task is done, by the answer and by what changed."""
        ...

    def utility_from_traces(
        self, model_output: str, pre_environment: BaseModel, post_environment: BaseModel, traces: Sequence[Call]
    ) -> bool | None:
        """The same by the calls made; None where they do not decide."""
        ...


class InjectionTask(Protocol):
    """What an attacker wants done. `security` is True when it was done."""

    ID: str
    GOAL: str
    GROUND_TRUTH_OUTPUT: str

    def ground_truth(self, pre_environment: BaseModel) -> list[Call]:
        """Calls that do it."""
        ...

    def security(self, model_output: str, pre_environment: BaseModel, post_environment: BaseModel) -> bool:
        """Whether the attacker's task was done."""
        ...

    def security_from_traces(
        self, model_output: str, pre_environment: BaseModel, post_environment: BaseModel, traces: Sequence[Call]
    ) -> bool | None:
        """The same by the calls made; None where they do not decide."""
        ...


class Suite(Protocol):
    """One of the four environments with its tasks."""

    name: str
    tools: list[Function]
    user_tasks: dict[str, UserTask]
    injection_tasks: dict[str, InjectionTask]

    def load_and_inject_default_environment(self, injections: Mapping[str, str]) -> BaseModel:
        """A new environment; raises ValueError for texts that it does not take."""
        ...

    def get_injection_vector_defaults(self) -> dict[str, str]:
        """What stands without an attack in each place that takes a text."""
        ...


class Attack(Protocol):
    """Writes the texts that are put into the environment."""

    is_dos_attack: bool

    def attack(self, user_task: UserTask, injection_task: InjectionTask) -> dict[str, str]:
        """Texts by the name of their place."""
        ...


@dataclass(slots=True)
class Clock:
    """Stands in for the clock of the tools that note when a mail or file was made: the same time in every run."""

    moment: datetime = datetime(2024, 5, 15, 12)  # noqa: DTZ001 (the environments' times have no zone)

    def now(self) -> datetime:
        """A second later than last time."""
        self.moment += timedelta(seconds=1)
        return self.moment


class _Runner(Protocol):
    def query(
        self, query: str, runtime: object, env: BaseModel, messages: Sequence[Mapping[str, object]]
    ) -> tuple[object, object, object, Sequence[Mapping[str, object]], object]: ...


@dataclass(frozen=True, slots=True)
class Package:
    """What is used of the package."""

    system_message: str
    """Its default one."""
    clock: Clock
    _suites: Mapping[str, Mapping[str, Suite]]
    _attacks: Mapping[str, Callable[[Suite, object], Attack]]
    _call: Callable[..., Call]
    _runtime: Callable[[Sequence[Function]], object]
    _executor: _Runner
    _read_list: Callable[[str], object]
    _is_list: Callable[[str], bool]

    @property
    def attacks(self) -> list[str]:
        """Names of the attacks that need no person at the keyboard."""
        return [name for name in self._attacks if name != "manual"]

    def suites(self, version: str) -> Mapping[str, Suite]:
        """The suites by name. Raises DataError for a version that the package does not have."""
        if version not in self._suites:
            raise DataError(f"agentdojo has no benchmark version {version!r}; versions: {', '.join(self._suites)}")
        return self._suites[version]

    def attack(self, name: str, suite: Suite) -> Attack:
        """An attack on a suite, written for a local model. Raises ConfigError for a name that is none."""
        if name not in self.attacks:
            raise ConfigError(f"suite.options.attack={name}, allowed: none, {', '.join(self.attacks)}")
        return self._attacks[name](suite, SimpleNamespace(name=_VICTIM))

    def trace(self, suite: Suite, name: str, arguments: Mapping[str, object]) -> Call:
        """A call as the checks see it: for a known tool, texts that spell a list are that list."""
        call = self._call(function=name, args=dict(arguments))
        if any(tool.name == name for tool in suite.tools):
            for key, value in call.args.items():
                if isinstance(value, str) and self._is_list(value):
                    call.args[key] = self._read_list(value)
        return call

    def run(self, suite: Suite, environment: BaseModel, name: str, arguments: Mapping[str, object]) -> tuple[str, bool]:
        """What the package's own executor makes of a call: the text that the model is told, and whether it failed."""
        call = self._call(function=name, args=dict(arguments))
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        *_, told, _ = self._executor.query("", self._runtime(suite.tools), environment, [message])
        if error := told[-1]["error"]:
            return str(error), True
        blocks = cast(list[dict[str, str]], told[-1]["content"])
        return "\n".join(block["content"] for block in blocks), False


def need_packages() -> None:
    """Raises ConfigError if a package is missing that agentdojo's tools and checks import."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(f"suite agentdojo needs {', '.join(missing)}: type {extra('suites')}")


def load_package(folder: Path) -> Package:
    """The package from a folder that holds `agentdojo/`. A process can load it from one folder only.

    Raises ConfigError if a package that it needs is missing, DataError if the folder does not hold it.
    """
    need_packages()
    inner = folder / "agentdojo"
    if not (inner / "functions_runtime.py").is_file():
        raise DataError(
            f"{folder.name} does not hold the agentdojo package; fetch it anew with do=fetch suite=agentdojo"
        )
    loaded = sys.modules.get("agentdojo")
    if loaded is None:
        _make_room(folder)
    elif [Path(place) for place in loaded.__path__] != [inner]:
        raise DataError("another agentdojo is loaded in this process; its worlds want one of their own")
    return _package(inner)


def _make_room(folder: Path) -> None:
    """Puts empty modules where the package would import its clients of model providers."""
    sys.dont_write_bytecode = True  # another file in the fetched folder would make it another one, by its hash
    sys.path.insert(0, str(folder))
    root = importlib.import_module("agentdojo")
    pipeline, models = ModuleType(_PIPELINE), ModuleType(f"{_PIPELINE}.llms")
    google = ModuleType(f"{_PIPELINE}.llms.google_llm")
    pipeline.__path__ = [str(folder / "agentdojo" / "agent_pipeline")]
    models.__path__ = []
    vars(google)["EMPTY_FUNCTION_NAME"] = "<empty-function-name>"
    sys.modules.update({module.__name__: module for module in (pipeline, models, google)})
    vars(root)["agent_pipeline"] = pipeline


def _package(inner: Path) -> Package:
    suites = importlib.import_module("agentdojo.task_suite.load_suites")
    importlib.import_module("agentdojo.attacks")
    attacks = importlib.import_module("agentdojo.attacks.attack_registry")
    runtime = importlib.import_module("agentdojo.functions_runtime")
    execution = importlib.import_module(f"{_PIPELINE}.tool_execution")
    system = yaml.safe_load((inner / "data" / "system_messages.yaml").read_text(encoding="utf-8"))
    return Package(
        system_message=system["default"],
        clock=_set_clock(),
        _suites=dict(suites._SUITES),
        _attacks=attacks.ATTACKS,
        _call=runtime.FunctionCall,
        _runtime=runtime.FunctionsRuntime,
        _executor=execution.ToolsExecutor(),
        _read_list=execution.literal_eval,
        _is_list=execution.is_string_list,
    )


def _set_clock() -> Clock:
    clock = Clock()
    for name in _WITH_CLOCK:
        tools = importlib.import_module(f"agentdojo.default_suites.v1.tools.{name}")
        vars(tools)["datetime"] = SimpleNamespace(datetime=clock)
    return clock
