"""A run over the nodes of a Ray cluster, local processes on loopback, one of them killed in the middle."""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.records import Attempt
from harness.store.journal import read_journal
from harness.store.runs import read_run
from tests.support import engine_servers as engines
from tests.support.asked import (
    CONCURRENCY,
    answers,
    asked,
    command,
    end,
    finish,
    journal_of,
    lines,
    start,
    wait_for_lines,
)
from tests.support.fake_vllm import fake_python, tiny_weights

ray = pytest.importorskip("ray", reason="the extra ray is not installed (make test-ray)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A head without processors of its own, and so many nodes with one each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=node(num_cpus=0))
    for _ in range(request.param):
        made.add_node(**node(num_cpus=1))
    yield made
    made.shutdown()


PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")


def node(**arguments: object) -> dict[str, object]:
    """What a node is started with: with ports that are given, Ray does not end it for agents that take 15 s."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = {name: one.getsockname()[1] for name, one in zip(PORTS, sockets, strict=True)}
    return {"include_dashboard": False, **ports, **arguments}


@pytest.mark.parametrize("cluster", [2, 4], indirect=True)
def test_a_node_lost_in_the_middle_costs_no_finished_attempt_and_none_is_recorded_twice(
    cluster: Any, tmp_path: Path
) -> None:
    spread, alone = tmp_path / "spread", tmp_path / "alone"
    spread.mkdir()
    alone.mkdir()
    with asked(0.05) as (record, server):
        words = command(server, "suite.limit=400")
        process = start(spread, [*words, "executor=ray", f"executor.address={cluster.address}"])
        wait_for_lines(process, journal_of(spread), 60)
        before = lines(journal_of(spread))
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        error = end(process)
        questions = Counter(record.questions)
        finish(alone, words)

    assert process.returncode == 0, error
    assert lines(journal_of(spread))[: len(before)] == before
    keys = [one.key for one in read_journal(journal_of(spread), Attempt)]
    assert len(keys) == len(set(keys)) == 400
    assert sum(count - 1 for count in questions.values()) <= CONCURRENCY
    assert answers(read_run(journal_of(spread).parent)) == answers(read_run(journal_of(alone).parent))


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_a_budget_holds_over_all_workers(cluster: Any, tmp_path: Path) -> None:
    with asked(0.01) as (record, server):
        words = command(server, "suite.limit=400", "run.budget.calls=50", "executor=ray")
        done = finish(tmp_path, [*words, f"executor.address={cluster.address}"])

    assert done.returncode == 0, done.stderr
    assert len(record.questions) == 50
    assert "the same command goes on" in done.stderr


def test_a_cluster_that_is_not_there_is_one_line_and_exit_3(tmp_path: Path) -> None:
    with asked() as (_, server):
        done = finish(tmp_path, [*command(server, "suite.limit=4"), "executor=ray", "executor.address=127.0.0.1:1"])

    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "no Ray cluster at executor.address=127.0.0.1:1" in done.stderr


def runs_in(cwd: Path) -> dict[str, Path]:
    """Folders of runs by model."""
    folders = [one for one in (cwd / "results" / "run").iterdir() if not one.is_symlink()]
    return {read_run(one).manifest.model: one for one in folders}


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_models_of_a_list_are_run_at_once_with_the_results_of_one_after_another(cluster: Any, tmp_path: Path) -> None:
    at_once, alone = tmp_path / "at_once", tmp_path / "alone"
    at_once.mkdir()
    alone.mkdir()
    with asked(0.05) as (_, server):
        words = [one for one in command(server, "suite.limit=60", "backend.check=false") if "model.name" not in one]
        ray_words = ["executor=ray", f"executor.address={cluster.address}"]
        done = finish(at_once, [*words, "model.name=[a,b]", *ray_words])
        for name in ("a", "b"):
            finish(alone, [*words, f"model.name={name}"])

    assert done.returncode == 0, done.stderr
    spread, one_by_one = runs_in(at_once), runs_in(alone)
    for name in ("a", "b"):
        assert "2 runs went on at the same time" in " ".join(read_run(spread[name]).manifest.warnings)
        assert answers(read_run(spread[name])) == answers(read_run(one_by_one[name]))


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_a_sweep_has_one_budget_and_goes_on_where_one_of_its_runs_fails(cluster: Any, tmp_path: Path) -> None:
    with asked(0.01) as (record, server):
        words = command(server, "suite.limit=40", "run.budget.calls=50", "executor=ray")
        words.remove("model.name=test-model")
        words[3:3] = ["-m", "model.name=test-model,nowhere", "run.seed=1,2"]  # the server has no model `nowhere`
        done = finish(tmp_path, [*words, f"executor.address={cluster.address}"])

    assert done.returncode == 3, done.stderr
    assert done.stderr.count("toolcall, nowhere: the server has no model") == 2
    assert "run.budget.calls=50 is used up" in done.stderr
    assert len(record.questions) == 50


@pytest.fixture
def gpus() -> Iterator[Any]:
    """Two nodes with two processors and two GPUs each, which are not there: Ray deals their numbers out."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=node(num_cpus=0))
    for _ in range(2):
        made.add_node(**node(num_cpus=2, num_gpus=2))
    yield made
    made.shutdown()


@pytest.mark.parametrize(("each", "workers"), [(1, 4), (2, 2)])
async def test_each_replica_of_vllm_gets_gpus_of_its_own(gpus: Any, tmp_path: Path, each: int, workers: int) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    python, weights = fake_python(tmp_path / "venv"), tiny_weights(tmp_path / "w" / "small")
    async with engines.serving(engines.vllm_server("small")) as server:
        words = [
            sys.executable, "-m", "harness", "suite=toolcall", "suite.limit=40", "model=local", "model.name=small",
            f"model.weights.path={weights}", "backend=vllm", f"backend.python={python}", "run.concurrency=4",
            f"backend.tensor_parallel={each}", f"backend.extra_args=[--behind,'{server.url}',--note-in,'{notes}']",
            "executor=ray", f"executor.address={gpus.address}", f"executor.gpus={each}", "progress=off",
        ]  # fmt: skip
        done = await asyncio.to_thread(finish, tmp_path, words)

    seen = [json.loads(one.read_text()) for one in notes.iterdir()]
    assert done.returncode == 0, done.stderr
    assert len(seen) == workers
    cards = Counter(number for one in seen for number in one["environ"]["CUDA_VISIBLE_DEVICES"].split(","))
    assert cards == {"0": 2, "1": 2}  # on each of the two nodes
