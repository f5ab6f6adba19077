"""Pseudonyms: one surrogate for each value and kind, under a key that is in no artefact."""

import base64
import io
import json
import os
import secrets
import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from harness.config.pii import SECRET_KINDS
from harness.curate.surrogates.dead import dead, is_dead
from harness.curate.surrogates.kinds import stands_for, stays
from harness.curate.surrogates.network import addresses, mac
from harness.curate.surrogates.words import Words
from harness.errors import ConfigError

__all__ = ["KEY_VARIABLE", "Pseudonyms", "Scope", "private_file", "pseudonym_key", "write_private"]

KEY_VARIABLE = "HARNESS_PSEUDONYM_KEY"
Scope = Literal["project", "session"]
_LEAST = 32
_SCOPES = 256
_REMEMBERED = 100_000


def private_file(name: str) -> Path:
    """A file of this project (the current folder) in the user's own state folder, outside of whatever it writes."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    project = blake2b(str(Path.cwd()).encode(), digest_size=6).hexdigest()
    return state / "slm-harness" / project / name


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read (0600), in place of one that is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put_private(path, text.encode())


def _put_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)


def pseudonym_key(variable: str | None = None, file: str | None = None) -> bytes:
    """The key: from a variable (HARNESS_PSEUDONYM_KEY where none is named), a file, or this project's own, made once.

    Raises ConfigError where the variable is empty, the file cannot be read or others can read it, or the key is short.
    """
    if variable or (file is None and os.environ.get(KEY_VARIABLE)):
        text = os.environ.get(variable or KEY_VARIABLE, "")
        return _key(text, f"the variable {variable or KEY_VARIABLE}")
    path = private_file("pseudonyms.key") if file is None else Path(file).expanduser()
    if file is None and not path.exists():
        write_private(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"curate.key_file={path} cannot be read: {error}; make one: openssl rand -base64 32"
        ) from None
    if mode & 0o077:
        raise ConfigError(f"curate.key_file={path} can be read by others (mode {mode:04o}): chmod 600 {path}")
    return _key(text, str(path))


def _key(text: str, where: str) -> bytes:
    if len(text.strip()) < _LEAST:
        raise ConfigError(
            f"{where} holds a key of {len(text.strip())} characters, {_LEAST} are the least: openssl rand -base64 32"
        )
    return blake2b(text.strip().encode(), digest_size=32, person=b"slm-pseudonyms").digest()


def _encrypted(rows: Sequence[Mapping[str, str]], key: bytes) -> bytes:
    """Rows of texts as an encrypted Parquet file."""
    import pyarrow as pa  # only where a map is asked for
    import pyarrow.parquet as pq
    import pyarrow.parquet.encryption as pe

    table = pa.Table.from_pylist(
        [dict(row) for row in rows], pa.schema([(name, pa.string()) for name in ("kind", "surrogate", "value")])
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", encryption_properties=pe.create_encryption_properties(key))
    return buffer.getvalue()


@dataclass(slots=True)
class _Scoped:
    """What one scope has given out."""

    key: bytes
    words: Words
    given: dict[tuple[str, str], str] = field(default_factory=dict)


class Pseudonyms:
    """Surrogates for values. `project`: the same in all sessions. `session`: of one session alone.

    Nearly all are computed from the key, not kept, so that the same value has the same surrogate in the next run too.
    Addresses of machines and secrets are drawn, and what was drawn is kept while this lives, so that no two meet.
    """

    def __init__(
        self,
        key: bytes,
        scope: Scope = "project",
        restore_map: Path | None = None,
        restore_key: bytes | None = None,
    ) -> None:
        """restore_key: 32 bytes that the restore map is encrypted with; None: it is in the clear."""
        if restore_map is not None and restore_map.expanduser().resolve().is_relative_to(Path.cwd()):
            raise ConfigError(
                f"curate.restore_map={restore_map} lies in the project; choose a file outside of {Path.cwd()}"
            )
        self._key = key
        self._scope = scope
        self._restore = restore_map
        self._restore_key = restore_key
        self._back: dict[tuple[str, str], str] = {}
        self._scopes: OrderedDict[str, _Scoped] = OrderedDict()
        self._drawn: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def of(self, kind: str, value: str, session: str | None = None) -> str:
        """What stands for a value; itself for a title, a state, a public site, a dead secret."""
        name = (session or "") if self._scope == "session" else ""
        scope = self._scoped(name)
        known = scope.given.get((kind, value))
        if known is None:
            known = self._make(name, scope, kind, value)
            if len(scope.given) >= _REMEMBERED:
                scope.given.clear()
            scope.given[kind, value] = known
            if self._restore is not None and known != value:
                self._back[kind, known] = value
        return known

    def close(self) -> None:
        """Writes the restore map, where one is asked for: readable by its owner alone.

        JSON lines in the clear, or with a key Parquet encrypted as the store's files are.
        """
        if self._restore is None:
            return
        rows = [{"kind": kind, "surrogate": new, "value": old} for (kind, new), old in self._back.items()]
        path = self._restore.expanduser()
        if self._restore_key is None:
            write_private(path, "\n".join((*map(json.dumps, rows), "")))
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put_private(path, _encrypted(rows, self._restore_key))

    def _scoped(self, name: str) -> _Scoped:
        scope = self._scopes.get(name)
        if scope is None:
            key = blake2b(name.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()
            scope = self._scopes[name] = _Scoped(key, Words(key))
            if len(self._scopes) > _SCOPES:
                self._scopes.popitem(last=False)
        else:
            self._scopes.move_to_end(name)
        return scope

    def _make(self, name: str, scope: _Scoped, kind: str, value: str) -> str:
        if stays(kind, value):
            return value
        if kind == "EMAIL_ADDRESS" and "%40" in value and "@" not in value:
            return self.of(kind, value.replace("%40", "@"), name).replace("@", "%40")
        if kind == "IP_ADDRESS":
            return self._draw(name, value, addresses(scope.words, value))
        if kind == "MAC_ADDRESS":
            return self._draw(name, value, mac(scope.words, value))
        if kind == "URL_CREDENTIALS":
            user, mark, password = value.partition(":")
            return scope.words.phrase(user) + mark + self._secret(name, scope, password, prefixed=False)
        if kind in SECRET_KINDS:
            return self._secret(name, scope, value, prefixed=kind != "PASSWORD")
        return stands_for(scope.words, kind, value)

    def _secret(self, name: str, scope: _Scoped, value: str, *, prefixed: bool) -> str:
        return value if is_dead(value) else self._draw(name, value, dead(scope.key, value, prefixed=prefixed))

    def _draw(self, scope: str, value: str, candidates: Iterator[str]) -> str:
        """The first that is not taken by another value, and is not the value."""
        known = self._drawn.get((scope, value))
        if known is not None:
            return known
        try:
            drawn = next((one for one in candidates if one != value and (scope, one) not in self._taken), value)
        except ValueError:  # no address after all: whatever looked like one is as good as an id
            drawn = self._scoped(scope).words.mixed(value)
        self._drawn[scope, value] = drawn
        self._taken.add((scope, drawn))
        return drawn
