"""do=curate as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import CurateConfig
from harness.errors import GateFailed
from harness.logs.store import LogStore
from harness.store.calls import CALLS, CONTENTS, read_calls
from harness.verbs import curate
from tests.support.curated_calls import START, call, said, sessions

PERSON, EMAIL = "Zebulon Quackenbush", "zeb.quackenbush@example.org"
CARD, KEY = "4539 1488 0343 6467", "-".join(("sk", "proj", "aB3dE5fG7" * 6))
TOLD = ("read 25 calls of logs", "25 kept", "EMAIL_ADDRESS", "control: 100.00%", "as done", "train ", "groups")


def _store(folder: Path) -> Path:
    who = f"My name is {PERSON}, my email is {EMAIL}, my card is {CARD}, my key is {KEY}."
    found = {"id": "c1", "name": "find_order", "arguments": json.dumps({"id": EMAIL})}
    history = (
        {"role": "user", "content": who},
        {"role": "assistant", "tool_calls": [found]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"note": f"belongs to {PERSON}", "email": EMAIL})},
    )
    reply = {"role": "assistant", "tool_calls": [{**found, "id": "c2"}], "finish_reason": "tool_calls"}
    records = [*sessions(12, 2), call("p", "", messages=history, reply=reply, user=EMAIL, at=START + 7)]
    with LogStore.open(folder / "logs", key=None, create=True, reader="test") as store:
        store.append(records)
    return folder


def _harness(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    told = {**os.environ, "HARNESS_PSEUDONYM_KEY": "k" * 44, "XDG_STATE_HOME": str(folder / "state")}
    command = [sys.executable, "-m", "harness", "do=curate", "curate.store=logs", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=told)


def _values() -> tuple[bytes, ...]:
    return tuple(value.encode() for value in (PERSON, "Quackenbush", "zeb.quackenbush", EMAIL, CARD, KEY))


def test_folder_and_output_hold_no_value_and_arguments_still_match_the_messages(tmp_path: Path) -> None:
    done = _harness(_store(tmp_path), "curate.name=support")

    assert done.returncode == 0, done.stderr
    folder = tmp_path / "curated" / "support"
    written = {one.name: one.read_bytes() for one in folder.iterdir()}
    for value in _values():
        assert value.decode() not in done.stdout + done.stderr
        assert not any(value in data for data in written.values())
    (one,) = [one for one in read_calls(folder) if one.record == "p/0"]
    text = json.dumps([one.messages, one.reference.reply], default=str)
    assert not any(value.decode() in text for value in _values())
    asked = json.loads(one.reference.reply["tool_calls"][0]["arguments"])["id"]
    assert asked in one.messages[0]["content"]
    assert asked in one.messages[2]["content"]
    assert [one for one in TOLD if one not in done.stdout] == []
    facts = json.loads(written["manifest.json"])["redaction"]
    assert (facts["policy"], facts["replaced"]["EMAIL_ADDRESS"]["arguments"]) == ("rules", 2)


def test_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    _store(tmp_path)
    assert _harness(tmp_path, "curate.name=support").returncode == 0
    folder = tmp_path / "curated" / "support"
    before = [(folder / name).read_bytes() for name in (CALLS, CONTENTS)]

    assert _harness(tmp_path, "curate.name=support").returncode == 0

    assert [(folder / name).read_bytes() for name in (CALLS, CONTENTS)] == before


def test_planted_people_are_redacted_and_in_no_split(tmp_path: Path) -> None:
    done = _harness(_store(tmp_path), "curate.name=support", "curate.canaries=2")

    folder = tmp_path / "curated" / "support"
    assert done.returncode == 0, done.stderr
    assert "25 kept" in done.stdout
    assert len((folder / "planted.jsonl").read_text().splitlines()) == 2
    assert not any(
        one.record.startswith("planted") or (one.session or "").startswith("planted") for one in read_calls(folder)
    )


@pytest.mark.parametrize(
    ("words", "said_"),
    [
        ((), "curate.name must be given and is not; add: curate.name=…"),
        (("curate.name=a/b",), "curate.name='a/b'"),
        (("curate.name=a", "curate.pii=off"), "add curate.i_know=true"),
        (("curate.name=a", "curate.split.train=0.9"), "add up to 1.3, not 1"),
        (("curate.name=a", "curate.since=soon"), "curate.since=soon is no date"),
        (("curate.name=a", "curate.store=nowhere"), "nowhere is no log store"),
        (("curate.name=a", "curate.drop=[everything]"), "curate.drop"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, words: tuple[str, ...], said_: str) -> None:
    _store(tmp_path)

    done = _harness(tmp_path, *words)

    assert done.returncode == 2
    assert said_ in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "curated" / "a").exists()


def test_leak_above_the_most_allowed_ends_with_exit_1_and_the_calls_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LogStore.open(tmp_path / "logs", key=None, create=True, reader="test") as store:
        store.append([call(f"s{n}", said(n, words=60), at=START + n) for n in range(40)])
    told = {"name": "it", "out": str(tmp_path), "store": str(tmp_path / "logs"), "pii": "off", "i_know": True}
    config = CurateConfig.model_validate({"do": "curate", "curate": {**told, "max_leak": 0.0}, "progress": "off"})

    curate.main([config])  # nothing leaks

    row = (tmp_path / "it" / "leakage.json").read_text()
    assert json.loads(row)["rows"][-1]["at_threshold"] == 0
    with pytest.raises(GateFailed, match=r"of .* test calls .* have a near duplicate in train"):
        _leaking(config, monkeypatch)
    assert len(list(read_calls(tmp_path / "it"))) == 40


def _leaking(config: CurateConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Curates with groups that near duplicates do not join: what the gate is there to catch."""
    monkeypatch.setattr("harness.curate.groups.Near.alike", lambda *_: False)
    with LogStore.open(Path(str(config.curate.store)), key=None, reader="test") as store:
        store.append([call(f"c{n}", said(n, words=60) + " ok", at=START + 99 + n) for n in range(40)])
    options = config.curate.model_copy(update={"drop": ("failed",), "name": "leaking"})
    curate.main([config.model_copy(update={"curate": options})])
