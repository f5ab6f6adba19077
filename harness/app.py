"""The command line: Hydra composes, `harness.config` checks, a verb works; errors become one line and an exit code."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import cast

import hydra
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from harness.config import RunConfig, VerbConfig, parse, register_defaults, register_own_models
from harness.errors import HarnessError, not_installed
from harness.explain import explain
from harness.paths import conf_dir

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


_failed: list[int] = []
_at_once: list[list[RunConfig]] = []
"""Runs that wait until all jobs of the command are known: they share a cluster."""
_side_by_side: dict[str, list[str]] = {}
_SEVERAL = re.compile(r"(model|model\.name|model\.protocol)=\[(.*)\]")
_SQL = "sql="
_SUITE = re.compile(r"suite=[A-Za-z0-9][A-Za-z0-9._-]*")


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _compose(conf: DictConfig) -> None:
    try:
        configs = [parse(one) for one in _each_model(conf)]
        if _waits(configs):
            return
        verb = cast(Callable[[object], None], import_module(f"harness.verbs.{configs[0].do}").main)
        verb(configs)
    except (
        HarnessError
    ) as error:  # kept for `main`: raised, Hydra would print its own line and end a sweep's other jobs
        _say(str(error))
        _failed.append(error.exit_code)
    except (HydraException, OmegaConfBaseException) as error:  # of a further model of `model=[a,b]`
        _say(explain(error, sys.argv[1:]))
        _failed.append(2)
    except ModuleNotFoundError as error:  # of an extra: what else is missing is a bug and keeps its traceback
        absent = not_installed(error, f"do={conf.do}")
        if absent is None:
            raise
        _say(str(absent))
        _failed.append(absent.exit_code)


def _waits(configs: Sequence[VerbConfig]) -> bool:
    """Whether these are runs that are made at once with those of the command's other jobs; they are kept for then."""
    runs = [one for one in configs if isinstance(one, RunConfig) and one.do == "run" and one.executor.name == "ray"]
    if len(runs) < len(configs) or (len(runs) == 1 and HydraConfig.get().mode is not RunMode.MULTIRUN):
        return False
    from harness.verbs.run_at_once import goes_at_once

    if waits := goes_at_once(runs):
        _at_once.append(runs)
    return waits


def _run_at_once() -> None:
    from harness.verbs.run_at_once import run_at_once

    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            errors = run_at_once(_at_once)
    except HarnessError as error:
        errors = [error]
    for one in errors:
        _say(str(one))
        _failed.append(one.exit_code)


def _each_model(conf: DictConfig) -> list[DictConfig]:
    """The configuration of each model of `model=[a,b]`, each of its names and protocols; one for a single model."""
    if not _side_by_side:
        return [conf]
    starts = tuple(f"{key}=" for key in _side_by_side)
    overrides = [one for one in HydraConfig.get().overrides.task if not one.startswith(starts)]
    each = product(*([f"{key}={value}" for value in values] for key, values in _side_by_side.items()))
    return [hydra.compose("config", overrides=[*overrides, *own]) for own in each]


def _take_models(argv: list[str]) -> list[str]:
    """The command line with `model=[a,b]` as `model=a`, the list kept aside: Hydra would merge the two into one.

    `model.name=[a,b]` likewise, for models of one server, and `model.protocol=[a,b]`.
    """
    taken = []
    for word in argv:
        match = _SEVERAL.fullmatch(word)
        names = [] if match is None else [name.strip(" '\"") for name in match[2].split(",") if name.strip()]
        if match is None or not names:
            taken.append(word)
            continue
        _side_by_side[match[1]] = list(dict.fromkeys(names))
        taken.append(f"{match[1]}={names[0]}")
    return taken


def _take_sql(argv: list[str]) -> list[str]:
    """The command line with `sql=SELECT a, b` quoted for Hydra, which would read commas and brackets as its own."""
    return [_quoted(word) if word.startswith(_SQL) and not word.startswith((f'{_SQL}"', f"{_SQL}'")) else word
            for word in argv]  # fmt: skip


def _quoted(word: str) -> str:
    text = word.removeprefix(_SQL)
    if text in {"", "null"}:
        return word
    safe = re.sub(r'(\\*)"', r'\1\1\\"', text)
    safe = re.sub(r"(\\+)$", r"\1\1", safe).replace("${", r"\${")
    return f'{_SQL}"{safe}"'


def _take_suite(argv: list[str]) -> list[str]:
    """The command line with `suite=NAME` of a suite in the current folder's `suites/` as a suite of one's own there."""
    if any(word.startswith("suite.path=") for word in argv):
        return argv
    taken = []
    for word in argv:
        name = word.removeprefix("suite=") if _SUITE.fullmatch(word) else ""
        known = (conf_dir() / "suite" / f"{name}.yaml").is_file()
        if name and not known and Path("suites", name, "suite.yaml").is_file():
            taken += ["suite=local", f"suite.path=suites/{name}", f"suite.name={name}"]
        else:
            taken.append(word)
    return taken


def main() -> None:
    """Runs a command line and exits: 0 pass · 1 gate failed · 2 your input · 3 backend · 130 Ctrl-C.

    A sweep runs all its jobs; its code is the worst of theirs.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    register_defaults()
    register_own_models()
    sys.argv[1:] = _take_suite(_take_models(_take_sql(sys.argv[1:])))
    try:
        _compose()
        if _at_once:
            _run_at_once()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (HydraException, OmegaConfBaseException) as error:
        _say(explain(error, sys.argv[1:]))
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(max(_failed, default=0))


def _say(message: str) -> None:
    sys.stderr.write(f"harness: {message}\n")
