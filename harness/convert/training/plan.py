"""What decides the trained weights: the base as a checkpoint, the settings as they take effect here, and their key."""

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, NoReturn

from pydantic import JsonValue

from harness.assets import OnProgress
from harness.assets.store import file_sha256
from harness.backends.llamacpp_plan import usable_cores
from harness.backends.torch_python import torch_python
from harness.backends.transformers_plan import Checkpoint, checkpoint_of
from harness.config import ConvertConfig, TransformersConfig, template_file
from harness.convert.files import content_key
from harness.errors import BackendError, ConfigError
from harness.paths import conf_dir
from harness.records.convert import DatasetManifest, TrainPlan

__all__ = ["PYTHON_KEY", "base_checkpoint", "base_folder", "plan_of", "template_of", "train_python"]

PYTHON_KEY: Final = "convert.training.python"
_FORMAT: Final = 1
"""Raised when the child trains otherwise than before: what lies in a folder is then trained anew."""
_TOLD_BY_OTHERS: Final = ("teacher", "distill_share", "temperature")
"""Fields of the plan that the data set's key and the settings have decided already."""
_ASK_S: Final = 120.0
_ASK: Final = """
import importlib.metadata, importlib.util, json
found = {}
for name in ("torch", "transformers", "peft", "accelerate", "bitsandbytes"):
    if importlib.util.find_spec(name) is not None:
        found[name] = importlib.metadata.version(name)
cards, memory, mps = 0, 0, False
if "torch" in found:
    import torch
    found["torch"] = torch.__version__
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    memory = torch.cuda.mem_get_info()[0] if cards else 0
    mps = bool(torch.backends.mps.is_available())
print(json.dumps({"packages": found, "cards": cards, "memory": memory, "mps": mps}))
"""


def train_python(config: ConvertConfig) -> Path:
    """The Python that trains. Raises ConfigError where none has torch."""
    return torch_python(config.convert.training.python, key=PYTHON_KEY)


@cache
def machine_of(python: Path) -> Mapping[str, object]:
    """What a Python has to train with: `packages`, CUDA `cards` and the free `memory` of the first, and `mps`."""
    try:
        done = subprocess.run(
            [str(python), "-P", "-X", "utf8", "-W", "ignore", "-c", _ASK],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=_ASK_S, check=False,
        )  # fmt: skip
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        said = (
            f"{PYTHON_KEY}: {python.name} did not load torch in {_ASK_S:g} s; is the machine busy? Type the same again"
        )
        raise BackendError(said) from None
    except (OSError, ValueError):
        raise BackendError(f"{PYTHON_KEY}: {python.name} does not say what it has; make train-env") from None
    found: Mapping[str, object] = told
    return found


def base_checkpoint(config: ConvertConfig, on_progress: OnProgress | None = None) -> Checkpoint:
    """The base as a folder that transformers loads: the model's own, or its GGUF dequantised.

    Blocks. Raises AssetError where there are no weights, ConfigError for a hosted model.
    """
    weights = config.model.weights
    own = weights.path
    from_gguf = own.endswith(".gguf") if own is not None else weights.gguf is not None
    engine = TransformersConfig(
        name="transformers",
        weights="gguf" if from_gguf else "safetensors",
        python=str(train_python(config)),
        dtype="float32" if from_gguf else "auto",
    )
    return checkpoint_of(engine, config.model, on_progress=on_progress)


def base_folder(config: ConvertConfig, on_progress: OnProgress | None = None) -> Path:
    """The folder of `base_checkpoint`."""
    return base_checkpoint(config, on_progress).folder


def template_of(config: ConvertConfig) -> str:
    """The Jinja source that the engine writes a chat by; empty: the one beside the weights."""
    if config.model.chat_template is None:
        return ""
    return template_file(config.model.chat_template, conf_dir()).read_text(encoding="utf-8")


def plan_of(
    config: ConvertConfig, dataset: DatasetManifest, data: Path, on_progress: OnProgress | None = None
) -> TrainPlan:
    """The plan for these rows (`train.jsonl` and `validation.jsonl` in `data`).

    Raises ConfigError for settings that cannot take effect on this machine, BackendError where a package is missing.
    """
    options, training = config.convert, config.convert.training
    base = base_checkpoint(config, on_progress)
    machine = machine_of(train_python(config))
    device = _device(training.device, machine)
    _possible(options.method, device, training.processes, training.dtype)  # first: no package mends a missing GPU
    packages = _packages(machine, options.method)
    adapter = options.method != "full"
    quantization = base.facts.quantization or ""
    plan = TrainPlan(
        key="",
        method=options.method,
        base=base.facts,
        base_folder=base.folder.name,
        dequantised_from=quantization.removesuffix(" dequantised") if "dequantised" in quantization else None,
        data_key=dataset.key,
        seed=training.seed,
        rank=training.rank if adapter else None,
        alpha=training.alpha if adapter else None,
        dropout=training.dropout if adapter else 0.0,
        targets=training.targets if adapter else (),
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        max_steps=training.max_steps,
        batch=training.batch,
        accumulate=training.accumulate,
        max_tokens=training.max_tokens,
        packing=training.packing,
        dtype=_dtype(training.dtype, device),
        device=device,
        processes=training.processes,
        threads=(training.threads or usable_cores()) if device == "cpu" else None,
        packages=packages,
    )
    if dataset.logits is not None:
        learned = {"teacher": dataset.logits.teacher, "temperature": dataset.logits.temperature}
        plan = plan.model_copy(update={**learned, "distill_share": training.distill_share})
    rows: JsonValue = {one.name: file_sha256(one) for one in sorted(data.glob("*.jsonl"))}
    settings = training.model_dump(mode="json", exclude={"python", "checkpoint_steps", "threads"})
    key = content_key(
        _FORMAT, plan.model_dump(mode="json", exclude={"key", "threads", *_TOLD_BY_OTHERS}), settings, rows,
        template_of(config),
    )  # fmt: skip
    return plan.model_copy(update={"key": key})


def _packages(machine: Mapping[str, object], method: str) -> dict[str, str]:
    """Versions of what trains. Raises BackendError for a package that is not there."""
    found = machine["packages"]
    assert isinstance(found, dict)
    wanted = ["torch", "transformers", "accelerate"]
    wanted += [] if method == "full" else ["peft"]
    wanted += ["bitsandbytes"] if method == "qlora" else []
    for name in wanted:
        if name not in found:
            more = "; pip install bitsandbytes into that Python" if name == "bitsandbytes" else ""
            raise BackendError(
                f"convert={method} needs {name}, which the Python that trains has not: make train-env, or name "
                f"another, {PYTHON_KEY}=…{more}"
            )
    return {name: str(found[name]) for name in wanted}


def _device(asked: str, machine: Mapping[str, object]) -> str:
    """Raises ConfigError for a device that is not there."""
    cards = machine["cards"]
    assert isinstance(cards, int)
    if asked == "auto":
        return "cuda" if cards else "mps" if machine["mps"] else "cpu"
    if asked.startswith("cuda"):
        number = int(asked.partition(":")[2] or 0)
        if number >= cards:
            raise ConfigError(
                f"convert.training.device={asked}: torch sees {cards} CUDA devices; type convert.training.device=auto"
            )
    if asked == "mps" and not machine["mps"]:
        raise ConfigError("convert.training.device=mps: torch sees none; type convert.training.device=auto")
    return asked


def _possible(method: str, device: str, processes: int, dtype: str) -> None:
    """Raises ConfigError for what cannot be on a device."""
    if method == "qlora" and not device.startswith("cuda"):
        _refused(f"convert=qlora holds weights at 4 bits with bitsandbytes, which needs CUDA, and this is {device}")
    if processes > 1 and device != "cuda":
        _refused(
            f"convert.training.processes={processes} are GPUs that share a step, and this is {device}", "processes=1"
        )
    if dtype == "float16" and device == "cpu":
        _refused("convert.training.dtype=float16 has too small a range for training on a processor", "dtype=bfloat16")


def _refused(what: str, instead: str | None = None) -> NoReturn:
    raise ConfigError(f"{what}; type {'convert=lora' if instead is None else f'convert.training.{instead}'}")


def _dtype(asked: str, device: str) -> Literal["float32", "bfloat16", "float16"]:
    kinds: dict[str, Literal["float32", "bfloat16", "float16"]] = {
        "float32": "float32", "bfloat16": "bfloat16", "float16": "float16",
    }  # fmt: skip
    return kinds.get(asked, "float32" if device == "mps" else "bfloat16")
