"""What a run was made on and with, in single words: for columns, filters and conditions."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from harness.report.formats import memory
from harness.report.view import RunView

__all__ = ["Facets", "config_text", "engine_of", "facets_of", "hardware_of", "licence_of", "parameters_of", "where_of"]

Where = Literal["local", "hosted", "on record"]
_LICENCES: Final[frozenset[str | None]] = frozenset({None, "unknown"})


@dataclass(frozen=True, slots=True)
class Facets:
    """What rows are filtered by; empty where it is not known."""

    where: str
    size: str
    """Parameters, as a number."""
    licence: str
    hardware: str


def config_text(config: dict[str, JsonValue], *path: str) -> str | None:
    """The text or number at a path of a run's configuration; None if it is not there."""
    value: JsonValue = config
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def where_of(run: RunView) -> Where:
    """Where the answers are from: a machine of one's own, a provider's, or a log."""
    if run.summary.recorded is not None:
        return "on record"
    model = run.manifest.config.get("model")
    return "hosted" if isinstance(model, dict) and model.get("hosted") else "local"


def parameters_of(run: RunView) -> int | None:
    """Number of parameters: of the weights as they were read, else as the model's configuration has it."""
    facts = run.manifest.backend
    if facts is not None and facts.weights is not None and facts.weights.parameters:
        return facts.weights.parameters
    told = config_text(run.manifest.config, "model", "parameters")
    return int(told) if told and told.isdigit() and int(told) else None


def licence_of(run: RunView) -> str | None:
    """Licence of the weights; None if the configuration does not know it."""
    found = config_text(run.manifest.config, "model", "licence")
    return None if found in _LICENCES else found


def engine_of(run: RunView) -> str | None:
    """Name of the engine that answered; None for a log's answers."""
    facts = run.manifest.backend
    return None if facts is None or run.summary.recorded is not None else facts.name


def hardware_of(run: RunView) -> str | None:
    """Processor, cores and memory of the machine that answered; None where another's machine did."""
    if where_of(run) != "local":
        return None
    machine = run.manifest.machine
    return f"{machine.cpu}, {machine.cores} cores" + (
        f", {memory(machine.memory_bytes)}" if machine.memory_bytes else ""
    )


def facets_of(run: RunView) -> Facets:
    """What the run is found by."""
    return Facets(
        where=where_of(run),
        size=str(parameters_of(run) or ""),
        licence=licence_of(run) or "",
        hardware=hardware_of(run) or "",
    )
