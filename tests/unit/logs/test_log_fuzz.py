"""Damaged logs: whatever a line holds, it is a record, skipped by a rule or a problem, and never an exception."""

import copy
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.logs.reading import read_logs
from harness.records.logs import canonical
from tests.support import log_lines as lines

_ODD: list[Any] = [
    None, True, False, 0, -1, 1e308, -1e308, 2**63 - 1, 2**64 - 1, 0.1, "", " ", "\u0000", "\ud7ff", "x" * 300, "nan",
    "[",    "{", "[]", '{"a": {"b": [1, null]}}', '[{"role": "user"}]', "1e999", "-5",
    "null", [], [[]], [None], {}, {"": None},
    {"role": 7}, [{"role": "user"}], {"type": "text"}, {"content": {}}, [1, "a", {}], {"a": {"a": {"a": {"a": {}}}}},
    "2025-13-45T99:99:99Z",
]  # fmt: skip
_RAW = [
    b"NaN", b"Infinity", b"-0", b"1e9999", b"9" * 400, b'"\\ud800"', b'"\xff\xfe"', b"[" * 2000, b'{"a":' * 1500,
    b"\x00",    b"}", b'"', b'{"role": "user", "role": 7}', b"\xed\xa0\x80", b"1.2.3", b"\xef\xbb\xbf",
]  # fmt: skip


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield (*path, key)
        yield from _places(node[key], (*path, key))


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


def _swapped(entry: Any, pick: random.Random) -> bytes:
    """Some values replaced by others, dropped, doubled, moved or nested deeply."""
    out = copy.deepcopy(entry)
    for _ in range(pick.choice((1, 1, 1, 2, 5))):
        places = list(_places(out))
        if not places:
            break
        path = pick.choice(places)
        holder, key = _at(out, path[:-1]), path[-1]
        what = pick.randrange(7)
        if what == 0:
            del holder[key]
        elif what == 1:
            holder[key] = copy.deepcopy(_at(out, pick.choice(places)))
        elif what == 2:
            holder[key] = [holder[key], copy.deepcopy(holder[key])]
        elif what == 3:
            deep: Any = holder[key]
            for _ in range(pick.choice((3, 120, 270))):
                deep = [deep] if pick.random() < 0.5 else {"a": deep}
            holder[key] = deep
        elif what == 4 and isinstance(holder, dict):
            holder[pick.choice(("role", "type", "content", "id", "function", "messages", "name", "usage"))] = (
                pick.choice(_ODD)
            )
        else:
            holder[key] = copy.deepcopy(pick.choice(_ODD))
    try:
        return orjson.dumps(out)
    except TypeError:
        return b"[" * 400 + orjson.dumps(entry)


def _damaged(raw: bytes, pick: random.Random) -> bytes:
    """Bytes cut off, lost, doubled, changed, or replaced by what JSON does not allow."""
    at = pick.randrange(len(raw))
    end = min(len(raw), at + pick.choice((1, 2, 8, 64, 1000)))
    what = pick.randrange(6)
    if what == 0:
        return raw[:at]
    if what == 1:
        return raw[:at] + raw[end:]
    if what == 2:
        return raw[:end] + raw[at:]
    if what == 3:
        return raw[:at] + bytes([pick.randrange(256)]) + raw[at + 1 :]
    if what == 4:
        return raw[:at] + pick.choice(_RAW) + raw[end:]
    colon = raw.find(b":", at)
    return raw[: colon + 1] + pick.choice(_RAW) + b"," + raw[colon + 1 :] if colon > 0 else raw[at:]


def _mutated(entry: Any, pick: random.Random) -> bytes:
    try:
        raw = _swapped(entry, pick) if pick.random() < 0.6 else _damaged(orjson.dumps(entry), pick)
    except RecursionError:  # of copying what was nested twice
        raw = b"[" * 900 + orjson.dumps(entry)
    return raw if pick.random() < 0.9 or not raw else _damaged(raw, pick)


def _check(name: str, entries: list[Any], many: int, folder: Path) -> Counter[str]:
    pick = random.Random(f"{name} {many}")
    file = folder / f"{name}.jsonl"
    mutants = [_mutated(pick.choice(entries), pick) for _ in range(many)]
    file.write_bytes(b"\n".join([orjson.dumps(entries[0]), *mutants]))
    expected = {n for n, line in enumerate(file.read_bytes().split(b"\n"), 1) if line.strip()}
    sorts: Counter[str] = Counter()
    seen = set()
    slowest, since = 0.0, time.monotonic()

    for one in read_logs([str(file)], name):
        now = time.monotonic()
        slowest, since = max(slowest, now - since), now
        item = one.item
        seen.add(item.number)
        sorts["kept" if item.record else "skipped" if item.skipped else "problem"] += 1
        assert (item.record is not None) + (item.skipped is not None) + (item.problem is not None) == 1
        assert item.problem is None or (item.problem and item.raw is not None)
        assert "unforeseen" not in (item.problem or ""), (item.problem, item.raw)
        if item.record is not None:
            canonical(
                [item.record.request_key().decode(), item.record.reply, item.record.more_replies, item.record.extra]
            )
            assert all(isinstance(message["role"], str) for message in item.record.messages)

    assert seen == expected
    assert slowest < 20
    return sorts


_FORMATS = sorted(lines.specimens())


@pytest.mark.parametrize("name", _FORMATS)
def test_no_mutated_line_escapes_the_books(name: str, tmp_path: Path) -> None:
    sorts = _check(name, lines.specimens()[name], 250, tmp_path)

    assert sorts["kept"] > 10
    assert sorts["problem"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", _FORMATS)
def test_no_line_of_a_hundred_thousand_escapes_the_books(name: str, tmp_path: Path) -> None:
    many = 100_000 // len(_FORMATS)

    sorts = _check(name, lines.specimens()[name], many, tmp_path)

    assert sum(sorts.values()) >= many * 0.95


@pytest.mark.parametrize("name", _FORMATS)
def test_damaged_documents_do_not_escape_either(name: str, tmp_path: Path) -> None:
    pick = random.Random(name)
    file = tmp_path / "document.json"
    whole: Callable[[Any], bytes] = lambda entry: orjson.dumps([entry, entry], option=orjson.OPT_INDENT_2)  # noqa: E731
    for _ in range(20):
        raw = _damaged(whole(lines.specimens()[name][0]), pick)
        file.write_bytes(raw)

        items = list(read_logs([str(file)], name))

        assert bool(items) == bool(raw.strip())
