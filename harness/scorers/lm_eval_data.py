"""Where a task's data lies in a folder of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import AssetError

__all__ = ["LocalFiles", "local_files"]

_BUILDERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv"}
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Data files of one task."""

    builder: str
    """The loader of `datasets` that reads them: json, parquet or csv."""
    by_split: dict[str, list[str]]


def local_files(folder: Path, config: Mapping[str, Any]) -> LocalFiles:
    """The files of a task's splits in a folder: `test.jsonl`, `test-00000-of-00001.parquet` and the like.

    They are looked for under the task's name, the data set's, and the configuration's within either, then in the folder
    itself: so a copy of the hub's repository fits. Raises AssetError where a split that the task needs has no file.
    """
    shots = config.get("fewshot_config") or {}
    wanted = {config.get(split) for split in _SPLITS} | {shots.get("split")}
    evaluated = config.get("test_split") or config.get("validation_split")
    named = {str(config.get("task")), str(config.get("dataset_name"))}
    for place in _places(folder, config):
        found = {split: files for split in sorted(filter(None, wanted)) if (files := _files(place, {split}))}
        if not found and (whole := _files(place, named)):  # as GPQA's gpqa_diamond.csv, which is all there is
            found = {str(evaluated): whole}
        if evaluated in found:
            suffix = found[evaluated][0].suffix
            same = {name: [str(one) for one in files if one.suffix == suffix] for name, files in found.items()}
            return LocalFiles(_BUILDERS[suffix], {name: files for name, files in same.items() if files})
    raise AssetError(
        f"suite.options.data={folder} has no file of the split {evaluated!r} for {config.get('task')}: put "
        f"{evaluated}.jsonl (.json, .parquet, .csv) there, or into {config.get('dataset_name') or config.get('task')}/"
    )


def _places(folder: Path, config: Mapping[str, Any]) -> list[Path]:
    names = [str(config.get("task")), str(config.get("dataset_path")), str(config.get("dataset_path")).split("/")[-1]]
    roots = [*(folder / name for name in names), folder]
    inner = str(config["dataset_name"]) if config.get("dataset_name") else None
    places = [place for root in roots for place in ([root / inner] if inner else []) + [root]]
    return [at for place in places for at in (place, place / "data") if at.is_dir()]


def _files(place: Path, names: set[str]) -> list[Path]:
    """The files of a name, those of one kind: parquet before JSON before CSV where there are several."""
    found = [one for one in sorted(place.iterdir()) if one.suffix in _BUILDERS and one.stem.split("-")[0] in names]
    order = [".parquet", ".jsonl", ".json", ".csv"]
    best = min((one.suffix for one in found), key=order.index, default=None)
    return [one for one in found if one.suffix == best]
