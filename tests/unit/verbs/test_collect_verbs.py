"""do=collect, do=forget and do=rotate as a user types them."""

import lzma
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.config import CollectConfig, ForgetConfig, RotateConfig
from harness.curate.canary import is_planted
from harness.errors import DataError, HarnessError
from harness.logs.store import LogStore, store_key
from harness.store.calls import read_calls
from harness.verbs import collect, forget, rotate
from tests.support.log_calls import size_of, write_openai

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "sample500.jsonl.xz"


def harness(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness", *words]
    told = {name: value for name, value in os.environ.items() if name != "HARNESS_STORE_KEY"} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=told)


def key_file(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text(os.urandom(32).hex())
    file.chmod(0o600)
    return file


def test_collect_prints_the_books_and_the_calls_and_nobodys_words(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 40, session_name="ses-canary", text="text-canary", user="user-canary")
    log.write_text(log.read_text() + "{line-canary\n")
    key = key_file(tmp_path, "key")

    done = harness(tmp_path, "do=collect", f"logs.path={log}", f"store.key_file={key}", "progress=plain")

    assert done.returncode == 0, done.stderr
    for said in ("read 41 entries", "40 kept", "1 quarantined", "booking", "big-1", "280", "2026-01-01", "reading"):
        assert said in done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert "not encrypted" not in done.stdout
    assert not any(b"canary" in one.read_bytes() for one in (tmp_path / "logstore").rglob("*") if one.is_file())


def test_a_store_without_a_key_is_said_to_be_in_the_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = {"path": str(write_openai(tmp_path / "a.jsonl", 2)), "format": "openai"}
    store = {"path": str(tmp_path / "store")}

    collect.main([CollectConfig.model_validate({"do": "collect", "logs": logs, "store": store, "progress": "off"})])

    assert "note: the store is not encrypted" in capsys.readouterr().out


def test_forget_and_rotate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = write_openai(tmp_path / "a.jsonl", 3, session_name="17"), write_openai(tmp_path / "b.jsonl", 2)
    old, new = (str(key_file(tmp_path, name)) for name in ("old", "new"))
    store = {"path": str(tmp_path / "store"), "key_file": old}
    logs = {"path": [str(one), str(two)]}
    collect.main([CollectConfig.model_validate({"do": "collect", "logs": logs, "store": store, "progress": "off"})])
    capsys.readouterr()

    forget.main([ForgetConfig.model_validate({"do": "forget", "session": 17, "store": store})])
    rotate.main([RotateConfig.model_validate({"do": "rotate", "store": {**store, "new_key_file": new}})])

    said = capsys.readouterr().out
    assert said.startswith("forgot 3 calls, 2 messages")
    assert "files are encrypted with key" in said
    with pytest.raises(DataError, match="wrong key"):
        forget.main([ForgetConfig.model_validate({"do": "forget", "session": 17, "store": store})])
    kept = LogStore.open(tmp_path / "store", key=store_key(None, new), reader="test")
    assert len(list(kept.records())) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["do=collect"], "logs.path must be given"),
        (["do=collect", "logs.path=a.jsonl", "logs=papyrus"], "papyrus"),
        (["do=collect", "logs.path=a.jsonl", "store.key_file=open"], "can be read by others"),
        (["do=forget"], "one of: session=…"),
        (["do=rotate"], "store.new_key_file=…"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    write_openai(tmp_path / "a.jsonl", 1)
    (tmp_path / "open").write_text("00" * 32)
    (tmp_path / "open").chmod(0o644)

    done = harness(tmp_path, *words, "progress=off")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"session": "x"}, "is no log store"),
        ({"session": "x", "user": "y"}, "one of: session=…"),
        ({"before": "tomorrow"}, "before=tomorrow is no date"),
    ],
)
def test_forgetting_says_what_it_cannot_do(tmp_path: Path, told: dict[str, str], said: str) -> None:
    config = ForgetConfig.model_validate({"do": "forget", "store": {"path": str(tmp_path / "store")}, **told})

    with pytest.raises(HarnessError, match=said):
        forget.main([config])


def test_forget_takes_the_age_that_collect_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = {"path": str(tmp_path / "store")}
    log = write_openai(tmp_path / "a.jsonl", 3)
    told = {"do": "collect", "logs": {"path": str(log)}, "store": store, "progress": "off"}
    collect.main([CollectConfig.model_validate(told)])

    forget.main([ForgetConfig.model_validate({"do": "forget", "store": {**store, "keep_days": 0.001}})])

    assert "forgot 3 calls" in capsys.readouterr().out


def test_too_many_bad_lines_exit_with_2(tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 5)
    log.write_text(log.read_text() + "{\n")

    done = harness(tmp_path, "do=collect", f"logs.path={log}", "progress=off")

    assert done.returncode == 2
    assert "16.7% of the entries cannot be read" in done.stderr
    assert "5 kept" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_import_goes_on_and_keeps_nothing_twice(tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "a.jsonl"
    calls = 8_000
    write_openai(log, calls, text="word " * 300)
    key = key_file(tmp_path, "key")
    words = ["do=collect", f"logs.path={log}", f"store.key_file={key}"]
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        running.stderr.readline()
        time.sleep(0.2)
        running.send_signal(how)
        said = running.communicate()[1]

    done = harness(tmp_path, *words, "progress=off")

    assert running.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), said
    assert done.returncode == 0, done.stderr
    store = LogStore.open(tmp_path / "logstore", key=store_key(None, str(key)), reader="test")
    ids = [one.id for one in store.records()]
    assert (len(ids), len(set(ids))) == (calls, calls)
    if how == signal.SIGINT:
        assert "interrupted: the same command goes on from here" in said
        assert f"{calls:,} kept" not in done.stdout


@pytest.mark.shared
def test_real_logs_shrink_at_least_twelve_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not SAMPLE.exists():
        pytest.skip("the data folder is not beside the checkout")
    key = key_file(tmp_path, "key")
    store = {"path": str(tmp_path / "store"), "key_file": str(key)}
    told = {"do": "collect", "logs": {"path": str(SAMPLE)}, "store": store, "progress": "off"}

    collect.main([CollectConfig.model_validate(told)])

    with lzma.open(SAMPLE) as file:
        unpacked = len(file.read())
    assert "500 kept" in capsys.readouterr().out
    assert size_of(tmp_path / "store") * 12 < unpacked


@pytest.mark.parametrize("policy", [("curate.pii=rules",), ("curate.pii=off", "curate.i_know=true")])
def test_canaries_of_the_intake_are_in_the_store_alone(policy: tuple[str, ...], tmp_path: Path) -> None:
    log = write_openai(tmp_path / "a.jsonl", 12)
    told = {**os.environ, "HARNESS_PSEUDONYM_KEY": "k" * 44, "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "harness", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=told)

    collected = [run("do=collect", f"logs.path={log}", "logs.canaries=2") for _ in range(2)]
    curated = run("do=curate", "curate.name=all", *policy)
    checked = run("do=leakcheck")

    assert [one.returncode for one in (*collected, curated)] == [0, 0, 0], curated.stderr
    with LogStore.open(tmp_path / "logstore", key=None, reader="test") as store:
        assert sum(map(is_planted, store.records())) == 2
    assert "read 12 calls" in curated.stdout
    assert not any(call.session and "planted" in call.session for call in read_calls(tmp_path / "curated" / "all"))
    assert checked.returncode == 0, checked.stdout
    assert ", 0 of them with values" not in checked.stdout
