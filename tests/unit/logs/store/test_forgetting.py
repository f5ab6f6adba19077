"""Forgetting: afterwards the bytes are nowhere, and what others need is still there."""

from pathlib import Path

import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from harness.errors import DataError
from harness.logs.store import Forgotten, LogStore, StoreKey
from harness.logs.store.audit import Audit
from harness.logs.store.rewrite import IMPORTS
from harness.logs.store.writer import Quarantined
from tests.support.log_calls import DAY, START, session

KEY = StoreKey(bytes(range(32)))
OTHER = StoreKey(bytes(range(1, 33)))


def filled(folder: Path, key: StoreKey | None) -> LogStore:
    """A store with two sessions of one day and one of another, and quarantined lines of each."""
    store = LogStore.open(folder / "store", key=key, create=True, reader="test")
    store.append(
        [*session("ses/alpha", 4, user="ann@x.org"), *session("beta", 3), *session("gamma", 2, at=START + DAY)]
    )
    with store.writer() as writer:
        for number, raw in enumerate((b'{"s":"ses\\/alpha"', b'{"s":"beta"', b'{"u":"ann@x.org"'), 1):
            writer.quarantine(Quarantined("logs/ses/alpha.jsonl", number, 0, len(raw), "no JSON", raw))
        writer.commit({f"{IMPORTS}/1.json": b'{"files":[{"file":"logs/ses/alpha.jsonl"},{"file":"logs/other.jsonl"}]}'})
    return store


def everything(store: LogStore) -> bytes:
    """All bytes of a store: of every file as it is, of every Parquet file its values unpacked and decrypted."""
    seen = []
    decryption = None if store.key is None else pe.create_decryption_properties(store.key.secret)
    for file in sorted(one for one in store.folder.rglob("*") if one.is_file()):
        seen.append(str(file).encode())
        seen.append(file.read_bytes())
        if file.suffix == ".parquet":
            rows = pq.ParquetFile(file, decryption_properties=decryption).read().to_pylist()
            seen += [
                value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row.values()
            ]
    return b"\n".join(seen)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_forgotten_session_is_nowhere_in_the_folder(tmp_path: Path, key: StoreKey | None) -> None:
    store = filled(tmp_path, key)
    assert b"ses/alpha asks 2" in everything(store)

    gone = store.forget(session="ses/alpha")

    assert gone == Forgotten(calls=4, contents=8, quarantined=3, files=3)
    assert b"alpha" not in everything(store)
    assert b"logs/other.jsonl" in everything(store)


def test_a_forgotten_user_is_nowhere_in_the_folder(tmp_path: Path) -> None:
    store = filled(tmp_path, KEY)

    gone = store.forget(user="ann@x.org")

    assert (gone.calls, gone.quarantined) == (4, 1)
    assert b"ann@x.org" not in everything(store)


def test_what_other_calls_refer_to_stays(tmp_path: Path) -> None:
    store = filled(tmp_path, KEY)
    before = {one.id: one for one in store.records()}

    store.forget(session="ses/alpha")

    after = {one.id: one for one in store.records()}
    assert after == {name: one for name, one in before.items() if one.session != "ses/alpha"}


def test_calls_before_a_time_go_and_their_folder_too(tmp_path: Path) -> None:
    store = filled(tmp_path, None)

    gone = store.forget(before=START + DAY)

    assert gone.calls == 7
    assert {one.session for one in store.records()} == {"gamma"}
    assert [one.name for one in (store.folder / "calls").iterdir()] == ["date=2026-01-02"]


def test_a_call_without_a_time_counts_from_when_it_was_collected(tmp_path: Path) -> None:
    store = LogStore.open(tmp_path / "store", key=None, create=True, reader="test")
    store.append(session("undated", 2, at=None))

    first, second = store.forget(before=START), store.forget(before=4e9)

    assert (first.calls, second.calls) == (0, 2)


def test_forgetting_what_is_not_there_changes_no_file(tmp_path: Path) -> None:
    store = filled(tmp_path, None)
    before = sorted(store.folder.rglob("*.parquet"))

    gone = store.forget(session="nobody")

    assert gone == Forgotten()
    assert sorted(store.folder.rglob("*.parquet")) == before


def test_forgetting_wants_one_choice(tmp_path: Path) -> None:
    store = filled(tmp_path, None)

    for chosen in ({}, {"session": "beta", "user": "x"}, {"session": ""}):
        with pytest.raises(DataError, match="one of: session"):
            store.forget(**chosen)  # type: ignore[arg-type]

    assert len(list(store.records())) == 9


def test_what_was_forgotten_can_be_collected_again(tmp_path: Path) -> None:
    store = filled(tmp_path, None)
    store.forget(session="beta")

    new = store.append(session("beta", 3))

    assert new == 3
    assert len(list(store.records(session="beta"))) == 3


@pytest.mark.parametrize("old", [None, KEY])
def test_rotation_leaves_nothing_under_the_old_key(tmp_path: Path, old: StoreKey | None) -> None:
    store = filled(tmp_path, old)
    before = {one.id: one for one in store.records()}

    store.rotate(OTHER)

    assert {one.id: one for one in store.records()} == before
    for file in store.folder.rglob("*.parquet"):
        assert pq.ParquetFile(
            file, decryption_properties=pe.create_decryption_properties(OTHER.secret)
        ).metadata.num_rows
    with pytest.raises(DataError, match="wrong key" if old else "give it"):
        LogStore.open(store.folder, key=old, reader="test")
    with pytest.raises(DataError, match="the new key is the old one"):
        store.rotate(OTHER)


def test_the_audit_of_a_clear_store_has_no_hash_that_could_be_guessed(tmp_path: Path) -> None:
    assert Audit(tmp_path, "test", None).named("ann@x.org") == "?"
    assert Audit(tmp_path, "test", KEY).named("ann@x.org") not in (
        None,
        "?",
        Audit(tmp_path, "t", OTHER).named("ann@x.org"),
    )
