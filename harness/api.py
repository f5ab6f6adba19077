"""Results from Python, for notebooks and scripts: runs as frames of pandas, SQL, comparisons and pictures.

What stands here is reached as `harness.NAME` (docs/api.md). Nothing is judged anew: these are the store, the
statistics, the comparison and the pictures that the command line has. pandas and matplotlib are loaded when used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.api_results import Result, load_audit, load_conversion, load_route
from harness.compare.find import find_runs
from harness.compare.pair import Entry, common_samples, compare_pair, entry_of
from harness.config import CompareOptions, explain_validation
from harness.errors import ConfigError, DataError, HarnessError, not_installed
from harness.query.engine import asked
from harness.query.source import Source
from harness.records.compare import Comparison, PairFinding
from harness.records.interval import Interval
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.report.compare_words import findings, headline
from harness.report.figures.collect import run_figures
from harness.report.figures.figure import Figure
from harness.report.figures.paper import paper_canvas, paper_png, paper_svg
from harness.report.group import groups_of
from harness.report.reading import SharedSamples, read_view
from harness.store.runfolder import read_manifest, read_summary, run_folders

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure as Canvas

__all__ = [
    "Compared",
    "HarnessError",
    "Picture",
    "Result",
    "Run",
    "compare_runs",
    "load_audit",
    "load_conversion",
    "load_route",
    "load_run",
    "pictures",
    "plot",
    "runs",
    "sql",
]

Where = str | PathLike[str]
_SHORT = (
    "model",
    "protocol",
    "suite",
    "n_scored",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "e2e_p50_s",
    "cost_usd",
)


def sql(statement: str, results: Where = "results", *, texts: bool = True) -> "pandas.DataFrame":
    """The answer to one SELECT over the views of `do=query` (docs/query.md).

    texts: whether prompts, replies and reasons are in the views. Raises DataError for SQL that is wrong or reaches for
    anything but the views, ConfigError where duckdb or pandas is not installed.
    """
    return _frame(statement, Source(Path(results), Path("clusters"), texts=texts))


def runs(results: Where = "results") -> "pandas.DataFrame":
    """A row for each run folder, the newest first: who answered what, accuracy with its interval, times, costs."""
    return sql("SELECT * FROM runs ORDER BY started_at DESC", results)


def _frame(statement: str, source: Source) -> "pandas.DataFrame":
    try:
        import pandas  # noqa: F401  # DuckDB would name it in a message of its own

        with asked(statement, source) as answer:
            return answer.frame()
    except ModuleNotFoundError as error:
        raise not_installed(error, "a frame") or error from None


@dataclass(frozen=True)
class Run:
    """A run folder. Its frames are read when they are asked for, and kept."""

    folder: Path
    manifest: Manifest = field(repr=False)
    """What decided its answers."""
    record: Summary = field(repr=False)
    """Everything that was measured, typed."""
    texts: bool = True

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @property
    def accuracy(self) -> float | None:
        """Mean value of the scored attempts; None: nothing was scored."""
        return self.record.accuracy

    @property
    def interval(self) -> Interval | None:
        """Of the accuracy, with its level and method."""
        return self.record.accuracy_interval

    @cached_property
    def summary(self) -> "pandas.DataFrame":
        """One row with the leaderboard's figures."""
        return self._view("runs")

    @cached_property
    def attempts(self) -> "pandas.DataFrame":
        """A row for each attempt as it ended: value, times in seconds, tokens, cost, reply."""
        return self._view("attempts")

    @cached_property
    def scores(self) -> "pandas.DataFrame":
        """A row for each attempt's verdict: value, class of miss, reason."""
        return self._view("scores")

    @cached_property
    def samples(self) -> "pandas.DataFrame":
        """A row for each sample that was asked."""
        return self._view("samples")

    @cached_property
    def categories(self) -> "pandas.DataFrame":
        """Accuracy with its interval in each category."""
        return self._view("categories")

    def plot(self, key: str) -> "Picture":
        """A picture of this run alone; `harness.pictures` has the names."""
        return plot(key, [self])

    def _view(self, name: str) -> "pandas.DataFrame":
        return _frame(f"SELECT * FROM {name}", Source(self.folder, folders=(self.folder,), texts=self.texts))

    def _repr_html_(self) -> str:
        shown = self.summary[list(_SHORT)]
        return f"<p>Run {escape(self.name)}</p>{shown.to_html(index=False, na_rep='–')}"


def load_run(run: Where = "latest", results: Where = "results", *, texts: bool = True) -> Run:
    """A run by its folder, by the folder's name, or the newest one.

    texts: whether prompts, replies and reasons are in its frames. Raises DataError for what is no finished run.
    """
    folder = _folder(fspath(run), Path(results))
    return Run(folder, read_manifest(folder), read_summary(folder), texts)


def _folder(name: str, results: Path) -> Path:
    base = results / "run"
    if name == "latest":
        found = run_folders(results)
        if not found:
            raise DataError(f"no run in {base}; make one: python -m harness suite=toolcall model=smollm2")
        return found[-1].resolve()
    for folder in (Path(name), base / name):
        if folder.is_dir():
            return folder.resolve()
    newest = ", ".join(one.name for one in run_folders(results)[-3:][::-1]) or "none"
    raise DataError(f"{name} is no run folder, and no name of one in {base}; the newest there: {newest}")


@dataclass(frozen=True)
class Compared:
    """B against A, pair by pair."""

    a: Run
    b: Run
    record: Comparison = field(repr=False)
    """Everything that `do=compare` finds, typed."""
    pairs: "pandas.DataFrame" = field(repr=False)
    """A row for each sample that both have scored: `a`, `b` (means over trials) and `difference`."""

    @property
    def whole(self) -> PairFinding:
        """The verdict on all samples with p, n and what stands behind it."""
        return self.record.whole

    @property
    def verdict(self) -> str:
        """`superior`, `non_inferior`, `inferior` or `inconclusive`, at the margin and α that were asked for."""
        return self.whole.verdict

    @property
    def difference(self) -> float:
        """Accuracy of B minus that of A, on the samples that both have scored."""
        return self.whole.pair.difference

    @property
    def interval(self) -> Interval:
        """Of the difference."""
        return self.whole.pair.interval

    @property
    def flips(self) -> "pandas.DataFrame":
        """The pairs that differ, what B lost first."""
        changed = self.pairs[self.pairs["difference"] != 0]
        return changed.sort_values("difference", kind="stable").reset_index(drop=True)

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(one)}</li>" for one in findings(self.record))
        return f"<p><strong>{escape(headline(self.record))}</strong></p><ul>{said}</ul>"


def compare_runs(
    a: Where | Run,
    b: Where | Run,
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    common: bool = False,
    results: Where = "results",
) -> Compared:
    """B against A by the test that fits their samples, as `do=compare` does (docs/compare.md).

    margin: loss of accuracy that would matter. alpha: one-sided chance of a false verdict. common: compare runs of
    other samples on those that both have. Raises DataError for runs that do not compare, ConfigError for a margin or α
    that is none.
    """
    names = [fspath(_folder(fspath(one), Path(results)) if not isinstance(one, Run) else one.folder) for one in (a, b)]
    try:
        options = CompareOptions(a=names[0], b=names[1], margin=margin, alpha=alpha, common=common)
    except ValidationError as error:
        raise ConfigError(explain_validation(error)) from None
    first, second = (entry_of(one) for one in find_runs(Path(results), options))
    texts = all(one.texts for one in (a, b) if isinstance(one, Run))
    found = compare_pair(f"{first.name}~{second.name}", first, second, options, texts=texts)
    sides = [Run(one.run.folder, one.run.manifest, one.run.summary, texts) for one in (first, second)]
    return Compared(sides[0], sides[1], found, _pairs(first, second, common=common))


def _pairs(a: Entry, b: Entry, *, common: bool) -> "pandas.DataFrame":
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise not_installed(error, "a frame") or error from None
    shared, _ = common_samples((a, b), common=common)
    first, second = a.values(shared), b.values(shared)
    rows = [
        {
            "sample": name,
            "category": a.samples[name].category,
            "session": a.samples[name].session,
            "weight": a.samples[name].weight,
            "a": sum(first[name]) / len(first[name]),
            "b": sum(second[name]) / len(second[name]),
        }
        for name in shared
        if name in first and name in second
    ]
    found = pandas.DataFrame(rows)
    return found.assign(difference=found["b"] - found["a"])


@dataclass(frozen=True)
class Picture:
    """A picture with its words. It shows itself in a notebook."""

    figure: Figure = field(repr=False)

    @property
    def title(self) -> str:
        """What it is of."""
        return self.figure.title

    @property
    def message(self) -> str:
        """What it shows, in a sentence."""
        return self.figure.message

    def matplotlib(self) -> "Canvas":
        """As a figure of matplotlib, to be changed further."""
        return paper_canvas(self.figure)

    def save(self, path: Where) -> Path:
        """Writes SVG, or PNG at 300 dpi, by the end of the name. Raises DataError for another one."""
        target = Path(path)
        ways = {".svg": paper_svg, ".png": paper_png}
        if target.suffix.lower() not in ways:
            raise DataError(f"{target} ends neither in .svg nor in .png; give it such a name")
        try:
            target.write_bytes(ways[target.suffix.lower()](self.figure))
        except OSError as error:
            raise DataError(f"{target} cannot be written ({error.strerror}); choose another name") from None
        return target

    def _repr_svg_(self) -> str:
        return paper_svg(self.figure).decode()


def pictures(of: Iterable[Where | Run] = (), results: Where = "results") -> dict[str, Picture]:
    """The pictures that these runs have enough data for, by name; without runs of all of `results`.

    Runs of several suites: the suite's name stands before that of the picture. Raises DataError for what is no run.
    """
    given = [one.folder if isinstance(one, Run) else _folder(fspath(one), Path(results)) for one in of]
    shared: SharedSamples = {}
    views = [read_view(folder, shared) for folder in given or _readable(Path(results))]
    groups = groups_of(views)
    several = len(groups) > 1
    return {
        f"{group.ranked[0].summary.suite if group.ranked else group.title}/{one.key}" if several else one.key: Picture(
            one
        )
        for group in groups
        for one in run_figures(group)
    }


def _readable(results: Path) -> list[Path]:
    found = []
    for folder in run_folders(results):
        try:
            read_summary(folder)
        except DataError:  # not ended, or damaged: `runs` has it with its status
            continue
        found.append(folder)
    if not found:
        raise DataError(f"no run with a summary in {results / 'run'}; make one: python -m harness suite=… model=…")
    return found


def plot(key: str, of: Iterable[Where | Run] = (), results: Where = "results") -> Picture:
    """One of the pictures by its name. Raises DataError, with the names there are, for another."""
    found = pictures(of, results)
    if key not in found:
        raise DataError(f"no picture {key} of these runs; there are: {', '.join(found) or 'none'}")
    return found[key]
