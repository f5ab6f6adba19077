"""One thing that the doctor looked at, and the small steps that several looks share."""

import http.client
import json
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "ask_loopback", "ask_program"]

State = Literal["ok", "missing", "no"]
"""`no`: not there, and nothing to mend: a machine without a GPU."""

_CONNECT_S, _ANSWER_S, _PROGRAM_S = 0.2, 0.6, 1.5


@dataclass(frozen=True, slots=True)
class Check:
    """A finding: never a key's value, never a path."""

    area: str
    name: str
    state: State
    seen: str
    get: str = ""
    """What to type to have it."""


def ask_loopback(port: int, path: str) -> dict[str, object] | None:
    """The JSON object that a server on 127.0.0.1 answers; empty for another answer; None where nothing listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_S).close()
    except OSError:
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        read = json.loads(connection.getresponse().read(1 << 20))
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return read if isinstance(read, dict) else {}


def ask_program(command: Sequence[str]) -> str | None:
    """What a program prints within a second and a half; None where it is not there, fails or takes longer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROGRAM_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
