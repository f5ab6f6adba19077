"""`do=export`: runs written in the formats of other programs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import ExportConfig
from harness.errors import DataError
from harness.interop.exports import writer
from harness.store.runfolder import run_folders

__all__ = ["main"]


def main(configs: Sequence[ExportConfig]) -> None:
    """Writes each run and says where. Raises ConfigError for an unknown format, DataError for what is no run."""
    (config,) = configs
    write = writer(config.export.to)
    console = Console()
    for folder in _chosen(config):
        written = write(folder, _out(config, folder))
        console.print(f"{config.export.to:<8} {written}", highlight=False, soft_wrap=True, markup=False)


def _chosen(config: ExportConfig) -> list[Path]:
    results = Path(config.paths.results)
    folders = [Path(run).resolve() for run in config.runs] or run_folders(results)[-1:]
    if not folders:
        raise DataError(f"no run in {results / 'run'}; name folders: runs=[results/run/…]")
    return folders


def _out(config: ExportConfig, folder: Path) -> Path:
    out = Path(config.export.out) if config.export.out else folder / "export"
    if not config.export.out and not folder.is_dir():
        raise DataError(f"{folder} is no run folder; see results/run/")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}); choose another: export.out=…") from None
    return out
