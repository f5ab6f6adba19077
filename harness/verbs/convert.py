"""`do=convert`: a suite's train split learned by a model, exported, put to the gate, and written down."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assets import OnProgress, cache_dir, console_progress
from harness.backends.torch_python import torch_python
from harness.backends.transformers_plan import Checkpoint
from harness.config import ConvertConfig
from harness.convert.card import model_card
from harness.convert.data import Setup, prepare
from harness.convert.data.teacher import compose_teacher
from harness.convert.data.tokens import teacher_checkpoint
from harness.convert.export.make import Task, export
from harness.convert.export.template import template_of, with_gguf
from harness.convert.ledger import LEDGER, Steps, build_ledger, read_ledger, shown_curve
from harness.convert.training import base_checkpoint, estimate, learning_curve, plan_of, train
from harness.convert.verify import Check, promote, verify
from harness.convert.words import estimate_words, gate_rows, general_words, minutes
from harness.errors import BackendError, DataError, GateFailed, HarnessError, RunFolderBusy
from harness.records.convert import DatasetManifest, LearningCurve, Ledger, Promotion, TrainPlan, TrainPoint
from harness.records.learning import LEARNING_CURVE
from harness.report.convert import write_page
from harness.scorers.context import ScorerContext, judge_seat, make_scorer
from harness.store.runfolder import lock, write_atomic, write_record
from harness.suite.spec import Suite, load_suite
from harness.verbs.audit_words import typed
from harness.verbs.convert_checks import checked, name_of, refuse_another, refuse_another_base, remove_empty
from harness.verbs.convert_gate import ask_gate
from harness.verbs.report import refresh_leaderboard
from harness.verbs.suited import say_aside
from harness.verbs.track import track_quietly

__all__ = ["main"]

_SAID_EVERY_S: Final = 20.0
_WIDTH = 170


@dataclass(frozen=True, slots=True)
class _Work:
    """One conversion on its way."""

    config: ConvertConfig
    name: str
    folder: Path
    suite: Suite
    """Of every split."""
    tell: OnProgress


def main(configs: Sequence[ConvertConfig]) -> None:
    """Makes what is not there yet, up to `convert.until`; leaves the folder, the card and `reports/convert.html`.

    Raises KeyboardInterrupt after what was interrupted has been put in order, GateFailed where the gate says that the
    model is worse or a promotion is refused, and HarnessError where a step cannot be done.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends as Ctrl-C does
    config = checked(configs)
    if config.convert.verify is not None:
        _verify(config, Path(config.convert.verify).expanduser())
        return
    name = config.convert.name or name_of(config)
    root = Path(config.convert.out).expanduser() if config.convert.out else Path(config.paths.results) / "convert"
    folder = root / name
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror}); choose another: convert.out=…") from None
    try:
        with lock(folder):
            refuse_another(folder, config)
            _convert(config, name, folder)
    except KeyboardInterrupt:
        say_aside("interrupted: the same command goes on from here")
        raise
    except RunFolderBusy:  # the folder is another command's
        raise
    except HarnessError:
        if new:
            remove_empty(folder)
        raise


def _convert(config: ConvertConfig, name: str, folder: Path) -> None:
    with console_progress(show=config.progress != "off") as tell:
        work = _Work(config, name, folder, _whole_suite(config, tell), tell)
        if config.convert.until == "data":
            found = _base_if_any(config, tell)
            if found is not None:
                refuse_another_base(folder, found.facts)
            _data(work, None if found is None else found.folder)
            return
        base = base_checkpoint(config, tell)
        refuse_another_base(folder, base.facts)
        dataset = _data(work, base.folder)
        plan = plan_of(config, dataset, folder / "data", tell)
        told = estimate(config, plan, dataset, folder / "data")
    for line in estimate_words(told):
        _say("estimate", line)
    if told.refused is not None:
        raise BackendError(told.refused)
    if config.convert.estimate_only:
        return
    training = train(config, plan, folder / "data", folder / "train", _Teller(config.progress != "off"))
    best = "" if training.best_metric is None else f", {training.metric} {training.best_metric:.1%}"
    _say("train", f"{training.steps:,} steps in {minutes(training.seconds)}, {training.status}{best}")
    curve = _curve(config, plan, folder)
    if config.convert.until == "train":
        return
    with console_progress(show=config.progress != "off") as tell:
        task = Task(config, name, folder, base.folder, training, tell)
        result = export(task)
        _say("export", f"{', '.join(dict.fromkeys(one.type for one in result.files))}: model={name}")
        for note in result.notes:
            _say("", note)
        if config.convert.until == "export":
            return
        engine = with_gguf(config, template_of(config, base.folder, tell))
        table = ask_gate(engine, result, folder, dataset.clusters, tell)
    refresh_leaderboard(Path(config.paths.results), Path(config.paths.reports))
    if config.convert.until == "gate":
        _say("gate", f"{table.verdict}: {table.why}")
        return
    steps = Steps(dataset, told, training, result, table, curve, work.suite.hash)
    _close(work, steps)


def _base_if_any(config: ConvertConfig, tell: OnProgress) -> Checkpoint | None:
    """The student's checkpoint, to count tokens by; None where rows alone are wanted and it cannot be had here."""
    try:
        return base_checkpoint(config, tell)
    except HarnessError as why:
        say_aside(f"tokens       are not counted: {why}")
        return None


def _curve(config: ConvertConfig, plan: TrainPlan, folder: Path) -> LearningCurve | None:
    """What trainings on parts of the rows say of more of them; None where none are asked for."""
    if not config.convert.curve:
        return None
    found = learning_curve(config, plan, folder / "data", folder / "curve", _Teller(config.progress != "off"))
    for point in found.points:
        right = "–" if point.metric is None else f"{point.metric:.1%}"
        _say("curve", f"{point.rows:,} rows, {point.steps:,} steps: {right} of {point.n:,}")
    _say("curve", found.why)
    return found


class _Teller:
    """A line of training now and then."""

    def __init__(self, show: bool) -> None:
        self._show, self._said_s = show, -_SAID_EVERY_S

    def __call__(self, point: TrainPoint) -> None:
        """Says a point that has a metric, or when enough time has passed since the last."""
        seconds = point.seconds or 0.0
        if not self._show or (point.metric is None and seconds - self._said_s < _SAID_EVERY_S):
            return
        self._said_s = seconds
        parts = [f"step {point.step:,}"]
        parts += [f"loss {point.loss:.3f}"] if point.loss is not None else []
        parts += [f"validation loss {point.validation_loss:.3f}"] if point.validation_loss is not None else []
        parts += [f"task {point.metric:.1%}"] if point.metric is not None else []
        _say("train", ", ".join([*parts, minutes(seconds)]))


def _say(name: str, said: str) -> None:
    say_aside(f"{name:<12} {said}")


def _whole_suite(config: ConvertConfig, tell: OnProgress) -> Suite:
    """The suite with the samples of every split."""
    options = {**config.suite.options, "split": "all"}
    whole = config.suite.model_copy(update={"options": options, "limit": None, "categories": None})
    return load_suite(whole, cache_dir(), tell)


def _data(work: _Work, base: Path | None) -> DatasetManifest:
    """The rows, made or found made."""
    config, suite = work.config, work.suite
    context = ScorerContext(
        suite.data, suite.options, config.scoring, config.agent, judge_seat(config.scoring, work.tell)
    )  # fmt: skip
    options = config.convert.data
    setup = Setup(
        spec=suite.spec,
        model=config.model,
        scorer=make_scorer(suite.spec.scorer, context),
        cluster=config.cluster,
        max_tokens=config.convert.training.max_tokens,
        checkpoint=base,
        python=None if base is None else torch_python(config.convert.training.python, key="convert.training.python"),
        teacher=None if options.teacher is None else compose_teacher(options),
        suite_data=suite.data,
        on_progress=work.tell,
        say=say_aside,
    )
    if options.distill == "logits" and options.teacher is not None:
        setup = replace(setup, weigher=teacher_checkpoint(options, setup))
    found = prepare(options, suite.samples, setup, work.folder / "data")
    sources = ", ".join(f"{one.name} {one.train:,}" for one in found.sources)
    _say(
        "data",
        f"{found.n_train:,} rows ({sources}), {found.n_validation:,} to stop by, {found.n_test:,} kept for the gate",
    )
    for note in found.notes:
        _say("", note)
    return found


def _close(work: _Work, steps: Steps) -> None:
    """Ledger, card and page; then promotion where it is asked for, and the gate's exit code."""
    config, folder = work.config, work.folder
    ledger = build_ledger(config, work.name, folder, steps, " ".join(["python -m harness", *typed()]))
    before = _promoted(folder, ledger)
    ledger = ledger.model_copy(update={"promoted": before})
    write_record(folder / LEDGER, ledger)
    if config.convert.promote and before is None:
        ledger = _promote(config, folder, ledger, work.tell)
    _write(config, folder, ledger)
    _print(ledger)
    gate = ledger.gate
    assert gate is not None
    page = Path(config.paths.reports) / "convert.html"
    for what, where in (("ledger", folder / LEDGER), ("card", folder / "MODEL_CARD.md"), ("page", page)):
        _say(what, str(where))
    _say("next", f"python -m harness suite={config.suite.name} model={work.name}")
    track_quietly([folder], config.tracking)
    if gate.verdict == "fail":
        raise GateFailed(f"{work.name}: {gate.why}")


def _promoted(folder: Path, ledger: Ledger) -> Promotion | None:
    """The promotion of an earlier command, where every link is still the same."""
    if not (folder / LEDGER).is_file():
        return None
    try:
        before = read_ledger(folder)
    except DataError:  # of another version: it says nothing of this one
        return None
    same = [(one.step, one.key, one.files) for one in before.links] == [
        (one.step, one.key, one.files) for one in ledger.links
    ]
    return before.promoted if same and before.redaction_sha256 == ledger.redaction_sha256 else None


def _promote(config: ConvertConfig, folder: Path, ledger: Ledger, tell: OnProgress) -> Ledger:
    assert config.convert.by is not None
    checks = verify(folder, ledger, Path(config.paths.results), tell)
    found = promote(folder, ledger, checks, config.convert.by, _print_checks)
    _say("promoted", f"{ledger.name} by {config.convert.by}")
    return found


def _verify(config: ConvertConfig, folder: Path) -> None:
    """Holds a ledger against the files, and promotes where that is asked for.

    Raises GateFailed where something does not hold.
    """
    ledger = read_ledger(folder)
    with console_progress(show=config.progress != "off") as tell:
        checks = verify(folder, ledger, Path(config.paths.results), tell)
    if config.convert.promote:
        assert config.convert.by is not None
        done = promote(folder, ledger, checks, config.convert.by, _print_checks)
        _write(config, folder, done)
        _say("promoted", f"{done.name} by {config.convert.by}: {folder / LEDGER}")
        return
    _print_checks(checks)
    if bad := [one for one in checks if not one.held]:
        raise GateFailed(
            f"{ledger.name} is not what its ledger says: {'; '.join(f'{one.name}: {one.said}' for one in bad)}"
        )
    _say("verified", f"{folder / LEDGER}")


def _print_checks(checks: Sequence[Check]) -> None:
    table = Table(title="the ledger against the files")
    for name in ("what", "holds", "said"):
        table.add_column(name, overflow="fold")
    for one in checks:
        table.add_row(one.name, "yes" if one.held else "NO", Text(one.said))
    Console().print(table)


def _write(config: ConvertConfig, folder: Path, ledger: Ledger) -> None:
    """The card beside the ledger, and the page."""
    write_atomic(folder / "MODEL_CARD.md", model_card(ledger))
    curve = shown_curve(ledger)
    if curve is not None:
        write_record(folder / LEARNING_CURVE, curve)
    write_page(ledger, Path(config.paths.reports) / "convert.html", curve)


def _print(ledger: Ledger) -> None:
    gate = ledger.gate
    assert gate is not None
    head, *rows = gate_rows(gate)
    table = Table(title=f"{ledger.name}: {gate.verdict}", caption=Text(gate.why))
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if not place else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out = Console(width=max(_WIDTH, Console().width))
    out.print(table)
    for line in general_words(gate):
        out.print(line, highlight=False, soft_wrap=True, markup=False)
    if gate.enough_why:
        out.print(gate.enough_why, highlight=False, soft_wrap=True, markup=False)
    paid = ledger.payback
    if paid is not None:
        said = f"paid back after {paid.calls:,.0f} calls beside {paid.against}" if paid.calls is not None else paid.why
        out.print(said, highlight=False, soft_wrap=True, markup=False)
