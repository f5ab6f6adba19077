"""A log file as a stream of bytes, unpacked on the way, and its lines with their places."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from harness.errors import DataError

__all__ = ["BROKEN", "HEAD", "LONGEST", "Line", "Source"]

HEAD = 64 * 1024
_FIRST_LINE = 8 * 1024 * 1024
_BLOCK = 1024 * 1024
LONGEST = 128 * 1024 * 1024
"""Bytes of a line; a longer one is no record of a call, and is cut."""
BROKEN: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, OSError)
"""What a damaged or shortened compressed file raises (bz2 and zstd raise OSError)."""
_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not empty, or what could be read of one."""

    number: int
    start: int
    end: int
    raw: bytes
    problem: str | None = None
    """Why it ended before its end."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, unpacked on the way. `after`: the bytes (unpacked) from its beginning that were done before."""

    path: Path
    after: int = 0

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    def packed(self) -> str | None:
        """How the file is compressed, by its first bytes."""
        with self.path.open("rb") as file:
            start = file.read(8)
        return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)

    def open(self) -> BinaryIO:
        """The unpacked bytes as a stream."""
        how = self.packed()
        if how == "gz":
            return cast(BinaryIO, gzip.open(self.path, "rb"))
        if how == "xz":
            return cast(BinaryIO, lzma.open(self.path, "rb"))
        if how == "bz2":
            return cast(BinaryIO, bz2.open(self.path, "rb"))
        return self._zst() if how == "zst" else self.path.open("rb")

    def head(self) -> bytes:
        """The first 64 KiB, and more until the first line ends (8 MiB at most): what a format is known by."""
        got = bytearray()
        with closing(self.open()) as stream:
            try:
                while len(got) < HEAD or (len(got) < _FIRST_LINE and b"\n" not in got.strip()):
                    block = stream.read(HEAD)
                    if not block:
                        break
                    got += block
            except BROKEN:
                return bytes(got)
        return bytes(got)

    def whole(self, most: int) -> bytes | None:
        """All bytes, unpacked; None where they are more than `most`. Raises DataError for a damaged compressed file."""
        with closing(self.open()) as stream:
            try:
                raw = stream.read(most + 1)
                return raw if len(raw) <= most else None
            except BROKEN as error:
                raise DataError(f"{self.name} cannot be unpacked to its end ({error})") from None

    def lines(self) -> Iterator[Line]:
        """The lines after `after` that are not empty, numbered from the file's beginning."""
        number = place = cut = 0
        tail = bytearray()
        for block, why in self._blocks():
            pieces = block.split(b"\n")
            for piece in pieces[:-1]:
                raw = bytes(tail + piece) if tail else piece
                number, start, place = number + 1, place, place + cut + len(raw) + 1
                tail.clear()
                if start >= self.after and raw.strip():
                    yield Line(number, start, place, raw, _TOO_LONG if cut else None)
                cut = 0
            tail += pieces[-1]
            if len(tail) > LONGEST:
                cut += len(tail) - HEAD
                tail = tail[:HEAD]
            if why is not None:
                yield Line(number + 1, place, place + cut + len(tail), bytes(tail), why)
                return
        if tail.strip() and place >= self.after:
            yield Line(number + 1, place, place + cut + len(tail), bytes(tail), _TOO_LONG if cut else None)

    def _blocks(self) -> Iterator[tuple[bytes, str | None]]:
        """Blocks of bytes, the last with why it is the last, where that is not the end of the file."""
        with closing(self.open()) as stream:
            while True:
                try:
                    block = stream.read1(_BLOCK) if isinstance(stream, _READ1) else stream.read(_BLOCK)
                except BROKEN as error:
                    yield b"", f"the compressed file cannot be read further ({error})"
                    return
                if not block:
                    return
                yield block, None

    def _zst(self) -> BinaryIO:
        import pyarrow  # takes 0.1 s, and few logs are packed so

        return cast(BinaryIO, io.BufferedReader(pyarrow.input_stream(str(self.path), compression="zstd"), _BLOCK))


_TOO_LONG = f"a line of more than {LONGEST >> 20} MiB"
_READ1 = (gzip.GzipFile, lzma.LZMAFile, bz2.BZ2File)
