"""Whether the times of two runs say anything about each other."""

from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from harness.gate.side import FILES, TIMES_FILE, Side
from harness.records.gate import GateRun
from harness.records.manifest import MachineFacts

__all__ = ["Times", "compare_times"]

_MEMORY = 0.02
"""Kernels keep a little of the memory for themselves, not the same at each start."""
_LOAD = ("run.concurrency", "run.arrival.kind", "run.arrival.rate_per_s", "run.arrival.speedup", "hardware.name")


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of two runs compare, in a sentence."""

    how: Literal["job", "machine", "refused"]
    why: str


def compare_times(
    baseline: Side, candidate: Side, names: tuple[str, str] = ("the baseline", "the candidate")
) -> Times:  # fmt: skip
    """`job`: attempts took turns. `machine`: apart, on machines with equal facts under equal load. Else refused.

    names: what the two are called in the sentence.
    """
    first, second = baseline.run, candidate.run
    if first.job == second.job and first.run != second.run:
        return Times("job", "measured in one job, attempts in turn")
    reason = _load(first, second, names) or _place(first, second, names)
    reason = reason or _machine(first, second, names[0])
    if reason is not None:
        return Times("refused", reason)
    return Times(
        "machine",
        "measured in two jobs on machines with equal facts: what else ran on them is not in the intervals "
        "(side by side: model=[a,b], or gate.beside)",
    )


def _load(first: GateRun, second: GateRun, names: tuple[str, str]) -> str | None:
    for key in _LOAD:
        one, other = _setting(first, key), _setting(second, key)
        if one != other:
            return f"{key} is {one} in {names[0]} and {other} in {names[1]}"
    return None


def _place(first: GateRun, second: GateRun, names: tuple[str, str]) -> str | None:
    for run, whose in zip((first, second), names, strict=True):
        if run.backend in FILES - {TIMES_FILE}:
            return f"{whose} is a file of {run.backend}, which tells no machine"
        if run.backend == "recorded":
            return f"{whose} is on record: it was not timed here"
        if run.hosted or not run.local:
            return f"{whose} was answered by a server ({run.backend}) of which the machine is not known"
    return None


def _machine(one_run: GateRun, other_run: GateRun, whose: str) -> str | None:
    first, second = one_run.machine, other_run.machine
    files = one_run.backend == other_run.backend == TIMES_FILE
    told = [f"{name} {one} and {other}" for name, one, other in _facts(first, second) if one != other]
    if (first.gpus or second.gpus) and (first.gpus, first.gpu_driver) != (second.gpus, second.gpu_driver):
        told.append(f"graphics {_cards(first)} and {_cards(second)}")
    if files and first.python != second.python:  # it is Python that such a file has timed
        told.append(f"Python {first.python} and {second.python}")
    memory = (first.memory_bytes, second.memory_bytes)
    if files and memory == (None, None):  # pytest-benchmark does not tell it
        pass
    elif None in memory:
        told.append("memory not known")
    elif abs((memory[0] or 0) - (memory[1] or 0)) > _MEMORY * (memory[0] or 0):
        told.append(f"memory {_gib(memory[0])} and {_gib(memory[1])}")
    return f"{whose} was made on another machine ({'; '.join(told)})" if told else None


def _facts(first: MachineFacts, second: MachineFacts) -> list[tuple[str, str, str]]:
    return [
        (name, str(getattr(first, name)), str(getattr(second, name))) for name in ("system", "cpu", "cores")
    ]  # fmt: skip


def _cards(facts: MachineFacts) -> str:
    if not facts.gpus:
        return "none known"
    return f"{' + '.join(facts.gpus)} (driver {facts.gpu_driver or 'not known'})"


def _gib(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"


def _setting(run: GateRun, key: str) -> JsonValue:
    """A key of the run's configuration; None where it has none."""
    node: JsonValue = run.config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node
