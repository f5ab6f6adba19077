"""Values that must be nowhere, looked for in every file of some folders, however it is packed."""

import io
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from harness.curate.canary import Canary
from harness.curate.containers import BROKEN, Unopened, embedded, is_encrypted, members, packed, seekable, sniff, why
from harness.curate.needles import Search

__all__ = ["Leak", "Looked", "leakcheck"]

_BLOCK = 4 << 20
_HEAD = 512
_DEEPEST = 8
_TAIL = 4096
_LONGEST = 64 << 20
_CUT = re.compile(rb"[A-Za-z0-9+/]{4096}\Z")


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that stands where it must not. Never the value itself."""

    file: str
    member: str
    """Within a container: `samples/1.json`; empty: the file's own bytes."""
    kind: str
    form: str
    """As it stands, or escaped, encoded or split."""


@dataclass(slots=True)
class Looked:
    """What was looked at and what was found."""

    files: int = 0
    bytes: int = 0
    """Of the files as they lie on disk."""
    unpacked: int = 0
    """Bytes of what was in them besides."""
    leaks: list[Leak] = field(default_factory=list)
    raw: list[Leak] = field(default_factory=list)
    """In a raw store of collected calls, which is expected to hold them."""
    raw_files: int = 0
    closed: int = 0
    """Encrypted files of a raw store that were looked at without the key: they show nothing to anybody."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Files that could not be read to their end, and why."""
    others: int = 0
    """Sockets, pipes and devices: they hold nothing."""


def leakcheck(paths: Sequence[Path], canaries: Sequence[Canary], key: bytes | None = None) -> Looked:
    """Every file at or below some paths, and whether one of the values is in it in any form.

    key: of encrypted Parquet files. Links to files are followed, links to folders are not.
    """
    looked = Looked()
    search = Search(canaries)
    for path, raw in _files(paths, looked):
        check = _FileCheck(path, search, looked, key, raw=raw)
        try:
            check.run()
        except OSError as error:
            looked.unread.append((str(path), error.strerror or type(error).__name__))
    return looked


def _files(paths: Sequence[Path], looked: Looked) -> Iterator[tuple[Path, bool]]:
    """Each file once, and whether it belongs to a raw store."""
    seen: set[Path] = set()
    stores: set[Path] = set()

    def broken(error: OSError) -> None:
        looked.unread.append((str(error.filename), error.strerror or type(error).__name__))

    for path in paths:
        if not path.is_dir():
            if path not in seen:
                seen.add(path)
                yield path, _in_store(path.parent)
            continue
        for folder, names, files in os.walk(path, onerror=broken):
            names.sort()
            here = Path(folder)
            raw = here.parent in stores or _in_store(here)
            if raw:
                stores.add(here)
            for name in sorted(files):
                if here / name not in seen:
                    seen.add(here / name)
                    yield here / name, raw


def _in_store(folder: Path) -> bool:
    """Whether a folder is a store of collected calls, or lies in one."""
    for one in (folder, *islice(folder.parents, 3)):
        try:
            about = json.loads((one / "store.json").read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(about, dict) and {"format", "made", "salt"} <= about.keys():
            return True
    return False


class _FileCheck:
    """The look at one file."""

    def __init__(self, path: Path, search: Search, looked: Looked, key: bytes | None, *, raw: bool) -> None:
        self._path = path
        self._search = search
        self._looked = looked
        self._key = key
        self._raw = raw
        self._told: set[str] = set()

    def run(self) -> None:
        """Looks at the bytes of the file and at what is packed in it. Raises OSError where it cannot be read."""
        self._bytes(str(self._path).encode("utf-8", "surrogateescape"), "its name")
        if not stat.S_ISREG(self._path.stat().st_mode):
            self._looked.others += 1
            return
        with self._path.open("rb") as file:
            kind = sniff(file.peek(_HEAD)[:_HEAD])
            self._looked.bytes += self._stream(file, "", 0)
            self._looked.files += 1
            self._looked.raw_files += self._raw
            if kind is not None:
                file.seek(0)
                self._within(file, kind, "", 0)

    def _within(self, file: BinaryIO, kind: str, member: str, depth: int) -> None:
        if self._raw and kind == "parquet" and self._key is None and is_encrypted(file):
            self._looked.closed += 1
            return
        try:
            for name, stream in members(file, kind, self._key):
                self._member(stream, f"{member}/{name}".strip("/"), depth + 1)
        except Unopened as error:
            self._unread(member, str(error))
        except BROKEN as error:  # while a member was read
            self._unread(member, f"{kind}: {why(error)}")

    def _unread(self, member: str, reason: str) -> None:
        where = str(self._path) + (f" ({member})" if member else "")
        self._looked.unread.append((where, reason))

    def _member(self, stream: BinaryIO, name: str, depth: int) -> None:
        """Looks at a member: through it where it is packed itself."""
        head = stream.read(_HEAD)
        kind = sniff(head) if depth < _DEEPEST else None
        whole = cast(BinaryIO, _Behind(head, stream))
        if kind is None:
            self._looked.unpacked += self._stream(whole, name, depth)
        elif packed(kind):
            self._within(whole, kind, name, depth)
        else:
            with seekable(whole) as file:
                self._looked.unpacked += self._stream(file, name, depth)
                file.seek(0)
                self._within(file, kind, name, depth)

    def _stream(self, stream: BinaryIO, member: str, depth: int) -> int:
        """Looks at a stream block by block; returns its bytes."""
        size, kept = 0, b""
        while block := stream.read(_BLOCK):
            while (
                _CUT.search(block, max(0, len(block) - _TAIL))
                and len(block) < _LONGEST
                and (more := stream.read(_BLOCK))
            ):
                block += more  # what is packed within a text is looked into whole
            size += len(block)
            self._bytes(kept + block, member)
            self._embedded(kept + block, member, depth)
            kept = block[-self._search.overlap :]
        return size

    def _embedded(self, data: bytes, member: str, depth: int) -> None:
        for inner in embedded(data) if depth < _DEEPEST else ():
            kind = sniff(inner[:_HEAD])
            if kind is None:
                self._bytes(inner, f"{member}/base64")
                continue
            quiet = _FileCheck(self._path, self._search, Looked(), self._key, raw=False)
            quiet._within(
                io.BytesIO(inner), kind, f"{member}/base64".strip("/"), depth + 1
            )  # cut or chance: not unread
            for leak in quiet._looked.leaks:
                self._tell(leak)

    def _bytes(self, data: bytes, member: str) -> None:
        for needle in self._search.find(data):
            self._tell(Leak(str(self._path), member, needle.kind, needle.form))

    def _tell(self, leak: Leak) -> None:
        """Each kind once a file; its form and member are the first ones."""
        if leak.kind not in self._told:
            self._told.add(leak.kind)
            (self._looked.raw if self._raw else self._looked.leaks).append(leak)


class _Behind(io.RawIOBase):
    """A stream with the bytes that were read off it put back in front."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As many bytes, or fewer at the end."""
        if not self._head:
            return self._stream.read(size)
        taken = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(taken) :]
        return (
            taken + self._stream.read(-1 if size < 0 else size - len(taken)) if size < 0 or size > len(taken) else taken
        )
