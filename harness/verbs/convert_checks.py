"""What `do=convert` refuses before it does anything: settings that cannot be, and a name that is taken."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness.config import ConvertConfig
from harness.convert.export.make import checked_types
from harness.errors import ConfigError
from harness.interop.inspect_run import is_inspect
from harness.paths import conf_dir
from harness.records import Record
from harness.records.convert import DatasetManifest, TrainPlan
from harness.records.manifest import WeightFacts

__all__ = ["checked", "name_of", "refuse_another", "refuse_another_base", "remove_empty"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_OF_FACTORS: Final = ("rank", "alpha", "dropout", "targets")


def refuse_another(folder: Path, config: ConvertConfig) -> None:
    """Raises ConfigError where the folder holds what another suite or cluster taught: it would be trained over."""
    try:
        before = DatasetManifest.model_validate_json((folder / "data" / "dataset.json").read_bytes())
    except (OSError, ValueError):  # nothing there, or nothing that this version made
        return
    if not (folder / "train").is_dir():
        return
    if before.suite != config.suite.name:
        raise _another(folder, f"suite={before.suite}", config.suite.name)
    if (cluster := ",".join(config.cluster) if config.cluster else None) != before.cluster:
        known = "the whole suite" if before.cluster is None else f"cluster={before.cluster}"
        raise _another(folder, known, cluster or "the whole suite")


def refuse_another_base(folder: Path, base: WeightFacts) -> None:
    """Raises ConfigError where the folder holds what other weights were taught."""
    try:
        before = TrainPlan.model_validate_json((folder / "train" / "plan.json").read_bytes()).base
    except (OSError, ValueError):
        return
    if before.sha256 != base.sha256:
        same = before.file == base.file
        known, asked = ((f"{one.file} ({one.sha256[:12]}…)" if same else one.file) for one in (before, base))
        raise _another(folder, f"the base {known}", asked)


def _another(folder: Path, before: str, asked: str) -> ConfigError:
    return ConfigError(
        f"{folder} holds a training on {before}, not {asked}; choose another name, convert.name=…, or remove that "
        "folder"
    )


def remove_empty(folder: Path) -> None:
    """Takes a folder away that a command made and left nothing in; one that holds any file but its lock stays."""
    inside = sorted(folder.rglob("*"), reverse=True)
    if any(one.name != ".lock" and not one.is_dir() for one in inside):
        return
    with suppress(OSError):  # another command began there meanwhile
        for one in inside:
            one.rmdir() if one.is_dir() else one.unlink()
        folder.rmdir()


def checked(configs: Sequence[ConvertConfig]) -> ConvertConfig:
    """The one configuration, once nothing speaks against it that can be known before a file is touched."""
    if len(configs) > 1:
        raise ConfigError("do=convert takes one model at a time, model=smollm2; a sweep takes several: -m model=a,b")
    (config,) = configs
    options = config.convert
    if options.promote and options.by is None:
        raise ConfigError("convert.promote=true needs who promotes: convert.by=NAME")
    if options.verify is not None:
        return config
    if is_inspect(config):
        raise ConfigError("do=convert needs a suite with splits of its own; suite=inspect has none")
    if options.until != "data" and (config.model.hosted or config.model.url is not None):
        raise ConfigError(f"model={config.model.name} is served elsewhere: do=convert trains weights that are here")
    if config.run.recheck is not None or config.run.stop is not None:
        raise ConfigError("run.recheck and run.stop are for do=run; leave them out of do=convert")
    if config.run.resume not in {"auto", "never"}:
        raise ConfigError(f"run.resume={config.run.resume} is one run, and a gate has several: auto or never")
    _refuse_known(options.name)
    _refuse_idle(config)
    checked_types(config)
    return config


def _refuse_known(name: str | None) -> None:
    """Raises ConfigError for a name that `model=NAME` would not find."""
    if name is not None and (conf_dir() / "model" / f"{name}.yaml").is_file():
        raise ConfigError(f"convert.name={name} is a model of the configuration; choose another name")


def _refuse_idle(config: ConvertConfig) -> None:
    """Raises ConfigError for what was typed and would do nothing."""
    options = config.convert
    training, data = options.training, options.data
    if data.distill == "replies" and _typed(training, "distill_share"):
        raise ConfigError(
            f"convert.training.distill_share={training.distill_share:g} is of a teacher's probabilities, and only its "
            "replies are learned; type convert.data.distill=logits"
        )
    if options.method == "full" and (names := _typed(training, *_OF_FACTORS)):
        raise ConfigError(f"convert.training.{names[0]} is of factors beside the weights, and convert=full has none")
    if data.teacher is None and (names := _typed(data, "teacher_overrides", "teacher_keep", "teacher_trials")):
        raise ConfigError(f"convert.data.{names[0]} is of a teacher, and convert.data.teacher names none")
    if options.curve_steps is not None and not options.curve:
        raise ConfigError("convert.curve_steps is of convert.curve=[50,100,…], which is empty")
    if options.export.serve == "adapter" and _typed(options.export, "types"):
        raise ConfigError("convert.export.types is of a merged file, and convert.export.serve=adapter makes none")


def _typed(options: Record, *names: str) -> list[str]:
    """Those of the settings that are not as they are by default."""
    fields = type(options).model_fields
    return [name for name in names if getattr(options, name) != fields[name].default]


def name_of(config: ConvertConfig) -> str:
    """Suite, cluster and base, as far as they make a name."""
    parts = [config.suite.name, *(config.cluster or ()), config.model.name]
    return _NOT_IN_NAMES.sub("-", "_".join(parts)).strip("-._")[:80] or "converted"
