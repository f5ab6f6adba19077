"""The curated folder: what is written is read back, the same bytes for the same inputs, whole or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from harness.assets.progress import Progress, silent
from harness.config.curate import CurateOptions
from harness.config.pii import PiiConfig
from harness.curate.curated import Source, curate
from harness.curate.intake import LEARNING, REDACTING
from harness.curate.redaction import Off, Redaction
from harness.errors import DataError
from harness.records.logs import LogRecord
from harness.store.calls import CALLS, CONTENTS, read_calls, read_curated
from tests.support.curated_calls import SYSTEM, TOOLS, HeldLog, HeldReader, call, curated, sessions


class _CutOff(HeldLog):
    """A log whose reader is interrupted in the middle."""

    @property
    def reader(self) -> HeldReader:
        return _CutOffReader(tuple(self.records))


class _CutOffReader(HeldReader):
    def open(self) -> Callable[[int, int], Iterator[LogRecord]]:
        def read(first: int, end: int) -> Iterator[LogRecord]:
            yield from self.records[first : first + 1]
            raise KeyboardInterrupt

        return read


def test_calls_are_read_back_as_they_were_logged(tmp_path: Path) -> None:
    records = sessions(3, 3, user="u-1")

    kept = list(read_calls(curated(tmp_path, records).folder))

    assert [one.record for one in kept] == [record.id for record in records]
    for record, one in zip(records, kept, strict=True):
        assert (one.messages, one.tools, one.params) == (record.messages, TOOLS, record.params)
        assert one.reference.reply == record.reply
        assert (one.session, one.step, one.agent, one.at) == (record.session, record.step, record.agent, record.at)
        assert (one.usage, one.cost_usd, one.latency_s) == (record.usage, record.cost_usd, None)


def test_user_is_a_keyed_hash_alone(tmp_path: Path) -> None:
    done = curated(tmp_path, sessions(2, 1, user="jane.roe@example.com"))

    groups = {one.user_group for one in read_calls(done.folder)}
    assert len(groups) == 1
    assert None not in groups
    for file in done.folder.iterdir():
        assert b"jane.roe" not in file.read_bytes()


def test_same_calls_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    records = sessions(12, 3)
    shuffled = records[:]
    Random(7).shuffle(shuffled)

    one, other = curated(tmp_path, records, "a"), curated(tmp_path, shuffled, "b")

    for name in (CALLS, CONTENTS, "leakage.json", "disagreement.json"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    assert one.manifest.records_hash == other.manifest.records_hash


def test_manifest_names_every_file_by_its_hash(tmp_path: Path) -> None:
    done = curated(tmp_path, sessions(2))

    manifest = read_curated(done.folder)
    assert set(manifest.files) == {CALLS, CONTENTS, "leakage.json", "disagreement.json"}
    assert manifest == done.manifest


def test_folder_of_before_stays_whole_when_curating_is_cut_off(tmp_path: Path) -> None:
    before = curated(tmp_path, sessions(2))
    held = (before.folder / CALLS).read_bytes()

    options = CurateOptions(name="it", out=str(tmp_path), pii="off", i_know=True)
    with pytest.raises(KeyboardInterrupt):
        curate(Source(_CutOff(sessions(2)), "test", Off(options)), options, silent)

    assert (before.folder / CALLS).read_bytes() == held
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".partial"] == []


def test_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "thesis.txt").write_text("mine")

    with pytest.raises(DataError, match="holds no curated calls"):
        curated(tmp_path, sessions(1))

    assert (tmp_path / "it" / "thesis.txt").read_text() == "mine"


def test_folder_without_calls_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder of curated calls"):
        list(read_calls(tmp_path))


def test_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = curated(tmp_path, sessions(1)).folder
    (folder / CONTENTS).write_bytes(b"PAR1")

    with pytest.raises(DataError, match="cannot be read"):
        list(read_calls(folder))


def test_message_that_calls_share_is_stored_once(tmp_path: Path) -> None:
    chance = Random(1)
    long = {**SYSTEM, "content": "".join(chr(33 + chance.randrange(90)) for _ in range(100_000))}
    records = [call(f"s{n}", "", messages=(long, {"role": "user", "content": f"question {n}"})) for n in range(50)]

    folder = curated(tmp_path, records).folder

    assert (folder / CONTENTS).stat().st_size < 300_000


@pytest.mark.parametrize("session", [None, "s"])
def test_notes_say_what_the_log_does_not(tmp_path: Path, session: str | None) -> None:
    (one,) = read_calls(curated(tmp_path, [call("a", "hello", session=session, at=None)]).folder)

    assert one.notes == (("no session logged",) if session is None else ()) + ("no time logged",)


def test_both_readings_tell_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_PSEUDONYM_KEY", "k" * 44)
    told: list[Progress] = []
    options = CurateOptions(name="it", out=str(tmp_path))

    curate(Source(HeldLog(sessions(20)), "test", Redaction(options, PiiConfig())), options, told.append, part=20)

    steps = {what: [one.done for one in told if one.what == what] for what in (LEARNING, REDACTING)}
    assert all(len(done) > 5 and done == sorted(done) and done[0] > 0 for done in steps.values())
    assert [one.what for one in told if one.what in steps] == [what for what in steps for _ in steps[what]]


def test_reading_without_redaction_learns_nothing(tmp_path: Path) -> None:
    told: list[Progress] = []
    options = CurateOptions(name="it", out=str(tmp_path), pii="off", i_know=True)

    curate(Source(HeldLog(sessions(20)), "test", Off(options)), options, told.append, part=20)

    assert LEARNING not in {one.what for one in told}


def test_nobody_else_can_read_what_was_curated(tmp_path: Path) -> None:
    folder = curated(tmp_path, sessions(3)).folder

    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
