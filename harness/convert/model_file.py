"""The file that makes a converted model one of the configuration: `models/NAME.yaml`, found by `model=NAME`."""

import os
from pathlib import Path
from typing import Any

import yaml

from harness.config import MODELS, ConvertConfig
from harness.errors import DataError
from harness.records.convert import ExportResult
from harness.store.runfolder import write_atomic

__all__ = ["model_settings", "write_model"]

_NOT_INHERITED = {"name", "title", "weights", "price", "url", "served_name", "api_key_env", "source", "examples"}


def near(path: Path) -> str:
    """A path from where one stands; as it is where it lies elsewhere."""
    whole = path.resolve()
    return os.path.relpath(whole) if whole.is_relative_to(Path.cwd()) else str(whole)


def model_settings(config: ConvertConfig, result: ExportResult, folder: Path) -> dict[str, Any]:
    """What the file says: the base's settings, with the new weights pinned by their hash."""
    base = config.model
    told = base.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_INHERITED)
    kind = (
        result.chosen
        if result.serve == "merged"
        else f"{result.base.quantization or 'GGUF'} with {config.convert.method}"
    )
    model: dict[str, Any] = {
        "name": result.name,
        "title": f"{base.title}, {config.convert.method} on {config.suite.name}",
        **told,
        "source": near(folder / "MODEL_CARD.md"),
    }
    found: dict[str, Any] = {"model": model, "backend": {"name": "llamacpp"}}
    if result.serve == "adapter":
        model["weights"] = base.weights.model_dump(mode="json", exclude_none=True)
        adapter = result.file("adapter")
        assert adapter is not None
        found["backend"]["lora"] = [{"path": near(folder / adapter.file.path), "scale": 1.0}]
        return found
    served = result.file(result.chosen)
    assert served is not None
    asset = {"source": "path", "path": near(folder / served.file.path), "sha256": served.file.sha256}
    model["weights"] = {"gguf": {"quantization": kind, "asset": asset}}
    return found


def write_model(config: ConvertConfig, result: ExportResult, folder: Path) -> Path:
    """Writes `models/NAME.yaml` and returns it. Raises DataError where another file of that name is in the way."""
    place = Path(MODELS) / f"{result.name}.yaml"
    head = f"# Made by do=convert from {config.model.name}: {near(folder / 'ledger.json')}\n"
    if place.is_file():
        _refuse_another(place, near(folder / "ledger.json"))
    place.parent.mkdir(exist_ok=True)
    body = yaml.safe_dump(model_settings(config, result, folder), sort_keys=False, allow_unicode=True, width=120)
    write_atomic(place, head + body)
    return place


def _refuse_another(place: Path, ledger: str) -> None:
    """Raises DataError where a file was made by hand, or by a conversion in another folder."""
    first = place.read_text(encoding="utf-8").partition("\n")[0]
    if not first.startswith("# Made by do=convert"):
        raise DataError(f"{place} is there and was not made by do=convert; choose another name: convert.name=…")
    made = first.rpartition(": ")[2]
    if made != ledger and Path(made).is_file():
        raise DataError(f"{place} is the model of {made}; choose another name: convert.name=…")
