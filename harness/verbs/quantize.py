"""`do=quantize`: one suite on one model at several precisions, and what each of them loses, weighs and takes."""

import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.assets import OnProgress, console_progress
from harness.backends.llamacpp import LlamaCpp
from harness.backends.llamacpp_plan import available_memory
from harness.config import LlamaCppConfig, QuantizeConfig, RunConfig, WeightsConfig
from harness.errors import ConfigError, GateFailed
from harness.interop.inspect_run import is_inspect
from harness.quantize.frontier import Made, build_frontier, memory_need
from harness.quantize.ladder import Ladder, Rung, build_ladder, wanted
from harness.quantize.plan import find_folder, plan_key, read_plan, ready, write_plan
from harness.records.frontier import Frontier, FrontierPlan
from harness.report.machine_tables import frontier_tables
from harness.report.quantize import write_page
from harness.report.quantize_table import markdown_page, print_frontier
from harness.report.tables import keep_tables
from harness.report.view import RunView
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.store.runfolder import lock, point_latest, write_atomic, write_record
from harness.store.runs import StoredRun, read_run
from harness.verbs.report import refresh_leaderboard
from harness.verbs.run import make_job, refuse_unjudged
from harness.verbs.suited import suited
from harness.verbs.track import track_quietly

__all__ = ["main"]

_MEMORY_SHARE = 0.6
"""Part of the available memory that all engines together may take under quantize.together=auto."""


def main(configs: Sequence[QuantizeConfig]) -> None:
    """Makes the files, runs, compares, reports and prints.

    Raises ConfigError for what cannot be, GateFailed where a required type does not pass, KeyboardInterrupt after
    interrupted runs have been put in order: the same command goes on with them.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    config = _checked(configs)
    with console_progress(show=config.progress != "off") as on_progress:
        (config,) = suited([config], on_progress)
    assert isinstance(config.backend, LlamaCppConfig)
    with console_progress(show=config.progress != "off") as on_progress:
        ladder = build_ladder(config.model, config.quantize, on_progress)
        jobs = {rung.name: _job(config, rung, on_progress) for rung in ladder.rungs}
    together = len(jobs) > 1 and _together(config, config.backend, ladder)
    results = Path(config.paths.results)
    key = plan_key(list(jobs), list(jobs.values()))
    folder = find_folder(results, key, config.run.resume)
    with lock(folder):
        point_latest(folder)
        runs, outcomes = _run(jobs, folder, results, together=together)
        stopped = any(outcome.interrupted or outcome.stopped for outcome in outcomes)
        stored = {name: read_run(run) for name, run in runs.items()}
        made = Made(ladder, stored, together, complete=not stopped and len(stored) == len(jobs))
        frontier = None
        if ladder.rungs[0].name in stored:
            frontier = build_frontier(folder.name, config.model, config.backend, config.quantize, made)
            _write(config, folder, frontier, stored)
    if any(outcome.interrupted for outcome in outcomes):
        Console(stderr=True).print("interrupted: the same command goes on from here", highlight=False)
        raise KeyboardInterrupt
    refuse_unjudged(outcomes, resumable=config.run.resume != "never")
    if stopped:
        Console(stderr=True).print("a budget was spent: the same command goes on from here", highlight=False)
    elif frontier is not None:
        _require(config, frontier)


def _checked(configs: Sequence[QuantizeConfig]) -> QuantizeConfig:
    """The one configuration, once nothing speaks against it that can be known before a file is touched."""
    config = configs[0]
    if len(configs) > 1:
        raise ConfigError("do=quantize takes one model at a time, model=smollm2; a sweep takes several: -m model=a,b")
    if config.backend.name != "llamacpp":
        raise ConfigError(
            f"do=quantize compares GGUF files in llama.cpp, and backend={config.backend.name} loads weights of its "
            "own; use backend=llamacpp"
        )
    if is_inspect(config):
        raise ConfigError("do=quantize needs the outcome of each sample at one scorer; suite=inspect has others")
    if config.run.recheck is not None:
        raise ConfigError(f"run.recheck={config.run.recheck} is for do=run; leave it out of do=quantize")
    if config.run.stop is not None:
        raise ConfigError(f"run.stop={config.run.stop} is for do=run; leave it out of do=quantize")
    if config.run.resume not in {"auto", "never"}:
        raise ConfigError(f"run.resume={config.run.resume} is one run, and a frontier has several: auto or never")
    wanted(config.quantize)
    return config


def _job(config: QuantizeConfig, rung: Rung, on_progress: OnProgress) -> Job:
    """An ordinary run of the suite, with this file as the model's weights."""
    weights = WeightsConfig(path=str(rung.weights.path), quantization=rung.name)
    values = {name: getattr(config, name) for name in RunConfig.model_fields}
    values |= {"do": "run", "model": config.model.model_copy(update={"weights": weights})}
    one = RunConfig(**values)
    assert isinstance(one.backend, LlamaCppConfig)
    backend = LlamaCpp(one.backend, one.model, weights=rung.weights, on_progress=on_progress)
    return make_job(one, on_progress, backend)


def _together(config: QuantizeConfig, backend: LlamaCppConfig, ladder: Ladder) -> bool:
    """Whether all engines are up at once, so that attempts take turns and times compare."""
    if config.quantize.together != "auto":
        return config.quantize.together == "on"
    needs = [memory_need(backend, config.model, rung.weights) for rung in ladder.rungs]
    return all(needs) and sum(need or 0 for need in needs) <= _MEMORY_SHARE * available_memory()


def _run(jobs: dict[str, Job], folder: Path, results: Path, *, together: bool) -> tuple[dict[str, Path], list[Outcome]]:
    """The run folder of each type as far as it came, and what was run now; what an earlier sitting finished stays."""
    plan = read_plan(folder)
    assert plan is not None
    runs: dict[str, Path] = {}
    for name, job in jobs.items():
        if (done := ready(results, plan.runs.get(name), job)) is not None:
            runs[name] = done
    left = [name for name in jobs if name not in runs]
    outcomes: list[Outcome] = []
    for batch in [left] if together and left else [[name] for name in left]:
        new = execute([jobs[name] for name in batch])
        outcomes += new
        runs |= {name: outcome.folder for name, outcome in zip(batch, new, strict=True)}
        if any(outcome.interrupted or outcome.stopped for outcome in new):
            break
        write_plan(folder, plan.model_copy(update={"runs": {name: run.name for name, run in runs.items()}}))
    return {name: runs[name] for name in jobs if name in runs}, outcomes


def _write(config: QuantizeConfig, folder: Path, frontier: Frontier, stored: dict[str, StoredRun]) -> None:
    write_record(folder / "frontier.json", frontier)
    write_atomic(folder / "frontier.md", markdown_page(frontier))
    reports = Path(config.paths.reports)
    page = reports / "quantize.html"
    views = {name: RunView(run.manifest, run.summary, run.samples, (), run.scores) for name, run in stored.items()}
    write_page(frontier, views, page)
    keep_tables(reports, "quantize", frontier_tables(frontier), config.report)
    board = refresh_leaderboard(Path(config.paths.results), reports, config.report)
    plan = read_plan(folder) or FrontierPlan(key="")
    write_plan(folder, plan.model_copy(update={"complete": frontier.complete}))
    print_frontier(frontier)
    aside = Console(stderr=True)
    for what, where in (("frontier", folder), ("page", page), ("leaderboard", board)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True)
    track_quietly([*(run.folder for run in stored.values()), folder], config.tracking)


def _require(config: QuantizeConfig, frontier: Frontier) -> None:
    """Nothing where every required type passes. Raises GateFailed naming those that do not."""
    missed = []
    for name in config.quantize.require:
        point = frontier.point(name)
        verdict = point.comparison.verdict if point and point.comparison else None
        if name == frontier.baseline or (verdict and verdict.verdict == "pass"):
            continue
        why = point.no_verdict if point and point.no_verdict else "not run"
        if verdict:
            more = f", about {verdict.more} samples more" if verdict.more else ""
            why = f"{verdict.verdict}{more}, p {verdict.p_noninferior:.3g} of a loss of {verdict.margin:g} or more"
        missed.append(f"{name} ({why})")
    if missed:
        raise GateFailed(f"not shown to be as good as {frontier.baseline}: {'; '.join(missed)}")
