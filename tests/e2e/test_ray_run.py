"""A run over the nodes of a Ray cluster, local processes on loopback, one of them killed in the middle."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records import Attempt
from harness.store.journal import read_journal
from harness.store.runs import read_run
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

ray = pytest.importorskip("ray", reason="the extra ray is not installed (make test-ray)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A head without processors of its own, and so many nodes with one each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(request.param):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


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
