"""What a run with `run.stop` is held against: a run that lies on the disk, or another model of the same command."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from harness.errors import ConfigError
from harness.records import Sample
from harness.runner.identity import Against, Job
from harness.scorers.context import is_late
from harness.store.journal import read_journal
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import SAMPLES, read_manifest

__all__ = ["facing"]


def facing(jobs: Sequence[Job]) -> list[Job]:
    """The jobs with their baseline, where `run.stop` asks for one; else as they are.

    Raises ConfigError where there is no baseline, or where the rule cannot work with what else is asked for.
    """
    settings = jobs[0].config.run
    if settings.stop is None:
        if settings.against is not None:
            raise ConfigError(f"run.against={settings.against} is the baseline of run.stop; add run.stop=verdict")
        return list(jobs)
    for job in jobs:
        _refuse(job)
    against = _named(settings.against, jobs) or _stored(settings.against, jobs)
    return [replace(job, against=against) for job in jobs]


def _refuse(job: Job) -> None:
    run = job.config.run
    if is_late(job.scorer):
        raise ConfigError(
            f"run.stop=verdict needs each verdict at once, and the scorer {job.scorer.name} judges when all answers "
            "are there; leave run.stop out"
        )
    if run.order == "prefix" or run.arrival.kind == "log":
        told = "run.order=prefix" if run.order == "prefix" else "run.arrival.kind=log"
        raise ConfigError(
            f"run.stop=verdict asks in an order of its own, and {told} wants another; leave one of them out"
        )
    if run.recheck is not None:
        raise ConfigError(f"run.recheck={run.recheck} is for a whole run; leave it or run.stop=verdict out")


def _named(wanted: str | None, jobs: Sequence[Job]) -> Against | None:
    """One of the models of the command; None where none is meant."""
    names = [job.config.model.name for job in jobs]
    if wanted is None:
        if len(jobs) < 2:
            raise ConfigError(
                "run.stop=verdict needs a baseline: name the folder of its run, run.against=results/run/…, or ask it "
                "beside: model=[baseline,candidate] (model=[incumbent,candidate] for a suite from logs)"
            )
        return Against(name=names[0], job=0)
    if wanted in names:
        if len(jobs) < 2:
            raise ConfigError(f"run.against={wanted} is the only model of this command; name another or a run's folder")
        return Against(name=wanted, job=names.index(wanted))
    if not Path(wanted).expanduser().is_dir():
        raise ConfigError(
            f"run.against={wanted} is neither the folder of a run nor one of this command's models "
            f"({', '.join(names)}); name one: run.against=results/run/latest"
        )
    return None


def _stored(wanted: str | None, jobs: Sequence[Job]) -> Against:
    folder = Path(wanted or "").expanduser().resolve()
    manifest = read_manifest(folder)
    if manifest.early is not None:
        raise ConfigError(
            f"run.against={wanted} was itself run with run.stop: what it was not asked hangs on its answers; take a "
            "run of the whole suite"
        )
    values = _values(folder, jobs[0].samples, jobs[0].scorer.name)
    if not values:
        raise ConfigError(
            f"run.against={wanted} ({manifest.suite}) has no scored sample in common with suite={jobs[0].suite}; "
            "take a run of the same suite"
        )
    return Against(name=f"{manifest.model} ({folder.name})", values=values, digest=_digest(values))


def _values(folder: Path, samples: Sequence[Sample], scorer: str) -> dict[str, float]:
    """Mean value of the trials of each sample that the stored run was asked exactly as it stands here.

    Raises ConfigError where another scorer judged.
    """
    same = {sample.id: sample for sample in samples}
    asked = {one.id for one in read_journal(folder / SAMPLES, Sample) if same.get(one.id) == one}
    trials: dict[str, list[float]] = {}
    for attempt, score in final_outcomes(folder):
        if score is None or score.value is None or attempt.sample not in asked:
            continue
        if score.scorer != scorer:
            raise ConfigError(
                f"run.against={folder.name} was judged by {score.scorer}, this suite is by {scorer}: values of two "
                "scorers are no pairs"
            )
        trials.setdefault(attempt.sample, []).append(score.value)
    return {sample: sum(found) / len(found) for sample, found in trials.items()}


def _digest(values: Mapping[str, float]) -> str:
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()
