"""A frontier's folder: begun, found again after an interruption, closed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.errors import DataError, RunFolderBusy
from harness.records.frontier import FrontierPlan
from harness.runner.identity import Job, config_hash
from harness.store.runfolder import lock, new_folder, read_manifest, write_record

__all__ = ["PLAN", "find_folder", "plan_key", "read_plan", "ready", "write_plan"]

PLAN = "plan.json"
_VERB = "quantize"


def plan_key(names: Sequence[str], jobs: Sequence[Job]) -> str:
    """A hash over everything that decides an answer of any of the runs."""
    parts = (f"{name}={config_hash(job)}" for name, job in zip(names, jobs, strict=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find_folder(results: Path, key: str, resume: str) -> Path:
    """The newest folder that was begun for this key and not finished, unless `resume` is `never`; else a new one."""
    base = results / _VERB
    if resume != "never" and base.is_dir():
        for folder in sorted((one for one in base.iterdir() if one.is_dir() and not one.is_symlink()), reverse=True):
            plan = read_plan(folder)
            if plan is not None and plan.key == key and not plan.complete and not _busy(folder):
                return folder
    folder = new_folder(results, _VERB)
    write_plan(folder, FrontierPlan(key=key))
    return folder


def read_plan(folder: Path) -> FrontierPlan | None:
    """The plan in a folder; None where there is none that this version can read."""
    try:
        return FrontierPlan.model_validate_json((folder / PLAN).read_bytes())
    except (OSError, ValidationError):
        return None


def write_plan(folder: Path, plan: FrontierPlan) -> None:
    """Writes the plan, atomically."""
    write_record(folder / PLAN, plan)


def ready(results: Path, run: str | None, job: Job) -> Path | None:
    """The folder of a run of this plan that is complete and still this job's; None if it has to be run."""
    folder = results / "run" / run if run else None
    if folder is None:
        return None
    try:
        manifest = read_manifest(folder)
    except DataError:
        return None
    return folder if manifest.status == "complete" and manifest.config_hash == config_hash(job) else None


def _busy(folder: Path) -> bool:
    try:
        with lock(folder):
            return False
    except RunFolderBusy:
        return True
