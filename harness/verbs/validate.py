"""`do=validate`: a suite's samples and its scorer put to the proof, without any model."""

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.assets import cache_dir, console_progress
from harness.config import ValidateConfig
from harness.errors import GateFailed
from harness.runner.validate import Validation, validate
from harness.scorers.context import ScorerContext, judge_seat, make_scorer
from harness.suite.spec import load_suite
from harness.verbs.suited import suited

__all__ = ["main"]

_SHOWN = 20
_EXPECTED = {"gold": "1", "near_miss": "below 1", "empty": "0", "garbage": "a verdict, twice the same"}


def main(configs: Sequence[ValidateConfig]) -> None:
    """Checks and prints. Raises GateFailed if a verdict is not as it must be."""
    with console_progress(show=configs[0].progress != "off") as on_progress:
        configs = suited(configs, on_progress)
    for config in configs:
        _validate(config, Console())


def _validate(config: ValidateConfig, console: Console) -> None:
    with console_progress(show=config.progress != "off") as on_progress:
        suite = load_suite(config.suite, cache_dir(), on_progress)
        judge = judge_seat(config.scoring, on_progress)
    context = ScorerContext(suite.data, suite.options, config.scoring, config.agent, judge)
    scorer = make_scorer(suite.spec.scorer, context)
    found = asyncio.run(validate(scorer, suite.samples))
    console.print(_table(f"{suite.spec.name}, scorer {suite.spec.scorer}", found))
    if found.without_gold:
        console.print(f"{found.without_gold} of {found.n_samples} samples: no right outcome is known beforehand")
    defects = suite.spec.defects
    wrong = [finding for finding in found.findings if finding.sample not in defects]
    for sample in dict.fromkeys(finding.sample for finding in found.findings if finding.sample in defects):
        _tell(console, f"{sample}  known defect of the data: {defects[sample]}")
    for finding in wrong[:_SHOWN]:
        _tell(console, f"{finding.sample}  {finding.case}: {finding.why}")
    if wrong:
        raise GateFailed(
            f"{len(wrong)} verdicts of scorer {suite.spec.scorer} on suite {suite.spec.name} are not as they "
            "must be; mend the targets or the scorer before a model is measured with them"
        )


def _tell(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(title: str, found: Validation) -> Table:
    table = Table(title=title)
    table.add_column("what")
    for name in ("must score", "checked", "wrong"):
        table.add_column(name, justify="right")
    for kind, expected in _EXPECTED.items():
        wrong = sum(finding.case.startswith(f"{kind}:") for finding in found.findings)
        table.add_row(kind.replace("_", " "), expected, str(found.checked[kind]), str(wrong))
    return table
