"""What the machine itself brings: memory, disk, cores, GPU, sandbox, clock, energy counters; and which keys are set."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.backends.clock import kernel_stamps
from harness.backends.llamacpp_plan import available_memory, usable_cores
from harness.config import SandboxConfig
from harness.doctor.check import Check, ask_program
from harness.energy import find_sources
from harness.errors import ConfigError
from harness.fit import GIB
from harness.sandbox.bwrap import BwrapBox

__all__ = ["Gpu", "Machine", "find_gpus", "key_checks", "machine_looks", "this_machine"]

_COMMON_KEYS = ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "HF_TOKEN", "MISTRAL_API_KEY", "OPENAI_API_KEY")
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card, in bytes."""

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to use now, in bytes."""

    memory_total: int
    memory_free: int
    disk_free: int | None
    """Where the cache lies."""
    cores: int
    gpus: tuple[Gpu, ...]


def this_machine(cache: Path) -> Machine:
    """Memory, disk, cores and cards that this process may use now."""
    folder = next((one for one in (cache, *cache.absolute().parents) if one.exists()), None)
    return Machine(
        memory_total=int(psutil.virtual_memory().total),
        memory_free=available_memory(),
        disk_free=None if folder is None else shutil.disk_usage(folder).free,
        cores=usable_cores(),
        gpus=tuple(find_gpus(ask_program(_QUERY))),
    )


def find_gpus(said: str | None) -> list[Gpu]:
    """The cards in what nvidia-smi prints: name, MiB in all, MiB free; a line that is not of this form is none.

    >>> find_gpus("NVIDIA L4, 23034, 22563")
    [Gpu(name='NVIDIA L4', total=24152899584, free=23659020288)]
    """
    found = []
    for line in (said or "").splitlines():
        parts = [one.strip() for one in line.rsplit(",", 2)]
        if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
            found.append(Gpu(parts[0], int(parts[1]) << 20, int(parts[2]) << 20))
    return found


def key_checks(names: Iterable[str], environment: Mapping[str, str]) -> list[Check]:
    """Which variables that hold keys are set; their values are looked at for being empty, and for nothing else."""
    checks = []
    for name in sorted({*names, *_COMMON_KEYS}):
        there = bool(environment.get(name))
        checks.append(
            Check("keys", name, "ok" if there else "missing", "set" if there else "not set", f"export {name}=…")
        )
    return checks


def machine_looks(machine: Machine) -> list[Callable[[], Check]]:
    """One look per part of the machine; each is quick and may run beside the others."""
    return [
        lambda: _memory(machine),
        lambda: _disk(machine),
        lambda: Check("machine", "cores", "ok", f"{machine.cores} physical cores to use"),
        lambda: _gpu(machine),
        _bwrap,
        _docker,
        _clock,
        _energy,
    ]


def _memory(machine: Machine) -> Check:
    free, total = machine.memory_free / GIB, machine.memory_total / GIB
    return Check("machine", "memory", "ok", f"{free:.1f} GiB free of {total:.1f}")


def _disk(machine: Machine) -> Check:
    if machine.disk_free is None:
        return Check("machine", "disk", "missing", "the folder of the cache cannot be seen", "set HARNESS_CACHE")
    return Check("machine", "disk", "ok", f"{machine.disk_free / 1e9:.1f} GB free where the cache lies")


def _gpu(machine: Machine) -> Check:
    if not machine.gpus:
        return Check("machine", "gpu", "no", "none that nvidia-smi shows; models run on the CPU")
    cards = ", ".join(f"{one.name} ({one.free / GIB:.1f} GiB free of {one.total / GIB:.1f})" for one in machine.gpus)
    return Check("machine", "gpu", "ok", cards)


def _bwrap() -> Check:
    try:
        BwrapBox(SandboxConfig())
    except ConfigError as error:
        return Check("sandbox", "bwrap", "missing", "does not work here", str(error))
    return Check("sandbox", "bwrap", "ok", "works: programs that a model wrote can be run")


def _docker() -> Check:
    if shutil.which("docker") is None:
        return Check("sandbox", "docker", "missing", "not installed", "only needed where bwrap does not work")
    version = ask_program(("docker", "version", "--format", "{{.Server.Version}}"))
    if not version:
        return Check("sandbox", "docker", "missing", "its engine does not answer", "start Docker")
    image = SandboxConfig().image
    if ask_program(("docker", "image", "inspect", "--format", "{{.Id}}", image)) is None:
        return Check("sandbox", "docker", "missing", f"{version}, without its image", f"docker pull {image}")
    return Check("sandbox", "docker", "ok", f"{version}, with {image}")


def _clock() -> Check:
    if kernel_stamps():
        return Check("machine", "clock", "ok", "the kernel stamps packets: latencies do not depend on our reading")
    return Check("machine", "clock", "no", "no kernel stamps: latencies are taken where the harness reads")


def _energy() -> Check:
    sources, reason = find_sources()
    if sources:
        return Check("machine", "energy", "ok", ", ".join(one.name for one in sources))
    if reason is not None and "chmod" in reason:
        return Check("machine", "energy", "missing", "RAPL may not be read", reason.partition("; ")[2])
    return Check("machine", "energy", "no", reason or "no counter")
