"""`do=gate`: a run held against the accepted baseline; the exit code is the verdict."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import GateConfig
from harness.errors import ConfigError, GateFailed, GateInconclusive
from harness.gate.ci import annotations, badge_json, badge_svg, junit, step_summary
from harness.gate.find import candidate_of, sides_of
from harness.gate.judge import judge
from harness.gate.page import headline, markdown_page, print_gate
from harness.records.gate import GateResult
from harness.store.runfolder import new_folder, point_latest, write_atomic, write_record
from harness.verbs.track import track_quietly

__all__ = ["main"]


def main(configs: Sequence[GateConfig]) -> None:
    """Judges, writes `results/gate/<stamp>/`, tells GitHub where it runs there, and prints.

    Raises GateFailed and GateInconclusive by the verdict and the policy, ConfigError, DataError or BackendError where
    there is none.
    """
    if len(configs) > 1:
        raise ConfigError("do=gate takes one run at a time: run=FOLDER")
    (config,) = configs
    results = Path(config.paths.results)
    baseline, candidate = sides_of(config.run, config.gate, results)
    beside = None if config.gate.beside is None else candidate_of(Path(config.gate.beside).resolve())
    named = judge("", baseline, candidate, config.gate, beside)
    folder = new_folder(results, "gate")
    found = named.model_copy(update={"name": folder.name})
    _write(found, folder)
    print_gate(found)
    _tell_github(found)
    aside = Console(stderr=True)
    aside.print(f"{'gate':<12} {folder}", highlight=False, soft_wrap=True, markup=False)
    track_quietly([folder], config.tracking)
    if found.exit_code == 0:
        return
    raise (GateInconclusive if found.exit_code == 2 else GateFailed)(headline(found))


def _write(found: GateResult, folder: Path) -> None:
    write_record(folder / "gate.json", found)
    for name, text in (
        ("gate.md", markdown_page(found)),
        ("junit.xml", junit(found)),
        ("badge.json", badge_json(found)),
        ("badge.svg", badge_svg(found)),
    ):
        write_atomic(folder / name, text)
    point_latest(folder)


def _tell_github(found: GateResult) -> None:
    """The step summary and, under GitHub Actions, annotations: its runner reads them from standard output."""
    step_summary(found, os.environ)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        sys.stdout.write(annotations(found))
        sys.stdout.flush()
