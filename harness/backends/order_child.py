"""One order for a program in another Python: started by path, told in a line of JSON, heard in lines of JSON."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["QUIET", "Answer", "order_child"]

QUIET: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
"""Environment in which transformers fetches nothing and says nothing."""
_KEPT: Final = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said, and how it ended."""

    said: dict[str, Any]
    """Its last line of JSON; empty: it said nothing."""
    code: int
    last: str
    """The last line of its log."""

    @property
    def end(self) -> str:
        """How it ended, for a sentence about a program that did not answer."""
        how = f"was ended by signal {-self.code}" if self.code < 0 else f"ended with {self.code}"
        return f"the child {how}{'; out of memory?' if self.code == -9 else ''}: {self.last}"


def order_child(
    python: Path, program: Path, order: Mapping[str, Any], hear: Callable[[dict[str, Any]], None] | None = None
) -> Answer:
    """The answer to one order, to which `parent` is added; `hear` is told each line on the way.

    Blocks. The child's input stays open until it has ended, and the child is killed where this is interrupted. Raises
    OSError where that Python cannot be started.
    """
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [str(python), "-P", "-X", "utf8", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **QUIET},
            start_new_session=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it ended before it read: its log says why
                child.stdin.write(json.dumps({**order, "parent": os.getpid()}).encode() + b"\n")
                child.stdin.flush()
            said = _heard(child.stdout, hear)
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            with suppress(BrokenPipeError):
                child.stdin.close()
            child.stdout.close()
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
    return Answer(said, code, lines[-1][:_KEPT] if lines else "no word")


def _heard(lines: IO[bytes], hear: Callable[[dict[str, Any]], None] | None) -> dict[str, Any]:
    """The last line that is a JSON object."""
    found: dict[str, Any] = {}
    for line in lines:
        with suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict):
                found = told
                if hear is not None:
                    hear(told)
    return found
