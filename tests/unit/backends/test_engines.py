"""Engines attached by name: what they tell becomes facts, and each way it can be wrong is told in one line.

The engines are stand-ins (tests/support/engine_servers.py) but for the last test, which starts a real llama.cpp server.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp.test_utils import unused_port
from omegaconf import OmegaConf
from pydantic import TypeAdapter

from harness.assets import cache_dir
from harness.backends import backend_for
from harness.backends.client import ChatClient
from harness.backends.engines import ENGINES
from harness.backends.server_probe import get_json
from harness.backends.stream import read_exchange
from harness.backends.weights import resolve_weights
from harness.config import BackendConfig, ModelConfig
from harness.errors import BackendError, ConfigError
from harness.paths import conf_dir
from harness.protocols import Endpoint
from tests.support import engine_servers as engines

CONFIG: TypeAdapter[Any] = TypeAdapter(BackendConfig)
WEIGHTS = {"safetensors": {"repo": "Owner/Small-1B"}, "ollama": "small:1b"}


def model(**changes: object) -> ModelConfig:
    fields = {"name": "small", "title": "Small", "licence": "unknown", "weights": WEIGHTS}
    return ModelConfig.model_validate({**fields, **changes})


async def attach(engine: str, url: str, entry: ModelConfig | None = None, **config: object) -> Endpoint:
    settings = CONFIG.validate_python({"name": engine, "url": url, **config})
    async with backend_for(entry or model(), settings).serve() as endpoint:
        return endpoint


async def test_ollama_tells_digest_context_quantization_and_abilities() -> None:
    async with engines.serving(engines.ollama("other:7b", "small:1b")) as server:
        endpoint = await attach("ollama", server.url, keep_alive="1h")

    facts = endpoint.facts
    assert endpoint.model == "small:1b"
    assert ("/api/generate", {"model": "small:1b", "keep_alive": "1h"}) in server.asked
    assert (facts.build, facts.context_tokens, facts.template_supports_tools) == ("Ollama 0.12.6", 8192, True)
    assert facts.weights is not None
    assert (facts.weights.sha256, facts.weights.quantization, facts.weights.parameters) == (
        engines.SHA,
        "F16",
        134_515_008,
    )
    assert facts.flags["not_told"] == ["slots"]
    assert "/home" not in facts.model_dump_json()


async def test_ollamas_default_context_is_refused_with_what_to_type() -> None:
    async with engines.serving(engines.ollama("small:1b", context=4096)) as server:
        with pytest.raises(BackendError, match=r"gives small:1b 4096 tokens.*8192 are wanted") as caught:
            await attach("ollama", server.url, context_tokens=8192)

    assert "OLLAMA_CONTEXT_LENGTH=8192 ollama serve" in str(caught.value)


async def test_no_more_room_is_wanted_than_the_model_has() -> None:
    async with engines.serving(engines.ollama("small:1b", context=2048)) as server:
        endpoint = await attach("ollama", server.url, model(context_tokens=2048), context_tokens=8192)

    assert endpoint.facts.context_tokens == 2048


async def test_an_engine_that_does_not_tell_its_context_is_refused_only_where_room_is_wanted() -> None:
    async with engines.serving(engines.ollama("small:1b", context=None)) as server:
        with pytest.raises(BackendError, match=r"does not say how much context.*backend\.context_tokens=null"):
            await attach("ollama", server.url, context_tokens=4096)
        endpoint = await attach("ollama", server.url)

    assert endpoint.facts.context_tokens is None


async def test_a_model_that_ollama_cannot_load_is_told_in_its_words() -> None:
    said = {"error": "model requires more system memory (9.1 GiB) than is available"}
    routes = engines.ollama("small:1b") | {"/api/generate": (500, said)}
    async with engines.serving(routes) as server:
        with pytest.raises(BackendError, match=r"does not load small:1b \(500\): model requires more system memory"):
            await attach("ollama", server.url)


async def test_lm_studio_loads_the_model_before_its_context_is_read() -> None:
    waiting = engines.lmstudio("owner/small-1b", state="not-loaded", context=0)["/api/v0/models"]
    ready = engines.lmstudio("owner/small-1b")["/api/v0/models"]
    async with engines.serving({}) as server:
        server.routes = {"/api/v0/models": lambda _: ready if server.bodies else waiting}
        endpoint = await attach("lmstudio", server.url, ttl_s=600)

    assert server.bodies == [
        {"model": "owner/small-1b", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "ttl": 600}
    ]
    assert (endpoint.facts.context_tokens, endpoint.facts.flags["quantization"]) == (4096, "Q4_K_M")
    assert endpoint.extra_body == {"ttl": 600}


async def test_sglang_tells_its_flags_but_neither_paths_nor_key() -> None:
    async with engines.serving(engines.sglang("small")) as server:
        endpoint = await attach("sglang", server.url, template_options={"enable_thinking": False})

    facts = endpoint.facts
    assert (facts.build, facts.context_tokens, facts.slots) == ("SGLang 0.5.4", 32768, 48)
    assert (facts.flags["tp_size"], facts.flags["tool_call_parser"]) == (2, "qwen25")
    assert endpoint.caches is True
    assert endpoint.extra_body == {"chat_template_kwargs": {"enable_thinking": False}}
    assert not re.search("private|never-to-be-seen", facts.model_dump_json())


async def test_tensorrt_llm_tells_its_version_alone() -> None:
    async with engines.serving(engines.trtllm("Small-1B")) as server:
        facts = (await attach("trtllm", server.url)).facts

    assert facts.build == "TensorRT-LLM 1.2.1"
    assert facts.served_model == "Small-1B"
    assert facts.context_tokens is None
    assert "context" in str(facts.flags["not_told"])


async def test_vllm_tells_whether_it_caches_prefixes() -> None:
    async with engines.serving(engines.vllm_server("Owner/Small-1B")) as server:
        endpoint = await attach("vllm_server", server.url)

    assert endpoint.caches is True
    assert (endpoint.facts.build, endpoint.facts.context_tokens) == ("vLLM 0.32.0", 4096)
    assert (endpoint.facts.flags["block_size"], endpoint.facts.flags["root"]) == ("16", "smol")


async def test_a_llama_servers_adapters_are_scaled_by_number_and_a_wrong_number_is_told() -> None:
    async with engines.serving(engines.llamaserver("small")) as server:
        endpoint = await attach("llamaserver", server.url, lora=[{"id": 0, "scale": 0.5}], cache="on")
        with pytest.raises(BackendError, match=r"has 1 LoRA adapters, so backend\.lora cannot name id 3"):
            await attach("llamaserver", server.url, lora=[{"id": 3}])

    assert endpoint.extra_body == {"cache_prompt": True, "lora": [{"id": 0, "scale": 0.5}]}
    assert (endpoint.caches, endpoint.slot_field, endpoint.facts.slots) == (True, "id_slot", 2)
    assert endpoint.facts.flags["lora"] == [{"file": "style.gguf", "id": 0, "scale": 1.0}]


async def test_a_file_served_under_its_path_is_found_and_the_folder_stays_out_of_the_facts() -> None:
    entry = model(weights={"path": "~/models/Small.Q4_1.gguf"})
    async with engines.serving(engines.llamaserver("/srv/models/Small.Q4_1.gguf")) as server:
        endpoint = await attach("llamaserver", server.url, entry)

    assert endpoint.model == "/srv/models/Small.Q4_1.gguf"
    assert endpoint.facts.served_model == "Small.Q4_1.gguf"


@pytest.mark.parametrize("engine", sorted(ENGINES))
async def test_nothing_listening_is_told_with_the_command_that_starts_it(engine: str) -> None:
    port = unused_port()

    with pytest.raises(BackendError, match=rf"^nothing listens at http://127\.0\.0\.1:{port}: start it: ") as caught:
        await attach(engine, f"http://127.0.0.1:{port}/v1")

    assert str(port) in str(caught.value).split("start it: ")[1]
    assert "backend.url=" in str(caught.value)


@pytest.mark.parametrize("engine", sorted(ENGINES))
async def test_a_model_that_is_not_there_is_told_with_those_that_are_and_the_nearest(engine: str) -> None:
    async with engines.serving(engines.STAND_INS[engine]("smaller-9b", "zebra")) as server:
        with pytest.raises(BackendError, match=r"has no model 'small.*it has: smaller-9b, zebra") as caught:
            await attach(engine, server.url)

    assert "model.served_name=smaller-9b" in str(caught.value)


@pytest.mark.parametrize("engine", sorted(ENGINES))
async def test_a_served_name_of_your_own_is_the_one_that_is_asked(engine: str) -> None:
    async with engines.serving(engines.STAND_INS[engine]("small", "mine")) as server:
        endpoint = await attach(engine, server.url, model(served_name="mine"))

    assert endpoint.model == endpoint.facts.served_model == "mine"
    assert endpoint.facts.name == engine


@pytest.mark.parametrize("engine", sorted(ENGINES))
async def test_something_else_on_the_port_is_told(engine: str) -> None:
    async with engines.serving({}) as server:
        with pytest.raises(BackendError, match=r"what answers at .* is not .*: /\S+ gives 404; any OpenAI-compatible"):
            await attach(engine, server.url)


async def test_somebody_elses_model_of_the_same_name_is_not_taken() -> None:
    async with engines.serving(engines.ollama("someone/small:1b", "small:1b-q8")) as server:
        with pytest.raises(BackendError, match=r"has no model 'small:1b'"):
            await attach("ollama", server.url)


async def test_a_wanted_key_is_sent_and_a_missing_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    async with engines.serving(engines.vllm_server("small")) as server:
        endpoint = await attach("vllm_server", server.url, model(api_key_env="SOME_KEY"))
        server.routes = {"/health": 401}
        with pytest.raises(BackendError, match=r"wants a key \(401\)"):
            await attach("vllm_server", server.url)

    assert endpoint.headers == {"Authorization": "Bearer sk-secret"}
    assert "sk-secret" not in repr(endpoint) + endpoint.facts.model_dump_json()


async def test_another_engine_with_the_same_routes_is_told_by_name() -> None:
    async with engines.serving(engines.vllm_server("small")) as server:
        with pytest.raises(BackendError, match=r"is not TensorRT-LLM: choose backend=vllm_server"):
            await attach("trtllm", server.url)


async def test_a_loading_engine_is_waited_for() -> None:
    health = iter([503, 503, {"status": "ok"}])
    async with engines.serving(engines.llamaserver("small") | {"/health": lambda _: next(health)}) as server:
        endpoint = await attach("llamaserver", server.url)

    assert endpoint.model == "small"


async def test_one_that_never_gets_ready_is_told_with_a_longer_limit() -> None:
    async with engines.serving(engines.llamaserver("small") | {"/health": 503}) as server:
        with pytest.raises(BackendError, match=r"still loads after 0 s; give it longer: backend\.ready_timeout_s=60"):
            await attach("llamaserver", server.url, ready_timeout_s=0)


async def test_the_models_own_address_wins_and_a_hosted_model_is_refused() -> None:
    async with engines.serving(engines.ollama("small:1b")) as server:
        endpoint = await attach("ollama", "http://127.0.0.1:9/v1", model(url=server.url))

    assert endpoint.base_url == server.url
    with pytest.raises(ConfigError, match=r"hosted by Someone, so Ollama cannot serve it: leave backend=ollama out"):
        await attach("ollama", server.url, model(hosted=True, publisher="Someone"))


@contextmanager
def llamacpp_server(alias: str, file: str) -> Iterator[str]:
    """llama.cpp's own server code (xllamacpp), in a process that the harness knows nothing of; its `/v1`."""
    program = (
        "import sys, xllamacpp as x\n"
        "p = x.CommonParams()\n"
        "p.model.path, p.model_alias, p.hostnames, p.port = sys.argv[1], {sys.argv[2]}, ['127.0.0.1'], 0\n"
        "p.n_ctx, p.n_parallel, p.cpuparams.n_threads, p.cpuparams_batch.n_threads = 1024, 2, 1, 1\n"
        "p.endpoint_props, p.endpoint_slots, p.verbosity, p.ui = True, True, 0, False\n"
        "s = x.Server(p)\n"
        "print(s.listening_address, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, file, alias]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield next(line for line in iter(child.stdout.readline, b"") if line.startswith(b"http")).decode().strip()
        finally:
            child.kill()


@pytest.mark.model
async def test_a_real_llamacpp_server_is_described_asked_and_left_running() -> None:
    entry = model(name="smollm2", weights={})
    weights = resolve_weights(ModelConfig.model_validate(_smollm2()), cache=cache_dir())
    body = b'{"model":"smollm2","messages":[{"role":"user","content":"Hi"}],"max_tokens":4,"stream":true}'

    with llamacpp_server("smollm2", str(weights.path)) as root:
        settings = CONFIG.validate_python({"name": "llamaserver", "url": f"{root}/v1", "context_tokens": 512})
        async with backend_for(entry, settings).serve() as endpoint, ChatClient(endpoint, concurrency=1) as client:
            reading = read_exchange(await client.stream(body, deadline_s=60, stall_s=60))
        still = await get_json(f"{root}/health", timeout_s=5)

    assert still.status == 200
    assert reading.failure is None
    assert reading.server is not None
    assert (endpoint.facts.context_tokens, endpoint.facts.slots) == (512, 2)
    assert endpoint.facts.flags["quantization"] == "Q4_1"
    assert str(endpoint.facts.build).startswith("llama.cpp ")
    assert endpoint.facts.chat_template_sha256 is not None


def _smollm2() -> dict[str, Any]:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults", None)
    return {str(key): value for key, value in data.items()}
