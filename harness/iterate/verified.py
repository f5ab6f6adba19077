"""The router's verified pairs as units of a monitor: each call once, sessions together, in order of time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from harness.errors import DataError
from harness.records.monitor import MonitorOutcome, OutcomeLabel, PairCounts, PendingPair
from harness.records.route import VerifiedPair

__all__ = ["Intake", "PairUnit", "read_labels", "ready_units", "take_in"]


@dataclass(frozen=True, slots=True)
class PairUnit:
    """The outcomes of one session within a window of time, or of one call without a session."""

    ends: float
    """Time at which it was closed, whatever came in."""
    last: float
    """Time of its last call."""
    pairs: tuple[PendingPair, ...]


@dataclass(slots=True)
class Intake:
    """What is known of the lines read so far."""

    files: dict[str, int]
    seen: dict[str, float]
    pending: list[PendingPair]
    closed: float
    counts: dict[str, int] = field(default_factory=lambda: PairCounts().model_dump())


def take_in(
    intake: Intake, folders: Sequence[Path], policy: str, outcome: MonitorOutcome, *, keep_s: float, now: float
) -> None:
    """Reads what the folders have more than at the last time. Raises DataError for a folder that is not there."""
    for place, folder in enumerate(folders):
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder; name the router's log: monitor.logs=FOLDER")
        files = {file for deep in ("", "*/", "*/*/") for file in folder.glob(f"{deep}verified-*.jsonl")}
        for file in sorted(files):
            _read_file(intake, file, f"{place}/{file.relative_to(folder).as_posix()}", (policy, outcome, keep_s, now))
    newest = min(now, max(intake.seen.values(), default=now))
    intake.seen = {mark: at for mark, at in intake.seen.items() if at >= newest - keep_s}


def _read_file(intake: Intake, file: Path, name: str, rule: tuple[str, MonitorOutcome, float, float]) -> None:
    """The whole lines after the byte that was reached; from the beginning where the file has become shorter."""
    try:
        begun = intake.files.get(name, 0)
        size = file.stat().st_size
        begun = 0 if size < begun else begun
        if size == begun:
            return
        with file.open("rb") as opened:
            opened.seek(begun)
            data = opened.read()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from None
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.splitlines():
        if line.strip():
            _take(intake, line, *rule)
    intake.files[name] = begun + len(whole)


def _take(intake: Intake, line: bytes, policy: str, outcome: MonitorOutcome, keep_s: float, now: float) -> None:
    counts = intake.counts
    try:
        pair = VerifiedPair.model_validate_json(line)
    except ValidationError:
        counts["broken"] += 1
        return
    if pair.policy != policy:
        counts["other_policy"] += 1
        return
    if pair.at < now - keep_s:
        counts["too_late"] += 1
        return
    mark = _print(pair.call)
    if mark in intake.seen:
        counts["twice"] += 1
        return
    intake.seen[mark] = pair.at
    counts["read"] += 1
    if not pair.routed:
        counts["not_routed"] += 1
        return
    if outcome == "disagreement" and pair.same is None:
        counts["unlike"] += 1
        return
    counts["late"] += pair.at < intake.closed
    intake.pending.append(
        PendingPair(
            call=pair.call,
            at=pair.at,
            session=None if pair.session is None else _print(pair.session),
            cluster=pair.cluster,
            small_value=pair.small_value,
            large_value=pair.large_value,
            value=float(not pair.same) if outcome == "disagreement" else None,
        )
    )


def _print(name: str) -> str:
    """What a call or a session is known by in the state: a session's name may be a person's."""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()


def read_labels(path: Path) -> dict[str, OutcomeLabel]:
    """What calls turned out to be worth; the last line of a call holds. Raises DataError for a line that is none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"monitor.labels={path} cannot be read ({error.strerror})") from None
    found: dict[str, OutcomeLabel] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label = OutcomeLabel.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise DataError(
                f'{path} line {number}: {where}: {first["msg"]}; a label is {{"call": "ID", "small_value": 0.0}}'
            ) from None
        found[label.call] = label
    return found


def ready_units(
    intake: Intake, outcome: MonitorOutcome, labels: Mapping[str, OutcomeLabel] | None, *, session_s: float,
    wait_s: float, now: float,
) -> list[PairUnit]:  # fmt: skip
    """The units that are closed, in the order in which they closed; they leave what is pending.

    A session's unit closes `session_s` after its first call, so that when it does says nothing of what is in it.
    labels: None: none will come.
    """
    found: list[PairUnit] = []
    waiting: list[PendingPair] = []
    for own in _windows(intake.pending, session_s):
        pairs = [_valued(one, outcome, (labels or {}).get(one.call)) for one in own]
        ends = pairs[0].at + (session_s if pairs[0].session is not None else 0.0)
        open_ = [one for one in pairs if one.value is None]
        if ends > now or (open_ and labels is not None and ends + wait_s > now):
            waiting += pairs
            continue
        intake.counts["unlike" if labels is None else "unlabelled"] += len(open_)
        kept = tuple(one for one in pairs if one.value is not None)
        if kept:
            found.append(PairUnit(ends, kept[-1].at, kept))
    intake.pending = waiting
    found.sort(key=lambda one: (one.ends, one.pairs[0].call))
    intake.counts["used"] += sum(len(one.pairs) for one in found)
    intake.closed = max([intake.closed, *(one.ends for one in found)])
    return found


def _windows(pending: Sequence[PendingPair], session_s: float) -> list[list[PendingPair]]:
    found: list[list[PendingPair]] = []

    def owner(one: PendingPair) -> tuple[bool, str]:
        return (one.session is None, one.call if one.session is None else one.session)

    for _, group in groupby(sorted(pending, key=lambda one: (*owner(one), one.at, one.call)), key=owner):
        for one in group:
            same = found and owner(found[-1][0]) == owner(one) and one.at <= found[-1][0].at + session_s
            if same:
                found[-1].append(one)
            else:
                found.append([one])
    return found


def _valued(one: PendingPair, outcome: MonitorOutcome, label: OutcomeLabel | None) -> PendingPair:
    """The pair with its outcome, where what it takes is there. A label goes before what the log has."""
    if outcome == "disagreement":
        return one
    small = label.small_value if label and label.small_value is not None else one.small_value
    large = label.large_value if label and label.large_value is not None else one.large_value
    if outcome == "error":
        value = None if small is None else 1 - small
    else:
        value = None if small is None or large is None else large - small
    return one.model_copy(update={"value": value})
