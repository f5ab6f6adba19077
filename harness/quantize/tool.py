"""What files are quantized with: a Python that has llama-cpp-python, or llama.cpp's own program."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.assets.store import file_sha256
from harness.errors import BackendError, ConfigError
from harness.paths import conf_dir
from harness.quantize.types import TYPES

__all__ = ["Quantizer", "find_quantizer"]

_CHILD = Path(__file__).with_name("child.py")
_ENVIRONMENT = Path(".venv-quantize") / "bin" / "python"
_TENSOR = re.compile(r"\[\s*(\d+)\s*/\s*(\d+)\s*\]")
_FOLDER = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?[\\/](?:[^\s'\"\\/]+[\\/])+")
_LAST = 4096
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A way to make one GGUF file from another."""

    file: Path
    """The Python, or the program."""
    label: str
    """Name and version, for records: files of another version are other files."""
    is_python: bool

    def make(self, source: Path, target: Path, *, kind: str, threads: int, on_share: Callable[[float], None]) -> None:
        """Writes `target`, which is whole only on return; tells the share that is done. Blocks.

        Raises BackendError with the quantizer's own words where it fails. The child ends with whatever ends this.
        """
        if self.is_python:
            words = [str(self.file), "-P", "-X", "utf8", str(_CHILD), str(source), str(target), str(TYPES[kind])]
            words += [str(threads), str(os.getpid())]
        else:
            words = [str(self.file), "--allow-requantize", str(source), str(target), kind, str(threads)]
        code, said = _listened(words, on_share)
        if code != 0 or not target.is_file():
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise BackendError(f"{self.label} {how} and made no {kind} of {source.name}: {_reason(said)}")


def _listened(words: list[str], on_share: Callable[[float], None]) -> tuple[int, str]:
    """Exit code and last words of a program, which dies with this call."""
    try:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        name = Path(words[0]).name
        raise ConfigError(f"{name} cannot be started ({error.strerror}): correct quantize.program") from None
    said = ""
    try:
        assert child.stdout is not None
        while chunk := os.read(child.stdout.fileno(), 4096):
            said = (said + chunk.decode(errors="replace"))[-_LAST:]
            if seen := _TENSOR.findall(said):
                on_share(int(seen[-1][0]) / max(1, int(seen[-1][1])))
        return child.wait(), said
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _reason(said: str) -> str:
    """The line that tells why, without folders."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if re.search(r"error|fail|unknown|invalid|cannot|No module", line, re.IGNORECASE)]
    return _FOLDER.sub("", (told or lines or ["it said nothing"])[-1])[:300]


def find_quantizer(python: str | None, program: str | None) -> Quantizer:
    """The quantizer that the configuration names, else `.venv-quantize` here or beside the project, else this Python.

    Raises ConfigError where what was named is not there or cannot do it, BackendError where nothing is.
    """
    if python is not None and program is not None:
        raise ConfigError("quantize.python and quantize.program are both given; leave one out")
    if program is not None:
        file = _executable(program, "quantize.program")
        return Quantizer(file, f"{file.name} {file_sha256(file)[:12]}", is_python=False)
    if python is not None:
        return _python(_executable(python, "quantize.python"), "quantize.python")
    for folder in (Path.cwd(), conf_dir().parent):
        if (folder / _ENVIRONMENT).is_file():
            return _python((folder / _ENVIRONMENT).absolute(), str(_ENVIRONMENT))
    if find_spec("llama_cpp") is not None:
        return _python(Path(sys.executable), "this Python")
    raise BackendError(
        "nothing is here to quantize with: make quantize-env (3 to 9 minutes), or name what you have, "
        "quantize.program=/path/to/llama-quantize or quantize.python=/path/to/python with llama-cpp-python; "
        "files that are ready need none: quantize.files={Q8_0:/path/to/file.gguf,…}"
    )


def _executable(name: str, key: str) -> Path:
    file = Path(name).expanduser().absolute()  # a link is kept: an environment's Python is one
    if not file.is_file() or not os.access(file, os.X_OK):
        raise ConfigError(f"{key}={name} is no program; name a file that can be run, or leave it out")
    return file


def _python(file: Path, key: str) -> Quantizer:
    ask = "import llama_cpp; print(llama_cpp.__version__); llama_cpp.llama_model_quantize"
    with tempfile.TemporaryDirectory() as empty:
        try:
            asked = subprocess.run(
                [str(file), "-P", "-c", ask], capture_output=True, text=True, timeout=120, check=False, cwd=empty
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"{key}: {file.name} does not answer ({type(error).__name__}); name another") from None
    if asked.returncode != 0:
        raise ConfigError(f"{key}: {file.name} has no llama-cpp-python ({_reason(asked.stderr)}); make quantize-env")
    return Quantizer(file, f"llama-cpp-python {asked.stdout.split()[0]}", is_python=True)
