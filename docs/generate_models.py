"""Writes docs/models.md from conf/model and conf/hardware; with `--check` it only compares."""

import sys
from collections.abc import Iterable
from pathlib import Path

from generated import keep
from hydra import compose, initialize_config_dir

from harness.config import HardwareConfig, ModelConfig, RunConfig, parse, register_defaults
from harness.cost import machine_usd_per_hour
from harness.paths import conf_dir
from harness.records.asset import HfAsset, PypiAsset

PAGE = Path(__file__).with_name("models.md")
GIVEN_BY_USER = {
    "endpoint": ["model.url=http://127.0.0.1:8000/v1", "model.name=endpoint"],
    "hosted": ["model.name=hosted"],
    "incumbent": [],
    "local": ["model.name=local", "model.weights.path=mine.gguf"],
    "recorded": ["backend.path=answers.jsonl"],
    "served": ["model.name=served"],
}
HEAD = """# Models and machines

Generated from `conf/model/` and `conf/hardware/` by `docs/generate_models.py`: change those files, not this one.

Choose with `model=NAME` and `hardware=NAME`; any key can be set beside it, such as `model.protocol=prompted` or
`model.weights.path=~/models/file.gguf`. `python -m harness do=fetch model=NAME` brings the weights into the cache.

To add a model, put a file into `conf/model/`; what it leaves out has a default:

```yaml
defaults:
  - _self_
  - override /backend@_global_.backend: llamacpp
name: my_model                   # the file's name
title: My model
licence: Apache-2.0
weights:
  gguf: {quantization: Q4_K_M, asset: {source: hf, repo: owner/name, file: my-model-Q4_K_M.gguf}}
```
"""


def runs(group: str) -> Iterable[RunConfig]:
    """The default verb's configuration for each option of a group, by name."""
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for path in sorted((conf_dir() / group).glob("*.yaml")):
            extra = GIVEN_BY_USER.get(path.stem, []) if group == "model" else []
            found = parse(compose("config", overrides=[f"{group}={path.stem}", *extra]))
            assert isinstance(found, RunConfig)
            yield found


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def count(number: int | None) -> str:
    """A count as people read it; empty if unknown.

    >>> count(134515008), count(14659507200), count(None)
    ('135 M', '14.7 B', '')
    """
    if number is None:
        return ""
    return f"{number / 1e9:.3g} B" if number >= 1e9 else f"{number / 1e6:.3g} M"


def link(text: str, url: str | None) -> str:
    """Text as a link where there is an address."""
    return f"[{text}]({url})" if url else text


def weights_of(model: ModelConfig) -> tuple[str, str]:
    """Where the GGUF comes from and how big it is."""
    gguf = model.weights.gguf
    if gguf is None:
        return "", ""
    asset = gguf.asset
    assert isinstance(asset, HfAsset | PypiAsset)
    size = "" if asset.bytes is None else f"{asset.bytes / 1e9:.2f} GB"
    if isinstance(asset, HfAsset):
        pinned = "" if asset.sha256 else " (hash not pinned)"
        return f"`{asset.repo}` `{asset.file}`{pinned}", size
    packages = asset.package or f"{asset.parts[0].package} … part{len(asset.parts)}"
    return f"package registry: `{packages}`", size


def open_row(model: ModelConfig) -> list[str]:
    """A model whose weights can be had."""
    gguf, size = weights_of(model)
    return [
        f"`{model.name}`",
        link(model.title, model.source),
        link(model.licence, model.licence_url),
        count(model.parameters),
        f"{model.context_tokens:,}" if model.context_tokens else "",
        model.protocol + (", thinks" if model.reasoning else ""),
        gguf,
        size,
        f"`{model.weights.safetensors.repo}`" if model.weights.safetensors else "",
        f"`{model.weights.ollama}`" if model.weights.ollama else "",
    ]


def hosted_row(model: ModelConfig) -> list[str]:
    """A model behind a provider's address."""
    assert model.price is not None
    cached = model.price.cached_input_usd_per_mtok
    return [
        f"`{model.name}`",
        link(model.title, model.source),
        model.publisher,
        f"{model.context_tokens:,}" if model.context_tokens else "",
        model.protocol + (", thinks" if model.reasoning else ""),
        f"{model.price.input_usd_per_mtok:g}",
        "" if cached is None else f"{cached:g}",
        f"{model.price.output_usd_per_mtok:g}",
        model.price.as_of,
        f"`{model.api_key_env}`",
    ]


def machine_row(machine: HardwareConfig) -> list[str]:
    """A machine and what an hour of it costs."""
    hourly = machine_usd_per_hour(machine)
    basis = "rent" if machine.usd_per_hour is not None else "price, lifetime and power" if hourly is not None else ""
    return [f"`{machine.name}`", machine.title, "unknown" if hourly is None else f"{hourly:.3g}", basis]


def page() -> str:
    """The whole page."""
    models = sorted(
        (run.model for run in runs("model") if run.model.name not in GIVEN_BY_USER),
        key=lambda model: (model.parameters or 0, model.name),
    )
    machines = [run.hardware for run in runs("hardware")]
    usual = ["Name", "Model", "Licence", "Parameters", "Context", "Protocol", "GGUF", "Size", "Safetensors", "Ollama"]
    priced = ["Name", "Model", "Provider", "Context", "Protocol", "Input", "Cached input", "Output", "As of", "Key in"]
    return "\n".join(
        [
            HEAD,
            "## Open weights\n",
            "Sizes and hashes are pinned in the files where they are known; context is what the model was made for.\n",
            table(usual, (open_row(model) for model in models if not model.hosted)),
            "## Hosted\n",
            "USD per million tokens, list prices; the key itself never stands in a configuration.\n",
            table(priced, (hosted_row(model) for model in models if model.hosted)),
            "## Your own\n",
            "`model=endpoint model.url=http://127.0.0.1:8000/v1 model.name=NAME` is any OpenAI-compatible server;",
            "`model=local model.name=NAME model.weights.path=FILE` is any GGUF file;",
            "`model=hosted model.name=PROVIDER/MODEL` is any model that litellm knows, with its price (hosted.md);",
            "`model=served backend=ollama model.name=TAG` is any model of an engine that runs already (engines.md);",
            "`model=recorded` is any file of answers, `model=incumbent` what the log's own model answered",
            "(recorded.md).\n",
            "## Machines\n",
            "What an hour costs, for the cost of local models. Assumptions stand in the files; put your own figures.\n",
            table(["Name", "Machine", "USD an hour", "From"], (machine_row(machine) for machine in machines)),
        ]
    )


def main(arguments: list[str]) -> int:
    """0 when the page is as it should be (or was written), 1 when `--check` finds it behind."""
    return keep(PAGE, page(), "docs/models.md is behind conf/; run: python docs/generate_models.py", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
