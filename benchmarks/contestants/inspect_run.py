"""inspect_ai as its users run it: a task with a dataset, generate, a scorer, a log; its own display off."""

from collections.abc import Callable

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from benchmarks.contestants.plan import Plan, Question

_KINDS = {"system": ChatMessageSystem, "user": ChatMessageUser}


def prepare(plan: Plan) -> Callable[[int], None]:
    def run(calls: int) -> None:
        samples = [_sample(one) for one in plan.questions(calls)]
        task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=includes())
        config = GenerateConfig(max_connections=plan.concurrency, max_tokens=256, temperature=0)
        model = get_model(
            "openai/bench", base_url=plan.url, api_key="none", config=config, responses_api=False, streaming=True
        )
        log = eval(
            task, model=model, display="none", log_dir=str(plan.scratch / "inspect"), max_samples=plan.concurrency
        )[0]
        if log.status != "success" or log.results is None:
            raise RuntimeError(f"inspect ended with {log.status}: {log.error}")
        accuracy = log.results.scores[0].metrics["accuracy"].value
        if accuracy != 1 or log.results.completed_samples != calls:
            raise RuntimeError(f"{log.results.completed_samples} of {calls} samples, accuracy {accuracy}")

    return run


def _sample(question: Question) -> Sample:
    messages = [_KINDS[one["role"]](content=one["content"]) for one in question.messages]
    return Sample(input=messages, target=question.reply)
