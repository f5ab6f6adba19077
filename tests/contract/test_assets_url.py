"""Files by address and by path."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.assets import Fetched, fetch
from harness.errors import AssetError
from harness.records.asset import PathAsset, UrlAsset
from tests.support.hub_server import HubServer, running_hub, tiny_gguf

CONTENT = tiny_gguf()
SHA = hashlib.sha256(CONTENT).hexdigest()
CHILD = """
import os, resource, sys
from pathlib import Path
from harness.assets import fetch
from harness.errors import AssetError
from harness.records.asset import UrlAsset
limit, url, size, sha, cache = sys.argv[1:]
if limit != "none":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    print(fetch(UrlAsset(url=url, bytes=int(size), sha256=sha), cache=Path(cache)).sha256)
except AssetError as error:
    print(error)
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr("harness.assets.http.PAUSE_S", 0.01)
    with running_hub() as server:
        server.plain["tiny.gguf"] = CONTENT
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may look into, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def _no_right_to_write(cache: Path) -> Iterator[None]:
    """A block in which this process may read the cache and not write to it, also where the tests run as root."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
        return
    folders = [cache, *(one for one in cache.rglob("*") if one.is_dir())]
    for one in folders:
        one.chmod(0o555)
    try:
        yield
    finally:
        for one in folders:
            one.chmod(0o755)


def _spec(hub: HubServer, path: str = "plain/tiny.gguf") -> UrlAsset:
    return UrlAsset(url=f"{hub.storage_url}/{path}", bytes=len(CONTENT), sha256=SHA)


def _failure(spec: UrlAsset | PathAsset, cache: Path) -> str:
    with pytest.raises(AssetError) as failed:
        fetch(spec, cache=cache)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_file_is_fetched_once_and_follows_a_redirect(hub: HubServer, cache: Path) -> None:
    first = fetch(_spec(hub, "moved/tiny.gguf"), cache=cache)
    asked = len(hub.asked)

    second = fetch(_spec(hub, "moved/tiny.gguf"), cache=cache)

    assert first == second == Fetched(cache / "files" / SHA / "tiny.gguf", len(CONTENT), SHA, "url:127.0.0.1")
    assert first.path.read_bytes() == CONTENT
    assert (asked, len(hub.asked)) == (2, 2)


def test_broken_download_is_resumed_for_the_same_version_only(hub: HubServer, cache: Path) -> None:
    hub.faults.breaks = [100_000]

    fetch(_spec(hub), cache=cache)

    again = hub.downloads()[1].headers
    assert again["range"] == "bytes=100000-"
    assert again["if-range"].strip('"') == hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def test_server_without_ranges_sends_all_of_it_again(hub: HubServer, cache: Path) -> None:
    hub.faults.ignore_range = True
    hub.faults.breaks = [100_000]

    fetched = fetch(_spec(hub), cache=cache)

    assert fetched.path.read_bytes() == CONTENT
    assert len(hub.downloads()) == 2


def test_version_that_changed_meanwhile_starts_anew(
    hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.assets.http.PAUSE_S", 0.001)
    hub.plain["tiny.gguf"] = bytes(len(CONTENT))
    hub.faults.breaks = [100_000, 0, 0, 0, 0]
    broken = _failure(_spec(hub), cache)
    hub.plain["tiny.gguf"] = CONTENT
    hub.faults.breaks = []

    fetched = fetch(_spec(hub), cache=cache)

    assert "broke off" in broken
    assert fetched.path.read_bytes() == CONTENT


def test_wrong_content_is_removed_and_both_hashes_are_named(hub: HubServer, cache: Path) -> None:
    hub.faults.wrong_bytes = True

    message = _failure(_spec(hub), cache)

    assert f"sha256 expected {SHA}, seen " in message
    assert list(cache.glob("partial/*")) == []
    assert not (cache / "files" / SHA / "tiny.gguf").exists()


def test_file_of_another_size_is_refused_at_once(hub: HubServer, cache: Path) -> None:
    hub.plain["tiny.gguf"] = CONTENT + b"more"

    assert f"should have {len(CONTENT)} bytes, the server has {len(CONTENT) + 4}" in _failure(_spec(hub), cache)


def test_absent_file_is_refused_with_its_status_and_the_way_out(hub: HubServer, cache: Path) -> None:
    message = _failure(_spec(hub, "plain/absent.gguf"), cache)

    assert "HTTP 404" in message
    assert "model.weights.path=/path/to/absent.gguf" in message


def test_server_that_is_not_there_fails_without_retries(cache: Path) -> None:
    spec = UrlAsset(url="http://127.0.0.1:9/x.gguf", bytes=3, sha256=SHA)

    message = _failure(spec, cache)

    assert "no server answers for x.gguf (Connection refused)" in message
    assert "model.weights.path" in message


def test_download_that_cannot_fit_is_refused_before_it_starts(hub: HubServer, cache: Path) -> None:
    spec = UrlAsset(url=f"{hub.storage_url}/plain/tiny.gguf", bytes=10**18, sha256=SHA)

    assert "no room for this download" in _failure(spec, cache)
    assert hub.asked == []


def test_disk_that_fills_up_is_named_and_the_part_is_used_later(hub: HubServer, cache: Path) -> None:
    arguments = [f"{hub.storage_url}/plain/tiny.gguf", str(len(CONTENT)), SHA, str(cache)]
    run = [sys.executable, "-c", CHILD]

    full = subprocess.run([*run, "150000", *arguments], capture_output=True, text=True, check=True).stdout
    then = subprocess.run([*run, "none", *arguments], capture_output=True, text=True, check=True).stdout

    assert "no room left in the cache" in full
    assert then.strip() == SHA
    assert hub.downloads()[-1].headers["range"].startswith("bytes=")


def test_cache_that_may_not_be_written_to_still_serves_what_it_holds(hub: HubServer, open_folder: Path) -> None:
    cache = open_folder / "cache"
    fetch(_spec(hub), cache=cache)
    hub.plain["other.gguf"] = CONTENT[:100]
    other = UrlAsset(
        url=f"{hub.storage_url}/plain/other.gguf", bytes=100, sha256=hashlib.sha256(CONTENT[:100]).hexdigest()
    )

    with _no_right_to_write(cache):
        held = fetch(_spec(hub), cache=cache)
        message = _failure(other, cache)

    assert held.sha256 == SHA
    assert "cannot write to the cache" in message


def test_file_of_the_user_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(CONTENT)

    fetched = fetch(PathAsset(path=str(tmp_path / "own.gguf"), sha256=SHA), cache=cache)

    assert fetched == Fetched(tmp_path / "own.gguf", len(CONTENT), SHA, "path")


def test_folder_of_the_user_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "model" / "sub").mkdir(parents=True)
    (tmp_path / "model" / "sub" / "a").write_bytes(b"12345")

    fetched = fetch(PathAsset(path=str(tmp_path / "model")), cache=cache)

    assert (fetched.path, fetched.bytes) == (tmp_path / "model", 5)


def test_home_is_understood(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.gguf").write_bytes(CONTENT)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert fetch(PathAsset(path="~/own.gguf"), cache=cache).path == tmp_path / "own.gguf"


def test_path_to_nothing_says_what_to_type(tmp_path: Path, cache: Path) -> None:
    message = _failure(PathAsset(path="absent.gguf"), cache)

    assert "nothing lies at absent.gguf" in message
    assert "model.weights.path=" in message


def test_file_of_the_user_with_another_hash_is_refused_and_left_alone(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(b"other")

    message = _failure(PathAsset(path=str(tmp_path / "own.gguf"), sha256=SHA), cache)

    assert f"sha256 expected {SHA}, seen {hashlib.sha256(b'other').hexdigest()}" in message
    assert (tmp_path / "own.gguf").read_bytes() == b"other"
