"""From log to suite over the nodes of a Ray cluster, local processes on loopback: the same as on one machine."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchmarks.scale import lines as made_up_log
from harness.logs.store import LogStore

ray = pytest.importorskip("ray", reason="the extra ray is not installed (make test-ray)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PATIENCE_S = 600
CALLS = 12_000
"""About 20 MB: several parts for each node."""
STEPS = {
    "collect": ["logs.path=../log.jsonl"],
    "curate": ["curate.name=big", "curate.key_file=../pseudonyms.key"],  # else each folder has a key of its own
    "cluster": ["cluster.calls=curated/big", "cluster.embedding=tfidf"],
    "build": ["build.calls=curated/big", "build.name=big", "build.clusters=clusters/big/assignments.parquet"],
}
MADE = (
    "curated/big/calls.parquet", "curated/big/contents.parquet", "clusters/big/assignments.parquet",
    "clusters/big/map.json", "suites/big/samples.jsonl",
)  # fmt: skip


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without processors of its own, and two nodes with one each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    with path.open("wb") as file:
        file.writelines(made_up_log(CALLS))
    key = path.with_name("pseudonyms.key")
    key.write_text("made up for this test, the same for all its folders\n")
    key.chmod(0o600)
    return path


def command(do: str, words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "harness", f"do={do}", *words, "progress=plain"]


def finish(cwd: Path, do: str, words: Sequence[str]) -> None:
    done = subprocess.run(command(do, words), cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{do}: {done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


def stored(folder: Path) -> tuple[dict[str, tuple[object, ...]], list[str]]:
    """The calls of a store by id, and its messages in their order."""
    store = LogStore.open(folder / "logstore", key=None, reader="test")
    calls: dict[str, tuple[object, ...]] = {}
    calls |= {one.id: (one.session, one.step, one.at, one.messages, one.tools, one.reply) for one in store.records()}
    contents = sorted((folder / "logstore" / "contents").iterdir())
    return calls, [text for one in contents for text in pq.ParquetFile(one).read(columns=["json"])["json"].to_pylist()]


def hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in MADE}


def in_own_folder(log: Path, name: str) -> Path:
    folder = log.parent / name
    folder.mkdir()
    return folder


def test_all_four_verbs_make_over_a_cluster_what_one_machine_makes(cluster: Any, log: Path) -> None:
    spread, alone = in_own_folder(log, "spread"), in_own_folder(log, "alone")

    for do, words in STEPS.items():
        finish(spread, do, [*words, "executor=ray", f"executor.address={cluster.address}"])
        finish(alone, do, [*words, "executor.cores=1"])

    assert stored(spread) == stored(alone)
    assert hashes(spread) == hashes(alone)


def test_a_node_lost_in_the_middle_costs_nothing(cluster: Any, log: Path) -> None:
    spread, alone = in_own_folder(log, "lost"), in_own_folder(log, "whole")
    words = [*STEPS["collect"], "executor=ray", f"executor.address={cluster.address}"]

    with subprocess.Popen(
        command("collect", words), cwd=spread, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        _wait_until_work_begins(process)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        try:
            error = process.communicate(timeout=PATIENCE_S)[1]
        finally:
            process.kill()
    finish(alone, "collect", [*STEPS["collect"], "executor.cores=1"])

    assert process.returncode == 0, error
    assert stored(spread) == stored(alone)


def _wait_until_work_begins(process: "subprocess.Popen[str]") -> None:
    """Returns once the first entries are booked, with most of the log still to be read."""
    assert process.stderr is not None
    until = time.monotonic() + PATIENCE_S
    for line in process.stderr:
        if "reading" in line:
            return
        assert time.monotonic() < until
    raise AssertionError(f"the command ended before it read anything, with {process.wait()}")
