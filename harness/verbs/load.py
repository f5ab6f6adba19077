"""`do=load`: the log's own arrivals played to an engine, faster and faster, and up to where it holds."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from harness import __version__
from harness.assets import OnProgress, cache_dir, console_progress
from harness.backends import backend_for
from harness.backends.incumbent import FILE as INCUMBENT_FILE
from harness.config import LoadConfig, RecordedConfig, RunnerConfig
from harness.errors import BackendError, ConfigError
from harness.load.drive import Limits, Played, play
from harness.load.judge import allowed_misses, holds_up_to, point_of, sentence
from harness.load.plan import Deputies, Play, play_of, traffic_facts
from harness.prices import priced
from harness.protocols import Backend, Endpoint
from harness.records import Attempt, ReplayTarget, Sample
from harness.records.load import LoadBook, LoadGoal, LoadPoint
from harness.report.formats import percent, seconds
from harness.report.load import today, write_page
from harness.report.machine_tables import load_tables
from harness.report.site import finish_pages
from harness.report.tables import keep_tables
from harness.runner.attempt import Asker
from harness.runner.engine import Lane, warm_asker
from harness.runner.facts import machine_facts
from harness.runner.guard import FATAL
from harness.runner.job import busy_warning
from harness.runner.progress import make_progress
from harness.runner.tally import Tally
from harness.store.journal import Journal
from harness.store.runfolder import new_folder, point_latest, write_record
from harness.suite.arrivals import Traffic, read_traffic
from harness.suite.spec import Suite, load_suite
from harness.verbs.suited import suited

__all__ = ["main"]

_WIDTH = 150


@dataclass(frozen=True, slots=True)
class _Test:
    config: LoadConfig
    suite: Suite
    traffic: Traffic
    plays: list[Play]
    backend: Backend
    goal: LoadGoal
    folder: Path


@dataclass(slots=True)
class _Seen:
    """What there is so far."""

    started: str
    warning: str | None
    points: list[LoadPoint] = field(default_factory=list)
    endpoint: Endpoint | None = None


def main(configs: Sequence[LoadConfig]) -> None:
    """Plays, writes `load.json` and the page, and prints; stopped, of the speeds that were played to their end.

    Raises ConfigError for what cannot be, BackendError where the engine is not there, KeyboardInterrupt when stopped.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    if len(configs) > 1:
        raise ConfigError("do=load takes one model at a time, so that no two share the machine; a sweep: -m model=a,b")
    with console_progress(show=configs[0].progress != "off") as tell:
        (config,) = suited(configs, tell)
        test = _prepared(config, tell)
    point_latest(test.folder)
    seen = _Seen(datetime.now(UTC).isoformat(timespec="seconds"), warning=busy_warning())
    try:
        asyncio.run(_played(test, seen))
    finally:  # a test that was stopped has the speeds that were played to their end
        if seen.endpoint is not None and seen.points:
            _leave(test, _book(test, seen.endpoint, seen))


def _leave(test: _Test, book: LoadBook) -> None:
    write_record(test.folder / "load.json", book)
    page = Path(test.config.paths.reports) / "load.html"
    write_page(book, page)
    keep_tables(page.parent, "load", load_tables(book), test.config.report)
    finish_pages(Path(test.config.paths.results), page.parent, test.config.report)
    _show(book)
    aside = Console(stderr=True)
    for what, where in (("load", test.folder), ("page", page)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True)


def _prepared(config: LoadConfig, tell: OnProgress) -> _Test:
    if isinstance(config.backend, RecordedConfig):
        name = config.model.name
        raise ConfigError(f"model={name} has its answers on record, and a load needs an engine that gives some")
    suite = load_suite(config.suite, cache_dir(), tell)
    if not all(isinstance(sample.target, ReplayTarget) for sample in suite.samples):
        raise ConfigError(f"do=load plays single calls of a log, and suite {suite.spec.name} has others; see do=build")
    home = Path(config.suite.path or "").expanduser()
    traffic = read_traffic(home, suite.samples)
    deputies, options = Deputies(suite.samples, _tokens(home)), config.load
    speeds = sorted(set(options.speeds))
    plays = [play_of(traffic, one, deputies, seconds=60 * options.minutes, most=options.calls) for one in speeds]
    model = priced(config.model, getattr(config.backend, "python", None))
    backend = backend_for(model, config.backend, on_progress=tell)
    backend.prepare()
    goal = LoadGoal(ttft_s=options.ttft_s, e2e_s=options.e2e_s, share=options.share)
    config = config.model_copy(update={"model": model})
    return _Test(config, suite, traffic, plays, backend, goal, new_folder(Path(config.paths.results), "load"))


def _tokens(home: Path) -> dict[str, int]:
    """Prompt tokens of each sample, as logged."""
    file = home / INCUMBENT_FILE
    found = {}
    for line in file.read_bytes().splitlines() if file.is_file() else ():
        row = orjson.loads(line)
        count = (row.get("usage") or {}).get("prompt_tokens")
        if isinstance(count, int):
            found[str(row["id"])] = count
    return found


async def _played(test: _Test, seen: _Seen) -> None:
    options = test.config.load
    settings = RunnerConfig(
        deadline_s=options.deadline_s, stall_s=options.deadline_s, retries=0, warmup=options.warmup, seed=options.seed
    )
    async with AsyncExitStack() as stack:
        seen.endpoint = await stack.enter_async_context(test.backend.serve())
        lane = Lane(test.config.model, seen.endpoint, settings, lambda _sample, _attempt: None)
        asker = await stack.enter_async_context(warm_asker(lane, options.max_in_flight))
        for one in test.plays:
            seen.points.append(point_of(await _play(test, one, asker), test.goal))
            if seen.points[-1].verdict == "overloaded":
                break


async def _play(test: _Test, one: Play, asker: Asker) -> Played:
    options, tally = test.config.load, Tally()
    limits = Limits(
        allowed=allowed_misses(len(one.calls), test.goal.share),
        max_in_flight=options.max_in_flight,
        drain_s=options.deadline_s,
        keep_sessions=options.sessions == "ordered",
    )
    title = f"{test.config.model.name} at {one.speed:g} × ({seconds(max(one.planned_s, 0.001))})"
    with (
        closing(Journal(test.folder / f"attempts-{one.speed:g}x.jsonl")) as journal,
        make_progress(test.config.progress, title, [tally], len(one.calls)) as bar,
    ):

        async def ask(sample: Sample, number: int, due_ns: int) -> Attempt:
            attempt = await asker.ask(sample, number, due_ns=due_ns)
            _refuse_gone(attempt)
            journal.append(attempt)
            return attempt

        def on_call(done: int, _of: int) -> None:
            tally.n_finished = done
            bar.update()

        return await play(one, ask, test.goal, limits, on_call)


def _refuse_gone(attempt: Attempt) -> None:
    """Raises BackendError where there is no engine to be loaded, or the request is the harness's own fault."""
    failure = attempt.failure
    if failure is not None and (failure.kind in FATAL or failure.boundary == "harness"):
        raise BackendError(f"the endpoint cannot be used ({failure.kind}): {failure.message}")


def _book(test: _Test, endpoint: Endpoint, seen: _Seen) -> LoadBook:
    model, options, points = test.config.model, test.config.load, seen.points
    held = holds_up_to(points)
    weights = endpoint.facts.weights
    return LoadBook(
        run=test.folder.name,
        suite=test.suite.spec.name,
        suite_hash=test.suite.hash,
        model=model.name,
        model_title=model.title,
        protocol=model.protocol,
        quantization=weights.quantization if weights else None,
        backend=endpoint.facts,
        machine=machine_facts(),
        started_at=seen.started,
        goal=test.goal,
        traffic=traffic_facts(test.traffic, kept_sessions=options.sessions == "ordered"),
        points=tuple(points),
        not_played=tuple(one.speed for one in test.plays[len(points) :]),
        holds_up_to=held,
        overloaded_from=next((one.speed for one in points if one.verdict == "overloaded"), None),
        verdict=sentence(points, test.goal),
        conditions=tuple(_conditions(test, endpoint, points)),
        warnings=(seen.warning,) if seen.warning else (),
        harness=__version__,
    )


def _conditions(test: _Test, endpoint: Endpoint, points: list[LoadPoint]) -> list[str]:
    options, traffic = test.config.load, test.traffic
    found = [
        f"Open loop: each call was sent at the log's own time divided by the speed, up to {options.max_in_flight} at "
        "once; every time counts from when it was due.",
        "A session's next call waited for the reply to the one before."
        if options.sessions == "ordered"
        else "A session's calls did not wait for each other, as an agent's do: load.sessions=ordered lets them.",
        f"Of each speed the busiest stretch of the log, {options.minutes:g} minutes or {options.calls} calls long.",
    ]
    if not traffic.whole:
        found.append("The suite knows only the times of its own samples, not of the whole log: build it anew.")
    if traffic.calls > len(traffic.arrivals):
        factor = traffic.calls / len(traffic.arrivals)
        found.append(
            f"The log had {traffic.calls:,.0f} calls and the times of {len(traffic.arrivals):,} are known (copies were "
            f"left out by curating): the known ones were sent {factor:.2f} times as fast for it."
        )
    without = max(one.no_deputy for one in test.plays[: len(points)])
    if without:
        found.append(f"Up to {without:,} calls of a stretch are in clusters without a sample, and were not sent.")
    different, planned = points[-1].different, points[-1].planned
    found.append(
        "Each call was asked with its own prompt or, where the suite has not that one, with one of its cluster of "
        f"about the same length: {different:,} different prompts for {planned:,} calls at the highest speed."
    )
    if endpoint.facts.slots is not None:
        found.append(f"The engine worked on {endpoint.facts.slots} at once (backend.slots).")
    if any(one.unfit for one in points):
        most = max(points, key=lambda one: one.unfit)
        found.append(f"{most.unfit:,} of {most.sent:,} calls do not fit into the context: they put no load on it.")
    return found


_Cell = Callable[[LoadPoint], str]
_COLUMNS: tuple[tuple[str, _Cell], ...] = (
    ("speed", lambda one: f"{one.speed:g} ×"),
    ("calls", lambda one: f"{one.sent:,} of {one.planned:,}"),
    ("offered/s", lambda one: "–" if one.offered_per_s is None else f"{one.offered_per_s:.3g}"),
    ("served/s", lambda one: "–" if one.served_per_s is None else f"{one.served_per_s:.3g}"),
    ("in time", lambda one: "–" if one.share is None else percent(one.share)),
    ("90 % interval", lambda one: f"{one.interval.low:.1%} … {one.interval.high:.1%}" if one.interval else "–"),
    ("TTFT p50", lambda one: seconds(one.ttft_s.p50) if one.ttft_s else "–"),
    ("p95", lambda one: seconds(one.ttft_s.p95) if one.ttft_s else "–"),
    ("p99", lambda one: seconds(one.ttft_s.p99) if one.ttft_s else "–"),
    ("e2e p50", lambda one: seconds(one.e2e_s.p50) if one.e2e_s else "–"),
    ("p95", lambda one: seconds(one.e2e_s.p95) if one.e2e_s else "–"),
    ("p99", lambda one: seconds(one.e2e_s.p99) if one.e2e_s else "–"),
    ("open, most", lambda one: str(one.backlog.most)),
    ("verdict", lambda one: one.verdict),
)


def _show(book: LoadBook) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(f"today: {today(book.traffic)}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for name, _ in _COLUMNS:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for one in book.points:
        table.add_row(*(cell(one) for _, cell in _COLUMNS))
    console.print(table)
    for one in book.points:
        told = "; ".join(filter(None, [one.why, one.stopped]))
        console.print(f"{one.speed:g} ×: {told}", highlight=False, soft_wrap=True, markup=False)
    console.print(book.verdict, highlight=False, soft_wrap=True, markup=False, style="bold")
    for note in (*book.conditions, *book.warnings):
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
