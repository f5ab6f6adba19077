"""Reading logs: which files, in which format, and the entries of each in order."""

import glob as globbing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, cast

from harness.errors import ConfigError, DataError
from harness.logs.formats.base import Item, LogFormat
from harness.logs.shape import top_keys
from harness.logs.source import Source
from harness.logs.steps import Steps, places_of
from harness.registry import load_plugin, plugin_names

__all__ = [
    "FileItem", "LogFile", "check_paths", "detect", "find_logs", "format_named", "is_log_name", "log_files",
    "read_logs",
]  # fmt: skip

_GROUP: Final = "harness.log_formats"
_SURE = 0.3
_APART = 0.05
_TRIED = 20
"""Lines that a format is looked for in."""
_SAME = frozenset({"openai", "responses", "anthropic"})
"""They read each line by its own protocol, so that it does not matter which of them is taken."""
_PACKED = (".gz", ".xz", ".zst", ".bz2")
_LOGS = (".jsonl", ".json", ".ndjson", ".log", ".eval", ".pb", ".binpb", ".otlp", ".proto", ".bin", ".txt", "")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file to be read, and how."""

    path: Path
    format: LogFormat


@dataclass(frozen=True, slots=True)
class FileItem:
    """An entry, and the file that it stands in."""

    file: str
    format: str
    item: Item


def read_logs(
    paths: Sequence[str], format: str | None = None, *, after: Mapping[str, int] | None = None
) -> Iterator[FileItem]:
    """Every entry of the files, folders and glob patterns, file by file.

    format: name of a format for all files; None: each file's is found by its content.
    after: bytes of each file (unpacked; by its path as `FileItem.file` gives it) that are done.
    Where calls name their session but no step, steps are given by time within the session, over all files given.
    Raises DataError before the first entry for a path that is not there, and a file in no known format or in two.
    """
    files, unknown = _files(paths, format)
    return _items(files, unknown, after or {})


def check_paths(paths: Sequence[str]) -> None:
    """Nothing where every path is there. Raises DataError: before a store is made for what was mistyped."""
    for given in paths:
        _expand(given)


def find_logs(paths: Sequence[str], format: str | None = None) -> list[LogFile]:
    """The files that `read_logs` would read, with their formats. Raises DataError."""
    return _files(paths, format)[0]


def log_files(paths: Sequence[str], format: str | None = None) -> tuple[list[LogFile], list[tuple[Path, str]]]:
    """The files with their formats, and those of folders and patterns that are no logs, with the reason.

    Raises DataError as `read_logs`.
    """
    return _files(paths, format)


def detect(path: Path) -> LogFormat:
    """The format of a file. Raises DataError for a file in no known format, or in two as surely."""
    source = Source(path)
    head = source.head()
    if not head.strip():
        raise DataError(f"{path} is empty; name another file, or leave it out of logs.path")
    found: list[tuple[float, str]] = []
    for start in islice(_starts(head), _TRIED):
        found = sorted(((format_named(name).sniff(head[start:], path.name), name) for name in _names()), reverse=True)
        if found[0][0] >= _SURE:
            break
    (best, name), rest = found[0], found[1:]
    if best < _SURE:
        known = ", ".join(_names())
        raise DataError(f"{path} is in no known format; {_seen(head)}; known: {known}; name one, such as logs=openai")
    rivals = [other for sure, other in rest if best - sure < _APART and not {name, other} <= _SAME]
    if rivals:
        both = " or ".join([name, *rivals])
        raise DataError(f"{path} could be {both}; {_seen(head)}; name the format with logs={name} or logs={rivals[0]}")
    return format_named(name)


def _starts(head: bytes) -> Iterator[int]:
    """Where the lines begin that a format may be known by: the first may be damaged, or of another kind."""
    yield 0
    at = head.find(b"\n")
    while 0 <= at < len(head) - 1:
        yield at + 1
        at = head.find(b"\n", at + 1)


@cache
def format_named(name: str) -> LogFormat:
    """The plug-in of that name. Raises ConfigError with the names there are."""
    plugin = load_plugin(_GROUP, name)
    made = plugin() if callable(plugin) else plugin
    if not all(hasattr(made, part) for part in ("name", "sniff", "read")):
        raise ConfigError(f"log format {name!r} is no LogFormat: it lacks name, sniff or read")
    return cast(LogFormat, made)


@cache
def _names() -> tuple[str, ...]:
    return tuple(plugin_names(_GROUP))


def _seen(head: bytes) -> str:
    """What a file begins with, for a message: keys, never what stands there."""
    if head.lstrip()[:1] not in (b"{", b"["):
        return "it begins with no JSON"
    return f"the first keys are {', '.join(top_keys(head)[:10]) or 'none'}"


def _files(paths: Sequence[str], format: str | None) -> tuple[list[LogFile], list[tuple[Path, str]]]:
    """The files with their formats, and those of folders and patterns that are no logs, with the reason."""
    forced = format_named(format) if format is not None else None
    files: list[LogFile] = []
    unknown: list[tuple[Path, str]] = []
    seen: set[Path] = set()
    for given in paths:
        named, found = _expand(given)
        for path in found:
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            try:
                files.append(LogFile(path, forced or detect(path)))
            except DataError as error:
                if named:
                    raise
                unknown.append((path, str(error)))
            except OSError as error:
                raise DataError(f"{path} cannot be read ({error.strerror})") from None
    if not files:
        why = f"; {unknown[0][1]}" if unknown else ""
        then = "name files, folders or globs: logs.path=calls.jsonl"
        raise DataError(f"no log found in {', '.join(paths) or 'no path'}{why}; {then}")
    return files, unknown


def _expand(given: str) -> tuple[bool, list[Path]]:
    """The files of a path, and whether it names one file. Raises DataError where there is none."""
    if "://" in given:
        raise DataError(f"{given} is an address; do=collect reads those into the store: do=collect logs.path={given}")
    path = Path(given).expanduser()
    if path.is_file():
        return True, [path]
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if one.is_file() and not _hidden(one, path))
        return False, [one for one in inside if _suffix(one) in _LOGS]
    found = sorted(Path(one) for one in globbing.glob(str(path), recursive=True))  # noqa: PTH207 (an absolute pattern)
    files = [one for one in found if one.is_file()]
    if not files:
        raise DataError(f"{given} is not there; give a file, a folder or a pattern such as 'logs/**/*.jsonl'")
    return False, files


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def is_log_name(name: str) -> bool:
    """Whether a file of a folder may be a log by its name: no hidden one, of an ending that logs have."""
    return not name.startswith(".") and _suffix(Path(name)) in _LOGS


def _suffix(path: Path) -> str:
    name = path.name
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix.lower()


def _items(files: list[LogFile], unknown: list[tuple[Path, str]], after: Mapping[str, int]) -> Iterator[FileItem]:
    for path, why in unknown:
        if after.get(str(path), 0) <= 0:
            size = path.stat().st_size
            yield FileItem(str(path), "unknown", Item(1, 0, max(size, 1), skipped=f"no log: {why}"))
    steps = Steps()
    for file in files:
        steps.take(places_of(file.format, Source(file.path)))
    steps.sort()
    for file in files:
        source = Source(file.path, after.get(str(file.path), 0))
        for item in file.format.read(source):
            if item.record is not None and item.record.step is None:
                step = steps.of(item.record.session, item.record.at)
                item = item if step is None else replace(item, record=replace(item.record, step=step))
            yield FileItem(str(file.path), file.format.name, item)
