"""Weights as the cache has them, found without hashing and without a network; and models as their files name them."""

import os
import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from harness.assets.store import Store, key_of
from harness.config import ModelConfig
from harness.records.asset import HfAsset, PathAsset, PypiAsset, UrlAsset

__all__ = ["board_models", "held_checkpoint", "held_file", "pinned_bytes"]

Asset = HfAsset | PypiAsset | UrlAsset | PathAsset


def board_models(folder: Path) -> dict[str, ModelConfig]:
    """The models of `conf/model` by name of their file; without those that are forms to fill in (`name: ???`)."""
    found: dict[str, ModelConfig] = {}
    for file in sorted(folder.glob("*.yaml")):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        data.pop("defaults", None)
        if "???" in {data.get("name"), data.get("url")}:
            continue
        try:
            found[file.stem] = ModelConfig.model_validate(data)
        except ValidationError:  # it leans on other groups: only a chosen model is composed
            continue
    return found


def pinned_bytes(model: ModelConfig) -> int | None:
    """Size of the GGUF file that a model is pinned to; None where none is pinned or its size is not."""
    pinned = model.weights.gguf
    return None if pinned is None or isinstance(pinned.asset, PathAsset) else pinned.asset.bytes


def held_file(model: ModelConfig, cache: Path) -> Path | None:
    """The GGUF file of a model where it is on this machine; `do=run` checks its hash, here it is only looked for."""
    if model.weights.path is not None:
        own = Path(model.weights.path).expanduser()
        return own if own.is_file() else None
    pinned = model.weights.gguf
    if pinned is None:
        return None
    candidates = _places(pinned.asset, cache)
    return next((one for one in candidates if one.is_file()), None)


def held_checkpoint(model: ModelConfig) -> Path | None:
    """The folder with a model's safetensors where it is on this machine: its own, or as the hub's library keeps it."""
    if model.weights.path is not None:
        own = Path(model.weights.path).expanduser()
        return own if own.is_dir() else None
    pinned = model.weights.safetensors
    if pinned is None:
        return None
    return next((one for one in _snapshots(pinned.repo, pinned.revision) if any(one.glob("*.safetensors"))), None)


def _places(asset: Asset, cache: Path) -> list[Path]:
    if isinstance(asset, PathAsset):
        return [Path(asset.path).expanduser()]
    store = Store(cache)
    digest = asset.sha256
    if digest is None and isinstance(asset, HfAsset):
        seen = store.read_ref(key_of("hf", asset.repo, asset.revision, asset.file)).get("sha256")
        digest = str(seen) if seen else None
    found = [] if digest is None else [store.place(digest, asset.name)]
    return [*found, *(_hub_places(asset) if isinstance(asset, HfAsset) else [])]


def _hub_places(asset: HfAsset) -> list[Path]:
    """Where the hub's own library keeps the file."""
    return [one / asset.file for one in _snapshots(asset.repo, asset.revision)]


def _snapshots(repo: str, revision: str) -> list[Path]:
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")
    snapshots = hub / f"models--{repo.replace('/', '--')}" / "snapshots"
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return [snapshots / revision]
    return sorted(snapshots.glob("*"))
