"""What docs/collect.md tells to type works as it stands there."""

import re
from pathlib import Path

import duckdb
import orjson
import pytest

from harness.logs.store import LogStore, StoreKey
from tests.support.log_calls import session

PAGE = Path(__file__).resolve().parents[3] / "docs" / "collect.md"
KEY = StoreKey(bytes(range(32)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_query_puts_the_messages_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LogStore.open(Path("logstore"), key=None, create=True, reader="test").append(session("one", 3))
    (query,) = blocks("sql")

    with duckdb.connect() as db:
        rows = db.execute(query).fetchall()

    assert {name: orjson.loads(messages) for name, messages in rows} == {
        one.id: list(one.messages) for one in session("one", 3)
    }


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("store.key").write_text(KEY.base64)
    Path("store.key").chmod(0o600)
    LogStore.open(Path("logstore"), key=KEY, create=True, reader="test").append(session("ticket 4711", 3))
    names: dict[str, object] = {"key": KEY}

    for block in blocks("python"):
        exec(block, names)

    shown = capsys.readouterr().out
    assert "2 big-1 {'content': 'ticket 4711 asks 2 – grüße', 'role': 'user'}" in shown
    assert "booking" in shown


def test_an_encrypted_store_is_read_by_hand_as_the_page_says(tmp_path: Path) -> None:
    store = LogStore.open(tmp_path / "store", key=KEY, create=True, reader="test")
    store.append([one for name in "abc" for one in session(name, 30)])
    (setting,) = re.findall(r"`(SET disabled_optimizers = [^`]*)`", PAGE.read_text(encoding="utf-8"))

    with duckdb.connect() as db:
        db.execute(setting)
        db.execute(f"PRAGMA add_parquet_key('store', '{KEY.base64}')")
        told = "encryption_config = {footer_key: 'store'}"
        rows = db.execute(
            f"SELECT k.json FROM read_parquet('{store.folder}/calls/*/*.parquet', {told}) c "
            f"JOIN read_parquet('{store.folder}/contents/*.parquet', {told}) k ON k.hash = c.reply "
            "WHERE c.session = 'b' AND c.step = 7"
        ).fetchall()

    assert [orjson.loads(one)["content"] for (one,) in rows] == ["b is told 7"]
