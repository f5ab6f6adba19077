"""Energy read from a machine's counters: a sysfs tree and an NVML that are ours, a real thread between them."""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.energy import EnergyMeter, NvmlCard, RaplZone, energy_usd, find_sources, nvml_cards, power_usd, rapl_zones

RANGE = 1_000_000


def make_zone(root: Path, folder: str, name: str, microjoules: int = 0) -> Path:
    zone = root / folder
    zone.mkdir(parents=True)
    (zone / "name").write_text(f"{name}\n")
    (zone / "energy_uj").write_text(f"{microjoules}\n")
    (zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
    return zone


class Card:
    """An NVML of one card, as far as we call it; codes other than 0 are refusals."""

    def __init__(self, *, millijoules: int | None = 0, milliwatts: int | None = 0) -> None:
        self.millijoules, self.milliwatts = millijoules, milliwatts

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        handle._obj.value = 1 + index
        return 0

    def nvmlDeviceGetName(self, handle: ctypes.c_void_p, title: Any, size: int) -> int:
        title.value = b"NVIDIA Test"
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: ctypes.c_void_p, value: Any) -> int:
        value._obj.value = self.millijoules or 0
        return 3 if self.millijoules is None else 0

    def nvmlDeviceGetPowerUsage(self, handle: ctypes.c_void_p, value: Any) -> int:
        value._obj.value = self.milliwatts or 0
        return 3 if self.milliwatts is None else 0


def test_a_counter_that_wraps_goes_on_counting(tmp_path: Path) -> None:
    folder = make_zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 100)
    zone = RaplZone(folder)

    (folder / "energy_uj").write_text("899")
    after_one_wrap = zone.joules()
    (folder / "energy_uj").write_text("5899")

    assert after_one_wrap == pytest.approx(1000e-6)
    assert zone.joules() == pytest.approx(6000e-6)


def test_parts_of_a_package_and_psys_are_not_counted_twice(tmp_path: Path) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0")
    make_zone(tmp_path, "intel-rapl:0:0", "core")
    make_zone(tmp_path, "intel-rapl:1", "psys")

    zones, reason = rapl_zones(tmp_path)

    assert [one.name for one in zones] == ["rapl:package-0"]
    assert reason is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_that_may_not_be_read_says_what_to_type(tmp_path: Path) -> None:
    (make_zone(tmp_path, "intel-rapl:0", "package-0") / "energy_uj").chmod(0)

    zones, reason = rapl_zones(tmp_path)

    assert zones == []
    assert reason is not None
    assert "chmod a+r" in reason


def test_a_machine_without_counters_has_none_and_says_so(tmp_path: Path) -> None:
    zones, reason = rapl_zones(tmp_path)

    with EnergyMeter(zones, reason=reason) as meter:
        pass

    assert meter.reading().joules is None
    assert meter.reading().watts is None
    assert "no RAPL" in str(meter.reading().reason)


def test_the_meter_counts_what_is_spent_between_start_and_stop(tmp_path: Path) -> None:
    folder = make_zone(tmp_path, "intel-rapl:0", "package-0", 500)
    zone = RaplZone(folder)
    (folder / "energy_uj").write_text("700")

    with EnergyMeter([zone]) as meter:
        (folder / "energy_uj").write_text("250700")
    (folder / "energy_uj").write_text("900000")

    reading = meter.reading()
    assert reading.joules == pytest.approx(0.25)
    assert dict(reading.by_source) == {"rapl:package-0": pytest.approx(0.25)}
    assert reading.reason is None


def test_the_thread_sees_wraps_that_start_and_stop_alone_would_miss(tmp_path: Path) -> None:
    folder = make_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    seen: list[float] = []

    class Told(RaplZone):
        def joules(self) -> float:
            seen.append(super().joules())
            return seen[-1]

    with EnergyMeter([Told(folder)], interval_s=0.001) as meter:
        for value in (600_000, 100_000, 600_000, 100_000):
            until, before = time.monotonic() + 5, len(seen)
            fresh = folder / "fresh"
            fresh.write_text(str(value))
            fresh.replace(folder / "energy_uj")
            while len(seen) < before + 2 and time.monotonic() < until:
                time.sleep(0.001)

    assert meter.reading().joules == pytest.approx((2 * (RANGE + 1) + 100_000) / 1e6)


def test_a_source_that_drops_out_leaves_no_energy_rather_than_a_part_of_it(tmp_path: Path) -> None:
    stays, goes = make_zone(tmp_path, "intel-rapl:0", "package-0"), make_zone(tmp_path, "intel-rapl:1", "package-1")

    with EnergyMeter([RaplZone(stays), RaplZone(goes)]) as meter:
        (stays / "energy_uj").write_text("1000")
        (goes / "energy_uj").unlink()

    assert meter.reading().joules is None
    assert "package-1 dropped out" in str(meter.reading().reason)


def test_one_package_of_two_is_no_energy_of_the_machine(tmp_path: Path) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0")
    (make_zone(tmp_path, "intel-rapl:1", "package-1") / "energy_uj").write_text("broken")
    sources, reason = find_sources(tmp_path)

    with EnergyMeter(sources, reason=reason) as meter:
        pass

    assert [one.name for one in sources] == ["rapl:package-0"]
    assert meter.reading().joules is None
    assert "RAPL cannot be read" in str(meter.reading().reason)


def test_processor_and_card_are_summed(tmp_path: Path) -> None:
    folder, library = make_zone(tmp_path, "intel-rapl:0", "package-0"), Card(millijoules=0)
    sources, reason = find_sources(tmp_path, library)

    with EnergyMeter(sources, reason=reason) as meter:
        (folder / "energy_uj").write_text("500000")
        library.millijoules = 2_000

    assert meter.reading().joules == pytest.approx(2.5)


def test_a_card_with_an_energy_counter_is_read_from_it() -> None:
    library = Card(millijoules=5_000)
    (card,), reason = nvml_cards(library)

    library.millijoules = 12_500

    assert card.name == "nvml:0 NVIDIA Test"
    assert card.joules() == pytest.approx(7.5)
    assert reason is None


def test_a_card_without_a_counter_has_its_power_integrated() -> None:
    library, now = Card(millijoules=None, milliwatts=100_000), [10.0]
    card = NvmlCard(library, 0, clock=lambda: now[0])

    now[0], library.milliwatts = 12.0, 200_000
    first = card.joules()
    now[0] = 13.0

    assert first == pytest.approx(300.0)  # 2 s at 150 W on average
    assert card.joules() == pytest.approx(500.0)


def test_a_card_that_tells_nothing_is_none_with_the_reason() -> None:
    cards, reason = nvml_cards(Card(millijoules=None, milliwatts=None))

    assert cards == []
    assert reason is not None
    assert "power" in reason


def test_energy_costs_what_the_kilowatt_hour_costs() -> None:
    assert energy_usd(1.8e6, 0.2) == pytest.approx(0.1)
    assert power_usd(500, 7200, 0.2) == pytest.approx(0.2)


def test_an_unknown_energy_or_price_costs_nothing_known() -> None:
    assert energy_usd(None, 0.2) is None
    assert energy_usd(100.0, None) is None
    assert power_usd(None, 10.0, 0.2) is None
