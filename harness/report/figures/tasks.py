"""The map of an agent's tasks: calls beside those like them, coloured by cluster."""

from collections.abc import Sequence
from typing import Final

from harness.records.cluster import Cluster, ClusterBook, MapPlace
from harness.report.figures.figure import Axis, Plot, Point, Series
from harness.report.figures.words import listed
from harness.report.formats import counted, percent

__all__ = ["task_map"]

_COLOURED: Final = 8
_LONGEST: Final = 34


def task_map(book: ClusterBook, places: Sequence[MapPlace]) -> Plot | None:
    """The largest tasks in colours of their own, the others and what belongs to none in grey; None without places."""
    own: dict[str, list[MapPlace]] = {}
    for place in places:
        own.setdefault(place.cluster, []).append(place)
    here = sorted((one for one in book.clusters if one.id in own), key=lambda one: (one.noise, -one.calls, one.id))
    if not here:
        return None
    tasks = [one for one in here if not one.noise]
    shown, rest = tasks[:_COLOURED], [one for one in here if one not in tasks[:_COLOURED]]
    series = [_series(one, own[one.id], number) for number, one in enumerate(shown)]
    if rest:
        dots = tuple(_point(place) for one in rest for place in own[one.id])
        series.append(Series("rest", "other tasks and none", dots, "cloud", 0, quiet=True))
    others = len(tasks) - len(shown)
    return Plot(
        key="task-map",
        title=f"Tasks in {book.name}",
        message=f"{counted(len(tasks), 'task')}; the largest: "
        + listed([f"{_name(one)} ({percent(one.share)} of the calls)" for one in shown], 4)
        + ".",
        caption=f"{len(places):,} of {book.rows:,} calls, each beside those like it ({book.algorithm} on "
        f"{book.embedding}). Distances between far groups mean nothing. {book.made[:10]}.",
        x=Axis("x", "", "none", low=0.0, high=1.0),
        y=Axis("y", "", "none", low=0.0, high=1.0),
        series=tuple(series),
        notes=(f"{counted(others, 'smaller task')} and calls that belong to none are grey.",) if rest else (),
    )


def _name(one: Cluster) -> str:
    return one.name if len(one.name) <= _LONGEST else f"{one.name[: _LONGEST - 1]}…"


def _series(one: Cluster, places: Sequence[MapPlace], number: int) -> Series:
    return Series(one.id, f"{_name(one)} ({percent(one.share)})", tuple(map(_point, places)), "cloud", number)


def _point(place: MapPlace) -> Point:
    return Point(place.x, 1.0 - place.y)
