"""do=quantize as a user types it: what is refused before anything is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["quantize.types=[F16,Q4_K_X]"], "quantize.types=Q4_K_X is not a type that can be made: F32, BF16, F16"),
        (["quantize.types=[F16]"], "a frontier needs two types at least"),
        (["backend=vllm_server", "model.url=http://127.0.0.1:9/v1"], "backend=vllm_server loads weights of its own"),
        (["model=[smollm2,gemma3_270m]"], "one model at a time"),
        (["run.recheck=constrained"], "run.recheck=constrained is for do=run"),
        (["+run.stop=verdict"], "run.stop=verdict is for do=run"),
        (["quantize.margin=0"], "quantize.margin=0"),
        (["quantize.files={F16: x.gguf, Q8_0: x.gguf}"], "x.gguf is no GGUF file"),
        (["quantize.files={F16: nowhere.gguf, Q8_0: x.gguf}"], "quantize.files has nowhere.gguf for"),
        (["quantize.typos=[F16]"], "quantize.typos"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, typed: list[str], said: str) -> None:
    (tmp_path / "x.gguf").write_text("this is no model")
    command = [sys.executable, "-m", "harness", "do=quantize", "progress=off", *typed]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode in (2, 3), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()
