"""What the agentdojo package offers, read in a process of its own: tools, prompts, reference calls, attack texts."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from pydantic import BaseModel

from harness.environments.agentdojo_package import Attack, Package, Suite, UserTask, load_package, need_packages
from harness.errors import BackendError
from harness.records import Record, Tool, ToolCall

__all__ = ["Catalogue", "CatalogueSuite", "CatalogueTask", "Injected", "read_catalogue"]

_MARK = "<mark>"
"""Stands for any injected text, to see which reference calls depend on it."""


class Injected(Record):
    """One attacker's task, with the texts that are to bring the model to it."""

    injection_task: str
    stops: bool
    """Whether the attack only wants the user's task not to be done."""
    texts: dict[str, str]
    """By the name of the place in the environment: those that the reference calls of the user's task come across."""
    plan: tuple[ToolCall, ...]
    """Reference calls of the user's task; some of them copy what is read, and with it the injected text."""


class CatalogueTask(Record):
    """One task of a user."""

    id: str
    prompt: str
    answer: str
    """What the reference says to the user in the end."""
    plan: tuple[ToolCall, ...]
    injected: tuple[Injected, ...] = ()


class CatalogueSuite(Record):
    """One environment."""

    name: str
    tools: tuple[Tool, ...]
    tasks: tuple[CatalogueTask, ...]


class Catalogue(Record):
    """Everything that samples are made from."""

    system_message: str
    suites: tuple[CatalogueSuite, ...]


def read_catalogue(folder: Path, version: str, attack: str | None, suites: Sequence[str]) -> Catalogue:
    """The catalogue, read by a process that ends afterwards.

    folder: holds `agentdojo/`. attack: name of one of the package's; None for none.
    Raises ConfigError for an unknown attack or a missing package, DataError for an unknown version.
    """
    need_packages()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_read, folder, version, attack, tuple(suites)).result()
        except BrokenProcessPool as error:
            raise BackendError("the process that reads the agentdojo package died; see its memory limit") from error


def _read(folder: Path, version: str, attack: str | None, suites: Sequence[str]) -> Catalogue:
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):  # some of its checks print
        package = load_package(folder)
        found = package.suites(version)
        return Catalogue(
            system_message=package.system_message,
            suites=tuple(_suite(package, found[name], attack) for name in suites),
        )


def _suite(package: Package, suite: Suite, attack: str | None) -> CatalogueSuite:
    attacker = None if attack is None else package.attack(attack, suite)
    untouched = suite.load_and_inject_default_environment({})
    marked = suite.load_and_inject_default_environment(dict.fromkeys(suite.get_injection_vector_defaults(), _MARK))
    tasks = []
    for one in sorted(suite.user_tasks.values(), key=lambda task: _number(task.ID)):
        plan = _plan(one, untouched)
        copies = _plan(one, marked) != plan
        injected = () if attacker is None else tuple(_injected(suite, one, attacker, None if copies else plan))
        said = {"prompt": one.PROMPT, "answer": one.GROUND_TRUTH_OUTPUT}
        tasks.append(CatalogueTask(id=one.ID, plan=plan, injected=injected, **said))
    tools = tuple(
        Tool(name=one.name, description=one.description, parameters=one.parameters.model_json_schema())
        for one in suite.tools
    )
    return CatalogueSuite(name=suite.name, tools=tools, tasks=tuple(tasks))


def _plan(task: UserTask, environment: BaseModel) -> tuple[ToolCall, ...]:
    calls = task.ground_truth(task.init_environment(environment.model_copy(deep=True)))
    return tuple(ToolCall.model_validate({"name": call.function, "arguments": call.args}) for call in calls)


def _injected(suite: Suite, task: UserTask, attacker: Attack, plan: tuple[ToolCall, ...] | None) -> Iterator[Injected]:
    """One for each task of an attacker; of an attack that only stops, the one that the package takes: the first.

    plan: None where it depends on the injected texts.
    """
    wanted = list(suite.injection_tasks.values())[: 1 if attacker.is_dos_attack else None]
    for one in sorted(wanted, key=lambda injection: _number(injection.ID)):
        texts = attacker.attack(task, one)
        calls = _plan(task, suite.load_and_inject_default_environment(texts)) if plan is None else plan
        yield Injected(injection_task=one.ID, stops=attacker.is_dos_attack, texts=texts, plan=calls)


def _number(identity: str) -> int:
    """Of `user_task_12`, 12: the package lists its tasks in the order in which its versions changed them."""
    return int(identity.rpartition("_")[2])
