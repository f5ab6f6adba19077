"""Which stored runs are meant: by folder, by name, or the newest that compare."""

from collections.abc import Sequence
from pathlib import Path

from harness.config import CompareOptions
from harness.errors import BackendError, DataError, RunFolderBusy
from harness.gate.side import refuse_unfinished
from harness.report.view import RunView, latest
from harness.store.runfolder import MANIFEST, SUMMARY, lock, read_manifest, read_summary, run_folders
from harness.store.runs import StoredRun, read_run

__all__ = ["find_runs"]

_NAMED = 3


def find_runs(results: Path, options: CompareOptions) -> list[StoredRun]:
    """The runs to hold against each other, A first. Raises DataError, saying what to type, where they are not there."""
    if options.runs == "all":
        return [_usable(folder) for folder in _of_one_suite(results, options.suite)]
    if options.runs:
        return [_named(results, one, "compare.runs") for one in options.runs]
    if options.a is not None and options.b is not None:
        return [_named(results, options.a, "compare.a"), _named(results, options.b, "compare.b")]
    if options.a is not None:
        first = _named(results, options.a, "compare.a")
        return [first, read_run(_beside(results, first))]
    return [read_run(folder) for folder in _newest_two(results, options.suite)]


def _named(results: Path, name: str, key: str) -> StoredRun:
    folder = next((one for one in (Path(name), results / "run" / name) if one.is_dir()), None)
    if folder is None:
        newest = [one.name for one in reversed(run_folders(results))][:_NAMED]
        there = f"the newest there: {', '.join(newest)}" if newest else f"there is none in {results / 'run'}"
        raise DataError(f"{key}={name} is no run folder, and no name of one in {results / 'run'}; {there}")
    return _usable(folder.resolve())


def _usable(folder: Path) -> StoredRun:
    """A finished run. Raises DataError for one that is running, was killed, failed, or is none of a whole suite."""
    if (folder / MANIFEST).is_file():
        _refuse_running(folder)
    run = read_run(folder)
    try:
        refuse_unfinished(run)
    except BackendError as error:
        raise DataError(str(error)) from None
    return run


def _refuse_running(folder: Path) -> None:
    if (folder / SUMMARY).is_file() and read_manifest(folder).status != "running":
        return
    try:
        with lock(folder):
            return
    except RunFolderBusy:
        raise DataError(f"run {folder.name} is still running; wait for its end, or name another run") from None


def _heads(results: Path, suite: str | None) -> list[tuple[RunView, Path]]:
    """Runs that can be judged, oldest first; what cannot be read is left out, as in every report."""
    found = []
    for folder in run_folders(results):
        if not (folder / SUMMARY).is_file():
            continue
        try:
            view = RunView(read_manifest(folder), read_summary(folder))
        except DataError:
            continue
        summary = view.summary
        early = summary.early is not None and summary.early.stopped
        judged = summary.of_run is None and summary.complete and summary.n_scored and not early
        if judged and view.manifest.status != "failed" and suite in {None, summary.suite}:
            found.append((view, folder))
    found.sort(key=lambda one: (one[0].summary.started_at, one[0].id))
    return found


def _newest_two(results: Path, suite: str | None) -> tuple[Path, Path]:
    """The newest run of all that has another one on its samples, and the newest such; the older one first."""
    heads = _heads(results, suite)
    for place in range(len(heads) - 1, 0, -1):
        view, folder = heads[place]
        for other, beside in reversed(heads[:place]):
            if other.suite_key == view.suite_key:
                return beside, folder
    which = f" of suite {suite}" if suite else ""
    raise DataError(
        f"no two complete runs{which} on the same samples in {results / 'run'}, {len(heads)} there; make another: "
        f"python -m harness suite={suite or (heads[-1][0].summary.suite if heads else 'toolcall')} model=gemma3_270m"
    )


def _beside(results: Path, first: StoredRun) -> Path:
    for view, folder in reversed(_heads(results, first.summary.suite)):
        if view.id != first.summary.run and view.suite_key == (first.summary.suite, first.summary.suite_hash):
            return folder
    raise DataError(
        f"no other complete run on the samples of {first.summary.run} in {results / 'run'}; name one: "
        "compare.b=results/run/FOLDER, with compare.common=true where it has other samples"
    )


def _of_one_suite(results: Path, suite: str | None) -> Sequence[Path]:
    """The latest of each set-up, of the suite named or of the one with most runs, on the samples that most have."""
    heads = _heads(results, suite)
    folders = {view.id: folder for view, folder in heads}
    current, _ = latest(view for view, _ in heads)
    names = sorted({view.summary.suite for view in current})
    if len(names) > 1:
        raise DataError(f"there are runs of several suites: {', '.join(names)}; choose one: compare.suite={names[0]}")
    keys = [view.suite_key for view in current]
    best = max(keys, key=keys.count, default=None)
    found = [view for view in current if view.suite_key == best]
    if len(found) < 2:
        raise DataError(
            f"{len(found)} complete set-ups of {suite or 'one suite'} in {results / 'run'}, a comparison takes two; "
            "make another: python -m harness suite=… model=…"
        )
    return [folders[view.id] for view in sorted(found, key=lambda one: (one.summary.started_at, one.id))]
