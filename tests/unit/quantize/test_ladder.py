"""Files made, taken and kept, with a stand-in for the quantizer."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.assets.progress import Progress, silent
from harness.backends.gguf import read_header
from harness.config import ModelConfig, QuantizeOptions
from harness.errors import AssetError, BackendError, ConfigError, HarnessError
from harness.quantize import tool
from harness.quantize.ladder import Ladder, build_ladder, wanted
from harness.quantize.tool import find_quantizer
from harness.quantize.types import known_type, made_of, type_of_file
from tests.support.gguf_files import llama_header, write_gguf
from tests.support.quantizer import write_quantizer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def source(folder: Path, file_type: int) -> ModelConfig:
    """A model whose weights say that they are of this `general.file_type`."""
    import numpy as np

    tensors = {"blk.0.attn_q.weight": np.ones((4, 8), dtype=np.float32)}
    path = write_gguf(folder / "shipped.gguf", {**llama_header(context=64), "general.file_type": file_type}, tensors)
    return ModelConfig.model_validate(
        {"name": "tiny", "title": "Tiny", "licence": "MIT", "weights": {"path": str(path)}}
    )


def build(model: ModelConfig, program: Path, **options: object) -> Ladder:
    return build_ladder(model, QuantizeOptions.model_validate({"program": str(program), **options}), silent)


def test_a_quantized_source_is_brought_to_f16_first_and_the_report_says_so(tmp_path: Path) -> None:
    program, log = write_quantizer(tmp_path)

    ladder = build(source(tmp_path, 3), program, types=["F16", "Q8_0"])

    assert [rung.name for rung in ladder.rungs] == ["F16", "Q8_0"]
    assert log.read_text().split() == ["F16", "Q8_0"]
    assert ladder.rungs[1].weights.path.read_bytes().endswith(b"F16Q8_0")  # made from the F16, not from the source
    assert "F16 of the shipped Q4_1" in ladder.rungs[1].origin
    assert any("no original" in note and "Q4_1" in note for note in ladder.notes)
    assert any("grid of Q4_1" in note for note in ladder.notes)


def test_an_f16_source_is_its_own_baseline(tmp_path: Path) -> None:
    program, log = write_quantizer(tmp_path)

    ladder = build(source(tmp_path, 1), program, types=["F16", "Q8_0"])

    assert log.read_text().split() == ["Q8_0"]
    assert ladder.rungs[0].origin == "as shipped"
    assert not any("no original" in note for note in ladder.notes)


def test_the_shipped_type_is_the_shipped_file_not_one_quantized_again(tmp_path: Path) -> None:
    program, log = write_quantizer(tmp_path)

    ladder = build(source(tmp_path, 3), program, types=["Q4_1"])

    assert [rung.name for rung in ladder.rungs] == ["F16", "Q4_1"]
    assert log.read_text().split() == ["F16"]
    assert ladder.rungs[1].weights.path == tmp_path / "shipped.gguf"


def test_a_file_is_made_once(tmp_path: Path) -> None:
    program, log = write_quantizer(tmp_path)
    model = source(tmp_path, 1)

    first = build(model, program, types=["Q8_0"])
    second = build(model, program, types=["Q8_0"])

    assert log.read_text().split() == ["Q8_0"]
    assert first.rungs[1].weights.facts == second.rungs[1].weights.facts


def test_another_quantizer_makes_other_files(tmp_path: Path) -> None:
    program, log = write_quantizer(tmp_path)
    model = source(tmp_path, 1)

    build(model, program, types=["Q8_0"])
    program.write_text(program.read_text() + "# a later version\n")
    build(model, program, types=["Q8_0"])

    assert log.read_text().split() == ["Q8_0", "Q8_0"]


def test_ready_files_need_no_quantizer(tmp_path: Path) -> None:
    model = source(tmp_path, 1)
    files = {name: str(tmp_path / "shipped.gguf") for name in ("F16", "theirs")}

    ladder = build_ladder(model, QuantizeOptions(files=files), silent)

    assert [(rung.name, rung.origin) for rung in ladder.rungs] == [("F16", "given"), ("theirs", "given")]
    assert ladder.quantizer is None


def test_a_given_file_that_is_not_there_is_named_by_its_own_key(tmp_path: Path) -> None:
    model = source(tmp_path, 1)

    with pytest.raises(ConfigError, match=r"quantize\.files has .*gone\.gguf for Q8_0"):
        build_ladder(model, QuantizeOptions(types=["F16"], files={"Q8_0": str(tmp_path / "gone.gguf")}), silent)


def test_what_a_quantizer_broke_off_is_not_kept(tmp_path: Path, cache: Path) -> None:
    program, _ = write_quantizer(tmp_path, trouble="sys.exit('error: unknown model architecture in /secret/place/x')")

    with pytest.raises(BackendError, match=r"ended with code 1 and made no Q8_0 .*unknown model architecture in x"):
        build(source(tmp_path, 1), program, types=["Q8_0"])

    assert not list(cache.glob("files/*/*"))
    assert not list(cache.glob("work/*"))


def test_a_file_that_is_no_gguf_is_not_kept(tmp_path: Path, cache: Path) -> None:
    program, _ = write_quantizer(tmp_path, trouble="open(target, 'wb').write(b'half'); sys.exit(0)")

    with pytest.raises(AssetError, match="no GGUF file"):
        build(source(tmp_path, 1), program, types=["Q8_0"])

    assert not list(cache.glob("files/*/*"))


def test_progress_is_told_by_tensors(tmp_path: Path) -> None:
    program, _ = write_quantizer(tmp_path)
    told: list[Progress] = []
    options = QuantizeOptions(program=str(program), types=("Q8_0",))

    build_ladder(source(tmp_path, 1), options, told.append)

    shares = [one.done / one.total for one in told if one.what == "tiny-Q8_0.gguf: quantize" and one.total]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_no_room_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, log = write_quantizer(tmp_path)
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("harness.assets.store.shutil.disk_usage", lambda _: usage)

    with pytest.raises(AssetError, match=r"no room for tiny-Q8_0\.gguf: .* needed, 1\.0 kB free"):
        build(source(tmp_path, 1), program, types=["Q8_0"])

    assert not log.exists()


def test_whoever_waits_for_a_quantizer_and_is_ended_takes_it_along(tmp_path: Path) -> None:
    program, _ = write_quantizer(tmp_path, trouble="open(target + '.here', 'w').close(); time.sleep(600)")
    script = (
        "import sys; from pathlib import Path; from harness.quantize.tool import find_quantizer\n"
        "find_quantizer(None, sys.argv[1]).make(Path(sys.argv[1]), Path(sys.argv[2]), kind='Q8_0', threads=1,"
        " on_share=lambda share: None)\n"
    )
    waiting = subprocess.Popen([sys.executable, "-c", script, str(program), str(tmp_path / "out")], stderr=-3)
    until = time.monotonic() + 60
    while not (tmp_path / "out.here").exists():
        assert time.monotonic() < until
        assert waiting.poll() is None
        time.sleep(0.02)
    (child,) = psutil.Process(waiting.pid).children()

    waiting.send_signal(2)

    assert waiting.wait(30) != 0
    child.wait(30)
    assert not child.is_running()


@pytest.mark.parametrize("name", ["Q4_K_X", "IQ2_XXS", "fp4"])
def test_an_unknown_type_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a type that can be made: F32, BF16, F16, Q8_0"):
        known_type(name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"types": ["F16"]}, "needs two types at least"),
        ({"files": {"Q8_0": "a.gguf"}}, "quantize.baseline=F16 is none of quantize.files"),
        ({"types": ["Q8_0"], "require": "Q4_K_M"}, "quantize.require=Q4_K_M is none of the types"),
        ({"types": ["Q8_0"], "baseline": "nonsense"}, "is not a type that can be made"),
    ],
)
def test_a_frontier_that_cannot_be_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        wanted(QuantizeOptions.model_validate(options))


def test_the_baseline_comes_first_whether_it_was_named_or_not() -> None:
    assert wanted(QuantizeOptions(types=("q2_k", "Q8_0"))) == ("F16", "Q2_K", "Q8_0")
    assert wanted(QuantizeOptions())[0] == "F16"
    assert wanted(QuantizeOptions(files={"mine": "a", "F16": "b"})) == ("F16", "mine")


@pytest.mark.parametrize(
    ("python", "program", "said"),
    [
        ("/nowhere/python", None, "quantize.python=/nowhere/python is no program"),
        (None, "/nowhere/llama-quantize", "quantize.program=/nowhere/llama-quantize is no program"),
        ("a", "b", "leave one out"),
    ],
)
def test_a_quantizer_that_is_not_there_is_named(python: str | None, program: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find_quantizer(python, program)


def test_without_any_quantizer_the_way_to_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tool, "conf_dir", lambda: tmp_path / "conf")
    monkeypatch.setattr(tool, "find_spec", lambda _: None)

    with pytest.raises(HarnessError, match="make quantize-env"):
        find_quantizer(None, None)


def test_a_python_without_the_library_is_refused(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'llama_cpp'\" >&2\nexit 1\n")
    bare.chmod(0o755)

    with pytest.raises(ConfigError, match="has no llama-cpp-python"):
        find_quantizer(str(bare), None)


def test_what_a_file_is_stored_as_is_read_from_its_tensors(tmp_path: Path) -> None:
    model = source(tmp_path, 3)
    assert model.weights.path is not None
    header = read_header(Path(model.weights.path))

    assert type_of_file(header) == "Q4_1"
    assert made_of(header) == {"F32": 1.0}
