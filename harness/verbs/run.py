"""`do=run`: put a suite to a model; leave the run's folder, the leaderboard, and a table on the screen."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from harness.assets import OnProgress, cache_dir, console_progress
from harness.backends import backend_for
from harness.backends.incumbent import seated
from harness.config import RunConfig
from harness.errors import HarnessError, extra
from harness.executor import spread
from harness.interop.inspect_run import execute_inspect, is_inspect
from harness.prices import priced
from harness.protocols import Backend
from harness.report.early import early_lines
from harness.report.table import markdown_page, print_table
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.runner.recheck import recheck, refuse_recheck
from harness.runner.stopping_against import facing
from harness.scorers.context import ScorerContext, judge_seat, make_scorer
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import PARQUET, write_atomic
from harness.suite.examples import with_examples
from harness.suite.spec import load_suite, places
from harness.verbs.report import refresh_leaderboard
from harness.verbs.suited import suited
from harness.verbs.track import track_quietly

__all__ = ["main", "make_job", "refuse_unjudged", "tell"]


def main(configs: Sequence[RunConfig]) -> None:
    """Runs the configurations side by side, reports and prints.

    Raises KeyboardInterrupt after interrupted runs have been put in order, HarnessError where replies are left that
    could not be judged.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    with console_progress(show=configs[0].progress != "off") as on_progress:
        configs = suited(configs, on_progress)
        outcomes = (execute_inspect if is_inspect(configs[0]) else _execute)(configs, on_progress)
    tell(configs, outcomes)


def tell(configs: Sequence[RunConfig], outcomes: Sequence[Outcome]) -> None:
    """Reports and prints what runs came to.

    Raises KeyboardInterrupt where one was interrupted, HarnessError where replies are left that could not be judged.
    """
    for outcome in outcomes:
        write_atomic(outcome.folder / "summary.md", markdown_page(outcome.summary))
    _say(outcomes, resumable=configs[0].run.resume != "never")
    paths = configs[0].paths
    page = refresh_leaderboard(Path(paths.results), Path(paths.reports), configs[0].report)
    Console(stderr=True).print(f"leaderboard  {page}", highlight=False, soft_wrap=True)
    track_quietly([outcome.folder for outcome in outcomes], configs[0].tracking)
    if any(outcome.interrupted for outcome in outcomes):
        raise KeyboardInterrupt
    refuse_unjudged(outcomes, resumable=configs[0].run.resume != "never")


def _execute(configs: Sequence[RunConfig], on_progress: OnProgress) -> list[Outcome]:
    jobs = facing([make_job(config, on_progress) for config in configs])
    if configs[0].run.recheck:
        refuse_recheck(jobs)
    outcomes = execute(jobs)
    if configs[0].run.recheck and not any(outcome.interrupted or outcome.stopped for outcome in outcomes):
        again = partial(make_job, on_progress=on_progress)
        outcomes = [recheck(job, outcome, again) for job, outcome in zip(jobs, outcomes, strict=True)]
    return outcomes


def make_job(config: RunConfig, on_progress: OnProgress, backend: Backend | None = None) -> Job:
    """What a configuration asks for, weights and data fetched; by `backend` where that was made before."""
    suite = load_suite(config.suite, cache_dir(), on_progress)
    config = seated(config, (sample.id for sample in suite.samples), places(config.suite, suite))
    config = config.model_copy(update={"model": priced(config.model, getattr(config.backend, "python", None))})
    backend = backend or backend_for(config.model, config.backend, on_progress=on_progress)
    judge = judge_seat(config.scoring, on_progress)
    context = ScorerContext(suite.data, suite.options, config.scoring, config.agent, judge)
    scorer = make_scorer(suite.spec.scorer, context)
    config = config.model_copy(update={"suite": config.suite.model_copy(update={"options": suite.options})})
    if ready := getattr(scorer, "ready", None):
        asyncio.run(ready(suite.samples))
    weights, ceiling = backend.prepare(), suite.spec.ceiling
    backend = spread(backend, config, suite.samples, suite.data)
    samples = with_examples(suite.samples, config, cache_dir(), on_progress) if config.model.examples else suite.samples
    return Job(
        config, suite.spec.name, suite.hash, samples, backend, weights, scorer, suite.data,
        ceiling=ceiling, traffic=suite.traffic, titles=suite.spec.titles,
    )  # fmt: skip


def _say(outcomes: Sequence[Outcome], *, resumable: bool) -> None:
    print_table([outcome.summary for outcome in outcomes])
    aside = Console(stderr=True)
    for line in early_lines([outcome.summary for outcome in outcomes]):
        aside.print(line, highlight=False, soft_wrap=True)
    for outcome in outcomes:
        aside.print(f"run          {outcome.folder}", highlight=False, soft_wrap=True)
    if find_spec("duckdb") is None:
        absent = f"no {PARQUET}: that takes duckdb ({extra('logs')})"
        aside.print(absent, markup=False, highlight=False, soft_wrap=True)
    broken_off = [outcome for outcome in outcomes if outcome.stopped or outcome.interrupted]
    why = (broken_off[0].stopped or "interrupted") if broken_off else None
    if why is not None:
        left = sum(outcome.summary.n_not_run for outcome in outcomes)
        how = "the same command goes on" if resumable else f"go on with run.resume={outcomes[0].folder}"
        aside.print(f"{why}, {left} attempts to go: {how} from here", highlight=False, soft_wrap=True)
    for outcome in outcomes:
        if why is None and outcome.summary.n_failed:
            again = f"{outcome.summary.n_failed} lost to the infrastructure; made again by run.resume={outcome.folder}"
            aside.print(again, highlight=False, soft_wrap=True)


def refuse_unjudged(outcomes: Sequence[Outcome], *, resumable: bool) -> None:
    """Nothing where every reply has its verdict. Raises HarnessError with what to type where some have none."""
    left = [(outcome, count) for outcome in outcomes if (count := _n_unjudged(outcome))]
    if not left:
        return
    first, total = left[0][0], sum(count for _, count in left)
    why = next((one for one in reversed(first.summary.warnings) if "could not be judged" in one), "")
    how = "the same command judges them" if resumable else f"judge them with run.resume={first.folder}"
    raise HarnessError(f"{total} replies have no verdict yet ({why or 'judging broke off'}); mend that, then {how}")


def _n_unjudged(outcome: Outcome) -> int:
    """Attempts that were made and wait for a verdict, counted on the disk where some are missing."""
    if not outcome.summary.n_not_run:
        return 0
    return sum(score is None for _, score in final_outcomes(outcome.folder))
