"""The export of a trained model: merged, written, quantized, measured, named. What is there is used again."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from harness.assets import OnProgress
from harness.assets.progress import Progress
from harness.backends.llamacpp_plan import usable_cores
from harness.backends.torch_python import torch_python
from harness.backends.weights import WeightFile
from harness.config import MODELS, ConvertConfig
from harness.convert.export.delta import delta_report
from harness.convert.export.template import template_of, with_gguf
from harness.convert.export.tool import ordered
from harness.convert.files import content_key, file_of, holds, read_kept
from harness.convert.model_file import write_model
from harness.convert.words import distilled
from harness.errors import ConfigError, DataError
from harness.quantize.tool import Quantizer, find_quantizer
from harness.quantize.types import FULL, known_type, type_of_file
from harness.records.convert import DeltaReport, ExportFile, ExportResult, TrainResult
from harness.records.manifest import WeightFacts
from harness.store.runfolder import write_atomic, write_record

__all__ = ["EXPORT", "Task", "checked_types", "export"]

EXPORT = "export.json"
_DIRECT = frozenset({"F32", "F16", "BF16", "Q8_0"})
"""Types that the child writes itself, from float32; the others are llama.cpp's work, from F16."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is exported, and where to."""

    config: ConvertConfig
    name: str
    folder: Path
    """Of the conversion: `train/` is in it, `export/` is made."""
    base: Path
    """The checkpoint that was trained on."""
    training: TrainResult
    tell: OnProgress

    @property
    def trained(self) -> Path:
        """The adapter's folder, or the model's where all weights were trained."""
        return self.folder / "train" / self.training.folder

    @property
    def out(self) -> Path:
        """Where everything goes."""
        return self.folder / "export"

    @property
    def is_adapter(self) -> bool:
        """Whether training left an adapter."""
        return self.training.plan.method != "full"

    def share(self, what: str) -> Callable[[float], None]:
        """Tells the progress of one piece of work, in bytes of the checkpoint."""
        size = sum(one.stat().st_size for one in self.base.glob("*.safetensors"))
        return lambda done: self.tell(Progress(f"{self.name}: {what}", round(size * done), size))


def checked_types(config: ConvertConfig) -> tuple[str, ...]:
    """The GGUF types asked for, as llama.cpp writes them. Raises ConfigError for what cannot be made or served."""
    options = config.convert.export
    types = tuple(dict.fromkeys(known_type(one) for one in options.types))
    if options.serve == "adapter" and config.convert.method in {"dora", "full"}:
        raise ConfigError(
            f"convert.export.serve=adapter: llama.cpp has no place for what {config.convert.method} trains beside a "
            "base; convert.export.serve=merged, or convert=lora"
        )
    if options.serve == "merged" and any(one not in _DIRECT for one in types):
        find_quantizer(options.quantize_python, options.quantize_program)  # now, not after an hour of training
    return types


def export(task: Task) -> ExportResult:
    """Makes what the engine loads, measures what is left of the training in it, and writes the model's file.

    Blocks. Raises DataError where less than `convert.export.least_delta` is left in the served file, BackendError where
    a child fails, ConfigError for a type that nothing here can make.
    """
    options, types = task.config.convert.export, checked_types(task.config)
    template = template_of(task.config, task.base, task.tell)
    settings = options.model_dump(mode="json", exclude={"quantize_python", "quantize_program", "converter"})
    trained: JsonValue = [one.model_dump(mode="json") for one in task.training.files]
    key = content_key("export", task.name, settings, trained, template.facts.sha256, _wants_checkpoint(task))
    kept = read_kept(task.out / EXPORT, ExportResult, key)
    if kept is not None and all(holds(task.folder, one.file) for one in kept.files):
        _refuse(kept)
        write_model(with_gguf(task.config, template), kept, task.folder)
        return kept
    task.out.mkdir(parents=True, exist_ok=True)
    work = task.out / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        made = _Making(task, template, work, torch_python(task.config.convert.training.python, key=_PYTHON_KEY))
        files = made.adapter() if options.serve == "adapter" else made.merged(types)
        result = _result(task, key, template, files, made.lineage)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_record(task.out / EXPORT, result)
    _refuse(result)
    write_model(with_gguf(task.config, template), result, task.folder)
    return result


_PYTHON_KEY = "convert.training.python"


def _wants_checkpoint(task: Task) -> bool:
    options = task.config.convert
    return options.export.safetensors or options.gate.checkpoint


class _Making:
    """The work of one export, in a folder that goes when it is done."""

    def __init__(self, task: Task, template: WeightFile, work: Path, python: Path) -> None:
        self.task, self.template, self.work, self.python = task, template, work, python
        self.base_type = type_of_file(template.header) or template.facts.quantization
        self.lineage = _beginning(task, template)
        self.reports: list[DeltaReport] = []

    def adapter(self) -> list[ExportFile]:
        """The adapter as GGUF, for the base's own file, and the checkpoint where that is wanted."""
        name = f"{self.task.name}-lora.gguf"
        order: dict[str, JsonValue] = {
            "base": str(self.task.base), "adapter": str(self.task.trained), "template": str(self.template.path),
            "out": str(self.work / name), "name": self.task.name,
        }  # fmt: skip
        ordered(self.python, "adapter", order, self.task.share("adapter as GGUF"))
        self.lineage.append(
            f"written as a LoRA adapter in GGUF ({name}), to be loaded beside {self.template.facts.file}: nothing that "
            "was learned is rounded"
        )
        found = [self._kept(name, "adapter", "the harness, with the gguf package", None)]
        return found + (self._checkpoint(self._merged_folder()) if _wants_checkpoint(self.task) else [])

    def merged(self, types: tuple[str, ...]) -> list[ExportFile]:
        """A file for each type, measured."""
        merged = self._merged_folder()
        full: Path | None = None
        found = []
        for kind in types:
            name = f"{self.task.name}-{kind}.gguf"
            if kind in _DIRECT:
                self._write(merged, self.work / name, kind)
                by = "the harness, with the gguf package, from float32"
            else:
                full = full or self._write(merged, self.work / "full.gguf", "F16")
                by = self._quantize(full, self.work / name, kind)
            report = self._measured(merged, name, kind)
            found.append(self._kept(name, kind, by, report))
        self.lineage.append(f"written as GGUF with the header of {self.template.facts.file} and the merged weights")
        for one in self.reports:
            self.lineage.append(f"stored as {one.type}: {one.why}")
        write_atomic(
            self.task.out / "delta.json", "[" + ",\n".join(one.model_dump_json() for one in self.reports) + "]\n"
        )
        return found + (self._checkpoint(merged) if _wants_checkpoint(self.task) else [])

    def _merged_folder(self) -> Path:
        if not self.task.is_adapter:
            return self.task.trained
        out = self.work / "merged"
        order: dict[str, JsonValue] = {
            "base": str(self.task.base), "adapter": str(self.task.trained), "out": str(out), "dtype": "float32",
        }  # fmt: skip
        ordered(self.python, "merge", order, self.task.share("merge"))
        return out

    def _write(self, merged: Path, out: Path, kind: str) -> Path:
        config = self.task.config
        order: dict[str, JsonValue] = {
            "base": str(self.task.base), "merged": str(merged), "template": str(self.template.path), "out": str(out),
            "name": self.task.name, "type": kind,
            "description": f"{config.model.name}, {config.convert.method} on {config.suite.name}",
        }  # fmt: skip
        ordered(self.python, "gguf", order, self.task.share(f"write {kind}"))
        return out

    def _quantize(self, source: Path, target: Path, kind: str) -> str:
        options = self.task.config.convert.export
        quantizer: Quantizer = find_quantizer(options.quantize_python, options.quantize_program)
        share = self.task.share(f"quantize {kind}")
        quantizer.make(source, target, kind=kind, threads=usable_cores(), on_share=share)
        share(1.0)
        return f"{quantizer.label}, from F16"

    def _measured(self, merged: Path, name: str, kind: str) -> DeltaReport:
        options = self.task.config.convert.export
        order: dict[str, JsonValue] = {
            "base": str(self.task.base), "merged": str(merged), "template": str(self.template.path),
            "file": str(self.work / name),
        }  # fmt: skip
        found = ordered(self.python, "delta", order, self.task.share(f"what is left in {kind}"))
        report = delta_report(
            name, kind, found, least=options.least_delta, warn=options.warn_delta, base_type=self.base_type
        )
        self.reports.append(report)
        return report.model_copy(update={"tensors": ()})

    def _kept(self, name: str, kind: str, by: str, report: DeltaReport | None) -> ExportFile:
        (self.work / name).replace(self.task.out / name)
        return ExportFile(file=file_of(self.task.folder, self.task.out / name), type=kind, made_by=by, delta=report)

    def _checkpoint(self, merged: Path) -> list[ExportFile]:
        """The merged checkpoint kept: for the engines that load safetensors, and to be asked itself."""
        place = self.task.out / "merged"
        shutil.rmtree(place, ignore_errors=True)
        if merged.is_relative_to(self.work):
            merged.replace(place)
        else:
            shutil.copytree(merged, place)
        inside = sorted(one for one in place.rglob("*") if one.is_file())
        return [
            ExportFile(file=file_of(self.task.folder, one), type="safetensors", made_by="transformers and peft")
            for one in inside
        ]


def _beginning(task: Task, template: WeightFile) -> list[str]:
    plan = task.training.plan
    base = template.facts
    said = [
        f"{base.file} ({base.quantization or 'type not known'}, SHA-256 {base.sha256[:12]}…, {base.source or 'path'})"
    ]
    if plan.dequantised_from is not None:
        said.append(
            f"dequantised from {plan.dequantised_from} by transformers' GGUF loader, since no other weights were "
            "given: what that type had lost before is lost"
        )
    trained = f"{plan.method}, {task.training.steps:,} steps on {task.training.rows or 0:,} rows read"
    said.append(f"trained: {trained}, seed {plan.seed}{distilled(plan)}")
    said.append("the adapter merged in float32" if task.is_adapter else "all weights were trained")
    return said


def _result(
    task: Task, key: str, template: WeightFile, files: list[ExportFile], lineage: list[str]
) -> ExportResult:  # fmt: skip
    options = task.config.convert.export
    base: WeightFacts = template.facts
    types = [one.type for one in files]
    notes = []
    weak = [one.delta for one in files if one.delta is not None and one.delta.verdict != "pass"]
    notes += [f"{one.type}: {one.why}." for one in weak]
    return ExportResult(
        key=key,
        serve=options.serve,
        name=task.name,
        chosen="adapter" if options.serve == "adapter" else types[0],
        base=base,
        files=tuple(files),
        model_config_file=f"{MODELS}/{task.name}.yaml",
        lineage=tuple(lineage),
        notes=tuple(notes),
    )


def _refuse(result: ExportResult) -> None:
    """Nothing where the served file holds what was learned. Raises DataError where it does not."""
    served = result.file(result.chosen)
    if served is None or served.delta is None or served.delta.verdict != "refuse":
        return
    if served.delta.survived is None:
        raise DataError(f"{served.delta.why}: train longer, or at a higher rate: convert.training.epochs=…")
    kinds = [kind for kind in ("Q8_0", "F16") if kind != result.chosen]
    finer = kinds[0] if result.chosen not in FULL else "F32"
    with suppress(StopIteration):
        finer = next(one.type for one in result.files if one.delta and one.delta.verdict == "pass")
    raise DataError(
        f"{served.delta.why}; take a finer type, convert.export.types=[{finer}], keep the adapter beside the base, "
        "convert.export.serve=adapter, or let it pass: convert.export.least_delta=0"
    )
