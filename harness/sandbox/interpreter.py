"""What Python needs to start on this machine, asked of Python itself: the files that a wall has to let through."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.errors import ConfigError

__all__ = ["Interpreter", "interpreter"]

_ASKED = """
import json, os, sys, sysconfig
for name in ("_ssl", "_hashlib", "_ctypes", "_decimal", "zlib", "_bz2", "_lzma", "_sqlite3", "_uuid"):
    try:
        __import__(name)
    except ImportError:
        pass
mapped = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if line.count("/") and ".so" in line}
folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
print(json.dumps([os.path.realpath(sys.executable), folders, sorted(mapped), sys.version]))
"""
_LINKED = ("/lib", "/lib64", "/lib32")
_MORE = ("/usr/lib64", "/etc/ld.so.cache")
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter with the files it reads."""

    program: str
    """Real path of the executable."""
    folders: tuple[str, ...]
    """Folders and files to show, none inside another."""
    links: tuple[tuple[str, str], ...]
    """(target, place) of the links at the top through which libraries are found."""
    version: str


def interpreter(program: str = sys.executable) -> Interpreter:
    """An interpreter, by default the one that this process runs on. Raises ConfigError if it cannot be asked."""
    try:
        asked = subprocess.run([program, "-I", "-S", "-c", _ASKED], capture_output=True, check=True, timeout=_START_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"{program} cannot be started anew for the sandbox: {error}") from error
    real_program, folders, mapped, version = orjson.loads(asked.stdout)
    libraries = [str(Path(one).parent) for one in mapped]
    links = tuple((os.readlink(place), place) for place in _LINKED if Path(place).is_symlink())  # noqa: PTH115  as text
    folders_there = [place for place in _LINKED if Path(place).is_dir() and not Path(place).is_symlink()]
    wanted = [real_program, *folders, *libraries, *folders_there, *(one for one in _MORE if Path(one).exists())]
    return Interpreter(real_program, _outermost(wanted), links, version)


def _outermost(paths: list[str]) -> tuple[str, ...]:
    """The paths without those that lie in another of them."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda one: (one.count("/"), one)):
        if not any(path.startswith(f"{other}/") for other in kept):
            kept.append(path)
    return tuple(kept)
