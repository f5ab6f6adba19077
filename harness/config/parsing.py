"""From Hydra's DictConfig to records, the only module that sees one, and what is said where it does not fit."""

from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from harness.config.backends import BACKENDS, PluginConfig
from harness.config.chain import ChainConfig
from harness.config.model import ModelConfig
from harness.config.running import HardwareConfig, JudgeConfig
from harness.config.verbs import VERBS, RunConfig, VerbConfig
from harness.errors import ConfigError
from harness.paths import conf_dir
from harness.records import Record

__all__ = [
    "compose_apart",
    "compose_judge",
    "compose_run",
    "explain_validation",
    "hardware_named",
    "known_keys",
    "parse",
    "register_defaults",
    "template_file",
]


def parse(conf: DictConfig) -> VerbConfig:
    """The composed configuration as a record. Raises ConfigError naming the key, the value and what is allowed."""
    missing = _missing_keys(OmegaConf.to_container(conf, resolve=False), "")
    if OmegaConf.select(conf, "backend.name") == "endpoint" and OmegaConf.select(conf, "model.url") is None:
        missing = [key for key in missing if key != "model.url"]
        missing.append("model.url")
    if missing:
        raise ConfigError(_missing_message(missing))
    data = OmegaConf.to_container(conf, resolve=True)
    assert isinstance(data, dict)
    verb = VERBS[str(data["do"])]
    try:
        return verb.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain_validation(error)) from None


def compose_judge(judge: JudgeConfig) -> RunConfig:
    """The configuration of a run by the model that judges, composed by Hydra as on a command line of its own.

    Works inside the app. Raises ConfigError where the model is not known or an override does not fit.
    """
    concurrent = f"run.concurrency={judge.concurrency}"
    try:
        conf = compose("config", overrides=[f"model={judge.model}", concurrent, *judge.overrides])
    except (HydraException, OmegaConfBaseException) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"scoring.judge.model={judge.model} with its overrides: {reason}") from None
    try:
        parsed = parse(conf)
    except ConfigError as error:
        raise ConfigError(f"scoring.judge.overrides: {error}") from None
    assert isinstance(parsed, RunConfig)
    return parsed


def compose_run(*overrides: str) -> RunConfig:
    """The configuration of `do=run` with these words, composed as on a command line. Works inside the app."""
    parsed = parse(compose("config", overrides=list(overrides)))
    assert isinstance(parsed, RunConfig)
    return parsed


def compose_apart(*overrides: str) -> VerbConfig:
    """The configuration of a command line, composed outside the app, for programs that are no command line.

    Raises ConfigError for what the configuration does not allow. What another part of the process composes with Hydra
    stays as it was.
    """
    register_defaults()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            return parse(compose("config", overrides=list(overrides)))
    except (HydraException, OmegaConfBaseException) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"{' '.join(overrides)}: {reason}") from None


def _missing_keys(node: object, prefix: str) -> list[str]:
    """Dotted keys whose value is still the mandatory mark; interpolations are left alone."""
    if isinstance(node, dict):
        return sorted(key for name, item in node.items() for key in _missing_keys(item, f"{prefix}.{name}".lstrip(".")))
    return [prefix] if node == MISSING else []


def _missing_message(missing: list[str]) -> str:
    hints = {"model.url": "http://127.0.0.1:8000/v1", "model.name": "the-name-your-server-gives-it"}
    typed = " ".join(f"{key}={hints.get(key, '…')}" for key in missing)
    return f"{', '.join(missing)} must be given and {'is' if len(missing) == 1 else 'are'} not; add: {typed}"


def explain_validation(error: ValidationError) -> str:
    """The first complaint of pydantic as one line with the key, the value seen and what is allowed."""
    first = error.errors()[0]
    loc = first["loc"]
    if loc[:1] == ("backend",):  # which of the backends it is, stands between and is no key
        loc = (loc[0], *loc[3 if loc[1:2] == ("own",) else 2 :])
    parts = [str(part) for part in loc]
    parts = parts[1:] if parts[:1] == ["chain"] and len(parts) > 1 else parts  # typed without it
    key = ".".join(parts) or "configuration"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key} is not a key of this group{more}; leave it out"
    if first["type"] == "missing":
        return f"{key} must be given and is not{more}; add: {key}=…"
    said = first["msg"].removeprefix("Value error, ")
    said = said[0].lower() + said[1:]
    if isinstance(first["input"], dict):  # of keys that do not go together; the words name them
        return f"{key}: {said}{more}"
    return f"{key}={first['input']!r}: {said}{more}"


def template_file(name: str, conf_dir: Path) -> Path:
    """The file of a chat template given by name in `conf/templates/` or by path. Raises ConfigError without it."""
    for candidate in (conf_dir / "templates" / name, Path(name).expanduser()):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(p.name for p in (conf_dir / "templates").glob("*.jinja"))) or "none"
    raise ConfigError(f"model.chat_template={name} is no file; templates that come with the project: {known}")


def hardware_named(name: str) -> HardwareConfig:
    """A machine of `conf/hardware`. Raises ConfigError where none has that name or its file makes no sense."""
    file = conf_dir() / "hardware" / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(one.stem for one in file.parent.glob("*.yaml")))
        raise ConfigError(f"hardware={name} is not known; there are: {known}")
    try:
        return HardwareConfig.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError(f"conf/hardware/{file.name}: {explain_validation(error)}") from None


def known_keys(verb: str, backend: str) -> list[str]:
    """Every dotted key that a verb's configuration can have, for a message that names the nearest."""
    return sorted(_keys_of(VERBS.get(verb, RunConfig), "", BACKENDS.get(backend, PluginConfig)))


def _keys_of(kind: type[Record], prefix: str, backend: type[Record]) -> list[str]:
    found: list[str] = []
    for name, info in kind.model_fields.items():
        if name == "chain":  # its keys are typed without it
            found.extend(_keys_of(ChainConfig, prefix, backend))
            continue
        annotation = backend if name == "backend" else info.annotation
        nested = annotation if isinstance(annotation, type) and issubclass(annotation, Record) else None
        found.extend(_keys_of(nested, f"{prefix}{name}.", backend) if nested else [f"{prefix}{name}"])
    return found


def register_defaults() -> None:
    """Gives Hydra every key of a model with its default, so that any of them can be set without a `+`."""
    # Hydra copies its sources for every group that it lists, and with them, for nothing, the one store, which hands out
    # copies itself: half the time of --help.
    ConfigStore.__deepcopy__ = lambda self, _memo: self  # type: ignore[attr-defined]
    ConfigStore.instance().store(group="defaults", name="model", node=_model_defaults())


def _model_defaults() -> dict[str, Any]:
    """Every key of a model's configuration that has a default, as a plain mapping."""
    required = {name: "" for name, info in ModelConfig.model_fields.items() if info.is_required()}
    defaults = ModelConfig.model_validate(required).model_dump(mode="json", exclude=set(required))
    room = defaults["generation"]["max_tokens"]
    defaults["generation"]["max_tokens"] = f"${{oc.select:suite.max_tokens,{room}}}"
    return defaults
