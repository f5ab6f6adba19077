"""How much traffic a policy gets: `control.json` beside it, and an environment variable that shuts everything off."""

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.errors import DataError
from harness.records.route import RouteControl

__all__ = ["CONTROL", "OFF_VARIABLE", "Control", "held_back", "in_share", "read_control", "write_control"]

CONTROL: Final = "control.json"
OFF_VARIABLE: Final = "HARNESS_ROUTER_OFF"
"""Environment variable: set to anything but 0, false, no or nothing, the backbone answers all."""
_LOG = logging.getLogger("harness.router")
_YOUNG_NS: Final = 2_000_000_000
"""A file that was changed so lately may change again without its time and size telling."""
_LOOK_S: Final = 0.1


def read_control(folder: Path) -> RouteControl:
    """What the file in a policy's folder says. Raises DataError where it is missing or damaged."""
    path = folder / CONTROL
    try:
        return RouteControl.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f'{path} is missing; write one such as {{"mode": "shadow"}}') from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: {where}: {first['msg']}") from None


def write_control(folder: Path, control: RouteControl) -> None:
    """Puts the file into place at once: whoever reads sees the old or the new one. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".control-", suffix=".json")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(control.model_dump_json(indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(folder / CONTROL)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def in_share(name: str, share: float, salt: str) -> bool:
    """Whether a name is in a share of all names: always the same answer, and still yes when the share grows.

    salt: shares with different salts are drawn apart.
    >>> in_share("session 7", 1.0, "canary"), in_share("session 7", 0.0, "canary")
    (True, False)
    """
    digest = hashlib.blake2b(f"{salt}\0{name}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


def held_back(control: RouteControl, policy: str, call: str, session: str | None, *, sticks: bool) -> str | None:
    """Why the backbone answers a call whatever the policy says; None: the policy decides.

    policy: its name, so that canaries of different policies are different sessions. call: its id, which stands for it
    where no session is named. sticks: whether the session was handed to the backbone before.
    """
    if control.mode in {"off", "shadow"}:
        return control.mode
    if control.mode == "canary" and not in_share(session or call, control.share, f"canary {policy}"):
        return "not in the canary"
    return "sticky" if sticks and control.sticky else None


class Control:
    """The control file of a running program: looked at ten times a second at most, read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet."""
        self._path = folder / CONTROL
        self._folder = folder
        self._known: tuple[int, int, int] | None = None
        self._found = RouteControl(mode="off")
        self._next_look = 0.0
        self._warned: str | None = None

    def now(self) -> RouteControl:
        """What holds at this moment. A missing or damaged file means `off`, with one warning; never raises."""
        if os.environ.get(OFF_VARIABLE, "").strip().lower() not in {"", "0", "false", "no"}:
            return RouteControl(mode="off")
        at = time.monotonic()
        if at >= self._next_look:
            self._next_look = at + _LOOK_S
            self._look()
        return self._found

    def _look(self) -> None:
        try:
            seen = self._path.stat()
        except OSError:
            seen = None
        key = None if seen is None else (seen.st_mtime_ns, seen.st_size, seen.st_ino)
        if key is not None and key == self._known:
            return
        try:
            self._found = read_control(self._folder)
            self._warned = None
        except DataError as error:
            self._found = RouteControl(mode="off")
            if str(error) != self._warned:
                self._warned = str(error)
                _LOG.warning("routing is off, the backbone answers all calls: %s", error)
        young = seen is not None and time.time_ns() - seen.st_mtime_ns < _YOUNG_NS
        self._known = None if young else key
