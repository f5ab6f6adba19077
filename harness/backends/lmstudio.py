"""LM Studio: asked by its OpenAI routes, described by its REST API v0 (0.3.6 and later), which knows what is loaded."""

from harness.backends.attached import AnyAttached, Found, Probe, Table, Told
from harness.config import LmStudioConfig, ModelConfig
from harness.errors import BackendError

__all__ = ["LmStudio"]


class LmStudio:
    """The engine `lmstudio`."""

    title = "LM Studio"
    health = "/api/v0/models"

    def names(self, model: ModelConfig) -> tuple[str, ...]:
        """Keys are made from a repository's name, with the owner or without."""
        weights = model.weights
        repos = [weights.safetensors.repo] if weights.safetensors else []
        if weights.gguf and weights.gguf.asset.source == "hf":
            repos.append(weights.gguf.asset.repo.removesuffix("-GGUF").removesuffix("-gguf"))
        return (model.name, *(name for repo in repos for name in (repo, repo.rsplit("/", 1)[-1])))

    def start(self, model: ModelConfig, port: int) -> str:
        """The server, then the model."""
        return f"lms server start --port {port}; then: {self.get(model)}"

    def get(self, model: ModelConfig) -> str:
        """The model alone, by the words that its search knows."""
        return f"lms get {model.served_name or self.names(model)[-1]}"

    def body(self, config: AnyAttached) -> dict[str, object]:
        """How long a model that a request loads may idle."""
        assert isinstance(config, LmStudioConfig)
        return {} if config.ttl_s is None else {"ttl": config.ttl_s}

    async def listing(self, probe: Probe) -> dict[str, Table]:
        """What was downloaded, loaded or not; embedding models are left out."""
        rows = (await probe.table(self.health)).get("data")
        if not isinstance(rows, list):
            raise BackendError(f"LM Studio at {probe.root} gives no list of models: version 0.3.6 or later is needed")
        found = {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}
        return {name: row for name, row in found.items() if row.get("type") != "embeddings"}

    async def describe(self, found: Found) -> Told:
        """Loads the model, as a request would, where it is not; then what it was loaded with."""
        assert isinstance(found.config, LmStudioConfig)
        row = found.row
        if row.get("state") != "loaded":
            row = await self._load(found.probe, found.name, found.config)
        context = row.get("loaded_context_length")
        flags = {
            name: row[name]
            for name in ("quantization", "compatibility_type", "arch", "publisher", "max_context_length")
            if name in row
        }
        return Told({"context_tokens": context if isinstance(context, int) else None, "flags": flags}, caches=True)

    async def _load(self, probe: Probe, served: str, config: LmStudioConfig) -> Table:
        asked = {"model": served, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, **self.body(config)}
        answer = await probe.post("/v1/chat/completions", asked, timeout_s=config.load_timeout_s)
        if answer.status != 200:
            limit = config.load_timeout_s
            why = f"answers {answer.status}" if answer.status else f"says nothing within {limit:g} s"
            raise BackendError(
                f"LM Studio does not load {served} ({why}); see what it says to: lms load {served}; or give it longer: "
                f"backend.load_timeout_s={4 * limit:g}"
            )
        return (await self.listing(probe)).get(served, {})
