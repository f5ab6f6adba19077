"""Logs read into the store: each entry kept, there already, skipped by a rule or quarantined, and none of it lost."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from harness.assets.progress import OnProgress, Progress, silent
from harness.config import LogsConfig
from harness.cores import ONE_CORE, Cores
from harness.errors import DataError, HarnessError
from harness.logs.books import Books, CollectManifest, FileBooks, plain_reason
from harness.logs.notes import NOTES, Done, FileNote, Notes
from harness.logs.parts import PART_BYTES, Entry, ReadStage, Taking, parts_of, steps_of
from harness.logs.reading import LogFile, log_files
from harness.logs.store import LogStore
from harness.logs.store.audit import person
from harness.logs.store.folder import read_about
from harness.logs.store.graves import Graves
from harness.logs.store.rewrite import IMPORTS, merge_small
from harness.logs.store.rows import COLUMN, Row, stamped
from harness.logs.store.writer import Quarantined, Writer

__all__ = ["FORGOTTEN", "HUMAN_CHAT", "TOO_OLD", "Collected", "check_share", "collect"]

HUMAN_CHAT: Final = "human chat (logs.human_chat=keep)"
TOO_OLD: Final = "older than store.keep_days"
FORGOTTEN: Final = "forgotten before (do=forget … lift=true)"
_COMMIT_EVERY_S: Final = 30.0
_TELL_EVERY_BYTES: Final = 1 << 20
_NO_FORMAT: Final = ""
"""What a file that looks like no log was read as: once its format is named, it is read from its beginning."""
_PACKED: Final = (b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"PK")
_AT: Final = COLUMN["sent_at"]
_SESSION: Final = COLUMN["session"]
_USER: Final = COLUMN["end_user"]
_HUMAN_CHAT: Final = COLUMN["human_chat"]
Rule = Callable[[Row], str | None]
"""Why a call, by its row, is left out; None: it is not."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What an import did."""

    books: Books
    seconds: float
    interrupted: bool
    manifest: str
    """Name of its books in the store."""


@dataclass(slots=True)
class _Import:
    writer: Writer
    notes: Notes
    rule: Rule
    tell: OnProgress
    total: int | None
    stopped: threading.Event
    books: Books = field(default_factory=Books)
    began: float = field(default_factory=time.time)
    started_s: float = field(default_factory=time.monotonic)
    committed_s: float = field(default_factory=time.monotonic)
    bytes_done: int = 0
    bytes_told: int = 0
    failed: HarnessError | None = None

    @property
    def name(self) -> str:
        """Of its books within the store."""
        stamp = datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d_%H-%M-%S-%f")
        return f"{IMPORTS}/{stamp}.json"

    def open(self, path: Path, format: str) -> "_Reading":
        """Books for a file, from where an earlier import in the same format ended."""
        before = self.notes.before(path, format)
        reading = _Reading(path, format, before)
        self.books.files.append(reading.books)
        if before is not None:
            self.books.earlier_read += before.read
            self.books.earlier_quarantined += before.quarantined
        return reading

    def read(self, files: Sequence[LogFile], cores: Cores, part_bytes: int) -> None:
        """Reads the files to their ends, or until Ctrl-C."""
        readings = {str(one.path): self.open(one.path, one.format.name) for one in files}
        steps = steps_of(files, cores, part_bytes, self.stopped.is_set)
        if steps is None:
            return
        done = {name: reading.done for name, reading in readings.items()}
        current: _Reading | None = None
        for part in cores.map(ReadStage(), parts_of(files, done, part_bytes)):
            taking = Taking(part, self.writer, steps)
            for name, entries in part.files:
                if entries and (current is None or current.name != name):
                    self._end(current)
                    current = readings[name]
                    current.start()
                if current is not None and not self._entries(entries, current, taking):
                    return
            if part.error is not None:
                raise part.error
        for reading in readings.values():
            self._end(reading)

    def _entries(self, entries: Sequence[Entry], reading: "_Reading", taking: Taking) -> bool:
        """Books entries and commits where it is time; False once Ctrl-C was pressed."""
        for entry in entries:
            self._entry(entry, reading, taking)
            if entry.end > entry.start and self._time_to_commit():
                self._note(reading)
                self.commit(complete=False)
            if self.stopped.is_set():
                self._note(reading)
                return False
        return True

    def skip(self, path: Path, why: str) -> None:
        """Counts a file of a folder that is no log as one skipped entry."""
        reading = self.open(path, _NO_FORMAT)
        size = path.stat().st_size
        reading.books.read += 1
        reading.books.skipped[plain_reason(f"no log: {why.removeprefix(str(path))}")] += 1
        reading.books.bytes, reading.done = size, size
        self._end(reading)

    def _end(self, reading: "_Reading | None") -> None:
        """Closes the books of a file that was read to its end.

        A last line that could not be read may be one that is being written: it is read again once there is more.
        """
        if reading is None or reading.books.whole:
            return
        reading.books.whole = True
        if reading.last is not None and reading.last.problem is not None:
            reading.done = min(reading.done, reading.last.start)
        self._note(reading)

    def _entry(self, item: Entry, reading: "_Reading", taking: Taking) -> None:
        books = reading.books
        books.read += 1
        reading.last = item
        self._sort(item, reading, taking)
        if item.end > reading.done:
            books.bytes += item.end - reading.done
            self.bytes_done += item.end - reading.done
            reading.done = item.end
        if self.bytes_done - self.bytes_told >= _TELL_EVERY_BYTES:
            self.bytes_told = self.bytes_done
            self.tell(Progress("reading", self.bytes_done, self.total))

    def _sort(self, item: Entry, reading: "_Reading", taking: Taking) -> None:
        """Puts an entry where it belongs: exactly one of kept, already there, skipped, quarantined."""
        books = reading.books
        if item.row is None:
            if item.skipped is not None:
                books.skipped[plain_reason(item.skipped)] += 1
            else:
                self._quarantine(item, item.problem or "neither a record nor skipped by a rule", books)
            return
        step = taking.step(item.row)
        rule = self.rule(item.row)
        if rule is not None:
            books.skipped[rule] += 1
        elif self.writer.has(item.row[0]):
            books.already += 1
        elif item.unstorable is not None:
            self._quarantine(item, item.unstorable, books)
        else:
            taking.take(stamped(item.row, step, time.time()), item.refs)
            books.kept += 1

    def _quarantine(self, item: Entry, problem: str, books: FileBooks) -> None:
        books.quarantined += 1
        self.books.bad(books.file, item.number, problem)
        self.writer.quarantine(Quarantined(books.file, item.number, item.start, item.end, problem, item.raw or b""))

    def _time_to_commit(self) -> bool:
        return self.writer.full or time.monotonic() - self.committed_s > _COMMIT_EVERY_S

    def _note(self, reading: "_Reading") -> None:
        reading.settle()
        done = Done(reading.format, reading.done, reading.books.whole, *reading.counts)
        self.notes.put(reading.path, reading.found, done)

    def commit(self, *, complete: bool) -> None:
        """Makes what was read so far count, with how far each file is and the books."""
        manifest = CollectManifest(
            began=self.began,
            seconds=round(time.monotonic() - self.started_s, 3),
            by=person(),
            complete=complete,
            files=tuple(one.totals() for one in self.books.files),
            unchanged=self.books.unchanged,
        )
        books = manifest.model_dump_json(indent=2).encode()
        self.writer.commit({NOTES: self.notes.data(), self.name: books})
        self.committed_s = time.monotonic()


@dataclass(slots=True)
class _Reading:
    """A file that is being read."""

    path: Path
    format: str
    before: FileNote | None
    books: FileBooks = field(init=False)
    done: int = field(init=False)
    found: os.stat_result = field(init=False)
    started_s: float | None = None
    last: Entry | None = None

    def __post_init__(self) -> None:
        self.done = 0 if self.before is None else self.before.done
        self.books = FileBooks(self.name, done_before=self.done)
        self.found = self.path.stat()

    @property
    def name(self) -> str:
        """As the entries name it."""
        return str(self.path)

    @property
    def counts(self) -> tuple[int, int]:
        """Entries read and quarantined, earlier imports included."""
        earlier = (0, 0) if self.before is None else (self.before.read, self.before.quarantined)
        return earlier[0] + self.books.read, earlier[1] + self.books.quarantined

    def start(self) -> None:
        """Starts the clock of the file."""
        self.started_s = time.monotonic()

    def settle(self) -> None:
        """Brings the time in the books up to date."""
        if self.started_s is not None:
            self.books.seconds = time.monotonic() - self.started_s


def collect(
    config: LogsConfig,
    store: LogStore,
    *,
    keep_days: float | None = None,
    tell: OnProgress = silent,
    cores: Cores = ONE_CORE,
    part_bytes: int = PART_BYTES,
) -> Collected:
    """Reads logs into a store, from where earlier imports of the same files ended. Ctrl-C ends it in good order.

    keep_days: older calls in the store are deleted first, and none is taken in. cores: where parts of the logs, of
    about part_bytes each, are read; the store is written here. Raises DataError for a path that is
    not there or a file that cannot be opened, and BackendError for a process that is lost; what was read until then
    is kept.
    """
    files, strangers = log_files(config.path, config.format)
    oldest = None if keep_days is None else time.time() - keep_days * 86400
    if oldest is not None:
        store.forget(before=oldest)
    with store.writer() as writer, _stoppable() as stopped:
        notes = Notes.of(store.folder, read_about(store.folder).salt)
        todo = [one for one in files if not notes.unchanged(one.path, one.format.name)]
        work = _Import(writer, notes, _rule(config, oldest, store.graves()), tell, _total(todo, notes), stopped)
        _earlier(work, [one for one in files if notes.unchanged(one.path, one.format.name)])
        for path, why in strangers:
            if not notes.unchanged(path, _NO_FORMAT):
                work.skip(path, why)
        _read(work, todo, cores, part_bytes)
        if not stopped.is_set() and work.failed is None:
            merge_small(store.folder, store.key)
    if work.failed is not None:
        raise work.failed
    _balance(work.books)
    return Collected(work.books, time.monotonic() - work.started_s, stopped.is_set(), work.name)


def _read(work: _Import, todo: Sequence[LogFile], cores: Cores, part_bytes: int) -> None:
    """Reads the files in turn and commits the rest, also where one cannot be opened."""
    try:
        work.read(todo, cores, part_bytes)
    except HarnessError as error:
        work.failed = error
    except OSError as error:
        work.failed = DataError(
            f"{error.filename or 'a log'} cannot be read ({error.strerror}); what came before is kept"
        )
    work.commit(complete=work.failed is None and not work.stopped.is_set())
    work.tell(Progress("reading", work.bytes_done, work.bytes_done))


def _earlier(work: _Import, unchanged: Sequence[LogFile]) -> None:
    work.books.unchanged = len(unchanged)
    for one in unchanged:
        note = work.notes.before(one.path, one.format.name)
        if note is not None:
            work.books.earlier_read += note.read
            work.books.earlier_quarantined += note.quarantined


def _rule(config: LogsConfig, oldest: float | None, graves: Graves) -> Rule:
    names, before = graves.names(), graves.kept.before

    def forgotten(row: Row) -> bool:
        if before is not None and row[_AT] is not None and row[_AT] < before:
            return True
        told = (("session", row[_SESSION]), ("user", row[_USER])) if names else ()
        return any(name is not None and (what, graves.hashed(name)) in names for what, name in told)

    def rule(row: Row) -> str | None:
        if forgotten(row):
            return FORGOTTEN
        if row[_HUMAN_CHAT] is True and config.human_chat == "skip":
            return HUMAN_CHAT
        if oldest is not None and row[_AT] is not None and row[_AT] < oldest:
            return TOO_OLD
        return None

    return rule


def _total(todo: Sequence[LogFile], notes: Notes) -> int | None:
    """Bytes left to read; None where a file is compressed and nobody knows."""
    total = 0
    for one in todo:
        path = one.path
        with path.open("rb") as file:
            if file.read(6).startswith(_PACKED):
                return None
        before = notes.before(path, one.format.name)
        total += path.stat().st_size - (before.done if before else 0)
    return total


def _balance(books: Books) -> None:
    for one in books.files:
        if not one.balanced:
            raise AssertionError(f"the books of {one.file} do not balance: {one.totals()!r}")


def check_share(books: Books, most: float, *, kept: bool = True) -> None:
    """Raises DataError where more of the entries than `most` could not be read: reasons by count, first examples.

    kept: whether the store stays.
    """
    share = books.bad_frac
    if share is None or share <= most:
        return
    reasons = (
        "; ".join(f"{count:,} × {reason}" for reason, count in books.reasons.most_common(3)) or "at an earlier import"
    )
    seen = f"; first: {books.examples[0]}" if books.examples else ""
    raise DataError(
        f"{share:.1%} of the entries cannot be read, more than logs.max_bad_frac={most:g}: {reasons}{seen}; "
        f"{'what was good is kept, the rest is in quarantine; ' if kept else ''}name the format (logs=…) or allow more "
        "(logs.max_bad_frac=…)"
    )


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second ends the program at once, as after a kill."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        stopped.set()
        signal.signal(number, signal.default_int_handler)

    earlier = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, earlier)
