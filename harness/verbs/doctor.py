"""`do=doctor`: what this machine, or another, can run, what is missing and how to get it."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from pathlib import Path

import yaml

from harness.assets import cache_dir
from harness.config import DoctorConfig, HardwareConfig, ModelConfig
from harness.doctor.board import Row, Setting, places_of_machine, places_of_target, row
from harness.doctor.check import Check
from harness.doctor.engines import default_vllm_python, engine_looks
from harness.doctor.machine import Machine, key_checks, machine_looks, this_machine
from harness.doctor.measured import measured_here
from harness.doctor.show import doctor_console, show_checks, show_model, show_models
from harness.doctor.weights import board_models
from harness.errors import AssetError, ConfigError, GateFailed
from harness.fit import GIB
from harness.fit_slm import Latency
from harness.paths import conf_dir
from harness.runner.facts import machine_facts

__all__ = ["main"]

_THIS_MACHINE = "none"


def main(configs: Sequence[DoctorConfig]) -> None:
    """Looks and prints. Raises GateFailed where a check that `doctor.require` names is not as it must be."""
    for config in configs:
        _doctor(config)


def _doctor(config: DoctorConfig) -> None:
    here = this_machine(cache_dir())
    models = board_models(conf_dir() / "model")
    setting = _setting(config, here)
    chosen = models if config.model is None else {_file_name(config.model, models): config.model}
    rows, broken = _rows(chosen, setting)
    checks = [*_looked(config, here), *key_checks(_key_names(models, config.model), os.environ), *broken]
    _known(config.doctor.require, [*checks, *_row_checks(rows)])
    console = doctor_console()
    if config.model is None:
        show_checks(console, checks)
    elif not rows and not broken:
        raise ConfigError(f"{config.model.name} is served elsewhere and has no weights to load: nothing has to fit")
    target = "this machine" if config.hardware.name == _THIS_MACHINE else config.hardware.title
    if rows:
        device = "this machine" if setting.device.name == _THIS_MACHINE else setting.device.name
        show_models(console, f"models on {target}", rows, device)
    for one in rows if config.model is not None else ():
        show_model(console, one)
    if config.model is not None and broken:
        show_checks(console, broken)
    _insist(config.doctor.require, [*checks, *_row_checks(rows)])


def _looked(config: DoctorConfig, here: Machine) -> list[Check]:
    """Every look at this machine, side by side: a server that is slow to answer holds nothing up."""
    python = getattr(config.backend, "python", None) if config.backend.name.startswith("vllm") else None
    looks: list[Callable[[], Check]] = [*machine_looks(here), *engine_looks(python or default_vllm_python())]
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        return list(pool.map(lambda look: look(), looks))


def _setting(config: DoctorConfig, here: Machine) -> Setting:
    on_this = config.hardware.name == _THIS_MACHINE
    device, measured = _device(config, here)
    target_disk = None if config.hardware.disk_gb is None else round(config.hardware.disk_gb * 1e9)
    return Setting(
        places=places_of_machine(here) if on_this else places_of_target(config.hardware),
        disk_free=here.disk_free if on_this else target_disk,
        device=device,
        options=config.doctor,
        backend=config.backend.model_dump(),
        cache=cache_dir(),
        measured=measured,
    )


def _device(config: DoctorConfig, here: Machine) -> tuple[HardwareConfig, Mapping[str, Latency]]:
    """The consumer device, and what was measured on it: only this machine's own runs are, and only where it is one."""
    if config.hardware.consumer is not True:
        return _hardware(config.doctor.device), {}
    if config.hardware.name != _THIS_MACHINE:
        return config.hardware, {}
    sized = config.hardware.model_copy(update={"memory_gb": here.memory_total / GIB})
    return sized, measured_here(Path(config.paths.results), machine_facts())


def _hardware(name: str) -> HardwareConfig:
    file = conf_dir() / "hardware" / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(one.stem for one in file.parent.glob("*.yaml")))
        raise ConfigError(f"doctor.device={name} is not known; one of {known}")
    return HardwareConfig.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def _file_name(model: ModelConfig, models: Mapping[str, ModelConfig]) -> str:
    """What is typed for a model: the name of its file where it has one."""
    return next((name for name, one in models.items() if one.name == model.name), model.name)


def _rows(models: Mapping[str, ModelConfig], setting: Setting) -> tuple[list[Row], list[Check]]:
    """A line per model with weights, and a finding per file that is here and damaged."""
    rows, broken = [], []
    for name, model in models.items():
        try:
            found = row(name, model, setting)
        except AssetError as error:
            broken.append(Check("weights", name, "missing", "its file is damaged", str(error)))
            continue
        if found is not None:
            rows.append(found)
    return rows, broken


def _key_names(models: Mapping[str, ModelConfig], model: ModelConfig | None) -> list[str]:
    every = [*models.values(), *([] if model is None else [model])]
    return [one.api_key_env for one in every if one.api_key_env]


def _row_checks(rows: Sequence[Row]) -> list[Check]:
    """What can be required of a model: that it fits (`phi4mini`), that its file is here (`phi4mini.weights`)."""
    checks = []
    for one in rows:
        fits = one.fit.verdict in {"yes", "tight"}
        checks.append(Check("models", one.name, "ok" if fits else "missing", "does not fit", one.change or ""))
        name = f"{one.name}.weights"
        checks.append(Check("models", name, "ok" if one.here else "missing", "not fetched", one.fetch))
    return checks


def _known(required: Sequence[str], checks: Sequence[Check]) -> None:
    names = [one.name for one in checks]
    for name in required:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"doctor.require has {name!r}, which is no check; known: {', '.join(names)}{hint}")


def _insist(required: Sequence[str], checks: Sequence[Check]) -> None:
    lacking = [one for one in checks if one.name in required and one.state != "ok"]
    if lacking:
        told = "; ".join(f"{one.name}: {one.seen}{f' ({one.get})' if one.get else ''}" for one in lacking)
        raise GateFailed(f"required and not as it must be: {told}")
