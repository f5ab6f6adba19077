"""One file over HTTP, resumed where it stopped; redirects and proxies as urllib has them."""

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from harness.assets.progress import OnProgress, Progress
from harness.assets.store import CHUNK, writing
from harness.errors import AssetError

__all__ = ["Download", "download", "origin_of"]

READ_TIMEOUT_S = 30.0
TRIES = 4
"""Tries in a row that brought no byte before giving up."""
PAUSE_S = 0.25
"""Before the first further try; doubled for each that follows."""
RETRIED = {408, 429, 500, 502, 503, 504}


class Refused(AssetError):
    """An answer of the server that is not the file; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Reply(Protocol):
    status: int
    headers: Message

    def read1(self, n: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Download:
    """What to get, and how to speak of it."""

    url: str = field(repr=False)
    name: str
    """Shown instead of the address, which may hold a signature."""
    bytes: int | None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    hint: str = "check the connection and run again: the download goes on where it stopped"


class _Interrupted(Exception):
    """The connection broke: worth another try from where it stopped."""

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached
        """False where the server did not answer at all: then trying again at once is a waste of the user's time."""


class _DropCredentials(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes no credentials to another host: storage behind a hub is signed by address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following is not None and origin_of(newurl) != origin_of(req.full_url):
            following.remove_header("Authorization")
        return following


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port that credentials belong to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def download(wanted: Download, part: Path, on_progress: OnProgress) -> bool:
    """Whether the file was put together from several transfers; afterwards `part` holds all of it, unverified.

    A broken connection is taken up again with a Range request, guarded by If-Range where the server named its version;
    a server that ignores ranges sends everything again. Raises AssetError where the server refuses or cannot be
    reached, and leaves `part` to be resumed.
    """
    resumed, failures = _size(part) > 0, 0
    while True:
        before = _size(part)
        try:
            _transfer(wanted, part, on_progress)
        except _Interrupted as error:
            failures = 0 if _size(part) > before else failures + 1
            begun = error.reached or _size(part) > 0
            if failures >= (TRIES if begun else 1):
                state = "the download broke off" if begun else "no server answers"
                raise AssetError(f"{state} for {wanted.name} ({error}): {wanted.hint}") from error
            resumed = resumed or _size(part) > 0
            time.sleep(PAUSE_S * 2**failures)
        else:
            part.with_suffix(".etag").unlink(missing_ok=True)
            return resumed


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _transfer(wanted: Download, part: Path, on_progress: OnProgress) -> None:
    """One request: from the end of `part` on, if the server agrees, else from the start."""
    have, version = _size(part), part.with_suffix(".etag")
    if wanted.bytes is not None and have > wanted.bytes:
        part.unlink()
        have = 0
    if have and have == wanted.bytes:
        return
    headers = {"User-Agent": "slm-harness", "Accept-Encoding": "identity", **wanted.headers}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version.exists():
            headers["If-Range"] = version.read_text()
    opener = urllib.request.build_opener(_DropCredentials)
    try:
        with opener.open(urllib.request.Request(wanted.url, headers=headers), timeout=READ_TIMEOUT_S) as reply:
            _write(wanted, reply, part, _start(reply, have, part), on_progress)
    except urllib.error.HTTPError as error:
        _refused(wanted, error, part)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise AssetError(
                f"the server of {wanted.name} shows a certificate that is not trusted here "
                f"({error.reason.verify_message}): set SSL_CERT_FILE to your certificates"
            ) from error
        raise _Interrupted(_brief(error.reason), reached=False) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_brief(error)) from error


def _start(reply: _Reply, have: int, part: Path) -> int:
    """Offset that the reply's first byte has in the file."""
    if reply.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    start = int(found.group(1)) if found else -1
    if start != have:
        part.unlink()
        raise _Interrupted(f"bytes from {start} came where bytes from {have} were asked for")
    return start


def _write(wanted: Download, reply: _Reply, part: Path, start: int, on_progress: OnProgress) -> None:
    length = reply.headers.get("Content-Length")
    due = start + int(length) if length and length.isdigit() else None
    if wanted.bytes is not None and due is not None and due != wanted.bytes:
        raise AssetError(
            f"{wanted.name} should have {wanted.bytes} bytes, the server has {due}: it is not the pinned file; "
            "correct bytes and sha256, or the address"
        )
    total, done, tag = wanted.bytes or due, start, reply.headers.get("ETag", "")
    with writing(part.parent):
        version = part.with_suffix(".etag")
        version.unlink(missing_ok=True)
        if tag.startswith('"'):  # a weak tag (W/) does not promise equal bytes
            version.write_text(tag)
        stream = part.open("r+b" if start else "wb")
    with stream:
        stream.seek(start)
        while chunk := reply.read1(CHUNK):
            with writing(part.parent):
                stream.write(chunk)
                stream.flush()
            done += len(chunk)
            on_progress(Progress(f"{wanted.name}: download", done, total))
    if due is not None and done != due:
        raise _Interrupted(f"{done} of {due} bytes came")


def _refused(wanted: Download, error: urllib.error.HTTPError, part: Path) -> None:
    status = error.code
    error.close()
    if status == 416:  # the part has bytes that the file no longer has
        part.unlink(missing_ok=True)
        raise _Interrupted("the server's file is shorter than what was there") from error
    if status in RETRIED:
        raise _Interrupted(f"HTTP {status}") from error
    raise Refused(f"the server refused {wanted.name} with HTTP {status}: {wanted.hint}", status) from error


def _brief(reason: object) -> str:
    """Why it broke, without an address."""
    if isinstance(reason, TimeoutError):
        return f"nothing came for {READ_TIMEOUT_S:.0f} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__
