"""Starts the child that merges and writes, and reads what it says."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from harness.backends.llamacpp_plan import usable_cores
from harness.errors import BackendError

__all__ = ["ordered"]

_CHILD = Path(__file__).with_name("child.py")
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def ordered(
    python: Path, do: str, order: Mapping[str, JsonValue], on_share: Callable[[float], None]
) -> dict[str, JsonValue]:
    """What the child answers to one order (`child.py`); tells the share that is done. Blocks; the child ends with this.

    Raises BackendError in one line where that Python lacks a package, or what was asked cannot be done.
    """
    words: dict[str, JsonValue] = {**order, "do": do, "parent": os.getpid(), "threads": usable_cores()}
    with tempfile.TemporaryFile() as log:
        try:
            child = subprocess.Popen(
                [str(python), "-P", "-X", "utf8", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **_QUIET},
                start_new_session=True,
            )
        except OSError as error:
            raise BackendError(f"{python.name} cannot be started ({error.strerror}): make train-env") from None
        said: dict[str, JsonValue] = {}
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            with child.stdin, child.stdout:
                child.stdin.write(json.dumps(words).encode() + b"\n")
                child.stdin.close()
                for line in child.stdout:
                    said = json.loads(line)
                    if isinstance(share := said.get("share"), float | int):
                        on_share(float(share))
            code = child.wait()
        finally:
            if child.poll() is None:  # we were interrupted
                child.kill()
                child.wait()
        log.seek(0)
        last = log.read().decode(errors="replace").strip().splitlines()
    done = said.get("done")
    if isinstance(done, dict):
        return done
    raise BackendError(_why(do, said, code, last[-1][:300] if last else "no word", python))


_DOING = {
    "merge": "the adapter cannot be merged",
    "gguf": "no GGUF file can be written",
    "adapter": "the adapter cannot be written as GGUF",
    "delta": "what is left of the training cannot be measured",
}


def _why(do: str, said: Mapping[str, JsonValue], code: int, last: str, python: Path) -> str:
    what = _DOING.get(do, do)
    if "error" not in said:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        return f"{what}: the child {how}{'; out of memory?' if code == -9 else ''}: {last}"
    text = " ".join(str(said["error"]).split())[:300]
    if said.get("kind") in {"ImportError", "ModuleNotFoundError"}:
        return (
            f"{what}: {python.parent.parent.name}'s Python lacks a package ({text}): make train-env, or name a Python "
            "that has it: convert.training.python=…"
        )
    return f"{what}: {text}"
