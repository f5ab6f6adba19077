"""Capture in a program: what passes is written, nothing is raised into it, and the key is nowhere."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from harness.capture import Recorder, capture, human_chat, session
from harness.capture.recorder import recorder_of
from harness.logs.reading import read_logs
from harness.records.logs import LogRecord
from tests.support import openai_server as fake
from tests.support.openai_server import Server, Step, serve_in_thread

KEY = "sk-" + "captured" * 4
QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Kyoto?"}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "forecast", "parameters": {"type": "object", "properties": {}}}}
]


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(_answer) as running:
        yield running


def _answer(_number: int, body: dict[str, object]) -> Sequence[Step]:
    if body["model"] == "broken":
        return fake.error(400, {"error": {"message": "no such model", "type": "invalid_request_error"}})
    if body.get("stream"):
        return fake.reply("It is sunny.")
    message = {"role": "assistant", "content": "It is sunny."}
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return fake.error(
        200, {"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage}
    )


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as bare:
        yield bare


def records(folder: Path) -> list[LogRecord]:
    """What do=collect would read out of the folder; nothing in it may be quarantined."""
    items = [one.item for one in read_logs([str(folder)])]
    assert [item.problem for item in items if item.problem] == []
    return [item.record for item in items if item.record is not None]


def test_two_lines_capture_a_call_with_its_times_and_counts(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder, agent="weather")

    own.chat.completions.create(model="m", messages=QUESTION, tools=TOOLS, temperature=0.5)

    recorder.close()
    (found,) = records(tmp_path)
    assert (found.agent, found.model, found.params["temperature"]) == ("weather", "m", 0.5)
    assert found.messages[0]["content"] == "What is the weather in Kyoto?"
    assert found.tools[0]["name"] == "forecast"
    assert found.reply is not None
    assert found.reply["content"] == "It is sunny."
    assert found.latency_kind == "end_to_end"
    assert found.latency_s is not None
    assert found.ttft_s is None


def test_a_streamed_reply_is_put_together_and_its_first_piece_timed(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder)

    text = "".join(
        chunk.choices[0].delta.content or ""
        for chunk in own.chat.completions.create(model="m", messages=QUESTION, stream=True)
        if chunk.choices
    )

    recorder.close()
    (found,) = records(tmp_path)
    assert found.reply is not None
    assert found.reply["content"] == text == "It is sunny."
    assert found.ttft_s is not None
    assert found.latency_s is not None
    assert 0 < found.ttft_s <= found.latency_s
    assert found.failure is None


def test_asynchronous_clients_are_captured_alike(server: Server, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)

    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=KEY) as bare:
            own = capture(bare, recorder)
            await asyncio.gather(*(own.chat.completions.create(model="m", messages=QUESTION) for _ in range(5)))

    asyncio.run(ask())

    recorder.close()
    assert len(records(tmp_path)) == 5


def test_a_refused_call_is_raised_as_ever_and_kept_as_a_failure(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder)

    with pytest.raises(openai.BadRequestError):
        own.chat.completions.create(model="broken", messages=QUESTION)

    recorder.close()
    (found,) = records(tmp_path)
    assert found.reply is None
    assert found.failure is not None
    assert found.failure.status == 400


def test_a_server_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key=KEY, max_retries=0), recorder)

    with own, pytest.raises(openai.APIConnectionError):
        own.chat.completions.create(model="m", messages=QUESTION)

    recorder.close()
    (found,) = records(tmp_path)
    assert found.failure is not None


def test_steps_of_a_session_are_numbered_and_carry_its_agent(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder, agent="whole program")

    with session("ticket 7", agent="planner"):
        for _ in range(3):
            own.chat.completions.create(model="m", messages=QUESTION)

    recorder.close()
    found = records(tmp_path)
    assert [one.step for one in found] == [0, 1, 2]
    assert {(one.session, one.agent) for one in found} == {("ticket 7", "planner")}


def test_human_chat_is_left_out_unless_asked_for(client: openai.OpenAI, tmp_path: Path) -> None:
    silent, keeping = Recorder(tmp_path / "a"), Recorder(tmp_path / "b", keep_human_chat=True)

    for recorder in (silent, keeping):
        with openai.OpenAI(base_url=client.base_url, api_key=KEY) as bare, human_chat():
            capture(bare, recorder).chat.completions.create(model="m", messages=QUESTION)
        recorder.close()

    assert (silent.counts.left_out, silent.counts.written) == (1, 0)
    (found,) = records(tmp_path / "b")
    assert found.human_chat is True


def test_the_key_is_in_no_file(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder)

    own.chat.completions.create(model="m", messages=QUESTION)
    with pytest.raises(openai.BadRequestError):
        own.chat.completions.create(model="broken", messages=QUESTION)

    recorder.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(KEY.encode() not in path.read_bytes() for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_requests_that_are_none_of_a_model_pass_unseen(server: Server, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with capture(httpx.Client(), recorder) as own:
        own.get(f"{server.url}/models")

    recorder.close()
    assert recorder.counts.handed == 0


def test_something_else_than_a_client_is_refused_before_any_call(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"capture\(\) takes an OpenAI or Anthropic client .*, not builtins.dict"):
        capture({}, tmp_path)


def test_a_stream_that_the_program_leaves_early_says_so(client: openai.OpenAI, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    own = capture(client, recorder)

    stream = own.chat.completions.create(model="m", messages=QUESTION, stream=True)
    next(iter(stream))
    stream.close()

    recorder.close()
    (found,) = records(tmp_path)
    assert found.failure is not None or found.reply is not None
    assert recorder.counts.written == 1


FULL = """
import resource, signal, sys
from harness.capture import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = Recorder(sys.argv[1], max_waiting=50)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for number in range(200):
    recorder.put(lambda number=number: b'{"number": %d, "text": "%s"}' % (number, b"x" * 80))
recorder.close(timeout_s=0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.close(timeout_s=5)
counts = recorder.counts
print(counts.handed, counts.written, counts.dropped, counts.waiting)
"""


def test_a_full_disk_neither_raises_nor_leaves_half_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=600
    )

    handed, written, dropped, waiting = map(int, done.stdout.split())
    lines = b"".join(path.read_bytes() for path in tmp_path.iterdir()).splitlines()
    assert handed == 200
    assert written + dropped + waiting == 200
    assert written == len(lines) > 0
    assert all(json.loads(line)["text"] == "x" * 80 for line in lines)


KILLED = """
import os, signal, sys, time
from harness.capture import Recorder
recorder = Recorder(sys.argv[1])
for number in range(500):
    recorder.put(lambda number=number: b'{"number": %d}' % number)
    if number == 400:
        time.sleep(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_program_loses_only_what_it_had_just_handed_over(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, check=False, timeout=600)

    (file,) = tmp_path.iterdir()
    numbers = [json.loads(line)["number"] for line in file.read_bytes().splitlines()]
    assert done.returncode == -signal.SIGKILL
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 401


FORKED = """
import os, sys
from harness.capture import Recorder
recorder = Recorder(sys.argv[1])
recorder.put(lambda: b'{"of": "parent"}')
child = os.fork()
if child == 0:
    recorder.put(lambda: b'{"of": "child"}')
    recorder.close()
    os._exit(0)
os.waitpid(child, 0)
recorder.close()
"""


def test_a_forked_worker_writes_a_file_of_its_own_and_nothing_twice(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path)], check=True, timeout=600)

    lines = sorted(line for path in tmp_path.iterdir() for line in path.read_text().splitlines())
    assert lines == ['{"of": "child"}', '{"of": "parent"}']
    assert len(list(tmp_path.iterdir())) == 2


def test_a_line_that_cannot_be_made_is_counted_and_the_next_is_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)

    recorder.put(lambda: b"1" + bytes(1 // len([])))
    recorder.put(lambda: b"{}")

    recorder.close()
    assert (recorder.counts.failed, recorder.counts.written) == (1, 1)


def test_clients_of_one_folder_share_a_writer(server: Server, tmp_path: Path) -> None:
    for _ in range(8):
        with capture(httpx.Client(), tmp_path) as client:
            client.post(server.url + "/chat/completions", json={"model": "m", "messages": QUESTION})

    recorder = recorder_of(tmp_path)
    recorder.close()
    assert recorder.counts.written == len(records(tmp_path)) == 8
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_was_removed_takes_no_later_call_with_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "calls")
    recorder.put(lambda: b'{"number": 1}')
    recorder.close()
    recorder.put(lambda: b'{"number": 2}')
    while recorder.counts.written < 2:
        time.sleep(0.01)

    shutil.rmtree(tmp_path / "calls")
    recorder.put(lambda: b'{"number": 3}')
    recorder.close()

    (file,) = (tmp_path / "calls").iterdir()
    assert file.read_bytes() == b'{"number": 3}\n'


def test_what_is_handed_over_while_the_writer_ends_is_written_by_close(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.put(lambda: b"{}")
    thread = recorder._thread
    assert thread is not None
    recorder._closing = True
    recorder._wake.set()
    thread.join()

    recorder.put(lambda: b"{}")
    recorder.close()

    assert (recorder.counts.written, recorder.counts.waiting) == (2, 0)
