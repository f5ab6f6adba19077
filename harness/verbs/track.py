"""`do=track`: runs told to MLflow; and what `do=run` does of it at its end."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import TrackConfig, TrackingConfig
from harness.errors import BackendError, ConfigError, DataError
from harness.report.formats import counted
from harness.store.runfolder import MANIFEST, SUMMARY, run_folders
from harness.stores.track import track

__all__ = ["main", "track_quietly"]


def main(configs: Sequence[TrackConfig]) -> None:
    """Tells of the runs and says what was new. Raises ConfigError or DataError for input, BackendError otherwise."""
    if len(configs) > 1:
        raise ConfigError("do=track takes no list of models: it tells of runs that are there; runs=[NAME,…]")
    (config,) = configs
    if config.tracking.mlflow is None:
        raise ConfigError("tracking.mlflow must be given and is not; add: tracking.mlflow=http://127.0.0.1:5000")
    done = track(_chosen(Path(config.paths.results), config.runs), config.tracking)
    console = Console()
    for one in done:
        console.print(f"  {one.run}  {one.done}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"tracked  {counted(len(done), 'run')} in {config.tracking.experiment}", highlight=False)


def _chosen(results: Path, names: Sequence[str]) -> list[Path]:
    if not names:
        found = [one for one in run_folders(results) if (one / SUMMARY).is_file()]
        if not found:
            raise DataError(f"no run with a summary in {results / 'run'}; make one: python -m harness suite=… model=…")
        return found
    folders = []
    for name in names:
        folder = next((one for one in (Path(name), results / "run" / name) if (one / MANIFEST).is_file()), None)
        if folder is None:
            raise DataError(f"{name} is no run folder, and no name of one in {results / 'run'}")
        folders.append(folder.resolve())
    return folders


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
    console.print(f"tracked      {counted(len(done), 'run')} in {config.experiment}", highlight=False, soft_wrap=True)
