"""Logged calls as curated folders, without curating: for tests of what reads them."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.logs.reading import read_logs
from harness.records import Usage
from harness.records.call import Call, Reference, Split
from harness.records.curated import CuratedManifest
from harness.records.logs import LogRecord, Payload
from harness.store.calls import CALLS, CONTENTS, CURATED_MANIFEST, CallWriter, sha256_of

__all__ = ["call", "calls_of", "curated", "says", "uses"]


def says(text: str) -> Payload:
    """A reply in words."""
    return {"role": "assistant", "content": text, "finish_reason": "stop"}


def uses(name: str, arguments: str, **more: Any) -> Payload:
    """A reply that calls a tool."""
    calls = [{"id": "c1", "name": name, "arguments": arguments}]
    return {"role": "assistant", "content": None, "tool_calls": calls, "finish_reason": "tool_calls", **more}


def call(identity: str, reply: Payload, *, also: Sequence[Reference] = (), count: int = 1, **more: Any) -> Call:
    """A curated call; `more` are fields of `Call`."""
    fields: dict[str, Any] = {
        "messages": ({"role": "user", "content": f"Question {identity}"},),
        "split": "test",
        "session": f"s-{identity}",
        "agent": "support",
        "model": "big-1",
        "at": 1_700_000_000.0,
        "usage": Usage(prompt_tokens=100, output_tokens=9, counted_by="server"),
        "latency_s": 0.5,
        "latency_kind": "end_to_end",
        "cost_usd": 0.001,
    }
    return Call(
        id=identity,
        record=identity,
        reference=Reference(reply, "incumbent", count),
        also=tuple(also),
        duplicate_group=identity,
        **{**fields, **more},
    )


def curated(folder: Path, calls: Iterable[Call]) -> Path:
    """A curated folder with these calls."""
    folder.mkdir(parents=True)
    n = 0
    with CallWriter(folder) as writer:
        for one in calls:
            writer.add(one)
            n += 1
    manifest = CuratedManifest(
        name=folder.name,
        source="logstore",
        records_hash="0" * 8,
        settings={},
        redaction={"policy": "rules", "counts": {"EMAIL_ADDRESS": 3}},
        read=n,
        kept=n,
        dropped=(),
        splits={"test": n},
        split_weights={"test": n},
        groups=n,
        largest_group=1,
        files={name: sha256_of(folder / name) for name in (CALLS, CONTENTS)},
        made="2026-01-01T00:00:00Z",
        harness="0",
    )
    (folder / CURATED_MANIFEST).write_text(manifest.model_dump_json())
    return folder


def calls_of(log: Path, limit: int | None = None, split: Split = "test") -> Iterable[Call]:
    """The calls of a log with a whole reply, each once; the same request's other answers beside it."""
    found: dict[bytes, list[LogRecord]] = {}
    for item in islice(read_logs([str(log)]), limit):
        record = item.item.record
        if record is not None and record.reply is not None and record.reply.get("finish_reason") != "length":
            found.setdefault(record.request_key(), []).append(record)
    for records in found.values():
        first = records[0]
        assert first.reply is not None
        others = [one.reply for one in records[1:] if one.reply is not None and one.reply != first.reply]
        yield call(
            first.id,
            first.reply,
            also=[Reference(one, "incumbent", 1) for one in others],
            count=len(records) - len(others),
            messages=first.messages,
            tools=first.tools,
            params=first.params,
            session=first.session,
            agent=first.agent,
            model=first.model,
            at=first.at,
            usage=first.usage,
            latency_s=first.latency_s,
            cost_usd=first.cost_usd,
            family="toolcall" if first.tools else "instruct",
            split=split,
            weight=len(records),
        )
