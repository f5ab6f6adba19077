"""The cache folder: where verified content lies, who may write to it, and what is known of it.

files/<sha256>/<name>      one verified file, or one verified folder under its digest
stamps/<key>.json          size and time of change of what was hashed, so that it is hashed once
refs/<key>.json            what an unpinned hub file turned out to be
partial/<key>.part         a download that can be resumed
work/<key>-<random>/       scratch of the holder of the lock
locks/<key>.lock           one fetch at a time for each content
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness.assets.progress import OnProgress, Progress, human_bytes
from harness.errors import AssetError

__all__ = ["CHUNK", "Store", "cache_dir", "digest_of", "file_sha256", "folder_digest", "key_of", "own_file", "writing"]

CHUNK = 1 << 20
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}


def cache_dir() -> Path:
    """HARNESS_CACHE, else slm-harness in the user's cache folder (XDG_CACHE_HOME, else ~/.cache)."""
    own = os.environ.get("HARNESS_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "slm-harness"


def key_of(*parts: str) -> str:
    """A file name that stands for the parts: 40 hexadecimal digits, equal for equal parts only."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def own_file(key: str) -> str:
    """The key of the configuration that names a file of one's own in place of what the entry `key` describes.

    >>> own_file("model.weights"), own_file("data")
    ('model.weights.path', 'suite.options.file')
    """
    return "suite.options.file" if key == "data" else f"{key}.path"  # `data` is an entry of suite.yaml


def file_sha256(path: Path, what: str = "", on_progress: OnProgress | None = None) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    sha, done = hashlib.sha256(), 0
    with path.open("rb") as stream:
        total = os.fstat(stream.fileno()).st_size
        while chunk := stream.read(CHUNK):
            sha.update(chunk)
            done += len(chunk)
            if on_progress:
                on_progress(Progress(f"{what or path.name}: check", done, total))
    return sha.hexdigest()


def folder_digest(files: dict[str, str]) -> str:
    """One SHA-256 for a folder: over the lines `sha256  path` that sha256sum would print, sorted by path."""
    lines = "".join(f"{sha}  {name}\n" for name, sha in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def digest_of(path: Path, what: str = "", on_progress: OnProgress | None = None) -> str:
    """SHA-256 of a file, or the folder digest of all files in a folder."""
    if path.is_file():
        return file_sha256(path, what, on_progress)
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    return folder_digest({one.relative_to(path).as_posix(): file_sha256(one, what, on_progress) for one in inside})


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """A block whose failures to write under `root` become an AssetError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise AssetError(
                f"no room left in the cache {root}: free some space, or set HARNESS_CACHE to a folder on a larger disk"
            ) from error
        if error.errno in NO_RIGHT:
            raise AssetError(
                f"cannot write to the cache {root} ({error.strerror}): set HARNESS_CACHE to a folder of yours"
            ) from error
        raise AssetError(
            f"writing to the cache {root} failed ({error.strerror or error}): "
            "check that disk, or set HARNESS_CACHE to another folder"
        ) from error


def _marks(path: Path) -> dict[str, list[int]]:
    """Size and time of change of a file, or of each file in a folder, by relative path."""
    inside = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    stats = {one.relative_to(path).as_posix(): one.stat() for one in inside}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


@dataclass(frozen=True, slots=True)
class Store:
    """A cache folder; nothing is created before something is written."""

    root: Path

    def place(self, digest: str, name: str) -> Path:
        """Where verified content of that digest lies."""
        return self.root / "files" / digest / name

    def holds(self, path: Path, digest: str, on_progress: OnProgress) -> bool:
        """Whether `path` is there with the right content; hashed only if it changed since it was last hashed."""
        return path.exists() and self.digest(path, on_progress) == digest

    def digest(self, path: Path, on_progress: OnProgress) -> str:
        """Digest of a file or folder, remembered until a size or a time of change differs."""
        marks = _marks(path)
        stamp = self._read("stamps", self._stamp_key(path))
        if stamp.get("marks") == marks:
            return str(stamp["digest"])
        digest = digest_of(path, path.name, on_progress)
        with suppress(OSError):  # a cache that cannot be written to is still good to read from
            self._stamp(path, marks, digest)
        return digest

    def keep(self, made: Path, digest: str, name: str) -> Path:
        """Moves verified content to its place, in one step, and returns that place."""
        place = self.place(digest, name)
        with writing(self.root):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir():  # a folder cannot be replaced in one step
                self.discard(place)
            made.replace(place)
            self._stamp(place, _marks(place), digest)
        return place

    def discard(self, path: Path) -> None:
        """Removes a file or folder, if it is there."""
        with writing(self.root):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def partial(self, key: str) -> Path:
        """Where a resumable download is written."""
        with writing(self.root):
            folder = self.root / "partial"
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key}.part"

    @contextmanager
    def lock(self, key: str, what: str, on_progress: OnProgress) -> Iterator[None]:
        """A block that one process at a time is in; the others wait. A process that dies lets go."""
        with writing(self.root):
            folder = self.root / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                on_progress(Progress(f"{what}: wait for another process that fetches it", 0, None))
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def workspace(self, key: str) -> Iterator[Path]:
        """An empty scratch folder for the holder of the lock; what a killed process left there goes first."""
        with writing(self.root):
            (self.root / "work").mkdir(parents=True, exist_ok=True)
            for left in (self.root / "work").glob(f"{key}-*"):
                shutil.rmtree(left, ignore_errors=True)
            # A name of its own each time: the pip of a killed process may still write to the old one for a while.
            folder = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def need_room(self, size: int, what: str = "this download") -> None:
        """Raises AssetError where `size` more bytes do not fit; `what` they are, for its words."""
        folder = next((one for one in (self.root, *self.root.absolute().parents) if one.exists()), None)
        free = shutil.disk_usage(folder).free if folder else size
        if free < size:
            raise AssetError(
                f"no room for {what}: {human_bytes(size)} needed, {human_bytes(free)} free in {self.root}; "
                "free some space, or set HARNESS_CACHE to a folder on a larger disk"
            )

    def read_ref(self, key: str) -> dict[str, object]:
        """What was recorded under a key; empty where nothing was."""
        return self._read("refs", key)

    def write_ref(self, key: str, value: dict[str, object]) -> None:
        """Records what a name turned out to be."""
        with writing(self.root):
            self._write("refs", key, value)

    def _stamp_key(self, path: Path) -> str:
        whole, root = path.absolute(), self.root.absolute()
        return key_of(whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole))

    def _stamp(self, path: Path, marks: dict[str, list[int]], digest: str) -> None:
        self._write("stamps", self._stamp_key(path), {"digest": digest, "marks": marks})

    def _read(self, kind: str, key: str) -> dict[str, object]:
        try:
            read: object = json.loads((self.root / kind / f"{key}.json").read_bytes())
        except (OSError, ValueError):  # absent or half a file: then nothing is known, and it is found out again
            return {}
        return read if isinstance(read, dict) else {}

    def _write(self, kind: str, key: str, value: dict[str, object]) -> None:
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{key}.{os.getpid()}.new"
        fresh.write_text(json.dumps(value))
        fresh.replace(folder / f"{key}.json")
