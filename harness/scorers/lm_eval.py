"""The scorer of lm-eval's tasks: their own filters and metrics, on our replies."""

import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import orjson
from pydantic import JsonValue

from harness.errors import ConfigError
from harness.protocols import Case, LateScore
from harness.records import Attempt, Reply, Sample, Score, TaskTarget, target_of
from harness.scorers.context import ScorerContext
from harness.scorers.lm_eval_tasks import TaskOptions, rebuilt_tasks, task_options

__all__ = ["LmEvalScorer", "Response", "instances_of", "parts_and_counts", "response_of"]

Response = str | tuple[float, bool]
"""What lm-eval takes for an answer: a text, or a log-probability with whether the text was the most likely one."""

_UNREAD = ("", "[invalid]")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class _Filtered:
    """What one of a task's filters made of a reply."""

    name: str
    read: list[Any]
    metrics: dict[str, Any]


@dataclass(slots=True)
class LmEvalScorer:
    """Judges late: a task's own code may take any time, and some of it wants the main thread."""

    reads: ClassVar[tuple[str, ...]] = tuple(TaskOptions.model_fields)
    """Options of a suite that it reads."""
    options: TaskOptions
    name: str = "lm_eval"
    concurrency: int = 1
    _tasks: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_context(cls, context: ScorerContext) -> "LmEvalScorer":
        """As for any scorer's class. Raises ConfigError for options that lm-eval suites do not have."""
        return cls(task_options(context.options))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """Nothing to hold open: tasks are built when the first of their samples comes."""

        async def score(sample: Sample, attempt: Attempt) -> Score:
            assert attempt.reply is not None
            return self.verdict(sample, attempt.reply, attempt.trial)

        yield score

    def verdict(self, sample: Sample, reply: Reply, trial: int = 0) -> Score:
        """The verdict on one reply. `value` is None where the task has no metric of a single reply."""
        target = target_of(sample, TaskTarget)
        score = Score(sample=sample.id, category=sample.category, trial=trial, scorer=self.name)
        responses = response_of(target, reply)
        if responses is None:
            why = f"the reply is no list of {len(target.pairs)} log-probabilities"
            return score.model_copy(update={"value": 0.0, "miss": "no_answer", "boundary": "model", "why": why})
        task = self._task(target)
        filtered, faults = _filtered(task, target, responses)
        parts, counts = parts_and_counts(task, {one.name: one.metrics for one in filtered})
        main = _main(task, parts, self.options.metric, whole=not faults)
        if main is None or main not in parts:
            why = "; ".join(faults) or _unmeasured(task, main, filtered)
            return score.model_copy(update={"parts": parts, "counts": counts, "why": why[:_SHOWN]})
        read = next(one.read for one in filtered if one.name == main.partition(",")[2])
        shown = _shown(target, read)
        missed: dict[str, object] = {}
        if parts[main] < 1:
            unread = not target.pairs and all(str(one).strip() in _UNREAD for one in read)
            why = f"{main} is {parts[main]:g}: read {shown!r}, wanted {_wanted(task, target)!r}"
            missed = {"miss": "no_answer" if unread else "wrong_answer", "boundary": "model", "why": why}
        return score.model_copy(
            update={"value": parts[main], "parts": parts, "counts": counts, "extracted": shown, **missed}
        )

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Of a task that compares: its right answer as the likeliest, and a wrong one. Of one that matches text: its
        own answer where its filters find it in there, and a reply that says nothing.
        """
        target = target_of(sample, TaskTarget)
        task = self._task(target)
        if target.pairs:
            yield from _compared(task, target)
            return
        yield Case("near_miss", "no answer", Reply(content="I do not know."))
        wanted = task.doc_to_target(target.data["doc"])
        if "exact_match" in task.aggregation() and isinstance(wanted, str):
            filtered, _ = _filtered(task, target, [wanted])
            if filtered and str(filtered[0].read[0]).strip() not in _UNREAD:
                yield Case("gold", "the answer as the task has it", Reply(content=wanted))

    def _task(self, target: TaskTarget) -> Any:
        if target.task not in self._tasks:
            document = cast(Mapping[str, JsonValue], target.data["doc"])
            task = rebuilt_tasks(self.options, {target.task: [document]}).tasks.get(target.task)
            if task is None:
                raise ConfigError(f"suite.tasks does not lead to the task {target.task} of this sample; add it")
            self._tasks[target.task] = task
        task = self._tasks[target.task]
        task.multiple_target = target.data.get("multiple_target", 0)
        task.multiple_input = target.data.get("multiple_input", 0)
        return task


def response_of(target: TaskTarget, reply: Reply) -> Sequence[Response] | None:
    """What the reply answers each of the task's requests with; None where it is no answer to them at all.

    A text ends before the first of the task's stop words, whether or not the server kept to them.
    """
    text = reply.content or ""
    if not target.pairs:
        stops = cast(Sequence[str], target.request.get("stop") or ())
        ends = [place for stop in stops if (place := text.find(stop)) >= 0]
        return [text[: min(ends)] if ends else text]
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(rows, list) or len(rows) != len(target.pairs):
        return None
    if not all(isinstance(row, list) and len(row) == 2 and isinstance(row[0], float | int) for row in rows):
        return None
    return [(float(number), bool(greedy)) for number, greedy in rows]


def instances_of(target: TaskTarget, trials: Sequence[Sequence[Response]], prompt: str = "") -> list[Any]:
    """lm-eval's requests of a sample, each with its response in every trial; `prompt`: what they say was asked."""
    from lm_eval.api.instance import Instance

    arguments: list[tuple[Any, ...]] = list(target.pairs)
    if not arguments:
        arguments = [(prompt, target.data["gen_kwargs"])]
    kind = "loglikelihood" if target.pairs else "generate_until"
    made = []
    for number, argument in enumerate(arguments):
        about = (target.task, target.data["doc_id"], len(trials))
        one = Instance(request_type=kind, doc=target.data["doc"], arguments=argument, idx=number, metadata=about)
        one.resps = [responses[number] for responses in trials]
        made.append(one)
    return made


def _filtered(task: Any, target: TaskTarget, responses: Sequence[Response]) -> tuple[list[_Filtered], list[str]]:
    """What each filter makes of a reply with the metrics after it, and why those that failed did."""
    found, faults = [], []
    for ensemble in task._filters:
        instances = instances_of(target, [responses])
        try:
            ensemble.apply(instances)
            read = [one.filtered_resps[ensemble.name] for one in instances]
            found.append(_Filtered(ensemble.name, read, dict(task.process_results(target.data["doc"], read))))
        except Exception as error:  # a task's own code: what it does not bear is no verdict on the model
            said = " ".join(str(error).split())[:100]
            faults.append(f"the task's filter {ensemble.name} fails on one reply ({type(error).__name__}: {said})")
    return found, faults


def parts_and_counts(
    task: Any, by_filter: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float], dict[str, tuple[int, int]]]:
    """Metrics of one reply as lm-eval names them, `metric,filter`: numbers from 0 to 1, and lists of yes and no.

    Those that lm-eval does not average over the replies (BLEU of a corpus, for instance) are neither.
    """
    from lm_eval.api.metrics import mean

    parts: dict[str, float] = {}
    counts: dict[str, tuple[int, int]] = {}
    for name, metrics in by_filter.items():
        for metric, value in metrics.items():
            key = f"{metric},{name}"
            if isinstance(value, list | tuple) and value and all(isinstance(one, bool) for one in value):
                counts[key] = (sum(value), len(value))
            elif task.aggregation().get(metric, mean) is mean and (number := _fraction(value)) is not None:
                parts[key] = number
    return parts, counts


def _fraction(value: object) -> float | None:
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 else None


def _main(task: Any, parts: Mapping[str, float], wanted: str | None, *, whole: bool) -> str | None:
    """The metric that is the value, `metric,filter`: the one asked for, else the task's first of which more is better.

    By the task's own list of metrics and filters, not by what one reply happens to have: all replies are measured by
    the same. None where no metric of the task is of single replies. Raises ConfigError if the one asked for is none of
    the task's; `whole`: whether all filters worked on this reply, so that what it lacks the task lacks.
    """
    from lm_eval.api.metrics import mean

    better, filters = task.higher_is_better(), [one.name for one in task._filters]
    listed = [name for name, how in task.aggregation().items() if how is mean]
    own = [f"{metric},{name}" for name in filters for metric in listed if better.get(metric, True)]
    if wanted is None:
        return next(iter(own), None)
    present = [name for name in parts if better.get(name.partition(",")[0], True)]
    full = wanted if "," in wanted else f"{wanted},{filters[0]}"
    if full in own or full in present:
        return full
    if whole and present:
        known = ", ".join(dict.fromkeys([*own, *present]))
        raise ConfigError(f"suite.options.metric={wanted} is no metric of {task.task_name}; it has {known}")
    return full if present or not whole else None


def _unmeasured(task: Any, main: str | None, filtered: Sequence[_Filtered]) -> str:
    """Why a reply has no value though its filters worked."""
    if main is None:
        return (
            f"{task.task_name} has no metric of a single reply between 0 and 1 "
            f"({', '.join(task.aggregation())}): do=export has it for all of them"
        )
    given = {f"{metric},{one.name}": value for one in filtered for metric, value in one.metrics.items()}
    other = ", ".join(name for name in given if name != main) or "none"
    seen = f"is {given[main]!r}, no number from 0 to 1" if main in given else "is not among what the task measured"
    return f"{main} {seen}; others, for suite.options.metric: {other}"


def _shown(target: TaskTarget, read: Sequence[Any]) -> str:
    """What was read, short: the text, or the continuation that is the likeliest."""
    if not target.pairs:
        return str(read[0])[:_SHOWN]
    likeliest = max(range(len(read)), key=lambda place: float(read[place][0]))
    return target.pairs[likeliest][1][:_SHOWN]


def _wanted(task: Any, target: TaskTarget) -> str:
    wanted = task.doc_to_target(target.data["doc"])
    if isinstance(wanted, int) and wanted < len(target.pairs):
        wanted = target.pairs[wanted][1]
    return str(wanted)[-_SHOWN:]


def _compared(task: Any, target: TaskTarget) -> Iterator[Case]:
    """Log-probabilities with the right answer ahead, and with another one."""
    wanted = task.doc_to_text(target.data["doc"]) if task.multiple_input else task.doc_to_target(target.data["doc"])
    if isinstance(wanted, str) and len(target.pairs) == 1:
        yield Case("gold", "the likeliest text", Reply(content="[[-1.0,true]]"))
        yield Case("near_miss", "not the likeliest text", Reply(content="[[-9.0,false]]"))
        return
    if not isinstance(wanted, int) or len(target.pairs) < 2:
        return
    for kind, place in (("gold", wanted), ("near_miss", (wanted + 1) % len(target.pairs))):
        rows = [[-1.0 if number == place else -999.0, number == place] for number in range(len(target.pairs))]
        yield Case(cast(Any, kind), f"answer {place} is the likeliest", Reply(content=orjson.dumps(rows).decode()))
