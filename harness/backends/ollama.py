"""Ollama: asked by its OpenAI routes, described by its own (`/api/version`, `tags`, `show`, `ps`, `generate`).

The trap: the OpenAI route takes no `num_ctx`, so a request gets the context that the model's file or the server was set
to, 4,096 tokens by default below 24 GiB of GPU memory, and longer prompts are cut without a word
(https://docs.ollama.com/context-length). So the model is loaded as that route would load it, and what it was given is
read from `/api/ps` before anything is measured.
"""

import hashlib
import re

from harness.backends.attached import AnyAttached, Found, Probe, Table, Told
from harness.backends.blame import without_secrets
from harness.config import ModelConfig, OllamaConfig
from harness.errors import BackendError
from harness.records.manifest import WeightFacts

__all__ = ["Ollama"]

_BLOB = re.compile(r"^FROM .*sha256[-:](?P<digest>[0-9a-f]{64})\s*$", re.MULTILINE)


class Ollama:
    """The engine `ollama`."""

    title = "Ollama"
    health = "/api/version"

    def names(self, model: ModelConfig) -> tuple[str, ...]:
        """The tag of its library alone where one is known: the bare name may be another size."""
        return (model.weights.ollama or model.name,)

    def start(self, model: ModelConfig, port: int) -> str:
        """The server, then the model."""
        host = "" if port == 11434 else f"OLLAMA_HOST=127.0.0.1:{port} "
        return f"{host}ollama serve; then: {self.get(model)}"

    def get(self, model: ModelConfig) -> str:
        """The model alone."""
        return f"ollama pull {model.served_name or self.names(model)[0]}"

    def body(self, config: AnyAttached) -> dict[str, object]:
        """Nothing: its OpenAI route has no fields of its own."""
        del config
        return {}

    async def listing(self, probe: Probe) -> dict[str, Table]:
        """What was pulled."""
        return _rows(await probe.table("/api/tags"))

    async def describe(self, found: Found) -> Told:
        """Loads the model as the OpenAI route would, then reads what it was given."""
        assert isinstance(found.config, OllamaConfig)
        asked = {"model": found.name, "keep_alive": found.config.keep_alive}
        answer = await found.probe.post("/api/generate", asked, timeout_s=found.config.load_timeout_s)
        if answer.status != 200:
            said = without_secrets(str(answer.table().get("error") or ""), found.probe.headers)
            raise BackendError(_not_loaded(found.name, said, answer.status, found.config))
        version = (await found.probe.table("/api/version")).get("version")
        show = (await found.probe.post("/api/show", {"model": found.name})).table()
        loaded = _rows(await found.probe.table("/api/ps")).get(found.name, {})
        template, abilities = show.get("template"), show.get("capabilities")
        facts: dict[str, object] = {
            "build": f"Ollama {version}" if isinstance(version, str) else None,
            "context_tokens": _whole(loaded.get("context_length")),
            "memory_bytes": _whole(loaded.get("size")),
            "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest()
            if isinstance(template, str)
            else None,
            "template_supports_tools": "tools" in abilities if isinstance(abilities, list) else None,
            "weights": _weights(found.name, found.row, show),
            "flags": {
                "keep_alive": found.config.keep_alive,
                "quantization": _details(found.row).get("quantization_level"),
                "gpu_memory_bytes": _whole(loaded.get("size_vram")),
                "digest": found.row.get("digest"),
                "parameters": show.get("parameters"),
            },
        }
        return Told(facts, caches=True)


def _rows(table: Table) -> dict[str, Table]:
    rows = table.get("models")
    return {str(one["name"]): one for one in rows if isinstance(one, dict) and "name" in one} if rows else {}  # type: ignore[union-attr]


def _not_loaded(served: str, said: str, status: int, config: OllamaConfig) -> str:
    if status == 0:
        limit = config.load_timeout_s
        return f"Ollama did not load {served} within {limit:g} s; give it longer: backend.load_timeout_s={4 * limit:g}"
    reason = f": {said}" if said else ""
    return f"Ollama does not load {served} ({status}){reason}; see what it says to: ollama run {served}"


def _weights(served: str, row: Table, show: Table) -> WeightFacts | None:
    """The weights by the digest of their blob, which is the file's SHA-256; None where Ollama does not name it."""
    source, size = show.get("modelfile"), _whole(row.get("size"))
    blob = _BLOB.search(source) if isinstance(source, str) else None
    if blob is None or size is None:
        return None
    info = show.get("model_info")
    quantization = _details(row).get("quantization_level")
    return WeightFacts(
        file=served,
        bytes=size,  # of the model's layers together: the template and licence are a few kilobytes of it
        sha256=blob["digest"],
        quantization=quantization if isinstance(quantization, str) else None,
        parameters=_whole(info.get("general.parameter_count")) if isinstance(info, dict) else None,
        source=f"ollama:{served}",
    )


def _details(row: Table) -> Table:
    details = row.get("details")
    return details if isinstance(details, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
