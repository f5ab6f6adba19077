"""`do=select`: who can take which cluster of calls over, from the runs on disk."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from harness.config import SelectConfig, SelectOptions
from harness.errors import ConfigError, DataError
from harness.records.cluster import ClusterBook
from harness.records.decision import Selection
from harness.report.decision_tables import selection_tables
from harness.report.formats import counted
from harness.report.select import write_page
from harness.report.select_table import markdown_page, print_selection
from harness.report.site import finish_pages
from harness.report.tables import keep_tables
from harness.report.view import RunView, SuiteKey, latest
from harness.select.build import select, subject_of
from harness.store.runfolder import (
    SUMMARY,
    new_folder,
    point_latest,
    read_manifest,
    read_summary,
    run_folders,
    write_atomic,
    write_record,
)
from harness.store.runs import StoredRun, read_run

__all__ = ["find_runs", "main", "names_of", "settings_of"]


def main(configs: Sequence[SelectConfig]) -> None:
    """Judges, chooses, writes `results/select/<stamp>/` and `reports/select.html`, and prints.

    Raises ConfigError or DataError where runs, suite or baseline are not what they have to be.
    """
    (config,) = configs
    options = _resolved(config.select)
    runs, notes = find_runs(Path(config.paths.results), options)
    subject = subject_of(runs, settings_of(runs), options, names_of(options.clusters))
    folder = new_folder(Path(config.paths.results), "select")
    found = select(folder.name, subject, config.stats, options, config.hardware, notes)
    _write(config, folder, found)


def _resolved(options: SelectOptions) -> SelectOptions:
    """Run folders by their own names (`latest` is a link), the baseline's among the runs that are named."""
    runs = [str(Path(one).resolve()) for one in options.runs]
    baseline = options.baseline
    if baseline is not None and Path(baseline).is_dir():
        folder = Path(baseline).resolve()
        baseline = folder.name
        runs = [*runs, str(folder)] if runs and str(folder) not in runs else runs
    return options.model_copy(update={"runs": tuple(dict.fromkeys(runs)), "baseline": baseline})


def _write(config: SelectConfig, folder: Path, found: Selection) -> None:
    write_record(folder / "selection.json", found)
    write_atomic(folder / "selection.md", markdown_page(found))
    point_latest(folder)
    page = Path(config.paths.reports) / "select.html"
    write_page(found, page)
    keep_tables(page.parent, "select", selection_tables(found), config.report)
    finish_pages(Path(config.paths.results), page.parent, config.report)
    print_selection(found)
    aside = Console(stderr=True)
    for what, where in (("selection", folder), ("page", page)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True)


def names_of(folder: str | None) -> dict[str, str]:
    """Name of each cluster of a folder that `do=cluster` made, by its id; none for no folder.

    Raises DataError where it is none.
    """
    if folder is None:
        return {}
    file = Path(folder) / "clusters.json"
    try:
        book = ClusterBook.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.error_count()} errors"
        raise DataError(
            f"{file} cannot be read ({why}); make it with do=cluster, or leave select.clusters out"
        ) from None
    return {one.id: f"{one.name} ({one.id})" for one in book.clusters}


def settings_of(runs: Sequence[StoredRun]) -> dict[str, dict[str, str]]:
    """What was set besides model, suite and protocol, by name of the run folder."""
    return {run.folder.name: RunView(run.manifest, run.summary).settings for run in runs}


def find_runs(results: Path, options: SelectOptions) -> tuple[list[StoredRun], list[str]]:
    """The runs to judge, and notes on those that were left out.

    Those named; else of one suite the latest run of each set-up that is complete. Raises DataError where there is none,
    ConfigError where there are several suites and none was chosen.
    """
    if options.runs:
        return [read_run(Path(one)) for one in options.runs], []
    heads: dict[str, Path] = {}
    views = []
    for folder in run_folders(results):
        if not (folder / SUMMARY).is_file():
            continue
        try:
            view = RunView(read_manifest(folder), read_summary(folder))
        except DataError as error:
            Console(stderr=True).print(f"left out: {error}", highlight=False, soft_wrap=True, markup=False)
            continue
        if view.summary.of_run is None and view.summary.n_scored:
            heads[view.id] = folder
            views.append(view)
    current = [view for view in latest(views)[0] if options.suite in {None, view.summary.suite}]
    whole = [view for view in current if view.summary.complete]
    if not whole:
        which = f" of suite {options.suite}" if options.suite else ""
        raise DataError(
            f"no complete run{which} in {results / 'run'}; make one: python -m harness "
            f"suite={options.suite or 'toolcall'} model=smollm2"
        )
    key, notes = _suite(whole)
    left = [view for view in current if view.suite_key == key and not view.summary.complete]
    for view in left:
        early = view.summary.early is not None and view.summary.early.stopped
        why = "stopped early by run.stop, with verdicts of its own in verdict.json" if early else "not complete"
        notes.append(f"Left out, {why}: run {view.id} ({view.title}).")
    return [read_run(heads[view.id]) for view in whole if view.suite_key == key], notes


def _suite(views: Sequence[RunView]) -> tuple[SuiteKey, list[str]]:
    """The suite that is meant, by name and hash, and what of it was left out."""
    groups: dict[SuiteKey, list[RunView]] = defaultdict(list)
    for view in views:
        groups[view.suite_key].append(view)
    names = sorted({name for name, _ in groups})
    if len(names) > 1:
        raise ConfigError(
            f"results/ has runs of several suites: {', '.join(names)}; choose one: select.suite={names[0]}"
        )
    best = max(groups, key=lambda key: (len(groups[key]), max(view.summary.started_at for view in groups[key])))
    rest = sum(len(group) for key, group in groups.items() if key != best)
    samples = groups[best][0].summary.n_samples
    if not rest:
        return best, []
    return best, [
        f"{counted(rest, 'run')} of other samples of {best[0]} left out: judged are those of the same {samples}."
    ]
