"""`do=track`: runs and verdicts told to MLflow; and what the verbs that make them do of it at their end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.config import TrackConfig, TrackingConfig
from harness.errors import BackendError, ConfigError, DataError
from harness.report.formats import counted
from harness.store.runfolder import MANIFEST, SUMMARY, run_folders
from harness.stores.decisions import verb_of
from harness.stores.track import track

__all__ = ["main", "track_quietly"]


_VERBS: Final = ("gate", "compare", "audit", "quantize", "convert")
"""Verbs whose verdicts are told."""


def main(configs: Sequence[TrackConfig]) -> None:
    """Tells of them and says what was new. Raises ConfigError or DataError for input, BackendError otherwise."""
    if len(configs) > 1:
        raise ConfigError("do=track takes no list of models: it tells of results that are there; runs=[NAME,…]")
    (config,) = configs
    if config.tracking.mlflow is None:
        raise ConfigError("tracking.mlflow must be given and is not; add: tracking.mlflow=http://127.0.0.1:5000")
    done = track(_chosen(Path(config.paths.results), config.runs), config.tracking)
    console = Console()
    for one in done:
        console.print(f"  {one.run}  {one.done}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"tracked  {counted(len(done), 'result')} in {config.tracking.experiment}", highlight=False)


def _chosen(results: Path, names: Sequence[str]) -> list[Path]:
    if not names:
        found = [one for one in run_folders(results) if (one / SUMMARY).is_file()]
        found += [one for verb in _VERBS for one in _inside(results / verb) if verb_of(one) == verb]
        if not found:
            raise DataError(f"no run with a summary in {results / 'run'}; make one: python -m harness suite=… model=…")
        return found
    return [_named(results, name) for name in names]


def _inside(base: Path) -> list[Path]:
    return sorted(one for one in base.iterdir() if not one.is_symlink()) if base.is_dir() else []


def _named(results: Path, name: str) -> Path:
    """The folder of a run by its path or name, of a verdict by its path or as `verb/name`."""
    for one in (Path(name), results / "run" / name, results / name):
        if (one / MANIFEST).is_file() or verb_of(one) is not None:
            return one.resolve()
    raise DataError(
        f"{name} is no run folder, no name of one in {results / 'run'}, and no verdict; those are named with their "
        f"verb, as gate/NAME: {', '.join(_VERBS)}"
    )


def track_quietly(folders: Sequence[Path], config: TrackingConfig) -> None:
    """The same at the end of a command: a failure is one line, and no more."""
    if config.mlflow is None:
        return
    console = Console(stderr=True)
    try:
        done = track(folders, config)
    except (BackendError, DataError) as error:
        console.print(f"not tracked: {error}", highlight=False, soft_wrap=True, markup=False)
        return
    console.print(
        f"tracked      {counted(len(done), 'result')} in {config.experiment}", highlight=False, soft_wrap=True
    )
