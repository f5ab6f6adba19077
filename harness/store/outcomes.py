"""The last outcome of each attempt with its score, streamed out of the two journals of a run.

Memory is 16 bytes a line, whatever a line holds: the journals are indexed by key, then read along.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
import orjson

from harness.errors import DataError
from harness.records import Attempt, Score, attempt_key
from harness.store.journal import opened, parse_line, read_lines
from harness.store.runfolder import ATTEMPTS, SCORES

__all__ = ["Outcomes", "final_outcomes", "fits"]

_BEGINNING: Final = re.compile(
    rb'\{"sample":"([^"\\]+)","(?:model":"[^"\\]*","protocol|category)":"[^"\\]*","trial":([0-9]+),'
)
"""How our own journals begin their lines: the key can be told without reading the rest."""


def fits(attempt: Attempt, score: Score) -> bool:
    """Whether a score can be this outcome's and not that of an earlier one, which was lost to the infrastructure.

    A process killed between the two lines of an attempt made again leaves the earlier score as the last one.
    """
    lost = attempt.failure is not None and attempt.failure.boundary == "infrastructure"
    return lost == (score.boundary == "infrastructure")


def final_outcomes(folder: Path) -> Iterator[tuple[Attempt, Score | None]]:
    """Each attempt's last outcome, in the order of the journal, with its score; None where that is not on disk (yet).

    A score that belongs to an earlier outcome of the attempt is not its score (`fits`). May be read while a run writes:
    what is there at the first step counts. Raises DataError if a journal is damaged or cannot be read.
    """
    attempts_path, scores_path = folder / ATTEMPTS, folder / SCORES
    with ExitStack() as stack:
        attempts = _Index(attempts_path, stack)
        scores = _Index(scores_path, stack)
        if not attempts.end:
            return
        superseded = attempts.superseded()
        for offset, body in read_lines(attempts_path, attempts.end):
            if offset in superseded:
                continue
            attempt = parse_line(body, Attempt, attempts_path)
            yield attempt, _score_of(attempt, scores)


class Outcomes:
    """The last outcome of any attempt of a run, looked up by its key, within a `with` block.

    Raises DataError, when it is entered or asked, if a journal is damaged or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._attempts = _Index(self._folder / ATTEMPTS, self._stack)
        self._scores = _Index(self._folder / SCORES, self._stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, sample: str, trial: int) -> tuple[Attempt | None, Score | None]:
        """An attempt with its score, None for what is not on disk."""
        body = next(self._attempts.lines(attempt_key(sample, trial)), None)
        if body is None:
            return None, None
        attempt = parse_line(body, Attempt, self._attempts.path)
        return attempt, _score_of(attempt, self._scores)


class _Index:
    """Where the lines of each key stand in a journal; one that is not there has none."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        hashes, offsets = array("q"), array("q")
        self.path, self.end = path, 0
        self._file: BinaryIO | None = None
        if path.exists():
            for offset, body in read_lines(path):
                hashes.append(hash(_key(body, path)))
                offsets.append(offset)
                self.end = offset + 1
            self._file = stack.enter_context(path.open("rb"))
        plain = np.frombuffer(hashes, dtype=np.int64) if hashes else np.empty(0, np.int64)
        order = np.argsort(plain, kind="stable")
        self._hashes = array("q", plain[order].tobytes())  # numpy takes ten times as long to find one number
        self._offsets = array("q", (np.frombuffer(offsets, dtype=np.int64)[order] if offsets else plain).tobytes())

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of a key, the last one first."""
        wanted, hashes = hash(key), self._hashes
        start = end = bisect_left(hashes, wanted)
        while end < len(hashes) and hashes[end] == wanted:
            end += 1
        for place in reversed(range(start, end)):
            body = self._at(self._offsets[place])
            if _key(body, self.path) == key:
                yield body

    def superseded(self) -> set[int]:
        """Offsets of the lines whose key comes again further down."""
        hashes = np.frombuffer(self._hashes, dtype=np.int64)
        same = np.flatnonzero(hashes[1:] == hashes[:-1])
        places = np.unique(np.concatenate((same, same + 1)))
        last: dict[str, int] = {}
        for offset in sorted(self._offsets[place] for place in places):
            last[_key(self._at(offset), self.path)] = offset
        return {self._offsets[place] for place in places} - set(last.values())

    def _at(self, offset: int) -> bytes:
        assert self._file is not None
        self._file.seek(offset)
        body = opened(self._file.readline().rstrip(b"\n"))
        if body is None:
            raise DataError(f"{self.path.name} changed while it was read; read it again")
        return body


def _key(body: bytes, path: Path) -> str:
    beginning = _BEGINNING.match(body)
    if beginning is not None:
        return attempt_key(beginning[1].decode(), int(beginning[2]))
    data = orjson.loads(body)
    try:
        return attempt_key(data["sample"], data.get("trial", 0))
    except KeyError:
        raise DataError(f"{path.name} holds a line without a sample; was it written by another program?") from None


def _score_of(attempt: Attempt, scores: _Index) -> Score | None:
    for body in scores.lines(attempt.key):
        score = parse_line(body, Score, scores.path)
        return score if fits(attempt, score) else None
    return None
