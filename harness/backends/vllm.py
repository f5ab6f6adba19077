"""vLLM as a managed process: started in an environment of its own, and ended with every process that it started."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import psutil
from pydantic import JsonValue

from harness.assets import OnProgress, Progress
from harness.assets.progress import silent
from harness.assets.store import digest_of
from harness.backends.attached import Found, Probe, v1_models, without_folder
from harness.backends.named_python import lacking
from harness.backends.process import ServerProcess
from harness.backends.serving import VllmServer
from harness.backends.vllm_log import advice, reason_in_vllm_log
from harness.backends.vllm_plan import arguments, child_environment, served_name, vllm_python
from harness.backends.vllm_weights import TensorFolder, chat_template_sha256, tensor_folder
from harness.config import ModelConfig, ServingConfig, VllmConfig
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts, WeightFacts

__all__ = ["Vllm"]

_CHILD = Path(__file__).with_name("vllm_child.py")
_LAUNCH_TIMEOUT_S = 60.0
"""For the launcher to say that vLLM's process runs; it imports nothing heavy."""
_GRACE_S = 3.0
"""For vLLM to put its shared memory and sockets away; `ServerProcess` waits 5 s for the launcher."""
_POLL_S = 0.25
_STAGES = (
    ("Application startup", "ready"),
    ("Warming up model", "compiles and warms up"),
    ("torch.compile", "compiles and warms up"),
    ("Starting to load model", "loads the weights"),
)
"""Words of vLLM 0.32's log, the latest first, and what they mean."""


class Vllm:
    """The backend `vllm`: serves a folder of safetensors on a free loopback port."""

    name = "vllm"

    def __init__(self, config: VllmConfig, model: ModelConfig, *, on_progress: OnProgress | None = None) -> None:
        """Nothing is fetched or started before `prepare` or `serve`."""
        self._config, self._model = config, model
        self._report = on_progress or silent
        self._weights: TensorFolder | None = None

    def prepare(self) -> WeightFacts:
        """The weights, fetched or dequantised if need be. Raises AssetError where they cannot be had."""
        if self._weights is None:
            python = self._python()
            self._weights = tensor_folder(self._config, self._model, python, on_progress=self._report)
        return self._weights.facts

    def _python(self) -> Path:
        """The Python that has vLLM, asked before anything is fetched for it. Raises ConfigError, BackendError."""
        python = vllm_python(self._config.python)
        if self._config.python is not None and lacking(python, ("vllm",)):
            raise self._without()
        return python

    def _without(self) -> BackendError:
        where = "its environment" if self._config.python is None else f"backend.python={self._config.python}"
        return BackendError(
            f"vLLM is not installed in {where}: make vllm-env, or name a Python that has it: backend.python=…"
        )

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context in which the model answers; leaving it ends vLLM with every process that it started.

        Raises AssetError without whole weights, ConfigError for settings that contradict each other or the weights or
        where there is no environment with vLLM, BackendError where vLLM does not come up or ended while it was used.
        """
        return self._serve()

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[Endpoint]:
        python = self._python()
        asked = served_name(self._model, self._config)
        await asyncio.to_thread(self.prepare)
        assert self._weights is not None
        words = arguments(self._config, self._model, self._weights)
        order = {"settings": {"arguments": words, "grace_s": _GRACE_S}}
        environment = child_environment(self._config)
        child = ServerProcess(_CHILD, order, environment=environment, python=str(python), engine="vLLM")
        with child as process, _no_orphans(process):
            until = time.monotonic() + self._config.start_timeout_s
            answer = await self._launched(process)
            address = str(answer["address"])
            await self._healthy(process, address, until)
            endpoint = await self._endpoint(answer, address, asked, process.pid)
            try:
                yield endpoint
            except Exception as error:
                if await process.ends():
                    raise BackendError(_obituary(process, "during the run")) from error
                raise
            if process.ended():
                raise BackendError(_obituary(process, "during the run"))

    async def _launched(self, process: ServerProcess) -> Mapping[str, object]:
        try:
            answer = await process.answer(min(_LAUNCH_TIMEOUT_S, self._config.start_timeout_s))
        except TimeoutError:
            raise BackendError(
                "the Python of vLLM does not start: is backend.python a Python 3.9 or newer? "
                "Make the environment anew: rm -r .venv-vllm; make vllm-env"
            ) from None
        if "error" in answer:
            raise self._without()
        return answer

    async def _healthy(self, process: ServerProcess, address: str, until: float) -> None:
        """Waits for the server, saying how far it is; raises BackendError where it ends or takes too long."""
        limit, told = self._config.start_timeout_s, ""
        probe = Probe(address, {}, 5.0)
        while (await probe.get("/health")).status != 200:
            if process.ended():
                raise BackendError(_obituary(process, "while it started"))
            if time.monotonic() > until:
                raise BackendError(
                    f"vLLM did not come up within {limit:g} s; give it longer: backend.start_timeout_s={2 * limit:g}, "
                    "or let it start sooner: backend.eager=true"
                )
            if (stage := _stage(process.log())) != told:
                told = stage
                self._report(Progress(f"vLLM: {stage}", 0, 0))
            await asyncio.sleep(_POLL_S)

    async def _endpoint(self, answer: Mapping[str, object], address: str, asked: str, pid: int) -> Endpoint:
        config, weights = self._config, self._weights
        assert weights is not None
        probe = Probe(address, {}, 10.0)
        rows = await v1_models(probe)
        if asked not in rows:
            raise BackendError(
                f"vLLM serves {', '.join(sorted(rows))}, and model.served_name={asked} is none of them: correct it"
            )
        told = await VllmServer().describe(Found(probe, asked, rows[asked], _as_attached()))
        seen = told.facts["flags"]
        flags: dict[str, JsonValue] = {**(seen if isinstance(seen, dict) else {}), **await self._flags()}
        build = told.facts["build"]
        facts = BackendFacts(
            name=self.name,
            build=f"{build} ({answer['build']})" if isinstance(build, str) else str(answer["build"]),
            flags=flags,
            chat_template_sha256=chat_template_sha256(self._model, weights.path),
            context_tokens=_whole(told.facts["context_tokens"]),
            slots=config.slots,
            weights=weights.facts,
            served_model=without_folder(asked),
            memory_bytes=await asyncio.to_thread(_memory, pid),
        )
        return Endpoint(
            base_url=f"{address}/v1",
            model=asked,
            facts=facts,
            extra_body=self._body(),
            caches=told.caches,
        )

    def _body(self) -> dict[str, object]:
        """Fields of every request. What llama.cpp calls `repeat_penalty` has another name here, else it is ignored."""
        body: dict[str, object] = {}
        if self._config.template_options:
            body["chat_template_kwargs"] = self._config.template_options
        if self._model.generation.repeat_penalty is not None:
            body["repetition_penalty"] = self._model.generation.repeat_penalty
        return {**body, **self._config.extra_body}

    async def _flags(self) -> dict[str, JsonValue]:
        """What vLLM was told, without folders."""
        config, model = self._config, self._model
        lora: list[JsonValue] = [
            {"name": one.name, "sha256": await asyncio.to_thread(_adapter_digest, one.path)} for one in config.lora
        ]
        return {
            "mode": config.mode,
            "slots": config.slots,
            "threads": config.threads,
            "dtype": config.dtype,
            "quantization": config.quantization,
            "kv_type": config.kv_type,
            "tensor_parallel": config.tensor_parallel,
            "gpu_memory_frac": config.gpu_memory_frac,
            "cpu_cache_gib": config.cpu_cache_gib,
            "cache": config.cache,
            "eager": config.eager,
            "tool_parser": config.tool_parser,
            "reasoning_parser": config.reasoning_parser,
            "chat_template_from": "configuration" if model.chat_template else "weights",
            "lora": lora,
            "template_options": config.template_options,
            "extra_args": [without_folder(word) for word in config.extra_args],
            "continuous_batching": True,
        }


def _adapter_digest(path: str) -> str:
    return digest_of(Path(path).expanduser())


def _as_attached() -> ServingConfig:
    return ServingConfig(name="vllm_server", url="http://127.0.0.1/v1")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _memory(pid: int) -> int | None:
    """Resident bytes of the server with its engine and workers; pages that they share count once for each."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in (launcher := psutil.Process(pid)).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
        total += launcher.memory_info().rss
    return total or None


def _stage(log: str) -> str:
    """What vLLM is at while it starts, by its log."""
    return next((stage for sign, stage in _STAGES if sign in log), "starts")


def _obituary(process: ServerProcess, when: str) -> str:
    """One line on how vLLM ended, why, and what to type."""
    reason = reason_in_vllm_log(process.log())
    way_out = advice(reason)
    how = process.obituary(when).split(": ", 1)[0]
    return how + (f": {reason}" if reason else "") + (f"; {way_out}" if way_out else "")


@contextmanager
def _no_orphans(process: ServerProcess) -> Iterator[None]:
    """Ends what is left of the launcher's group should the launcher itself have been killed."""
    try:
        yield
    finally:
        if process.ended():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
