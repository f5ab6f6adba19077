"""The reference checker of BFCL, taken out of its wheel: for parity tests only."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.records.asset import PypiAsset, PypiMember

__all__ = ["CHECKER", "Reference", "loaded_reference"]

_FOLDER = "bfcl_eval"
_FILES = (
    (
        "eval_checker/ast_eval/ast_checker.py",
        25032,
        "2aae7a68461a8f76c0be3894c8901b66b56967a1989d3ab066051e3fb97f1538",
    ),
    (
        "eval_checker/ast_eval/type_convertor/java_type_converter.py",
        15716,
        "2fd4f4b0443b3dd974a1723bb4e45c086d7b352631062da7807ad1ad40706604",
    ),
    (
        "eval_checker/ast_eval/type_convertor/js_type_converter.py",
        11706,
        "a114e9ff75c025cb52787ac33d6c2fbaa390905c6125a2b3c6afebab232bb5e4",
    ),
    ("constants/enums.py", 896, "2182becfa2a1d071ee1db30db593b4758c6bf866aa12d2d4b8daf09175ea518a"),
    ("constants/type_mappings.py", 1813, "1702fb67afbe2c492608e58e2b7d02e46381f50166b47f3c952f76e34c7cd3bd"),
)
CHECKER = PypiAsset(
    package="bfcl-eval",
    version="2026.3.23",
    folder=_FOLDER,
    members=tuple(PypiMember(member=name, bytes=size, sha256=digest) for name, size, digest in _FILES),
)

Call = dict[str, dict[str, Any]]
"""One call as the reference wants it: the name and its arguments."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The checker, with a crash of it counted as a refusal."""

    checker: Callable[..., dict[str, Any]]
    languages: Callable[[str], Any]

    def accepts(
        self, documents: list[Any], calls: Sequence[Call], truth: list[Any], language: str, category: str
    ) -> bool:
        """The reference's verdict on the calls."""
        try:
            verdict = self.checker(documents, list(calls), truth, self.languages(language), category, "any")
        except Exception:  # whatever the reference stumbles over: it does so in a run of its own as well
            return False
        return bool(verdict["valid"])

    def accepts_reordered(
        self, documents: list[Any], calls: Sequence[Call], truth: list[Any], language: str, category: str
    ) -> bool:
        """Whether the reference accepts the calls in some order: what it lacks is the best pairing."""
        return any(self.accepts(documents, order, truth, language, category) for order in permutations(calls))


@contextmanager
def loaded_reference(folder: Path) -> Iterator[Reference]:
    """The checker out of the fetched files, its package stubbed while it is in use and gone afterwards."""

    class Settings:
        underscore_to_dot = False

    class EveryModel(dict[str, type]):
        def __missing__(self, key: str) -> type:
            return Settings

    stubs = {name: ModuleType(name) for name in ("bfcl_eval", *(f"bfcl_eval.{inner}" for inner in _PACKAGES))}
    for name, module in stubs.items():
        module.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
    settings = ModuleType("bfcl_eval.constants.model_config")
    settings.__dict__["MODEL_CONFIG_MAPPING"] = EveryModel()
    sys.modules.update({**stubs, settings.__name__: settings})
    try:
        checker = import_module("bfcl_eval.eval_checker.ast_eval.ast_checker")
        enums = import_module("bfcl_eval.constants.enums")
        yield Reference(checker.ast_checker, lambda name: enums.Language(name))
    finally:
        for name in [one for one in sys.modules if one.partition(".")[0] == "bfcl_eval"]:
            del sys.modules[name]


_PACKAGES = ("constants", "eval_checker", "eval_checker.ast_eval", "eval_checker.ast_eval.type_convertor")
