"""Programs that attack the sandbox: none comes out, none stays, none passes."""

import asyncio
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.config import SandboxConfig
from harness.errors import ConfigError
from harness.sandbox.bare import BareBox
from harness.sandbox.box import Box, Role, Started
from harness.sandbox.bwrap import BwrapBox
from harness.sandbox.run import Job, Reading, Verdict, judge
from tests.support.attacks import FORGERIES, RIGHT, Attack
from tests.support.attacks.walls import ESCAPES, FLOODS

ATTACKS = [*FORGERIES, *ESCAPES, *FLOODS]
LIMITS = SandboxConfig(kind="bwrap", timeout_s=20, memory_mb=512, processes=16, disk_mb=4)
SHORT_S = 1.5


@dataclass(frozen=True, slots=True)
class Bait:
    """What a program would find outside: a secret in a file and in the environment, and servers that say hello."""

    home: Path
    secret: str
    port: int
    socket: str
    pid: int

    def put_into(self, text: str) -> str:
        values = {
            "home": str(self.home),
            "secret": self.secret,
            "port": self.port,
            "socket": self.socket,
            "pid": self.pid,
        }
        return text.format(**values)


class Marked:
    """A box whose processes can be found again by a mark in their command line, and by their own user id."""

    def __init__(self, box: Box) -> None:
        self.kind = box.kind
        self.mark = f"mark-{uuid.uuid4().hex}"
        self.box = box

    def start(self, role: Role) -> Started:
        started = self.box.start(role)
        return replace(started, command=(*started.command, self.mark))

    async def end(self, process: asyncio.subprocess.Process, started: Started) -> None:
        await self.box.end(process, started)

    def alive(self) -> list[int]:
        found = []
        for one in Path("/proc").iterdir():
            try:
                if one.name.isdigit() and self.mark.encode() in (one / "cmdline").read_bytes():
                    found.append(int(one.name))
            except OSError:
                continue
        return found


@pytest.fixture(scope="module")
def box() -> BwrapBox:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (apt-get install bubblewrap)")
    try:
        return BwrapBox(LIMITS)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bait]:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    secret = f"secret-{uuid.uuid4().hex}"
    (home / "secret.txt").write_text(secret)
    monkeypatch.setenv("CANARY", secret)
    name = uuid.uuid4().hex
    streams = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
    port = streams[0].getsockname()[1]
    streams[1].bind(os.path.relpath(home / "socket"))
    streams[2].bind(f"\0{name}")
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    for one in streams:
        one.listen()
        threading.Thread(target=_greet, args=(one,), daemon=True).start()
    threading.Thread(target=_echo, args=(datagrams,), daemon=True).start()
    yield Bait(home, secret, port, name, os.getpid())
    for one in (*streams, datagrams):
        one.shutdown(socket.SHUT_RDWR) if one is not datagrams else one.sendto(b"", ("127.0.0.1", port))
        one.close()


def _greet(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"hello")


def _echo(server: socket.socket) -> None:
    while True:
        try:
            data, whence = server.recvfrom(10)
        except OSError:
            return
        if not data:
            return
        server.sendto(b"hello", whence)


def _judged(box: Box, attack: Attack, bait: Bait) -> Verdict:
    limits = LIMITS.model_copy(update={"timeout_s": SHORT_S}) if attack.hangs else LIMITS
    source = bait.put_into(attack.source) if attack.name.startswith("escape") else attack.source
    job = Job((Reading(source),), attack.tests, entry_point="f")
    return asyncio.run(judge(box, limits, job))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_an_attack_neither_comes_out_nor_stays_nor_passes(attack: Attack, box: BwrapBox, bait: Bait) -> None:
    marked = Marked(box)

    verdict = _judged(marked, attack, bait)

    assert verdict.outcome in attack.expected, verdict
    assert verdict.wall_s < LIMITS.timeout_s
    assert marked.alive() == []
    assert sorted(one.name for one in bait.home.iterdir()) == ["secret.txt", "socket"]
    assert not [one for one in ("/", "/tmp", "/dev/shm", "/var/tmp") if (Path(one) / f"made-{bait.socket}").exists()]


def test_there_are_at_least_forty() -> None:
    names = {one.name for one in ATTACKS}

    assert len(names) == len(ATTACKS) >= 40


@pytest.mark.parametrize(
    "name",
    [
        "read a file of the home folder",
        "go up",
        "connect by TCP",
        "send by UDP",
        "connect to a socket file",
        "connect to an abstract socket",
        "write to the home folder",
        "see processes of others",
        "write through a link",
    ],
)
def test_the_attacks_are_real_for_without_a_wall_they_succeed(name: str, bait: Bait) -> None:
    attack = next(one for one in ESCAPES if one.name == f"escape: {name}")

    verdict = _judged(BareBox(LIMITS), attack, bait)

    assert verdict.outcome == "passed", verdict


def test_an_honest_program_passes_beside_them(box: BwrapBox) -> None:
    job = Job((Reading("def f(x):\n    return x + 1\n"),), RIGHT, entry_point="f")

    verdict = asyncio.run(judge(box, LIMITS, job))

    assert verdict.outcome == "passed", verdict
