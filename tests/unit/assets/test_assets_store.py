"""The cache folder: what is remembered, what is noticed, and what happens where it cannot be written to."""

import hashlib
import os
from pathlib import Path

import pytest

from harness.assets import cache_dir
from harness.assets.progress import Progress, silent
from harness.assets.store import Store, digest_of, writing
from harness.errors import AssetError


def _kept(store: Store, content: bytes) -> tuple[Path, str]:
    digest = hashlib.sha256(content).hexdigest()
    with store.workspace("w") as work:
        (work / "made").write_bytes(content)
        return store.keep(work / "made", digest, "x.bin"), digest


def test_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))

    first = cache_dir()
    monkeypatch.delenv("HARNESS_CACHE")
    second = cache_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    third = cache_dir()

    assert first == tmp_path / "own"
    assert second == tmp_path / "xdg" / "slm-harness"
    assert third == tmp_path / "home" / ".cache" / "slm-harness"


def test_kept_file_is_not_hashed_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place, digest = _kept(store, b"content")
    reports: list[Progress] = []

    held = store.holds(place, digest, reports.append)

    assert held
    assert reports == []


def test_touched_but_equal_file_is_hashed_once_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place, digest = _kept(store, b"content")
    os.utime(place, (1, 1))
    reports: list[Progress] = []

    held = [store.holds(place, digest, reports.append) for _ in range(2)]

    assert held == [True, True]
    assert [report.what for report in reports] == ["x.bin: check"]


def test_changed_file_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place, digest = _kept(store, b"content")

    place.write_bytes(b"cOntent")

    assert not store.holds(place, digest, silent)


def test_moved_cache_still_holds(tmp_path: Path) -> None:
    place, digest = _kept(Store(tmp_path / "a"), b"content")
    (tmp_path / "a").rename(tmp_path / "b")
    reports: list[Progress] = []
    moved = tmp_path / "b" / place.relative_to(tmp_path / "a")

    held = Store(tmp_path / "b").holds(moved, digest, reports.append)

    assert held
    assert reports == []


def test_half_written_stamp_is_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place, digest = _kept(store, b"content")
    for stamp in (tmp_path / "stamps").iterdir():
        stamp.write_text('{"dig')

    assert store.holds(place, digest, silent)


def test_folder_digest_changes_with_names_and_contents(tmp_path: Path) -> None:
    seen = set()
    for name, content in (("a", b"1"), ("b", b"1"), ("a", b"2")):
        folder = tmp_path / f"{name}{content!r}"
        folder.mkdir()
        (folder / name).write_bytes(content)
        seen.add(digest_of(folder))

    assert len(seen) == 3


def test_workspace_starts_empty_after_a_crash(tmp_path: Path) -> None:
    left = tmp_path / "work" / "k-1"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"x")

    with Store(tmp_path).workspace("k") as work:
        found = list(work.iterdir())

    assert found == []
    assert not left.exists()


def test_download_that_does_not_fit_is_refused_with_sizes(tmp_path: Path) -> None:
    with pytest.raises(AssetError) as refused:
        Store(tmp_path / "not" / "there").need_room(10**18)

    assert "1000000000.0 GB needed" in str(refused.value)
    assert "HARNESS_CACHE" in str(refused.value)


def test_cache_under_a_file_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache")

    with pytest.raises(AssetError, match=r"cannot write to the cache .* set HARNESS_CACHE"):
        store.partial("k")


def test_full_device_is_named(tmp_path: Path) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")

    with (
        pytest.raises(AssetError, match="no room left in the cache"),
        writing(tmp_path),
        device.open("wb", buffering=0) as stream,
    ):
        stream.write(b"x")
