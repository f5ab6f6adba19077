"""Tasks that match text and tasks that compare, written out: collecting tests must not load lm-eval."""

import tempfile
from pathlib import Path

from pydantic import JsonValue

from harness.records import Message, Sample, TaskTarget
from harness.scorers.context import ScorerContext
from tests.support.lm_eval_tasks import write_tasks
from tests.support.specimens import Specimen

__all__ = ["SPECIMENS"]

_FOLDER = write_tasks(Path(tempfile.mkdtemp(prefix="lm-eval-specimens-")))
_CAPITAL: JsonValue = {
    "country": "France",
    "question": "What is the capital of France?",
    "choices": ["Rome", "Paris", "Oslo"],
    "answer": 1,
}
_SUM: JsonValue = {"question": "Tom has 2 apples and buys 3. How many has he?", "answer": "2 + 3 = 5\n#### 5"}


def _specimen(task: str, doc: JsonValue, *pairs: tuple[str, str]) -> Specimen:
    data: dict[str, JsonValue] = {"doc_id": 0, "n_docs": 1, "doc": doc, "gen_kwargs": {}, "chat": True}
    sample = Sample(
        id=f"{task}_0",
        category=task,
        messages=(Message(role="user", content="Tom has 2 apples and buys 3. How many has he?"),),
        target=TaskTarget(task=task, data=data, request={"stop": ["Question:"]}, pairs=pairs),
        scorer="lm_eval",
    )
    return Specimen(sample, ScorerContext(options={"tasks": [task], "include_path": str(_FOLDER)}))


SPECIMENS = [
    _specimen("mini_math", _SUM),
    _specimen("mini_letters", _CAPITAL, ("Answer:", " A"), ("Answer:", " B"), ("Answer:", " C")),
    _specimen("mini_last_word", _CAPITAL, ("The capital of France is", " Paris")),
]
