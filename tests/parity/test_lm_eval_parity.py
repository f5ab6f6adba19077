"""The same replies through lm-eval's own evaluator and through ours: prompts, metrics of each reply, aggregates."""

import hashlib
import json
import logging
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.lm_eval_results import export_lm_eval
from harness.records import Attempt, Reply, Sample, Score, TaskTarget, Timing, target_of
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.scorers.lm_eval import LmEvalScorer
from harness.scorers.lm_eval_tasks import task_options
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.lm_eval_tasks import samples, write_tasks

lm_eval = pytest.importorskip("lm_eval", reason="needs lm_eval: pip install 'slm-harness[suites]'")

GENERATING = ("mini_math", "mini_rules", "mini_bleu")
COMPARING = ("mini_letters", "mini_capitals", "mini_last_word")
REPLIES = (
    "#### {n}",
    "So #### {n}",
    "I say {n}.",
    "QUITE {n}",
    "it is {n}, and so on, and on, and on, and on",
    "That is {n} in all.\n#### 42",
)


def draw(*of: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(of).encode()).digest()[:4])


def said(prompt: str, repeat: int = 0) -> str:
    """The reply to a prompt: anything, but always the same."""
    number = draw(prompt, str(repeat))
    sums = [int(word) for word in prompt.rsplit("Tom", 1)[-1].replace(".", " ").split() if word.isdigit()]
    return REPLIES[number % len(REPLIES)].format(n=sum(sums[:2]) if number // 8 % 4 else number % 50)


def likelihood(context: str, continuation: str) -> tuple[float, bool]:
    return -(draw(context, continuation) % 1000) / 100 - 0.01, draw(continuation, context) % 2 == 0


def scripted() -> Any:
    """A model of lm-eval's that answers as above."""
    from lm_eval.api.model import LM

    class Scripted(LM):  # type: ignore[misc]
        tokenizer_name = "none"

        def __init__(self) -> None:
            super().__init__()
            self.asked: dict[str, int] = Counter()

        def apply_chat_template(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            return json.dumps(messages, ensure_ascii=False)

        def chat_template(self, chat_template: bool | str = False) -> str:
            return ""

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [likelihood(*one.args) for one in requests]

        def generate_until(self, requests: list[Any]) -> list[str]:
            found = []
            for one in requests:
                found.append(said(one.args[0], self.asked[one.args[0]]))
                self.asked[one.args[0]] += 1
            return found

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

    return Scripted()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    logging.getLogger("lm_eval").setLevel(logging.ERROR)


def reference(folder: Path, *tasks: str, chat: bool) -> dict[str, Any]:
    """What lm-eval makes of the scripted model."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False, include_path=str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: dict[str, Any] = simple_evaluate(
            scripted(), tasks=list(tasks), task_manager=manager, apply_chat_template=chat, fewshot_as_multiturn=chat,
            bootstrap_iters=100,
        )  # fmt: skip
    return found


def prompt_of(sample: Sample) -> str:
    return json.dumps([{"role": one.role, "content": one.content} for one in sample.messages], ensure_ascii=False)


def answered(sample: Sample, trial: int = 0) -> Attempt:
    pairs = target_of(sample, TaskTarget).pairs
    text = json.dumps([likelihood(*pair) for pair in pairs]) if pairs else said(prompt_of(sample), trial)
    return Attempt(
        sample=sample.id, model="m", protocol="native", trial=trial, backend="b", reply=Reply(content=text),
        timing=Timing(at=0.0, end_ns=1),
    )  # fmt: skip


def scored(folder: Path, name: str) -> dict[int, Score]:
    scorer = LmEvalScorer(task_options({"tasks": [name], "include_path": str(folder)}))
    found = {}
    for sample in samples(folder, name):
        reply = answered(sample).reply
        assert reply is not None
        found[int(str(target_of(sample, TaskTarget).data["doc_id"]))] = scorer.verdict(sample, reply)
    return found


@pytest.mark.parametrize("name", [*GENERATING, *COMPARING])
def test_prompts_are_those_of_lm_eval(folder: Path, name: str) -> None:
    rows = reference(folder, name, chat=name in GENERATING)["samples"][name]

    wanted = {row["doc_id"]: row["arguments"] for row in rows}
    for sample in samples(folder, name):
        target = target_of(sample, TaskTarget)
        theirs = wanted[int(str(target.data["doc_id"]))]
        if target.pairs:
            assert list(target.pairs) == theirs
        else:
            assert (prompt_of(sample), target.data["gen_kwargs"]) == theirs[0]


def test_a_limited_run_asks_its_documents_as_a_full_one_does(folder: Path) -> None:
    whole = {sample.id: sample for sample in samples(folder, "mini_math")}

    some = samples(folder, "mini_math", limit=4)

    assert len(some) == 4
    assert all(whole[sample.id] == sample for sample in some)


@pytest.mark.parametrize("name", ["mini_math", "mini_rules", *COMPARING])
def test_metrics_of_each_reply_are_those_of_lm_eval(folder: Path, name: str) -> None:
    rows = reference(folder, name, chat=name in GENERATING)["samples"][name]

    found = scored(folder, name)

    compared = 0
    for row in rows:
        score = found[row["doc_id"]]
        for metric in row["metrics"]:
            key = f"{metric},{row['filter']}"
            if key in score.parts:
                assert score.parts[key] == float(row[metric])
            elif key in score.counts:
                assert score.counts[key] == (sum(row[metric]), len(row[metric]))
            else:
                assert metric == "perplexity"
            compared += 1
    assert compared >= len(found)
    assert {score.value for score in found.values()} == {0.0, 1.0}


def test_a_reply_to_a_task_that_has_only_metrics_of_a_corpus_has_no_value(folder: Path) -> None:
    score = next(iter(scored(folder, "mini_bleu").values()))

    assert score.value is None
    assert "bleu" in score.why


def job(folder: Path, results: Path, url: str, tasks: tuple[str, ...], trials: int = 1) -> Job:
    """A run of these tasks against an endpoint."""
    told: dict[str, JsonValue] = {"tasks": cast(JsonValue, list(tasks)), "include_path": str(folder)}
    made = echo_job(url, results, trials=trials)
    config = made.config.model_copy(
        update={"suite": made.config.suite.model_copy(update={"name": "lm_eval", "tasks": tasks, "options": told})}
    )
    scorer = LmEvalScorer(task_options(told))
    return Job(config, "lm_eval", "0" * 64, tuple(samples(folder, *tasks)), made.backend, None, scorer)


def test_aggregates_and_logs_of_a_run_are_those_of_lm_eval(folder: Path, tmp_path: Path) -> None:
    def answer(_n: int, body: dict[str, object]) -> list[fake.Step]:
        prompt = json.dumps(body["messages"], ensure_ascii=False)
        return fake.reply(*([said(prompt)] if '"Say OK."' not in prompt else ["OK"]))

    with fake.serve_in_thread(answer) as server:
        (outcome,) = execute([job(folder, tmp_path, server.url, GENERATING)])
    theirs = reference(folder, *GENERATING, chat=True)

    path = export_lm_eval(outcome.folder, tmp_path / "out", folder)

    ours = json.loads(path.read_text())
    for name in GENERATING:
        same = {key for key in theirs["results"][name] if not key.startswith("bleu_stderr")}  # a bootstrap
        assert {key: ours["results"][name][key] for key in same} == {key: theirs["results"][name][key] for key in same}
        lines = (path.parent / f"samples_{name}_{path.stem.removeprefix('results_')}.jsonl").read_text().splitlines()
        logged = {(row["doc_id"], row["filter"]): row for row in map(json.loads, lines)}
        for row in theirs["samples"][name]:
            mine = logged[row["doc_id"], row["filter"]]
            assert set(mine) == set(row)
            assert {key: mine[key] for key in mine if key.endswith("_hash")} == {
                key: row[key] for key in row if key.endswith("_hash")
            }
    for key in ("versions", "n-shot", "higher_is_better", "n-samples", "group_subtasks"):
        assert ours[key] == json.loads(json.dumps(theirs[key])), key
    assert ours["task_hashes"].keys() == set(GENERATING)


def test_trials_are_lm_evals_repeats(folder: Path, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    def answer(_n: int, body: dict[str, object]) -> list[fake.Step]:
        prompt = json.dumps(body["messages"], ensure_ascii=False)
        asked[prompt] += 1
        return fake.reply(said(prompt, asked[prompt] - 1))

    with fake.serve_in_thread(answer) as server:
        (outcome,) = execute([job(folder, tmp_path, server.url, ("mini_vote",), trials=3)])
    theirs = reference(folder, "mini_vote", chat=True)["results"]["mini_vote"]

    ours = json.loads(export_lm_eval(outcome.folder, tmp_path / "out", folder).read_text())["results"]["mini_vote"]

    assert {key: ours[key] for key in theirs} == theirs
    assert ours["exact_match,first"] != ours["exact_match,maj@3"]
    assert {score.value is None for score in read_run(outcome.folder).scores} == {False}


def test_groups_are_aggregated_as_lm_eval_does(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.backends.stream import Reading
    from harness.records import Usage

    async def read(_endpoint: object, pairs: tuple[tuple[str, str], ...], *_: object, **__: object) -> Reading:
        reply = Reply(content=json.dumps([likelihood(*pair) for pair in pairs]), finish_reason="stop")
        return Reading(reply, Timing(at=0.0, end_ns=1), Usage(), None, None)

    monkeypatch.setattr("harness.runner.attempt.read_likelihoods", read)
    with fake.serve_in_thread(lambda _n, _b: fake.reply("OK")) as server:
        (outcome,) = execute([job(folder, tmp_path, server.url, ("minis",))])
    theirs = reference(folder, "minis", chat=False)

    ours = json.loads(export_lm_eval(outcome.folder, tmp_path / "out", folder).read_text())

    assert ours["groups"] == json.loads(json.dumps(theirs["groups"]))
    assert ours["group_subtasks"] == theirs["group_subtasks"]


@pytest.mark.slow  # a name that is not found has all of lm-eval read
def test_a_run_whose_task_files_are_not_here_is_told_where_to_export_it(folder: Path, tmp_path: Path) -> None:
    with fake.serve_in_thread(lambda _n, _b: fake.reply("5")) as server:
        (outcome,) = execute([job(folder, tmp_path, server.url, ("mini_rules",))])
    (tmp_path / "elsewhere").mkdir()

    with pytest.raises(DataError, match="export it where its task files lie"):
        export_lm_eval(outcome.folder, tmp_path / "out", tmp_path / "elsewhere")
