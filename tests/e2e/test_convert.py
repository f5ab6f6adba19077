"""do=convert as a user types it: what it refuses, the ledger held against its files, and a whole one for real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.backends.torch_python import torch_python
from harness.errors import ConfigError
from harness.records.convert import Ledger, TrainResult
from tests.support.conversions import Conversion

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "convert"


def run(cwd: Path, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "do=convert", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["convert.name=smollm2"], "convert.name=smollm2 is a model of the configuration; choose another name"),
        (["convert.training.distill_share=0.9"], "type convert.data.distill=logits"),
        (["convert=full", "convert.training.rank=8"], "is of factors beside the weights, and convert=full has none"),
        (["convert.promote=true"], "convert.promote=true needs who promotes: convert.by=NAME"),
        (["model=gpt-4.1-mini"], "is served elsewhere: do=convert trains weights that are here"),
        (["convert=dora", "convert.export.serve=adapter"], "convert.export.serve=merged, or convert=lora"),
        (["convert.export.types=[Q4_X]"], "is not a type that can be made"),
        (["convert.verify=nowhere"], "has no ledger.json"),
        (["suite=replay", "logs.path=x.jsonl"], "make it with do=build, then suite=NAME"),
    ],
    ids=["taken", "share", "factors", "promote", "hosted", "adapter", "type", "verify", "replay"],
)
def test_what_cannot_be_is_one_line_that_says_what_to_type(tmp_path: Path, words: list[str], said: str) -> None:
    done = run(tmp_path, *words)

    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_ledger_is_verified_promoted_once_and_refused_when_a_file_was_changed(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    ledger = made.ledger.model_copy(update={"suite_path": "suites/shop"})
    (made.folder / "ledger.json").write_text(ledger.model_dump_json())
    where = f"convert.verify={made.folder.relative_to(tmp_path)}"

    good = run(tmp_path, where)
    promoted = run(tmp_path, where, "convert.promote=true", "convert.by=Ada")
    (made.folder / "export" / "shop-Q8_0.gguf").write_bytes(b"others")
    bad = run(tmp_path, where, "convert.promote=true", "convert.by=Ada")

    assert good.returncode == 0, good.stderr
    assert promoted.returncode == 0, promoted.stderr
    assert Ledger.model_validate_json((made.folder / "ledger.json").read_bytes()).promoted is not None
    assert "Promoted on" in (made.folder / "MODEL_CARD.md").read_text()
    assert (tmp_path / "reports" / "convert.html").is_file()
    assert bad.returncode == 1
    assert "changed or gone: export/shop-Q8_0.gguf" in bad.stderr


def test_a_name_under_which_another_suite_was_learned_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    made = Conversion.made(tmp_path)
    before = (made.folder / "data" / "dataset.json").read_bytes()

    done = run(tmp_path, "suite=toolcall", f"convert.name={made.folder.name}", "convert.until=data")

    assert done.returncode == 2
    assert f"holds a training on suite={made.ledger.suite}, not toolcall; choose another name" in done.stderr
    assert (made.folder / "data" / "dataset.json").read_bytes() == before


def _needs_torch() -> None:
    try:
        torch_python(None)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.model
@pytest.mark.slow
def test_the_example_goes_from_its_log_to_a_model_whose_ledger_holds(tmp_path: Path) -> None:
    _needs_torch()
    demo = [
        "sh", str(_EXAMPLE / "demo.sh"), str(tmp_path / "demo"), "convert.training.max_steps=8", "convert.gate.limit=4",
        "convert.training.eval_steps=8", "convert.gate.rows=[base,tuned]", "convert.gate.general=0",
        "convert.data.validation=4", "model.generation.max_tokens=32",
    ]  # fmt: skip

    done = subprocess.run(
        demo, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=3600, check=False
    )

    folder = tmp_path / "demo" / "results" / "convert" / "shop_small"
    assert done.returncode == 0, done.stderr[-3000:]  # its last command holds the ledger against the files
    ledger = Ledger.model_validate_json((folder / "ledger.json").read_bytes())
    looks = [one.validation_loss for one in ledger.training.points if one.validation_loss is not None]
    assert looks[-1] < looks[0]
    served = ledger.export.files[0]
    assert served.delta is not None
    assert served.delta.survived == pytest.approx(1.0, abs=0.05)
    assert str(tmp_path) not in (folder / "ledger.json").read_text()
    assert str(tmp_path) not in (folder / "MODEL_CARD.md").read_text()


TINY = (
    "suite=tiny", "model=smollm2", "model.protocol=prompted", "convert.data.validation=0", "convert.training.batch=1",
    "convert.training.max_steps=6", "convert.training.learning_rate=1e-3", "convert.training.checkpoint_steps=1",
    "convert.training.threads=1", "convert.gate.general=0", "convert.gate.rows=[base,tuned]",
    "model.generation.max_tokens=16", "run.warmup=0", "convert.name=tiny",
)  # fmt: skip


@pytest.mark.model
@pytest.mark.slow
def test_killed_in_each_step_it_goes_on_to_what_it_would_have_been(tmp_path: Path) -> None:
    _needs_torch()
    tiny_suite(tmp_path / "suites" / "tiny")
    folder, runs = tmp_path / "results" / "convert" / "tiny", tmp_path / "results" / "run"
    killed = [
        _killed_once(tmp_path, marks)
        for marks in (
            lambda: (folder / "data").is_dir(),
            lambda: bool(list(folder.glob("train/checkpoint-*"))),
            lambda: (folder / "export" / ".work").is_dir(),
            lambda: any(one.stat().st_size for one in runs.glob("*/attempts.jsonl")),
        )
    ]

    last = run(tmp_path, *TINY, timeout=1800)
    again = run(tmp_path, *TINY, timeout=1800)
    whole = run(tmp_path, *TINY, "convert.name=whole", "convert.until=train", timeout=1800)
    held = run(tmp_path, "convert.verify=results/convert/tiny")

    assert killed == [-signal.SIGKILL] * 4
    assert last.returncode in {0, 1}, last.stderr  # the gate may find that six steps made it worse
    assert (again.returncode, whole.returncode, held.returncode) == (last.returncode, 0, 0), held.stderr
    ledger = Ledger.model_validate_json((folder / "ledger.json").read_bytes())
    other = TrainResult.model_validate_json((folder.parent / "whole" / "train" / "result.json").read_bytes())
    assert ledger.training.sittings == 2
    assert _weights(ledger.training) == _weights(other)
    asked = [one for one in runs.iterdir() if not one.is_symlink()]
    assert len(asked) == 2
    assert all(len((one / "attempts.jsonl").read_text().splitlines()) == 2 for one in asked)
    model = yaml.safe_load((tmp_path / "models" / "tiny.yaml").read_text())["model"]
    assert model["weights"]["gguf"]["asset"]["path"] == "results/convert/tiny/export/tiny-Q8_0.gguf"


@pytest.mark.model
@pytest.mark.slow
def test_a_type_that_rounds_the_training_away_is_refused_each_time(tmp_path: Path) -> None:
    _needs_torch()
    tiny_suite(tmp_path / "suites" / "tiny")
    words = [*TINY, "convert.training.max_steps=2", "convert.export.types=[Q4_1]", "convert.until=export"]

    first = run(tmp_path, *words, timeout=1800)
    again = run(tmp_path, *words, timeout=1800)

    if first.returncode == 3:
        pytest.skip("nothing here makes a Q4_1: make quantize-env")
    assert (first.returncode, again.returncode) == (2, 2), first.stderr
    assert "convert.export.types=[Q8_0]" in first.stderr
    assert "convert.export.types=[Q8_0]" in again.stderr
    assert not (tmp_path / "models" / "tiny.yaml").exists()


@pytest.mark.model
@pytest.mark.slow
def test_what_memory_does_not_hold_is_refused_before_it_starts(tmp_path: Path) -> None:
    _needs_torch()
    tiny_suite(tmp_path / "suites" / "tiny", rows=1500)
    words = [*TINY, "convert.training.batch=1500", "convert.data.near=null"]

    done = run(tmp_path, *words, timeout=1800)

    assert done.returncode == 3, done.stderr
    assert "training needs about" in done.stderr
    assert "type convert.training.batch=1 convert.training.accumulate=8" in done.stderr
    assert not (tmp_path / "results" / "convert" / "tiny" / "train").exists()


@pytest.mark.model
@pytest.mark.slow
def test_a_name_that_another_base_or_cluster_has_is_refused_with_what_to_type(tmp_path: Path) -> None:
    _needs_torch()
    tiny_suite(tmp_path / "suites" / "tiny")
    train = [*TINY, "convert.training.max_steps=1", "convert.until=train"]
    first = run(tmp_path, *train, timeout=1800)
    kept = (tmp_path / "results" / "convert" / "tiny" / "data" / "dataset.json").read_bytes()

    base = run(tmp_path, *train, "model=gemma3_270m", timeout=1800)
    cluster = run(tmp_path, *train, "cluster=calls", timeout=1800)

    assert first.returncode == 0, first.stderr
    assert (base.returncode, cluster.returncode) == (2, 2), base.stderr + cluster.stderr
    assert "holds a training on the base" in base.stderr
    assert "holds a training on the whole suite, not calls; choose another name, convert.name=…" in cluster.stderr
    assert (tmp_path / "results" / "convert" / "tiny" / "data" / "dataset.json").read_bytes() == kept


def _weights(result: TrainResult) -> dict[str, str]:
    return {one.path: one.sha256 for one in result.files if one.path.endswith(".safetensors")}


def _killed_once(cwd: Path, seen: Callable[[], bool]) -> int:
    """Starts the command, kills it when a step has begun, and says how it ended; what it started ends with it."""
    command = [sys.executable, "-m", "harness", "do=convert", "progress=off", *TINY]
    with (cwd / "killed.log").open("ab") as log:
        child = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 1800
            while child.poll() is None and not seen() and time.monotonic() < end:
                time.sleep(0.01)
        finally:
            child.kill()
            code = child.wait()
    return code


def tiny_suite(folder: Path, rows: int = 6) -> None:
    """Writes a suite of so many train rows, two to stop by and two for the gate."""
    folder.mkdir(parents=True)
    who = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}
    splits = ["train"] * rows + ["calibration"] * 2 + ["test"] * 2
    ways = ("Call {} now.", "Ring up {} please, it is urgent.", "Someone should phone {} back about the roof today.")
    lines = []
    for place, split in enumerate(splits):
        name = _name(place)
        lines.append(
            {
                "id": name,
                "session": name,
                "split": split,
                "category": "calls",
                "prompt": ways[place % 3].format(name),
                "tools": [{"name": "ring", "parameters": who}],
                "target": {
                    "kind": "tool_calls",
                    "expect": "calls",
                    "calls": [{"name": "ring", "arguments": {"who": [name]}}],
                },
            }
        )
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "suite.yaml").write_text(
        "name: tiny\ntitle: Tiny\ndescription: d\nlicence: CC0-1.0\nloader: jsonl\nscorer: bfcl\n"
    )


def _name(place: int) -> str:
    """Another made-up name for each place."""
    parts = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe")
    return "".join(parts[place // 12**at % 12] for at in range(3)).capitalize()
