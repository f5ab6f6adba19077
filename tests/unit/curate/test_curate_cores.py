"""A curated folder is the same for any number of cores and parts of any size."""

import base64
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.assets.progress import silent
from harness.config.curate import CurateOptions
from harness.config.pii import PiiConfig
from harness.cores import ONE_CORE, Cores
from harness.curate.curated import Source, curate
from harness.curate.redaction import Off, Redaction
from harness.errors import ConfigError, DataError
from harness.executor.cores import LocalCores
from harness.logs.store import LogStore, StoreKey, store_key
from harness.logs.store.portions import StoreLog
from harness.records.logs import LogRecord
from tests.support.curated_calls import START, SYSTEM, call, said

PEOPLE = ("Zebulon Quackenbush", "Ottoline Farthingale", "Peregrine Lockhart", "Philippa Thistlewood")
WHOLE = 1 << 30


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_PSEUDONYM_KEY", "k" * 44)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def _session(number: int) -> Iterator[LogRecord]:
    """Somebody says who they are at first; what follows names them without a word that tells."""
    chance = Random(number)
    name, mail = PEOPLE[number % 4], f"{PEOPLE[number % 4].split()[0].lower()}{number}@corp{number % 3}.io"
    told = f"My name is {name}, my mail is {mail}, my server is 10.0.{number % 2}.{number}, my password: {number}77."
    history: tuple[dict[str, Any], ...] = (SYSTEM, {"role": "user", "content": told})
    for step in range(4):
        more = f"{name.split()[0]} asks {said(number % 5, step)} from 10.0.1.{chance.randrange(250)}"
        history = (*history, {"role": "user", "content": more}) if step else history
        reply = {"role": "assistant", "content": f"Dear {name}, {said(number % 7, step, 3)}", "finish_reason": "stop"}
        yield call(
            f"{mail}-{number}", "", step=step, at=START + step * 1000 + number, messages=history, reply=reply,
            user=mail if number % 3 else None, span=f"{mail}/{step}", cached=(number + step) % 9 == 0,
            extra={"headers": {"Cookie" if number % 2 else "Authorization": "x"}, "note": f"for {name}"},
            session=None if number % 6 == 5 else f"{mail}-{number}",
        )  # fmt: skip
        history = (*history, {key: value for key, value in reply.items() if key != "finish_reason"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An encrypted store whose sessions lie side by side, each over all parts."""
    secret = bytes(range(32))
    (tmp_path / "store.key").write_bytes(base64.b64encode(secret))
    (tmp_path / "store.key").chmod(0o600)
    records = sorted((one for number in range(24) for one in _session(number)), key=lambda one: one.at or 0.0)
    with LogStore.open(tmp_path / "logs", key=StoreKey(secret), create=True, reader="test") as store:
        store.append(records[:50])
        store.append(records[50:])
    return tmp_path


def _curated(folder: Path, name: str, cores: Cores, part: int, **more: Any) -> dict[str, Any]:
    """All files, and what the manifest says but for its name and time."""
    restore = folder.parent / f"{folder.name}-{name}.map"
    told = {"canaries": 3, "restore_map": str(restore)} if more.get("pii") != "off" else {"i_know": True}
    options = CurateOptions(name=name, out=str(folder / "curated"), **{**told, **more})
    redaction = Off(options) if options.pii == "off" else Redaction(options, PiiConfig())
    with LogStore.open(folder / "logs", key=store_key(None, "store.key"), reader="test") as store:
        log = StoreLog.of(store, None, "store.key")
        done = curate(Source(log, "logs", redaction), options, silent, cores=cores, part=part)
    manifest = done.manifest.model_dump(mode="json", exclude={"name", "made", "settings"})
    files = {one.name: one.read_bytes() for one in done.folder.iterdir() if one.name != "manifest.json"}
    return {**files, "manifest": manifest, "map": restore.read_bytes() if restore.exists() else None}


@pytest.mark.parametrize("more", [{}, {"scope": "session"}, {"pii": "off"}], ids=["project", "session", "off"])
@pytest.mark.parametrize("part", [1, 60])
def test_parts_of_any_size_give_the_same_bytes(folder: Path, part: int, more: dict[str, Any]) -> None:
    whole = _curated(folder, "whole", ONE_CORE, WHOLE, **more)

    parts = _curated(folder, "parts", ONE_CORE, part, **more)

    assert whole["manifest"]["kept"] > 60
    assert parts == whole


def test_two_processes_give_the_same_bytes_as_one(folder: Path) -> None:
    whole = _curated(folder, "whole", ONE_CORE, WHOLE)

    with LocalCores(2) as cores:
        parts = _curated(folder, "parts", cores, 120)

    assert parts == whole
    assert whole["map"]
    assert whole["manifest"]["redaction"]["replaced"]["IP_ADDRESS"]["user"] > 50


def test_key_that_is_another_one_where_a_part_is_redacted_is_refused(folder: Path) -> None:
    redaction = Redaction(CurateOptions(name="it"), PiiConfig())
    with LogStore.open(folder / "logs", key=store_key(None, "store.key"), reader="test") as store:
        stage = redaction.stage(StoreLog.of(store, None, "store.key").reader)

    with pytest.raises(ConfigError, match="another one in a process that redacts"):
        replace(stage, key_mark="other").open()


def test_stage_holds_no_key_and_none_is_sent_along(folder: Path) -> None:
    key = store_key(None, "store.key")
    assert key is not None
    redaction = Redaction(CurateOptions(name="it"), PiiConfig())
    with LogStore.open(folder / "logs", key=key, reader="test") as store:
        sent = pickle.dumps(redaction.stage(StoreLog.of(store, None, "store.key").reader))
        held = StoreLog.of(store, None, None).reader

    assert not any(secret in sent for secret in (key.secret, key.base64.encode(), redaction.key(), b"k" * 44))
    with pytest.raises(DataError, match=r"executor\.cores=1"):
        pickle.dumps(held)


def test_fault_in_another_process_is_one_error_and_the_folder_of_before_stays(folder: Path) -> None:
    _curated(folder, "it", ONE_CORE, WHOLE)
    before = {one.name: one.read_bytes() for one in (folder / "curated" / "it").iterdir()}
    for damaged in (folder / "logs" / "contents").iterdir():
        damaged.write_bytes(damaged.read_bytes()[:-40])

    with LocalCores(2) as cores, pytest.raises(DataError, match="damaged"):
        _curated(folder, "it", cores, 60)

    assert {one.name: one.read_bytes() for one in (folder / "curated" / "it").iterdir()} == before
    assert [one.name for one in (folder / "curated").iterdir() if "partial" in one.name] == []
