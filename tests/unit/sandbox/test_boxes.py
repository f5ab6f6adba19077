"""The kinds of sandbox: how each is started, which one is taken, and what is said where there is none."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

from harness.config import SandboxConfig
from harness.errors import BackendError, ConfigError
from harness.sandbox.bare import BareBox
from harness.sandbox.bwrap import BwrapBox
from harness.sandbox.docker import DockerBox
from harness.sandbox.interpreter import interpreter
from harness.sandbox.run import Job, Reading, Verdict, find_box, judge

# Stands in for Docker's client: answers as its engine would, and runs the container's command without a container.
DOCKER = """#!{python}
import os, sys
args = sys.argv[1:]
with open({log!r}, "a") as log:
    print(args, file=log)
if args[0] == "version":
    sys.exit({engine})
if args[0] == "image":
    sys.exit({image})
if args[0] == "kill":
    sys.exit(0)
inside = args[args.index("--volume") + 1].split(":")[0]
root = {root!r}
rest = args[args.index({name!r}) + 1:]
code = rest[rest.index("-c") + 1].replace("'/box'", repr(root))
os.execv(sys.executable, [sys.executable, *rest[:rest.index("-c")], "-c", code, *rest[rest.index("-c") + 2:]])
"""


def _judge(config: SandboxConfig, source: str, tests: str = "assert f(2) == 3\n") -> Verdict:
    return asyncio.run(judge(find_box(config), config, Job((Reading(source),), tests, entry_point="f")))


def _docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *, engine: int = 0, image: int = 0) -> Path:
    log = folder / "log"
    root = Path(__file__).resolve().parents[3]
    text = DOCKER.format(
        python=sys.executable, log=str(log), engine=engine, image=image, root=str(root), name="python:3.11-slim"
    )
    program = folder / "docker"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return log


def test_without_a_wall_programs_run_when_that_was_said() -> None:
    verdict = _judge(SandboxConfig(kind="none"), "def f(x):\n    return x + 1\n")

    assert verdict.outcome == "passed", verdict


def test_without_a_wall_limits_hold_all_the_same() -> None:
    config = SandboxConfig(kind="none", timeout_s=2, memory_mb=256)

    assert _judge(config, "x = bytearray(1 << 30)").outcome == "memory"
    assert _judge(config, "while True: pass").outcome == "time"
    assert _judge(config, "while True: print('x' * 1000)").outcome == "output"


def test_without_a_wall_what_it_leaves_in_its_folder_goes(tmp_path: Path) -> None:
    box = BareBox(SandboxConfig(kind="none"))
    folder = Path(box.start("program").folder)

    assert folder.is_dir()
    assert folder != Path("/")


def test_auto_refuses_where_there_is_neither(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError) as refused:
        find_box(SandboxConfig())

    assert str(refused.value) == (
        "programs that a model wrote need a sandbox, and there is none: bubblewrap is not installed; "
        "type: apt-get install bubblewrap; docker is not installed. Type: apt-get install bubblewrap; "
        "or, if you trust them with all that you may do here: scoring.sandbox.kind=none"
    )


def test_docker_without_an_engine_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _docker(tmp_path, monkeypatch, engine=1)

    with pytest.raises(ConfigError, match="the Docker engine does not answer; start it"):
        find_box(SandboxConfig(kind="docker"))


def test_docker_without_the_image_says_what_to_pull(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _docker(tmp_path, monkeypatch, image=1)

    with pytest.raises(ConfigError, match=r"docker pull python:3\.11-slim"):
        find_box(SandboxConfig(kind="docker"))


def test_auto_takes_docker_where_bubblewrap_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _docker(tmp_path, monkeypatch)

    assert find_box(SandboxConfig()).kind == "docker"


def test_a_container_has_no_network_no_rights_and_no_writable_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _docker(tmp_path, monkeypatch)
    config = SandboxConfig(kind="docker", memory_mb=300, processes=7, disk_mb=5)

    started = DockerBox(config).start("program")

    words = list(started.command)
    for one in ("--rm", "--interactive", "--read-only"):
        assert one in words
    wanted = {
        "--network": "none",
        "--ipc": "none",
        "--user": "65534:65534",
        "--cap-drop": "ALL",
        "--security-opt": "no-new-privileges",
        "--pids-limit": "7",
        "--memory": "300m",
        "--memory-swap": "300m",
        "--name": started.name,
        "--pull": "never",
    }
    assert {key: words[words.index(key) + 1] for key in wanted} == wanted
    assert words[words.index("--tmpfs") + 1] == "/tmp:rw,nosuid,nodev,size=5m,mode=1777"
    assert words[words.index("--volume") + 1].endswith("/harness/sandbox/inside:/box/harness/sandbox/inside:ro")
    assert words.index("python:3.11-slim") > words.index("--volume")
    assert DockerBox(config).start("program").name != started.name


def test_the_client_of_docker_carries_a_program_and_its_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = _docker(tmp_path, monkeypatch)
    config = SandboxConfig(kind="docker", timeout_s=3)

    right = _judge(config, "def f(x):\n    return x + 1\n")
    wrong = _judge(config, "def f(x):\n    return x\n")

    assert (right.outcome, wrong.outcome) == ("passed", "failed")
    assert log.read_text().count("'run'") == 4


def test_a_sandbox_that_breaks_is_no_verdict_on_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _docker(tmp_path, monkeypatch)
    config = SandboxConfig(kind="docker")
    box = find_box(config)
    (tmp_path / "docker").write_text("#!/bin/sh\necho the engine is gone >&2\nexit 125\n")

    with pytest.raises(BackendError, match="without a verdict: the engine is gone"):
        asyncio.run(judge(box, config, Job((Reading("def f(x): return 3"),), "assert f(2) == 3", entry_point="f")))


needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@needs_bwrap
def test_auto_prefers_bubblewrap() -> None:
    assert find_box(SandboxConfig()).kind == "bwrap"


@needs_bwrap
def test_bubblewrap_that_may_not_work_says_what_the_machine_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match=r"cannot work here \(bwrap: No permissions to create new namespace\)"):
        BwrapBox(SandboxConfig(kind="bwrap"))


@needs_bwrap
def test_each_program_has_a_user_of_its_own_or_a_namespace_of_users() -> None:
    box = BwrapBox(SandboxConfig(kind="bwrap"))
    first, second = box.start("program"), box.start("program")
    for one in (*first.descriptors, *second.descriptors):
        os.close(one)

    if os.geteuid() == 0:
        assert first.command[-1] != second.command[-1]
        assert '"uid"' in first.command[-1]
    else:
        assert "--unshare-user" in first.command


@needs_bwrap
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to be someone else")
def test_it_works_for_a_user_without_rights_too() -> None:
    root = Path(__file__).resolve().parents[3]
    code = (
        "import asyncio\nfrom harness.config import SandboxConfig\nfrom harness.sandbox.run import *\n"
        "c = SandboxConfig(kind='bwrap')\nbox = find_box(c)\n"
        "for s in ('def f(x): return x + 1', 'import os\\ndef f(x): os._exit(0)', 'import os\\nwhile 1: os.fork()',\n"
        '          \'def f(x): open("/proc/sys/kernel/core_pattern", "w"); return 3\'):\n'
        "    print(asyncio.run(judge(box, c, Job((Reading(s),), 'assert f(2) == 3', entry_point='f'))).outcome)\n"
    )
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    packages = str(Path(pydantic.__file__).parents[1])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{packages}:{root}", "HOME": "/nonexistent"}
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        words = [*user, python, "-B", "-c"]
        try:
            subprocess.run(
                [*words, "import sys, pydantic; open(sys.executable)"],
                check=True,
                capture_output=True,
                env=environment,
                cwd="/",
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        break
    else:
        pytest.skip("no Python of this version with these packages is readable for another user")

    done = subprocess.run([*words, code], check=True, capture_output=True, text=True, env=environment, cwd="/")

    assert done.stdout.split() == ["passed", "failed", "failed", "failed"]


def test_what_python_needs_is_asked_of_it() -> None:
    python = interpreter()

    assert Path(python.program).is_file()
    assert not any(one.startswith(f"{other}/") for one in python.folders for other in python.folders)
    assert not any(Path.home() == Path(one) or Path(one) == Path("/") for one in python.folders)
