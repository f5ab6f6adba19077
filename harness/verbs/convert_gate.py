"""The gate of a conversion: every set-up asked on the untouched split, in turn where memory has room."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.assets import OnProgress
from harness.backends import backend_for
from harness.backends.llamacpp import LlamaCpp
from harness.backends.llamacpp_plan import available_memory
from harness.backends.shared import Shared
from harness.backends.weights import resolve_weights
from harness.config import ConvertConfig, LlamaCppConfig, RunConfig, compose_run
from harness.convert.files import content_key, read_kept
from harness.convert.gate.rows import Row, gate_suite, rows_of, tuned_model
from harness.convert.gate.table import General, Runs, build_table
from harness.convert.ledger import TABLE
from harness.errors import ConfigError, HarnessError
from harness.protocols import Backend
from harness.quantize.frontier import memory_need
from harness.records.convert import ExportResult, GateRow, GateTable
from harness.report.table import markdown_page
from harness.runner.identity import Job, config_hash
from harness.runner.job import execute
from harness.store.runfolder import write_atomic, write_record
from harness.store.runs import StoredRun, read_run
from harness.verbs.audit_runs import find_complete
from harness.verbs.run import make_job, refuse_unjudged
from harness.verbs.suited import say_aside

__all__ = ["ask_gate"]

_MEMORY_SHARE = 0.6
"""Part of the available memory that all engines together may take."""


class Stopped(Exception):
    """A budget was spent, or somebody pressed Ctrl-C; what was asked is on disk."""

    def __init__(self, why: str, *, interrupted: bool) -> None:
        """Says why."""
        super().__init__(why)
        self.interrupted = interrupted


@dataclass(slots=True)
class _Asking:
    config: ConvertConfig
    result: ExportResult
    folder: Path
    tell: OnProgress
    engines: dict[str, Backend] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def results(self) -> Path:
        """Where runs go."""
        return Path(self.config.paths.results)

    def job(self, row: Row) -> Job:
        """A row's run, at the engine that it shares."""
        return make_job(row.config, self.tell, self.engine(row.engine, row.config))

    def engine(self, name: str, config: RunConfig) -> Backend:
        """The engine of this name, made with the first configuration that asks for it."""
        if name not in self.engines:
            if isinstance(config.backend, LlamaCppConfig):
                made: Backend = LlamaCpp(config.backend, config.model, on_progress=self.tell)
            else:
                made = backend_for(config.model, config.backend, on_progress=self.tell)
            self.engines[name] = Shared(made)
        return self.engines[name]

    def run(self, jobs: Sequence[Job]) -> list[StoredRun]:
        """The runs of these jobs: those that are complete as they are, the others asked, in turn."""
        again = self.config.run.resume != "never"
        done = {at: find_complete(self.results, config_hash(job)) if again else None for at, job in enumerate(jobs)}
        left = [at for at, folder in done.items() if folder is None]
        outcomes = execute([jobs[at] for at in left]) if left else []
        for at, outcome in zip(left, outcomes, strict=True):
            write_atomic(outcome.folder / "summary.md", markdown_page(outcome.summary))
            done[at] = outcome.folder
        for outcome in outcomes:
            if outcome.interrupted or outcome.stopped:
                raise Stopped(outcome.stopped or "interrupted", interrupted=outcome.interrupted)
        refuse_unjudged(outcomes, resumable=again)
        return [read_run(folder) for folder in done.values() if folder is not None]


def ask_gate(
    config: ConvertConfig, result: ExportResult, folder: Path, clusters: tuple[str, ...], tell: OnProgress
) -> GateTable:
    """The table of all set-ups, asked or found asked. Raises HarnessError where one cannot be asked, KeyboardInterrupt.

    Raises ConfigError where a budget was spent before all was asked: the same command goes on.
    """
    asking = _Asking(config, result, folder, tell)
    rows = rows_of(config, result, folder, clusters)
    jobs = {row.name: asking.job(row) for row in rows}
    _refuse_nothing(jobs)
    try:
        runs = _rows(asking, rows, jobs)
        _reference(asking, clusters, runs)
        general = _general(asking)
    except Stopped as stopped:
        if stopped.interrupted:
            raise KeyboardInterrupt from None
        raise ConfigError(
            f"{stopped} before the gate was done: the same command goes on, with more in run.budget"
        ) from None
    ours = [run for name, run in runs.items() if name not in {"reference", "checkpoint"}]
    together = len({run.manifest.job for run in ours}) == 1
    key = content_key(
        "gate", result.key, config.convert.gate.model_dump(mode="json"), [config_hash(job) for job in jobs.values()]
    )
    found = build_table(key, config.model, Runs(runs, general, together, tuple(asking.notes)), config.convert.gate)
    place = folder / TABLE
    if read_kept(place, GateTable, key) != found:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_record(place, found)
    return found


def _refuse_nothing(jobs: dict[GateRow, Job]) -> None:
    """Raises ConfigError where the gate would ask what was learned from."""
    wrong = [sample.id for job in jobs.values() for sample in job.samples if sample.split != "test"]
    if wrong:
        raise ConfigError(
            f"{len(wrong)} samples of the gate are not of the split test (the first is {wrong[0]}): the suite has no "
            "splits that it can be told; make one with do=build build.splits=[test,train,calibration]"
        )


def _rows(asking: _Asking, rows: Sequence[Row], jobs: dict[GateRow, Job]) -> dict[GateRow, StoredRun]:
    """The runs of all rows: engines side by side where memory has room, else one after the other."""
    say_aside(f"{'gate':<12} {', '.join(row.title for row in rows)}: {len(jobs['base'].samples):,} samples each")
    ours = [row for row in rows if row.name != "checkpoint"]
    batches = [ours] if _fits(asking) else [[row for row in ours if row.engine == one] for one in ("base", "tuned")]
    batches += [[row for row in rows if row.name == "checkpoint"]]
    found: dict[GateRow, StoredRun] = {}
    for batch in batches:
        if batch:
            done = asking.run([jobs[row.name] for row in batch])
            found |= {row.name: run for row, run in zip(batch, done, strict=True)}
    return {row.name: found[row.name] for row in rows}


def _fits(asking: _Asking) -> bool:
    """Whether base and tuned model can be up at once."""
    config = asking.config
    assert isinstance(config.backend, LlamaCppConfig)
    tuned, backend = tuned_model(config, asking.result, asking.folder)
    assert isinstance(backend, LlamaCppConfig)
    needs = [
        memory_need(engine, model, resolve_weights(model, on_progress=asking.tell))
        for engine, model in ((config.backend, config.model), (backend, tuned))
    ]
    return all(needs) and sum(need or 0 for need in needs) <= _MEMORY_SHARE * available_memory()


def _reference(asking: _Asking, clusters: tuple[str, ...], runs: dict[GateRow, StoredRun]) -> None:
    """Adds what the rows are held against besides: the run that was named, else the suite's answers on record."""
    config, named = asking.config, asking.config.convert.gate.reference
    if named is not None:
        run = read_run(Path(named).resolve())
        if not {one.id for one in run.samples} >= {one.id for one in runs["base"].samples}:
            raise ConfigError(
                f"convert.gate.reference={named} is a run of {run.summary.suite} without all of the gate's samples; "
                "run the suite's test split first"
            )
        runs["reference"] = run
        return
    recorded = compose_run("model=incumbent")
    suite = gate_suite(config, clusters)
    one = recorded.model_copy(update={"suite": suite, "paths": config.paths, "run": config.run, "progress": "off"})
    try:
        job = make_job(one, asking.tell)
    except ConfigError:  # the suite carries no answers
        return
    runs["reference"] = asking.run([job])[0]


def _general(asking: _Asking) -> list[General]:
    """The general suites, base and tuned model in turn; what cannot be asked here is said."""
    config, options = asking.config, asking.config.convert.gate
    assert isinstance(config.backend, LlamaCppConfig)
    found = []
    for name in options.general_suites if options.general else ():
        if name == config.suite.name:
            asking.notes.append(f"general: {name} is the suite itself, and says nothing of other tasks")
            continue
        try:
            runs = asking.run(_pair(asking, name))
        except HarnessError as error:
            asking.notes.append(f"general: {name} was not asked ({error})")
            continue
        found.append(General(name, runs[0], runs[1]))
    return found


def _pair(asking: _Asking, name: str) -> list[Job]:
    config, options = asking.config, asking.config.convert.gate
    composed = compose_run(f"suite={name}", f"suite.limit={options.general}")
    most = min(composed.model.generation.max_tokens, options.general_tokens)
    tuned, backend = tuned_model(config, asking.result, asking.folder)
    jobs = []
    for engine, model, own in (("base", config.model, config.backend), ("tuned", tuned, backend)):
        model = model.model_copy(update={"generation": model.generation.model_copy(update={"max_tokens": most})})
        values = {key: getattr(config, key) for key in RunConfig.model_fields}
        one = RunConfig(**(values | {"do": "run", "suite": composed.suite, "model": model, "backend": own}))
        jobs.append(make_job(one, asking.tell, asking.engine(engine, one)))
    say_aside(f"{'general':<12} {name}: {len(jobs[0].samples)} samples, before and after")
    return jobs
