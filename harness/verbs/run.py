"""`do=run`: put a suite to a model; leave the run's folder, the leaderboard, and a table on the screen."""

import signal
from pathlib import Path
from typing import cast

from rich.console import Console

from harness.assets import cache_dir, console_progress
from harness.backends import backend_for
from harness.config import RunConfig
from harness.protocols import Scorer
from harness.registry import load_plugin
from harness.report.table import markdown_page, terminal_table
from harness.runner.session import Job, execute
from harness.store.runfolder import write_atomic
from harness.suite.spec import load_suite
from harness.verbs.report import refresh_leaderboard

__all__ = ["main"]

_WIDTH = 160
"""Columns of the table where nobody has a terminal to measure."""


def main(config: RunConfig) -> None:
    """Runs, reports and prints. Raises KeyboardInterrupt after an interrupted run has been put in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    console = Console(stderr=True)
    with console_progress(show=config.progress != "off") as on_progress:
        suite = load_suite(config.suite, cache_dir(), on_progress)
        backend = backend_for(config.model, config.backend, on_progress=on_progress)
        weights = backend.prepare()
    scorer = cast(type[Scorer], load_plugin("harness.scorers", suite.spec.scorer))()
    job = Job(config, suite.spec.name, suite.hash, suite.samples, backend, weights, scorer)
    outcome = execute(job)
    write_atomic(outcome.folder / "summary.md", markdown_page(outcome.summary))
    page = refresh_leaderboard(Path(config.paths.results), Path(config.paths.reports))
    screen = Console()
    screen.print(terminal_table([outcome.summary]), width=None if screen.is_terminal else _WIDTH)
    console.print(f"run          {outcome.folder}", highlight=False, soft_wrap=True)
    console.print(f"leaderboard  {page}", highlight=False, soft_wrap=True)
    if outcome.interrupted:
        left = outcome.summary.n_not_run
        console.print(f"interrupted with {left} attempts to go: the same command goes on from here", highlight=False)
        raise KeyboardInterrupt
