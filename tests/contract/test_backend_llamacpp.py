"""What every way of running the embedded llama.cpp must do, with real weights."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from omegaconf import OmegaConf

from harness.assets import cache_dir
from harness.backends.client import ChatClient
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import count_prompt_tokens, get_json, origin, post_json
from harness.backends.stream import read_exchange
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig, ModelConfig
from harness.errors import BackendError
from harness.paths import conf_dir
from harness.protocols import Endpoint
from tests.support.gguf_files import write_lora

pytestmark = pytest.mark.model

HELLO = [{"role": "user", "content": "Name three colours."}]
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks a word up.", "parameters": {"type": "object"}},
}
TOOL_TEMPLATE = (
    "{% if tools %}Tools: {{ tools | tojson }}\n{% endif %}"
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"
)


def entry(**changes: object) -> ModelConfig:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults", None)
    return ModelConfig.model_validate({**data, **changes})


@pytest.fixture(scope="module")
def weights() -> WeightFile:
    return resolve_weights(entry(), cache=cache_dir())


@pytest.fixture(params=["child", "inline"])
def process(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(weights: WeightFile, process: str) -> Callable[..., LlamaCpp]:
    def make(model: Mapping[str, object] | None = None, **config: object) -> LlamaCpp:
        settings = {"name": "llamacpp", "process": process, "context_tokens": 512, "threads": 1, **config}
        return LlamaCpp(LlamaCppConfig.model_validate(settings), entry(**(model or {})), weights=weights)

    return make


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True)}


async def complete(endpoint: Endpoint, **body: object) -> dict[str, Any]:
    request = {"model": endpoint.model, "messages": HELLO, "max_tokens": 12, "temperature": 0.0, **endpoint.extra_body}
    answer = await post_json(f"{endpoint.base_url}/chat/completions", {**request, **body}, timeout_s=60)
    assert answer.status == 200, answer
    return dict(answer.table())


async def text(endpoint: Endpoint) -> str:
    return str((await complete(endpoint))["choices"][0]["message"]["content"])


async def assert_down(endpoint: Endpoint) -> None:
    with pytest.raises(aiohttp.ClientError):
        await get_json(f"{origin(endpoint.base_url)}/health", timeout_s=5)


async def test_a_streamed_completion_comes_back_with_its_marks(backend: Callable[..., LlamaCpp]) -> None:
    body = {"model": "smollm2", "messages": HELLO, "max_tokens": 8, "stream": True, "temperature": 0}

    async with backend().serve() as endpoint, ChatClient(endpoint, concurrency=1) as client:
        exchange = await client.stream(json.dumps({**body, **endpoint.extra_body}).encode(), deadline_s=60, stall_s=60)

    reading = read_exchange(exchange)
    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content
    assert len(exchange.marks_ns) >= 8


async def test_the_facts_say_what_answers_and_name_no_folder(
    backend: Callable[..., LlamaCpp], weights: WeightFile, process: str
) -> None:
    async with backend().serve() as endpoint:
        models = await get_json(f"{endpoint.base_url}/models", timeout_s=5)
        props = (await get_json(f"{origin(endpoint.base_url)}/props", timeout_s=5)).table()
        reply = await complete(endpoint)

    facts = endpoint.facts
    assert facts.weights == weights.facts
    assert facts.weights is not None
    assert (facts.weights.quantization, facts.weights.parameters) == ("Q4_1", 134_515_008)
    assert facts.build is not None
    assert facts.build.startswith("xllamacpp 2")
    assert facts.chat_template_sha256 == sha256(str(props["chat_template"]).encode()).hexdigest()
    assert (facts.template_supports_tools, facts.context_tokens, facts.slots) == (False, 512, 1)
    assert (facts.memory_bytes or 0) > 90e6 or process == "inline"
    for shown in (facts.model_dump_json(), json.dumps(models.body), json.dumps(reply)):
        assert str(weights.path.parent) not in shown
    assert reply["model"] == facts.served_model == endpoint.model == "smollm2"


async def test_slots_share_nothing_of_each_others_context(backend: Callable[..., LlamaCpp]) -> None:
    async with backend(slots=3, context_tokens=768).serve() as endpoint:
        slots = (await get_json(f"{origin(endpoint.base_url)}/slots", timeout_s=5)).body

    assert isinstance(slots, list)
    assert [one["n_ctx"] for one in slots if isinstance(one, dict)] == [768, 768, 768]
    assert (endpoint.facts.context_tokens, endpoint.facts.slots) == (768, 3)


async def test_slots_answer_at_the_same_time(backend: Callable[..., LlamaCpp]) -> None:
    busy = 0
    async with backend(slots=2).serve() as endpoint, asyncio.TaskGroup() as group:
        asked = [group.create_task(complete(endpoint, max_tokens=64, ignore_eos=True)) for _ in range(2)]
        while not all(one.done() for one in asked):
            slots = (await get_json(f"{origin(endpoint.base_url)}/slots", timeout_s=30)).body
            assert isinstance(slots, list)
            busy = max(busy, sum(bool(one["is_processing"]) for one in slots if isinstance(one, dict)))

    assert busy == 2


async def test_cache_off_computes_each_prompt_anew_and_on_reuses_it(backend: Callable[..., LlamaCpp]) -> None:
    cached: dict[str, list[int]] = {}
    for cache in ("off", "on"):
        async with backend(cache=cache).serve() as endpoint:
            replies = [await complete(endpoint) for _ in range(2)]
            cached[cache] = [int(one["timings"]["cache_n"]) for one in replies]

    assert cached["off"] == [0, 0]
    assert cached["on"][0] == 0
    assert cached["on"][1] > 0


async def test_a_chat_template_of_ours_is_the_one_in_use(backend: Callable[..., LlamaCpp], tmp_path: Path) -> None:
    template = tmp_path / "plain.jinja"
    template.write_text(TOOL_TEMPLATE)

    async with backend({"chat_template": str(template)}).serve() as endpoint:
        applied = await post_json(
            f"{origin(endpoint.base_url)}/apply-template", {"messages": HELLO, "tools": [TOOL]}, timeout_s=5
        )

    assert str(applied.table()["prompt"]).startswith("Tools: [")
    assert endpoint.facts.chat_template_sha256 == sha256(TOOL_TEMPLATE.encode()).hexdigest()
    assert endpoint.facts.flags["chat_template_from"] == "configuration"


async def test_prompt_tokens_show_whether_the_template_swallows_the_tools(
    backend: Callable[..., LlamaCpp], tmp_path: Path
) -> None:
    template = tmp_path / "plain.jinja"
    template.write_text(TOOL_TEMPLATE)
    counts = {}
    for name in (None, str(template)):
        async with backend({"chat_template": name}).serve() as endpoint:
            counts[name] = [await count_prompt_tokens(endpoint, HELLO, tools) for tools in ((), (TOOL,))]

    without, with_tools = counts[None]
    assert without == with_tools
    without, with_tools = counts[str(template)]
    assert without is not None
    assert with_tools is not None
    assert with_tools > without + 10


async def test_an_adapter_changes_the_answer_by_its_scale(backend: Callable[..., LlamaCpp], tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "adapter.gguf", width=576, layers=30)
    texts, shown = [], []
    for lora in ([], [{"path": str(adapter), "scale": 0.0}], [{"path": str(adapter), "scale": 2.0}]):
        async with backend(lora=lora).serve() as endpoint:
            texts.append(await text(endpoint))
            shown.append(endpoint.facts.flags["lora"])

    base, nothing, strong = texts
    assert nothing == base
    assert strong != base
    assert shown[-1] == [{"file": "adapter.gguf", "sha256": sha256(adapter.read_bytes()).hexdigest(), "scale": 2.0}]


async def test_answers_repeat_from_one_start_to_the_next(backend: Callable[..., LlamaCpp]) -> None:
    texts = []
    for _ in range(2):
        async with backend().serve() as endpoint:
            texts.append(await text(endpoint))

    assert texts[0] == texts[1]


async def test_leaving_takes_the_engine_down(backend: Callable[..., LlamaCpp]) -> None:
    before = children()

    async with backend().serve() as endpoint:
        pass

    await assert_down(endpoint)
    assert children() == before


async def test_an_exception_inside_takes_the_engine_down_and_goes_on(backend: Callable[..., LlamaCpp]) -> None:
    before, seen = children(), []

    async def run() -> None:
        async with backend().serve() as endpoint:
            seen.append(endpoint)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()

    await assert_down(seen[0])
    assert children() == before


async def test_a_cancelled_run_takes_the_engine_down_in_the_middle_of_an_answer(
    backend: Callable[..., LlamaCpp],
) -> None:
    before, seen = children(), []
    asking = asyncio.Event()

    async def run() -> None:
        async with backend().serve() as endpoint:
            seen.append(endpoint)
            asking.set()
            await complete(endpoint, max_tokens=400, ignore_eos=True)

    task = asyncio.create_task(run())
    await asking.wait()
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await assert_down(seen[0])
    assert children() == before


async def test_a_refused_adapter_is_told_with_the_engines_own_reason(
    backend: Callable[..., LlamaCpp], tmp_path: Path
) -> None:
    before = children()
    adapter = write_lora(tmp_path / "adapter.gguf", width=32, layers=2)

    with pytest.raises(BackendError, match=r"^llama\.cpp did not load the model: .*lora") as caught:
        async with backend(lora=[{"path": str(adapter)}]).serve():
            pass

    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert children() == before


async def test_a_broken_template_is_told_with_the_engines_own_reason(
    backend: Callable[..., LlamaCpp], tmp_path: Path
) -> None:
    template = tmp_path / "broken.jinja"
    template.write_text("{% if %}")

    with pytest.raises(BackendError, match=r"did not load the model: .*Unexpected token"):
        async with backend({"chat_template": str(template)}).serve():
            pass


@pytest.mark.parametrize("process", ["child"], indirect=True)
async def test_threads_are_as_many_as_were_asked_for(backend: Callable[..., LlamaCpp]) -> None:
    counts = []
    for threads in (1, 3):
        before = children()
        async with backend(threads=threads).serve() as endpoint:
            await complete(endpoint)
            (pid,) = children() - before
            counts.append(psutil.Process(pid).num_threads())

    assert counts[1] - counts[0] == 2


@pytest.mark.parametrize("process", ["child"], indirect=True)
async def test_a_smaller_cache_type_takes_less_memory(backend: Callable[..., LlamaCpp]) -> None:
    taken = {}
    for kv_type in ("f32", "q8_0"):
        async with backend(kv_type=kv_type, context_tokens=8192).serve() as endpoint:
            taken[kv_type] = endpoint.facts.memory_bytes or 0

    assert taken["f32"] - taken["q8_0"] > 8192 * 11_520 * 2  # elements per token x bytes saved, with room to spare


@pytest.mark.parametrize("process", ["child"], indirect=True)
async def test_a_start_that_takes_too_long_is_given_up(backend: Callable[..., LlamaCpp]) -> None:
    before = children()

    with pytest.raises(BackendError, match=r"did not come up within 0\.02 s; give it longer"):
        async with backend(start_timeout_s=0.02).serve():
            pass

    assert children() == before


@pytest.mark.parametrize("process", ["child"], indirect=True)
async def test_an_engine_that_dies_during_the_run_is_named(backend: Callable[..., LlamaCpp]) -> None:
    before = children()

    async def run() -> None:
        async with backend().serve() as endpoint:
            (pid,) = children() - before
            os.kill(pid, signal.SIGSEGV)
            await complete(endpoint)

    with pytest.raises(BackendError, match=r"was ended by SIGSEGV during the run"):
        await run()


OWNER = """
import asyncio, json, sys, psutil
from pathlib import Path
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import get_json, origin
from harness.config import LlamaCppConfig, ModelConfig

config = LlamaCppConfig(name="llamacpp", context_tokens=512, threads=1)
model = ModelConfig(name="smollm2", title="x", licence="x", weights={"path": sys.argv[1]})

async def main():
    async with LlamaCpp(config, model).serve() as endpoint:
        try:
            print(json.dumps([one.pid for one in psutil.Process().children()]), flush=True)
            await asyncio.sleep(600)
        finally:
            answer = await get_json(origin(endpoint.base_url) + "/health", timeout_s=5)
            print(json.dumps({"health while draining": answer.status}), flush=True)

asyncio.run(main())
"""


@pytest.fixture
def owner(weights: WeightFile, tmp_path: Path) -> Callable[[], "subprocess.Popen[str]"]:
    """Starts a process that owns an engine; in a session of its own, as under a terminal."""
    path = tmp_path / "owner.py"
    path.write_text(OWNER)

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(path), str(weights.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    return start


def gone(pids: list[int], within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_no_engine_outlives_a_harness_that_is_killed(owner: Callable[[], "subprocess.Popen[str]"]) -> None:
    with owner() as process:
        assert process.stdout is not None
        engines = json.loads(process.stdout.readline())
        process.kill()

    assert len(engines) == 1
    assert gone(engines)


def test_no_engine_outlives_a_harness_that_is_killed_while_it_loads(
    owner: Callable[[], "subprocess.Popen[str]"],
) -> None:
    with owner() as process:
        engines: list[int] = []
        while not engines and process.poll() is None:
            engines = [one.pid for one in psutil.Process(process.pid).children()]
        process.kill()

    assert engines
    assert gone(engines)


def test_ctrl_c_leaves_the_engine_up_until_the_harness_has_drained(
    owner: Callable[[], "subprocess.Popen[str]"],
) -> None:
    with owner() as process:
        assert process.stdout is not None
        engines = json.loads(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        drained = json.loads(process.stdout.readline())
        process.wait(20)

    assert drained == {"health while draining": 200}
    assert gone(engines, within_s=0.5)
