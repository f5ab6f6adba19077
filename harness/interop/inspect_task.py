"""A task of Inspect's as a suite: found by name or file, its dataset as samples."""

import os
import socket
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from pydantic import JsonValue

from harness.errors import ConfigError, DataError, HarnessError, extra
from harness.records import Message, Sample, TaskTarget
from harness.suite.spec import SuiteContext

if TYPE_CHECKING:  # takes 1.5 s to import, and `--help` needs none of it
    from inspect_ai import Task
    from inspect_ai.dataset import Sample as InspectSample
    from inspect_ai.model import ChatMessage

__all__ = ["HEADLINE", "RANGE", "InspectTask", "load_task", "need_inspect", "public_name", "task_args", "whole_spec"]

HEADLINE, RANGE = "headline", "range"
"""Options that are ours and not the task's: which score is the value, and what its ends are."""
_INSTALL = extra("suites")
_MOST_CHARS = 300


class InspectTask:
    """Loader of the suite `inspect`."""

    name = "inspect"

    def __init__(self, spec: str, options: Mapping[str, JsonValue]) -> None:
        self._spec, self._options = spec, options

    @classmethod
    def from_context(cls, context: SuiteContext) -> "InspectTask":
        """Raises ConfigError without `suite.task`."""
        spec = context.config.task
        if not spec:
            raise ConfigError(
                "suite=inspect needs a task: a registered one (suite.task=inspect_evals/gsm8k) "
                "or one of a file (suite.task=path/to/task.py@name)"
            )
        return cls(spec, context.options)

    def samples(self) -> Iterator[Sample]:
        """The dataset in its order. Raises ConfigError for an unknown task, DataError for data that cannot be had."""
        dataset = load_task(self._spec, task_args(self._options)).dataset
        category = public_name(self._spec).rpartition("/")[2].rpartition("@")[2]
        seen: set[str] = set()
        for number, sample in enumerate(dataset, 1):
            found = _sample(sample, number, category, public_name(self._spec))
            if found.id in seen:
                raise DataError(f"{self._spec}: the id {found.id} stands twice in its dataset; make the ids unique")
            seen.add(found.id)
            yield found


def _sample(sample: "InspectSample", number: int, category: str, task: str) -> Sample:
    original = number if sample.id is None else sample.id  # as Inspect numbers samples without an id
    data: dict[str, JsonValue] = {"id": original, "target": cast(JsonValue, sample.target)}
    if sample.choices:
        data["choices"] = [*sample.choices]
    said = [sample.input] if isinstance(sample.input, str) else sample.input
    return Sample(
        id=str(original),
        category=category,
        messages=tuple(_message(one) for one in said),
        target=TaskTarget(task=task, data=data),
        scorer="inspect",
    )


def _message(message: "str | ChatMessage") -> Message:
    if isinstance(message, str):
        return Message(role="user", content=message)
    kinds = [] if isinstance(message.content, str) else [one.type for one in message.content if one.type != "text"]
    return Message(role=message.role, content="\n".join([message.text, *(f"[{kind}]" for kind in kinds)]))


def task_args(options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The options that go to the task itself."""
    return {name: value for name, value in options.items() if name not in {HEADLINE, RANGE}}


def public_name(spec: str) -> str:
    """A task's name without the folders of whoever ran it.

    >>> public_name("inspect_evals/gsm8k"), public_name("/home/me/evals/sums.py@hard")
    ('inspect_evals/gsm8k', 'sums.py@hard')
    """
    file, _, name = spec.partition("@")
    if not file.endswith(".py"):
        return spec
    return f"{Path(file).name}@{name}" if name else Path(file).name


def need_inspect() -> None:
    """Raises ConfigError, with what to type, where Inspect is not installed."""
    try:
        import_module("inspect_ai")
    except ImportError as error:
        raise ConfigError(f"suite=inspect needs the package inspect-ai ({error}); type: {_INSTALL}") from None


def load_task(spec: str, args: Mapping[str, JsonValue]) -> "Task":
    """The task of a name or file. Raises ConfigError if there is no such task or it refuses its arguments.

    Raises DataError if its dataset cannot be had. Making a task runs code of others, which may raise anything: this
    is the boundary at which it becomes one line.
    """
    from inspect_ai._eval.loader import load_tasks

    named = whole_spec(spec)
    try:
        found = load_tasks([named], dict(args))
    except Exception as error:
        raise _refused(spec, args, error) from error
    if len(found) != 1:
        raise ConfigError(f"suite.task={spec}: {len(found)} tasks are made by it, and a run is one")
    _check_args(spec, found[0], args)
    return found[0]


def whole_spec(spec: str) -> str:
    """The name by which Inspect finds the one task that is meant: of a file with one task, its name is found out.

    Raises ConfigError if there is no such file, package or task.
    """
    need_inspect()
    file, _, name = spec.partition("@")
    if not file.endswith(".py"):
        _check_registered(spec)
        return spec
    path = Path(file).expanduser()
    if not path.is_file():
        raise ConfigError(f"suite.task={spec}: there is no file {file}")
    from inspect_ai import list_tasks

    names = [task.name for task in list_tasks([path.name], root_dir=path.resolve().parent)]
    if not names:
        raise ConfigError(f"suite.task={spec}: there is no @task in {file}")
    choose = f"choose one: {', '.join(f'{path.name}@{one}' for one in names)}"
    if not name and len(names) > 1:
        raise ConfigError(f"suite.task={spec} holds {len(names)} tasks; {choose}")
    if name and name not in names:
        raise ConfigError(f"suite.task={spec}: {file} has no task {name}; {choose}")
    return f"{path}@{name or names[0]}"


def _check_args(spec: str, task: "Task", args: Mapping[str, JsonValue]) -> None:
    """Raises ConfigError for an argument that the task does not have: Inspect would leave it out in silence."""
    from inspect_ai._util.registry import registry_info, registry_lookup

    made_by = registry_lookup("task", registry_info(task).name)
    if not callable(made_by):
        return
    known = signature(made_by).parameters
    if any(one.kind is Parameter.VAR_KEYWORD for one in known.values()):
        return
    for name in args:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            takes = ", ".join(known) or "none"
            raise ConfigError(f"suite.options.{name}: {spec} has no such argument; it takes {takes}{hint}")


def _check_registered(spec: str) -> None:
    """Raises ConfigError for a registered name that is not there."""
    _offline_where_unreachable()
    package, slash, name = spec.partition("/")
    if package == "hf" and slash:
        return
    registered = [entry for entry in entry_points(group="inspect_ai") if entry.name == package]
    if not registered:
        pip = package.replace("_", "-")
        hint = f"; if it is a package, type: pip install {pip}" if slash else ""
        raise ConfigError(
            f"suite.task={spec} is neither a file (path/to/task.py@name) nor of an installed package{hint}"
        )
    try:
        registered[0].load()
    except ImportError as error:
        raise ConfigError(
            f"suite.task={spec}: the package {package} cannot be imported ({error}); install what it misses"
        ) from error
    _check_name(spec, package, name)


def _offline_where_unreachable() -> None:
    """Tells the hub's client to be offline where its host has no address: it would try again for half a minute.

    Data sets that are in its cache are found all the same.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or getproxies():
        return
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"  # for packages that are imported from here on
        constants.HF_HUB_OFFLINE = True


def _check_name(spec: str, package: str, name: str) -> None:
    from inspect_ai._util.registry import registry_find, registry_info, registry_lookup

    if registry_lookup("task", spec) is not None:
        return
    tasks = registry_find(lambda info: info.type == "task" and info.name.startswith(f"{package}/"))
    names = [registry_info(task).name.partition("/")[2] for task in tasks]
    near = get_close_matches(name, names, n=3)
    hint = f"; did you mean {' or '.join(f'{package}/{one}' for one in near)}?" if near else ""
    raise ConfigError(f"suite.task={spec}: {package} has {len(names)} tasks and none of that name{hint}")


def _refused(spec: str, args: Mapping[str, JsonValue], error: Exception) -> HarnessError:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_CHARS]
    if type(error).__name__ == "PrerequisiteError":  # Inspect's own word for what is the user's to mend
        return ConfigError(f"suite.task={spec}: {said.removeprefix('PrerequisiteError: ')}")
    if isinstance(error, TypeError) and "argument" in str(error):
        given = ", ".join(args) or "none"
        return ConfigError(f"suite.task={spec} refuses its arguments (suite.options: {given}): {said}")
    return DataError(f"suite.task={spec} could not be made, by its own code: {said}")
