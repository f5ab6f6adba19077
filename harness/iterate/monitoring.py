"""The sampled verification of a routing policy: what the router's pairs say since the last time, and of the whole."""

from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from time import time
from typing import Final

from pydantic import ValidationError

from harness import __version__
from harness.config.monitor import MonitorOptions
from harness.errors import ConfigError, DataError
from harness.iterate.verified import Intake, PairUnit, read_labels, ready_units, take_in
from harness.iterate.watching import TRAFFIC, Watch, enough, limit_of, said_of, view_of, watch_of
from harness.records.monitor import (
    MonitorBook,
    MonitorDesign,
    MonitorEvent,
    MonitorReport,
    PairCounts,
    WatchState,
)
from harness.records.route import RoutePolicy
from harness.router.control import read_control, write_control
from harness.router.policy import Deployed, load_policy
from harness.store.runfolder import lock, write_atomic, write_record

__all__ = ["LEDGER", "REPORT", "STATE", "TRAFFIC", "alarms", "design_of", "monitor_folder", "read_report"]

STATE: Final = "state.json"
REPORT: Final = "monitor.json"
LEDGER: Final = "ledger.jsonl"
_DAY: Final = 86_400.0
_PER_LOOK: Final = 60
_SPREAD: Final = 0.2


def alarms(options: MonitorOptions, results: Path, *, now: float | None = None) -> MonitorReport:
    """What the monitors say after everything that the router's logs have more than at the last time.

    Each verified call counts once. State, report and ledger lie in `results/monitor/<name>/`. now: seconds since the
    epoch; sessions that may still go on then wait. Raises ConfigError for what does not go together, DataError for
    files that are not what they have to be, and RunFolderBusy while another look is at work.
    """
    if not options.logs:
        raise ConfigError("monitor.logs is empty; name the folder of the router's log: monitor.logs=FOLDER")
    route = None if options.route is None else load_policy(Path(options.route))
    folder = monitor_folder(options, results, route)
    folder.mkdir(parents=True, exist_ok=True)
    at = time() if now is None else now
    with lock(folder):
        book, events = _begun(options, route, folder, at)
        old = None if events else book
        intake = Intake(
            dict(book.files), dict(book.seen), list(book.pending), book.closed, book.counts.model_dump()
        )  # fmt: skip
        take_in(
            intake, [Path(one) for one in options.logs], book.policy, book.outcome, keep_s=options.keep_days * _DAY,
            now=at,
        )  # fmt: skip
        labels = None if options.labels is None else read_labels(Path(options.labels))
        units = ready_units(
            intake, book.outcome, labels, session_s=book.session_s, wait_s=options.label_days * _DAY, now=at
        )
        watches = [watch_of(one, book.design) for one in book.watches]
        events += _looked(watches, units, at)
        book, killed = _killed(options, watches, book)
        events += [_event(at, "kill", None, "control.json says mode off")] if killed else []
        book = book.model_copy(update={
            "watches": tuple(one.state() for one in watches), "pending": tuple(intake.pending),
            "seen": tuple(sorted(intake.seen.items(), key=lambda one: (one[1], one[0]))),
            "files": tuple(sorted(intake.files.items())), "closed": intake.closed,
            "counts": PairCounts.model_validate(intake.counts),
        })  # fmt: skip
        if book == old and not killed and (folder / REPORT).is_file():
            kept = read_report(folder)  # so that files under version control change when something does
            return kept.model_copy(update={"killed": False})
        report = _report(options, book, watches, at, killed=killed)
        write_atomic(folder / STATE, f"{book.model_dump_json()}\n")
        write_record(folder / REPORT, report)
        _append(folder / LEDGER, events)
    return report


def monitor_folder(options: MonitorOptions, results: Path, route: Deployed | None = None) -> Path:
    """Where the monitor's state lies. Raises ConfigError where nothing says of which policy it is."""
    policy = options.policy or (None if route is None else route.id)
    if policy is None:
        raise ConfigError(
            "whose pairs? name the policy's folder, monitor.route=results/route/STAMP, or monitor.policy=NAME@HASH as "
            "the log has it"
        )
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in policy)
    return results / "monitor" / (options.name or safe)


def read_report(folder: Path) -> MonitorReport:
    """The report of the last look. Raises DataError where there is none that this version can read."""
    try:
        return MonitorReport.model_validate_json((folder / REPORT).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{folder / REPORT} cannot be read ({type(error).__name__}); make it with do=monitor") from None


def design_of(options: MonitorOptions, policy: RoutePolicy | None) -> MonitorDesign:
    """What the options promise. Raises ConfigError where nothing says what is still as it should be."""
    loss = options.outcome == "loss"
    baseline = None
    if options.baseline is not None:
        wrong, calls = options.baseline
        baseline = tuple(one for one in ((1.0, 1, wrong), (0.0, 1, calls - wrong)) if one[2])
    limit = options.limit if baseline is None else options.margin or 0.0
    if limit is None:
        limit = _certified(options, policy) if loss else None
    if limit is None:
        raise ConfigError(
            f"what is still as it should be? monitor.limit=0.2, or what the calibration had, monitor.baseline=[81,400] "
            f"(monitor.outcome={options.outcome})"
        )
    try:
        return MonitorDesign(
            limit=limit, detect=options.detect, low=-1.0 if loss else 0.0, high=1.0, largest=options.largest,
            promise=options.promise, alpha=options.alpha, every=options.every, baseline=baseline,
            spread=_SPREAD if loss else None,
        )  # fmt: skip
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"monitor: {said}") from None


def _certified(options: MonitorOptions, policy: RoutePolicy | None) -> float | None:
    """Loss that the policy may have on the calls that it keeps: its margin is over all calls."""
    shown = None if policy is None else policy.certified
    margin = options.margin if options.margin is not None else None if shown is None else shown.margin
    if margin is None:
        return None
    return margin if shown is None or shown.covered <= 0 else margin / shown.covered


def _begun(
    options: MonitorOptions, route: Deployed | None, folder: Path, at: float
) -> tuple[MonitorBook, list[MonitorEvent]]:
    """The book of the last look, or a new one. Raises ConfigError where the settings are others than its own."""
    policy = options.policy or (None if route is None else route.id)
    assert policy is not None
    keys = _keys(options, route)
    fresh = MonitorBook(
        name=folder.name, policy=policy, outcome=options.outcome, by=options.by, keys=keys,
        design=design_of(options, None if route is None else route.policy), session_s=options.session_s,
        watches=tuple(WatchState(key=key) for key in keys),
    )  # fmt: skip
    file = folder / STATE
    if not file.is_file() and (folder / LEDGER).is_file() and options.reset is None:
        raise DataError(
            f"{file} is gone, and {LEDGER} says that it was begun: an alarm may have stood. Put it back from version "
            "control, or begin anew with monitor.reset=WHY"
        )
    if not file.is_file():
        what, why = ("begun", "") if options.reset is None else ("reset", f"{options.reset}; ")
        return fresh, [_event(at, what, None, f"{why}{_words(fresh)}")]
    try:
        old = MonitorBook.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(
            f"{file} cannot be read ({type(error).__name__}); put it right from version control, or take it away to "
            "begin anew"
        ) from None
    if options.reset is not None:
        kept = {"pending": old.pending, "seen": old.seen, "files": old.files, "closed": old.closed}
        kept |= {"counts": old.counts, "epoch": old.epoch + 1, "killed_epoch": old.killed_epoch}
        other = (old.policy, old.outcome) != (fresh.policy, fresh.outcome)
        new = fresh.model_copy(update={"epoch": old.epoch + 1} if other else kept)
        return new, [_event(at, "reset", None, f"{options.reset}; {_words(new)}")]
    fields = ("policy", "outcome", "design", "by", "keys", "session_s")
    changed = [name for name in fields if getattr(old, name) != getattr(fresh, name)]
    if changed:
        raise ConfigError(
            f"{folder} was begun with other settings ({', '.join(changed)}): a promise holds for what was fixed before "
            "the first look. Begin anew with monitor.reset=WHY, or beside it with monitor.name=OTHER"
        )
    return old, []


def _keys(options: MonitorOptions, route: Deployed | None) -> tuple[str, ...]:
    if options.by == "traffic":
        return (TRAFFIC,)
    rules = () if route is None else route.policy.rules
    tasks = tuple(sorted({one.cluster for one in rules if one.expert is not None and one.cluster != "*"}))
    if not tasks:
        raise ConfigError(
            f"monitor.by={options.by} needs a policy with tasks, and this one has none that is named; "
            "leave it at monitor.by=traffic"
        )
    return tasks if options.by == "cluster" else (TRAFFIC, *tasks)


def _looked(watches: list[Watch], units: list[PairUnit], at: float) -> list[MonitorEvent]:
    """Takes the units one by one; what they set off."""
    events: list[MonitorEvent] = []
    every = max(1, ceil(len(units) / _PER_LOOK))
    for place, unit in enumerate(units, 1):
        for watch in watches:
            own = [one for one in unit.pairs if watch.kept.key in (TRAFFIC, one.cluster)]
            if own:
                watch.look([float(one.value or 0.0) for one in own], own[-1].at)
        for watch, fired in zip(watches, enough(watches), strict=True):
            if fired and watch.kept.alarmed_at is None:
                found = {"alarmed_at": watch.kept.last, "alarmed_values": watch.monitor.state.values}
                watch.kept = watch.kept.model_copy(update=found)
                watch.point()
                events.append(_event(at, "alarm", watch.kept.key, said_of(watch, len(watches))))
        if place % every == 0 or place == len(units):
            for watch in watches:
                watch.point()
    return events


def _killed(options: MonitorOptions, watches: list[Watch], book: MonitorBook) -> tuple[MonitorBook, bool]:
    """Turns the policy off, once for each beginning, so that a person may turn it on again."""
    alarmed = any(one.kept.alarmed_at is not None for one in watches)
    if not (options.kill and alarmed and options.route is not None and book.killed_epoch < book.epoch):
        return book, False
    folder = Path(options.route)
    try:
        write_control(folder, read_control(folder).model_copy(update={"mode": "off"}))
    except OSError as error:
        raise DataError(f"{folder}/control.json cannot be written ({error.strerror}): turn it off by hand") from None
    return book.model_copy(update={"killed_epoch": book.epoch}), True


def _report(
    options: MonitorOptions, book: MonitorBook, watches: list[Watch], at: float, *, killed: bool
) -> MonitorReport:
    times = [one.kept for one in watches]
    return MonitorReport(
        name=book.name,
        policy=book.policy,
        made_at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        harness=__version__,
        outcome=book.outcome,
        design=book.design,
        epoch=book.epoch,
        counts=book.counts,
        pending=len(book.pending),
        views=tuple(view_of(one, len(watches)) for one in watches),
        first=min((one.first for one in times if one.first is not None), default=None),
        last=max((one.last for one in times if one.last is not None), default=None),
        killed=killed,
        route=None if options.route is None else Path(options.route).name,
        notes=_notes(book),
    )


def _notes(book: MonitorBook) -> tuple[str, ...]:
    counts, found = book.counts, []
    if book.pending:
        found.append(f"{len(book.pending)} pairs wait for their session to end or for a label")
    for count, words in (
        (counts.unlike, "pairs have no outcome, since a model gave no answer to compare or nothing gave it a value"),
        (counts.unlabelled, "pairs waited for a label in vain; labels must come or stay away whatever the outcome is"),
        (counts.not_routed, "pairs are of calls that the policy does not leave to the small model: no loss to anybody"),
        (counts.other_policy, "pairs are of another policy"),
        (counts.late, "pairs came after later ones had been looked at, and were taken then"),
        (counts.too_late, "pairs came too late to be told from those counted before, and were left out"),
        (counts.twice, "lines repeat a call"),
        (counts.broken, "lines are no pair"),
    ):
        found += [f"{count:,} {words}"] if count else []
    return tuple(found)


def _words(book: MonitorBook) -> str:
    design = book.design
    promised = f"alpha {design.alpha:g}" if design.promise == "ever" else f"one in {design.every:g} units"
    return f"{book.policy}, {book.outcome}, limit {limit_of(design):.4g}, {promised}, {len(book.keys)} monitors"


def _event(at: float, what: str, key: str | None, said: str) -> MonitorEvent:
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return MonitorEvent.model_validate({"at": stamp, "what": what, "key": key, "said": said})


def _append(file: Path, events: list[MonitorEvent]) -> None:
    if not events:
        return
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.writelines(f"{one.model_dump_json(exclude_none=True)}\n" for one in events)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); make room, or paths.results=…") from None
