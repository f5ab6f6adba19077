"""The client of a server: real HTTP on loopback."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness.errors import BackendError, ConfigError
from harness.router import http_client
from tests.support.routes import Json, spoken

SEEN: list[tuple[Json, str | None]] = []


async def answer(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    SEEN.append((asked, request.headers.get("Authorization")))
    said = asked["messages"][0]["content"]
    if said == "refuse":
        return web.Response(status=429, text="slow\ndown")
    if said == "html":
        return web.Response(text="<html>")
    if said == "list":
        return web.json_response([1])
    if not asked.get("stream"):
        return web.json_response(spoken(said))
    out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await out.prepare(request)
    for word in ("a", "b"):
        chunk = {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        await out.write(f": keep-alive\n\ndata: {json.dumps(chunk)}\n\n".encode())
    if said == "broken":
        await out.write(b'data: {"choices"\n\n')
    await out.write(b"data: [DONE]\n\n")
    return out


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    SEEN.clear()
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}/v1/"


def ask(text: str, **more: object) -> Json:
    return {"model": "policy's name", "messages": [{"role": "user", "content": text}], **more}


async def test_the_servers_model_is_asked_with_the_key_of_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLM_KEY", "k1")
    client = http_client(url, "qwen", key_env="SLM_KEY")

    found = await client(ask("hello"))

    await client.aclose()
    assert found == spoken("hello")
    assert [(asked["model"], key) for asked, key in SEEN] == [("qwen", "Bearer k1")]


async def test_a_stream_comes_chunk_by_chunk(url: str) -> None:
    client = http_client(url, "qwen")

    chunks = [chunk async for chunk in await client(ask("go", stream=True))]

    await client.aclose()
    assert [one["choices"][0]["delta"]["content"] for one in chunks] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "why"), [("refuse", "429: slow down"), ("html", "JSONDecodeError"), ("list", "something else")]
)
async def test_what_is_no_response_is_an_error(url: str, text: str, why: str) -> None:
    client = http_client(url, "qwen")

    with pytest.raises(BackendError, match=why):
        await client(ask(text))

    await client.aclose()


async def test_a_stream_that_breaks_off_is_an_error(url: str) -> None:
    client = http_client(url, "qwen")

    with pytest.raises(BackendError, match="broke off"):
        [chunk async for chunk in await client(ask("broken", stream=True))]

    await client.aclose()


async def test_a_server_that_is_not_there_is_an_error() -> None:
    client = http_client("http://127.0.0.1:9/v1", "qwen")

    with pytest.raises(BackendError, match="did not answer"):
        await client(ask("hello"))

    await client.aclose()


def test_a_key_that_is_not_set_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLM_KEY", raising=False)

    with pytest.raises(ConfigError, match="SLM_KEY is not set"):
        http_client("http://127.0.0.1:9/v1", "qwen", key_env="SLM_KEY")
