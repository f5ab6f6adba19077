"""`do=cluster`: the recurring tasks among curated calls, what each costs, and a map of them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assets.progress import console_progress
from harness.assets.store import cache_dir
from harness.cluster.build import build
from harness.cluster.folder import Kept, read_kept, write_kept, write_map
from harness.cluster.naming import name_clusters, naming_seat
from harness.cluster.reading import features_in
from harness.cluster.vectors import embedding_named, need_sklearn
from harness.config import ClusterConfig
from harness.errors import DataError
from harness.executor.cores import cores_of
from harness.records.cluster import Cluster, ClusterBook, NamesBill
from harness.report.clusters import without_texts, write_page
from harness.report.formats import counted, percent, seconds, usd
from harness.report.machine_tables import cluster_tables
from harness.report.site import finish_pages
from harness.report.tables import keep_tables
from harness.report.text import visible

__all__ = ["main"]

_MOST_LINES = 40
_TRUSTED = 0.6
_LOG_WIDTH = 150
"""Columns where no terminal tells how many there are."""


def main(configs: Sequence[ClusterConfig]) -> None:
    """Reads the calls, clusters them, writes folder and page, and prints the tasks.

    Raises DataError where there are no such calls, ConfigError for what cannot be.
    """
    (config,) = configs
    options = config.cluster
    need_sklearn()
    calls = Path(options.calls)
    options = options.model_copy(update={"name": options.name or calls.resolve().name})
    folder = Path(options.out) / str(options.name)
    with console_progress(show=config.progress != "off") as tell, cores_of(config.executor) as cores:
        seat = naming_seat(options.names, tell)
        embedding = embedding_named(options.embedding, tell, options.embedding_url, options.embedding_key_env, cores)
        features = features_in(calls, cores)
        kept = Kept() if options.fresh else read_kept(folder)
        if not features.calls:
            raise DataError(f"{calls} has no calls; see what was left out in its manifest.json, and curate again")
        built = build(features, options, embedding, kept, cores)
    write_kept(folder, built.kept)
    if seat is not None:
        built.book = built.kept.book = asyncio.run(
            name_clusters(built.book, seat, options.names, cache_dir() / "names")
        )
        write_kept(folder, built.kept)
    write_map(folder, built.points)
    page = Path(config.paths.reports) / "clusters.html"
    texts = config.report.samples
    shown = (built.book, built.points) if texts else without_texts(built.book, built.points)
    write_page(*shown, page)
    keep_tables(page.parent, "clusters", cluster_tables(built.book, texts=texts), config.report)
    finish_pages(Path(config.paths.results), page.parent, config.report)
    _show(built.book)
    aside = Console(stderr=True)
    for what, where in (("clusters", folder), ("page", page)):
        aside.print(f"{what:<9} {where}", highlight=False, soft_wrap=True)


def _show(book: ClusterBook) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _LOG_WIDTH)
    here = [one for one in book.clusters if one.rows]
    tasks = [one for one in here if not one.noise]
    console.print(_summary(book, len(tasks)), highlight=False, soft_wrap=True)
    nodes = {node.id: node for node in book.nodes}
    table = Table(box=None, pad_edge=False)
    for column in ("id", "node", "task", "family"):
        table.add_column(column, no_wrap=True, max_width=48)
    for column in ("calls", "share", "prompt tok", "output tok", "USD", "p50", "a week"):
        table.add_column(column, justify="right", no_wrap=True, min_width=7)
    shown = sorted(here, key=lambda one: (-one.calls, one.id))
    for one in shown[:_MOST_LINES]:
        table.add_row(one.id, _cut(nodes[one.node].name, 24), _cut(one.name, 40), one.family, *_figures(one))
    console.print(table)
    if len(shown) > _MOST_LINES:
        left = sum(one.calls for one in shown[_MOST_LINES:])
        console.print(f"{len(shown) - _MOST_LINES} more with {left} calls are on the page", highlight=False)
    if book.names is not None:
        console.print(_names(book.names), highlight=False, soft_wrap=True, markup=False)
    for note in book.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)


def _summary(book: ClusterBook, tasks: int) -> str:
    covered = f"{percent(book.coverage)} of {book.calls} calls" if book.coverage is not None else "nothing"
    nodes = counted(sum(node.calls > 0 for node in book.nodes), "node")
    said = f"{counted(tasks, 'task')} in {nodes}: {covered}"
    if book.stability.ari is not None:
        said += f"; stability {book.stability.ari:.2f} (ARI over {book.stability.resamples} resamples a node)"
    shaky = sum(one.stability is not None and one.stability < _TRUSTED and one.rows > 0 for one in book.clusters)
    said += f"; {shaky} of the tasks unstable (Jaccard below {_TRUSTED})" if shaky else ""
    return said + (f"; {book.assigned} new calls went to known tasks" if book.assigned else "")


def _names(bill: NamesBill) -> str:
    said = f"names by {bill.model}: {bill.named} given, {bill.cached} of them known from before, {bill.failed} failed"
    cost = "cost unknown" if bill.cost_usd is None else usd(bill.cost_usd)
    return f"{said}; {counted(bill.requests, 'request')}, {cost}"


def _figures(one: Cluster) -> list[str]:
    costs = one.costs
    growth = "–" if one.growth_per_week is None else f"{one.growth_per_week:+.2f}"
    return [
        str(one.calls),
        percent(one.share),
        "–" if costs.prompt_tokens is None else str(costs.prompt_tokens),
        "–" if costs.output_tokens is None else str(costs.output_tokens),
        "–" if costs.usd is None else usd(costs.usd),
        "–" if costs.latency_p50_s is None else seconds(costs.latency_p50_s),
        growth,
    ]


def _cut(text: str, most: int) -> Text:
    """As it is, never as markup: the words are the log's."""
    text = visible(text)
    return Text(text if len(text) <= most else f"{text[: most - 1]}…")
