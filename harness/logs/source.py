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

__all__ = ["BROKEN", "HEAD", "LONGEST", "Line", "Piece", "Source"]

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
class Piece:
    """Some lines of a file, unpacked, and where they stand in it."""

    number: int
    """Lines before."""
    start: int
    raw: bytes
    cut: int = 0
    """Bytes of the first line that were left out, as it is too long."""
    broken: str | None = None
    """Why the file cannot be read on in the middle of the last line."""

    def lines(self, after: int = 0) -> Iterator[Line]:
        """The lines that are not empty, without those that begin before `after`."""
        number, place, cut = self.number, self.start, self.cut
        *whole, tail = self.raw.split(b"\n")
        for raw in whole:
            number, start, place = number + 1, place, place + cut + len(raw) + 1
            if start >= after and raw.strip():
                yield Line(number, start, place, raw, _TOO_LONG if cut else None)
            cut = 0
        if self.broken is not None or (tail.strip() and place >= after):
            yield Line(number + 1, place, place + cut + len(tail), tail, self.broken or (_TOO_LONG if cut else None))


@dataclass(frozen=True, slots=True)
class Source:
    """A file, unpacked on the way. `after`: the bytes (unpacked) from its beginning that were done before."""

    path: Path
    after: int = 0
    piece: Piece | None = None
    """These lines of it alone."""

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
        for piece in self.pieces(_BLOCK) if self.piece is None else (self.piece,):
            yield from piece.lines(self.after)

    def pieces(self, size: int) -> Iterator[Piece]:
        """The lines in pieces of about so many bytes, cut at ends of lines, without those that end before `after`."""
        number = place = cut = whole = 0
        held = bytearray()
        for block, why in self._blocks():
            newline = block.rfind(b"\n")
            whole = len(held) + newline + 1 if newline >= 0 else whole
            held += block
            if whole and (whole >= size or len(held) - whole > LONGEST):
                piece = Piece(number, place, bytes(held[:whole]), cut)
                number, place = number + piece.raw.count(b"\n"), place + cut + whole
                del held[:whole]
                cut = whole = 0
                if place > self.after:
                    yield piece
            if not whole and len(held) > LONGEST:
                cut += len(held) - HEAD
                del held[HEAD:]
            if why is not None:
                yield Piece(number, place, bytes(held), cut, why)
                return
        if held:
            yield Piece(number, place, bytes(held), cut)

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
