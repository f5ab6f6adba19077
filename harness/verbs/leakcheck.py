"""`do=leakcheck`: values that must be nowhere, looked for in everything that was written."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.assets.progress import human_bytes
from harness.assets.store import cache_dir
from harness.config import LeakcheckConfig
from harness.curate.canary import CANARY_FILE, Canary, load_canaries
from harness.curate.leakcheck import Leak, Looked, leakcheck
from harness.curate.needles import Search
from harness.curate.pseudonyms import private_file
from harness.errors import ConfigError, GateFailed, HarnessError
from harness.logs.store import store_key

__all__ = ["main"]

_WRITTEN = (
    "calls",
    "curated",
    "suites",
    "replay/curated",
    "replay/suites",
    "export",
    "exports",
    "logs",
    "training",
    "outputs",
)
"""Folders that verbs write beside those of `paths`."""
_MOST = 20


def main(configs: Sequence[LeakcheckConfig]) -> None:
    """Looks, and prints what was looked at. Raises GateFailed for a leak, HarnessError for a file not read."""
    (config,) = configs
    values = Path(config.leakcheck.values).expanduser() if config.leakcheck.values else private_file(CANARY_FILE)
    if not values.exists():
        raise ConfigError(
            f"there are no values to look for: {values} is missing; plant canaries (do=curate curate.canaries=3) "
            "or give a file of your own, a value a line: leakcheck.values=…"
        )
    canaries = load_canaries(values)
    if not canaries:
        raise ConfigError(f"leakcheck.values={values} holds no value; write a value a line")
    key = store_key(config.store.key_env, config.store.key_file)
    looked = leakcheck(_paths(config), canaries, None if key is None else key.secret)
    _show(looked, canaries)
    if looked.leaks:
        files = len({leak.file for leak in looked.leaks})
        raise GateFailed(
            f"{len(looked.leaks)} leak(s) in {files} file(s); remove the files, then redact what they were made of"
        )
    if looked.unread:
        raise HarnessError(
            f"{len(looked.unread)} file(s) could not be read to their end, so nothing is proven; they are listed above"
        )


def _paths(config: LeakcheckConfig) -> list[Path]:
    """The paths given, which have to be there; else every folder that this project writes and that is there."""
    if config.leakcheck.path is not None:
        given = [Path(path).expanduser() for path in config.leakcheck.path]
        missing = [str(path) for path in given if not path.exists()]
        if missing or not given:
            raise ConfigError(
                f"leakcheck.path: {', '.join(missing) or 'nothing'} is not there; give files or folders that are"
            )
        return given
    replies = cache_dir() / "replies" if config.paths.replies is None else Path(config.paths.replies).expanduser()
    paths = [
        Path(config.store.path),
        Path(config.paths.results),
        Path(config.paths.reports),
        *map(Path, _WRITTEN),
        replies,
    ]
    there = [path for path in paths if path.exists()]
    if not there:
        raise ConfigError(
            "there is nothing to look at: none of the project's folders is here; give some: leakcheck.path=[…]"
        )
    return there


def _show(looked: Looked, canaries: Sequence[Canary]) -> None:
    console = Console()
    search = Search(canaries)
    lines = [
        f"looked for {len(canaries):,} values in {looked.files:,} files: {human_bytes(looked.bytes)}, "
        f"and {human_bytes(looked.unpacked)} packed within them"
    ]
    if looked.raw_files:
        held = Counter(leak.file for leak in looked.raw)
        lines.append(
            f"raw store: {looked.raw_files:,} files, {len(held):,} of them with values, which is where they belong"
            + (
                f"; {looked.closed:,} encrypted, not looked into without the key (store.key_file=…)"
                if looked.closed
                else ""
            )
        )
    if looked.others:
        lines.append(f"{looked.others:,} sockets, pipes and devices, which hold nothing")
    lines += [f"LEAK {_where(leak, search)}: {leak.kind}, {leak.form}" for leak in looked.leaks[:_MOST]]
    lines += [f"NOT READ {_masked(name, search)}: {why}" for name, why in looked.unread[:_MOST]]
    for line, many in (("leaks", len(looked.leaks)), ("files not read", len(looked.unread))):
        if many > _MOST:
            lines.append(f"and {many - _MOST:,} more {line}")
    if not looked.leaks and not looked.unread:
        lines.append("none was found")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _where(leak: Leak, search: Search) -> str:
    file = _masked(leak.file, search)
    return f"{file} ({_masked(leak.member, search)})" if leak.member else file


def _masked(path: str, search: Search) -> str:
    """A path without what is itself a value: the start and the length of such a name."""
    return "/".join(
        f"{part[:2]}… ({len(part)} characters)" if any(search.find(part.encode("utf-8", "surrogateescape"))) else part
        for part in path.split("/")
    )
