"""llama.cpp's own server, started by somebody else (`llama-server`, build 10000 or later): `/props`, `/slots`, LoRA."""

from pathlib import PurePosixPath

from harness.backends.attached import AnyAttached, Found, Probe, Table, Told, v1_models, without_folder
from harness.backends.server_probe import llamacpp_facts
from harness.config import LlamaServerConfig, ModelConfig
from harness.errors import BackendError

__all__ = ["LlamaServer", "gguf_file"]


class LlamaServer:
    """The engine `llamaserver`."""

    title = "llama-server"
    health = "/health"

    def names(self, model: ModelConfig) -> tuple[str, ...]:
        """The alias that `start` gives, or the weights' file."""
        file = gguf_file(model)
        return (model.name,) if file is None else (model.name, file)

    def start(self, model: ModelConfig, port: int) -> str:
        """The server with the model's file, and with a name to find it by."""
        file = gguf_file(model) or "FILE.gguf"
        return f"llama-server -m {file} --alias {model.name} --port {port} -c 8192 -np 1"

    def get(self, model: ModelConfig) -> str:
        """It serves one model: another is another start."""
        return f"start it with that one: llama-server -m {gguf_file(model) or 'FILE.gguf'} --alias {model.name}"

    def body(self, config: AnyAttached) -> dict[str, object]:
        """Whether the prompt cache is used, the scales of adapters, and options of the template."""
        assert isinstance(config, LlamaServerConfig)
        fields: dict[str, object] = {"cache_prompt": config.cache == "on"}
        if config.lora:
            fields["lora"] = [{"id": one.id, "scale": one.scale} for one in config.lora]
        if config.template_options:
            fields["chat_template_kwargs"] = config.template_options
        return fields

    async def listing(self, probe: Probe) -> dict[str, Table]:
        """Its one model."""
        return await v1_models(probe)

    async def describe(self, found: Found) -> Told:
        """Build, slots, context of each, template, quantization and adapters."""
        assert isinstance(found.config, LlamaServerConfig)
        props = await found.probe.table("/props")
        if "default_generation_settings" not in props:
            raise BackendError(
                f"what answers at {found.probe.root} has no /props as llama-server has; any other OpenAI-compatible "
                f"server: model=endpoint model.url={found.probe.root}/v1 model.name=NAME"
            )
        adapters = (await found.probe.get("/lora-adapters")).body
        known = [one for one in adapters if isinstance(one, dict)] if isinstance(adapters, list) else []
        unknown = {one.id for one in found.config.lora} - {one.get("id") for one in known}
        if unknown:
            raise BackendError(
                f"llama-server has {len(known)} LoRA adapters, so backend.lora cannot name id {min(unknown)}: start it "
                "with --lora FILE for each"
            )
        flags = {
            "cache": found.config.cache,
            "quantization": props.get("model_ftype"),
            "lora": [
                {"file": without_folder(str(one.get("path"))), "id": one.get("id"), "scale": one.get("scale")}
                for one in known
            ],
        }
        cached = found.config.cache == "on"
        return Told({**llamacpp_facts(props), "flags": flags}, cached, "id_slot" if cached else None)


def gguf_file(model: ModelConfig) -> str | None:
    """Name of the model's GGUF file, without folders; None where none is configured."""
    if model.weights.path is not None:
        return PurePosixPath(model.weights.path).name
    if model.weights.gguf is None:
        return None
    asset = model.weights.gguf.asset
    return PurePosixPath(str(getattr(asset, "member", None) or getattr(asset, "file", None) or "")).name or None
