"""A model hub on loopback: the part of the hub's protocol that a client needs to fetch a file, with faults to order.

Two servers, because a hub sends large files from another host: the hub answers `HEAD` and `GET` of
`/{repo}/resolve/{revision}/{file}` with the file's facts and a redirect, the storage answers the redirected `GET` with
ranges. A file without a repository (`/plain/{file}` on the storage) is an ordinary download.
"""

import hashlib
import json
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BLOCK = 16384


def tiny_gguf(floats: int = 100_000) -> bytes:
    """A valid GGUF (version 3) of one F32 tensor: header, two metadata strings, tensor table, aligned data."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    metadata = b"".join(
        text(key) + struct.pack("<I", 8) + text(value)
        for key, value in (("general.architecture", "llama"), ("general.name", "tiny"))
    )
    tensor = text("token_embd.weight") + struct.pack("<IQIQ", 1, floats, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + metadata + tensor
    head += b"\0" * (-len(head) % 32)
    return head + struct.pack(f"<{floats}f", *(index / floats for index in range(floats)))


@dataclass(slots=True)
class Faults:
    """What goes wrong, changeable while the server runs."""

    status: int | None = None
    """The hub answers this to every question."""
    error_code: str | None = None
    """The hub's own name of that error, such as GatedRepo."""
    breaks: list[int] = field(default_factory=list)
    """One for each of the next downloads: bytes after which the connection is cut."""
    wrong_bytes: bool = False
    """The storage sends other bytes of the same length."""
    wrong_once: bool = False
    """As wrong_bytes, for the next download only."""
    storage_statuses: list[int] = field(default_factory=list)
    """The storage answers these to the next downloads."""
    ignore_range: bool = False
    no_tags: bool = False
    """The storage names no version of its files."""
    pause_s: float = 0.0
    """Between blocks of 16 KiB."""
    no_facts: bool = False
    """Answers as a web server that is no hub."""
    needs_token: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in."""

    server: Literal["hub", "storage"]
    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""


@dataclass(slots=True)
class HubServer:
    """A running hub: `files[repo, file]` is what it serves."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    git: set[tuple[str, str]] = field(default_factory=set)
    """Files kept in git itself: sent by the hub, known by git's hash."""
    moved: dict[str, str] = field(default_factory=dict)
    """Former names of repositories, each with the present one."""
    plain: dict[str, bytes] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    storage_url: str = ""

    def downloads(self) -> list[Asked]:
        """Requests for content that reached the storage."""
        return [one for one in self.asked if one.server == "storage" and one.method == "GET"]


@contextmanager
def running_hub() -> Iterator[HubServer]:
    """A hub on loopback for as long as the block runs."""
    hub = HubServer()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, hub)) for kind in (_Hub, _Storage)]
    hub.url, hub.storage_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_name: Literal["hub", "storage"] = "hub"

    def __init__(self, hub: HubServer, *rest: object) -> None:
        self.hub = hub
        super().__init__(*rest)  # type: ignore[arg-type]  # partial() hides the base's three arguments

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are kept in `asked`."""

    def do_HEAD(self) -> None:
        self._note()
        self._answer()

    def do_GET(self) -> None:
        self._note()
        self._answer()

    def _answer(self) -> None:
        raise NotImplementedError

    def _note(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.asked.append(Asked(self.server_name, self.command, self.path, headers))

    def _empty(self, status: int, headers: dict[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": "0", **(headers or {})})

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class _Hub(_Handler):
    def _answer(self) -> None:
        faults = self.hub.faults
        if faults.status is not None:
            code = {"X-Error-Code": faults.error_code} if faults.error_code else {}
            return self._empty(faults.status, {**code, "X-Error-Message": "refused for the test"})
        if faults.no_facts:
            return self._empty(200)
        if faults.needs_token and self.headers.get("Authorization") != f"Bearer {faults.needs_token}":
            return self._empty(401)
        listing = re.fullmatch(r"/api/models/(.+)/revision/([^/]+)", self.path)
        if listing:
            return self._listing(listing.group(1))
        found = re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", unquote(self.path))
        if not found:
            return self._empty(404)
        return self._resolve(*found.groups())

    def _listing(self, repo: str) -> None:
        siblings = [{"rfilename": file} for owner, file in self.hub.files if owner == repo]
        if not siblings:
            return self._empty(404, {"X-Error-Code": "RepoNotFound"})
        body = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)
        return None

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        if repo in self.hub.moved:
            return self._empty(307, {"Location": f"/{self.hub.moved[repo]}/resolve/{revision}/{file}"})
        if repo not in {owner for owner, _ in self.hub.files}:
            return self._empty(404, {"X-Error-Code": "RepoNotFound"})
        if revision not in {"main", COMMIT}:
            return self._empty(404, {"X-Error-Code": "RevisionNotFound"})
        content = self.hub.files.get((repo, file))
        if content is None:
            return self._empty(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        facts = {"X-Repo-Commit": COMMIT}
        if (repo, file) in self.hub.git:
            sha = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
            self._head(200, {**facts, "ETag": f'"{sha}"', "Content-Length": str(len(content))})
            if self.command == "GET":
                self.wfile.write(content)
            return None
        sha = hashlib.sha256(content).hexdigest()
        facts |= {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(content)), "ETag": '"not-the-content"'}
        return self._empty(
            302, {**facts, "Location": f"{self.hub.storage_url}/lfs/{repo}/{file}?signature=secret-sign"}
        )


class _Storage(_Handler):
    server_name = "storage"

    def _answer(self) -> None:
        if self.hub.faults.storage_statuses:
            return self._empty(self.hub.faults.storage_statuses.pop(0))
        path = unquote(self.path.split("?")[0])
        if path.startswith("/moved/"):
            return self._empty(302, {"Location": f"{self.hub.storage_url}/plain/{path.removeprefix('/moved/')}"})
        content = self._content(path)
        if content is None:
            return self._empty(404)
        return self._send(content)

    def _content(self, path: str) -> bytes | None:
        if path.startswith("/plain/"):
            content = self.hub.plain.get(path.removeprefix("/plain/"))
        else:
            named = {f"/lfs/{repo}/{file}": content for (repo, file), content in self.hub.files.items()}
            content = named.get(path)
        faults = self.hub.faults
        if content is not None and (faults.wrong_bytes or faults.wrong_once):
            faults.wrong_once = False
            return bytes(255 - byte for byte in content)
        return content

    def _send(self, content: bytes) -> None:
        tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        headers, start, status = {"Accept-Ranges": "bytes"}, 0, 200
        if not self.hub.faults.no_tags:
            headers["ETag"] = tag
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not self.hub.faults.ignore_range and self.headers.get("If-Range", tag) == tag:
            start, status = int(asked.group(1)), 206
            if start >= len(content):
                return self._empty(416)
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(status, {**headers, "Content-Length": str(len(content) - start)})
        return self._body(content[start:]) if self.command == "GET" else None

    def _body(self, content: bytes) -> None:
        faults = self.hub.faults
        last = faults.breaks.pop(0) if faults.breaks else len(content)
        try:
            for begin in range(0, min(last, len(content)), BLOCK):
                self.wfile.write(content[begin : min(begin + BLOCK, last)])
                time.sleep(faults.pause_s)
        except OSError:  # the client went away, which tests do on purpose
            self.close_connection = True
        if last < len(content):
            self.close_connection = True
