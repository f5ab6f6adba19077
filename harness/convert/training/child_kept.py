"""What a training leaves on disk: checkpoints to go on from, and the best weights so far. Needs torch.

Loaded by path beside `child.py`.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

__all__ = ["cut", "newest", "save", "write"]

_STATE = "state.pt"


def write(out: Path, step: int, held: dict[str, Any]) -> None:
    """Writes a checkpoint, whole or not at all, then lets the one before go."""
    place, partial = out / f"checkpoint-{step}", out / ".checkpoint"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    torch.save(held, partial / _STATE)
    shutil.rmtree(place, ignore_errors=True)
    partial.replace(place)
    for other in out.glob("checkpoint-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def newest(out: Path) -> dict[str, Any] | None:
    """The last checkpoint; None where there is none."""
    found = sorted(out.glob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    if not found:
        return None
    held: dict[str, Any] = torch.load(found[-1] / _STATE, map_location="cpu", weights_only=True)
    return held


def cut(progress: Path, step: int | None) -> None:
    """Takes back the lines of progress after a step; None: all of them."""
    lines = progress.read_text(encoding="utf-8").splitlines() if progress.is_file() else []
    kept = [one for one in lines if step is not None and _step_of(one) <= step]
    progress.write_text("".join(f"{one}\n" for one in kept), encoding="utf-8")


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):  # a line that was cut off
        return sys.maxsize


def save(model: Any, tokenizer: Any, place: Path, base: str) -> None:
    """Writes an adapter (which names `base` as its base), or a model with its tokenizer, whole or not at all."""
    partial = place.with_name(f".{place.name}")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    if place.name == "model":
        tokenizer.save_pretrained(partial)
    (partial / "README.md").unlink(missing_ok=True)  # peft's card says nothing; the ledger's is another
    _scrubbed(partial / "adapter_config.json", base)
    shutil.rmtree(place, ignore_errors=True)
    partial.replace(place)


def _scrubbed(file: Path, name: str) -> None:
    """Takes the machine's folder out of an adapter's configuration."""
    if file.is_file():
        told = json.loads(file.read_text(encoding="utf-8"))
        told["base_model_name_or_path"] = name
        file.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
