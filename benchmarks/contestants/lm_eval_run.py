"""lm-eval as its users run it: a task with a metric over its chat-completions model, which does not stream."""

import json
import logging
from collections.abc import Callable

from lm_eval import simple_evaluate
from lm_eval.models.openai_completions import LocalChatCompletion

from benchmarks.contestants.plan import Plan


def prepare(plan: Plan) -> Callable[[int], None]:
    logging.disable(logging.WARNING)
    plan.scratch.mkdir(parents=True, exist_ok=True)
    model = LocalChatCompletion(
        base_url=f"{plan.url}/chat/completions",
        model="bench",
        tokenizer_backend=None,
        tokenized_requests=False,
        num_concurrent=plan.concurrency,
        max_retries=1,
    )

    def run(calls: int) -> None:
        found = simple_evaluate(model=model, tasks=[_task(plan, calls)], apply_chat_template=True, bootstrap_iters=0)
        accuracy = found["results"]["bench"]["exact_match,none"]
        if accuracy != 1 or found["n-samples"]["bench"]["effective"] != calls:
            raise RuntimeError(f"{found['n-samples']} of {calls} calls, accuracy {accuracy}")

    return run


def _task(plan: Plan, calls: int) -> dict[str, object]:
    """A task over a local file of questions."""
    file = plan.scratch / f"lm_eval_{calls}.jsonl"
    rows = ({"system": q.messages[0]["content"], "question": q.messages[-1]["content"], "reply": q.reply}
            for q in plan.questions(calls))  # fmt: skip
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return {
        "task": "bench",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}\n\n{{system}}",  # the server knows a question by its beginning
        "doc_to_target": "{{reply}}",
        "generation_kwargs": {"until": [], "max_gen_toks": 256},
        "metric_list": [{"metric": "exact_match"}],
    }
