"""Engines that run already and are known by name: found, waited for, asked what they serve, and left as they are.

What is particular to an engine stands in `harness.backends.engines`; here is what holds for all of them.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from pydantic import JsonValue

from harness.backends.endpoint import checked_url, key_header, refused, unreachable
from harness.backends.server_probe import Answer, get_json, origin, post_json
from harness.config import LlamaServerConfig, LmStudioConfig, ModelConfig, OllamaConfig, ServingConfig
from harness.errors import BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts

__all__ = [
    "AnyAttached",
    "Attached",
    "Engine",
    "Found",
    "Probe",
    "Table",
    "Told",
    "same_name",
    "v1_models",
    "without_folder",
]

AnyAttached = LlamaServerConfig | OllamaConfig | LmStudioConfig | ServingConfig
Table = Mapping[str, JsonValue]

_LISTED = 8
"""Names shown of a long list of models."""
_POLL_S = 0.25
_MAKERS = {"vllm": "vllm_server", "sglang": "sglang", "tensorrt_llm": "trtllm", "llamacpp": "llamaserver"}
"""Value of `owned_by` in the engines' own lists of models, and the backend that is meant by it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one server for what it says of itself."""

    root: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float

    async def get(self, path: str) -> Answer:
        """The answer to a GET; status 0 where none came."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            return await get_json(f"{self.root}{path}", timeout_s=self.timeout_s, headers=self.headers)
        return Answer(0)

    async def table(self, *paths: str) -> Table:
        """The JSON object at the first of these paths that has one; empty where none has."""
        for path in paths:
            answer = await self.get(path)
            if answer.status == 200 and answer.table():
                return answer.table()
        return {}

    async def post(self, path: str, body: Mapping[str, object], *, timeout_s: float | None = None) -> Answer:
        """The answer to a POST; status 0 where none came in time."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            limit = self.timeout_s if timeout_s is None else timeout_s
            return await post_json(f"{self.root}{path}", body, timeout_s=limit, headers=self.headers)
        return Answer(0)


@dataclass(frozen=True, slots=True)
class Found:
    """The model, found in an engine's list."""

    probe: Probe
    name: str
    """What requests call it."""
    row: Table
    """What the list says of it."""
    config: AnyAttached


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine said of itself and of the model."""

    facts: Mapping[str, object]
    """Fields of BackendFacts."""
    caches: bool = False
    slot_field: str | None = None


class Engine(Protocol):
    """What is particular to an engine."""

    title: str
    health: str
    """Route that answers 200 when it is ready and that other engines on the same port do not all have."""

    def names(self, model: ModelConfig) -> tuple[str, ...]:
        """What the engine may call a model, best first."""
        ...

    def start(self, model: ModelConfig, port: int) -> str:
        """What to type to have it serve the model."""
        ...

    def get(self, model: ModelConfig) -> str:
        """What to type where it runs but has not the model."""
        ...

    def body(self, config: AnyAttached) -> dict[str, object]:
        """Fields that every request carries."""
        ...

    async def listing(self, probe: Probe) -> dict[str, Table]:
        """Its models by the name that requests use, each with what its list says of it."""
        ...

    async def describe(self, found: Found) -> Told:
        """What it says of itself and the model, loading that if need be. Raises BackendError where that fails."""
        ...


class Attached:
    """A backend for one engine: checks that it is there, is the right one, and has the model; changes nothing."""

    def __init__(self, engine: Engine, config: AnyAttached, model: ModelConfig) -> None:
        """Nothing is asked before `serve`."""
        self.name: str = config.name
        self._engine, self._config, self._model = engine, config, model

    def prepare(self) -> None:
        """Nothing: the weights are the engine's."""

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """A context with the engine as it was found; leaving it ends nothing there.

        Raises ConfigError for what cannot be meant, BackendError where nothing listens, something else answers, the
        model is not there, or it has less room than `backend.context_tokens`.
        """
        return self._attach()

    @asynccontextmanager
    async def _attach(self) -> AsyncIterator[Endpoint]:
        config, model, engine = self._config, self._model, self._engine
        if model.hosted:
            raise ConfigError(
                f"{model.name} is hosted by {model.publisher or 'its provider'}, so {engine.title} cannot serve it: "
                f"leave backend={self.name} out, or choose an open model"
            )
        key = "backend.url" if model.url is None else "model.url"
        base_url, headers = checked_url(model.url or config.url, key), key_header(model)
        probe = Probe(origin(base_url), headers, config.connect_timeout_s)
        await self._ready(probe, base_url, key)
        served, row = self._find(await engine.listing(probe))
        told = await engine.describe(Found(probe, served, row, config))
        facts = _with_gaps(
            BackendFacts.model_validate({"name": self.name, "served_model": without_folder(served), **told.facts})
        )
        self._check_room(facts)
        yield Endpoint(
            base_url=base_url,
            model=served,
            facts=facts,
            headers=headers,
            extra_body={**engine.body(config), **config.extra_body},
            caches=told.caches,
            connect_timeout_s=config.connect_timeout_s,
            slot_field=told.slot_field,
        )

    async def _ready(self, probe: Probe, base_url: str, key: str) -> None:
        """Waits while the engine loads. Raises BackendError where nobody is there, or somebody else."""
        until = time.monotonic() + self._config.ready_timeout_s
        while True:
            status = await self._health(probe, base_url, key)
            if status == 200:
                return
            if status in {401, 403}:
                raise BackendError(refused(self._model, base_url, status))
            if status != 503:
                raise BackendError(
                    f"what answers at {probe.root} is not {self._engine.title}: {self._engine.health} gives {status}; "
                    f"any OpenAI-compatible server: model=endpoint model.url={base_url} model.name=NAME"
                )
            if time.monotonic() > until:
                limit = self._config.ready_timeout_s
                raise BackendError(
                    f"{self._engine.title} at {probe.root} still loads after {limit:g} s; give it longer: "
                    f"backend.ready_timeout_s={max(4 * limit, 60):g}"
                )
            await asyncio.sleep(_POLL_S)

    async def _health(self, probe: Probe, base_url: str, key: str) -> int:
        limit, title = self._config.connect_timeout_s, self._engine.title
        url = f"{probe.root}{self._engine.health}"
        try:
            return (await get_json(url, timeout_s=limit, headers=probe.headers)).status
        except TimeoutError:
            raise BackendError(
                f"{title} at {probe.root} does not answer within {limit:g} s; give it longer: "
                f"backend.connect_timeout_s={4 * limit:g}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            port = urlsplit(base_url).port or 80
            start = f"start it: {self._engine.start(self._model, port)}; if it is elsewhere: {key}=http://HOST:PORT/v1"
            raise BackendError(unreachable(base_url, error, key=key, start=start)) from None

    def _find(self, listed: Mapping[str, Table]) -> tuple[str, Table]:
        """The engine's name of the model, and its entry. Raises BackendError, with what is there, where it has none."""
        makers = {str(row.get("owned_by")) for row in listed.values()} & _MAKERS.keys()
        others = {_MAKERS[maker] for maker in makers} - {self.name}
        if others and self.name not in {_MAKERS[maker] for maker in makers}:
            raise BackendError(f"what answers is not {self._engine.title}: choose backend={min(others)}")
        wanted = (self._model.served_name,) if self._model.served_name else self._engine.names(self._model)
        for name in wanted:
            for served, row in listed.items():
                if same_name(name, served) or any(same_name(name, alias) for alias in _aliases(row)):
                    return served, row
        raise BackendError(self._missing(wanted[0], sorted(listed)))

    def _missing(self, wanted: str, names: Sequence[str]) -> str:
        near = get_close_matches(wanted, names, n=1, cutoff=0.4)
        hint = without_folder(near[0] if near else (names[0] if len(names) == 1 else "NAME"))
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        shown = ", ".join(without_folder(name) for name in names[:_LISTED]) + more
        return (
            f"{self._engine.title} has no model {wanted!r}; it has: {shown or 'none'}; "
            f"{self._engine.get(self._model)}; or, if it is there by another name: model.served_name={hint}"
        )

    def _check_room(self, facts: BackendFacts) -> None:
        wanted, own = self._config.context_tokens, self._model.context_tokens
        if wanted is None:
            return
        wanted = wanted if own is None else min(wanted, own)
        if facts.context_tokens is None:
            raise BackendError(
                f"{self._engine.title} does not say how much context {facts.served_model} has, and {wanted} tokens are "
                "wanted: update it, or take it as it is with backend.context_tokens=null"
            )
        if facts.context_tokens < wanted:
            raise BackendError(
                f"{self._engine.title} gives {facts.served_model} {facts.context_tokens} tokens of context, and "
                f"{wanted} are wanted; {_MORE_ROOM[self.name].format(tokens=wanted)}; "
                f"or take it as it is: backend.context_tokens={facts.context_tokens}"
            )


_MORE_ROOM = {
    "ollama": "start it with more: OLLAMA_CONTEXT_LENGTH={tokens} ollama serve",
    "lmstudio": "load it with more: lms load NAME --context-length {tokens}",
    "llamaserver": "start it with more: llama-server -c {tokens} (for each slot of -np as much)",
    "sglang": "start it with more: --context-length {tokens}",
    "trtllm": "start it with more: --max_seq_len {tokens}",
    "vllm_server": "start it with more: --max-model-len {tokens}",
}


async def v1_models(probe: Probe) -> dict[str, Table]:
    """The OpenAI list of models. Raises BackendError where there is none."""
    answer = await probe.get("/v1/models")
    rows = answer.table().get("data")
    if answer.status != 200 or not isinstance(rows, list):
        said = answer.status or "nothing"
        raise BackendError(f"{probe.root}/v1/models gives no list of models ({said}): is the address right?")
    return {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}


def same_name(wanted: str, served: str) -> bool:
    """Whether an engine's name means a model: folders of a file, `.gguf`, `:latest`, case, `_` for `-` do not matter.

    >>> same_name("smollm2", "/models/SmolLM2.gguf"), same_name("smollm2:135m", "smollm2"), same_name("a", "org/a")
    (True, False, False)
    """
    return _plain(wanted) == _plain(without_folder(served))


def _plain(name: str) -> str:
    return name.casefold().removesuffix(".gguf").removesuffix(":latest").replace("_", "-")


def without_folder(name: str) -> str:
    """A name as it may be shown: of a file its name alone, since folders belong to the machine.

    >>> without_folder("/home/me/m.gguf"), without_folder("Qwen/Qwen3-8B")
    ('m.gguf', 'Qwen/Qwen3-8B')
    """
    path = name.replace("\\", "/")
    return path.rsplit("/", 1)[-1] if path.startswith(("/", "~", ".")) or path[1:3] == ":/" else name


def _aliases(row: Table) -> list[str]:
    aliases = row.get("aliases")
    return [str(one) for one in aliases] if isinstance(aliases, list) else []


def _with_gaps(facts: BackendFacts) -> BackendFacts:
    """The facts, with the names of those that the engine does not tell as the flag `not_told`."""
    told = {
        "build": facts.build,
        "context": facts.context_tokens,
        "slots": facts.slots,
        "chat template": facts.chat_template_sha256,
        "quantization": facts.weights.quantization if facts.weights else facts.flags.get("quantization"),
        "digest of the weights": facts.weights,
        "memory": facts.memory_bytes,
    }
    gaps: list[JsonValue] = [name for name, value in told.items() if value is None]
    return facts.model_copy(update={"flags": {**facts.flags, "not_told": gaps}})
