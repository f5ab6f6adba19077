"""Facts about machine, commit and packages for the manifest: no host name, no user, no path."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from harness.records.manifest import MachineFacts

__all__ = ["commit", "machine_facts", "package_versions"]

_PACKAGES = (
    "aiohttp", "emoji", "hydra-core", "inspect-ai", "inspect-evals", "json-repair", "jsonschema", "langdetect",
    "lm-eval", "nltk", "numpy", "onnxruntime", "orjson", "pydantic", "scipy", "slm-harness", "syllapy", "xllamacpp",
)  # fmt: skip


def machine_facts() -> MachineFacts:
    """What this run is measured on; cores are those this process may use."""
    cards, driver = _gpus()
    return MachineFacts(
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        python=platform.python_version(),
        gpus=cards,
        gpu_driver=driver,
    )


def _gpus() -> tuple[tuple[str, ...], str | None]:
    """Cards with their memory, and the driver, as `nvidia-smi` tells them; none where it is not there or not well."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), None
    asked = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (), None
    rows = [[one.strip() for one in line.split(",")] for line in told.splitlines() if line.count(",") == 2]
    return tuple(f"{name}, {memory}" for name, memory, _ in rows), rows[0][2] if rows else None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def commit() -> tuple[str | None, bool | None]:
    """The commit of the harness's own checkout and whether it has uncommitted changes; (None, None) when installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=5, check=True
        )
        status = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    return head.stdout.strip(), bool(status.stdout.strip())


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result."""
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
