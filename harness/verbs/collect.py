"""`do=collect`: an agent's logged calls read into the store."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assets import cache_dir
from harness.assets.progress import console_progress, human_bytes
from harness.config import CollectConfig, LogsConfig
from harness.curate.canary import is_planted, persons, plant_among, save_canaries
from harness.curate.pseudonyms import pseudonym_key
from harness.executor.cores import cores_of
from harness.logs.books import Books
from harness.logs.collect import Collected, check_share, collect
from harness.logs.overview import Group, overview, plain
from harness.logs.reading import check_paths
from harness.logs.store import LogStore, store_key
from harness.logs.store.key import StoreKey
from harness.stores.logs import brought

__all__ = ["main"]

_MOST_LINES = 20
_NAME_WIDTH = 36
_LOG_WIDTH = 160
"""Columns where no terminal tells how many there are."""
_IN_THE_CLEAR = (
    "note: the store is not encrypted; give a key (openssl rand -base64 32 > store.key; chmod 600 store.key) "
    "with do=rotate store.new_key_file=store.key"
)


def main(configs: Sequence[CollectConfig]) -> None:
    """Reads, and prints the books and what is in the store. Raises DataError where too much could not be read.

    Raises KeyboardInterrupt after an interrupted import was put in order.
    """
    (config,) = configs
    folder = Path(config.store.path)
    key = store_key(config.store.key_env, config.store.key_file)
    with brought(config.logs.path, cache_dir()) as paths:
        check_paths(paths)
        done = _collected(config, config.logs.model_copy(update={"path": paths}), folder, key)
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _LOG_WIDTH)
    _show_books(console, done, folder)
    groups, whole = overview(folder, key)
    if whole.calls:
        _show_groups(console, groups, whole)
    if key is None:
        console.print(_IN_THE_CLEAR, highlight=False, soft_wrap=True, markup=False)
    if done.interrupted:
        Console(stderr=True).print("interrupted: the same command goes on from here", highlight=False)
        raise KeyboardInterrupt
    check_share(done.books, config.logs.max_bad_frac)


def _collected(config: CollectConfig, logs: LogsConfig, folder: Path, key: StoreKey | None) -> Collected:
    with (
        LogStore.open(folder, key=key, create=True, reader="do=collect") as store,
        console_progress(show=config.progress != "off") as tell,
        cores_of(config.executor) as cores,
    ):
        done = collect(logs, store, keep_days=config.store.keep_days, tell=tell, cores=cores)
        if logs.canaries and not done.interrupted:
            _plant(store, logs.canaries)
    return done


def _plant(store: LogStore, count: int) -> None:
    """Puts a call of each made-up person into the store, once: the same key makes up the same people."""
    people = persons(pseudonym_key(), count)
    like = list(islice((one for one in store.records() if not is_planted(one)), count))
    if like:
        save_canaries([value for person in people for value in person])
        store.append(plant_among(like, people))


def _show_books(console: Console, done: Collected, folder: Path) -> None:
    books = done.books
    skipped = books.skipped()
    lines = [
        f"read {books.total('read'):,} entries of {len(books.files):,} file(s), {_rate(books, done.seconds)}",
        f"  {books.total('kept'):>10,} kept",
        f"  {books.total('already'):>10,} in the store already",
        *(f"  {count:>10,} skipped: {plain(rule)}" for rule, count in skipped.most_common()),
        f"  {books.total('quarantined'):>10,} quarantined",
        *(f"  {'':>10}   {count:,} × {plain(reason)}" for reason, count in books.reasons.most_common(5)),
    ]
    if books.unchanged:
        lines.append(f"{books.unchanged:,} file(s) were read before and have not changed")
    lines.append(f"books: {folder / done.manifest}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _rate(books: Books, seconds: float) -> str:
    done = books.total("bytes")
    rate = f" ({human_bytes(done / seconds)}/s)" if done and seconds > 0 else ""
    return f"{human_bytes(done)} in {seconds:.1f} s{rate}"


def _show_groups(console: Console, groups: Sequence[Group], whole: Group) -> None:
    table = Table(title="calls in the store", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("agent", "model"):
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=_NAME_WIDTH)
    for name in ("calls", "sessions", "failed", "tokens in", "out", "USD, as logged"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("from – to (UTC)", no_wrap=True)
    for group in groups[:_MOST_LINES]:
        table.add_row(Text(plain(group.agent)), Text(plain(group.model)), *_numbers(group))
    if len(groups) > _MOST_LINES:
        table.add_row(f"and {len(groups) - _MOST_LINES:,} more", *[""] * 8)
    if len(groups) > 1:
        table.add_row("all", "", *_numbers(whole), style="bold")
    console.print(table)


def _numbers(group: Group) -> tuple[str, ...]:
    counts = [f"{count:,}" for count in (group.calls, group.sessions, group.failed)]
    tokens = [_short(group.prompt_tokens), _short(group.output_tokens)]
    return (*counts, *tokens, "–" if group.cost_usd is None else f"{group.cost_usd:,.4f}", group.span)


def _short(tokens: int | None) -> str:
    """A count of tokens in three or four digits; `–` where none was logged."""
    if tokens is None:
        return "–"
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if tokens >= bound:
            return f"{tokens / bound:.3g} {unit}"
    return str(tokens)
