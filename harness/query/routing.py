"""Views of routing: what `do=route` made and certified, and what the monitors of `do=monitor` say."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from harness.errors import DataError
from harness.query.source import Source
from harness.query.stacking import MADE, SUITE, Part, Stored, high, low, stacked
from harness.records.monitor import MonitorReport
from harness.records.routing import RouteFigures, RouteReport, SimulatedCall
from harness.report.export import Columns, Field, Table, Value, table_of
from harness.report.monitor import monitor_tables
from harness.report.route_table import route_tables
from harness.store.journal import read_journal

__all__ = ["MONITORS", "ROUTES", "route_calls", "routes", "watches"]

_ROUTE: Final = Field("route", "text", "", "Folder of the policy.")
ROUTES: Final = Stored(
    "route", "simulation.json", RouteReport,
    ((_ROUTE, lambda one: one[0]), (MADE, lambda one: one[1].made_at), (SUITE, lambda one: one[1].suite)),
    route_tables,
)  # fmt: skip
MONITORS: Final = Stored(
    "monitor", "monitor.json", MonitorReport,
    ((Field("folder", "text", "", "Folder of the monitors."), lambda one: one[0]),
     (Field("policy", "text", "", "That is watched."), lambda one: one[1].policy)),
    monitor_tables,
)  # fmt: skip


def _policy(one: RouteReport) -> RouteFigures | None:
    return next((each for each in one.figures if each.name == "policy"), None)


_ROUTES: Columns[tuple[str, RouteReport]] = (
    (Field("chosen", "text", "", "Kind of the policy that was written; null: none is certified."),
     lambda one: one[1].chosen),
    (Field("large", "text", "", "Name of the large model."), lambda one: one[1].large.name),
    (Field("large_run", "text", "", "Folder of its run."), lambda one: one[1].large.run),
    (Field("small", "text", "", "Names of the small models."), lambda one: "; ".join(two.name for two in one[1].small)),
    (Field("margin", "number", "share", "Loss of accuracy that is allowed."), lambda one: one[1].margin),
    (Field("alpha", "number", "share", "Chance of a false certificate."), lambda one: one[1].alpha),
    (Field("tuned_on", "count", "calls", "That it was made on."), lambda one: one[1].tuned_on),
    (Field("tested_on", "count", "calls", "That it was certified on."), lambda one: one[1].tested_on),
    (Field("coverage", "number", "share", "Calls that a small model answers; null: nothing was simulated."),
     lambda one: found.coverage if (found := _policy(one[1])) else None),
    (Field("accuracy", "number", "share", "Of all calls."),
     lambda one: found.accuracy if (found := _policy(one[1])) else None),
    (Field("accuracy_low", "number", "share", "Lower end of its interval."),
     lambda one: low(found.accuracy_interval) if (found := _policy(one[1])) else None),
    (Field("accuracy_high", "number", "share", "Upper end."),
     lambda one: high(found.accuracy_interval) if (found := _policy(one[1])) else None),
    (Field("difference", "number", "share", "To the large model alone."),
     lambda one: found.difference if (found := _policy(one[1])) else None),
    (Field("cost_usd_per_call", "number", "USD", "All models asked."),
     lambda one: found.cost_usd_per_call if (found := _policy(one[1])) else None),
    (Field("said", "text", "", "What was certified, or why nothing was."), lambda one: one[1].sentence),
)  # fmt: skip
routes = partial(ROUTES.each, name="routes", columns=_ROUTES)
"""Every policy."""

_CALLS: Columns[SimulatedCall] = (
    (Field("sample", "text", "", "Name of the sample."), lambda one: one.sample),
    (Field("cluster", "text", "", "Task by the index; null: not asked for, or near to none."), lambda one: one.cluster),
    (Field("expert", "text", "", "Small model that is asked; null: none."), lambda one: one.expert),
    (Field("confidence", "number", "of the policy", "In its answer."), lambda one: one.confidence),
    (Field("kept", "flag", "", "Whether its answer stands."), lambda one: one.kept),
    (Field("reason", "text", "", "Why."), lambda one: one.reason),
    (Field("value", "number", "share", "What the answer that stands is worth."), lambda one: one.value),
    (Field("cost_usd", "number", "USD", "All models asked; null: not known."), lambda one: one.cost_usd),
    (Field("e2e_s", "number", "s", "Whole reply; null: not known."), lambda one: one.e2e_s),
)


def route_calls(source: Source) -> Table:
    """What every policy does with each call of its test split."""
    return stacked("route_calls", "Calls", [one for one, _ in ROUTES.before], _simulated(source))


def _simulated(source: Source) -> Iterator[Part]:
    for folder, report in ROUTES.read(source):
        file = source.results / ROUTES.verb / folder / "simulated.jsonl"
        before: tuple[Value, ...] = tuple(read((folder, report)) for _, read in ROUTES.before)
        try:
            calls = list(read_journal(file, SimulatedCall)) if file.is_file() else []
        except DataError as error:
            source.left_out.append(f"policy {folder}: {error}")
            continue
        yield before, table_of("calls", "Calls", calls, _CALLS)


_LOOKS: Columns[tuple[str, MonitorReport]] = (
    (MADE, lambda one: one[1].made_at),
    (Field("outcome", "text", "", "What is watched: disagreement, loss or error."), lambda one: one[1].outcome),
    (Field("limit", "number", "", "Mean that must not be passed, or margin to the baseline's."),
     lambda one: one[1].design.limit),
    (Field("alarms", "count", "monitors", "That have alarmed."), lambda one: len(one[1].alarms)),
    (Field("monitors", "count", "monitors", "In all."), lambda one: len(one[1].views)),
    (Field("read", "count", "pairs", "Taken in."), lambda one: one[1].counts.read),
    (Field("used", "count", "pairs", "Looked at."), lambda one: one[1].counts.used),
    (Field("pending", "count", "pairs", "That wait for their session's end or a label."), lambda one: one[1].pending),
    (Field("epoch", "count", "", "Grows with each reset."), lambda one: one[1].epoch),
    (Field("killed", "flag", "", "Whether the last look turned the policy off."), lambda one: one[1].killed),
)  # fmt: skip
watches = partial(MONITORS.each, name="watches", columns=_LOOKS)
"""Every folder of monitors, as it stands."""
