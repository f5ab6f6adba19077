"""The page of an agent's tasks: a map of a sample of calls, and every task with its costs, words and middle calls."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.cluster import AgentNode, Cluster, ClusterBook, MapPoint
from harness.report.formats import counted, percent, seconds, usd
from harness.report.page import environment, static_text, write_html

__all__ = ["build_page", "without_texts", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "clusters.css", "print.css")
_JS: Final = ("dom.js", "tip.js", "clusters.js")
_WIDTH, _HEIGHT, _EDGE = 1000.0, 560.0, 14.0
_COLORS: Final = 12
"""They come again from the thirteenth task on; hover and click tell which it is."""
_TRUSTED: Final = 0.6
"""Jaccard index below which a cluster is not to be trusted (Hennig 2007)."""
_LABELLED: Final = 10
_BARS: Final = 96.0


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    cluster: Cluster
    color: int | None
    tip: str


@dataclass(frozen=True, slots=True)
class _Label:
    x: float
    y: float
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class _Row:
    cluster: Cluster
    node: AgentNode
    color: int | None
    bars: tuple[tuple[float, float, str], ...]
    """Height as a share, place and text of each week."""


def write_page(book: ClusterBook, points: Sequence[MapPoint], path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(book, points))


def without_texts(book: ClusterBook, points: Sequence[MapPoint]) -> tuple[ClusterBook, list[MapPoint]]:
    """Both without what was said in calls: no examples, words or templates of instructions, nothing on the dots."""
    clusters = tuple(one.model_copy(update={"examples": (), "words": ()}) for one in book.clusters)
    nodes = tuple(one.model_copy(update={"template": "", "slot": None}) for one in book.nodes)
    bare = book.model_copy(update={"clusters": clusters, "nodes": nodes})
    return bare, [one.model_copy(update={"text": ""}) for one in points]


def build_page(book: ClusterBook, points: Sequence[MapPoint]) -> str:
    """The page as HTML. points: a sample of the calls, with places in 0..1."""
    here = sorted((one for one in book.clusters if one.rows), key=lambda one: (-one.calls, one.id))
    tasks = [one for one in here if not one.noise]
    colors = {one.id: place % _COLORS for place, one in enumerate(tasks)}
    nodes = {node.id: node for node in book.nodes}
    shaky = [one for one in tasks if one.stability is not None and one.stability < _TRUSTED]
    script = f'(() => {{\n"use strict";\n{static_text(_JS)}\n}})();'
    return (
        _environment()
        .get_template("clusters.html.j2")
        .render(
            book=book,
            headline=_headline(book, tasks),
            unstable=len(shaky),
            unstable_share=sum(one.share for one in shaky),
            nodes=[node for node in book.nodes if node.calls],
            rows=[_Row(one, nodes[one.node], colors.get(one.id), _bars(one)) for one in here],
            dots=_dots(points, {one.id: one for one in here}, colors),
            labels=_labels(points, tasks[:_LABELLED]),
            size=(_WIDTH, _HEIGHT),
            families=Counter({one.family: 0 for one in tasks}) + _by_family(tasks),
            css=Markup(static_text(_CSS)),
            script=Markup(script),
            script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        )
    )


def _by_family(tasks: Sequence[Cluster]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in tasks:
        found[one.family] += one.calls
    return found


def _headline(book: ClusterBook, tasks: Sequence[Cluster]) -> str:
    if not tasks or book.coverage is None:
        return f"No task recurs among {counted(book.calls, 'call')}."
    most, share = 0, 0.0
    while most < len(tasks) and share < book.coverage / 2:
        share += tasks[most].share
        most += 1
    several = f"the largest {most} are" if most > 1 else "the largest is"
    verb = "covers" if len(tasks) == 1 else "cover"
    covered = f"{counted(len(tasks), 'task')} {verb} {percent(book.coverage)} of {book.calls:,} calls"
    return f"{covered}; {several} {percent(share)} of all."


def _place(x: float, y: float) -> tuple[float, float]:
    return _EDGE + x * (_WIDTH - 2 * _EDGE), _EDGE + y * (_HEIGHT - 2 * _EDGE)


def _dots(points: Sequence[MapPoint], clusters: dict[str, Cluster], colors: dict[str, int]) -> list[_Dot]:
    found = []
    for point in points:
        one = clusters[point.cluster]
        tip = f"{one.id} · {one.name}\n{one.calls:,} calls, {percent(one.share)}\n{point.text}"
        found.append(_Dot(*_place(point.x, point.y), one, colors.get(one.id), tip))
    return sorted(found, key=lambda dot: dot.color is not None)


def _labels(points: Sequence[MapPoint], tasks: Sequence[Cluster]) -> list[_Label]:
    """Names beside the largest tasks, those left out that would lie on another."""
    found: list[_Label] = []
    for one in tasks:
        own = [point for point in points if point.cluster == one.id]
        if not own:
            continue
        xs, ys = sorted(point.x for point in own), sorted(point.y for point in own)
        x, y = _place(xs[len(xs) // 2], ys[0])
        y = max(14.0, y - 9)
        x = min(max(x, 125.0), _WIDTH - 125.0)
        if all(abs(x - other.x) > 170 or abs(y - other.y) > 18 for other in found):
            found.append(_Label(x, y, one))
    return found


def _bars(one: Cluster) -> tuple[tuple[float, float, str], ...]:
    weeks = one.weeks[-26:]
    if len(weeks) < 2:
        return ()
    most = max(week.calls for week in weeks) or 1
    step = _BARS / len(weeks)
    return tuple((week.calls / most, place * step, f"{week.week}: {week.calls}") for place, week in enumerate(weeks))


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"percent": percent, "seconds": seconds, "usd": usd, "counted": counted}
    return made
