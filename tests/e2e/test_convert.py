"""do=convert as a user types it: what it refuses, the ledger held against its files, and a whole one for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.backends.torch_python import torch_python
from harness.errors import ConfigError
from harness.records.convert import Ledger
from tests.support.conversions import Conversion

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "convert"


def run(cwd: Path, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "do=convert", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["convert.promote=true"], "convert.promote=true needs who promotes: convert.by=NAME"),
        (["model=gpt-4.1-mini"], "is served elsewhere: do=convert trains weights that are here"),
        (["convert=dora", "convert.export.serve=adapter"], "convert.export.serve=merged, or convert=lora"),
        (["convert.export.types=[Q4_X]"], "is not a type that can be made"),
        (["convert.verify=nowhere"], "has no ledger.json"),
        (["suite=replay", "logs.path=x.jsonl"], "make it with do=build, then suite=NAME"),
    ],
    ids=["promote", "hosted", "adapter", "type", "verify", "replay"],
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
def test_the_example_from_its_log_to_a_model_that_is_better_than_its_base(tmp_path: Path) -> None:
    _needs_torch()
    demo = ["sh", str(_EXAMPLE / "demo.sh"), str(tmp_path / "demo")]

    done = subprocess.run(
        demo, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=3600, check=False
    )

    folder = tmp_path / "demo" / "results" / "convert" / "shop_small"
    assert done.returncode == 0, done.stderr[-3000:]
    ledger = Ledger.model_validate_json((folder / "ledger.json").read_bytes())
    assert ledger.gate is not None
    base, tuned = ledger.gate.row("base"), ledger.gate.row("tuned")
    assert base is not None
    assert tuned is not None
    assert (tuned.accuracy or 0) > (base.accuracy or 0)
    assert (tuned.form or 0) >= (base.form or 0)
    served = ledger.export.files[0]
    assert served.delta is not None
    assert served.delta.survived == pytest.approx(1.0, abs=0.05)
    assert str(tmp_path) not in (folder / "ledger.json").read_text()
    assert str(tmp_path) not in (folder / "MODEL_CARD.md").read_text()


@pytest.mark.model
@pytest.mark.slow
def test_two_steps_of_training_are_exported_asked_resumed_and_refused_on_the_bases_own_grid(tmp_path: Path) -> None:
    _needs_torch()
    _tiny_suite(tmp_path / "suites" / "tiny")
    words = [
        "suite=tiny", "model=smollm2", "model.protocol=prompted", "convert.name=tiny", "convert.training.max_steps=2",
        "convert.training.batch=2", "convert.training.learning_rate=1e-3", "convert.gate.general=0",
        "convert.gate.rows=[base,tuned]", "convert.gate.limit=2", "model.generation.max_tokens=24", "run.warmup=0",
        "convert.training.patience=null", "convert.data.validation=2",
    ]  # fmt: skip

    first = run(tmp_path, *words, timeout=1800)
    again = run(tmp_path, *words, timeout=1800)
    grid = run(tmp_path, *words, "convert.export.types=[Q4_1]", "convert.until=export", timeout=1800)

    folder = tmp_path / "results" / "convert" / "tiny"
    assert first.returncode in {0, 1}, first.stderr  # the gate may find that two steps made it worse
    assert again.returncode == first.returncode
    assert len([one for one in (tmp_path / "results" / "run").iterdir() if not one.is_symlink()]) == 2
    model = yaml.safe_load((tmp_path / "models" / "tiny.yaml").read_text())["model"]
    assert model["weights"]["gguf"]["asset"]["path"] == "results/convert/tiny/export/tiny-Q8_0.gguf"
    assert json.loads((folder / "ledger.json").read_text())["links"][-1]["step"] == "gate"
    if grid.returncode == 2:  # without llama-cpp-python there is nothing to make a Q4_1 with: exit 3
        assert "convert.export.types=[Q8_0]" in grid.stderr


def _tiny_suite(folder: Path) -> None:
    folder.mkdir(parents=True)
    who = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}
    splits = ["train"] * 6 + ["calibration"] * 2 + ["test"] * 2
    names = ["Ana", "Bo", "Cem", "Dag", "Eva", "Finn", "Gil", "Hana", "Ivo", "Jun"]
    ways = ("Call {} now.", "Ring up {} please, it is urgent.", "Someone should phone {} back about the roof today.")
    lines = [
        {
            "id": name,
            "session": name,
            "split": split,
            "prompt": ways[place % 3].format(name),
            "tools": [{"name": "ring", "parameters": who}],
            "target": {
                "kind": "tool_calls",
                "expect": "calls",
                "calls": [{"name": "ring", "arguments": {"who": [name]}}],
            },
        }
        for place, (name, split) in enumerate(zip(names, splits, strict=True))
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "suite.yaml").write_text(
        "name: tiny\ntitle: Tiny\ndescription: d\nlicence: CC0-1.0\nloader: jsonl\nscorer: bfcl\n"
    )
