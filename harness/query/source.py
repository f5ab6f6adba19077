"""What lies under `results/`, read for tables: each record once, what cannot be read left out and named."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.errors import DataError
from harness.records.base import Record
from harness.report.site_read import SiteRun, read_site_run
from harness.store.runfolder import run_folders

__all__ = ["Source"]

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class Source:
    """Where the views read from."""

    results: Path
    clusters: Path | None = None
    """Folder that holds the folders of `do=cluster`."""
    folders: tuple[Path, ...] | None = None
    """Run folders; None: all under `results`."""
    texts: bool = True
    """Whether prompts, replies and reasons may stand in a view."""
    left_out: list[str] = field(default_factory=list)
    """What could not be read, in a line each."""
    _runs: list[SiteRun] | None = None

    def run_folders(self) -> list[Path]:
        """Run folders, oldest first."""
        return list(self.folders) if self.folders is not None else run_folders(self.results)

    def runs(self) -> list[SiteRun]:
        """Every run with its status, oldest first; a damaged one is there and named."""
        if self._runs is None:
            self._runs = [read_site_run(folder) for folder in self.run_folders()]
            self.left_out += [f"run {one.id}: {one.trouble}" for one in self._runs if one.trouble]
        return self._runs

    def records(self, verb: str, name: str, *kinds: type[R]) -> Iterator[tuple[str, R]]:
        """Records `<results>/<verb>/*/<name>` with the names of their folders, oldest first."""
        for file in self.files(self.results / verb, name):
            found = self._read(file, kinds)
            if found is not None:
                yield file.parent.name, found

    def files(self, base: Path | None, name: str) -> list[Path]:
        """Files of a name in the folders of a folder, by the folder's name."""
        if base is None or not base.is_dir():
            return []
        return sorted(one / name for one in base.iterdir() if not one.is_symlink() and (one / name).is_file())

    def _read(self, file: Path, kinds: tuple[type[R], ...]) -> R | None:
        try:
            data = file.read_bytes()
        except OSError as error:
            self.left_out.append(f"{file}: {error.strerror}")
            return None
        for kind in kinds:
            try:
                return kind.model_validate_json(data)
            except ValidationError:
                continue
        self.left_out.append(f"{file}: written by another version, or damaged")
        return None

    def record(self, file: Path, kind: type[R]) -> R | None:
        """One record; None, and named, where it cannot be read."""
        return self._read(file, (kind,))

    def missed(self, folder: Path, error: DataError) -> None:
        """Notes a folder that cannot be read."""
        self.left_out.append(f"run {folder.name}: {error}")
