"""The books of an import: what became of every entry of every file."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from harness.records import Record

__all__ = ["Books", "CollectManifest", "FileBooks", "FileTotals", "plain_reason"]

_EXAMPLES: Final = 3
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER: Final = re.compile(r"\d+")


class FileTotals(Record):
    """What became of the entries of one file in one import: read = kept + already + quarantined + all skipped."""

    file: str
    read: int
    kept: int
    already: int
    """In the store before, or twice in the logs."""
    quarantined: int
    skipped: dict[str, int]
    """By rule."""
    bytes: int
    """Unpacked, without those of an earlier import."""
    seconds: float
    whole: bool
    """Whether the end was reached."""
    done_before: int = 0
    """Bytes that an earlier import had done and that were not read again."""


class CollectManifest(Record):
    """`imports/<time>.json` in the store: the books of one import."""

    began: float
    """Seconds since the epoch."""
    seconds: float
    by: str
    """Name of the user."""
    complete: bool
    files: tuple[FileTotals, ...]
    unchanged: int
    """Files that an earlier import had done whole, and that are as they were."""


@dataclass(slots=True)
class FileBooks:
    """`FileTotals` in the making."""

    file: str
    done_before: int = 0
    read: int = 0
    kept: int = 0
    already: int = 0
    quarantined: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    seconds: float = 0.0
    whole: bool = False

    @property
    def balanced(self) -> bool:
        """Whether every entry that was read is accounted for."""
        return self.read == self.kept + self.already + self.quarantined + self.skipped.total()

    def totals(self) -> FileTotals:
        """The record of it."""
        return FileTotals(
            file=self.file.encode("utf-8", "replace").decode(),
            read=self.read,
            kept=self.kept,
            already=self.already,
            quarantined=self.quarantined,
            skipped=dict(self.skipped),
            bytes=self.bytes,
            seconds=round(self.seconds, 3),
            whole=self.whole,
            done_before=self.done_before,
        )


@dataclass(slots=True)
class Books:
    """The books of an import in the making."""

    files: list[FileBooks] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of quarantined entries, without what they quote."""
    examples: list[str] = field(default_factory=list)
    """The first few of them: file, number, reason."""
    earlier_read: int = 0
    """Entries that earlier imports of the same files read."""
    earlier_quarantined: int = 0
    unchanged: int = 0

    def bad(self, file: str, number: int, problem: str) -> None:
        """Counts a quarantined entry by its reason."""
        reason = plain_reason(problem)
        self.reasons[reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{file}:{number}: {reason}")

    def total(self, name: str) -> int:
        """The sum of a count over all files."""
        return sum(int(getattr(one, name)) for one in self.files)

    def skipped(self) -> Counter[str]:
        """Skipped entries by rule, over all files."""
        return sum((one.skipped for one in self.files), Counter())

    @property
    def bad_frac(self) -> float | None:
        """Share of quarantined entries in these files, earlier imports of them included; None where none was read."""
        read = self.earlier_read + self.total("read")
        return (self.earlier_quarantined + self.total("quarantined")) / read if read else None


def plain_reason(problem: str) -> str:
    """A reason without what it quotes from the log and without numbers, so that it can be counted and shown.

    >>> plain_reason("tool 'secret' has 3 names")
    'tool … has N names'
    """
    return _NUMBER.sub("N", _QUOTED.sub("…", " ".join(problem.split())))[:160]
