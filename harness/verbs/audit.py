"""`do=audit`: from an agent's logs to what a small model can take over; the same command goes on where it stopped."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.assets import OnProgress, console_progress
from harness.audit.build import Agents, Log, Told, build_audit
from harness.audit.estimate import estimate_text
from harness.chain import Chain, Step, make_chain
from harness.config import AuditConfig, BudgetConfig, SelectOptions, SuiteConfig, compose_run, hardware_named
from harness.errors import BackendError, ConfigError, HarnessError
from harness.interop.inspect_run import is_inspect
from harness.records import Attempt
from harness.records.audit import Audit, AuditStep
from harness.records.cluster import ClusterBook
from harness.records.decision import Selection
from harness.report.audit import write_page
from harness.report.audit_table import markdown_page, print_audit
from harness.report.decision_tables import audit_tables, selection_tables
from harness.report.formats import counted
from harness.report.select import write_page as write_selection_page
from harness.report.select_table import markdown_page as selection_markdown
from harness.report.site import finish_pages
from harness.report.tables import keep_tables
from harness.select.build import select, subject_of
from harness.store.calls import read_calls, read_curated
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import new_folder, point_latest, write_atomic, write_record
from harness.store.runs import StoredRun, read_run
from harness.verbs.audit_runs import Asked, Candidate, ask, candidate_of, plain
from harness.verbs.audit_words import audit_command, model_commands, typed
from harness.verbs.report import refresh_leaderboard
from harness.verbs.select import find_runs, names_of, settings_of
from harness.verbs.suited import say_aside
from harness.verbs.track import track_quietly

__all__ = ["main"]

_BASELINE = "incumbent"


@dataclass(frozen=True, slots=True)
class _Suite:
    """The suite that is asked, and what the steps before left."""

    config: SuiteConfig
    chain: Chain | None
    words: tuple[str, ...]
    """What chooses it on a command line."""


def main(configs: Sequence[AuditConfig]) -> None:
    """Makes the suite, asks the models, judges them and leaves `results/audit/<stamp>/` and `reports/audit.html`.

    Raises KeyboardInterrupt after what was interrupted has been put in order; HarnessError where a model could not be
    asked, after the others have been judged.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    first = _checked(configs)
    with console_progress(show=first.progress != "off") as tell:
        suite = _suite(first, tell)
        base = _baseline(first, suite, tell)
        answers = {one.sample: one for folder in base.folders for one, _ in final_outcomes(folder)}
        candidates = _candidates(configs, suite, tell, answers)
    _say_estimates(first, candidates)
    if first.audit.estimate_only:
        _raise_for([one.error for one in candidates if one.error], len(candidates), judged=False)
        return
    asked = ask(candidates, first.run.budget, _say)
    leaderboard = refresh_leaderboard(Path(first.paths.results), Path(first.paths.reports), first.report)
    if asked.interrupted:
        say_aside("interrupted: the same command goes on from here")
        raise KeyboardInterrupt
    folders = [*base.folders, *asked.folders]
    if asked.folders or first.audit.earlier:
        _judge(first, suite, candidates, (base, asked), folders, leaderboard)
    elif not asked.errors:
        _say(
            "stopped",
            "no model has answered the whole suite yet, so there is nothing to judge: the same command goes on",
        )
    _raise_for(asked.errors, len(candidates), judged=bool(asked.folders))


def _say(name: str, said: str) -> None:
    say_aside(f"{name:<12} {said}")


def _checked(configs: Sequence[AuditConfig]) -> AuditConfig:
    """The first configuration, once nothing speaks against them that can be known before a file is touched."""
    first = configs[0]
    if first.chain is None and is_inspect(first):
        raise ConfigError("do=audit needs the outcome of each sample at one scorer; suite=inspect has others")
    if first.run.recheck is not None:
        raise ConfigError(f"run.recheck={first.run.recheck} is for do=run; leave it out of do=audit")
    if first.run.resume not in {"auto", "never"}:
        raise ConfigError(f"run.resume={first.run.resume} is one run, and an audit has several: auto or never")
    if first.select.runs or first.select.suite or first.select.clusters:
        raise ConfigError(
            "select.runs, select.suite and select.clusters are for do=select: an audit makes its own runs"
        )
    recorded = [one for one in configs if one.backend.name == "recorded"]
    if recorded and first.select.baseline is None:
        raise ConfigError(
            f"model={recorded[0].model.name} is the baseline of an audit by itself; name the models that may take "
            "over: model=[smollm2,gemma3_270m]"
        )
    return first


def _suite(config: AuditConfig, tell: OnProgress) -> _Suite:
    if config.chain is None:
        own = config.suite.path
        words = [f"suite={config.suite.name}"] if own is None else ["suite=local", f"suite.path={own}"]
        return _Suite(config.suite, None, tuple(words))
    chain = make_chain(config.chain, Path(config.paths.reports), tell, say_aside)
    suite = config.suite.model_copy(update={"name": chain.name, "path": str(chain.suite)})
    return _Suite(suite, chain, ("suite=local", f"suite.path={_near(chain.suite)}", "suite.options.split=all"))


def _near(path: Path) -> str:
    """A path from where one stands, or its last name where it lies elsewhere."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else f"…/{whole.name}"


def _baseline(config: AuditConfig, suite: _Suite, tell: OnProgress) -> Asked:
    """The run on record of this suite; none where another run is named for baseline.

    Raises HarnessError where it cannot be made.
    """
    if config.select.baseline is not None:
        return Asked()
    own = compose_run(f"model={_BASELINE}")
    whole = plain(config, suite.config).model_copy(update={"model": own.model, "backend": own.backend})
    part = [word for word in typed() if word.startswith("suite.") and word not in suite.words]
    (command,) = model_commands([f"model={_BASELINE}", *part], suite.words)
    found = ask([candidate_of(whole, command, tell, {})], BudgetConfig(), _quiet)
    if found.errors:
        raise found.errors[0]
    if found.interrupted:
        raise KeyboardInterrupt
    _say("baseline", f"{found.runs[0].model}: {found.runs[0].said}")
    return found


def _quiet(_name: str, _said: str) -> None:
    """Nothing: the baseline's run is told of in one line of its own."""


def _candidates(
    configs: Sequence[AuditConfig], suite: _Suite, tell: OnProgress, answers: dict[str, Attempt]
) -> list[Candidate]:
    commands = model_commands(typed(), suite.words)
    if len(commands) != len(configs):  # not started by its command line
        commands = [model_commands([f"model={one.model.name}"], suite.words)[0] for one in configs]
    return [
        candidate_of(plain(one, suite.config), command, tell, answers)
        for one, command in zip(configs, commands, strict=True)
    ]


def _say_estimates(config: AuditConfig, candidates: Sequence[Candidate]) -> None:
    for one in candidates:
        if one.error is not None and config.audit.estimate_only and len(candidates) > 1:
            _say("failed", f"{one.name}: {one.error}")
        elif one.estimate is not None:
            done = "nothing to ask, all answers are there" if not one.estimate.calls else estimate_text(one.estimate)
            _say("estimate", f"{one.name}: {done}")
    known = [one.estimate.minutes for one in candidates if one.estimate and one.estimate.calls]
    calls = sum(one.estimate.calls for one in candidates if one.estimate)
    minutes = "" if not known or None in known else f", ≈ {sum(filter(None, known)):.0f} min"
    if len(candidates) > 1 and calls:
        _say("estimate", f"{calls:,} calls in all{minutes}")
    if calls and not config.audit.estimate_only:
        _say("", "Ctrl-C stops in order, and the same command goes on; run.budget.minutes=30 stops by itself")


def _judge(
    config: AuditConfig, suite: _Suite, candidates: Sequence[Candidate], asked: tuple[Asked, Asked],
    folders: list[Path], leaderboard: Path,
) -> None:  # fmt: skip
    """Verdicts, records, pages, and what is printed."""
    runs, notes = _runs(config, folders)
    chain = suite.chain
    names = names_of(str(chain.clusters)) if chain and chain.clusters else {}
    options = _options(config, runs)
    results, reports = Path(config.paths.results), Path(config.paths.reports)
    subject = subject_of(runs, settings_of(runs), options, names)
    place = new_folder(results, "select")
    selection = select(place.name, subject, config.stats, options, hardware_named("none"), notes)
    _write_selection(selection, place, reports)
    folder = new_folder(results, "audit")
    links = _links(reports, leaderboard, runs, place, folder, chain)
    words = typed()
    told = Told(
        steps=tuple([*(_step(one, chain) for one in chain.steps), *_later(runs)] if chain else _later(runs)),
        estimates=tuple(one.estimate for one in candidates if one.estimate),
        runs=tuple(run for each in asked for run in each.runs),
        links=links,
        command=audit_command(words),
    )
    audit = build_audit(folder.name, selection, runs, _log(config, chain), told)
    keep_tables(reports, "select", selection_tables(selection), config.report)
    keep_tables(reports, "audit", audit_tables(audit), config.report)
    _write(audit, folder, reports / "audit.html")
    finish_pages(results, reports, config.report)
    track_quietly([*(run.folder for run in runs), folder], config.tracking)


def _runs(config: AuditConfig, folders: Sequence[Path]) -> tuple[list[StoredRun], list[str]]:
    """The runs of this audit, and with `audit.earlier` those of other models on the same samples."""
    runs = [read_run(one) for one in folders]
    wanted = config.select.baseline
    if (
        wanted is not None
        and Path(wanted).is_dir()
        and Path(wanted).resolve() not in [one.resolve() for one in folders]
    ):
        runs.append(read_run(Path(wanted).resolve()))
    if not config.audit.earlier:
        return runs, []
    if not runs:
        raise ConfigError("audit.earlier=true adds to runs of this audit, and none is complete; finish one first")
    suite, known = runs[0].summary, {run.folder.name for run in runs}
    others, _ = find_runs(Path(config.paths.results), SelectOptions(suite=suite.suite))
    more = [
        run
        for run in others
        if run.summary.suite_hash == suite.suite_hash and run.folder.name not in known and run.summary.recorded is None
    ]
    note = (
        f"{counted(len(more), 'run')} of the same samples made earlier judged too: each adds a verdict to correct for."
    )
    return [*runs, *more], [note] if more else []


def _options(config: AuditConfig, runs: Sequence[StoredRun]) -> SelectOptions:
    """As typed; a baseline that is a folder by its own name."""
    baseline = config.select.baseline
    if baseline is not None and Path(baseline).is_dir():
        baseline = Path(baseline).resolve().name
    return config.select.model_copy(update={"runs": tuple(str(run.folder) for run in runs), "baseline": baseline})


def _write_selection(selection: Selection, place: Path, reports: Path) -> None:
    write_record(place / "selection.json", selection)
    write_atomic(place / "selection.md", selection_markdown(selection))
    point_latest(place)
    write_selection_page(selection, reports / "select.html")


def _links(
    reports: Path, leaderboard: Path, runs: Sequence[StoredRun], place: Path, folder: Path, chain: Chain | None
) -> dict[str, str]:  # fmt: skip
    """Addresses from the page's folder, by what they lead to."""

    def away(path: Path) -> str:
        return os.path.relpath(path.resolve(), reports.resolve())

    found = {"leaderboard": away(leaderboard), "selection": "select.html"}
    if chain is not None:
        found["data sheet"] = away(chain.suite / "datasheet.md")
        if chain.clusters is not None and (reports / "clusters.html").is_file():
            found["clusters"] = "clusters.html"
    found["audit.json"] = away(folder / "audit.json")
    found["selection.json"] = away(place / "selection.json")
    return found | {f"run {run.folder.name}": away(run.folder / "summary.md") for run in runs}


def _step(step: Step, chain: Chain | None) -> AuditStep:
    """A step of the chain with what makes it by hand."""
    assert chain is not None
    name = chain.name
    clusters = f" build.clusters={_near(chain.clusters)}" if chain.clusters else ""
    commands = {
        "collect": "python -m harness do=collect logs.path=LOGS store.key_file=KEY",
        "curate": f"python -m harness do=curate curate.name={name} store.key_file=KEY",
        "cluster": f"python -m harness do=cluster cluster.calls={_near(chain.curated)}",
        "build": f"python -m harness do=build build.calls={_near(chain.curated)}{clusters} build.name={name}",
    }
    return AuditStep(
        name=step.name,
        said=step.said,
        reused=step.reused,
        seconds=None if step.reused else step.seconds,
        command=commands[step.name],
    )


def _later(runs: Sequence[StoredRun]) -> list[AuditStep]:
    """The steps after the runs."""
    chosen = ",".join(_near(run.folder) for run in runs)
    command = f"python -m harness do=select 'select.runs=[{chosen}]'"
    return [
        AuditStep(
            name="judge", said=f"{counted(len(runs), 'run')} judged", reused=False, seconds=None, command=command
        ),
        AuditStep(
            name="report", said="the leaderboard of all runs", reused=False, seconds=None,
            command="python -m harness do=report",
        ),
    ]  # fmt: skip


def _log(config: AuditConfig, chain: Chain | None) -> Log:
    if chain is None or config.chain is None:
        return Log()
    book = None
    if chain.clusters is not None:
        book = ClusterBook.model_validate_json((chain.clusters / "clusters.json").read_bytes())
    names = tuple(dict.fromkeys(Path(one).name for one in config.chain.logs.path))
    return Log(names, read_curated(chain.curated), book, _agents(chain))


def _agents(chain: Chain) -> Agents:
    """Calls by agent and cluster; empty where the log names no agent, or there are no clusters."""
    if chain.clusters is None:
        return Agents()
    import pyarrow.parquet as pq

    table = pq.read_table(chain.clusters / "assignments.parquet")
    cluster = dict(zip(table["call"].to_pylist(), table["cluster"].to_pylist(), strict=True))
    found: dict[str, Counter[str | None]] = defaultdict(Counter)
    for call in read_calls(chain.curated):
        if call.agent:
            found[call.agent][cluster.get(call.id)] += call.weight
    return Agents(found)


def _write(audit: Audit, folder: Path, page: Path) -> None:
    write_record(folder / "audit.json", audit)
    write_atomic(folder / "audit.md", markdown_page(audit))
    point_latest(folder)
    write_page(audit, page)
    print_audit(audit)
    aside: Callable[[str], None] = say_aside
    for what, where in (("audit", folder), ("page", page)):
        aside(f"{what:<12} {where}")


def _raise_for(errors: Sequence[HarnessError], of: int, *, judged: bool) -> None:
    """Nothing where every model was asked. Raises the worst error by exit code, as one line for all of them."""
    if not errors:
        return
    if of == 1:
        raise errors[0]
    kind: type[HarnessError] = ConfigError if all(one.exit_code == 2 for one in errors) else BackendError
    rest = "the others are judged" if judged else "there is nothing to judge"
    raise kind(
        f"{len(errors)} of {counted(of, 'model')} could not be asked (above), {rest}; mend that, and the same command "
        "goes on"
    )
