"""The journal: nothing finished is lost, nothing torn is read."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError, RunFolderBusy
from harness.records import Score
from harness.store.journal import Journal, read_journal
from harness.store.runfolder import lock


def score(number: int, why: str = "") -> Score:
    return Score(sample=f"s{number}", category="c", scorer="x", value=1.0, why=why)


def write(path: Path, count: int) -> list[Score]:
    records = [score(number) for number in range(count)]
    with Journal(path) as journal:
        for record in records:
            journal.append(record)
    return records


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    records = write(tmp_path / "j.jsonl", 5)

    assert list(read_journal(tmp_path / "j.jsonl", Score)) == records


def test_lines_are_readable_before_the_journal_is_closed(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.append(score(1))

        assert [s.sample for s in read_journal(tmp_path / "j.jsonl", Score)] == ["s1"]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=400), why=st.text(max_size=30))
def test_a_torn_end_costs_only_the_torn_line(cut: int, why: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("torn") / "j.jsonl"
    write(path, 3)
    kept = path.stat().st_size
    with Journal(path) as journal:
        journal.append(score(99, why))
    os.truncate(path, max(kept, path.stat().st_size - cut))
    torn = path.stat().st_size - kept

    before = [s.sample for s in read_journal(path, Score)]
    with Journal(path) as journal:
        assert journal.torn_bytes == torn
        journal.append(score(3))

    assert before == ["s0", "s1", "s2"]
    assert [s.sample for s in read_journal(path, Score)] == ["s0", "s1", "s2", "s3"]


def test_damage_in_the_middle_is_an_error_and_nothing_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    write(path, 3)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)

    with pytest.raises(DataError, match="line 1"):
        list(read_journal(path, Score))
    with pytest.raises(DataError, match="damaged in the middle"):
        Journal(path)
    assert path.read_bytes() == data


def test_a_full_disk_says_so_and_keeps_what_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    write(path, 3)
    code = (
        "import resource, signal, sys\n"
        "from harness.store.journal import Journal\nfrom harness.records import Score\n"
        "from harness.errors import DataError\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"path = Path({str(path)!r})\n"
        "limit = path.stat().st_size + 50\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "journal = Journal(path)\n"
        "try:\n    journal.append(Score(sample='big', category='c', scorer='x', why='y' * 500))\n"
        "except DataError as error:\n    sys.exit(str(error))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)

    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert "cannot be written" in done.stderr
    assert [s.sample for s in read_journal(path, Score)] == ["s0", "s1", "s2"]


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(RunFolderBusy, match="another run"), lock(tmp_path):
        pass

    with lock(tmp_path):
        pass


def test_a_reader_stops_at_a_line_that_is_still_being_written(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    records = write(path, 3)
    whole = path.read_bytes()
    half = len(whole) - 20
    path.write_bytes(whole[:half])
    reading = read_journal(path, Score)
    seen = [next(reading), next(reading)]
    with path.open("ab") as file:
        file.write(whole[half:])

    seen += reading

    assert seen in (records, records[:2])
    assert list(read_journal(path, Score)) == records


def test_plain_lines_are_kept_when_the_file_is_opened_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text("".join(score(number).model_dump_json() + "\n" for number in range(3)))

    with Journal(path) as journal:
        journal.append(score(3))

    assert [s.sample for s in read_journal(path, Score)] == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize("damage", [b"garbage\n", b"\0\0\0\0\n", b"[]\n"])
def test_two_damaged_lines_at_the_end_are_no_torn_write_and_are_kept(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    write(path, 2)
    with path.open("ab") as file:
        file.write(damage * 2)
    before = path.read_bytes()

    with pytest.raises(DataError, match=r"line 3 is damaged.*resume=never"):
        Journal(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize("line", [b'{"sample": 5}', b'{"other": 1}'])
def test_a_line_of_another_kind_is_an_error_in_one_line(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append_json(line)

    with pytest.raises(DataError, match=r"j\.jsonl cannot be read: sample: .*another version"):
        list(read_journal(path, Score))


def test_a_journal_that_cannot_be_opened_says_where_and_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").mkdir()

    with pytest.raises(DataError, match=r"j\.jsonl cannot be written .*paths\.results="):
        Journal(tmp_path / "j.jsonl")
