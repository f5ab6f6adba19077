"""Alarms of `do=monitor` that stand: what a look at new calls has to tell before everything else."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.errors import DataError
from harness.records.iterate import Todo
from harness.records.monitor import MonitorReport, MonitorView

__all__ = ["alarm_print", "alarm_todos", "alarm_words", "monitor_reports"]


def monitor_reports(results: Path) -> tuple[Path, ...]:
    """The reports of all monitors that have looked."""
    return tuple(sorted((results / "monitor").glob("*/monitor.json")))


def alarm_print(report: Path) -> str:
    """A hash that changes when an alarm comes or goes, not with each look. Raises DataError for a damaged report."""
    read = _read(report)
    said = f"{read.policy} {read.epoch} {sorted(one.key for one in read.alarms)}"
    return hashlib.sha256(said.encode()).hexdigest()


def alarm_words(reports: Sequence[Path]) -> tuple[str, ...]:
    """A sentence for each alarm that stands."""
    return tuple(
        f"Alarm of the monitor {one.name}: {_said(one, view)}." for one in map(_read, reports) for view in one.alarms
    )


def alarm_todos(reports: Sequence[Path]) -> list[Todo]:
    """What is to be done about it, before everything else; asking the models again does not do it."""
    return [
        Todo(
            key=f"monitor {one.name}",
            what=f"Answer the alarm of the monitor {one.name}: turn the policy off, or begin anew and say why",
            why=tuple(_said(one, view) for view in one.alarms),
            clusters=tuple(view.key for view in one.alarms if view.key != "traffic"),
            urgent=True,
        )
        for one in map(_read, reports)
        if one.alarms
    ]


def _said(report: MonitorReport, view: MonitorView) -> str:
    mean = "" if view.recent is None else f", {view.recent:.1%} in the last {view.recent_values:,} calls"
    where = "all traffic" if view.key == "traffic" else view.key
    return f"the {report.outcome} of {report.policy} has passed its limit of {view.limit:.1%} ({where}){mean}"


def _read(file: Path) -> MonitorReport:
    try:
        return MonitorReport.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{file} cannot be read ({type(error).__name__}); make it anew with do=monitor") from None
