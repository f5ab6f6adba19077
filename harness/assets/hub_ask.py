"""What a model hub says of a file or a repository, by its own protocol: a few headers and one listing.

The hub's library (27 MB with what it stands on, and half a second to load) is not needed for that; where it is
installed, it is asked for the token, since it knows more kinds of login.
"""

import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote, urlsplit

import orjson

from harness.assets.http import origin_of
from harness.records.asset import HfAsset

__all__ = [
    "HubRefused",
    "HubUnreachable",
    "NoHub",
    "Remote",
    "cached_file",
    "hub_token",
    "is_offline",
    "list_repository",
    "remote_file",
]

TIMEOUT_S = 10.0
_TRUE: Final = {"1", "ON", "YES", "TRUE"}
_MOST_LISTED: Final = 64 << 20
"""Bytes of a listing that are read: some hundred thousand files."""


class HubRefused(Exception):
    """An answer of the hub that is not what was asked for: its HTTP status, and its own name of the error or ""."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"HTTP {status} {code}".rstrip())
        self.status = status
        self.code = code


class NoHub(Exception):
    """An answer without the facts that every hub states."""


class HubUnreachable(Exception):
    """No answer; the message is the kind of failure, without an address."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What the hub says of a file."""

    url: str = field(repr=False)
    """Where its bytes are; of storage elsewhere it is signed and secret."""
    headers: dict[str, str] = field(repr=False)
    etag: str
    """SHA-256 of a large file, git's SHA-1 of a small one."""
    commit: str
    bytes: int | None


class _RelativeOnly(urllib.request.HTTPRedirectHandler):
    """Follows a hub's redirects within itself (a renamed repository); one to its storage is the answer."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(headers.get("Location", "")).netloc:
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following is not None:
            following.method = req.get_method()  # urllib makes a GET of a HEAD before Python 3.13
        return following


def is_offline() -> bool:
    """Whether the user said that no hub may be asked."""
    return any(os.environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def hub_token() -> str | None:
    """The user's token: as the hub's library finds it where that is installed, else of HF_TOKEN or its file."""
    try:
        from huggingface_hub import get_token  # not of the core; half a second
    except ModuleNotFoundError:
        return _plain_token()
    return get_token()


def _plain_token() -> str | None:
    given = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    if given is None:
        try:
            given = Path(os.environ.get("HF_TOKEN_PATH") or _home() / "token").read_text(encoding="utf-8")
        except OSError:
            return None
    return given.strip() or None


def _home() -> Path:
    own = os.environ.get("HF_HOME")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"


def cached_file(spec: HfAsset) -> Path | None:
    """The file where the hub's library has kept it on this machine; None if it has not."""
    cache = Path(os.environ.get("HF_HUB_CACHE") or _home() / "hub")
    folder = cache / "--".join([f"{spec.kind}s", *spec.repo.split("/")])
    try:
        revision = (folder / "refs" / spec.revision).read_text().strip()
    except OSError:
        revision = spec.revision
    found = folder / "snapshots" / revision / spec.file
    return found if found.is_file() else None


def remote_file(spec: HfAsset, token: str | None) -> Remote:
    """What the hub says of the file. Raises HubRefused, HubUnreachable or NoHub."""
    kind = "" if spec.kind == "model" else f"{spec.kind}s/"
    url = f"{_endpoint()}/{kind}{spec.repo}/resolve/{quote(spec.revision, safe='')}/{quote(spec.file)}"
    final, headers, _ = _ask("HEAD", url, token)
    etag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/").strip('"')
    commit, moved = headers.get("X-Repo-Commit"), headers.get("Location")
    if not etag or not commit:
        raise NoHub(url)
    size = headers.get("X-Linked-Size") or (None if moved else headers.get("Content-Length"))
    location = moved or final
    # Storage elsewhere is signed by its address and gets no token.
    known = token is not None and origin_of(location) == origin_of(url)
    own = {"Authorization": f"Bearer {token}"} if known else {}
    return Remote(location, own, etag, commit, int(size) if size and size.isdigit() else None)


def list_repository(repo: str, revision: str, token: str | None) -> tuple[str, list[str]]:
    """The commit that a revision is, and the repository's files. Raises HubRefused, HubUnreachable or NoHub."""
    url = f"{_endpoint()}/api/models/{repo}/revision/{quote(revision, safe='')}"
    _, _, body = _ask("GET", url, token)
    try:
        told = orjson.loads(body)
        return str(told["sha"]), [str(one["rfilename"]) for one in told.get("siblings") or ()]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise NoHub(url) from error


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _ask(method: str, url: str, token: str | None) -> tuple[str, Message, bytes]:
    """Address, headers and body of the answer; a redirect to another host is an answer."""
    headers = {"User-Agent": "slm-harness", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.build_opener(_RelativeOnly).open(asked, timeout=TIMEOUT_S) as reply:
            return reply.url, reply.headers, reply.read(_MOST_LISTED)
    except urllib.error.HTTPError as error:
        error.close()
        if 300 <= error.code < 400 and error.headers.get("Location"):
            return url, error.headers, b""
        raise HubRefused(error.code, error.headers.get("X-Error-Code") or "") from error
    except urllib.error.URLError as error:
        raise HubUnreachable(type(error.reason).__name__) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise HubUnreachable(type(error).__name__) from error
