"""The OTLP receiver over real HTTP: what is sent can be collected, what is no OTLP is refused with its reason."""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from harness.capture.receiver import Received, receiving
from harness.errors import BackendError
from harness.logs.reading import read_logs

ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.conversation.id": "ticket 7",
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "Hi."}], "finish_reason": "stop"}]
    ),
}
SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": "chat gpt-x",
    "startTimeUnixNano": "1772446500000000000",
    "endTimeUnixNano": "1772446501500000000",
    "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in ATTRIBUTES.items()],
}
MESSAGE = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}, indent=1).encode()


async def send(url: str, body: bytes, kind: str = "application/json", **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/traces", data=body, headers={"Content-Type": kind, **headers}) as reply,
    ):
        return reply.status, await reply.text()


async def received(folder: Path, *messages: tuple[bytes, str, dict[str, str]]) -> tuple[Received, list[int]]:
    async with receiving(folder, 0) as running:
        statuses = [(await send(running.url, body, kind, **headers))[0] for body, kind, headers in messages]
        return running, statuses


def test_json_spans_are_written_as_lines_that_can_be_collected(tmp_path: Path) -> None:
    packed = gzip.compress(MESSAGE)
    messages: list[tuple[bytes, str, dict[str, str]]] = [
        (MESSAGE, "application/json", {}),
        (packed, "application/json", {"Content-Encoding": "gzip"}),
    ]

    running, statuses = asyncio.run(received(tmp_path, *messages))

    (file,) = tmp_path.iterdir()
    records = [one.item.record for one in read_logs([str(tmp_path)]) if one.item.record is not None]
    assert (statuses, running.messages) == ([200, 200], 2)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.suffix == ".jsonl"
    assert {one.session for one in records} == {"ticket 7"}
    assert records[0].reply is not None
    assert (records[0].reply["content"], records[0].latency_s) == ("Hi.", 1.5)


def test_protobuf_messages_are_written_behind_their_length(tmp_path: Path) -> None:
    running, statuses = asyncio.run(
        received(tmp_path, (b"\x0a\x00", "application/x-protobuf", {}), (b"\x0a\x00", "application/protobuf", {}))
    )

    (file,) = tmp_path.iterdir()
    assert (statuses, running.messages, file.read_bytes()) == ([200, 200], 2, b"\x00\x00\x00\x02\x0a\x00" * 2)


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b"{", "application/json", {}, 400),
        (b"[]", "application/json", {}, 400),
        (b"{}", "text/plain", {}, 415),
        (b"\x1f\x8bnonsense", "application/json", {"Content-Encoding": "gzip"}, 400),
        (b"{}", "application/json", {"Content-Encoding": "br"}, 415),
    ],
)
def test_what_is_no_otlp_is_refused_and_written_nowhere(
    body: bytes, kind: str, headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    running, statuses = asyncio.run(received(tmp_path, (body, kind, headers)))

    assert (statuses, running.messages) == ([status], 0)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_makes_the_sender_try_again(tmp_path: Path) -> None:
    async def main() -> tuple[int, str]:
        async with receiving(tmp_path, 0) as running:
            tmp_path.joinpath("no folder").write_bytes(b"")
            running.files["json"]._folder = tmp_path / "no folder"
            return await send(running.url, MESSAGE)

    status, said = asyncio.run(main())

    assert status == 503
    assert "cannot be written" in said


def test_a_port_that_is_taken_says_what_to_type(tmp_path: Path) -> None:
    async def main() -> None:
        async with receiving(tmp_path, 0) as first:
            port = int(first.url.rpartition(":")[2])
            async with receiving(tmp_path, port):
                pass

    with pytest.raises(BackendError, match=r"choose another: receive\.port=0"):
        asyncio.run(main())


def test_the_verb_listens_until_it_is_interrupted_and_says_what_came(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "harness", "do=receive", "receive.port=0", "receive.to=calls"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split(";")[0].rpartition(" ")[2]
        status, _ = asyncio.run(send(url, MESSAGE))
        running.send_signal(signal.SIGINT)
        told = running.stdout.read()
        ended = running.wait(timeout=30)

    assert (status, ended) == (200, 0)
    assert "received 1 messages" in told
    assert "do=collect logs.path=calls" in told
