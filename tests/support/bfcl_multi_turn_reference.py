"""The reference checker of BFCL's multi-turn categories, taken out of its wheel: for parity tests only."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.records import ToolCall
from harness.records.asset import PypiAsset, PypiMember

__all__ = ["MULTI_TURN_CHECKER", "MultiTurnReference", "loaded_multi_turn_reference", "written"]

_FILES = (
    (
        "eval_checker/multi_turn_eval/multi_turn_checker.py",
        13592,
        "b3b787515eda3bf0e365e39634a8fc7f831763f010f716d35d86f96fd5aab1b5",
    ),
    (
        "eval_checker/multi_turn_eval/multi_turn_utils.py",
        5234,
        "9fdbd779ec715959c310445b54b431e91abaa8b45a302abb6fd8db8d61b62ba2",
    ),
    (
        "constants/executable_backend_config.py",
        1939,
        "1214b960de5d86840e379007c70bc9570203e0b5a926ea740ff00c605a531e57",
    ),
)
MULTI_TURN_CHECKER = PypiAsset(
    package="bfcl-eval",
    version="2026.3.23",
    folder="bfcl_eval",
    members=tuple(PypiMember(member=name, bytes=size, sha256=digest) for name, size, digest in _FILES),
)
_PACKAGES = (
    "constants",
    "eval_checker",
    "eval_checker.multi_turn_eval",
    "eval_checker.multi_turn_eval.func_source_code",
)

Turns = Sequence[Sequence[Sequence[ToolCall]]]
"""Per turn its steps, per step its calls."""


def written(call: ToolCall) -> str:
    """The call as Python text, as the reference makes it of a function-calling model's reply."""
    return f"{call.name}({','.join(f'{key}={value!r}' for key, value in call.arguments.items())})"


@dataclass(frozen=True, slots=True)
class MultiTurnReference:
    """The checker, with a crash of it counted as a refusal."""

    checker: Callable[..., dict[str, Any]]
    instances: dict[str, Any]
    """Names of the module in which the checker keeps its instances."""
    number: Iterator[int] = field(default_factory=count)

    def verdict(self, turns: Turns, truth: list[list[str]], entry: dict[str, Any]) -> tuple[bool, str]:
        """Whether the reference accepts the calls, and the kind of error if not. Steps without calls are left out."""
        spoken = [[[written(call) for call in step] for step in turn if step] for turn in turns]
        category = str(entry["id"]).rsplit("_", 1)[0]
        try:
            found = self.checker(spoken, truth, entry, category, f"m{next(self.number)}")
        except Exception as error:  # whatever the reference stumbles over: it does so in a run of its own as well
            return False, f"crash: {type(error).__name__}"
        finally:
            for name in [one for one in self.instances if one.endswith("_instance")]:
                del self.instances[name]
        return bool(found["valid"]), str(found.get("error_type", ""))


@contextmanager
def loaded_multi_turn_reference(checker: Path, classes: Path) -> Iterator[MultiTurnReference]:
    """The checker out of its fetched files and the suite's; the package is stubbed while it is in use."""
    for name in ("bfcl_eval", *(f"bfcl_eval.{inner}" for inner in _PACKAGES)):
        module = ModuleType(name)
        module.__path__ = [str(folder.joinpath(*name.split(".")[1:])) for folder in (checker, classes)]
        sys.modules[name] = module
    try:
        place = "bfcl_eval.eval_checker.multi_turn_eval"
        module, tools = import_module(f"{place}.multi_turn_checker"), import_module(f"{place}.multi_turn_utils")
        yield MultiTurnReference(module.multi_turn_checker, vars(tools))
    finally:
        for name in [one for one in sys.modules if one.partition(".")[0] == "bfcl_eval"]:
            del sys.modules[name]
