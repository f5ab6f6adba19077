"""Starts the child that merges and writes, and reads what it says."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from harness.backends.llamacpp_plan import usable_cores
from harness.backends.order_child import Answer, order_child
from harness.errors import BackendError

__all__ = ["ordered"]

_CHILD = Path(__file__).with_name("child.py")


def ordered(
    python: Path, do: str, order: Mapping[str, JsonValue], on_share: Callable[[float], None]
) -> dict[str, JsonValue]:
    """What the child answers to one order (`child.py`); tells the share that is done. Blocks; the child ends with this.

    Raises BackendError in one line where that Python lacks a package, or what was asked cannot be done.
    """

    def hear(said: dict[str, Any]) -> None:
        if isinstance(share := said.get("share"), float | int):
            on_share(float(share))

    try:
        answer = order_child(python, _CHILD, {**order, "do": do, "threads": usable_cores()}, hear)
    except OSError as error:
        raise BackendError(f"{python.name} cannot be started ({error.strerror}): make train-env") from None
    done = answer.said.get("done")
    if isinstance(done, dict):
        return done
    raise BackendError(_why(do, answer, python))


_DOING = {
    "merge": "the adapter cannot be merged",
    "gguf": "no GGUF file can be written",
    "adapter": "the adapter cannot be written as GGUF",
    "delta": "what is left of the training cannot be measured",
}


def _why(do: str, answer: Answer, python: Path) -> str:
    what, said = _DOING.get(do, do), answer.said
    if "error" not in said:
        return f"{what}: {answer.end}"
    text = " ".join(str(said["error"]).split())[:300]
    if said.get("kind") in {"ImportError", "ModuleNotFoundError"}:
        return (
            f"{what}: {python.parent.parent.name}'s Python lacks a package ({text}): make train-env, or name a Python "
            "that has it: convert.training.python=…"
        )
    return f"{what}: {text}"
