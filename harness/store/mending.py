"""Curated folders and suites without calls that were forgotten: what is left of them, whole or as it was."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from harness.errors import DataError
from harness.records.call import SPLITS, Call
from harness.records.curated import CuratedManifest, RuleCount
from harness.records.logs import Payload, canonical
from harness.store.calls import CALLS, CONTENTS, CURATED_MANIFEST, CallWriter, read_calls, read_curated, sha256_of
from harness.store.remaking import making, write_closed

__all__ = ["Gone", "Removed", "held_by_suite", "look_at_curated", "mend_curated", "mend_suite"]

FORGOTTEN: Final = "forgotten (do=forget)"
_ROWS: Final = ("samples.jsonl", "incumbent.jsonl")
_SPEC: Final = "suite.yaml"
_SHEET: Final = "datasheet.md"

Gone = Callable[[str, float | None], bool]
"""Whether the call of a record (its id, and when it was sent) was forgotten."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a curated folder held of forgotten calls."""

    calls: frozenset[str] = frozenset()
    """Ids of curated calls."""
    changed: frozenset[str] = frozenset()
    """Ids of calls beside which an answer of a forgotten one stood."""
    sessions: frozenset[str] = frozenset()
    """Of the forgotten calls, by their pseudonyms."""

    def __or__(self, other: "Removed") -> "Removed":
        return Removed(self.calls | other.calls, self.changed | other.changed, self.sessions | other.sessions)


def look_at_curated(folder: Path, gone: Gone) -> Removed:
    """What a curated folder holds of forgotten calls. Raises DataError for a damaged one."""
    doomed, sessions, replies = set(), set(), set()
    for call in read_calls(folder):
        if gone(call.record, call.at):
            doomed.add(call.id)
            sessions.add(call.session)
            replies.add(_reply_key(call.reference.reply))
    if not doomed:
        return Removed()
    everything = _others_unknown(read_curated(folder))
    changed = {
        call.id
        for call in read_calls(folder)
        if call.id not in doomed and _also(call, replies, everything=everything) != call.also
    }
    return Removed(frozenset(doomed), frozenset(changed), frozenset(one for one in sessions if one is not None))


def _reply_key(reply: Payload) -> bytes:
    """Equal for answers that say the same; ids of tool calls are drawn anew each time."""
    calls = [(one.get("name"), one.get("arguments")) for one in reply.get("tool_calls") or () if isinstance(one, dict)]
    return canonical([reply.get("content"), calls])


def _others_unknown(manifest: CuratedManifest) -> bool:
    """Whether answers may stand beside a call whose own calls are not in the folder: then all of them go."""
    split = manifest.settings.get("split")
    told = split if isinstance(split, dict) else {}
    drop = manifest.settings.get("drop")
    near = isinstance(drop, list) and "near_duplicate" in drop
    return near or told.get("chains") == "drop" or told.get("straddling") == "drop"


def _also(call: Call, replies: set[bytes], *, everything: bool) -> tuple[Any, ...]:
    return () if everything else tuple(one for one in call.also if _reply_key(one.reply) not in replies)


def mend_curated(folder: Path, gone: Gone, removed: Removed) -> int:
    """Writes a curated folder anew without forgotten calls; returns how many are left, and removes it where none is.

    Answers of theirs beside other calls go too. Whatever ends it, the folder is whole. Raises DataError where it cannot
    be written.
    """
    manifest = read_curated(folder)
    replies = {_reply_key(call.reference.reply) for call in read_calls(folder) if call.id in removed.calls}
    everything = _others_unknown(manifest)
    left = Counter[str]()
    weights = Counter[str]()
    groups = Counter[str]()
    if not any(call.id not in removed.calls for call in read_calls(folder)):
        shutil.rmtree(folder)
        return 0
    with making(folder) as temporary:
        with CallWriter(temporary) as writer:
            for call in read_calls(folder):
                if call.id in removed.calls or gone(call.record, call.at):
                    continue
                left[call.split] += 1
                weights[call.split] += call.weight
                groups[call.duplicate_group] += 1
                writer.add(replace(call, also=_also(call, replies, everything=everything)))
        for path in folder.iterdir():
            if path.name not in (CALLS, CONTENTS, CURATED_MANIFEST):
                write_closed(temporary / path.name, path.read_bytes())
        write_closed(
            temporary / CURATED_MANIFEST,
            manifest.model_copy(
                update={
                    "kept": left.total(),
                    "dropped": _dropped(manifest, manifest.kept - left.total()),
                    "splits": {split: left[split] for split in SPLITS},
                    "split_weights": {split: weights[split] for split in SPLITS},
                    "groups": len(groups),
                    "largest_group": max(groups.values()),
                    "files": {name: sha256_of(temporary / name) for name in manifest.files},
                }
            )
            .model_dump_json(indent=2)
            .encode()
            + b"\n",
        )
    return left.total()


def _dropped(manifest: CuratedManifest, more: int) -> tuple[RuleCount, ...]:
    before = sum(one.calls for one in manifest.dropped if one.rule == FORGOTTEN)
    others = tuple(one for one in manifest.dropped if one.rule != FORGOTTEN)
    return (*others, RuleCount(rule=FORGOTTEN, calls=before + more))


def held_by_suite(folder: Path, removed: Removed) -> frozenset[str]:
    """Ids of a suite's samples that are made of forgotten calls, or hold an answer of one, or their session."""
    held = set()
    for row in _read(folder / _ROWS[0]):
        name, session = str(row.get("id")), row.get("session")
        if name in removed.calls or name in removed.changed or session in removed.sessions:
            held.add(name)
    return frozenset(held)


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open("rb") as lines:
            for line in lines:
                if line.strip():
                    yield orjson.loads(line)
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); make the suite anew: do=build") from None


def mend_suite(folder: Path, held: frozenset[str]) -> int:
    """Takes samples out of a suite that do=build made, and the incumbent's answers to them; returns how many are left.

    Removes the folder where none is. Raises DataError where it cannot be written.
    """
    kept = sum(str(row.get("id")) not in held for row in _read(folder / _ROWS[0]))
    if not kept:
        shutil.rmtree(folder)
        return 0
    try:
        for name in _ROWS:
            if (folder / name).is_file():
                lines = [orjson.dumps(row) + b"\n" for row in _read(folder / name) if str(row.get("id")) not in held]
                _replace(folder / name, b"".join(lines))
        _say_so(folder, len(held), kept)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); type the same command again") from None
    return kept


def _say_so(folder: Path, taken: int, kept: int) -> None:
    """Brings the suite's description up to date: its hashes, and a line on its data sheet."""
    head, _, text = (folder / _SPEC).read_text(encoding="utf-8").partition("\n")
    spec = yaml.safe_load(text)
    if isinstance(spec.get("built"), dict):
        spec["built"] |= {name: sha256_of(folder / name) for name in _ROWS if name in spec["built"]}
    _replace(folder / _SPEC, f"{head}\n{yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)}".encode())
    sheet = folder / _SHEET
    if sheet.is_file():
        day = datetime.now(UTC).date().isoformat()
        told = (
            f"\n{day}: {taken} samples were taken out by do=forget; {kept} are left. The counts above are of before.\n"
        )
        _replace(sheet, sheet.read_bytes() + told.encode())


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_closed(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
