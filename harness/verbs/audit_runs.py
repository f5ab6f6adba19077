"""The runs of an audit: what is done already is found, the rest is asked, one model after the other."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness.assets import OnProgress
from harness.audit.estimate import estimate
from harness.config import AuditConfig, BudgetConfig, RunConfig, SuiteConfig
from harness.errors import DataError, HarnessError
from harness.records import Attempt
from harness.records.audit import AuditEstimate, AuditRun
from harness.records.summary import Summary
from harness.report.table import markdown_page
from harness.runner.identity import Job, config_hash
from harness.runner.job import Outcome, execute
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import (
    SUMMARY,
    find_unfinished,
    read_manifest,
    read_summary,
    run_folders,
    write_atomic,
)
from harness.verbs.run import make_job, refuse_unjudged

__all__ = ["Asked", "Candidate", "ask", "budget_left", "candidate_of", "find_complete", "is_spent", "plain"]


@dataclass(slots=True)
class Candidate:
    """A model of the audit with what is known of its run before it is asked."""

    config: RunConfig
    command: str
    job: Job | None = None
    done: Path | None = None
    """A complete run of the same configuration."""
    begun: Path | None = None
    """One that did not end."""
    estimate: AuditEstimate | None = None
    error: HarnessError | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.config.model.title or self.config.model.name} ({self.config.model.protocol})"


@dataclass(slots=True)
class Asked:
    """How the runs ended."""

    runs: list[AuditRun] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    """Of the complete ones."""
    errors: list[HarnessError] = field(default_factory=list)
    interrupted: bool = False


def plain(config: AuditConfig, suite: SuiteConfig) -> RunConfig:
    """The audit's configuration as that of an ordinary run of this suite."""
    values = {name: getattr(config, name) for name in RunConfig.model_fields}
    return RunConfig(**(values | {"do": "run", "suite": suite, "chain": None}))


def candidate_of(config: RunConfig, command: str, tell: OnProgress, answers: dict[str, Attempt]) -> Candidate:
    """The model made ready: weights fetched, earlier runs found, what is left estimated. An error is kept, not raised.

    answers: the log's own, by sample.
    """
    found = Candidate(config, command)
    try:
        found.job = make_job(config, tell)
    except HarnessError as error:
        found.error = error
        return found
    results = Path(config.paths.results)
    again = config.run.resume == "auto"
    digest = config_hash(found.job)
    found.done = find_complete(results, digest) if again else None
    found.begun = find_unfinished(results, digest) if again and found.done is None else None
    asked = {attempt.sample for attempt, _ in final_outcomes(found.begun)} if found.begun else set()
    left = [] if found.done else [one for one in found.job.samples if one.id not in asked]
    found.estimate = estimate(found.job.config, left, answers, _summaries(results))
    return found


def find_complete(results: Path, digest: str) -> Path | None:
    """The newest run folder of this configuration that ended with every attempt made."""
    for folder in reversed(run_folders(results)):
        try:
            manifest = read_manifest(folder)
        except DataError:
            continue
        if manifest.config_hash == digest and manifest.status == "complete" and (folder / SUMMARY).is_file():
            return folder
    return None


def _summaries(results: Path) -> list[Summary]:
    found = []
    for folder in run_folders(results):
        try:
            found.append(read_summary(folder))
        except DataError:  # without a summary it tells no time; what else is wrong, its own report says
            continue
    return found


def ask(candidates: Sequence[Candidate], budget: BudgetConfig, say: Callable[[str, str], None]) -> Asked:
    """Runs what is left, as far as the budget of this sitting goes; a model that cannot be asked spoils no other."""
    found, left, began_s = Asked(), budget, time.monotonic()
    for place, one in enumerate(candidates):
        if one.error is not None:
            _failed(found, one, one.error, say, alone=len(candidates) == 1)
            continue
        if found.interrupted or is_spent(left):
            why = "interrupted before it" if found.interrupted else "the budget was spent before it"
            found.runs.append(_run(one, "unfinished", said=why))
            continue
        say(f"ask {place + 1}/{len(candidates)}", one.name)
        status, summary, before = _one(one, left, found, say, alone=len(candidates) == 1)
        if status == "interrupted":
            found.interrupted = True
        minutes = None if budget.minutes is None else budget.minutes - (time.monotonic() - began_s) / 60
        left = budget_left(left, before, summary, minutes)
    return found


def _one(
    one: Candidate, left: BudgetConfig, found: Asked, say: Callable[[str, str], None], *, alone: bool
) -> tuple[Literal["done", "failed", "interrupted"], Summary | None, Summary | None]:
    """One model: how it ended, its summary, and the summary that it had before."""
    assert one.job is not None
    folder = one.done or one.begun
    before = read_summary(folder) if folder and (folder / SUMMARY).is_file() else None
    if before is not None and one.done is not None and not before.n_failed:
        said = f"as before: {before.n_scored:,} answers"
        found.runs.append(_run(one, "complete", one.done, before, said=said, reused=True))
        found.folders.append(one.done)
        say("", said)
        return "done", before, before
    resume = str(one.done) if one.done else one.job.config.run.resume
    run = one.job.config.run.model_copy(update={"budget": left, "resume": resume})
    job = replace(one.job, config=one.job.config.model_copy(update={"run": run}))
    try:
        (outcome,) = execute([job])
        write_atomic(outcome.folder / "summary.md", markdown_page(outcome.summary))
        if not outcome.interrupted and not outcome.stopped:
            refuse_unjudged([outcome], resumable=True)
    except HarnessError as error:
        _failed(found, one, error, say, alone=alone)
        return "failed", None, None
    return _ended(one, outcome, found, say), outcome.summary, before


def _ended(
    one: Candidate, outcome: Outcome, found: Asked, say: Callable[[str, str], None]
) -> Literal["done", "interrupted"]:
    summary = outcome.summary
    whole = summary.complete and not outcome.interrupted and not outcome.stopped
    if whole:
        right = "" if summary.accuracy is None else f", {summary.accuracy:.1%} right"
        said = f"{summary.n_scored:,} answers{right}"
        found.folders.append(outcome.folder)
    else:
        why = outcome.stopped or ("interrupted" if outcome.interrupted else "not complete")
        said = f"{why}, {summary.n_not_run:,} of {summary.n_planned:,} attempts to go"
    found.runs.append(_run(one, "complete" if whole else "unfinished", outcome.folder, summary, said=said))
    say("", said)
    return "interrupted" if outcome.interrupted else "done"


def _failed(found: Asked, one: Candidate, error: HarnessError, say: Callable[[str, str], None], *, alone: bool) -> None:
    """Notes the error, and says it where it will not be the command's own."""
    if not alone:
        say("failed", f"{one.name}: {error}")
    found.errors.append(error)
    found.runs.append(_run(one, "failed", said=str(error)))


def _run(
    one: Candidate, status: Literal["complete", "unfinished", "failed"], folder: Path | None = None,
    summary: Summary | None = None, *, said: str = "", reused: bool = False,
) -> AuditRun:  # fmt: skip
    config = one.job.config if one.job else one.config
    return AuditRun(
        model=config.model.title or config.model.name,
        protocol=config.model.protocol,
        status=status,
        run=folder.name if folder else None,
        reused=reused,
        said=said,
        n_scored=summary.n_scored if summary else 0,
        n_lost=summary.n_failed if summary else 0,
        overflow=summary.overflow if summary else None,
        command=one.command,
    )


def is_spent(left: BudgetConfig) -> bool:
    """Whether nothing is left of one of the limits. A limit that was used up is at its least, see `budget_left`."""
    return any(
        value is not None and value <= least
        for value, least in ((left.calls, 0), (left.tokens, 0), (left.usd, 0.0), (left.minutes, 0.0))
    )


def budget_left(
    left: BudgetConfig, before: Summary | None, summary: Summary | None, minutes: float | None
) -> BudgetConfig:  # fmt: skip
    """The budget less what a run took now. minutes: what is left of them by the clock."""
    if summary is None:
        return left.model_copy(update={"minutes": minutes})
    used: dict[str, float] = {}
    for key in ("calls", "tokens", "usd"):
        used[key] = _used(summary, key) - (_used(before, key) if before else 0.0)
    updates: dict[str, float | int | None] = {"minutes": minutes}
    for key, value in (("calls", left.calls), ("tokens", left.tokens)):
        updates[key] = None if value is None else value - round(used[key])
    updates["usd"] = None if left.usd is None else left.usd - used["usd"]
    return left.model_copy(update=updates)


def _used(summary: Summary, key: str) -> float:
    if key == "calls":
        return summary.n_scored + summary.n_failed + summary.n_unscored
    if key == "tokens":
        return (summary.prompt_tokens or 0) + (summary.output_tokens or 0)
    return summary.spent_usd or 0.0
