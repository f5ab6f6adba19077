"""A finished conversion on disk: rows, adapter, file, runs, table and ledger, from runs that are made up."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from harness.assets.progress import silent
from harness.config import ConvertConfig, parse, register_defaults
from harness.convert.files import file_of
from harness.convert.gate.table import General, Runs, build_table
from harness.convert.ledger import LEDGER, Steps, build_ledger
from harness.convert.verify import Check, verify
from harness.paths import conf_dir
from harness.records.convert import (
    DatasetManifest,
    DeltaReport,
    ExportFile,
    ExportResult,
    GateRow,
    GateTable,
    Ledger,
    RowGroup,
    TensorDelta,
    TrainPlan,
    TrainPoint,
    TrainResult,
)
from harness.records.manifest import MachineFacts, WeightFacts
from harness.report.view import RunView
from harness.store.runfolder import write_record
from harness.store.runs import StoredRun
from harness.suite.spec import load_suite
from tests.support.report_runs import made_run
from tests.support.stored_runs import store

__all__ = ["BASE", "Conversion", "convert_config", "gate_table", "runs_of", "stored", "suite_folder"]

BASE = WeightFacts(file="base.Q4_1.gguf", bytes=98_362_432, sha256="b1" * 32, quantization="Q4_1", source="path")
_MACHINE = MachineFacts(system="Linux x86_64", cpu="A CPU", cores=2, memory_bytes=24 << 30, python="3.11.7")
_SKILL: dict[GateRow, float] = {"base": 0.1, "examples": 0.3, "grammar": 0.4, "tuned": 0.8, "tuned_grammar": 0.95}


def convert_config(*overrides: str) -> ConvertConfig:
    """`do=convert` with these words, as on a command line."""
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        found = parse(compose("config", overrides=["do=convert", *overrides]))
    assert isinstance(found, ConvertConfig)
    return found


def runs_of(skill: dict[GateRow, float] | None = None, n: int = 40) -> dict[GateRow, RunView]:
    """A run of each set-up, by the chance that a sample is right."""
    found: dict[GateRow, RunView] = {}
    for place, (name, chance) in enumerate((skill or _SKILL).items()):
        found[name] = made_run(
            protocol="constrained" if name in {"grammar", "tuned_grammar"} else "prompted",
            skill=chance,
            n=n,
            started_at=f"2026-03-02T10:15:{place:02d}Z",
        )
    return found


def stored(view: RunView) -> StoredRun:
    """A view as a run that was read."""
    return StoredRun(Path(view.id), view.manifest, view.summary, view.samples, view.attempts, view.scores)


def gate_table(
    runs: dict[GateRow, RunView], *, general: tuple[RunView, RunView] | None = None, **gate: Any
) -> GateTable:
    """The table of these runs."""
    config = convert_config()
    options = config.convert.gate.model_copy(update=gate)
    pair = [] if general is None else [General("toolcall", stored(general[0]), stored(general[1]))]
    return build_table("key", config.model, Runs({name: stored(one) for name, one in runs.items()}, pair), options)


@dataclass(slots=True)
class Conversion:
    """A conversion in a folder of its own; `config` and files may be changed before it is verified."""

    root: Path
    config: ConvertConfig
    ledger: Ledger

    @property
    def folder(self) -> Path:
        """Of the conversion."""
        return self.root / "results" / "convert" / "shop"

    def checks(self) -> dict[str, Check]:
        """What verifying says, by name."""
        found = verify(self.folder, self.ledger, self.root / "results", silent)
        return {one.name: one for one in found}

    @classmethod
    def made(cls, root: Path) -> "Conversion":
        """A whole one: its suite, rows, adapter, file, runs, table and ledger."""
        suite = suite_folder(root / "suites" / "shop")
        config = convert_config(
            "suite=local", f"suite.path={suite}", "suite.name=shop", f"paths.results={root}/results"
        )
        views = runs_of()
        for view in views.values():
            store(view, root / "results")
        folder = root / "results" / "convert" / "shop"
        dataset, training = _data(folder), _training(folder)
        table = gate_table(views)
        write_record(_parent(folder / "gate" / "table.json"), table)
        export = _export(folder)
        options = config.suite.model_copy(update={"options": {**config.suite.options, "split": "all"}})
        steps = Steps(dataset, None, training, export, table, None, load_suite(options, root / "cache").hash)
        ledger = build_ledger(config, "shop", folder, steps, "python -m harness do=convert")
        write_record(folder / LEDGER, ledger)
        return cls(root, config, ledger)


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def suite_folder(folder: Path) -> Path:
    """A small suite of questions, made of curated calls."""
    folder.mkdir(parents=True)
    policy = "{policy: rules, version: 1}"
    (folder / "suite.yaml").write_text(
        "name: shop\ntitle: Shop\ndescription: d\nlicence: CC0-1.0\nloader: jsonl\nscorer: text\n"
        f"built: {{calls: support, records_hash: abc, redaction: {policy}}}\n"
    )
    lines = [
        {"id": f"{split}-{number}", "prompt": f"How many is {number}?", "answer": str(number), "split": split}
        for split in ("train", "test")
        for number in range(3)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


def _data(folder: Path) -> DatasetManifest:
    from harness.convert.data.provenance import provenance
    from harness.suite.spec import read_spec

    origin = provenance(read_spec("shop", folder.parents[2] / "suites" / "shop"), [])
    _parent(folder / "data" / "train.jsonl").write_text('{"id": "r"}\n')
    found = DatasetManifest(
        key="rows",
        suite="shop",
        suite_hash="s" * 64,
        cluster=None,
        protocol="prompted",
        n_train=300,
        n_validation=40,
        n_test=40,
        n_call=250,
        n_no_call=50,
        sources=(RowGroup(name="human", train=300, validation=40),),
        contamination={"equal": 0, "near": 0},
        redaction=origin.redaction,
        redaction_sha256=origin.redaction_sha256,
        logs=origin.logs,
        files=(file_of(folder, folder / "data" / "train.jsonl"),),
    )
    write_record(folder / "data" / "dataset.json", found)
    return found


def _training(folder: Path) -> TrainResult:
    _parent(folder / "train" / "adapter" / "adapter_model.safetensors").write_bytes(b"factors")
    plan = TrainPlan(
        key="plan", method="lora", base=BASE, base_folder="base", dequantised_from="Q4_1", data_key="rows", seed=0,
        rank=16, alpha=32.0, learning_rate=5e-4, epochs=3.0, batch=8, max_tokens=512, dtype="bfloat16", device="cpu",
    )  # fmt: skip
    points = tuple(
        TrainPoint(
            step=10 * n, seconds=12.0 * n, loss=2.0 / n, validation_loss=2.3 / n if n % 2 else None,
            metric=n / 12 if n % 2 else None,
        )
        for n in range(1, 11)
    )  # fmt: skip
    found = TrainResult(
        plan=plan, status="complete", steps=100, best_step=90, best_metric=0.75, metric="exact calls", seconds=600.0,
        evaluation_seconds=60.0, tokens=90_000, rows=800, parameters=134_515_008, trainable=4_884_480,
        machine=_MACHINE, points=points, folder="adapter",
        files=(file_of(folder / "train", folder / "train" / "adapter" / "adapter_model.safetensors"),),
    )  # fmt: skip
    write_record(folder / "train" / "result.json", found)
    return found


def _export(folder: Path) -> ExportResult:
    _parent(folder / "export" / "shop-Q8_0.gguf").write_bytes(b"GGUF of the merged weights")
    worst = TensorDelta(name="blk.0.attn_q.weight", type="Q8_0", relative=0.004, survived=0.97)
    delta = DeltaReport(
        file="shop-Q8_0.gguf", type="Q8_0", relative=0.008, survived=0.999, worst=worst, median=0.999, unchanged=0.4,
        limit=0.5, verdict="pass", why="99.9% of what was learned is left in Q8_0",
    )  # fmt: skip
    file = file_of(folder, folder / "export" / "shop-Q8_0.gguf")
    found = ExportResult(
        key="export", serve="merged", name="shop", chosen="Q8_0", base=BASE,
        files=(ExportFile(file=file, type="Q8_0", made_by="the harness", delta=delta),),
        model_config_file="models/shop.yaml",
        lineage=("base.Q4_1.gguf (Q4_1)", "dequantised from Q4_1 by transformers' GGUF loader", "stored as Q8_0"),
    )  # fmt: skip
    write_record(folder / "export" / "export.json", found)
    return found
