"""`do=monitor`: the router's verified pairs since the last look, and whether a small model's loss passed its limit."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import MonitorConfig
from harness.errors import ConfigError, GateFailed
from harness.iterate.monitoring import REPORT, alarms
from harness.records.monitor import MonitorReport
from harness.report.monitor import monitor_tables, write_page
from harness.report.monitor_words import findings, headline
from harness.report.site import finish_pages
from harness.report.tables import keep_tables

__all__ = ["main"]


def main(configs: Sequence[MonitorConfig]) -> None:
    """Looks, keeps the state in `results/monitor/<name>/`, writes `reports/monitor.html`, and prints.

    Raises GateFailed on an alarm, as long as it stands; ConfigError or DataError for what cannot be looked at.
    """
    if len(configs) > 1:
        raise ConfigError("do=monitor takes one policy at a time and no list of models")
    (config,) = configs
    results, reports = Path(config.paths.results), Path(config.paths.reports)
    report = alarms(config.monitor, results)
    page = reports / "monitor.html"
    write_page(report, page)
    keep_tables(reports, "monitor", monitor_tables(report), config.report)
    finish_pages(results, reports, config.report)
    _print(report)
    aside = Console(stderr=True)
    for what, where in (("monitor", results / "monitor" / report.name / REPORT), ("page", page)):
        aside.print(f"{what:<12} {where}", highlight=False, soft_wrap=True, markup=False)
    if report.alarms:
        raise GateFailed(headline(report))


def _print(report: MonitorReport) -> None:
    console = Console()
    console.print(headline(report), highlight=False, soft_wrap=True, markup=False)
    for line in findings(report):
        console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)
