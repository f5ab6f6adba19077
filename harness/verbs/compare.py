"""`do=compare`: stored runs held against each other, pair by pair."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.compare.find import find_runs
from harness.compare.matrix import compare_matrix
from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareConfig
from harness.errors import ConfigError
from harness.records.compare import CompareMatrix, Comparison
from harness.report.compare_text import markdown_page, print_comparison
from harness.report.site import finish_pages, write_comparison_pages
from harness.store.runfolder import new_folder, point_latest, write_atomic, write_record
from harness.verbs.track import track_quietly

__all__ = ["main"]


def main(configs: Sequence[CompareConfig]) -> None:
    """Compares, writes `results/compare/<stamp>/` and the pages under `reports/`, and prints.

    Raises ConfigError or DataError where runs are not what they have to be.
    """
    if len(configs) > 1:
        raise ConfigError("do=compare takes one command at a time: name the runs, compare.runs=[ONE,OTHER]")
    (config,) = configs
    results, options = Path(config.paths.results), config.compare
    entries = [entry_of(run) for run in find_runs(results, options)]
    found: Comparison | CompareMatrix
    if len(entries) == 2:
        found = compare_pair("", entries[0], entries[1], options, texts=config.report.samples)
    else:
        found = compare_matrix("", entries, options)
    folder = new_folder(results, "compare")
    found = found.model_copy(update={"name": folder.name})
    write_record(folder / "compare.json", found)
    write_atomic(folder / "compare.md", markdown_page(found))
    point_latest(folder)
    page = _write_pages(found, config)
    print_comparison(found)
    aside = Console(stderr=True)
    for what, where in (("comparison", folder), ("page", page)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True, markup=False)
    track_quietly([folder], config.tracking)


def _write_pages(found: Comparison | CompareMatrix, config: CompareConfig) -> Path:
    """`compare.html`, and the same under a name of its own that the next comparison does not take; both as data too."""
    reports = Path(config.paths.reports)
    page = write_comparison_pages(found, reports, config.report)
    finish_pages(Path(config.paths.results), reports, config.report)
    return page
