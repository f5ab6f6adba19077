"""Logs read by several processes: the same books, rows, contents and notes as by one."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.config import LogsConfig
from harness.cores import ONE_CORE, Cores
from harness.executor.cores import LocalCores
from harness.logs.collect import Collected, collect
from harness.logs.source import Source
from harness.logs.store import LogStore
from tests.support.log_calls import openai_line, write_openai

PART_BYTES = 2_000
_HUGE = openai_line(4).replace('"step": 4', f'"step": {1 << 63}')
"""A record that no file can hold."""


@pytest.fixture(scope="module")
def two() -> Iterator[LocalCores]:
    with LocalCores(2) as made:
        yield made


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has commits come by what was read alone, not by the clock."""
    monkeypatch.setattr("harness.logs.collect._COMMIT_EVERY_S", 1e9)


def collected(folder: Path, logs: Path, cores: Cores, part_bytes: int) -> tuple[Collected, LogStore]:
    store = LogStore.open(folder, key=None, create=True, reader="test")
    config = LogsConfig.model_validate({"path": str(logs), "max_bad_frac": 1})
    return collect(config, store, cores=cores, part_bytes=part_bytes), store


def tables(store: LogStore) -> dict[str, Any]:
    """The rows of each kind of file as they stand there, without the time of the import."""
    found = {}
    for kind in ("calls", "contents", "quarantine"):
        read = [pq.ParquetFile(one).read() for one in sorted((store.folder / kind).rglob("*.parquet"))]
        rows = [one.drop_columns([name for name in ("collected",) if name in one.column_names]) for one in read]
        found[kind] = [one.to_pylist() for one in rows]
    return found


def books(done: Collected) -> list[dict[str, Any]]:
    return [one.totals().model_dump(exclude={"seconds"}) for one in done.books.files]


def notes(store: LogStore) -> list[dict[str, Any]]:
    return list(json.loads((store.folder / "notes.json").read_bytes())["files"].values())


def write_logs(folder: Path) -> Path:
    """Lines with and without steps, damaged and doubled ones, a document, a compressed log, and a stranger."""
    (folder / "deep").mkdir(parents=True)
    write_openai(folder / "a.jsonl", 30)
    stepless = [json.loads(openai_line(number // 2, "s1", f"twice {number}")) for number in range(40)]
    for one in stepless:
        del one["step"]
    with (folder / "b.jsonl").open("w") as file:
        file.write("{torn\n\n" + "".join(json.dumps(one) + "\n" for one in stepless))
        file.write(openai_line(3) + "\n" + _HUGE + "\n" + openai_line(900)[:70])
    (folder / "c.json").write_text(json.dumps([json.loads(openai_line(n, "s2")) for n in range(12)], indent=1))
    with gzip.open(folder / "deep" / "d.jsonl.gz", "wb") as packed:
        packed.writelines(openai_line(number, "s3", user=f"u{number}").encode() + b"\n" for number in range(30))
    (folder / "shopping.txt").write_text("milk\n")
    return folder


@pytest.mark.parametrize("part_bytes", [1, PART_BYTES])
def test_several_processes_leave_what_one_leaves(tmp_path: Path, two: LocalCores, part_bytes: int) -> None:
    logs = write_logs(tmp_path / "logs")

    one_done, one_store = collected(tmp_path / "one", logs, ONE_CORE, 1 << 30)
    two_done, two_store = collected(tmp_path / "two", logs, two, part_bytes)

    assert books(two_done) == books(one_done)
    assert two_done.books.reasons == one_done.books.reasons
    assert tables(two_store) == tables(one_store)
    assert sorted(map(str, notes(two_store))) == sorted(map(str, notes(one_store)))
    assert one_done.books.total("kept") > 100
    assert one_done.books.total("quarantined") == 3


def test_calls_of_one_time_are_numbered_alike_though_some_are_there_already(tmp_path: Path, two: LocalCores) -> None:
    logs = write_logs(tmp_path / "logs")
    stores = []
    for name, cores, part_bytes in (("one", ONE_CORE, 1 << 30), ("two", two, PART_BYTES)):
        (tmp_path / name).mkdir()
        log = tmp_path / name / "b.jsonl"
        whole = (logs / "b.jsonl").read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(whole[:12]))
        collected(tmp_path / f"{name} store", log, cores, part_bytes)
        log.write_bytes(b"".join(whole))
        stores.append(collected(tmp_path / f"{name} store", log, cores, part_bytes)[1])

    one, other = (sorted((call.session or "", call.id, call.step or 0) for call in store.records()) for store in stores)

    assert len(one) == 41
    assert one == other


def test_pieces_hold_the_lines_of_the_file_with_their_places(tmp_path: Path) -> None:
    log = tmp_path / "a.txt"
    log.write_bytes(b"one\n\n  \n" + b"two\n" * 300_000 + b"last")

    whole = list(Source(log).lines())
    for after in (0, 9, 600_000):
        cut = [line for piece in Source(log, after).pieces(1) for line in piece.lines(after)]

        assert cut == [line for line in whole if line.start >= after]
    assert len(whole) == 300_002
    assert whole[1].number == 4
