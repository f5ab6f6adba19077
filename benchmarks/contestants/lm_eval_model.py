"""lm-eval's chat-completions model, the part of it that calls: it does not stream, and nothing is judged or kept."""

import json
from collections.abc import Callable

from lm_eval.api.instance import Instance
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import LocalChatCompletion

from benchmarks.contestants.plan import Plan, Question, check


def prepare(plan: Plan) -> Callable[[int], None]:
    model = LocalChatCompletion(
        base_url=f"{plan.url}/chat/completions",
        model="bench",
        tokenizer_backend=None,
        tokenized_requests=False,
        num_concurrent=plan.concurrency,
        max_retries=1,
    )

    def run(calls: int) -> None:
        questions = plan.questions(calls)
        said = model.generate_until([_instance(at, one) for at, one in enumerate(questions)], disable_tqdm=True)
        for reply, question in zip(said, questions, strict=True):
            check(reply, question)

    return run


def _instance(at: int, question: Question) -> Instance:
    arguments = (JsonChatStr(json.dumps(question.messages)), {"max_gen_toks": 256, "until": []})
    return Instance(request_type="generate_until", doc={}, arguments=arguments, idx=at)
