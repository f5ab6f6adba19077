"""Files found, unpacked, recognised and read on from where they were left; every entry accounted for."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pytest

from harness.errors import DataError
from harness.logs.formats.base import Item
from harness.logs.reading import FileItem, detect, find_logs, read_logs
from harness.logs.shape import shape
from tests.support import log_lines as lines


def _write(file: Path, *entries: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(entry if isinstance(entry, bytes) else orjson.dumps(entry) + b"\n" for entry in entries))
    return file


def _sorts(items: list[FileItem]) -> list[str]:
    return ["kept" if one.item.record else "skipped" if one.item.skipped else "problem" for one in items]


@pytest.mark.parametrize(
    ("name", "entry"), [(name, entry) for name, entries in lines.specimens().items() for entry in entries]
)
def test_format_is_found_by_content(name: str, entry: Any, tmp_path: Path) -> None:
    file = _write(tmp_path / "export.txt", entry)

    assert detect(file).name == name


def test_pretty_printed_documents_and_lists_are_read(tmp_path: Path) -> None:
    document = orjson.dumps([lines.chat_line(), lines.chat_line(trace_id="t2")], option=orjson.OPT_INDENT_2)
    file = _write(tmp_path / "calls.json", document)

    items = list(read_logs([str(file)]))

    assert [(one.item.number, one.item.end) for one in items] == [(1, 0), (2, len(document))]
    assert [one.item.record.session for one in items if one.item.record] == ["t1", "t2"]


def test_unknown_file_is_refused_with_what_was_seen_and_what_to_type(tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", {"colour": "red", "size": 3})

    with pytest.raises(DataError, match=r"no known format; the first keys are colour, size; known: .*logs=openai"):
        list(read_logs([str(file)]))


def test_named_format_is_taken_whatever_the_file_looks_like(tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", {"colour": "red"})

    (one,) = read_logs([str(file)], "openai")

    assert one.item.problem == "neither a request nor messages; keys: colour"


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress), ("", lambda raw: raw)]
)
def test_compressed_files_are_read_by_their_content(
    suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    raw = orjson.dumps(lines.chat_line()) + b"\n"
    file = _write(tmp_path / f"log{suffix}", pack(raw * 3))

    items = list(read_logs([str(file)]))

    assert _sorts(items) == ["kept"] * 3
    assert items[-1].item.end == len(raw) * 3


def _zstd(raw: bytes) -> bytes:
    return bytes(pyarrow.compress(raw, codec="zstd", asbytes=True))


def test_zstd_files_of_several_frames_are_read(tmp_path: Path) -> None:
    raw = orjson.dumps(lines.chat_line()) + b"\n"
    file = _write(tmp_path / "log.zst", _zstd(raw) + _zstd(raw))

    assert _sorts(list(read_logs([str(file)]))) == ["kept", "kept"]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, _zstd])
def test_cut_off_archive_keeps_what_could_be_read_and_says_so(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    raw = b"".join(orjson.dumps(lines.chat_line(noise=os.urandom(3000).hex())) + b"\n" for _ in range(400))
    packed = pack(raw)
    file = _write(tmp_path / "log.packed", packed[: len(packed) * 2 // 3])

    items = list(read_logs([str(file)]))

    assert _sorts(items)[-1] == "problem"
    assert "cannot be read further" in str(items[-1].item.problem)
    assert _sorts(items)[:100] == ["kept"] * 100


def test_folders_and_patterns_are_read_without_what_is_no_log(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "one.jsonl", lines.chat_line())
    _write(tmp_path / "a" / "b" / "two.jsonl.gz", gzip.compress(orjson.dumps(lines.anthropic_line())))
    _write(tmp_path / "a" / ".hidden.jsonl", lines.chat_line())
    _write(tmp_path / "a" / "settings.json", {"colour": "red"})

    folder = list(read_logs([str(tmp_path / "a")]))
    pattern = list(read_logs([str(tmp_path / "**" / "*.jsonl*")]))

    assert sorted(_sorts(folder)) == ["kept", "kept", "skipped"]
    assert [Path(one.file).name for one in pattern] == ["two.jsonl.gz", "one.jsonl"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    file = _write(tmp_path / "one.jsonl", lines.chat_line())

    assert len(find_logs([str(file), str(tmp_path)])) == 1


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there; give a file, a folder or a pattern"):
        read_logs([str(tmp_path / "none.jsonl")])


def test_broken_lines_are_problems_with_their_bytes_and_places(tmp_path: Path) -> None:
    good = orjson.dumps(lines.chat_line()) + b"\n"
    bad = b'{"messages": [\xff\n'
    file = _write(tmp_path / "log.jsonl", good, b"\n", bad, b"[1]\n", good)

    items = [one.item for one in read_logs([str(file)])]

    assert [item.number for item in items] == [1, 3, 4, 5]
    assert items[1].raw == bad.rstrip(b"\n")
    assert file.read_bytes()[items[1].start : items[1].end] == bad
    assert items[2].problem == "the line is a number, not an object"
    assert items[3].record is not None


@pytest.mark.parametrize("pack", [lambda raw: raw, gzip.compress])
def test_reading_goes_on_after_the_bytes_that_were_done(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    rows = [lines.chat_line(trace_id=f"t{n}") for n in range(6)]
    file = _write(tmp_path / "log.jsonl", pack(b"".join(orjson.dumps(row) + b"\n" for row in rows)))
    whole = [one.item for one in read_logs([str(file)])]

    rest = [one.item for one in read_logs([str(file)], after={str(file): whole[2].end})]

    assert rest == whole[3:]


def test_a_line_without_end_is_cut_and_the_next_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.logs.source.LONGEST", 1 << 20)
    good = orjson.dumps(lines.chat_line()) + b"\n"
    endless = b'{"messages": "' + b"x" * (5 << 20) + b'"}\n'
    file = _write(tmp_path / "log.jsonl", good, endless, good)

    items = [one.item for one in read_logs([str(file)])]

    assert [item.number for item in items] == [1, 2, 3]
    assert (items[1].start, items[1].end) == (len(good), len(good) + len(endless))
    assert str(items[1].problem).startswith("a line of more than")
    assert items[2].record is not None
    assert items[2].end == file.stat().st_size


def test_same_line_has_the_same_id_and_another_has_not(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.jsonl", lines.chat_line(), lines.chat_line(step=4))
    second = _write(tmp_path / "b.jsonl", lines.chat_line())

    ids = [one.item.record.id for one in read_logs([str(first), str(second)]) if one.item.record]

    assert ids[0] == ids[2]
    assert ids[0] != ids[1]


def test_steps_are_given_by_time_over_all_files_where_the_log_has_none(tmp_path: Path) -> None:
    _write(tmp_path / "1.jsonl", lines.litellm_line(startTime=30.0, endTime=31.0), lines.litellm_line(startTime=10.0))
    _write(tmp_path / "2.jsonl", lines.litellm_line(startTime=20.0, endTime=31.0), lines.litellm_line(startTime=20.0))

    steps = [one.item.record.step for one in read_logs([str(tmp_path)]) if one.item.record]

    assert steps == [3, 0, 1, 2]


def test_logged_steps_are_kept(tmp_path: Path) -> None:
    file = _write(tmp_path / "log.jsonl", lines.chat_line(step=7), lines.chat_line(step=2))

    assert [one.item.record.step for one in read_logs([str(file)]) if one.item.record] == [7, 2]


def test_only_the_last_entry_of_a_line_says_that_the_line_is_done(tmp_path: Path) -> None:
    two = lines.otel_document(lines.otel_span(lines.otel_current()), lines.otel_span([], spanId="bb"))
    file = _write(tmp_path / "log.jsonl", two, two)

    items: list[Item] = [one.item for one in read_logs([str(file)])]

    size = len(orjson.dumps(two)) + 1
    assert [(item.start, item.end) for item in items] == [(0, 0), (0, size), (size, size), (size, 2 * size)]


@pytest.mark.parametrize(
    ("head", "paths"),
    [
        (b'{"a": {"b": [{"c": "d\\"e:', {"a", "a.b", "a.b.c"}),
        (b'[{"a": "b"}, {"c": 1', {"a", "c"}),
        (b"", set()),
        (b"]]{{", set()),
        (b'{"a": "' + b'\\"' * 500_000 + b"\\", {"a"}),
        (b'{"a": 1}\n{"b": 2}', {"a"}),
    ],
)
def test_keys_of_a_cut_off_text(head: bytes, paths: set[str]) -> None:
    assert shape(head) == paths


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    line = orjson.dumps(lines.chat_line(noise="x" * 20_000)) + b"\n"
    with file.open("wb") as out:
        for _ in range(3000):
            out.write(line)
    program = (
        "import resource, sys\n"
        "from harness.logs.reading import read_logs\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "kept = sum(one.item.record is not None for one in read_logs([sys.argv[1]]))\n"
        "print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    out_text = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)

    kept, grown_kib = map(int, out_text.stdout.split())
    assert kept == 3000
    assert grown_kib < 40_000
