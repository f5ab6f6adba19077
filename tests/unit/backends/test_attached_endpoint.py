"""An attached server is checked and described, and each way it can be wrong is told in one line."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from harness.backends import backend_for
from harness.backends.server_probe import count_prompt_tokens
from harness.config import EndpointConfig, ModelConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = "sk-very-secret-0123456789"


def answers(body: object, status: int = 200) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return handle


def models(*names: str) -> Handler:
    return answers({"object": "list", "data": [{"id": name, "owned_by": "vllm"} for name in names]})


@asynccontextmanager
async def serving(**routes: Handler) -> AsyncIterator[str]:
    """The root of a server with these routes; `v1_models` stands for `/v1/models`."""
    app = web.Application()
    for name, handler in routes.items():
        app.router.add_route("*", "/" + name.replace("_", "/"), handler)
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}"


def model(url: str | None, name: str = "small", **changes: object) -> ModelConfig:
    return ModelConfig.model_validate({"name": name, "title": name, "licence": "unknown", "url": url, **changes})


async def attach(entry: ModelConfig, **config: object) -> Endpoint:
    backend = backend_for(entry, EndpointConfig.model_validate({"name": "endpoint", **config}))
    async with backend.serve() as endpoint:
        return endpoint


async def test_a_served_model_is_found_and_vllm_says_its_version() -> None:
    async with serving(v1_models=models("other", "small"), version=answers({"version": "0.32.0"})) as root:
        endpoint = await attach(model(f"{root}/v1/"), extra_body={"top_k": 1})

    assert endpoint.base_url == f"{root}/v1"
    assert endpoint.model == endpoint.facts.served_model == "small"
    assert endpoint.facts.build == "vllm 0.32.0"
    assert endpoint.extra_body == {"top_k": 1}


async def test_llamacpp_says_its_template_slots_and_context_but_no_path() -> None:
    props = {
        "default_generation_settings": {"n_ctx": 4096},
        "total_slots": 2,
        "model_path": "/home/someone/m.gguf",
        "chat_template": "{{ x }}",
        "chat_template_caps": {"supports_tools": True},
        "build_info": "b9999-abc",
    }

    async with serving(v1_models=models("small"), props=answers(props)) as root:
        facts = (await attach(model(f"{root}/v1"))).facts

    assert (facts.build, facts.slots, facts.context_tokens) == ("llama.cpp b9999-abc", 2, 4096)
    assert facts.template_supports_tools is True
    assert "/home" not in facts.model_dump_json()


async def test_a_server_that_says_nothing_of_itself_leaves_the_facts_unknown() -> None:
    async with serving(v1_models=models("small")) as root:
        facts = (await attach(model(f"{root}/v1"))).facts

    assert facts.context_tokens is None
    assert facts.slots is None
    assert facts.chat_template_sha256 is None
    assert facts.memory_bytes is None


async def test_nothing_listening_is_told_with_the_address() -> None:
    port = unused_port()

    with pytest.raises(BackendError, match=rf"^nothing listens at http://127\.0\.0\.1:{port}: start the server"):
        await attach(model(f"http://127.0.0.1:{port}/v1"))


async def test_an_unknown_model_is_told_with_the_nearest_name() -> None:
    async with serving(v1_models=models("smollm2-135m", "phi-4-mini")) as root:
        with pytest.raises(BackendError, match=r"no model 'smollm2_135m'; it has: phi-4-mini, smollm2-135m") as caught:
            await attach(model(f"{root}/v1", name="smollm2_135m"))

    assert "try model.name=smollm2-135m" in str(caught.value)


async def test_the_served_name_is_what_is_looked_for() -> None:
    async with serving(v1_models=models("org/big-name")) as root:
        endpoint = await attach(model(f"{root}/v1", served_name="org/big-name"))

    assert endpoint.model == "org/big-name"


async def test_without_check_no_list_of_models_is_needed() -> None:
    async with serving(other=models()) as root:
        endpoint = await attach(model(f"{root}/v1"), check=False)

    assert endpoint.model == "small"


async def test_a_missing_v1_is_named_where_it_is_there() -> None:
    async with serving(v1_models=models("small")) as root:
        with pytest.raises(BackendError, match=re.escape(f"model.url={root}/v1")):
            await attach(model(root))


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (answers({}, status=503), "answers 503 \\(still loading\\?\\)"),
        (answers("hello"), "not with an OpenAI list of models"),
        (answers({}, status=404), r"answers 404: correct model\.url"),
        (answers({}, status=401), r"wants a key \(401\): export it and name its variable, model\.api_key_env=NAME"),
    ],
)
async def test_an_answer_that_is_no_list_of_models_is_told(handler: Handler, said: str) -> None:
    async with serving(v1_models=handler) as root:
        with pytest.raises(BackendError, match=said):
            await attach(model(f"{root}/v1"))


async def test_the_key_is_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"data": [{"id": "small"}]})

    async with serving(v1_models=handle) as root:
        endpoint = await attach(model(f"{root}/v1", api_key_env="SOME_KEY"))

    assert seen == [f"Bearer {KEY}"]
    assert endpoint.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(endpoint)
    assert KEY not in endpoint.facts.model_dump_json()


async def test_a_refused_key_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)

    async with serving(v1_models=answers({"error": f"bad key {KEY}"}, status=401)) as root:
        with pytest.raises(BackendError, match=r"refuses the key in SOME_KEY \(401\)") as caught:
            await attach(model(f"{root}/v1", api_key_env="SOME_KEY"))

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("value", "said"), [(None, "SOME_KEY is not set"), ("a b", "SOME_KEY holds no key")])
async def test_an_unusable_key_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)

    with pytest.raises(ConfigError, match=said):
        await attach(model("http://127.0.0.1:9/v1", api_key_env="SOME_KEY"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, r"add: model\.url=http://127\.0\.0\.1:8000/v1"),
        ("127.0.0.1:8000/v1", "is no address"),
        ("ftp://host/v1", "is no address"),
        ("http://", "is no address"),
        ("http://host:abc/v1", "is no address"),
        ("http://me:secret@host/v1", "holds a user, a password or a query"),
        ("http://host/v1?key=secret", "holds a user, a password or a query"),
        ("http://host/v1/chat/completions", r"model\.url=http://host/v1$"),
    ],
)
async def test_a_url_that_cannot_be_meant_is_refused(url: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        await attach(model(url))

    assert "secret" not in str(caught.value)


async def test_prompt_tokens_are_unknown_where_no_route_counts_them() -> None:
    async with serving(v1_models=models("small")) as root:
        endpoint = Endpoint(base_url=f"{root}/v1", model="small", facts=BackendFacts(name="endpoint"))

        count = await count_prompt_tokens(endpoint, [{"role": "user", "content": "hi"}])

    assert count is None


def test_an_unknown_backend_is_told_with_the_known_ones() -> None:
    config = EndpointConfig.model_construct(name="lamacpp")  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match=r"'lamacpp' is not known; known: .*did you mean llamacpp"):
        backend_for(model(None), config)
