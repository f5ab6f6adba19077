"""Files beside a page for what does not fit into it: scripts that carry data, which a page opened from a disk may load.

A page opened as a file may fetch nothing, but it may add a script. Each file hands one JSON value to the element that
asked for it and touches nothing else. Its name holds its hash, so that a page never reads another page's data.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from harness.errors import DataError
from harness.report.details import Part

__all__ = ["SideFile", "SideFiles", "alone", "side_script"]

SideFile = tuple[int, int, str, int]
"""First and last sample, name and bytes."""

_NAME: Final = re.compile(r"(\d{4,}-[0-9a-f]{16}\.js|\.\d{4,}-[0-9a-f]{16}\.js\.\d+)\Z")
_BEFORE: Final = b'document.currentScript.dispatchEvent(new CustomEvent("part",{detail:JSON.parse(String.raw`'
_AFTER: Final = b"`)}));\n"


def side_script(body: bytes) -> bytes:
    r"""JSON as a script that hands it over; what would end the script's string or begin code in it is escaped.

    >>> side_script(b'["`${x}"]').decode().partition("raw`")[2]
    '["\\u0060\\u0024{x}"]`)}));\n'
    """
    return _BEFORE + body.replace(b"`", b"\\u0060").replace(b"$", b"\\u0024") + _AFTER


class SideFiles:
    """The folder beside a page, `<name of the page>-data/`: made when the first file is written into it."""

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(f"{page.stem}-data")
        self._kept: set[str] = set()

    def put(self, part: Part) -> SideFile:
        """Writes a part, whole or not at all. Raises DataError if it cannot be written."""
        script = side_script(part.body)
        name = f"{len(self._kept):04}-{sha256(script).hexdigest()[:16]}.js"
        path = self.folder / name
        draft = path.with_name(f".{name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.stat().st_size != len(script):
                draft.write_bytes(script)
                draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise DataError(
                f"{path} cannot be written ({error.strerror or error}); "
                "make room or choose another folder: paths.reports=…"
            ) from error
        self._kept.add(name)
        return part.first, part.last, name, len(script)

    def sweep(self) -> None:
        """Removes what an earlier page left in the folder, and the folder if nothing is in it; to be done last."""
        if not self.folder.is_dir():
            return
        with suppress(OSError):
            for path in self.folder.iterdir():
                if _NAME.match(path.name) and path.name not in self._kept:
                    path.unlink(missing_ok=True)
            if not self._kept:
                self.folder.rmdir()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other process writes a page into the folder, where the file system knows locks."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({error.strerror}); choose another folder: paths.reports=…"
        ) from error
    try:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
