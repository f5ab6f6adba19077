"""The pictures of `do=report report.figures=true`: those of all runs, and those of stored results beside them."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.cluster.folder import read_map
from harness.report.figures.collect import run_figures, stored_figures
from harness.report.figures.files import FIGURES_PAGE, Chapter, write_figures
from harness.report.figures.tasks import task_map
from harness.report.formats import counted
from harness.report.group import groups_of
from harness.report.view import RunView

__all__ = ["draw_figures"]

_FOLDER = "figures"


def draw_figures(views: Sequence[RunView], results: Path, reports: Path, clusters: str | None) -> Path:
    """Writes `figures/` below the reports and says how many; returns its page.

    clusters: a folder that `do=cluster` made, for its map. Raises DataError where that has none, or nothing can be
    written; ConfigError without matplotlib.
    """
    stored, notes = stored_figures(results)
    if clusters is not None:
        book, places = read_map(Path(clusters))
        drawn = task_map(book, places)
        if drawn is None:
            notes.append(f"{clusters} has no map: an older do=cluster made it; run it again")
        else:
            stored.append(drawn)
    chapters = [Chapter(group.title, run_figures(group)) for group in groups_of(views)]
    chapters += [Chapter("Other results", tuple(stored))] if stored else []
    folder = reports / _FOLDER
    written = write_figures(chapters, folder)
    for note in notes:
        Console(stderr=True).print(f"left out of the figures: {note}", highlight=False, soft_wrap=True, markup=False)
    page = folder / FIGURES_PAGE
    said = f"figures      {page} ({counted(len(written), 'picture')}, each as SVG, PNG, CSV and caption)"
    Console().print(said, highlight=False, soft_wrap=True)
    return page
