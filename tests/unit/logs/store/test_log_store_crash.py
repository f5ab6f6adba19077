"""A store whose writer is killed at any moment: what was committed is there, once, and all of it can be read."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.logs.store import LogStore, StoreKey
from tests.support.log_calls import session

KEY = StoreKey(bytes(range(32)))
OTHER = StoreKey(bytes(range(1, 33)))

WORK = """
import os, signal, sys
from pathlib import Path
from harness.logs.store import LogStore, StoreKey
from tests.support.log_calls import session

base, what, allowed, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
key, other = StoreKey(bytes(range(32))), StoreKey(bytes(range(1, 33)))
steps = 0

def counted(name):
    real = getattr(os, name)
    def step(*words, **named):
        global steps
        steps += 1
        if steps > allowed:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **named)
    setattr(os, name, step)

def work(folder, *there):
    store = LogStore.open(folder, key=key, create=True, reader="child")
    if there:
        store.append([one for name in there for one in session(name, 2)])
    for name in ("replace", "unlink", "fsync", "mkdir", "rmdir"):
        counted(name)
    if what == "append":
        store.append([*session("old", 2), *session("new", 3)])
    elif what == "forget":
        store.forget(session="old")
    elif what == "rotate":
        store.rotate(other)
    for number in range(100_000 if what == "forever" else 0):
        store.append(session(f"s{number}", 2))
        print(number, flush=True)

if not stride:
    work(base)
    sys.exit()
while True:  # a process of its own for each moment to be killed at, with what is imported already
    child = os.fork()
    if not child:
        work(base / str(allowed), *sys.argv[5:])
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        sys.exit(status)
    allowed += stride
"""


def child(folder: Path, what: str, allowed: int, stride: int = 0, *there: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WORK, str(folder), what, str(allowed), str(stride), *there]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def sessions(folder: Path) -> list[str]:
    """The session of every call, read with whichever key the store has."""
    try:
        store = LogStore.open(folder, key=KEY, reader="test")
    except DataError:
        store = LogStore.open(folder, key=OTHER, reader="test")
    return sorted(str(one.session) for one in store.records())


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("append", ["old"] * 2, ["new"] * 3 + ["old"] * 2),
        ("forget", ["keep", "keep", "old", "old"], ["keep", "keep"]),
        ("rotate", ["old"] * 2, ["old"] * 2),
    ],
)
def test_a_writer_killed_at_any_step_leaves_the_old_state_or_the_new(
    tmp_path: Path, what: str, before: list[str], after: list[str]
) -> None:
    done = child(tmp_path, what, 0, 2, *sorted(set(before)))
    assert done.returncode == 0, done.stderr

    states = {folder.name: tuple(sessions(folder)) for folder in tmp_path.iterdir()}

    assert set(states.values()) == {tuple(before), tuple(after)}, states
    assert len(states) >= 8


def test_what_a_killed_writer_had_committed_is_there_once(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(folder), "forever", "1000000", "0"], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        committed = 0
        while committed < 3:
            committed = int(writer.stdout.readline())
        time.sleep(0.013)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
    committed = int(rest[-1]) if rest else committed

    store = LogStore.open(folder, key=KEY, reader="test")
    ids = [one.id for one in store.records()]

    assert len(ids) == len(set(ids))
    assert {f"s{number}/{step}" for number in range(committed + 1) for step in (0, 1)} <= set(ids)
    assert store.append(session("later", 1)) == 1
    assert not (folder / "staging").exists() or not list((folder / "staging").iterdir())


def test_a_second_writer_is_told_to_wait_and_a_reader_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = LogStore.open(folder, key=KEY, create=True, reader="test")
    store.append(session("one", 2))

    with store.writer():
        done = child(folder, "append", 1_000_000)
        read = len(list(LogStore.open(folder, key=KEY, reader="test").records()))

    assert done.returncode == 1
    assert "is being written by another process; wait" in done.stderr
    assert read == 2


def test_the_lock_of_a_dead_writer_holds_nobody_up(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    assert child(folder, "append", 4).returncode == -signal.SIGKILL

    new = LogStore.open(folder, key=KEY, reader="test").append(session("old", 2))

    assert new in (0, 2)
    assert sessions(folder).count("old") == 2


def test_a_full_disk_is_one_line_and_loses_nothing_committed(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    LogStore.open(folder, key=KEY, create=True, reader="test").append(session("old", 2))
    program = f"""
import resource, sys
from pathlib import Path
from harness.errors import DataError
from harness.logs.store import LogStore, StoreKey
from tests.support.log_calls import session
store = LogStore.open(Path({str(folder)!r}), key=StoreKey(bytes(range(32))), reader="child")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.append([one for name in range(40) for one in session(str(name), 9)])
except DataError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sessions(folder) == ["old", "old"]
    assert LogStore.open(folder, key=KEY, reader="test").append(session("new", 1)) == 1
