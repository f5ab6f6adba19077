"""`do=gate`: a run held against the accepted baseline; the exit code is the verdict."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import GateConfig, GateOptions
from harness.errors import ConfigError, DataError, GateFailed, GateInconclusive
from harness.gate.accept import BASELINE, baseline_folder, is_baseline, read_baseline
from harness.gate.ci import annotations, badge_json, badge_svg, junit, step_summary
from harness.gate.judge import judge
from harness.gate.page import headline, markdown_page, print_gate
from harness.gate.side import Side, refuse_unfinished, side_of
from harness.records.gate import GateResult
from harness.store.runfolder import new_folder, point_latest, write_atomic, write_record
from harness.store.runs import read_run
from harness.verbs.accept import latest_run

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
    baseline, candidate = _sides(config.run, config.gate, results)
    beside = None if config.gate.beside is None else _run(Path(config.gate.beside).resolve())
    named = judge("", baseline, candidate, config.gate, beside)
    folder = new_folder(results, "gate")
    found = named.model_copy(update={"name": folder.name})
    _write(found, folder)
    print_gate(found)
    _tell_github(found)
    aside = Console(stderr=True)
    aside.print(f"{'gate':<12} {folder}", highlight=False, soft_wrap=True, markup=False)
    if found.exit_code == 0:
        return
    raise (GateInconclusive if found.exit_code == 2 else GateFailed)(headline(found))


def _sides(run: str, options: GateOptions, results: Path) -> tuple[Side, Side]:
    """Baseline and candidate, each found by what is known of the other."""
    if options.baseline is not None:
        baseline = _baseline(Path(options.baseline).resolve())
        if run == "latest":
            return baseline, _run(latest_run(results, frozenset({baseline.run.suite})))
        return baseline, _run(Path(run).resolve())
    if run != "latest":
        candidate = _run(Path(run).resolve())
        return _baseline(baseline_folder(results, candidate.run.suite)), candidate
    sides = [read_baseline(one) for one in _accepted(results, options.suite)]
    candidate = _run(latest_run(results, frozenset(one.run.suite for one in sides)))
    return next(one for one in sides if one.run.suite == candidate.run.suite), candidate


def _accepted(results: Path, suite: str | None) -> list[Path]:
    """Folders of the accepted baselines. Raises DataError where there is none."""
    if suite is not None:
        return [baseline_folder(results, suite)]
    base = results / "baseline"
    found = sorted(one for one in base.iterdir() if is_baseline(one)) if base.is_dir() else []
    if not found:
        raise DataError(
            f"no baseline in {base}; accept a run first: "
            'python -m harness do=accept run=latest accept.by=NAME accept.why="…"'
        )
    return found


def _baseline(folder: Path) -> Side:
    """A baseline that was accepted, or a plain run taken for one."""
    if is_baseline(folder) or not (folder / "manifest.json").is_file():
        if not folder.is_dir():
            raise DataError(
                f"no baseline {folder.name}: there is no {folder / BASELINE}; accept a run first: "
                'python -m harness do=accept run=FOLDER accept.by=NAME accept.why="…"'
            )
        return read_baseline(folder)
    return _run(folder)


def _run(folder: Path) -> Side:
    run = read_run(folder)
    refuse_unfinished(run)
    return side_of(run)


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
