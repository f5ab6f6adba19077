"""Plain transformers as the reference lane: a checkpoint, its adapter, and `generate`, without a scheduler.

Slow, and the yardstick: what a fine-tuned checkpoint answers here is what its training library says that it answers.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from pydantic import JsonValue

from harness.assets import OnProgress
from harness.assets.store import digest_of
from harness.backends.named_python import lacking
from harness.backends.process import ServerProcess
from harness.backends.torch_python import torch_python
from harness.backends.transformers_child import LaneSettings
from harness.backends.transformers_plan import Checkpoint, checkpoint_of, settings_of
from harness.config import ModelConfig, TransformersConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts, WeightFacts

__all__ = ["TransformersLane"]

_CHILD = Path(__file__).with_name("transformers_child.py")
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
_SPIN = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10000"}
"""torch's threads wait for each other too: as in `harness.backends.llamacpp`, they spin for a while, then sleep."""


class TransformersLane:
    """The backend `transformers`."""

    name = "transformers"

    def __init__(
        self, config: TransformersConfig, model: ModelConfig, *, on_progress: OnProgress | None = None
    ) -> None:
        """Nothing is fetched yet; `on_progress` hears of it when it is."""
        self._config, self._model, self._on_progress = config, model, on_progress
        self._checkpoint: Checkpoint | None = None

    def prepare(self) -> WeightFacts:
        """The weights, fetched or unpacked if need be. Raises AssetError where there are none or they are damaged."""
        return self._prepared().facts

    def _prepared(self) -> Checkpoint:
        if self._checkpoint is None:
            self._python()  # before gigabytes are fetched for it
            self._checkpoint = checkpoint_of(self._config, self._model, on_progress=self._on_progress)
        return self._checkpoint

    def _python(self) -> Path | None:
        """The Python that is to run the engine; None: this one does. Raises ConfigError or BackendError without one."""
        if self._config.process == "inline":
            return None
        python = torch_python(self._config.python)
        missing = lacking(python, ("torch", "transformers")) if self._config.python is not None else ()
        if missing:
            raise self._gave_up("ModuleNotFoundError", f"No module named {missing[0]!r}")
        return python

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context in which the model answers; leaving it ends the engine.

        Raises AssetError without whole weights, ConfigError for settings that cannot take effect or where no Python has
        torch, BackendError where the engine does not come up, or ended by itself while it was used.
        """
        return self._serve_child() if self._config.process == "child" else self._serve_inline()

    async def _settings(self) -> tuple[Checkpoint, LaneSettings]:
        checkpoint = await asyncio.to_thread(self._prepared)
        return checkpoint, settings_of(self._config, self._model, checkpoint)

    @asynccontextmanager
    async def _serve_child(self) -> AsyncIterator[Endpoint]:
        checkpoint, settings = await self._settings()
        python = str(self._python())
        order = {"settings": asdict(settings)}
        with ServerProcess(
            _CHILD, order, environment=_environment(), python=python, engine="the engine transformers"
        ) as child:
            try:
                answer = await child.answer(self._config.start_timeout_s)
            except TimeoutError:
                limit = self._config.start_timeout_s
                raise BackendError(
                    f"transformers did not come up within {limit:g} s; give it longer: "
                    f"backend.start_timeout_s={2 * limit:g}"
                ) from None
            if "error" in answer:
                raise self._gave_up(str(answer["kind"]), str(answer["error"]))
            try:
                yield await self._endpoint(answer, checkpoint, settings, child.pid)
            except Exception as error:
                if await child.ends():
                    raise BackendError(child.obituary("during the run")) from error
                raise
            if child.ended():
                raise BackendError(child.obituary("during the run"))

    @asynccontextmanager
    async def _serve_inline(self) -> AsyncIterator[Endpoint]:
        """Generating holds the interpreter's lock at times: times are less sharp than with a child."""
        checkpoint, settings = await self._settings()
        for name, value in _environment().items():
            if name != "HF_HUB_OFFLINE":  # the harness may have to fetch another model yet
                os.environ.setdefault(name, value)
        try:
            from harness.backends.transformers_server import LaneServer  # heavy: torch

            server = await asyncio.to_thread(LaneServer, settings)
        except Exception as error:  # transformers and peft raise what they like: named here, once
            raise self._gave_up(type(error).__name__, str(error)) from error
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield await self._endpoint({"address": server.address, **server.facts}, checkpoint, settings, None)
        finally:
            server.stop()
            thread.join()

    async def _endpoint(
        self, answer: dict[str, Any], checkpoint: Checkpoint, settings: LaneSettings, pid: int | None
    ) -> Endpoint:
        facts = BackendFacts(
            name=self.name,
            build=str(answer["build"]),
            flags=await asyncio.to_thread(self._flags, answer, checkpoint, settings),
            chat_template_sha256=str(answer["template_sha256"]),
            template_supports_tools=bool(answer["tools"]),
            context_tokens=int(answer["context_tokens"]),
            slots=1,
            weights=checkpoint.facts.model_copy(update={"parameters": int(answer["parameters"])}),
            served_model=settings.alias,
            memory_bytes=None if pid is None else psutil.Process(pid).memory_info().rss,
        )
        return Endpoint(base_url=f"{answer['address']}/v1", model=settings.alias, facts=facts)

    def _flags(self, answer: dict[str, Any], checkpoint: Checkpoint, settings: LaneSettings) -> dict[str, JsonValue]:
        """How the engine was set up, without folders."""
        adapter: JsonValue = None
        if settings.adapter is not None:
            path = Path(settings.adapter)
            adapter = {"folder": path.name, "sha256": digest_of(path), "merged": settings.merge}
        return {
            "process": self._config.process,
            "weights": checkpoint.origin,
            "adapter": adapter,
            "threads": settings.threads,
            "tool_parser": settings.tool_parser,
            "chat_template_from": answer["template_from"],
            "cache": "off",
            "grammar": "llguidance",
            **{name: answer[name] for name in ("device", "device_name", "dtype", "attention", "ends", "versions")},
        }

    def _gave_up(self, kind: str, reason: str) -> ConfigError | BackendError:
        """Why the engine did not come up, in one line with what to type."""
        said = " ".join(reason.split())[:300]
        if kind in {"ImportError", "ModuleNotFoundError"}:
            where = "this Python" if self._config.python is None else f"backend.python={self._config.python}"
            return BackendError(
                f"{where} cannot run the engine transformers ({said}): make train-env, or name a Python that has torch "
                "and transformers: backend.python=…"
            )
        if "chat_template" in said and self._model.chat_template is None:
            return ConfigError(
                f"the tokenizer of {self._model.name} has no chat template: name one, model.chat_template=FILE"
            )
        if kind == "ValueError" and said.startswith("backend."):
            return ConfigError(said)
        return BackendError(f"transformers did not load {self._model.name} ({kind}): {said}")


def _environment() -> dict[str, str]:
    """What the engine's process is told; how threads wait, unless the environment says something of its own."""
    return _ENVIRONMENT if any(name in os.environ for name in _SPIN) else _ENVIRONMENT | _SPIN
