"""Capture through litellm's own callbacks, in a program of its own: success, failure, streams, human chat."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.logs.reading import read_logs
from tests.support import openai_server as fake
from tests.support.openai_server import Step, serve_in_thread

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="litellm is not installed; type: make suites"
)

PROGRAM = """
import asyncio, sys
import litellm
from harness.capture.litellm import LitellmCapture

taken = LitellmCapture(sys.argv[2], agent="support")
litellm.callbacks = [taken]
known = {"api_base": sys.argv[1], "api_key": "sk-" + "captured" * 4, "num_retries": 0}
question = [{"role": "user", "content": "Weather in Kyoto?"}]

async def main():
    await litellm.acompletion(model="openai/m", messages=question, metadata={"session_id": "ticket 7"}, **known)
    stream = await litellm.acompletion(model="openai/m", messages=question, stream=True, **known)
    async for _ in stream:
        pass
    await litellm.acompletion(model="openai/m", messages=question, metadata={"human_chat": True}, **known)
    try:
        await litellm.acompletion(model="openai/broken", messages=question, **known)
    except litellm.BadRequestError:
        pass
    for _ in range(100):
        await asyncio.sleep(0.1)
        if taken.recorder.counts.handed >= 4:
            break

asyncio.run(main())
taken.recorder.close()
counts = taken.recorder.counts
print(counts.handed, counts.written, counts.left_out, counts.failed)
"""


def _answer(_number: int, body: dict[str, object]) -> Sequence[Step]:
    if body["model"] == "broken":
        return fake.error(400, {"error": {"message": "no such model", "type": "invalid_request_error"}})
    if body.get("stream"):
        return fake.reply("It ", "rains.")
    choice = {"index": 0, "message": {"role": "assistant", "content": "It rains."}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return fake.error(
        200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


def test_calls_through_litellm_are_captured_and_human_chat_is_not(tmp_path: Path) -> None:
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with serve_in_thread(_answer) as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.url, str(tmp_path / "calls")],
            capture_output=True, text=True, check=False, timeout=600, env=environment, cwd=tmp_path,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    handed, written, left_out, failed = map(int, done.stdout.splitlines()[-1].split())
    items = [one.item for one in read_logs([str(tmp_path / "calls")])]
    found = [item.record for item in items if item.record is not None]
    assert (handed, written, left_out, failed) == (4, 3, 1, 0)
    assert [item.problem for item in items if item.problem] == []
    assert sorted(json.dumps(one.reply and one.reply.get("content")) for one in found) == [
        '"It rains."', '"It rains."', "null",
    ]  # fmt: skip
    assert {one.agent for one in found} == {"support"}
    assert "ticket 7" in {one.session for one in found}
    assert all(b"captured" * 4 not in path.read_bytes() for path in (tmp_path / "calls").iterdir())
