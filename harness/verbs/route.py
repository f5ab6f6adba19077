"""`do=route`: a routing policy made from stored runs, certified, simulated, and written as a folder to deploy."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from pydantic import ValidationError
from rich.console import Console

from harness.backends.recorded import INCUMBENT
from harness.config import RouteConfig, SelectOptions
from harness.config.route import RouteOptions
from harness.errors import ConfigError, DataError
from harness.records.route import RouteControl, RoutePolicy
from harness.records.routing import RouteReport
from harness.report.route import write_page
from harness.report.route_table import markdown_page, print_route, route_tables
from harness.report.site import finish_pages
from harness.report.tables import keep_tables
from harness.route.build import Built, route
from harness.route.evidence import evidence_of
from harness.route.export import export_litellm
from harness.route.place import make_placing
from harness.router.control import write_control
from harness.router.policy import INDEX, POLICY, load_policy
from harness.store.runfolder import MANIFEST, new_folder, point_latest, write_atomic, write_record
from harness.store.runs import StoredRun, read_run
from harness.verbs.select import find_runs, names_of

__all__ = ["REPORT", "SIMULATED", "find_models", "main"]

REPORT = "simulation.json"
SIMULATED = "simulated.jsonl"


def main(configs: Sequence[RouteConfig]) -> None:
    """Makes policies, certifies, writes `results/route/<stamp>/` and `reports/route.html`, and prints.

    Raises ConfigError or DataError where runs are not what they have to be.
    """
    if len(configs) > 1:
        raise ConfigError("do=route takes one command at a time: name the small models, route.small=[ONE,OTHER]")
    (config,) = configs
    options, results = config.route, Path(config.paths.results)
    large, small, notes = find_models(results, options)
    evidence = evidence_of(large, small, options.seed)
    names, runs = names_of(options.clusters), [large, *small]
    needs = {"cluster", "hybrid"} & set(options.kinds)
    placing = make_placing(evidence, options.seed) if needs else "no kind that asks for tasks is tried"
    built = route("", evidence, placing, options, names)
    folder = new_folder(results, "route")
    looks = _looks_before(results, built.report)
    report = built.report.model_copy(update={"name": folder.name, "notes": (*notes, *built.report.notes, *looks)})
    policy = _write(folder, built)
    write_record(folder / REPORT, report)
    write_atomic(folder / "route.md", markdown_page(report))
    load_policy(folder)  # as a program will: what cannot be loaded must not be left behind as made
    told = export_litellm(folder, policy, {name: run.manifest for name, run in zip(evidence.names, runs, strict=True)})
    point_latest(folder)
    page = Path(config.paths.reports) / "route.html"
    write_page(report, page)
    keep_tables(page.parent, "route", route_tables(report), config.report)
    finish_pages(results, page.parent, config.report)
    print_route(report)
    aside = Console(stderr=True)
    for what, where in (("policy", folder), ("page", page), *(("note", one) for one in told)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True, markup=False)


def _looks_before(results: Path, report: RouteReport) -> list[str]:
    """A note where calls of this suite were put to the test before with other settings: the best of several is no 95 %.

    The same settings again are the same certificate. Reports that cannot be read are no look.
    """
    other = 0
    for file in sorted((results / "route").glob(f"*/{REPORT}")):
        if file.parent.is_symlink():
            continue
        with contextlib.suppress(OSError, ValidationError):
            old = RouteReport.model_validate_json(file.read_bytes())
            other += old.suite_hash == report.suite_hash and _settings(old) != _settings(report)
    if not other:
        return []
    were = "policy was" if other == 1 else "policies were"
    return [
        f"{other} earlier {were} put to the test on calls of this suite with other "
        "settings (seed, margin, kinds, models). A certificate that is picked out of several of them does not "
        f"hold with {100 * (1 - report.alpha):g} %: deploy the one whose settings were fixed before, or certify on new "
        "calls."
    ]


def _settings(report: RouteReport) -> tuple[object, ...]:
    models = (report.large.run, *sorted(one.run for one in report.small))
    return report.split, report.margin, report.alpha, tuple(sorted(one.kind for one in report.kinds)), models


def _write(folder: Path, built: Built) -> RoutePolicy:
    """What the router reads: the policy with its index, and a control file that opens nothing to traffic."""
    policy = built.policy
    if built.placing is not None:
        digest = built.placing.index.save(folder / INDEX)
        policy = policy.model_copy(update={"index": digest, "embedding": built.placing.embedding})
    write_record(folder / POLICY, policy)
    lines = (orjson.dumps(one.model_dump(mode="json")).decode() + "\n" for one in built.simulated)
    write_atomic(folder / SIMULATED, "".join(lines))
    write_control(folder, RouteControl(mode="shadow"))
    return policy


def find_models(results: Path, options: RouteOptions) -> tuple[StoredRun, list[StoredRun], list[str]]:
    """The large model's run, the small ones' in their order, and notes on what was left out.

    Raises ConfigError where a name is not exactly one run, DataError where there is none beside the large one's.
    """
    named = [*([options.large] if options.large else []), *options.small]
    folders = {one: _folder(results, one) for one in named}
    runs = {path.name: read_run(path) for path in folders.values() if path is not None}
    notes: list[str] = []
    if not named or None in folders.values() or not options.small or options.large is None:
        of = next((run.summary.suite for run in runs.values()), None)
        found, notes = _latest(results, options.suite or of)
        wanted = next((run.summary.suite_hash for run in runs.values()), None)
        runs |= {run.folder.name: run for run in found if wanted in {None, run.summary.suite_hash}}
    there = list(runs.values())
    large = _one(options.large, folders, there) if options.large else _incumbent(there)
    if options.small:
        return large, [_one(one, folders, there) for one in options.small], notes
    small = [run for run in there if run.folder.name != large.folder.name and not _stopped(run)]
    if not small:
        raise DataError(
            f"only {large.folder.name} ({large.summary.model}) has a run of {large.summary.suite}; run a small one "
            f"too: python -m harness suite={large.summary.suite} model=smollm2"
        )
    return large, small, notes


def _stopped(run: StoredRun) -> bool:
    return run.summary.early is not None and run.summary.early.stopped


def _folder(results: Path, name: str) -> Path | None:
    """The run folder of that path or name; None for the name of a model."""
    for path in (Path(name), results / "run" / name):
        if (path / MANIFEST).is_file():
            return path.resolve()
    return None


def _latest(results: Path, suite: str | None) -> tuple[list[StoredRun], list[str]]:
    try:
        return find_runs(results, SelectOptions(suite=suite))
    except ConfigError as error:
        raise ConfigError(str(error).replace("select.suite", "route.suite")) from None


def _incumbent(runs: Sequence[StoredRun]) -> StoredRun:
    found = [run for run in runs if (run.summary.model_title or "").partition(" (")[0] == INCUMBENT]
    return _exactly(found, "no run of the incumbent (model=incumbent)" if not found else "several incumbents", runs)


def _one(name: str, folders: dict[str, Path | None], runs: Sequence[StoredRun]) -> StoredRun:
    path = folders[name]
    fits: Callable[[StoredRun], bool] = lambda run: name in {run.summary.model, run.summary.model_title}  # noqa: E731
    found = [run for run in runs if run.folder.name == path.name] if path is not None else list(filter(fits, runs))
    return _exactly(found, f"{name} is {'several runs' if found else 'no run'}", runs)


def _exactly(found: Sequence[StoredRun], why: str, runs: Sequence[StoredRun]) -> StoredRun:
    if len(found) == 1:
        return found[0]
    there = "; ".join(f"{run.folder.name} ({run.summary.model}, {run.summary.protocol})" for run in found or runs)
    raise ConfigError(f"{why}; name a folder: route.large=results/run/FOLDER, 'route.small=[…]'. There are: {there}")
