"""lm-eval's tasks as samples: the documents with their few-shot context, asked by our runner."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from pydantic import JsonValue

from harness.errors import ConfigError, DataError
from harness.records import Message, Sample, TaskTarget
from harness.scorers.lm_eval_tasks import TaskOptions, imported, load_tasks, task_options
from harness.suite.sampling import stratified
from harness.suite.spec import SuiteContext

__all__ = ["LmEval"]

_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens")
_SENT = ("top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
"""Generation settings of a task that OpenAI-compatible servers take under the same name."""


@dataclass(slots=True)
class LmEval:
    """Loads the tasks that `suite.tasks` names. The samples of a task are its category."""

    context: SuiteContext
    name: str = "lm_eval"

    @classmethod
    def from_context(cls, context: SuiteContext) -> "LmEval":
        """As for any loader's class."""
        return cls(context)

    def samples(self) -> Iterator[Sample]:
        """The samples of a limited run are chosen before their prompts are made, which takes lm-eval its time.

        Raises ConfigError for a task that is none or cannot be run here, AssetError without its data.
        """
        options = task_options(self.context.options)
        tasks = load_tasks(options).tasks
        documents = {name: _documents(task) for name, task in tasks.items() if self._wanted(name)}
        if not documents:
            raise ConfigError(f"suite.categories names none of the tasks loaded: {', '.join(tasks)}")
        chosen = self._chosen(documents)
        for name, rows in documents.items():
            asking = _Asking(tasks[name], options, len(rows))
            for number, document in enumerate(rows):
                if f"{name}_{number}" in chosen:
                    yield asking.sample(name, number, document)
                else:
                    asking.skip(document)

    def _wanted(self, name: str) -> bool:
        categories = self.context.config.categories
        return categories is None or name in categories

    def _chosen(self, documents: Mapping[str, list[dict[str, Any]]]) -> set[str]:
        """Ids that the run's limit will leave, by the same dealing."""
        config = self.context.config
        stubs = [
            Sample(id=f"{name}_{number}", category=name, messages=(), target=TaskTarget(task=name), scorer="lm_eval")
            for name, rows in documents.items()
            for number in range(len(rows))
        ]
        return {one.id for one in stratified(stubs, config.limit, config.seed, config.sampling)}


def _documents(task: Any) -> list[dict[str, Any]]:
    """The documents to be asked about, prepared once and the same each time: some tasks shuffle answers as they come.

    lm-eval seeds Python's random numbers with 0 before it loads; so here, and what was there before is put back.
    """
    state = random.getstate()
    random.seed(0)
    try:
        return [dict(one) for one in task.eval_docs]
    finally:
        random.setstate(state)


@dataclass(slots=True)
class _Asking:
    """Makes the samples of one task, in the order of its documents: the draw of shots goes on from one to the next."""

    task: Any
    options: TaskOptions
    n_documents: int

    def sample(self, name: str, number: int, document: dict[str, Any]) -> Sample:
        """The sample of a document."""
        generates = self.task.OUTPUT_TYPE == "generate_until"
        context = self._context(document, chat=generates and self.options.prompt != "text")
        made = self.task.construct_requests(doc=document, ctx=context, metadata=(name, number, 1))
        instances = made if isinstance(made, list) else [made]
        data: dict[str, JsonValue] = {
            "doc_id": number,
            "n_docs": self.n_documents,
            "doc": _plain(document),
            "multiple_target": getattr(self.task, "multiple_target", 0),
            "multiple_input": getattr(self.task, "multiple_input", 0),
        }
        if not generates:
            pairs = tuple((str(one.args[0]), str(one.args[1])) for one in instances)
            return _sample(name, number, _messages(pairs[0][0]), TaskTarget(task=name, data=data, pairs=pairs))
        kwargs = instances[0].args[1]
        data |= {"gen_kwargs": _plain(kwargs), "chat": not isinstance(context, str)}
        target = TaskTarget(task=name, data=data, request=_request(kwargs))
        return _sample(name, number, _messages(context), target)

    def skip(self, document: dict[str, Any]) -> None:
        """Draws the shots of a document that is not asked about, so that the next has the ones that lm-eval gives."""
        shots, sampler = self.task.config.num_fewshot, getattr(self.task, "sampler", None)
        if shots and sampler is not None:
            own = self.task.fewshot_cfg.split == self.task.config.test_split
            sampler.sample(n=shots, eval_doc=document if own else None)

    def _context(self, document: dict[str, Any], *, chat: bool) -> Any:
        """The prompt: messages as objects for a chat, else text."""
        if not hasattr(self.task, "fewshot_cfg"):  # a task that is a Python class renders text alone
            return self.task.fewshot_context(document, self.task.config.num_fewshot)
        as_they_are: Callable[..., Any] = lambda messages, **_: messages  # noqa: E731
        return self.task.fewshot_context(
            document,
            num_fewshot=self.task.config.num_fewshot,
            system_instruction=self.options.system,
            apply_chat_template=chat,
            fewshot_as_multiturn=self.options.prompt == "turns",
            chat_template=as_they_are if chat else None,
            gen_prefix=self.task.doc_to_prefix(document),
        )


def _sample(name: str, number: int, messages: tuple[Message, ...], target: TaskTarget) -> Sample:
    return Sample(id=f"{name}_{number}", category=name, messages=messages, target=target, scorer="lm_eval")


def _messages(context: object) -> tuple[Message, ...]:
    if isinstance(context, str):
        return (Message(role="user", content=context),)
    rows = cast(list[Mapping[str, Any]], context)
    return tuple(Message(role=row["role"], content=row["content"]) for row in rows)


def _request(kwargs: Mapping[str, Any]) -> dict[str, JsonValue]:
    """A task's generation settings as request fields.

    As lm-eval's own chat model reads them: `temperature` counts whatever `do_sample` says, and without one it is 0
    unless sampling is asked for; then, and for the length, the model's own setting stands. Raises DataError for a
    setting that would be left out in silence.
    """
    until = kwargs.get("until") or []
    fields: dict[str, JsonValue] = {}
    if stops := [stop for stop in ([until] if isinstance(until, str) else until) if stop]:
        fields["stop"] = stops
    for name, value in kwargs.items():
        if name in _LIMITS:
            fields["max_tokens"] = int(value)
        elif name in _SENT or name == "temperature":
            fields[name] = value
        elif name not in {"until", "do_sample"}:
            known = ", ".join(("until", "do_sample", "temperature", *_LIMITS, *_SENT))
            raise DataError(f"generation_kwargs has {name}={value}, which no request can carry; allowed: {known}")
    if not kwargs.get("do_sample", False):
        fields.setdefault("temperature", 0.0)
    return fields


def _plain(value: object) -> JsonValue:
    """A value as JSON, what JSON does not have as text, as in lm-eval's own logs."""
    imported()
    from lm_eval.utils import handle_non_serializable

    return cast(JsonValue, orjson.loads(orjson.dumps(value, default=handle_non_serializable)))
