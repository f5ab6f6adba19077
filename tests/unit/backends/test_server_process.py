"""A managed process ends with its owner, and its last words reach the error."""

import os
import textwrap
from pathlib import Path

import psutil
import pytest

from harness.backends.process import ServerProcess, reason_in_log
from harness.errors import BackendError


def script(folder: Path, body: str) -> Path:
    path = folder / "server.py"
    path.write_text(textwrap.dedent(body))
    return path


ANSWERS = """
    import json, os, sys
    order = json.loads(sys.stdin.readline())
    seen = {"address": order["settings"], "parent": order["parent"], "mark": os.environ.get("MARK")}
    print(json.dumps(seen), flush=True)
"""


async def test_the_order_arrives_and_the_answer_comes_back(tmp_path: Path) -> None:
    path = script(tmp_path, ANSWERS + "    sys.stdin.read()\n")

    with ServerProcess(path, {"settings": "x"}, environment={"MARK": "1"}) as process:
        answer = await process.answer(20)

    assert (answer["address"], answer["mark"]) == ("x", "1")
    assert answer["parent"] == psutil.Process().pid


async def test_leaving_the_context_ends_the_process(tmp_path: Path) -> None:
    path = script(tmp_path, ANSWERS + "    sys.stdin.read()\n")

    with ServerProcess(path, {"settings": 0}, environment={}) as process:
        await process.answer(20)
        pid = process.pid

    assert not psutil.pid_exists(pid)


async def test_a_process_that_ignores_requests_to_end_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backends.process._GRACE_S", 0.2)
    stubborn = "    import signal, time\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    body = ANSWERS.replace("    order", stubborn + "    order") + "    time.sleep(600)\n"

    with ServerProcess(script(tmp_path, body), {"settings": 0}, environment={}) as process:
        await process.answer(20)
        pid = process.pid

    assert not psutil.pid_exists(pid)


async def test_a_process_that_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; sys.stdin.read()")

    with ServerProcess(path, {}, environment={}) as process:
        pid = process.pid
        with pytest.raises(TimeoutError):
            await process.answer(0.3)

    assert not psutil.pid_exists(pid)


async def test_an_early_end_is_told_with_the_reason_from_the_log(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        r"""
        import sys
        sys.stderr.write("0.00.001.000 W srv init: a warning\n")
        sys.stderr.write("0.00.141.001 E llama_load: error loading model: '/a/b/m.gguf' is incomplete\n")
        sys.stderr.write("0.00.141.002 E srv load_model: failed to load model\n")
        sys.exit(9)
        """,
    )

    with ServerProcess(path, {}, environment={}) as process, pytest.raises(BackendError) as caught:
        await process.answer(20)

    expected = "llama.cpp ended with code 9 while it started: error loading model: 'm.gguf' is incomplete"
    assert str(caught.value) == expected


async def test_a_killed_process_is_told_by_its_signal(tmp_path: Path) -> None:
    path = script(tmp_path, "import os; os.kill(os.getpid(), 9)")

    with ServerProcess(path, {}, environment={}) as process, pytest.raises(BackendError) as caught:
        await process.answer(20)

    assert "was ended by SIGKILL (out of memory?) while it started" in str(caught.value)


async def test_the_process_is_out_of_reach_of_the_terminals_interrupt(tmp_path: Path) -> None:
    path = script(tmp_path, ANSWERS + "    sys.stdin.read()\n")

    with ServerProcess(path, {"settings": 0}, environment={}) as process:
        await process.answer(20)
        session = os.getsid(process.pid)

    assert session != os.getsid(0)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        ("0.00.002.035 W srv  init: security: no API key is set\n", ""),
        (
            "0.13.038.553 E ggml_aligned_malloc: insufficient memory (attempted to allocate 9 MB)\n",
            "insufficient memory",
        ),
        ("/src/ggml.c:12: GGML_ASSERT(a == b) failed\n", "GGML_ASSERT(a == b) failed"),
        ("terminate called after throwing an instance of 'std::bad_alloc'\n", "std::bad_alloc"),
    ],
)
def test_the_reason_is_the_first_line_that_explains(log: str, reason: str) -> None:
    said = reason_in_log(log)

    assert reason in said
    assert "/src" not in said
    assert bool(said) == bool(reason)


async def test_a_process_that_is_about_to_end_is_waited_for_and_a_living_one_is_not_taken_for_dead(
    tmp_path: Path,
) -> None:
    dying = script(tmp_path, ANSWERS + "    import time\n    time.sleep(0.4)\n")
    with ServerProcess(dying, {"settings": 0}, environment={}) as process:
        await process.answer(20)
        soon = await process.ends(10)

    living = script(tmp_path, ANSWERS + "    sys.stdin.read()\n")
    with ServerProcess(living, {"settings": 0}, environment={}) as process:
        await process.answer(20)
        never = await process.ends(0.1)

    assert (soon, never) == (True, False)
