"""Values are found wherever they can hide; files that cannot be read are errors."""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import os
import random
import sqlite3
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import orjson
import pytest

from harness.curate.canary import Canary, is_planted, load_canaries, make_person, persons, plant, save_canaries
from harness.curate.leakcheck import leakcheck
from harness.curate.pii.rules import rules_detector
from harness.curate.pseudonyms import Pseudonyms
from harness.curate.redact import Redactor
from harness.errors import DataError
from harness.records.logs import LogRecord

PERSON = make_person(random.Random(3))
HAS = {one.kind: one.value for one in PERSON}
TEXT = json.dumps({"mail": HAS["EMAIL_ADDRESS"], "note": "x" * 50}).encode()
BASE = LogRecord("a", "test", ({"role": "system", "content": "You help."}, {"role": "user", "content": "hi"}))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1.json", TEXT)


def _zip_in_zip(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", gzip.compress(TEXT))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("y", inner.getvalue())


def _tar(path: Path) -> None:
    with tarfile.open(path, "w:xz") as archive:
        info = tarfile.TarInfo("x")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))


def _sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE replies (body BLOB)")
    connection.execute("INSERT INTO replies VALUES (?)", (gzip.compress(TEXT),))
    connection.commit()
    connection.close()


def _duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT ? AS x", [TEXT.decode()])


def _report(packed: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = packed(os.urandom(200) + TEXT)
        path.write_text(f"<script>const data = '{base64.b64encode(data).decode()}'</script>")

    return write


CONTAINERS: dict[str, Callable[[Path], object]] = {
    "a.txt": lambda path: path.write_bytes(TEXT),
    "a.gz": lambda path: path.write_bytes(gzip.compress(TEXT)),
    "a.bz2": lambda path: path.write_bytes(bz2.compress(TEXT)),
    "a.xz": lambda path: path.write_bytes(lzma.compress(TEXT)),
    "gzip_in_xz": lambda path: path.write_bytes(lzma.compress(gzip.compress(TEXT))),
    "a.eval": _zip,
    "a.zip": _zip_in_zip,
    "a.tar.xz": _tar,
    "a.sqlite": _sqlite,
    "a.duckdb": _duckdb,
    "gzip.html": _report(gzip.compress),
    "zlib.html": _report(zlib.compress),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_value_is_found_in_every_container(name: str, tmp_path: Path) -> None:
    CONTAINERS[name](tmp_path / name)

    looked = leakcheck([tmp_path], PERSON)

    assert "EMAIL_ADDRESS" in {leak.kind for leak in looked.leaks}
    assert {leak.file for leak in looked.leaks} == {str(tmp_path / name)}
    assert looked.unread == []


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_a_value_is_found_in_parquet(compression: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": [TEXT.decode()] * 3, "b": [{"list": [HAS["API_KEY"]]}] * 3})
    pq.write_table(table, tmp_path / "a.parquet", compression=compression)

    looked = leakcheck([tmp_path], PERSON)

    assert {"EMAIL_ADDRESS", "API_KEY"} <= {leak.kind for leak in looked.leaks}


def test_a_value_is_found_in_zstd(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    (tmp_path / "a.zst").write_bytes(zstandard.compress(TEXT))

    looked = leakcheck([tmp_path], PERSON)

    assert "EMAIL_ADDRESS" in {leak.kind for leak in looked.leaks}
    assert looked.unpacked == len(TEXT)


def test_encrypted_parquet_is_read_with_the_key_and_an_error_without(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pe = pytest.importorskip("pyarrow.parquet.encryption")
    key = bytes(range(32))
    properties = pe.create_encryption_properties(key)
    pq.write_table(pa.table({"a": [TEXT.decode()]}), tmp_path / "a.parquet", encryption_properties=properties)

    closed, opened = leakcheck([tmp_path], PERSON), leakcheck([tmp_path], PERSON, key)

    assert (len(closed.unread), closed.leaks) == (1, [])
    assert opened.unread == []
    assert "EMAIL_ADDRESS" in {leak.kind for leak in opened.leaks}


FORMS: dict[str, tuple[str, str]] = {
    "JSON": ("PRIVATE_KEY", json.dumps(json.dumps(HAS["PRIVATE_KEY"]))),
    "URL": ("STREET_ADDRESS", urllib.parse.quote_plus(HAS["STREET_ADDRESS"])),
    "HTML": ("PERSON", html.escape(f"<b>{HAS['PERSON']}</b>")),
    "capitals": ("EMAIL_ADDRESS", HAS["EMAIL_ADDRESS"].upper()),
    "base64": ("PASSWORD", base64.b64encode(f"a:{HAS['PASSWORD']}!".encode()).decode()),
    "hexadecimal": ("JWT", HAS["JWT"].encode().hex()),
    "card with dashes": ("CREDIT_CARD", HAS["CREDIT_CARD"].replace(" ", "-")),
    "card in one row": ("CREDIT_CARD", HAS["CREDIT_CARD"].replace(" ", "")),
    "ssn with blanks": ("US_SSN", HAS["US_SSN"].replace("-", " ")),
    "phone in one row": ("PHONE_NUMBER", "+1" + " " + "".join(filter(str.isdigit, HAS["PHONE_NUMBER"]))),
    "account in groups": ("IBAN_CODE", " ".join(HAS["IBAN_CODE"][at : at + 4] for at in range(0, 22, 4))),
    "key over lines": ("API_KEY", "\n".join(HAS["API_KEY"][at : at + 9] for at in range(0, 60, 9))),
    "UTF-16": ("USER_ID", HAS["USER_ID"].encode("utf-16-le").decode("latin-1")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_every_form(form: str, tmp_path: Path) -> None:
    kind, text = FORMS[form]
    (tmp_path / "a").write_bytes(b"some words " + text.encode("latin-1") + b" and more")

    looked = leakcheck([tmp_path], PERSON)

    assert kind in {leak.kind for leak in looked.leaks}


def test_a_value_across_the_edge_of_two_blocks_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"-" * ((4 << 20) - 9) + HAS["EMAIL_ADDRESS"].encode())

    assert "EMAIL_ADDRESS" in {leak.kind for leak in leakcheck([tmp_path], PERSON).leaks}


def test_digits_within_a_longer_row_are_no_leak(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("9" + "".join(filter(str.isdigit, HAS["US_SSN"])) + "0")

    assert leakcheck([tmp_path], PERSON).leaks == []


def test_a_name_of_a_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / f"{HAS['USER_ID']}.json").write_text("{}")

    assert {leak.member for leak in leakcheck([tmp_path], PERSON).leaks} == {"its name"}


def test_a_clean_folder_has_no_leak_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"y" * 5000))

    looked = leakcheck([tmp_path], PERSON)

    assert (looked.files, looked.leaks, looked.unread) == (2, [], [])
    assert looked.unpacked == 5000


@pytest.mark.parametrize("broken", ["gz", "zip", "xz"])
def test_a_damaged_container_is_an_error(broken: str, tmp_path: Path) -> None:
    whole = {
        "gz": gzip.compress(os.urandom(900)),
        "xz": lzma.compress(os.urandom(900)),
        "zip": b"PK\x03\x04" + bytes(99),
    }
    (tmp_path / f"a.{broken}").write_bytes(whole[broken][:-30])

    looked = leakcheck([tmp_path], PERSON)

    assert [Path(name).name for name, _ in looked.unread] == [f"a.{broken}"]


def test_what_a_store_holds_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "logstore" / "calls").mkdir(parents=True)
    (tmp_path / "logstore" / "store.json").write_text(json.dumps({"format": 1, "made": 0.0, "salt": "00"}))
    (tmp_path / "logstore" / "calls" / "a").write_bytes(TEXT)
    (tmp_path / "other").write_text("clean")

    looked = leakcheck([tmp_path], PERSON)

    assert looked.leaks == []
    assert "EMAIL_ADDRESS" in {leak.kind for leak in looked.raw}
    assert looked.raw_files == 2


@pytest.mark.parametrize("seed", range(4))
def test_redaction_leaves_nothing_of_a_made_up_person(seed: int, tmp_path: Path) -> None:
    person = make_person(random.Random(seed))
    planted = plant(BASE, person)
    (redacted,) = Redactor(rules_detector(), Pseudonyms(b"k" * 32)).session([planted])
    for name, record in (("raw", planted), ("redacted", redacted)):
        (tmp_path / name).write_bytes(orjson.dumps([record.messages, record.reply, record.extra, record.user]))

    assert {leak.kind for leak in leakcheck([tmp_path / "raw"], person).leaks} == {one.kind for one in person}
    assert leakcheck([tmp_path / "redacted"], person).leaks == []
    assert is_planted(redacted)


def test_canaries_are_kept_closed_and_are_the_same_for_a_key(tmp_path: Path) -> None:
    (first, second), (again, _) = persons(b"k" * 32, 2), persons(b"k" * 32, 2)

    where = save_canaries([*first, *second], tmp_path / "own" / "canaries.jsonl")
    save_canaries(again, where)

    assert first == again != second
    assert load_canaries(where) == (*first, *second)
    assert where.stat().st_mode & 0o777 == 0o600


def test_a_list_of_ones_own_is_a_value_a_line(tmp_path: Path) -> None:
    (tmp_path / "ours.txt").write_text('Project Nightingale\n\n{"kind": "HOST", "value": "db7.corp"}\n')
    (tmp_path / "short.txt").write_text("abc\n")

    assert load_canaries(tmp_path / "ours.txt") == (Canary("VALUE", "Project Nightingale"), Canary("HOST", "db7.corp"))
    with pytest.raises(DataError, match="line 1"):
        load_canaries(tmp_path / "short.txt")


def _harness(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "harness", "do=leakcheck", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_the_verb_fails_on_a_leak_and_never_shows_the_value(tmp_path: Path) -> None:
    values = save_canaries(PERSON, tmp_path / "values.jsonl")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.gz").write_bytes(gzip.compress(TEXT))

    done = _harness(tmp_path, f"leakcheck.values={values}")

    assert done.returncode == 1, done.stderr
    assert "LEAK results/a.gz" in done.stdout
    assert "EMAIL_ADDRESS" in done.stdout
    assert HAS["EMAIL_ADDRESS"] not in done.stdout + done.stderr
    assert HAS["LAST_NAME"].lower() not in (done.stdout + done.stderr).lower()


def test_the_verb_passes_where_nothing_is_and_fails_where_it_cannot_read(tmp_path: Path) -> None:
    values = save_canaries(PERSON, tmp_path / "values.jsonl")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "a.html").write_text("clean")

    clean = _harness(tmp_path, f"leakcheck.values={values}")
    (tmp_path / "reports" / "b.gz").write_bytes(gzip.compress(os.urandom(500))[:-20])
    broken = _harness(tmp_path, f"leakcheck.values={values}")

    assert clean.returncode == 0, clean.stderr
    assert "none was found" in clean.stdout
    assert broken.returncode == 3
    assert "NOT READ reports/b.gz" in broken.stdout


def test_the_verb_without_values_or_paths_says_what_to_type(tmp_path: Path) -> None:
    no_values = _harness(tmp_path)
    values = save_canaries(PERSON, tmp_path / "values.jsonl")
    no_path = _harness(tmp_path, f"leakcheck.values={values}", "leakcheck.path=[gone]")

    assert (no_values.returncode, no_path.returncode) == (2, 2)
    assert "curate.canaries=3" in no_values.stderr
    assert "gone is not there" in no_path.stderr


def test_a_file_named_by_a_value_is_told_without_the_value(tmp_path: Path) -> None:
    values = save_canaries(PERSON, tmp_path / "values.jsonl")
    folder = tmp_path / "reports" / HAS["LAST_NAME"]
    folder.mkdir(parents=True)
    (folder / f"{HAS['USER_ID']}.txt").write_bytes(TEXT)

    done = _harness(tmp_path, f"leakcheck.values={values}")

    assert done.returncode == 1, done.stderr
    assert "LEAK reports/" in done.stdout
    assert "characters)" in done.stdout
    assert HAS["LAST_NAME"].lower() not in (done.stdout + done.stderr).lower()
    assert HAS["USER_ID"].lower() not in (done.stdout + done.stderr).lower()
