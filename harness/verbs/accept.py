"""`do=accept`: a run made the baseline of its suite, with who, when and why in the file."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import AcceptConfig
from harness.errors import ConfigError, DataError
from harness.gate.accept import BASELINE, accept, baseline_folder, copy_journal
from harness.gate.find import latest_run
from harness.gate.side import refuse_unfinished, side_of
from harness.report.formats import counted
from harness.store.runs import read_run

__all__ = ["main"]


def main(configs: Sequence[AcceptConfig]) -> None:
    """Writes `results/baseline/<suite>/` and says what it holds.

    Raises DataError or BackendError where the run can be no baseline.
    """
    if len(configs) > 1:
        raise ConfigError("do=accept takes one run: run=FOLDER")
    (config,) = configs
    results = Path(config.paths.results)
    folder = latest_run(results) if config.run == "latest" else Path(config.run).resolve()
    run = read_run(folder)
    refuse_unfinished(run)
    if run.summary.unfit is not None:
        raise DataError(f"run {folder.name} cannot be ranked, and is no baseline: {run.summary.unfit}")
    side = side_of(run)
    target = baseline_folder(results, side.run.suite)
    found = accept(side, target, by=config.accept.by, why=config.accept.why)
    if config.accept.journal:
        copy_journal(folder, target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    out = Console()
    accuracy = "" if side.run.accuracy is None else f", accuracy {side.run.accuracy:.1%}"
    lines = [
        f"{side.run.suite}: {side.run.model} ({side.run.protocol}), {counted(len(side.outcomes), 'attempt')}"
        f"{accuracy}, accepted by {found.accepted.by}: {found.accepted.why}",
    ]
    if found.before:
        old = found.before[0]
        lines.append(f"replaces {old.model}, run {old.run}, accepted by {old.by} on {old.at[:10]}: {old.why}")
    if config.accept.journal:
        lines.append("prompts and replies are in it: look before you commit it")
    lines.append("next: commit the folder; do=gate holds the newest run of the suite against it")
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    Console(stderr=True).print(
        f"{'baseline':<12} {target / BASELINE} ({size / 1000:,.0f} kB in all)", highlight=False, soft_wrap=True
    )
