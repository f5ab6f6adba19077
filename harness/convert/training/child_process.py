"""The child that trains, as its starter sees it: an order in a file, lines of progress, an answer at the end."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

from harness.backends.order_child import QUIET
from harness.backends.process import reason_in_log
from harness.errors import BackendError

__all__ = ["run_child"]

_CHILD: Final = Path(__file__).with_name("child.py")
_LOOK_S: Final = 0.1
_LAST: Final = 8192
_END_S: Final = 300.0
"""For the step that it is in, and a checkpoint."""
_QUIET: Final = {**QUIET, "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONWARNINGS": "ignore"}


def run_child(python: Path, order: Mapping[str, Any], look: Callable[[], None]) -> dict[str, Any]:
    """What the child said at its end, which it was given the order's folder for.

    look: called a few times a second while it works. An exception out of it, Ctrl-C first of all, lets the child end
    in order, with a checkpoint, before it goes on. Raises BackendError where the child fails.
    """
    out = Path(order["out"])
    said, file = out / "said.json", out / "order.json"
    said.unlink(missing_ok=True)
    file.write_text(json.dumps({**order, "said": str(said), "parent": os.getpid()}), encoding="utf-8")
    with tempfile.TemporaryFile() as log:
        child = _started(python, order, file, log)
        try:
            while child.poll() is None:
                look()
                time.sleep(_LOOK_S)
            look()
        except BaseException:
            if not order.get("probe"):  # of steps that are thrown away there is nothing to keep
                _ended_in_order(child)
            raise
        finally:
            _ended(child)
            file.unlink(missing_ok=True)  # it names folders of this machine
        if said.is_file():
            answer: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
            said.unlink()
            if "error" not in answer:
                return answer
            raise BackendError(_failed(str(answer["kind"]), str(answer["error"])))
        raise BackendError(_died(child.returncode, _last_words(log)))


def _started(python: Path, order: Mapping[str, Any], file: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    words = [str(python), "-P", "-X", "utf8"]
    if order["processes"] > 1:
        words += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(order["processes"])]
    try:
        return subprocess.Popen(
            [*words, str(_CHILD), str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, **_QUIET}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise BackendError(f"{python.name} cannot be started ({error.strerror}): make train-env") from None


def _ended_in_order(child: "subprocess.Popen[bytes]") -> None:
    """Lets it finish the step that it is in; a second Ctrl-C does not wait."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_END_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.kill()


def _ended(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.kill()
    child.wait()


def _last_words(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _LAST))
    return log.read().decode(errors="replace")


def _failed(kind: str, text: str) -> str:
    told = " ".join(text.split())[:300]
    if kind in {"ImportError", "ModuleNotFoundError"}:
        return (
            f"training cannot begin ({told}): make train-env, or name a Python that has it, convert.training.python=…"
        )
    if "out of memory" in told.lower():
        return f"the memory did not do ({told}); type {SMALLER}"
    return f"training ended with {kind}: {told}"


SMALLER: Final = "convert.training.batch=1 convert.training.accumulate=8, or convert.training.checkpointing=true"
"""What to type where the memory does not do."""


def _died(code: int, log: str) -> str:
    if code == -signal.SIGKILL:
        return f"the process that trains was killed, most likely for its memory; type {SMALLER}; it goes on from here"
    lines = [one for one in log.strip().splitlines() if one.strip()]
    reason = reason_in_log(log) or (lines[-1][:300] if lines else "it said nothing")
    return f"the process that trains ended with {code}: {reason}"
