"""What lies in `results/`, read for the site: every run with its status, gates, comparisons and the other verdicts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.errors import DataError, RunFolderBusy
from harness.records.audit import Audit
from harness.records.base import Record
from harness.records.compare import CompareMatrix, Comparison
from harness.records.decision import Selection
from harness.records.frontier import Frontier
from harness.records.gate import GateResult
from harness.records.load import LoadBook
from harness.records.manifest import Manifest
from harness.records.routing import RouteReport
from harness.report.view import RunView
from harness.store.runfolder import MANIFEST, SUMMARY, lock, read_manifest, read_summary

__all__ = ["Results", "SiteRun", "read_results", "read_site_run"]

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class SiteRun:
    """A run folder as the site lists it."""

    id: str
    status: str
    """`complete`, `settled`, `stopped`, `interrupted`, `failed`, `running`, `killed`, or `damaged`."""
    print: str
    """Of the two files that its page is made of: another one is another page."""
    view: RunView | None = None
    """None where there is no summary that can be read."""
    manifest: Manifest | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a site shows."""

    runs: tuple[SiteRun, ...]
    """Newest first."""
    gates: tuple[GateResult, ...] = ()
    comparisons: tuple[Comparison | CompareMatrix, ...] = ()
    """Of each pair the newest."""
    selection: Selection | None = None
    audit: Audit | None = None
    load: LoadBook | None = None
    frontier: Frontier | None = None
    route: RouteReport | None = None


def read_results(results: Path) -> Results:
    """All that can be read, newest first; what cannot is left out, but for run folders, which say so."""
    runs = [read_site_run(folder) for folder in _folders(results / "run") if (folder / MANIFEST).is_file()]
    return Results(
        runs=tuple(runs),
        gates=tuple(_records(results / "gate", "gate.json", GateResult)),
        comparisons=tuple(_comparisons(results / "compare")),
        selection=next(_records(results / "select", "selection.json", Selection), None),
        audit=next(_records(results / "audit", "audit.json", Audit), None),
        load=next(_records(results / "load", "load.json", LoadBook), None),
        frontier=next(_records(results / "quantize", "frontier.json", Frontier), None),
        route=next(_records(results / "route", "simulation.json", RouteReport), None),
    )


def _folders(base: Path) -> list[Path]:
    """Newest first: their names are dates."""
    if not base.is_dir():
        return []
    return sorted((one for one in base.iterdir() if one.is_dir() and not one.is_symlink()), reverse=True)


def _records(base: Path, name: str, kind: type[R]) -> Iterator[R]:
    for folder in _folders(base):
        try:
            yield kind.model_validate_json((folder / name).read_bytes())
        except (OSError, ValidationError):  # begun and not ended, or of another version
            continue


def _comparisons(base: Path) -> Iterator[Comparison | CompareMatrix]:
    seen: set[tuple[str, ...]] = set()
    for folder in _folders(base):
        found = _comparison(folder / "compare.json")
        if found is None:
            continue
        key = (found.a.run, found.b.run) if isinstance(found, Comparison) else (found.name,)
        if key not in seen:
            seen.add(key)
            yield found


def _comparison(file: Path) -> Comparison | CompareMatrix | None:
    try:
        data = file.read_bytes()
    except OSError:
        return None
    kinds: tuple[type[Comparison] | type[CompareMatrix], ...] = (Comparison, CompareMatrix)
    for kind in kinds:
        try:
            return kind.model_validate_json(data)
        except ValidationError:
            continue
    return None


def read_site_run(folder: Path) -> SiteRun:
    """A run folder with its status; one that is damaged says so."""
    seal = hashlib.sha256()
    for name in (MANIFEST, SUMMARY):
        file = folder / name
        seal.update(file.read_bytes() if file.is_file() else b"none")
    mark = seal.hexdigest()
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        return SiteRun(folder.name, "damaged", mark, trouble=_short(error, folder))
    if not (folder / SUMMARY).is_file():
        return SiteRun(folder.name, _unended(folder, manifest), mark, manifest=manifest)
    try:
        view = RunView(manifest, read_summary(folder))
    except DataError as error:
        return SiteRun(folder.name, "damaged", mark, manifest=manifest, trouble=_short(error, folder))
    status = _unended(folder, manifest) if manifest.status == "running" else manifest.status
    return SiteRun(folder.name, status, mark, view, manifest)


def _short(error: DataError, folder: Path) -> str:
    """The complaint without the folder: a site is for others."""
    return str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)


def _unended(folder: Path, manifest: Manifest) -> str:
    """Of a run without an end: `running` while somebody writes to it, else `killed`."""
    if manifest.status != "running":
        return manifest.status
    if not (folder / ".lock").is_file():
        return "killed"
    try:
        with lock(folder):
            return "killed"
    except (RunFolderBusy, DataError):
        return "running"
