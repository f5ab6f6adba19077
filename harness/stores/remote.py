"""A folder in a store that fsspec speaks to, with errors in our words and no secret in any of them.

Credentials come from where the store's own programs take them (environment, profile, role), never from an address.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from harness.backends.blame import without_shapes
from harness.errors import BackendError, ConfigError, DataError, extra

__all__ = ["Remote", "check_address", "is_address", "opened_remote", "told"]

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
"""Stores in which an object is there whole or not at all; elsewhere a draft is renamed."""
_BLOCK: Final = 1 << 20


def is_address(text: str) -> bool:
    """Whether a path names a place in a store rather than on this machine."""
    return _ADDRESS.match(text) is not None


def check_address(url: str, key: str) -> None:
    """Nothing for an address without credentials. Raises ConfigError otherwise; the address is not repeated then."""
    if not is_address(url):
        raise ConfigError(f"{key}={url} is no address; give one such as s3://bucket/folder")
    parts = urlsplit(url)
    if "@" in parts.netloc or "?" in url:
        raise ConfigError(
            f"{key} holds credentials or a query, which would stand in logs and shells; leave them out, and give them "
            "as the store's own programs take them (for S3: AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3)"
        )


@dataclass(frozen=True, slots=True)
class Remote:
    """A folder in a store."""

    url: str
    files: Any
    """fsspec's file system."""
    base: str
    """The folder as that names it."""

    def path(self, *parts: str) -> str:
        """A place within the folder."""
        return "/".join((self.base.rstrip("/"), *parts))

    def names(self, folder: str, end: str) -> list[str]:
        """Names of the files in a folder that end so, sorted; none where there is no such folder."""
        with self._told():
            try:
                found = self.files.ls(self.path(folder), detail=False, refresh=True)
            except FileNotFoundError:
                return []
        return sorted(name for one in found if (name := str(one).rstrip("/").rpartition("/")[2]).endswith(end))

    def size(self, *parts: str) -> int | None:
        """Bytes of a file; None where it is not there."""
        with self._told():
            try:
                self.files.invalidate_cache(self.files._parent(self.path(*parts)))
                return int(self.files.info(self.path(*parts))["size"])
            except FileNotFoundError:
                return None

    def read(self, *parts: str) -> bytes:
        """A small file. Raises DataError where it is not there."""
        with self._told():
            return bytes(self.files.cat_file(self.path(*parts)))

    def write(self, data: bytes, *parts: str) -> None:
        """A small file, whole or not at all."""
        target = self.path(*parts)
        with self._told():
            if self._whole:
                self.files.pipe_file(target, data)
                return
            self.files.makedirs(self.files._parent(target), exist_ok=True)
            self.files.pipe_file(f"{target}.part", data)
            self.files.mv(f"{target}.part", target)

    def upload(self, file: Path, *parts: str) -> None:
        """A file of any size, block by block, whole or not at all."""
        target = self.path(*parts)
        with self._told():
            if not self._whole:
                self.files.makedirs(self.files._parent(target), exist_ok=True)
            draft = target if self._whole else f"{target}.part"
            with file.open("rb") as source, self.files.open(draft, "wb") as out:
                while block := source.read(_BLOCK):
                    out.write(block)
            if not self._whole:
                self.files.mv(draft, target)

    def download(self, target: Path, *parts: str) -> str:
        """Writes a file of any size to this machine, block by block; returns its SHA-256 in hex."""
        return self.fetch(self.path(*parts), target)

    def fetch(self, place: str, target: Path) -> str:
        """The same for a place as fsspec names it."""
        digest = hashlib.sha256()
        with target.open("wb") as out:
            for block in self._blocks(place):
                digest.update(block)
                out.write(block)
        return digest.hexdigest()

    def _blocks(self, place: str) -> Iterator[bytes]:
        with self._told(), self.files.open(place, "rb") as source:
            while block := source.read(_BLOCK):
                yield block

    @property
    def _whole(self) -> bool:
        protocol = self.files.protocol
        return bool(_WHOLE & {protocol, *(() if isinstance(protocol, str) else protocol)})

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(self.url):
            yield


@contextmanager
def told(url: str) -> Iterator[None]:
    """Failures of a store in our words. What is wrong on this machine's disk is said as such."""
    try:
        yield
    except (BackendError, DataError):
        raise
    except FileNotFoundError as error:
        raise DataError(f"{url}: not there ({_words(error)}); check the address, and that the bucket exists") from None
    except PermissionError as error:
        raise BackendError(f"{url}: access refused ({_words(error)}); check credentials and rights") from None
    except Exception as error:  # each store has errors of its own; every one ends in one line
        raise BackendError(f"{url} cannot be reached ({_words(error)}); check address, network and rights") from None


def _words(error: Exception) -> str:
    said = " ".join(without_shapes(str(error)).split())
    return f"{type(error).__name__}: {said[:160]}" if said else type(error).__name__


def opened_remote(url: str, key: str) -> Remote:
    """A folder in a store. Raises ConfigError for an address that is none or whose store needs a package.

    key: what the address was typed as, for messages.
    """
    check_address(url, key)
    try:
        import fsspec
    except ModuleNotFoundError:
        raise ConfigError(f"{key}={url} needs the package fsspec: {extra('stores')}") from None
    try:
        files, base = fsspec.core.url_to_fs(url)
    except ValueError as error:
        raise ConfigError(
            f"{key}={url}: {_words(error)}; known are s3://, gs://, abfs://, file:// and others"
        ) from None
    except ImportError as error:
        scheme = url.partition("://")[0]
        how = extra("stores") if scheme.startswith("s3") else f"pip install 'fsspec[{scheme}]'"
        raise ConfigError(f"{key}={url} needs the package {error.name or 'of that store'}: {how}") from None
    except Exception as error:  # a profile or region that is not there, in the words of each store
        raise ConfigError(f"{key}={url} cannot be opened ({_words(error)})") from None
    return Remote(url.rstrip("/"), files, str(base))
