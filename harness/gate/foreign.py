"""A side of a gate from a file that another program wrote."""

from pathlib import Path

from harness.gate.side import TIMES_FILE, Side
from harness.interop.foreign import ForeignRun
from harness.interop.results_in import is_foreign, read_foreign
from harness.records.gate import GateRun
from harness.records.manifest import MachineFacts

__all__ = ["foreign_side", "is_foreign"]

_NOT_TOLD = MachineFacts(system="not told", cpu="not told", cores=0, memory_bytes=None, python="not told")


def foreign_side(path: Path) -> Side:
    """What a file of statgate, nel or pytest-benchmark tells, as a side. Raises DataError where it is none of these."""
    found = read_foreign(path)
    return Side(_run(found), found.outcomes)


def _run(found: ForeignRun) -> GateRun:
    values = [one.value for one in found.outcomes if one.value is not None]
    return GateRun(
        run=found.name,
        job=f"{found.program} {found.name}",
        suite=found.suite or "",
        suite_hash="",
        model=found.model or found.name,
        model_title=found.model or found.name,
        protocol="native",
        backend=found.program,
        build=None,
        weights_sha256=None,
        quantization=None,
        started_at=found.started_at or "",
        harness_version="",
        commit=found.commit,
        config_hash="",
        config=dict(found.config),
        machine=found.machine or _NOT_TOLD,
        hosted=False,
        local=found.program == TIMES_FILE,
        n_planned=len(found.outcomes),
        n_scored=len(values),
        n_failed=0,
        accuracy=sum(values) / len(values) if values else None,
        accuracy_interval=None,
    )
