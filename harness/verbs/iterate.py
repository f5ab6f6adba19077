"""`do=iterate`: what is new since the last time, what changed by it, what to do again; and with `apply` it does so."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.config import IterateConfig
from harness.errors import ConfigError, WorkToDo
from harness.iterate.state import append, held, print_of, read_seen, read_state, stamp_of, write_seen, write_state
from harness.iterate.world import World, find_world, prints_of
from harness.records.iterate import IterateState, Iteration, Todo

__all__ = ["main"]

_SHOWN = 12
_NO_CHANGE = {"apply", "exit_zero", "models", "overrides", "build", "calls", "clusters", "reference", "name", "out",
              "router", "embedding_key_env"}  # fmt: skip


def main(configs: Sequence[IterateConfig]) -> None:
    """Looks, writes `results/iterate/<stamp>/`, the state and `reports/iterate.html`, and prints.

    Raises WorkToDo where something is to be done, ConfigError or DataError for what cannot be looked at.
    """
    if len(configs) > 1:
        raise ConfigError("do=iterate takes one command at a time; iterate.models=[a,b] names models")
    (config,) = configs
    began_s = time.monotonic()
    world = find_world(config.iterate, _logs(config), Path(config.paths.results))
    with held(world.state):
        state = read_state(world.state)
        prints = prints_of(world)
        stamp = stamp_of(prints, config.iterate.model_dump(mode="json", exclude=_NO_CHANGE))
        if stamp == state.stamp and not _due(state) and not (config.iterate.apply and state.todos):
            _say_unchanged(state, time.monotonic() - began_s)
            _end(config, state.todos)
            return
        todos = _look(config, world, state, prints, stamp)
    _end(config, todos)


def _logs(config: IterateConfig) -> list[Path]:
    if config.chain is None:
        return []
    from harness.logs.reading import find_logs

    return [one.path for one in find_logs(config.chain.logs.path, config.chain.logs.format)]


def _due(state: IterateState) -> bool:
    """Whether a verdict came of age since."""
    return state.due_at is not None and datetime.now(UTC) >= datetime.fromisoformat(state.due_at)


def _say_unchanged(state: IterateState, took_s: float) -> None:
    at = (state.looked_at or "")[:16].replace("T", " ")
    console = Console()
    console.print(f"nothing has changed since the look of {at} UTC ({took_s:.1f} s)", highlight=False)
    _say_todos(console, state.todos)


def _say_todos(console: Console, todos: Sequence[Todo]) -> None:
    from harness.report.iterate_words import stake_words

    for number, one in enumerate(todos[:_SHOWN], 1):
        console.print(
            f"{number:>3}. {one.what}: {stake_words(one.stake)}", highlight=False, markup=False, soft_wrap=True
        )
        for why in one.why:
            console.print(f"     {why}", highlight=False, markup=False, soft_wrap=True)
    if len(todos) > _SHOWN:
        console.print(f"     {len(todos) - _SHOWN} more are on the page", highlight=False)


def _end(config: IterateConfig, todos: Sequence[Todo]) -> None:
    """Raises WorkToDo where something is left."""
    if todos and not config.iterate.exit_zero:
        from harness.report.formats import counted

        raise WorkToDo(
            f"{counted(len(todos), 'thing')} to do again; iterate.apply=true does so, iterate.exit_zero=true only tells"
        )


def _look(
    config: IterateConfig, world: World, state: IterateState, prints: dict[str, str], stamp: str
) -> Sequence[Todo]:  # fmt: skip
    """Looks in earnest, and keeps what was found; what is left to do."""
    from harness.assets.progress import console_progress
    from harness.cluster.vectors import need_sklearn
    from harness.iterate.look import Before, look
    from harness.iterate.plan import again_of

    need_sklearn()
    options = config.iterate
    models = again_of(options, world.read_selection()) if options.apply else ()
    with console_progress(show=config.progress != "off") as tell:
        calls = world.calls or _curated(config, tell)
        before = Before(state, read_seen(world.state))
        looked = look(world, calls, options, before, tell, texts=config.report.samples)
    found = looked.found
    append(world.state, {
        "at": found.made_at, "event": "look", "look": found.look,
        "read": {**prints, "made": print_of(calls / "manifest.json")},
        "found": {
            "new": found.n_new, "fresh": found.n_fresh, "old": found.n_old, "new tasks": len(found.new_clusters),
            "changes": len(found.changes), "tests": found.tests, "drifted": sum(one.drifted for one in found.drift),
            "router drifted": sum(one.drifted for one in found.router), "stale": len(found.stale),
            "to do": len(found.todos),
        },
        "exit_code": 1 if found.todos and not options.exit_zero else 0,
    })  # fmt: skip
    write_seen(world.state, looked.seen)
    write_state(world.state, looked.state.model_copy(update={"stamp": stamp}))
    if options.apply and found.todos:
        from harness.iterate.apply import apply
        from harness.verbs.suited import say_aside

        found = apply(config, world, looked, models, say_aside)
    _write(config, found)
    return found.todos


def _curated(config: IterateConfig, tell: object) -> Path:
    """The calls of the logs, read and curated on the way."""
    from harness.chain import curated_of
    from harness.verbs.suited import say_aside

    assert config.chain is not None
    return curated_of(config.chain, Path(config.paths.reports), tell, say_aside)  # type: ignore[arg-type]  # a progress


def _write(config: IterateConfig, found: Iteration) -> None:
    from harness.report.iterate import iterate_tables, markdown_page, summary_lines, write_page
    from harness.report.site import finish_pages
    from harness.report.tables import keep_tables
    from harness.store.runfolder import new_folder, point_latest, write_atomic, write_record

    results, reports = Path(config.paths.results), Path(config.paths.reports)
    folder = new_folder(results, "iterate")
    found = found.model_copy(update={"name": folder.name})
    write_record(folder / "iteration.json", found)
    write_atomic(folder / "iterate.md", markdown_page(found))
    point_latest(folder)
    page = reports / "iterate.html"
    write_page(found, page)
    keep_tables(reports, "iterate", iterate_tables(found), config.report)
    finish_pages(results, reports, config.report)
    console = Console()
    for line in summary_lines(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _say_todos(console, found.todos)
    aside = Console(stderr=True)
    for what, where in (("iteration", folder), ("page", page)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True, markup=False)
