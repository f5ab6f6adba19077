"""The key of an encrypted store: 32 random bytes from the environment or from a file that nobody else can read."""

import base64
import binascii
import os
import re
import stat
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from harness.errors import ConfigError

__all__ = ["KEY_VARIABLE", "StoreKey", "key_from_text", "store_key"]

KEY_VARIABLE: Final = "HARNESS_STORE_KEY"
_BYTES: Final = 32
_FEWEST_DISTINCT: Final = 12
"""Distinct bytes of 32 random ones: fewer come up once in 10^15 keys, and always in one that somebody typed."""
_MOST_FILE_BYTES: Final = 4096
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_MAKE: Final = "make one with `openssl rand -base64 32`"


@dataclass(frozen=True, slots=True)
class StoreKey:
    """An AES-256 key. It never shows itself in a message or a traceback."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name of the key, which tells nothing of it: 16 hex digits."""
        return blake2b(self.secret, digest_size=8, person=b"slm-store-key").hexdigest()

    @property
    def base64(self) -> str:
        """The key as DuckDB's `add_parquet_key` takes it."""
        return base64.b64encode(self.secret).decode()

    def pseudonym(self, text: str) -> str:
        """A name for a text that only who has the key can find again: 16 hex digits."""
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self.secret, digest_size=8).hexdigest()


def key_from_text(text: str, where: str) -> StoreKey:
    """The key that a text holds in hex (64 digits) or base64 (44 characters). Raises ConfigError, without the text."""
    text = text.strip()
    try:
        secret = bytes.fromhex(text) if _HEX.fullmatch(text) else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{where} holds no key: 32 bytes in base64 or hex are wanted; {_MAKE}") from None
    if len(secret) != _BYTES:
        raise ConfigError(f"{where} holds a key of {len(secret)} bytes; it has to be {_BYTES}; {_MAKE}")
    if len(set(secret)) < _FEWEST_DISTINCT:
        raise ConfigError(f"{where} holds a key that is not random; {_MAKE}")
    return StoreKey(secret)


def store_key(variable: str | None, file: str | None, prefix: str = "store.") -> StoreKey | None:
    """The key that is configured, or None where none is.

    variable: name of an environment variable; None: HARNESS_STORE_KEY, where it is set and no file is named.
    Raises ConfigError where both are given, the variable is not set, or the file is missing or open to others.
    """
    if variable and file:
        raise ConfigError(f"{prefix}key_env and {prefix}key_file are both given; give one")
    if file:
        return key_from_text(_closed_text(Path(file).expanduser(), f"{prefix}key_file"), f"{prefix}key_file={file}")
    if variable:
        if not os.environ.get(variable):
            raise ConfigError(f"{prefix}key_env={variable}, but that variable is not set: export {variable}=…")
        return key_from_text(os.environ[variable], f"the variable {variable}")
    if prefix == "store." and os.environ.get(KEY_VARIABLE):
        return key_from_text(os.environ[KEY_VARIABLE], f"the variable {KEY_VARIABLE}")
    return None


def _closed_text(path: Path, option: str) -> str:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if mode & 0o077 or not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"{option}={path} can be read by others (mode {mode:04o}): chmod 600 {path}")
            return file.read(_MOST_FILE_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(f"{option}={path} cannot be read: {error.strerror}") from None
