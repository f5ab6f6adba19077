"""lm-eval's own tasks, found and built: for asking with their data, or for judging with documents that were kept."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

from pydantic import Field, JsonValue, ValidationError, field_validator

from harness.config import explain_validation
from harness.errors import AssetError, ConfigError, extra
from harness.records import Record
from harness.scorers.lm_eval_data import local_files

__all__ = ["Loaded", "TaskOptions", "imported", "load_tasks", "rebuilt_tasks", "task_options"]

_HUB, _HUB_PATIENCE_S = "https://huggingface.co", 5.0
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_Config = dict[str, Any]


class TaskOptions(Record):
    """`suite.options` of lm-eval suites."""

    tasks: tuple[str, ...] = ()
    """Names of tasks, groups or tags, or paths of task files; `suite.tasks` goes before."""
    include_path: tuple[str, ...] = ()
    """Folders with task files of one's own."""
    data: str | None = None
    """Folder with the data, instead of the hub: see docs/lm_eval.md."""
    num_fewshot: int | None = Field(default=None, ge=0)
    """Shots; None: the task's own. A task that says 0 keeps 0, as in lm-eval."""
    fewshot_seed: int = 1234
    """As lm-eval's default."""
    prompt: Literal["turns", "one_turn", "text"] = "turns"
    """Of tasks that generate. `turns`: shots as turns of a chat. `one_turn`: all in one message of the user, beside a
    system message. `text`: the plain text for a base model, as one message."""
    system: str | None = None
    """System message, put before the task's description."""
    gen_kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    """On top of the task's `generation_kwargs`, as lm-eval's `--gen_kwargs`."""
    metric: str | None = None
    """What the value is, such as `exact_match` or `exact_match,flexible-extract`; None: the task's first."""

    @field_validator("gen_kwargs", mode="before")
    @classmethod
    def _null_is_not_given(cls, value: object) -> object:
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value

    @field_validator("include_path", "tasks", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


def task_options(options: Mapping[str, JsonValue]) -> TaskOptions:
    """The options of a suite, checked. Raises ConfigError for those that lm-eval suites do not have."""
    if not options.get("tasks"):
        raise ConfigError("suite=lm_eval needs to know what to run; add: suite.tasks=[gsm8k]")
    try:
        return TaskOptions.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(f"suite.options: {explain_validation(error)}") from None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Tasks by name, and the groups that they were asked for by."""

    tasks: dict[str, Any]
    """`lm_eval.api.task.Task`."""
    groups: dict[str, Any] = field(default_factory=dict)
    """`lm_eval.api.group.Group`."""


def imported() -> ModuleType:
    """The package `lm_eval`, with its talk turned down to errors. Raises ConfigError where it is not installed."""
    try:
        import datasets
        import lm_eval
        import lm_eval.tasks
    except ImportError as error:
        raise ConfigError(f"lm-eval suites need the package lm_eval ({error}): {extra('suites')}") from None
    datasets.disable_progress_bars()
    for name in ("lm_eval", "datasets", "evaluate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return cast(ModuleType, lm_eval)


def load_tasks(options: TaskOptions) -> Loaded:
    """The tasks with their data, few-shot settings made as lm-eval's `simple_evaluate` makes them.

    Raises ConfigError for a name that is none, AssetError where the data cannot be had.
    """
    imported()

    def change(config: _Config) -> _Config:
        if options.data is not None:
            files = local_files(Path(options.data).expanduser(), config)
            config = config | {
                "dataset_path": files.builder,
                "dataset_name": None,
                "dataset_kwargs": {"data_files": files.by_split},
            }
        return config

    with _hub_in_reach(asked=options.data is None):
        loaded = _load(options, change)
    for task in loaded.tasks.values():
        _settle(task, options)
        task.set_fewshot_seed(seed=options.fewshot_seed)
    return loaded


def _settle(task: Any, options: TaskOptions) -> None:
    """Puts the options that lm-eval's `simple_evaluate` would put into a task's configuration."""
    own = task.config.num_fewshot
    if options.num_fewshot is not None and own != 0:
        task.set_config(key="num_fewshot", value=options.num_fewshot)
    elif own is None:
        task.set_config(key="num_fewshot", value=0)
    if options.gen_kwargs and task.OUTPUT_TYPE == "generate_until":
        task.set_config(key="generation_kwargs", value=dict(options.gen_kwargs), update=True)


def rebuilt_tasks(options: TaskOptions, documents: Mapping[str, Sequence[Mapping[str, JsonValue]]]) -> Loaded:
    """The tasks that `documents` names, with these for their data: to judge, without a hub or the data's folder.

    Their documents are as they were asked about, so a task's own preparation of them is not done again. Groups hold
    only what there are documents of. Tasks that are Python classes read their data themselves even so.
    """
    imported()
    import datasets

    def change(config: _Config) -> _Config:
        shots = config.get("fewshot_config")
        names = {config.get(split) for split in _SPLITS} | {(shots or {}).get("split")}
        data = datasets.Dataset.from_list([dict(one) for one in documents[config["task"]]])
        made = {name: data for name in names if name}
        return config | {
            "custom_dataset": lambda **_: made,
            "process_docs": None,
            "fewshot_config": {**shots, "process_docs": None} if shots else None,
        }

    loaded = _load(options, change, only=frozenset(documents))
    for task in loaded.tasks.values():
        task.set_config(key="custom_dataset", value=None)
        _settle(task, options)
    return loaded


def _load(options: TaskOptions, change: Callable[[_Config], _Config], only: frozenset[str] | None = None) -> Loaded:
    """Tasks built by lm-eval from their files, each configuration changed on the way; `only`: no other than these."""
    specs = [str(Path(name).expanduser()) if Path(name).suffix == ".yaml" else name for name in options.tasks]
    try:
        manager = _manager(specs, tuple(str(Path(path).expanduser()) for path in options.include_path))
    except TypeError as error:  # some file says `task: null`
        folders = ", ".join(options.include_path)
        raise ConfigError(
            f"suite.options.include_path={folders} holds YAML files that are no tasks; move them"
        ) from error
    manager._factory = _factory(change, only)  # the only place where a configuration is whole and no data read yet
    for name in specs:
        if name not in manager.task_index and not Path(name).is_file():
            raise ConfigError(_unknown(name, manager.all_tasks))
    try:
        found = manager.load(specs)
    except (ConfigError, AssetError):
        raise
    except Exception as error:  # a task's own code, or any of the ways in which `datasets` fails
        raise AssetError(_no_data(options, error)) from error
    tasks = {name: task for name, task in found["tasks"].items() if not isinstance(task, _LeftOut)}
    groups = found.get("groups") or {}
    for group in groups.values():
        for child in [one for one in group if isinstance(one, _LeftOut)]:
            group.pop(child.task_name)
    for name, task in tasks.items():
        _refuse(name, task)
    return Loaded(tasks, groups)


@dataclass(frozen=True, slots=True)
class _LeftOut:
    task_name: str


def _factory(change: Callable[[_Config], _Config], only: frozenset[str] | None) -> Any:
    from lm_eval.tasks._factory import TaskFactory

    class Factory(TaskFactory):  # type: ignore[misc]  # lm-eval has no types for mypy
        def _build_task(self, entry: Any, overrides: _Config | None) -> Any:
            name = (overrides or {}).get("task") or entry.name
            return _LeftOut(name) if only is not None and name not in only else super()._build_task(entry, overrides)

        def _load_full_config(self, entry: Any, overrides: _Config | None = None) -> _Config:
            config: _Config = super()._load_full_config(entry, overrides)
            return change(config) if "task" in config and "group" not in config else config

    return Factory()


def _manager(names: Sequence[str], include: tuple[str, ...]) -> Any:
    """A task manager that knows these names: reading all 14,000 files of lm-eval takes seconds, so a likely folder is
    tried first.
    """
    from lm_eval.tasks import TaskManager

    asked = [name for name in names if Path(name).suffix != ".yaml"]
    folders = {folder for name in asked if (folder := _likely_folder(name)) is not None}
    manager = TaskManager(include_defaults=False, include_path=[*sorted(folders), *include])
    return manager if all(_is_whole(name, manager.task_index) for name in asked) else TaskManager(include_path=include)


def _likely_folder(name: str) -> str | None:
    root = Path(imported().tasks.__file__).parent
    words = name.split("_")
    for end in range(len(words), 0, -1):
        folder = root / "_".join(words[:end])
        if folder.is_dir():
            return str(folder)
    return None


def _is_whole(name: str, index: Mapping[str, Any]) -> bool:
    """Whether an index holds a task, or a group with all that it names; a tag's members may lie anywhere."""
    entry = index.get(name)
    if entry is None or entry.kind.name == "TAG":
        return False
    if entry.kind.name != "GROUP":
        return True
    members = (entry.cfg or {}).get("task") or []
    return all(isinstance(one, str) and _member_is_whole(one, index) for one in members)


def _member_is_whole(name: str, index: Mapping[str, Any]) -> bool:
    entry = index.get(name)
    own_tag = entry is not None and entry.kind.name == "TAG" and name.endswith("_tasks")  # as those of MMLU are
    return own_tag or _is_whole(name, index)


def _refuse(name: str, task: Any) -> None:
    """Raises ConfigError for a task that cannot be run here."""
    if getattr(task, "UNSAFE_CODE", False):
        raise ConfigError(f"the task {name} runs what the model wrote, without a sandbox; suite=code does it in one")
    if getattr(task, "MULTIMODAL", False):
        raise ConfigError(f"the task {name} shows images or plays sound, and messages here are text; leave it out")
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        raise ConfigError(
            f"the task {name} measures perplexity over whole texts (loglikelihood_rolling), which is not supported; "
            "tasks that generate or choose are"
        )


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return (
        f"suite.tasks has {name!r}, which is no task, group or tag of lm-eval and no file{hint} Tasks of your own: "
        "suite.options.include_path=FOLDER"
    )


def _no_data(options: TaskOptions, error: Exception) -> str:
    said = " ".join(str(error).split())[:300] or type(error).__name__
    return (
        f"the tasks {', '.join(options.tasks)} cannot be loaded ({type(error).__name__}: {said}); where no hub is in "
        "reach, put the data into a folder: suite.options.data=FOLDER"
    )


@contextmanager
def _hub_in_reach(*, asked: bool) -> Iterator[None]:
    """Tells the hub's libraries to look into their cache alone where no hub answers: they would try for 23 s a file."""
    import datasets
    import huggingface_hub

    known = (datasets.config, "HF_HUB_OFFLINE"), (huggingface_hub.constants, "HF_HUB_OFFLINE")
    before = [getattr(module, name) for module, name in known]
    if asked and not _hub_answers():
        for module, name in known:
            setattr(module, name, True)
    try:
        yield
    finally:
        for (module, name), value in zip(known, before, strict=True):
            setattr(module, name, value)


def _hub_answers() -> bool:
    """Whether the hub says anything at all, through a proxy if there is one."""
    request = urllib.request.Request(os.environ.get("HF_ENDPOINT", _HUB), method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_HUB_PATIENCE_S):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
