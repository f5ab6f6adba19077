"""Which runs a gate is about: the baseline that was accepted, the candidate, by name or the newest."""

from pathlib import Path

from rich.console import Console

from harness.config import GateOptions
from harness.errors import DataError
from harness.gate.accept import BASELINE, baseline_folder, is_baseline, read_baseline
from harness.gate.foreign import foreign_side, is_foreign
from harness.gate.side import Side, refuse_unfinished, side_of
from harness.store.runfolder import SUMMARY, read_manifest, read_summary, run_folders
from harness.store.runs import read_run

__all__ = ["candidate_of", "latest_run", "sides_of"]


def sides_of(run: str, options: GateOptions, results: Path) -> tuple[Side, Side]:
    """Baseline and candidate, each found by what is known of the other."""
    if options.baseline is not None:
        baseline = _baseline(Path(options.baseline).resolve())
        if run == "latest":
            suite = baseline.run.suite or options.suite
            return baseline, candidate_of(latest_run(results, frozenset({suite}) if suite else None))
        return baseline, candidate_of(Path(run).resolve())
    if run != "latest":
        candidate = candidate_of(Path(run).resolve())
        suite = candidate.run.suite or options.suite
        if suite is None:
            raise DataError(f"{run} does not say of which suite it is; name what it is held against: gate.baseline=…")
        return _baseline(baseline_folder(results, suite)), candidate
    sides = [read_baseline(one) for one in _accepted(results, options.suite)]
    candidate = candidate_of(latest_run(results, frozenset(one.run.suite for one in sides)))
    return next(one for one in sides if one.run.suite == candidate.run.suite), candidate


def _accepted(results: Path, suite: str | None) -> list[Path]:
    """Folders of the accepted baselines. Raises DataError where there is none."""
    if suite is not None:
        return [baseline_folder(results, suite)]
    base = results / "baseline"
    found = sorted(one for one in base.iterdir() if is_baseline(one)) if base.is_dir() else []
    if not found:
        raise DataError(
            f"no baseline in {base}; accept a run first: "
            'python -m harness do=accept run=latest accept.by=NAME accept.why="…"'
        )
    return found


def _baseline(folder: Path) -> Side:
    """A baseline that was accepted, or a plain run or another program's results taken for one."""
    if is_foreign(folder):
        return foreign_side(folder)
    if is_baseline(folder) or not (folder / "manifest.json").is_file():
        if not folder.is_dir():
            raise DataError(
                f"no baseline {folder.name}: there is no {folder / BASELINE}; accept a run first: "
                'python -m harness do=accept run=FOLDER accept.by=NAME accept.why="…"'
            )
        return read_baseline(folder)
    return candidate_of(folder)


def candidate_of(folder: Path) -> Side:
    """A run folder as a side, or results of another program. Raises DataError or BackendError for any other."""
    if is_foreign(folder):
        return foreign_side(folder)
    run = read_run(folder)
    refuse_unfinished(run)
    return side_of(run)


def latest_run(results: Path, suites: frozenset[str] | None = None) -> Path:
    """The newest complete run, of these suites. Raises DataError where there is none."""
    for folder in reversed(run_folders(results)):
        if not (folder / SUMMARY).is_file():
            continue
        try:
            manifest, summary = read_manifest(folder), read_summary(folder)
        except DataError as error:
            Console(stderr=True).print(f"left out: {error}", highlight=False, soft_wrap=True, markup=False)
            continue
        if summary.of_run is None and summary.complete and (suites is None or manifest.suite in suites):
            return folder
    of = f" of suite {' or '.join(sorted(suites))}" if suites else ""
    suite = min(suites) if suites else "toolcall"
    raise DataError(
        f"no complete run{of} in {results / 'run'}; make one: python -m harness suite={suite} model=smollm2, "
        "or name it: run=FOLDER"
    )
