"""What was forgotten for good: a later import leaves it out, until that is lifted."""

from pathlib import Path

import pytest

from harness.config import LogsConfig
from harness.logs.collect import FORGOTTEN, Collected, collect
from harness.logs.store import LogStore, StoreKey
from harness.logs.store.graves import GRAVES
from tests.support.log_calls import openai_line

KEY = StoreKey(bytes(range(32)))


def written(path: Path, sessions: tuple[str, ...], user: str | None = None) -> LogsConfig:
    lines = [openai_line(number, name, user=user) for number, name in enumerate(sessions)]
    path.write_text("\n".join(lines) + "\n")
    return LogsConfig(path=(str(path),))


def opened(folder: Path) -> LogStore:
    return LogStore.open(folder / "store", key=KEY, create=True, reader="test")


def skipped(done: Collected) -> int:
    return done.books.skipped()[FORGOTTEN]


def test_forgotten_session_does_not_come_back_by_another_copy_of_its_log(tmp_path: Path) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha", "beta", "alpha")), store)
    store.forget(session="alpha", for_good=True)

    done = collect(written(tmp_path / "copy.jsonl", ("alpha", "beta", "alpha", "gamma")), store)

    assert skipped(done) == 2
    assert {one.session for one in store.records()} == {"beta", "gamma"}


def test_forgotten_user_does_not_come_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha",), user="ann@x.org"), store)
    store.forget(user="ann@x.org", for_good=True)

    done = collect(written(tmp_path / "b.jsonl", ("beta", "gamma"), user="ann@x.org"), store)

    assert (skipped(done), list(store.records())) == (2, [])


def test_lifting_takes_the_same_file_in_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    config = written(tmp_path / "a.jsonl", ("alpha", "beta"))
    collect(config, store)
    store.forget(session="alpha", for_good=True)

    lifted = store.lift(session="alpha")
    collect(config, store)

    assert lifted
    assert {one.session for one in store.records()} == {"alpha", "beta"}


def test_lifting_what_was_not_forgotten_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)

    assert not store.lift(session="alpha")
    assert not (store.folder / GRAVES).exists()


def test_forgetting_by_age_alone_leaves_no_trace(tmp_path: Path) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha",)), store)

    store.forget(before=4e9)

    assert not (store.folder / GRAVES).exists()


def test_calls_before_a_time_do_not_come_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha", "beta")), store)
    store.forget(before=4e9, for_good=True)

    done = collect(written(tmp_path / "b.jsonl", ("alpha", "beta")), store)

    assert skipped(done) == 2


@pytest.mark.parametrize("what", ["session", "user"])
def test_file_of_the_forgotten_names_nobody(tmp_path: Path, what: str) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha",), user="ann"), store)

    if what == "session":
        store.forget(session="alpha", for_good=True)
    else:
        store.forget(user="ann", for_good=True)

    kept = store.folder / GRAVES
    assert b"alpha" not in kept.read_bytes()
    assert b"ann" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_ids_of_forgotten_calls_are_known_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    collect(written(tmp_path / "a.jsonl", ("alpha", "beta", "alpha")), store)
    ids = {one.id for one in store.records(session="alpha")}

    store.forget(session="alpha", for_good=True)

    graves = store.graves()
    assert graves.calls("session", "alpha") == {graves.hashed(one) for one in ids}
