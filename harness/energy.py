"""Energy of a stretch of time, read from the machine's own counters where it has them: RAPL (CPU) and NVML (GPU).

What is measured is the whole package or card, other programs included, for as long as the meter runs; nothing is said
of the rest of the machine (memory, disk, power supply). Where nothing can be read, the energy is None with the reason.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = [
    "EnergyMeter",
    "EnergyReading",
    "EnergySource",
    "NvmlCard",
    "RaplZone",
    "energy_usd",
    "find_sources",
    "nvml_cards",
    "power_usd",
    "rapl_zones",
]

RAPL_ROOT = Path("/sys/class/powercap")
_INTERVAL_S = 1.0
"""A RAPL counter of 262 kJ wraps after 17 minutes at 250 W: often enough for any, and nothing to a CPU."""
_JOULES_PER_KWH = 3.6e6
_NVML_OK = 0


def energy_usd(joules: float | None, usd_per_kwh: float | None) -> float | None:
    """USD of energy at a price per kWh; None where one of them is not known.

    >>> energy_usd(3.6e6, 0.17)
    0.17
    """
    return None if joules is None or usd_per_kwh is None else joules / _JOULES_PER_KWH * usd_per_kwh


def power_usd(watts: float | None, seconds: float, usd_per_kwh: float | None) -> float | None:
    """USD of a constant power over a time; None where power or price is not known.

    >>> round(power_usd(40, 3600, 0.17), 6)
    0.0068
    """
    return energy_usd(None if watts is None else watts * seconds, usd_per_kwh)


class EnergySource(Protocol):
    """A counter that only rises, or a power that is integrated: told by `joules`."""

    @property
    def name(self) -> str:
        """Such as `rapl:package-0` or `nvml:0 NVIDIA L4`."""

    def joules(self) -> float:
        """Energy since the source was made. Raises OSError where it can be read no longer."""


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """What a meter saw between start and stop."""

    joules: float | None
    """Over all sources; None where nothing was measured."""
    seconds: float
    by_source: tuple[tuple[str, float], ...] = ()
    reason: str | None = None
    """Why there is no energy, or which source dropped out."""

    @property
    def watts(self) -> float | None:
        """Mean power; None where nothing was measured."""
        return None if self.joules is None or self.seconds <= 0 else self.joules / self.seconds


class RaplZone:
    """A RAPL package's counter, its wrap-around undone. Reads must come more often than it wraps."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the counter cannot be read, ValueError where it is not a number."""
        self._counter = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self.name = f"rapl:{(folder / 'name').read_text().strip()}"
        self._last = self._read()
        self._total = 0

    def _read(self) -> int:
        return int(self._counter.read_text())

    def joules(self) -> float:
        """Energy since this was made."""
        now = self._read()
        step = now - self._last
        self._total += step if step >= 0 else step + self._range + 1  # from the largest value it goes on at 0
        self._last = now
        return self._total / 1e6


def rapl_zones(root: Path = RAPL_ROOT) -> tuple[list[RaplZone], str | None]:
    """The packages of this machine, and why there are none (or fewer).

    Only top zones (`intel-rapl:0`): their parts (`intel-rapl:0:0`) are counted in them, and `psys` counts them again.
    Since Linux 5.10 the counters are root's alone (CVE-2020-8694).
    """
    found, refused = [], None
    for folder in sorted(root.glob("intel-rapl:*")):
        if folder.name.count(":") != 1:
            continue
        try:
            if (folder / "name").read_text().strip() == "psys":
                continue
            found.append(RaplZone(folder))
        except PermissionError:
            refused = f"RAPL may not be read; as root: chmod a+r {folder / 'energy_uj'}"
        except (OSError, ValueError) as error:
            refused = f"RAPL cannot be read ({error})"
    if not found and refused is None:
        refused = "no RAPL counter here (a virtual machine, or no Intel or AMD processor)"
    return found, refused


class NvmlCard:
    """A card's energy counter (Volta and later), else its power integrated from read to read."""

    def __init__(self, library: Any, index: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError where the card tells neither. library: libnvidia-ml, initialised."""
        self._library, self._clock = library, clock
        self._handle = ctypes.c_void_p()
        _check(library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(self._handle)), "handle")
        title = ctypes.create_string_buffer(96)
        known = library.nvmlDeviceGetName(self._handle, title, 96) == _NVML_OK
        self.name = f"nvml:{index}" + (f" {title.value.decode(errors='replace')}" if known else "")
        self._counts = self._has_counter()
        self._start = self._millijoules() if self._counts else 0
        self._last, self._total = (self._clock(), 0.0 if self._counts else self._watts()), 0.0

    def _has_counter(self) -> bool:
        return bool(
            self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle, _out(ctypes.c_ulonglong)) == _NVML_OK
        )

    def _millijoules(self) -> int:
        value = ctypes.c_ulonglong()
        _check(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle, ctypes.byref(value)), "energy")
        return value.value

    def _watts(self) -> float:
        value = ctypes.c_uint()
        _check(self._library.nvmlDeviceGetPowerUsage(self._handle, ctypes.byref(value)), "power")
        return value.value / 1000

    def joules(self) -> float:
        """Energy since this was made."""
        if self._counts:
            return (self._millijoules() - self._start) / 1000
        (then, before), now, watts = self._last, self._clock(), self._watts()
        self._total += (now - then) * (before + watts) / 2
        self._last = (now, watts)
        return self._total


def _out(kind: Any) -> Any:
    return ctypes.byref(kind())


def _check(code: int, what: str) -> None:
    if code != _NVML_OK:
        raise OSError(f"NVML did not tell the {what} (code {code})")


def nvml_cards(library: Any = None) -> tuple[list[NvmlCard], str | None]:
    """The NVIDIA cards of this machine, and why there are none (or fewer)."""
    try:
        nvml = library or ctypes.CDLL("libnvidia-ml.so.1")
        _check(nvml.nvmlInit_v2(), "start")
        count = ctypes.c_uint()
        _check(nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)), "number of cards")
    except OSError as error:
        return [], str(error) if library else "no NVIDIA driver here"
    found, refused = [], None
    for index in range(count.value):
        try:
            found.append(NvmlCard(nvml, index))
        except OSError as error:
            refused = str(error)
    return found, refused


def find_sources(root: Path = RAPL_ROOT, library: Any = None) -> tuple[list[EnergySource], str | None]:
    """Every counter that can be read here, and why there is none, or only a part of the packages or cards."""
    zones, no_rapl = rapl_zones(root)
    cards, no_nvml = nvml_cards(library)
    found: list[EnergySource] = [*zones, *cards]
    if found:
        no_rapl, no_nvml = no_rapl if zones else None, no_nvml if cards else None
    return found, "; ".join(one for one in (no_rapl, no_nvml) if one) or None


class EnergyMeter:
    """Reads its sources once a second in a thread of its own. Use as a context, then ask `reading`."""

    def __init__(
        self, sources: Sequence[EnergySource], *, reason: str | None = None, interval_s: float = _INTERVAL_S
    ) -> None:
        """sources, reason: as `find_sources` gives them; with a reason there is no sum, for it would be of a part."""
        self._sources, self._reason, self._interval_s = list(sources), reason, interval_s
        self._first: dict[str, float] = {}
        self._latest: dict[str, float] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._began = self._ended = 0.0

    def __enter__(self) -> Self:
        self._read()
        self._first = dict(self._latest)
        self._began = self._ended = time.monotonic()
        if self._sources:
            self._thread = threading.Thread(target=self._watch, name="energy", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._read()
        self._ended = time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._read()

    def _read(self) -> None:
        """Reads each source; one that fails is left out for good, for half of a stretch is no energy of it."""
        with self._lock:
            for source in list(self._sources):
                try:
                    self._latest[source.name] = source.joules()
                except (OSError, ValueError) as error:
                    self._sources.remove(source)
                    self._latest.pop(source.name, None)
                    self._reason = f"{source.name} dropped out ({error})"

    def reading(self) -> EnergyReading:
        """Energy from entering the context to now, or to leaving it.

        None once a source dropped out: a sum without it would look like less energy.
        """
        if not self._stop.is_set():
            self._read()
        end = self._ended if self._stop.is_set() else time.monotonic()
        with self._lock:
            spent = tuple(
                (name, self._latest[name] - first) for name, first in self._first.items() if name in self._latest
            )
            whole = bool(self._first) and len(spent) == len(self._first) and self._reason is None
        joules = sum(one for _, one in spent) if whole else None
        return EnergyReading(joules, max(0.0, end - self._began), spent, None if whole else self._reason)
