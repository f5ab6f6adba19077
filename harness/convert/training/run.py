"""Training itself: started or taken up, watched, judged, and told as a record."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from harness.config import ConvertConfig
from harness.convert.data.files import TRAIN, VALIDATION, read_rows
from harness.convert.data.tokens import LOGITS
from harness.convert.files import file_of, holds, read_kept
from harness.convert.training.child_process import run_child
from harness.convert.training.judge import Judge, judge_of, read_said
from harness.convert.training.plan import base_folder, template_of, train_python
from harness.records.convert import TrainPlan, TrainPoint, TrainResult
from harness.runner.facts import machine_facts
from harness.store.runfolder import write_atomic, write_record

__all__ = ["RESULT", "kept_result", "order_of", "train"]

RESULT: Final = "result.json"
_PLAN: Final = "plan.json"
_PROGRESS: Final = "progress.jsonl"
_EVALUATION: Final = "evaluation"
_KEPT_EVALUATIONS: Final = 2


def train(
    config: ConvertConfig, plan: TrainPlan, data: Path, out: Path, on_point: Callable[[TrainPoint], None]
) -> TrainResult:
    """Trains by the plan on the rows in `data` and leaves the adapter or model in `out`, with a record of how.

    What lies in `out` for this plan is kept: a whole result is returned as it is, an interrupted training goes on from
    its last checkpoint. What lies there for another plan is removed. on_point: hears each line of progress once.
    Blocks. Raises BackendError where the child fails, KeyboardInterrupt after a checkpoint was written.
    """
    if (done := kept_result(plan, out)) is not None:
        return done
    _prepared(plan, out)
    rows = read_rows(data / VALIDATION) if (data / VALIDATION).is_file() else []
    watch = _Watch(out, judge_of(config, rows), on_point)
    said = run_child(train_python(config), order_of(config, plan, data, out), watch)
    watch()
    result = _result(plan, out, said, watch)
    write_record(out / RESULT, result)
    for checkpoint in out.glob("checkpoint-*"):
        shutil.rmtree(checkpoint, ignore_errors=True)
    shutil.rmtree(out / _EVALUATION, ignore_errors=True)
    return result


def kept_result(plan: TrainPlan, out: Path) -> TrainResult | None:
    """What an earlier command left for this very plan, every file as it was written; None: it has to be trained."""
    try:
        result = TrainResult.model_validate_json((out / RESULT).read_bytes())
    except (OSError, ValidationError):
        return None
    if result.plan.key != plan.key or not all(holds(out / result.folder, one) for one in result.files):
        return None
    return result


def _prepared(plan: TrainPlan, out: Path) -> None:
    """Makes the folder this plan's own."""
    if out.is_dir() and read_kept(out / _PLAN, TrainPlan, plan.key) is None:
        shutil.rmtree(out)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    (out / RESULT).unlink(missing_ok=True)
    write_record(out / _PLAN, plan)


def order_of(config: ConvertConfig, plan: TrainPlan, data: Path, out: Path, probe: int = 0) -> dict[str, Any]:
    """What the child is told. probe: steps to measure, of which nothing is left; 0: train."""
    training = config.convert.training
    distill = config.convert.data.distill == "logits"
    return {
        **plan.model_dump(
            mode="json",
            include={
                "method", "rank", "alpha", "dropout", "targets", "learning_rate", "epochs", "max_steps", "batch",
                "accumulate", "max_tokens", "packing", "dtype", "device", "processes", "threads", "seed",
            },
        ),
        "base": str(base_folder(config)),
        "template": template_of(config),
        "data": str(data.absolute()),
        "out": str(out.absolute()),
        "schedule": training.schedule,
        "warmup_frac": training.warmup_frac,
        "weight_decay": training.weight_decay,
        "clip": training.clip,
        "max_minutes": training.max_minutes,
        "checkpointing": training.checkpointing,
        "checkpoint_steps": training.checkpoint_steps,
        "eval_steps": training.eval_steps,
        "patience": training.patience,
        "logits": str((data / LOGITS).absolute()) if distill else None,
        "distill_share": training.distill_share,
        "temperature": config.convert.data.temperature,
        "probe": probe,
    }  # fmt: skip


@dataclass(slots=True)
class _Watch:
    """Reads what the child leaves while it works: points for whoever listens, answers for the judge."""

    out: Path
    judge: Judge | None
    on_point: Callable[[TrainPoint], None]
    points: list[TrainPoint] = field(default_factory=list)
    _told: int = -1

    def __call__(self) -> None:
        """Looks once."""
        self.points = _points(self.out / _PROGRESS)
        for point in self.points:
            if point.step > self._told or (point.metric is not None and point.step == self._told):
                self._told = point.step if point.metric is None else point.step + 1
                self.on_point(point)
        self._judged()

    def _judged(self) -> None:
        folder = self.out / _EVALUATION
        for asked in sorted(folder.glob("replies-*.jsonl"), key=lambda one: one.stat().st_mtime):
            answer = folder / f"score-{asked.stem.partition('-')[2]}.json"
            if not answer.is_file():
                metric = None if self.judge is None else self.judge.metric(read_said(asked))
                write_atomic(answer, json.dumps({"metric": metric}))
        old = sorted(folder.glob("replies-*.jsonl"), key=lambda one: one.stat().st_mtime)[:-_KEPT_EVALUATIONS]
        for one in old:
            one.unlink(missing_ok=True)


def _points(file: Path) -> list[TrainPoint]:
    """The whole lines of a file that is still written to."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return []
    return [TrainPoint.model_validate_json(line) for line in text.split("\n")[:-1] if line]


def _result(plan: TrainPlan, out: Path, said: Mapping[str, Any], watch: _Watch) -> TrainResult:
    folder = "model" if plan.method == "full" else "adapter"
    status: Literal["complete", "early_stopped", "interrupted"] = said["status"]
    files = tuple(file_of(out / folder, one) for one in sorted((out / folder).rglob("*")) if one.is_file())
    measured = watch.judge is not None and said["best_metric"] is not None
    return TrainResult(
        plan=plan,
        status=status,
        steps=said["step"],
        best_step=said["best_step"],
        best_metric=said["best_metric"],
        metric=watch.judge.name if watch.judge is not None and measured else None,
        seconds=said["seconds"],
        evaluation_seconds=said["evaluation_seconds"],
        tokens=said["tokens"],
        rows=said["rows"],
        sittings=said["sittings"],
        peak_memory_bytes=said["peak_memory_bytes"],
        parameters=said["parameters"],
        trainable=said["trainable"],
        machine=machine_facts(),
        gpu=said["gpu"],
        points=tuple(watch.points),
        folder=folder,
        files=files,
        notes=tuple(_notes(plan, said, watch)),
    )


def _notes(plan: TrainPlan, said: Mapping[str, Any], watch: _Watch) -> list[str]:
    notes = []
    if said["too_long"]:
        notes.append(f"{said['too_long']:,} rows are longer than {plan.max_tokens:,} tokens and were not trained on")
    if watch.judge is None:
        notes.append(
            "there was nothing to stop by (no validation rows, or a scorer that judges late): the last step is kept"
            if said["best_metric"] is None and said["best_loss"] is None
            else "the suite's scorer judges late: the step with the least loss on validation rows is kept"
        )
    if said["best_step"] == 0:
        notes.append("no step was better on the validation rows than the base itself: what was kept changes nothing")
    if plan.max_steps is None and said["status"] == "complete" and watch.points and said["sittings"] > 1:
        notes.append(f"trained in {said['sittings']} sittings")
    return notes


def rows_of(data: Path) -> int:
    """Rows to train on."""
    return sum(1 for line in (data / TRAIN).read_bytes().splitlines() if line.strip())
