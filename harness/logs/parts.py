"""Logs cut into parts that are read apart, in this process or in others, and what each of them holds.

A part is some lines of a file, or several small files, so that a small log is one part. What is read of it is ready for
the store: rows, and each message once. Steps by time and what is there already are not known where a part is read.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple

from harness.cores import Cores
from harness.errors import HarnessError
from harness.logs.formats.base import Item
from harness.logs.reading import LogFile, format_named
from harness.logs.source import Piece, Source
from harness.logs.steps import Steps, Times, has_places, places_of, times_of
from harness.logs.store.rows import COLUMN, Content, Row, Unstorable, bare_row, row_of
from harness.logs.store.writer import Writer

__all__ = ["PART_BYTES", "Chunk", "Entry", "Part", "PartRead", "ReadStage", "Taking", "parts_of", "steps_of"]

PART_BYTES: Final = 4 << 20
_MOST_CHUNKS: Final = 256


@dataclass(frozen=True, slots=True)
class Chunk:
    """A file, or lines of one. Files of lines come with their bytes, others are opened where they are read."""

    file: str
    format: str
    after: int = 0
    """Bytes of the file that are done."""
    piece: Piece | None = None
    alone: bool = True
    """Whether it is all of the file."""
    lost: OSError | None = None
    """Why there is no more of the file."""

    @property
    def source(self) -> Source:
        """Where its entries are read from."""
        return Source(Path(self.file), self.after, self.piece)


Part = tuple[Chunk, ...]


class Entry(NamedTuple):
    """An entry as `Item` has it, its record as a row of the store without step and stamp."""

    number: int
    start: int
    end: int
    row: Row | None = None
    refs: tuple[int, ...] = ()
    """What the row refers to: places in the contents of the part."""
    skipped: str | None = None
    problem: str | None = None
    unstorable: str | None = None
    """Why no file can hold the record; the row says whose and when it is."""
    raw: bytes | None = None


@dataclass(slots=True)
class PartRead:
    """What a part holds: the entries of each file in order, and each content once."""

    files: list[tuple[str, list[Entry]]] = field(default_factory=list)
    contents: list[Content] = field(default_factory=list)
    error: HarnessError | OSError | None = None
    """Why the last file could not be read further."""


@dataclass(frozen=True, slots=True)
class ReadStage:
    """Reads parts."""

    def open(self) -> Callable[[Part], PartRead]:
        """The function that reads a part. It raises nothing for what a file may hold."""
        return _read


@dataclass(frozen=True, slots=True)
class TimesStage:
    """Finds session and time of the calls that lack a step."""

    def open(self) -> Callable[[Part], tuple[Times, HarnessError | OSError | None]]:
        """The function that looks at a part."""
        return _times


class Taking:
    """Calls of a part on their way to the writer, which is given each content of the part once."""

    def __init__(self, part: PartRead, writer: Writer, steps: Steps) -> None:
        self._contents: list[Content | None] = list(part.contents)
        self._writer, self._steps = writer, steps

    def step(self, row: Row) -> int | None:
        """The step that a call was logged with, or has by time. To be asked for once for each call, kept or not."""
        logged: int | None = row[COLUMN["step"]]
        return logged if logged is not None else self._steps.of(row[COLUMN["session"]], row[COLUMN["sent_at"]])

    def take(self, row: Row, refs: Sequence[int]) -> None:
        """Has a call kept."""
        fresh = []
        for place in refs:
            content = self._contents[place]
            if content is not None:
                fresh.append(content)
                self._contents[place] = None
        self._writer.take(row, fresh)


def parts_of(files: Sequence[LogFile], after: Mapping[str, int], size: int) -> Iterator[Part]:
    """The files in parts of about so many bytes. after: bytes of each file that are done.

    A file that cannot be opened is the last chunk, and says so.
    """
    return _gathered(_chunks(files, after, size), size)


def steps_of(files: Sequence[LogFile], cores: Cores, size: int, stopped: Callable[[], bool]) -> Steps | None:
    """The steps of the calls of all these files together; None once it was stopped. Raises OSError and HarnessError."""
    steps = Steps()
    chunks = (one for file in files for one in _without_steps(file, size))
    for times, error in cores.map(TimesStage(), _gathered(chunks, size)):
        steps.take(times)
        if error is not None:
            raise error
        if stopped():
            return None
    steps.sort()
    return steps


def _gathered(chunks: Iterator[Chunk], size: int) -> Iterator[Part]:
    held: list[Chunk] = []
    weight = 0
    for chunk in chunks:
        held.append(chunk)
        weight += _weight(chunk)
        if weight >= size or len(held) >= _MOST_CHUNKS:
            yield tuple(held)
            held, weight = [], 0
    if held:
        yield tuple(held)


def _weight(chunk: Chunk) -> int:
    if chunk.lost is not None:
        return 0
    return chunk.source.path.stat().st_size if chunk.piece is None else len(chunk.piece.raw)


def _chunks(files: Sequence[LogFile], after: Mapping[str, int], size: int) -> Iterator[Chunk]:
    for file in files:
        name = str(file.path)
        try:
            yield from _cut(file, after.get(name, 0), size)
        except OSError as error:
            yield Chunk(name, file.format.name, lost=error)
            return


def _cut(file: LogFile, after: int, size: int) -> Iterator[Chunk]:
    source = Source(file.path, after)
    whole = Chunk(str(file.path), file.format.name, after)
    cuttable = getattr(file.format, "cuttable", None)
    if cuttable is None or not cuttable(source):
        yield whole
        return
    pieces = source.pieces(size)
    first = list(islice(pieces, 2))
    for piece in chain(first, pieces):
        yield Chunk(whole.file, whole.format, after, piece, alone=len(first) == 1)


def _without_steps(file: LogFile, size: int) -> Iterator[Chunk]:
    """The parts of a file, unless its first entries all have a step; of one part that is seen where it is read."""
    for place, chunk in enumerate(_chunks([file], {}, size)):
        if place == 0 and not chunk.alone and not has_places(file.format, Source(file.path)):
            return
        yield chunk


def _read(part: Part) -> PartRead:
    done = PartRead()
    places: dict[bytes, int] = {}
    for chunk in part:
        entries: list[Entry] = []
        done.files.append((chunk.file, entries))
        try:
            if chunk.lost is not None:
                raise chunk.lost
            items = format_named(chunk.format).read(chunk.source)
            entries.extend(_entry(item, done.contents, places) for item in items)  # those before an error stay
        except (HarnessError, OSError) as error:
            done.error = error
            break
    return done


def _entry(item: Item, kept: list[Content], places: dict[bytes, int]) -> Entry:
    start = (item.number, item.start, item.end)
    if item.record is None:
        return Entry(*start, skipped=item.skipped, problem=item.problem, raw=item.raw)
    try:
        row, contents = row_of(item.record, 0.0)
    except Unstorable as error:
        return Entry(*start, row=bare_row(item.record), unstorable=str(error))
    refs = []
    for content in contents:
        place = places.get(content.hash)
        if place is None:
            place = places[content.hash] = len(kept)
            kept.append(content)
        refs.append(place)
    return Entry(*start, row, tuple(refs))


def _times(part: Part) -> tuple[Times, HarnessError | OSError | None]:
    found: Times = {}
    for chunk in part:
        try:
            if chunk.lost is not None:
                raise chunk.lost
            look = places_of if chunk.alone else times_of
            for session, times in look(format_named(chunk.format), chunk.source).items():
                found.setdefault(session, array("d")).extend(times)
        except (HarnessError, OSError) as error:
            return found, error
    return found, None
