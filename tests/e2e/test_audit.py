"""From a log to an audit in one command: planted verdicts come out, and what is done is not done again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.audit_logs import two_models, write_planted
from tests.support.openai_server import Server, serve_in_thread

CALLS = {"router": 110, "archivist": 70, "greeter": 9}
N = sum(CALLS.values())
CHAIN = ("logs.path=calls.jsonl", "cluster.embedding=tfidf", "cluster.min_size=60", "run.concurrency=4", "run.warmup=0")


def harness(cwd: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    told = {**os.environ, "HARNESS_PSEUDONYM_KEY": "k" * 44, "XDG_STATE_HOME": str(cwd / "state")}
    command = [sys.executable, "-m", "harness", "progress=off", "do=audit", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=told)


@dataclass(frozen=True)
class Place:
    folder: Path
    server: Server
    stopped: "subprocess.CompletedProcess[str]"
    asked_first: int
    done: "subprocess.CompletedProcess[str]"

    def audit(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "results" / "audit" / "latest" / "audit.json").read_text()))

    def model(self, names: str) -> tuple[str, ...]:
        return ("model=endpoint", f"model.url={self.server.url}", f"model.name={names}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An audit of two models that a budget stopped, and the same command again."""
    folder = tmp_path_factory.mktemp("audit")
    write_planted(folder / "calls.jsonl", **CALLS)
    with serve_in_thread(two_models, models=("good", "bad")) as server:
        words = (*CHAIN, "model=endpoint", f"model.url={server.url}", "model.name=[good,bad]")
        stopped = harness(folder, *words, "run.budget.calls=150")
        asked = len(server.bodies)
        yield Place(folder, server, stopped, asked, harness(folder, *words))


def test_a_spent_budget_stops_in_order_and_says_how_to_go_on(place: Place) -> None:
    assert place.stopped.returncode == 0, place.stopped.stderr
    assert place.asked_first == 150
    assert "run.budget.calls=150 is used up, 39 of 189 attempts to go" in place.stopped.stderr
    assert "there is nothing to judge: the same command goes on" in place.stopped.stderr
    assert "estimate     378 calls in all" in place.stopped.stderr


def test_the_planted_verdicts_come_out(place: Place) -> None:
    assert place.done.returncode == 0, place.done.stderr
    audit = place.audit()
    names = {variant["id"]: variant["model"] for variant in audit["selection"]["variants"]}
    verdicts = {
        cluster["agents"][0]: (decision["verdict"], cluster["next"], names.get(decision["variant"]))
        for cluster, decision in zip(audit["clusters"], audit["selection"]["decisions"], strict=True)
    }
    assert verdicts["router"] == ("replace", "move", "good")
    assert verdicts["archivist"][:2] == ("keep", "keep")
    assert verdicts["greeter"] == ("need-n-more", "measure", "good")
    moved = {one["agent"]: (one["moves"], one["open"]) for one in audit["agents"]}
    assert moved == {"router": (1.0, 0.0), "archivist": (0.0, 0.0), "greeter": (0.0, 1.0)}
    assert "58 % of the calls can move from big-1 to good today" in " ".join(place.done.stdout.split())


def test_the_page_leads_to_evidence_that_is_there(place: Place) -> None:
    page = (place.folder / "reports" / "audit.html").read_text()

    for name, link in place.audit()["links"].items():
        assert (place.folder / "reports" / link).is_file(), name
        assert f'href="{link}"' in page
    assert str(place.folder) not in page
    assert "http://" not in page.replace(place.server.url, "")


def test_what_is_done_is_not_done_again_and_one_model_spoils_no_other(place: Place) -> None:
    assert len(place.server.bodies) == 2 * N

    again = harness(place.folder, *CHAIN, *place.model("[good,gone]"))

    assert len(place.server.bodies) == 2 * N
    assert again.returncode == 3
    assert "as before: 189 answers" in again.stderr
    assert again.stderr.splitlines()[-1].startswith("harness: 1 of 2 models could not be asked (above), the others are")
    assert "gone was not asked" in (place.folder / "reports" / "audit.html").read_text()
