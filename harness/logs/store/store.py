"""The log store: an agent's calls in a folder of Parquet files, each message kept once, encrypted if a key is given."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from harness.errors import DataError
from harness.logs.notes import NOTES
from harness.logs.store.audit import Audit
from harness.logs.store.contents import Contents
from harness.logs.store.folder import (
    ABOUT,
    about_bytes,
    check_key,
    list_files,
    make_store,
    partition_of,
    read_about,
    within,
)
from harness.logs.store.graves import GRAVES, Graves
from harness.logs.store.key import StoreKey
from harness.logs.store.known import Known
from harness.logs.store.layout import Staging, sole_writer
from harness.logs.store.parquet import as_rows, row_groups
from harness.logs.store.rewrite import Forgotten, Selection, chosen_ids, forget, merge_small, reencrypt
from harness.logs.store.rows import date_of, record_of
from harness.logs.store.writer import Quarantined, Writer, known_contents, known_ids
from harness.records.logs import LogRecord

__all__ = ["LogStore"]


@dataclass(slots=True)
class LogStore:
    """A folder of calls. `reader` is who opens it, for the audit file. Close it, or use it as a context."""

    folder: Path
    key: StoreKey | None
    audit: Audit

    @classmethod
    def open(cls, folder: Path, *, key: StoreKey | None, create: bool = False, reader: str) -> Self:
        """The store in a folder. Raises DataError where there is none (and none is to be made), or the key is wrong."""
        if create:
            make_store(folder, key)
        check_key(folder, read_about(folder), key)
        audit = Audit(folder, reader, key)
        audit.note("open")
        return cls(folder, key, audit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left open between calls; here for `with`."""

    def ids(self) -> Known:
        """The ids of the calls (`id_hash(record.id) in store.ids()`), at 16 bytes each."""
        return known_ids(self.folder, self.key)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """The sole right to write. What was not committed when the context ends is dropped.

        Raises DataError while another process writes.
        """
        with sole_writer(self.folder):
            check_key(self.folder, read_about(self.folder), self.key)
            self.audit.note("write")
            contents = known_contents(self.folder, self.key)
            yield Writer(self.folder, self.key, self.audit, self.ids(), contents)

    def append(self, records: Iterable[LogRecord]) -> int:
        """Keeps the calls that are not there yet; returns how many those were. Commits as it goes and at the end.

        Raises Unstorable for a record that no file can hold; those before it are kept.
        """
        new = 0
        with self.writer() as writer:
            try:
                for record in records:
                    new += writer.add(record)
                    if writer.full:
                        writer.commit()
            finally:
                writer.commit()
        return new

    def records(
        self, *, session: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[LogRecord]:
        """The calls by date and, within a date, as they came; those without a time last.

        session: of this one alone. since, until: calls sent from then on, and before then (seconds since the epoch);
        calls without a time are left out then. Raises DataError for a damaged file.
        """
        files = list_files(self.folder)
        ends = [None if at is None else date_of(max(at, 0.0)) for at in (since, until)]
        names = within(files.calls, *ends)
        read = 0
        whose = self.audit.named(session)
        self.audit.note("read", session=whose, partitions=sorted({partition_of(name) for name in names}))
        contents = Contents([self.folder / name for name in files.contents], self.key)
        try:
            for row in self._rows(names, Selection(session=session), (since, until)):
                read += 1
                yield record_of(row, contents.value)
        finally:
            self.audit.note("read_end", session=whose, calls=read)

    def _rows(self, names: list[str], chosen: Selection, span: tuple[float | None, float | None]) -> Iterator[Any]:
        since, until = span
        for name in names:
            for table in row_groups(self.folder / name, self.key):
                meant = table if chosen.session is None else table.filter(pa.array(chosen.matches(table)))
                for row in as_rows(meant):
                    at = row["sent_at"]
                    if at is None and (since is not None or until is not None):
                        continue
                    if (since is None or at >= since) and (until is None or at < until):
                        yield row

    def quarantined(self) -> Iterator[Quarantined]:
        """The entries of logs that could not be read, as they came. Raises DataError for a damaged file."""
        self.audit.note("read_quarantine")
        for name in list_files(self.folder).quarantine:
            for table in row_groups(self.folder / name, self.key):
                for row in as_rows(table):
                    place = (row["number"], row["first_byte"], row["end_byte"])
                    yield Quarantined(row["file"], *place, row["reason"], row["bytes"])

    def forget(
        self,
        *,
        session: str | None = None,
        user: str | None = None,
        before: float | None = None,
        for_good: bool = False,
    ) -> Forgotten:
        """Deletes the calls of a session, of a user, or before a time, and what was there for them alone.

        Files that hold some of it are written anew and the old ones removed: messages and tools that no other call
        refers to, and quarantined entries with the name in them, are gone too. for_good: a later import leaves them
        out, until `lift`. Raises DataError unless one is chosen.
        """
        chosen = _selection(session, user, before)
        with sole_writer(self.folder):
            check_key(self.folder, read_about(self.folder), self.key)
            told = {"session": self.audit.named(session), "user": self.audit.named(user), "before": before}
            self.audit.note("forget", **told)
            data = None
            if for_good:
                ids = [] if before is not None else chosen_ids(self.folder, self.key, chosen)
                data = self.graves().bury(session=session, user=user, before=before, calls=ids).data()
            gone = forget(self.folder, self.key, chosen, data)
            self.audit.note("forget_end", calls=gone.calls, contents=gone.contents, quarantined=gone.quarantined)
        return gone

    def graves(self) -> Graves:
        """What is not to be taken in again."""
        return Graves.of(self.folder, read_about(self.folder).salt)

    def lift(self, *, session: str | None = None, user: str | None = None, before: float | None = None) -> bool:
        """Lets what was forgotten be taken in again; False where it was not forgotten for good.

        How far each log was read is dropped, so that the next import looks at all of them again. before: lifts what
        was forgotten before that time or an earlier one. Raises DataError unless one is chosen.
        """
        _selection(session, user, before)
        with sole_writer(self.folder):
            check_key(self.folder, read_about(self.folder), self.key)
            left = self.graves().lifted(session=session, user=user, before=before)
            if left is None:
                return False
            self.audit.note("lift", session=self.audit.named(session), user=self.audit.named(user), before=before)
            staging = Staging(self.folder)
            staging.put(GRAVES, left.data())
            staging.remove(NOTES)
            staging.commit()
        return True

    def rotate(self, new: StoreKey | None) -> int:
        """Encrypts every file anew under another key, in one change; returns how many files.

        This store goes on with the new key. Raises DataError where the key is the old one. While it
        works it takes twice the room.
        """
        if (None if new is None else new.id) == (None if self.key is None else self.key.id):
            raise DataError("the new key is the old one; make another: openssl rand -base64 32")
        with ExitStack() as stack:
            stack.enter_context(sole_writer(self.folder))
            about = read_about(self.folder)
            check_key(self.folder, about, self.key)
            self.audit.note("rotate", to=None if new is None else new.id)
            staging = Staging(self.folder)
            files = reencrypt(self.folder, self.key, new, staging)
            staging.put(ABOUT, about_bytes(about.model_copy(update={"key": None if new is None else new.id})))
            staging.commit()
        self.key = new
        self.audit = Audit(self.folder, self.audit.reader, new)
        self.audit.note("rotate_end", files=files)
        return files

    def merge_small(self) -> int:
        """Makes one file of many small ones; returns how many were merged."""
        with sole_writer(self.folder):
            check_key(self.folder, read_about(self.folder), self.key)
            return merge_small(self.folder, self.key)


def _selection(session: str | None, user: str | None, before: float | None) -> Selection:
    if sum(one is not None for one in (session, user, before)) != 1 or session == "" or user == "":
        raise DataError("choose what is to be forgotten, one of: session=…, user=…, before=…")
    return Selection(session, user, before)
