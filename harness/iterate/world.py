"""What is known and was decided: clusters, selection, gates, routing policies and their logs; found by light means."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import orjson
from pydantic import ValidationError

from harness.config.iterate import IterateOptions
from harness.errors import ConfigError, DataError
from harness.iterate.standing import alarm_print, monitor_reports
from harness.iterate.state import print_of
from harness.records import Record
from harness.records.curated import CuratedManifest
from harness.records.decision import Selection
from harness.records.gate import GateResult
from harness.records.route import RoutePolicy

__all__ = ["World", "find_world", "prints_of"]

R = TypeVar("R", bound=Record)
_BOOK: Final = "clusters.json"
_CURATED: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class World:
    """Where everything lies. None: it was never made."""

    calls: Path | None
    """Curated calls; None: they are made of the logs first."""
    logs: tuple[Path, ...]
    clusters: Path
    state: Path
    selection: Path | None
    gates: tuple[Path, ...]
    """The latest of each suite."""
    policy: Path | None
    router: tuple[Path, ...]
    monitors: tuple[Path, ...] = ()
    """Reports of `do=monitor`."""
    reference: tuple[Path, ...] = ()
    """Where the calls lie that the clusters were made of."""

    def read_selection(self) -> Selection | None:
        """The latest selection. Raises DataError where it cannot be read."""
        return None if self.selection is None else _read(self.selection, Selection)

    def read_gates(self) -> list[GateResult]:
        """The latest gate of each suite."""
        return [_read(one, GateResult) for one in self.gates]

    def read_policy(self) -> RoutePolicy | None:
        """The latest routing policy."""
        return None if self.policy is None else _read(self.policy, RoutePolicy)


def find_world(options: IterateOptions, logs: Sequence[Path], results: Path) -> World:
    """Everything by its place. Raises ConfigError where there are no clusters to go on from, DataError for no calls."""
    calls = None if options.calls is None else Path(options.calls)
    if calls is not None and not (calls / _CURATED).is_file():
        raise DataError(f"{calls} is no folder of curated calls: make it with do=curate, or name logs: logs.path=…")
    clusters = Path(options.clusters) if options.clusters else Path("clusters") / (calls or Path()).resolve().name
    if not (clusters / _BOOK).is_file():
        raise ConfigError(
            f"{clusters} has no tasks to hold new calls against; make them with do=cluster, or name them: "
            "iterate.clusters=clusters/NAME"
        )
    selection = _latest(results / "select", "selection.json", options.suite, Selection)
    policy = _latest(results / "route", "policy.json", options.suite, RoutePolicy)
    router = tuple(Path(one) for one in options.router) or ((policy.parent,) if policy is not None else ())
    for one in options.router:
        if not Path(one).is_dir():
            raise ConfigError(f"iterate.router={one} is no folder; name the one that the router writes its logs to")
    state = Path(options.out) / (options.name or clusters.resolve().name)
    monitors = monitor_reports(results)
    reference = tuple(Path(one) for one in options.reference) or _source_of(clusters / _BOOK)
    return World(calls, tuple(logs), clusters, state, selection, _gates(results), policy, router, monitors, reference)


def _source_of(book: Path) -> tuple[Path, ...]:
    """The folder of calls that the clusters name; none where their file cannot be read, which the look will say."""
    try:
        found = orjson.loads(book.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return ()
    source = found.get("source") if isinstance(found, dict) else None
    return (Path(source),) if isinstance(source, str) and source else ()


def prints_of(world: World) -> dict[str, str]:
    """The hash of each thing that a look reads, by its kind. No name of a file or folder of the logs is in it."""
    found = {
        "clusters": print_of(world.clusters),
        "selection": print_of(world.selection) if world.selection else "absent",
        "policy": print_of(world.policy) if world.policy else "absent",
    }
    if world.calls is not None:
        found["calls"] = _curated_print(world.calls)
    for number, one in enumerate(world.reference):
        found[f"reference {number}"] = _curated_print(one) if (one / _CURATED).is_file() else "absent"
    found |= {f"log {number}": print_of(one) for number, one in enumerate(sorted(world.logs))}
    found |= {f"gate {number}": print_of(one) for number, one in enumerate(world.gates)}
    found |= {f"monitor {number}": alarm_print(one) for number, one in enumerate(world.monitors)}
    lines = [file for folder in world.router for file in router_files(folder)]
    return found | {f"router {number}": print_of(one) for number, one in enumerate(lines)}


def router_files(folder: Path) -> list[Path]:
    """The day files of decisions and verified pairs in a folder, two deep."""
    kinds = ("decisions-*.jsonl", "verified-*.jsonl")
    return sorted({file for kind in kinds for deep in ("", "*/", "*/*/") for file in folder.glob(f"{deep}{kind}")})


def _curated_print(calls: Path) -> str:
    """What the manifest says of the calls; when they were made is no change."""
    manifest = _read(calls / _CURATED, CuratedManifest)
    return f"{manifest.records_hash[:16]} {print_of(calls / 'calls.parquet')}"


def _latest(base: Path, name: str, suite: str | None, kind: type[R]) -> Path | None:
    """The newest file of that name below `base`, of that suite where one is named."""
    found = sorted(base.glob(f"*/{name}"), reverse=True) if base.is_dir() else []
    for file in found:
        if file.parent.is_symlink():
            continue
        if suite is None or getattr(_read(file, kind), "suite", None) == suite:
            return file
    return None


def _gates(results: Path) -> tuple[Path, ...]:
    """The newest verdict of each suite."""
    newest: dict[str, Path] = {}
    for file in sorted((results / "gate").glob("*/gate.json")) if (results / "gate").is_dir() else ():
        if not file.parent.is_symlink():
            newest[_read(file, GateResult).suite] = file
    return tuple(newest.values())


def _read(file: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.error_count()} errors"
        raise DataError(f"{file} cannot be read ({why}); make it anew, or move it away") from None
