"""vLLM as a managed process: what it is told, what its failures say, and that none of its processes stays.

The launcher and its processes are real; in vLLM's place stands `tests/support/fake_vllm`.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.assets import Progress
from harness.backends.vllm import Vllm
from harness.config import ModelConfig, VllmConfig
from harness.errors import AssetError, BackendError
from harness.protocols import Endpoint
from tests.support import engine_servers as engines
from tests.support.fake_vllm import fake_python, tiny_weights
from tests.support.hub_server import COMMIT, running_hub

ROOT = Path(__file__).parents[3]


def entry(**changes: object) -> ModelConfig:
    return ModelConfig.model_validate({"name": "small", "title": "Small", "licence": "unknown", **changes})


def config(**changes: object) -> VllmConfig:
    return VllmConfig.model_validate({"name": "vllm", **changes})


def value(line: Sequence[str], flag: str) -> str:
    return line[line.index(flag) + 1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backends.vllm._GRACE_S", 0.3)


@pytest.fixture
def here(tmp_path: Path) -> dict[str, Any]:
    """A Python with the stand-in, and weights."""
    return {
        "python": str(fake_python(tmp_path / "venv")),
        "model": entry(weights={"path": str(tiny_weights(tmp_path / "w" / "small"))}),
    }


def backend(here: dict[str, Any], *extra: str, **changes: object) -> Vllm:
    return Vllm(config(python=here["python"], extra_args=extra, **changes), here["model"])


def alive(pids: Sequence[int]) -> list[int]:
    return [one for one in pids if psutil.pid_exists(one) and psutil.Process(one).status() != psutil.STATUS_ZOMBIE]


LOG = """\
(APIServer pid=1) INFO 11-21 14:22:58 [api_utils.py:286] non-default args: {'model': '/home/me/m'}
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9] Traceback (most recent call last):
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9]   File "/home/me/x.py", line 1, in f
(EngineCore pid=2) ERROR 11-21 14:23:00 [core.py:9] {cause}
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.
"""


async def served(made: Vllm) -> Endpoint:
    async with made.serve() as endpoint:
        return endpoint


async def test_it_tells_version_context_weights_and_settings_without_folders(here: dict[str, Any]) -> None:
    async with engines.serving(engines.vllm_server("small")) as server:
        endpoint = await served(backend(here, "--behind", server.url, mode="batch"))

    facts = endpoint.facts
    assert facts.build == "vLLM 0.32.0 (vllm)"
    assert (facts.context_tokens, facts.slots, facts.flags["mode"]) == (4096, 1, "batch")
    assert facts.weights is not None
    assert (facts.weights.file, facts.weights.quantization) == ("small", "BF16")
    assert facts.memory_bytes is not None
    assert str(Path(here["python"]).parent) not in facts.model_dump_json()


async def test_the_servers_name_of_the_repeat_penalty_is_sent(here: dict[str, Any]) -> None:
    here["model"] = entry(weights=here["model"].weights, generation={"repeat_penalty": 1.1})
    async with engines.serving(engines.vllm_server("small")) as server:
        endpoint = await served(backend(here, "--behind", server.url, template_options={"enable_thinking": False}))

    assert endpoint.extra_body == {"repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": False}}


async def test_it_runs_without_a_hub_and_on_loopback(here: dict[str, Any], tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    async with engines.serving(engines.vllm_server("small")) as server:
        await served(backend(here, "--behind", server.url, "--note", str(note)))

    seen = json.loads(note.read_text())
    assert value(seen["argv"], "--host") == "127.0.0.1"
    assert seen["environ"]["HF_HUB_OFFLINE"] == "1"


async def test_an_end_while_it_starts_is_told_with_reason_and_way_out(here: dict[str, Any]) -> None:
    made = backend(here, "--say", LOG.replace("{cause}", "ValueError: the KV cache memory does not suffice"))

    with pytest.raises(BackendError, match=r"^vLLM ended with code 1 while it started: the KV cache .*; a smaller"):
        await served(made)


async def test_a_server_that_does_not_come_up_in_time_is_ended(here: dict[str, Any]) -> None:
    before = children()

    async with engines.serving({"/health": 503}) as server:
        with pytest.raises(BackendError, match=r"backend\.start_timeout_s=3"):
            await served(backend(here, "--behind", server.url, start_timeout_s=1.5))

    assert children() == before


async def test_a_python_without_vllm_is_told(here: dict[str, Any], tmp_path: Path) -> None:
    here["python"] = str(fake_python(tmp_path / "bare", installed=False))

    with pytest.raises(BackendError, match=r"vLLM is not installed in backend\.python=.* make vllm-env"):
        await served(backend(here))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ValueError()])
async def test_leaving_it_ends_every_process_also_stubborn_ones(
    here: dict[str, Any], error: BaseException | None
) -> None:
    seen: list[int] = []
    before = children()

    async with engines.serving(engines.vllm_server("small")) as server:
        with contextlib.suppress(KeyboardInterrupt, ValueError):
            async with backend(here, "--behind", server.url, "--family").serve():
                seen = await family(before)
                if error is not None:
                    raise error

    assert len(seen) >= 5  # launcher, server, a parent, its child, and one in a session of its own
    assert alive(seen) == []


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True)}


async def family(before: set[int]) -> list[int]:
    """The five processes of a server with a family, those of other tests left out."""
    found: list[int] = []
    for _ in range(200):
        found = sorted(children() - before)
        if len(found) >= 5:
            return found
        await asyncio.sleep(0.05)
    return found


@pytest.fixture
def running(here: dict[str, Any], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the backend open and says which processes it has."""
    program = f"""
        import asyncio, json, psutil
        import harness.backends.vllm
        from harness.backends.vllm import Vllm
        from harness.config import ModelConfig, VllmConfig
        from tests.support import engine_servers as engines
        from tests.unit.backends.test_vllm import family

        harness.backends.vllm._GRACE_S = 0.3

        async def main():
            model = ModelConfig.model_validate_json({here["model"].model_dump_json()!r})
            async with engines.serving(engines.vllm_server("small")) as server:
                extra = ["--behind", server.url, "--family"]
                config = {{"name": "vllm", "python": {here["python"]!r}, "extra_args": extra}}
                async with Vllm(VllmConfig.model_validate(config), model).serve():
                    print(json.dumps(await family(set())), flush=True)
                    await asyncio.sleep(600)

        asyncio.run(main())
    """
    path = tmp_path / "holder.py"
    path.write_text(textwrap.dedent(program))
    command = [sys.executable, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_none_of_its_processes_outlives_a_harness_that_is_killed(
    running: "subprocess.Popen[str]", end: signal.Signals
) -> None:
    assert running.stdout is not None
    pids = json.loads(running.stdout.readline())

    running.send_signal(end)
    running.wait(30)

    until = time.monotonic() + 30
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(pids) >= 5
    assert alive(pids) == []


def test_a_gguf_file_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    made = Vllm(config(python=str(fake_python(tmp_path))), entry(weights={"path": str(file)}))

    with pytest.raises(AssetError, match=r"backend\.weights=gguf.*backend=llamacpp"):
        made.prepare()


@pytest.mark.parametrize(
    ("weights", "said"), [({}, "has no safetensors"), ({"path": "{tmp}/empty"}, "lies at|no .safetensors|config.json")]
)
def test_weights_that_cannot_be_had_are_told(tmp_path: Path, weights: dict[str, str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.txt").write_text("x")
    told = {key: one.format(tmp=tmp_path) for key, one in weights.items()}
    made = Vllm(config(python=str(fake_python(tmp_path))), entry(weights=told))

    with pytest.raises(AssetError, match=said):
        made.prepare()


def test_a_hub_repository_is_fetched_once_and_then_needs_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tiny_weights(tmp_path / "source", quantization_config={"quant_method": "awq", "bits": 4})
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    model = entry(weights={"safetensors": {"repo": "Owner/Small-1B"}})
    settings = config(python=str(fake_python(tmp_path)))
    reports: list[Progress] = []

    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        for name in ("config.json", "model.safetensors"):
            hub.files["Owner/Small-1B", name] = (source / name).read_bytes()
        hub.files["Owner/Small-1B", "onnx/model.onnx"] = b"not for us"
        first = Vllm(settings, model, on_progress=reports.append).prepare()
    again = Vllm(settings, model).prepare()

    assert first == again
    assert (first.source, first.quantization) == (f"hf:Owner/Small-1B@{COMMIT}", "awq-4bit")
    assert any("model.safetensors" in one.what for one in reports)


def test_a_hub_that_cannot_be_reached_names_the_gguf_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    gguf = {"asset": {"source": "path", "path": "m.gguf"}, "quantization": "Q4_1"}
    model = entry(weights={"safetensors": {"repo": "Owner/Small-1B"}, "gguf": gguf})

    with pytest.raises(AssetError, match=r"no model hub can be reached.*backend\.weights=gguf"):
        Vllm(config(python=str(fake_python(tmp_path))), model).prepare()
