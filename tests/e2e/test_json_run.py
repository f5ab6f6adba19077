"""A suite of one's own whose answers are JSON, as a user types it: free, under a grammar, and both."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.openai_server import Step, reply, serve_in_thread

SUITE = """
name: orders
title: Orders read out of a sentence
description: One object each.
licence: CC0-1.0
loader: jsonl
scorer: text
"""
SCHEMA = {
    "type": "object",
    "properties": {"item": {"type": "string", "enum": ["pen", "book"]}, "count": {"type": "integer", "minimum": 1}},
    "required": ["item", "count"],
    "additionalProperties": False,
}


def suite(folder: Path, **target: Any) -> Path:
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    lines = [
        json.dumps({"prompt": f"I would like {count} pens.", "target": {"kind": "text", **one}})
        for count in (2, 3)
        for one in [
            target or {"match": "json", "schema": SCHEMA, "accepted": [json.dumps({"item": "pen", "count": 2})]}
        ]
    ]
    (folder / "samples.jsonl").write_text("\n".join(lines))
    return folder


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "suite=local", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def journal(cwd: Path, name: str) -> list[dict[str, Any]]:
    lines = (cwd / "results" / "run" / "latest" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def at(url: str) -> tuple[str, ...]:
    return "model=endpoint", f"model.url={url}", "model.name=test-model", "run.warmup=0"


def test_the_misses_of_a_json_suite_come_back_under_the_grammar(tmp_path: Path) -> None:
    home = suite(tmp_path / "orders")

    def answer(_n: int, body: dict[str, Any]) -> Sequence[Step]:
        return reply('{"item": "pen", "count": 2}' if "response_format" in body else "two pens")

    with serve_in_thread(answer) as server:
        words = (f"suite.path={home}", *at(server.url), "model.protocol=prompted", "run.recheck=constrained")
        done = harness(tmp_path, *words)

    assert done.returncode == 0, done.stderr
    found = [json.loads(one.read_text()) for one in (tmp_path / "results" / "run").glob("2*/summary.json")]
    (first,) = [one for one in found if one["of_run"] is None]
    assert (first["accuracy"], first["grammar"]["n_samples"], first["grammar"]["points_back"]) == (0.0, 2, 2.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.protocol=constrained"], "add model.protocol=prompted"),
        (["model=recorded", "model.name=x", "backend.path=."], "recorded answers cannot be asked"),
    ],
)
def test_a_recheck_that_cannot_be_is_refused_in_one_line_before_the_run(
    words: list[str], said: str, tmp_path: Path
) -> None:
    home = suite(tmp_path / "orders")
    model = () if words[0] == "model=recorded" else at("http://127.0.0.1:9/v1")

    done = harness(tmp_path, f"suite.path={home}", *model, *words, "run.recheck=constrained")

    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr


@pytest.mark.model
@pytest.mark.parametrize("with_schema", [True, False])
def test_the_small_model_keeps_to_the_form_under_the_grammar(with_schema: bool, tmp_path: Path) -> None:
    target: dict[str, Any] = {"match": "json", "accepted": [json.dumps({"item": "pen", "count": 2})]}
    home = suite(tmp_path / "orders", **target, **({"schema": SCHEMA} if with_schema else {}))

    done = harness(tmp_path, f"suite.path={home}", "model=smollm2", "model.protocol=constrained")

    assert done.returncode == 0, done.stderr
    replies = [one["reply"] for one in journal(tmp_path, "attempts")]
    misses = [one["miss"] for one in journal(tmp_path, "scores")]
    assert len(replies) == 2
    assert all(one["content"].startswith("{") for one in replies), replies
    assert {"decode", "schema", "no_answer"}.isdisjoint(misses), replies
    assert not with_schema or all(one["finish_reason"] == "stop" for one in replies), replies
