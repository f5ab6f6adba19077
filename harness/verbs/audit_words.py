"""What was typed, for the page: the command that makes the audit, and one that makes each step alone."""

import re
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

from harness.backends.blame import without_shapes

__all__ = ["audit_command", "model_commands", "typed"]

_SEVERAL: Final = re.compile(r"(model|model\.name|model\.protocol)=\[(.*)\]")
_BEFORE: Final = ("do=", "logs", "store.", "curate.", "pii.", "cluster.", "build.", "replay.", "suite=", "suite.path=")
_AFTER: Final = ("audit.", "select.", "stats")
_SPECIAL: Final = re.compile(r"[\s\[\]{}*?$&;<>|()\"'#!]")


def typed() -> list[str]:
    """The words of this process that set something, as a person may see them: without folders that only this machine
    has, and without what looks like a key.
    """
    return [_plain(word) for word in sys.orig_argv[1:] if "=" in word and not word.startswith("-")]


def _plain(word: str) -> str:
    key, _, value = word.partition("=")
    return without_shapes(f"{key}={_relative(value)}")


def _relative(value: str) -> str:
    """A path within the current folder from there, any other absolute path by its last name."""
    path = Path(value)
    if not value.startswith(("/", "~")) or "," in value:
        return value
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else f"…/{path.name}"


def audit_command(words: Sequence[str]) -> str:
    """The whole audit."""
    return _command(words)


def model_commands(words: Sequence[str], suite: Sequence[str]) -> list[str]:
    """For each model of the command, in its order, what puts the suite to it alone. suite: the words that choose it."""
    own = [word for word in words if not word.startswith((*_BEFORE, *_AFTER))]
    lists = {match[1]: _names(match[2]) for word in own if (match := _SEVERAL.fullmatch(word)) and _names(match[2])}
    rest = [word for word in own if word.partition("=")[0] not in lists]
    each = product(*([f"{key}={name}" for name in names] for key, names in lists.items()))
    return [_command([*suite, *one, *rest]) for one in each]


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip(" '\"") for name in text.split(",") if name.strip()))


def _command(words: Sequence[str]) -> str:
    return " ".join(["python -m harness", *(f"'{word}'" if _SPECIAL.search(word) else word for word in words)])
