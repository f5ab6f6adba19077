"""The log store: what goes in comes out, once, in little room, and readable by others."""

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.errors import ConfigError, DataError
from harness.logs.store import LogStore, StoreKey, store_key
from harness.logs.store.duck import duckdb_views
from harness.logs.store.known import Known
from harness.logs.store.rows import NO_DATE, Unstorable, date_of, id_hash
from harness.records.logs import LogRecord, canonical
from tests.support.log_calls import DAY, START, odd_calls, session, size_of

KEY = StoreKey(bytes(range(32)))
OTHER = StoreKey(bytes(range(1, 33)))


def opened(folder: Path, key: StoreKey | None = None) -> LogStore:
    return LogStore.open(folder / "store", key=key, create=True, reader="test")


def files_of(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


@pytest.mark.parametrize("key", [None, KEY])
def test_records_come_out_as_they_went_in(tmp_path: Path, key: StoreKey | None) -> None:
    records = [*session("one", 5), *session("two", 3, at=None, user="ann"), *odd_calls()]

    new = opened(tmp_path, key).append(records)

    back = {one.id: one for one in opened(tmp_path, key).records()}
    assert new == len(records)
    assert back == {one.id: one for one in records}


def test_what_is_there_already_is_not_kept_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(session("one", 3))

    new = store.append([*session("one", 4), *session("one", 4)])

    assert new == 1
    assert len(list(store.records())) == 4


def test_each_message_and_tool_list_is_kept_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for name in ("one", "two"):
        store.append(session(name, 10))

    kept = [row for file in (store.folder / "contents").glob("*") for row in pq.read_table(file).to_pylist()]

    assert len(kept) == len({row["hash"] for row in kept}) == 1 + 1 + 2 * 20
    assert sum(row["kind"] == "tools" for row in kept) == 1


def test_calls_are_chosen_by_session_and_by_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append([*session("one", 2), *session("two", 2, at=START + 3 * DAY), *session("three", 1, at=None)])

    late = {one.session for one in store.records(since=START + DAY)}
    early = {one.id for one in store.records(since=-1.0, until=START + 1)}
    mine = {one.id for one in store.records(session="two")}

    assert late == {"two"}
    assert early == {"one/0"}
    assert mine == {"two/0", "two/1"}


def test_calls_are_in_folders_by_date(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append([*session("one", 1), *session("two", 1, at=None)])

    partitions = {one.name for one in (store.folder / "calls").iterdir()}

    assert partitions == {"date=2026-01-01", f"date={NO_DATE}"}
    assert date_of(START - 1) == "2025-12-31"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (LogRecord(id="x", source="t", messages=({"role": "user", "content": "\ud800"},)), "surrogates"),
        (LogRecord(id="x", source="t", messages=(), session="\udfff"), "session is no valid Unicode"),
        (LogRecord(id="x", source="t", messages=(), step=1 << 70), "step is beyond 64 bits"),
        (LogRecord(id="x", source="t", messages=(), agent=7), "agent is of type int"),  # type: ignore[arg-type]
        (LogRecord(id="x", source="t", messages=({"role": "user", 1: 2},)), "Dict key must be str"),  # type: ignore[dict-item]
    ],
)
def test_what_no_file_can_hold_is_refused_and_spoils_nothing(tmp_path: Path, record: LogRecord, said: str) -> None:
    store = opened(tmp_path)

    with pytest.raises(Unstorable, match=said):
        store.append([*session("one", 2), record])

    assert len(list(store.records())) == 2
    assert store.append([replace(record, messages=(), step=None, session=None, agent=None)]) == 1


def test_all_files_and_folders_are_closed_to_others(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    store.append(session("one", 2))

    modes = {stat.S_IMODE(one.stat().st_mode) for one in files_of(store.folder)}
    folders = {stat.S_IMODE(one.stat().st_mode) for one in [store.folder, *store.folder.rglob("*")] if one.is_dir()}

    assert modes == {0o600}
    assert folders == {0o700}


def test_an_encrypted_store_shows_no_text_of_the_logs(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    store.append(session("canary-session", 3, user="canary-user"))

    found = [
        one
        for one in files_of(store.folder)
        for text in (b"canary", b"booking", b"messages")
        if text in one.read_bytes()
    ]

    assert found == []
    assert all(one.read_bytes()[:4] == b"PARE" for one in store.folder.rglob("*.parquet"))


def test_a_wrong_missing_or_unwanted_key_says_so(tmp_path: Path) -> None:
    opened(tmp_path, KEY).append(session("one", 1))
    LogStore.open(tmp_path / "clear", key=None, create=True, reader="test")

    for key, said in ((OTHER, "wrong key: .*" + KEY.id), (None, f"encrypted with key {KEY.id}; give it")):
        with pytest.raises(DataError, match=said):
            LogStore.open(tmp_path / "store", key=key, reader="test")
    with pytest.raises(DataError, match="in the clear, but a key is given"):
        LogStore.open(tmp_path / "clear", key=KEY, reader="test")


def test_a_changed_file_of_an_encrypted_store_is_noticed(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    store.append(session("one", 50))
    (file,) = (store.folder / "contents").glob("*")
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)

    with pytest.raises(DataError, match="cannot be read"):
        list(store.records())


def test_a_key_comes_from_a_closed_file_or_a_variable_and_never_shows_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.base64 + "\n")
    file.chmod(0o600)
    monkeypatch.setenv("MY_KEY", KEY.secret.hex())
    monkeypatch.delenv("HARNESS_STORE_KEY", raising=False)

    assert store_key(None, str(file)) == store_key("MY_KEY", None) == KEY
    assert store_key(None, None) is None
    assert KEY.base64 not in repr(KEY)
    assert str(KEY.secret) not in repr(KEY)
    monkeypatch.setenv("HARNESS_STORE_KEY", OTHER.base64)
    assert store_key(None, None) == OTHER


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (KEY.base64, 0o640, "can be read by others .mode 0640.: chmod 600"),
        ("short", 0o600, "no key: 32 bytes"),
        ("c2hvcnQ=", 0o600, "a key of 5 bytes"),
        ("ab" * 32, 0o600, "not random"),
    ],
)
def test_a_bad_key_file_is_refused_without_its_text(tmp_path: Path, text: str, mode: int, said: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(ConfigError, match=said) as raised:
        store_key(None, str(file))

    assert text not in str(raised.value)


@pytest.mark.parametrize("key", [None, KEY])
def test_duckdb_puts_the_messages_back(tmp_path: Path, key: StoreKey | None) -> None:
    store = opened(tmp_path, key)
    store.append(session("one", 3))

    with duckdb_views(store.folder, key) as db:
        chat = db.execute(
            "SELECT json_extract_string(messages, '$[3].content'), json_extract_string(reply, '$.content'), "
            "json_extract_string(tools, '$[0].name') FROM chats WHERE session = 'one' AND step = 1"
        ).fetchall()
        places = db.execute("SELECT list(role ORDER BY place) FROM messages WHERE id = 'one/1'").fetchall()

    assert chat == [("one asks 1 – grüße", "one is told 1", "book")]
    assert places == [(["system", "user", "assistant", "user"],)]


def test_pandas_reads_the_folder(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append([*session("one", 2), *session("two", 2, at=START + DAY)])

    frame = pd.read_parquet(store.folder / "calls", columns=["session", "cost_usd", "date"])

    assert frame.groupby("session").cost_usd.count().to_dict() == {"one": 2, "two": 2}


def test_a_folder_with_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("mine")

    with pytest.raises(DataError, match="no log store and is not empty"):
        opened(tmp_path)
    with pytest.raises(DataError, match="no log store; fill one"):
        LogStore.open(tmp_path / "nowhere", key=None, reader="test")


def test_every_access_is_in_the_audit_file_and_no_name_of_a_session_or_user(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    store.append(session("one-session", 2, user="ann-user"))
    list(store.records(session="one-session"))
    store.forget(user="ann-user")

    audit = (store.folder / "audit.jsonl").read_text()

    verbs = [line.split('"verb":"')[1].split('"')[0] for line in audit.splitlines()]
    assert verbs == ["open", "write", "append", "read", "read_end", "forget", "forget_end"]
    assert "one-session" not in audit
    assert "ann-user" not in audit
    assert f'"session":"{KEY.pseudonym("one-session")}"' in audit


def test_a_million_ids_take_less_than_100_mb() -> None:
    program = """
import resource, sys
from harness.logs.store.known import Known
import numpy as np
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
known = Known()
raw = np.random.default_rng(1).bytes(16 * 1_000_000)
for start in range(0, len(raw), 16):
    known.add(raw[start : start + 16])
assert len(known) == 1_000_000 and raw[:16] in known and bytes(16) not in known
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before - len(raw) // 1024) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 100


def test_hashes_that_end_in_zero_bytes_are_told_apart() -> None:
    known = Known()
    hashes = [bytes([1] * size + [0] * (16 - size)) for size in range(17)]
    for hashed in hashes[::2]:
        known.add(hashed)
    for number in range(70_000):
        known.add(id_hash(str(number)))

    seen = [hashed in known for hashed in hashes]

    assert seen == [number % 2 == 0 for number in range(17)]


def test_many_small_files_become_one(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    for number in range(9):
        store.append(session(f"s{number}", 2))

    merged = store.merge_small()

    assert merged == 18
    assert len(list(store.folder.rglob("*.parquet"))) == 2
    assert len(list(store.records())) == 18


def test_an_unreadable_store_record_is_named(tmp_path: Path) -> None:
    store = opened(tmp_path)
    (store.folder / "store.json").write_text("{}")

    with pytest.raises(DataError, match="another version"):
        opened(tmp_path)


def test_repeated_histories_take_little_room(tmp_path: Path) -> None:
    store = opened(tmp_path, KEY)
    calls = [one for name in "abcdef" for one in session(name, 100)]

    store.append(calls)

    logged = sum(len(canonical([*one.messages, *one.tools])) for one in calls)
    assert size_of(store.folder) * 12 < logged
