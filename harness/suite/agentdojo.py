"""AgentDojo's tasks as samples: each user's task alone, or each together with each task of an attacker."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness.config import explain_validation
from harness.environments.agentdojo import AgentDojoTask
from harness.environments.agentdojo_catalogue import CatalogueSuite, CatalogueTask, Injected, read_catalogue
from harness.errors import ConfigError
from harness.records import AgentTarget, Message, Record, Sample
from harness.suite.spec import SuiteContext

__all__ = ["CATEGORIES", "AgentDojoOptions", "AgentDojoSuite"]

CATEGORIES: tuple[str, ...] = ("workspace", "travel", "banking", "slack")
"""The environments, in the order in which the suite yields them."""


class AgentDojoOptions(Record):
    """`suite.options` of this suite."""

    version: Literal["v1", "v1.1", "v1.1.1", "v1.1.2", "v1.2", "v1.2.1", "v1.2.2"] = "v1.2.2"
    """Of the benchmark's tasks and checks."""
    attack: str = "none"
    """`none`, or one of the package's attacks."""


class AgentDojoSuite:
    """Reads the files of the agentdojo package, in a process of its own."""

    name = "agentdojo"

    def __init__(self, folder: Path | None, categories: Sequence[str] | None, options: AgentDojoOptions) -> None:
        """`folder`: holds `agentdojo/`. Raises ConfigError for an environment that is none."""
        if folder is None:
            raise ConfigError("suite agentdojo needs the package's files: name them under data in suite.yaml")
        chosen = CATEGORIES if categories is None else tuple(categories)
        for one in chosen:
            if one not in CATEGORIES:
                near = get_close_matches(one, CATEGORIES, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigError(f"suite.categories has {one!r}, allowed: {', '.join(CATEGORIES)}{hint}")
        if not chosen:
            raise ConfigError(f"suite.categories is empty, allowed: null for all, or any of {', '.join(CATEGORIES)}")
        self._folder, self._options = folder, options
        self.categories = tuple(one for one in CATEGORIES if one in chosen)

    @classmethod
    def from_context(cls, context: SuiteContext) -> "AgentDojoSuite":
        """As for any loader's class. Raises ConfigError for an option that is none."""
        try:
            options = AgentDojoOptions.model_validate(
                {name: one for name, one in context.options.items() if name != "file"}
            )
        except ValidationError as error:
            raise ConfigError(f"suite.options.{explain_validation(error)}") from None
        return cls(context.folder, context.config.categories or context.spec.categories or None, options)

    def samples(self) -> Iterator[Sample]:
        """The samples by environment, user's task and attacker's task. Raises ConfigError for an unknown attack."""
        attack = None if self._options.attack == "none" else self._options.attack
        found = read_catalogue(self._folder, self._options.version, attack, self.categories)
        for suite in found.suites:
            for task in suite.tasks:
                messages = (
                    Message(role="system", content=found.system_message),
                    Message(role="user", content=task.prompt),
                )
                for injected in task.injected or (None,):
                    yield self._sample(suite, task, injected, messages)

    def _sample(
        self, suite: CatalogueSuite, task: CatalogueTask, injected: Injected | None, messages: tuple[Message, ...]
    ) -> Sample:
        session = f"{suite.name}_{task.id}"
        set_up = AgentDojoTask(version=self._options.version, suite=suite.name, user_task=task.id, answer=task.answer)
        identity = session
        if injected is not None:
            identity = f"{session}_{injected.injection_task}_{self._options.attack}"
            attack = {"attack": self._options.attack, "injections": injected.texts}
            more = {"injection_task": injected.injection_task, "stops": injected.stops}
            set_up = set_up.model_copy(update=attack | more)
        plan = task.plan if injected is None else injected.plan
        return Sample(
            id=identity,
            category=suite.name,
            session=session,
            messages=messages,
            tools=suite.tools,
            target=AgentTarget(environment="agentdojo", task=set_up.model_dump(), plan=(plan,)),
            scorer="agent",
        )
