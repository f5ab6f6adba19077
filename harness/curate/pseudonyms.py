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
from typing import Final, Literal

from harness.config.pii import SECRET_KINDS
from harness.curate.surrogates.dead import dead, is_dead
from harness.curate.surrogates.kinds import stands_for, stays
from harness.curate.surrogates.network import addresses, mac
from harness.curate.surrogates.words import Words
from harness.errors import ConfigError

__all__ = [
    "KEY_VARIABLE",
    "Draws",
    "Noted",
    "Pseudonyms",
    "Scope",
    "key_place",
    "private_file",
    "pseudonym_key",
    "write_private",
]

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


def key_place(variable: str | None = None, file: str | None = None) -> str | None:
    """The file in which `pseudonym_key` finds the key, as other processes find it; None: a variable holds it."""
    if variable or (file is None and os.environ.get(KEY_VARIABLE)):
        return None
    return str((private_file("pseudonyms.key") if file is None else Path(file).expanduser()).resolve())


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


_DRAWN_KINDS: Final = frozenset({"IP_ADDRESS", "MAC_ADDRESS", "URL_CREDENTIALS", *SECRET_KINDS})
How = Literal["ip", "mac", "secret", "password"]
Draws = dict[tuple[str, str], tuple[How, str]]
"""By scope and value, how it was drawn and what; in the order in which that was."""
Noted = dict[tuple[str, str, str], str]
"""By scope, kind and value, what stands for it; in the order in which they came."""


@dataclass(slots=True)
class _Scoped:
    """What one scope has given out, but for what is drawn."""

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
        *,
        noting: bool = False,
    ) -> None:
        """restore_key: 32 bytes that the restore map is encrypted with; None: it is in the clear.

        noting: keeps what a restore map needs, for another to write it.
        """
        if restore_map is not None and restore_map.expanduser().resolve().is_relative_to(Path.cwd()):
            raise ConfigError(
                f"curate.restore_map={restore_map} lies in the project; choose a file outside of {Path.cwd()}"
            )
        self._key = key
        self._scope = scope
        self._restore = restore_map
        self._restore_key = restore_key
        self._noting = noting or restore_map is not None
        self._scopes: OrderedDict[str, _Scoped] = OrderedDict()
        self._taken: set[tuple[str, str]] = set()
        self._given_drawn: dict[tuple[str, str, str], str] = {}
        self.drawn: Draws = {}
        self.noted: Noted = {}

    def begin(self, drawn: Draws) -> None:
        """Forgets what was drawn and noted. drawn: what it is to give where it would draw."""
        self.drawn = dict(drawn)
        self._taken = {(scope, new) for (scope, _), (_, new) in drawn.items()}
        self._given_drawn = {}
        self.noted = {}

    def settle(self, drawn: Draws) -> Draws:
        """What this draws for the values that another drew, in their order: the same, where nothing met."""
        return {(scope, value): (how, self._draw(scope, how, value)) for (scope, value), (how, _) in drawn.items()}

    def of(self, kind: str, value: str, session: str | None = None) -> str:
        """What stands for a value; itself for a title, a state, a public site, a dead secret."""
        name = (session or "") if self._scope == "session" else ""
        if kind == "EMAIL_ADDRESS" and "%40" in value and "@" not in value and not stays(kind, value):
            known = self.of(kind, value.replace("%40", "@"), name).replace("@", "%40")
        elif kind in _DRAWN_KINDS:
            known = self._drawn_of(name, kind, value)
        else:
            known = self._computed(name, kind, value)
        if self._noting:
            self.noted.setdefault((name, kind, value), known)
        return known

    def _drawn_of(self, name: str, kind: str, value: str) -> str:
        known = self._given_drawn.get((name, kind, value))
        if known is None:
            if len(self._given_drawn) >= _REMEMBERED:
                self._given_drawn.clear()
            known = self._given_drawn[name, kind, value] = self._make_drawn(name, kind, value)
        return known

    def _computed(self, name: str, kind: str, value: str) -> str:
        scope = self._scoped(name)
        known = scope.given.get((kind, value))
        if known is None:
            known = value if stays(kind, value) else stands_for(scope.words, kind, value)
            if len(scope.given) >= _REMEMBERED:
                scope.given.clear()
            scope.given[kind, value] = known
        return known

    def close(self) -> None:
        """Writes the restore map, where one is asked for: readable by its owner alone.

        JSON lines in the clear, or with a key Parquet encrypted as the store's files are.
        """
        if self._restore is None:
            return
        back = {(kind, new): value for (_, kind, value), new in self.noted.items() if new != value}
        rows = [{"kind": kind, "surrogate": new, "value": old} for (kind, new), old in back.items()]
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

    def _make_drawn(self, name: str, kind: str, value: str) -> str:
        if stays(kind, value):
            return value
        if kind == "IP_ADDRESS":
            return self._draw(name, "ip", value)
        if kind == "MAC_ADDRESS":
            return self._draw(name, "mac", value)
        if kind == "URL_CREDENTIALS":
            user, mark, password = value.partition(":")
            return self._scoped(name).words.phrase(user) + mark + self._secret(name, "password", password)
        return self._secret(name, "password" if kind == "PASSWORD" else "secret", value)

    def _secret(self, name: str, how: How, value: str) -> str:
        return value if is_dead(value) else self._draw(name, how, value)

    def _draw(self, name: str, how: How, value: str) -> str:
        """The first that is not taken by another value, and is not the value."""
        known = self.drawn.get((name, value))
        if known is not None:
            return known[1]
        candidates = _candidates(self._scoped(name), how, value)
        try:
            drawn = next((one for one in candidates if one != value and (name, one) not in self._taken), value)
        except ValueError:  # no address after all: whatever looked like one is as good as an id
            drawn = self._scoped(name).words.mixed(value)
        self.drawn[name, value] = how, drawn
        self._taken.add((name, drawn))
        return drawn


def _candidates(scope: _Scoped, how: How, value: str) -> Iterator[str]:
    if how == "ip":
        return addresses(scope.words, value)
    if how == "mac":
        return mac(scope.words, value)
    return dead(scope.key, value, prefixed=how == "secret")
