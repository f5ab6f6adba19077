"""One file from a model hub: the hub says where it is and what it should be, our download resumes.

The hub's own library is not used: huggingface_hub 2.4 drops a partial file when its process ends
(`_download_to_tmp_and_move` removes it). What it does with credentials and with its cache is done here as well.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from harness.assets.http import Download, Refused, download
from harness.assets.hub_ask import (
    HubRefused,
    HubUnreachable,
    NoHub,
    Remote,
    cached_file,
    hub_token,
    is_offline,
    remote_file,
)
from harness.assets.progress import OnProgress
from harness.assets.store import CHUNK, Store, file_sha256, key_of, own_file
from harness.errors import AssetError
from harness.records.asset import HfAsset

__all__ = ["fetch_hf"]


@dataclass(frozen=True, slots=True)
class _Job:
    """One fetch with all that its steps share."""

    spec: HfAsset
    store: Store
    report: OnProgress
    key: str

    @property
    def ref(self) -> str:
        kind = () if self.spec.kind == "model" else (self.spec.kind,)
        return key_of("hf", *kind, self.spec.repo, self.spec.revision, self.spec.file)

    @property
    def title(self) -> str:
        return f"{self.spec.repo}/{self.spec.file}"

    @property
    def instead(self) -> str:
        return f"give the file: {own_file(self.key)}=/path/to/{self.spec.name}"


def fetch_hf(spec: HfAsset, store: Store, report: OnProgress, key: str) -> tuple[Path, str, str]:
    """Place, SHA-256 and commit of the file. A revision that was fetched once is not asked for again."""
    job = _Job(spec, store, report, key)
    held = _held(job)
    if held is not None:
        return held
    with store.lock(job.ref, spec.name, report):
        held = _held(job) or _from_hub_cache(job)
        if held is not None:
            return held
        remote = _ask(job)
        _compare(job, remote)
        return _download(job, remote)


def _wanted(job: _Job) -> str | None:
    """The SHA-256 that holds: the pinned one, else the one seen on the first fetch."""
    seen = job.store.read_ref(job.ref).get("sha256")
    return job.spec.sha256 or (str(seen) if seen else None)


def _held(job: _Job) -> tuple[Path, str, str] | None:
    wanted, seen = _wanted(job), job.store.read_ref(job.ref)
    if wanted is None:
        return None
    commit = str(seen["commit"]) if seen.get("sha256") == wanted else job.spec.revision
    place = job.store.place(wanted, job.spec.name)
    return (place, wanted, commit) if job.store.holds(place, wanted, job.report) else None


def _from_hub_cache(job: _Job) -> tuple[Path, str, str] | None:
    """The file as the hub's own cache on this machine has it, used where it lies, if it is the right one."""
    path = cached_file(job.spec)
    if path is None:
        return None
    stated = path.resolve().name  # the hub names a large file's content by its SHA-256
    wanted = _wanted(job) or (stated if re.fullmatch(r"[0-9a-f]{64}", stated) else None)
    if wanted is None or not job.store.holds(path.resolve(), wanted, job.report):
        return None
    relative = Path(job.spec.file).parts
    return path, wanted, path.parents[len(relative) - 1].name


def _ask(job: _Job) -> Remote:
    """What the hub says, asked once and without long retries. Raises AssetError with what to do."""
    if is_offline():
        raise AssetError(f"{job.title} is not in the cache and HF_HUB_OFFLINE is set: unset it, or {job.instead}")
    token = hub_token()
    try:
        return remote_file(job.spec, token)
    except HubRefused as error:
        raise AssetError(_refusal(job, error, token is not None)) from error
    except NoHub as error:
        raise AssetError(
            f"what answers for {job.title} is not a model hub: correct HF_ENDPOINT, or {job.instead}"
        ) from error
    except HubUnreachable as error:
        raise AssetError(
            f"{job.title} is not in the cache and no model hub can be reached ({error}): "
            f"{job.instead}; or set HF_ENDPOINT to a mirror; or fetch it on another machine"
        ) from error


def _refusal(job: _Job, error: HubRefused, has_token: bool) -> str:
    """Advice on an answer of the hub that is not the file; never with the token or the hub's own text."""
    spec, status = job.spec, error.status
    if error.code == "RevisionNotFound":
        return f"{spec.repo} has no revision {spec.revision!r} on the hub: correct {job.key}.revision, or {job.instead}"
    if error.code == "EntryNotFound":
        return f"{spec.repo} has no file {spec.file!r} at {spec.revision}: correct {job.key}.file, or {job.instead}"
    if error.code == "GatedRepo" or status == 403:
        step = "with the account of HF_TOKEN" if has_token else "and set HF_TOKEN to a token of your account"
        return (
            f"the hub refuses {spec.repo} (HTTP {status}): if gated, accept its licence there {step}; or {job.instead}"
        )
    if status == 401:
        step = "HF_TOKEN is not accepted: set a valid one" if has_token else "set HF_TOKEN if it is private or gated"
        return f"the hub does not show {spec.repo} (HTTP 401): check {job.key}.repo; {step}; or {job.instead}"
    if status == 404:
        return f"the hub has no {job.title} (HTTP 404): correct {job.key}.repo and {job.key}.file, or {job.instead}"
    return f"the hub answered HTTP {status} for {job.title}: try again later, or {job.instead}"


def _compare(job: _Job, remote: Remote) -> None:
    """Raises AssetError where the hub itself says that its file is not the pinned one: before gigabytes are fetched."""
    wanted, spec = _wanted(job), job.spec
    at = f"{job.title} at {spec.revision} (now {remote.commit[:12]})"
    if spec.bytes is not None and remote.bytes is not None and spec.bytes != remote.bytes:
        raise AssetError(
            f"{at} is not the pinned file: expected {spec.bytes} bytes, the hub has {remote.bytes}; "
            f"pin {job.key}.revision to the right commit"
        )
    if wanted is not None and len(remote.etag) == 64 and remote.etag != wanted:
        pinned = "the pinned file" if spec.sha256 else "what was fetched before"
        raise AssetError(
            f"{at} is not {pinned}: sha256 expected {wanted}, the hub has {remote.etag}; "
            f"pin {job.key}.revision to the right commit, or {job.key}.sha256 to the new content"
        )


def _download(job: _Job, remote: Remote) -> tuple[Path, str, str]:
    spec, store = job.spec, job.store
    part = store.partial(key_of(job.ref, remote.etag))
    if remote.bytes is not None:
        store.need_room(remote.bytes - (part.stat().st_size if part.exists() else 0))
    hint = f"run again, it goes on where it stopped; or {job.instead}"
    wanted = Download(remote.url, job.title, remote.bytes, remote.headers, hint)
    while True:
        try:
            resumed = download(wanted, part, job.report)
        except Refused as error:
            raise AssetError(
                f"the storage of the hub refused {job.title} (HTTP {error.status}): run again for a fresh address, "
                f"or {job.instead}"
            ) from error
        sha256 = file_sha256(part, spec.name, job.report)
        fault = _fault(job, remote, part, sha256)
        if fault is None:
            path = store.keep(part, sha256, spec.name)
            store.write_ref(job.ref, {"sha256": sha256, "commit": remote.commit})
            return path, sha256, remote.commit
        store.discard(part)
        if not resumed:
            raise AssetError(
                f"{job.title} arrived wrong and was removed: {fault}; run again, and if it stays so check proxies and "
                f"HF_ENDPOINT, or {job.instead}"
            )


def _fault(job: _Job, remote: Remote, part: Path, sha256: str) -> str | None:
    """What is wrong with the fetched bytes, against the pin and the hub's own hash; None if nothing is."""
    wanted = _wanted(job)
    if wanted is not None and sha256 != wanted:
        return f"sha256 expected {wanted}, seen {sha256}"
    if len(remote.etag) == 64 and sha256 != remote.etag:
        return f"sha256 stated by the hub {remote.etag}, seen {sha256}"
    if len(remote.etag) == 40 and (seen := _git_sha1(part)) != remote.etag:
        return f"git hash stated by the hub {remote.etag}, seen {seen}"
    return None


def _git_sha1(path: Path) -> str:
    """Hash that git gives the content: SHA-1 over `blob <size>`, a zero byte and the bytes."""
    sha = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha.update(chunk)
    return sha.hexdigest()
