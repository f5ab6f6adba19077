"""Latencies that runs on this very machine left on disk, for one user at a time."""

from pathlib import Path

from harness.errors import DataError
from harness.fit_slm import Latency
from harness.records.manifest import MachineFacts, Manifest
from harness.records.summary import Summary
from harness.store.runfolder import read_manifest, read_summary, run_folders

__all__ = ["measured_here"]

_LATEST = 100
"""Runs that are looked at, newest last: old ones were measured with another build."""


def measured_here(results: Path, machine: MachineFacts) -> dict[str, Latency]:
    """Medians by file of the weights, from runs on a machine of the same processor, cores and memory, one at a time."""
    found: dict[str, Latency] = {}
    for folder in run_folders(results)[-_LATEST:]:
        try:
            manifest, summary = read_manifest(folder), read_summary(folder)
        except (DataError, OSError):  # of another version, or not finished: it says nothing here
            continue
        if manifest.machine.model_dump(exclude={"python"}) != machine.model_dump(exclude={"python"}):
            continue
        latency = _alone(manifest, summary)
        weights = manifest.backend.weights if manifest.backend else None
        if weights is not None and latency is not None:
            found[weights.file] = latency
    return found


def _alone(manifest: Manifest, summary: Summary) -> Latency | None:
    run = manifest.config.get("run")
    alone = isinstance(run, dict) and run.get("concurrency") == 1
    if not alone or summary.ttft_s is None or summary.output_tokens_per_s is None:
        return None
    return Latency(summary.ttft_s.p50, summary.output_tokens_per_s)
