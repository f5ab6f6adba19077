"""Parts worked on by processes of this machine: in order, few at a time, and with errors as they were raised."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from harness.config import ExecutorConfig
from harness.cores import ONE_CORE
from harness.errors import BackendError, DataError
from harness.executor.cores import LocalCores, cores_of
from tests.support.stages import Doubled, WhereAndWhen


@pytest.fixture(scope="module")
def cores() -> Iterator[LocalCores]:
    with LocalCores(2) as made:
        yield made


def test_results_come_in_the_order_of_the_parts(cores: LocalCores) -> None:
    assert list(cores.map(Doubled(), range(20, 60))) == [2 * number for number in range(20, 60)]


def test_parts_are_taken_as_results_are(cores: LocalCores) -> None:
    numbers = count()

    made = list(islice(cores.map(Doubled(), numbers), 10))

    assert made == [2 * number for number in range(10)]
    assert next(numbers) <= 10 + 2 * 2 + 2


def test_an_error_of_a_stage_comes_back_as_itself_after_what_was_before_it(cores: LocalCores) -> None:
    made = cores.map(Doubled(), range(20))

    assert list(islice(made, 13)) == [2 * number for number in range(13)]
    with pytest.raises(DataError, match="13 is refused; take another"):
        next(made)
    assert list(cores.map(Doubled(), [1, 2])) == [2, 4]


def test_a_stage_is_opened_once_in_each_process_and_not_here(cores: LocalCores) -> None:
    told = list(cores.map(WhereAndWhen(), range(20)))

    assert os.getpid() not in {process for process, _ in told}
    assert {times for _, times in told} == {1}


def test_a_single_part_starts_no_process() -> None:
    with LocalCores(2) as made:
        ((process, _),) = made.map(WhereAndWhen(), [1])

    assert process == os.getpid()


def test_a_process_that_is_lost_is_an_error_and_the_next_parts_are_worked_on() -> None:
    with LocalCores(2) as made:
        with pytest.raises(BackendError, match="ended from outside"):
            list(made.map(Doubled(), [1, 99, 3, 4]))

        assert list(made.map(Doubled(), [1, 2, 3])) == [2, 4, 6]


_PARENT = """
import os, signal
from harness.executor.cores import LocalCores
from tests.support.stages import WhereAndWhen

if __name__ == "__main__":
    with LocalCores(2) as cores:
        print(*{process for process, _ in cores.map(WhereAndWhen(), range(20))}, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=told)

    workers = [psutil.Process(int(one)) for one in done.stdout.split() if psutil.pid_exists(int(one))]
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert done.stdout, done.stderr
    assert not alive


def test_one_core_is_this_process() -> None:
    with cores_of(ExecutorConfig(cores=1)) as made:
        assert made is ONE_CORE
    with cores_of(ExecutorConfig(cores=3)) as several:
        assert several.count == 3
