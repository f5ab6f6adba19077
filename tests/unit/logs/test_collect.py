"""Logs into the store: books that balance, nothing twice, going on where it stopped."""

import gzip
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from harness.config import CollectConfig, LogsConfig
from harness.errors import DataError
from harness.logs.books import CollectManifest
from harness.logs.collect import HUMAN_CHAT, TOO_OLD, Collected, check_share, collect
from harness.logs.store import LogStore, StoreKey
from harness.logs.store.rows import Content, Row
from harness.logs.store.writer import Writer
from harness.verbs.collect import main
from tests.support.log_calls import START, openai_line, write_openai

KEY = StoreKey(bytes(range(32)))


def opened(folder: Path, key: StoreKey | None = None) -> LogStore:
    return LogStore.open(folder / "store", key=key, create=True, reader="test")


def read(store: LogStore, *paths: Path, keep_days: float | None = None, **told: object) -> Collected:
    config = LogsConfig.model_validate({"path": tuple(str(path) for path in paths), **told})
    return collect(config, store, keep_days=keep_days)


def counts(done: Collected) -> Sequence[int]:
    books = done.books
    return [books.total(name) for name in ("read", "kept", "already", "quarantined")] + [books.skipped().total()]


def test_every_entry_is_accounted_for(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 30)
    with log.open("a") as file:
        file.write('{"torn": \n\n' + openai_line(3) + "\n" + openai_line(31) + "\n")

    done = read(opened(tmp_path), log)

    assert counts(done) == [33, 31, 1, 1, 0]
    assert all(one.balanced for one in done.books.files)
    assert done.books.files[0].bytes == log.stat().st_size


def test_a_bad_line_is_kept_with_its_place_reason_and_bytes(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 30)
    start = log.stat().st_size
    bad = b'{"torn\xff": \x00"\\'
    log.write_bytes(log.read_bytes() + bad + b"\n" + openai_line(31).encode() + b"\n")
    store = opened(tmp_path, KEY)

    read(store, log)

    (entry,) = store.quarantined()
    assert (entry.file, entry.number, entry.start, entry.raw) == (str(log), 31, start, bad)
    assert entry.reason.startswith("no JSON")
    assert b"torn" not in b"".join(one.read_bytes() for one in (store.folder / "quarantine").iterdir())


def test_importing_twice_adds_nothing_and_reads_nothing(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 20)
    store = opened(tmp_path)
    read(store, log)

    again = read(store, log)
    copied = read(store, write_openai(tmp_path / "copy.jsonl", 20))

    assert counts(again) == [0, 0, 0, 0, 0]
    assert again.books.unchanged == 1
    assert counts(copied) == [20, 0, 20, 0, 0]
    assert len(list(store.records())) == 20


def test_a_log_that_grew_is_read_from_where_it_ended(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 20)
    whole = openai_line(20)
    with log.open("a") as file:
        file.write(whole[:50])
    store = opened(tmp_path)
    read(store, log, max_bad_frac=1)
    with log.open("a") as file:
        file.write(whole[50:] + "\n" + openai_line(21) + "\n")

    done = read(store, log)

    assert counts(done) == [2, 2, 0, 0, 0]
    assert {one.step for one in store.records()} == set(range(22))


def test_a_log_that_was_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 20)
    store = opened(tmp_path)
    read(store, log)
    write_openai(log, 30, first=100)

    done = read(store, log)

    assert counts(done) == [30, 30, 0, 0, 0]


def test_folders_and_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    plain = write_openai(tmp_path / "logs" / "a.jsonl", 5)
    with gzip.open(tmp_path / "logs" / "deep" / "b.jsonl.gz", "wb") as file:
        file.write(plain.read_bytes().replace(b'"s0"', b'"s1"').replace(b'"rs0', b'"rs1'))
    (tmp_path / "logs" / "shopping.txt").write_text("milk 'secret' 3\n")

    done = read(opened(tmp_path), tmp_path / "logs")

    assert counts(done)[:2] == [11, 10]
    assert done.books.skipped().total() == 1
    assert "milk" not in str(done.books.skipped())


def test_an_import_that_ended_early_goes_on_without_reading_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_openai(tmp_path / "a.jsonl", 40)
    store = opened(tmp_path)
    monkeypatch.setattr("harness.logs.collect._COMMIT_EVERY_S", 0.0)
    left = iter(range(25))
    take = Writer.take

    def pulled(writer: Writer, row: Row, contents: Iterable[Content]) -> None:
        if next(left, None) is None:
            raise _PulledPlugError
        take(writer, row, contents)

    monkeypatch.setattr(Writer, "take", pulled)
    with pytest.raises(_PulledPlugError):
        read(store, log)
    monkeypatch.undo()

    done = read(store, log)

    kept_before = 25
    assert counts(done) == [40 - kept_before, 40 - kept_before, 0, 0, 0]
    assert len({one.id for one in store.records()}) == len(list(store.records())) == 40


class _PulledPlugError(BaseException):
    """Stands for a process that is gone."""


def test_calls_older_than_the_retention_are_deleted_and_not_taken_in(tmp_path: Path) -> None:
    store = opened(tmp_path)
    read(store, write_openai(tmp_path / "a.jsonl", 5))
    age_days = (time.time() - START) / 86400

    kept = read(store, write_openai(tmp_path / "b.jsonl", 7), keep_days=age_days + 1)
    dropped = read(store, write_openai(tmp_path / "c.jsonl", 9), keep_days=age_days - 1)

    assert counts(kept) == [7, 2, 5, 0, 0]
    assert dropped.books.skipped() == {TOO_OLD: 9}
    assert list(store.records()) == []


def test_human_chat_is_left_out_unless_asked(tmp_path: Path) -> None:
    log = _write_humans(tmp_path / "a.jsonl", 4)

    skipped = read(opened(tmp_path), log)
    kept = read(opened(tmp_path), _write_humans(tmp_path / "b.jsonl", 4), human_chat="keep")

    assert skipped.books.skipped() == {HUMAN_CHAT: 2}
    assert counts(skipped) == [4, 2, 0, 0, 2]
    assert counts(kept) == [4, 2, 2, 0, 0]


def _write_humans(path: Path, count: int) -> Path:
    """Has every second line say that a person chats there, beside a request that does not."""
    lines = [json.loads(openai_line(number)) for number in range(count)]
    path.write_text("".join(json.dumps({**one, "human_chat": one["step"] % 2 == 1}) + "\n" for one in lines))
    return path


def test_too_many_bad_entries_are_an_error_and_what_was_good_stays(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 18)
    log.write_text(log.read_text() + "{secret-text\n[1\n")
    store = opened(tmp_path)

    done = read(store, log)

    with pytest.raises(DataError, match=r"10\.0% .*max_bad_frac=0.05: .*no JSON.*a\.jsonl:19") as raised:
        check_share(done.books, 0.05)
    check_share(done.books, 0.1)
    assert "secret-text" not in str(raised.value)
    assert len(list(store.records())) == 18
    with pytest.raises(DataError, match="at an earlier import"):
        check_share(read(store, log).books, 0.05)


def test_the_books_are_in_the_store(tmp_path: Path) -> None:
    store = opened(tmp_path)
    done = read(store, write_openai(tmp_path / "a.jsonl", 6))

    manifest = CollectManifest.model_validate_json((store.folder / done.manifest).read_bytes())

    (file,) = manifest.files
    assert manifest.complete
    assert (file.read, file.kept, file.whole, file.done_before) == (6, 6, True, 0)


def test_nothing_of_a_store_is_read_again_as_a_log(tmp_path: Path) -> None:
    store = opened(tmp_path)
    read(store, write_openai(tmp_path / "a.jsonl", 6))

    again = read(store, tmp_path)

    assert again.books.total("kept") == 0
    assert len(list(store.records())) == 6


def test_a_file_that_looked_like_no_log_is_read_once_its_format_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write_openai(folder / "good.jsonl", 3)
    odd = folder / "odd.jsonl"
    odd.write_text("no json\n" * 20_000 + openai_line(9) + "\n")
    store = opened(tmp_path)

    as_found = read(store, folder)
    again = read(store, folder)
    named = read(store, odd, format="openai")

    assert counts(as_found) == [4, 3, 0, 0, 1]
    assert counts(again) == [0, 0, 0, 0, 0]
    assert counts(named) == [20_001, 1, 0, 20_000, 0]


def test_a_file_that_was_read_in_another_format_is_read_anew(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 3)
    store = opened(tmp_path)

    wrong = read(store, log, format="tensorzero")
    right = read(store, log, format="openai")

    assert wrong.books.total("kept") == 0
    assert counts(right) == [3, 3, 0, 0, 0]


def test_a_path_that_is_mistyped_leaves_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = CollectConfig.model_validate({"do": "collect", "logs": {"path": "not/there"}, "store": {}})

    with pytest.raises(DataError, match="not/there is not there"):
        main([config])

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_no_format_is_not_quoted(tmp_path: Path) -> None:
    log = tmp_path / "notes.jsonl"
    log.write_text("Maria Gonzalez, 078-05-1120\n")

    with pytest.raises(DataError, match="begins with no JSON") as error:
        read(opened(tmp_path), log)

    assert "Maria" not in str(error.value)
