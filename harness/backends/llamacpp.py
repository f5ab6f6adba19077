"""llama.cpp embedded through xllamacpp: a managed child process, or a server inside the harness."""

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import aiohttp
import psutil
from pydantic import JsonValue

from harness.assets import OnProgress
from harness.assets.store import file_sha256
from harness.backends.llamacpp_child import EngineSettings, start
from harness.backends.llamacpp_plan import plan
from harness.backends.process import ServerProcess, reason_in_log
from harness.backends.server_probe import get_json
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig, ModelConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts, WeightFacts

__all__ = ["LlamaCpp"]

_CHILD = Path(__file__).with_name("llamacpp_child.py")
_SPIN = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10000"}
"""llama.cpp's threads wait for each other at every layer; OpenMP lets them spin, then sleep. SmolLM2 Q4_1 on two cores
(xllamacpp 2026.10.11549), tokens/s alone and beside one busy process: never spinning 45-57 and 46-67, 1,000 turns
38 and 30, 10,000 turns 94 and 25-32, 100,000 turns 102 and 9, without end 101 and 1-11. Yours wins."""


class LlamaCpp:
    """The backend `llamacpp`: serves a GGUF file on a free loopback port."""

    name = "llamacpp"

    def __init__(
        self,
        config: LlamaCppConfig,
        model: ModelConfig,
        *,
        weights: WeightFile | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Takes `weights` where they were resolved before; else they are, with `on_progress`, when serving starts."""
        self._config = config
        self._model = model
        self._weights = weights
        self._on_progress = on_progress

    def prepare(self) -> WeightFacts:
        """The weights, fetched if need be. Raises AssetError where there are none or they are damaged."""
        if self._weights is None:
            self._weights = resolve_weights(self._model, on_progress=self._on_progress)
        return self._weights.facts

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context in which the model answers; leaving it ends the engine.

        Raises AssetError without whole weights, ConfigError for settings that contradict each other or the weights,
        BackendError where the engine does not come up, or ended by itself while it was used.
        """
        return self._serve_child() if self._config.process == "child" else self._serve_inline()

    async def _prepare(self) -> tuple[WeightFile, EngineSettings]:
        weights = self._weights
        if weights is None:
            weights = await asyncio.to_thread(resolve_weights, self._model, on_progress=self._on_progress)
        return weights, plan(self._config, self._model, weights)

    @asynccontextmanager
    async def _serve_child(self) -> AsyncIterator[Endpoint]:
        weights, settings = await self._prepare()
        environment = _waiting()
        until = time.monotonic() + self._config.start_timeout_s
        with ServerProcess(_CHILD, {"settings": asdict(settings)}, environment=environment) as process:
            try:
                answer = await process.answer(self._config.start_timeout_s)
            except TimeoutError:
                raise BackendError(self._too_slow()) from None
            if "error" in answer:
                raise _gave_up(str(answer["kind"]), str(answer["error"]), process.log())
            await self._healthy(str(answer["address"]), until)
            endpoint = await self._endpoint(answer, weights, settings, process.pid)
            try:
                yield endpoint
            except Exception as error:
                if await process.ends():
                    raise BackendError(process.obituary("during the run")) from error
                raise
            if process.ended():
                raise BackendError(process.obituary("during the run"))

    @asynccontextmanager
    async def _serve_inline(self) -> AsyncIterator[Endpoint]:
        """Loading holds the interpreter's lock (xllamacpp 2026.10.11549): nothing else runs until it is done."""
        weights, settings = await self._prepare()
        os.environ.update(_waiting())  # read once, when xllamacpp is first imported
        until = time.monotonic() + self._config.start_timeout_s
        with tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
            try:
                with _standard_error_to(log.fileno()):
                    started = start(settings)
            except (ImportError, RuntimeError, ValueError) as error:
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise _gave_up(type(error).__name__, str(error), said) from None
            holder = [started.server]
            stack.callback(holder.clear)  # the server ends when nobody holds it
            answer = {key: getattr(started, key) for key in ("address", "build", "system", "gpus")}
            del started
            await self._healthy(str(answer["address"]), until)
            yield await self._endpoint(answer, weights, settings, None)

    async def _healthy(self, address: str, until: float) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                if (await get_json(f"{address}/health", timeout_s=5.0)).status == 200:
                    return
            if time.monotonic() > until:
                raise BackendError(self._too_slow())
            await asyncio.sleep(0.05)

    def _too_slow(self) -> str:
        limit = self._config.start_timeout_s
        return f"llama.cpp did not come up within {limit:g} s; give it longer: backend.start_timeout_s={2 * limit:g}"

    async def _endpoint(
        self, answer: dict[str, object], weights: WeightFile, settings: EngineSettings, pid: int | None
    ) -> Endpoint:
        address = str(answer["address"])
        props = (await get_json(f"{address}/props", timeout_s=10.0)).table()
        slots = (await get_json(f"{address}/slots", timeout_s=10.0)).body
        per_slot = [one.get("n_ctx") for one in slots if isinstance(one, dict)] if isinstance(slots, list) else []
        if len(per_slot) != settings.slots or not isinstance(per_slot[0], int):
            raise BackendError(f"llama.cpp came up with {len(per_slot)} slots where {settings.slots} were asked for")
        template, caps = props.get("chat_template"), props.get("chat_template_caps")
        tools = caps.get("supports_tools") if isinstance(caps, dict) else None
        quantization = _quantization(props.get("model_ftype")) or weights.facts.quantization
        facts = BackendFacts(
            name=self.name,
            build=str(answer["build"]),
            flags=await asyncio.to_thread(self._flags, answer, weights, settings),
            chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None,
            template_supports_tools=tools if isinstance(tools, bool) else None,
            context_tokens=per_slot[0],
            slots=len(per_slot),
            weights=weights.facts.model_copy(update={"quantization": quantization}),
            served_model=settings.alias,
            memory_bytes=None if pid is None else psutil.Process(pid).memory_info().rss,
        )
        extra: dict[str, object] = {"cache_prompt": settings.cache}
        return Endpoint(
            base_url=f"{address}/v1",
            model=settings.alias,
            facts=facts,
            extra_body=extra,
            caches=settings.cache,
            slot_field="id_slot" if settings.cache else None,
        )

    def _flags(self, answer: dict[str, object], weights: WeightFile, settings: EngineSettings) -> dict[str, JsonValue]:
        """What the engine was told, without folders."""
        gpus = answer["gpus"]
        source = "configuration" if settings.chat_template else "weights"
        if source == "weights" and not weights.header.has_chat_template:
            source = "engine default"
        lora: list[JsonValue] = [
            {"file": Path(path).name, "sha256": file_sha256(Path(path)), "scale": scale}
            for path, scale in settings.lora
        ]
        return {
            "process": self._config.process,
            "context_tokens_total": settings.context_tokens,
            "slots": settings.slots,
            "threads": settings.threads,
            "gpu_layers": settings.gpu_layers,
            "gpus": [str(one) for one in gpus] if isinstance(gpus, list | tuple) else [],
            "batch_tokens": settings.batch_tokens,
            "ubatch_tokens": settings.ubatch_tokens,
            "cache": "on" if settings.cache else "off",
            "kv_type": settings.kv_type,
            "flash_attention": settings.flash_attention,
            "lora": lora,
            "jinja": True,
            "chat_template_from": source,
            "continuous_batching": True,
            **{name.lower(): os.environ.get(name, _waiting().get(name)) for name in _SPIN},
            "system": str(answer["system"]),
        }


def _waiting() -> dict[str, str]:
    """How OpenMP's threads are to wait, unless the environment says something of its own."""
    return {} if any(name in os.environ for name in _SPIN) else dict(_SPIN)


def _gave_up(kind: str, said: str, log: str) -> BackendError | ConfigError:
    """The error for an engine that reported why it does not serve."""
    if kind in {"ImportError", "ModuleNotFoundError"}:
        return BackendError(
            f"the embedded llama.cpp cannot be loaded ({said}): pip install xllamacpp; where it has no wheel for your "
            "platform, start llama-server yourself and attach to it: model=endpoint model.url=http://127.0.0.1:8080/v1"
        )
    if kind == "ValueError":
        return ConfigError(said)
    return BackendError(f"llama.cpp did not load the model: {reason_in_log(log) or said}")


def _quantization(file_type: object) -> str | None:
    """llama.cpp's name of a file type as files are named: `Q4_K - Medium` is `Q4_K_M`."""
    if not isinstance(file_type, str) or not file_type:
        return None
    name = re.sub(r" - (Small|Medium|Large|Extra\w*)", lambda match: f"_{match[1][0]}", file_type)
    return name.removeprefix("(guessed) ")


@contextlib.contextmanager
def _standard_error_to(target: int) -> Iterator[None]:
    """Sends what native code writes to standard error elsewhere, to have the reason where loading fails."""
    kept = os.dup(2)
    try:
        os.dup2(target, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
