"""Every view by name: what it holds, and what makes results for it where there are none."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from harness.query import learning, looking, records, routing
from harness.query.source import Source
from harness.query.stacking import R, Stored
from harness.report.export import Table

__all__ = ["EXAMPLES", "VIEWS", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """One table that SQL can name."""

    name: str
    says: str
    make: str
    """What to type for results that it would show."""
    table: Callable[[Source], Table] | None = None
    """None: it is read from journals (`harness.query.journals`)."""


_RUN: Final = "python -m harness suite=toolcall model=smollm2"
_SELECT: Final = "python -m harness do=select"
_COMPARE: Final = "python -m harness do=compare"
_GATE: Final = "python -m harness do=gate"
_CONVERT: Final = "python -m harness do=convert"
_CURVE: Final = "python -m harness do=convert 'convert.curve=[100,200]'"
_AUDIT: Final = "python -m harness do=audit logs.path=…"
_QUANTIZE: Final = "python -m harness do=quantize"
_LOAD: Final = "python -m harness do=load"
_ROUTE: Final = "python -m harness do=route"
_MONITOR: Final = "python -m harness do=monitor"
_ITERATE: Final = "python -m harness do=iterate"
_CLUSTER: Final = "python -m harness do=cluster"


def _rows(of: Stored[R], table: str, name: str) -> Callable[[Source], Table]:
    return partial(of.rows, table=table, name=name)


_ALL: Final = (
    View("runs", "a row for each run folder, with the leaderboard's figures", _RUN, records.runs),
    View("categories", "accuracy of each run in each category", _RUN, partial(records.of_runs, name="categories")),
    View("misses", "where the attempts of each run were lost", _RUN, partial(records.of_runs, name="misses")),
    View("parts", "parts of the score of each run", _RUN, partial(records.of_runs, name="parts")),
    View("attempts", "a row for each attempt: its last outcome with its score, times, tokens and cost", _RUN),
    View("scores", "the verdict on each attempt", _RUN),
    View("samples", "what each run was asked", _RUN),
    View("comparisons", "pairs of runs that were held against each other", _COMPARE, records.comparisons),
    View("flips", "samples that differ within those pairs", _COMPARE, records.flips),
    View("gates", "verdicts of gates", _GATE, records.gates),
    View("checks", "each check of each gate", _GATE, _rows(records.GATES, "checks", "checks")),
    View("gate_changes", "what was set differently in the runs of each gate", _GATE, records.gate_changes),
    View("gate_samples", "samples that each gate's candidate lost or gained", _GATE, records.gate_samples),
    View("decisions", "the verdict on each cluster of each selection", _SELECT,
         _rows(records.SELECTIONS, "verdicts", "decisions")),
    View("evidence", "every criterion behind those verdicts", _SELECT,
         _rows(records.SELECTIONS, "evidence", "evidence")),
    View("variants", "every variant that a selection chose from", _SELECT,
         _rows(records.SELECTIONS, "variants", "variants")),
    View("plans", "how many deployments each selection takes", _SELECT, _rows(records.SELECTIONS, "plans", "plans")),
    View("shares", "what can move by each selection", _SELECT, _rows(records.SELECTIONS, "shares", "shares")),
    View("audits", "what audits say of each task", _AUDIT, _rows(records.AUDITS, "clusters", "audits")),
    View("audit_cells", "each model in each task of each audit", _AUDIT,
         _rows(records.AUDITS, "matrix", "audit_cells")),
    View("audit_runs", "each model that an audit asked", _AUDIT, _rows(records.AUDITS, "runs", "audit_runs")),
    View("audit_agents", "how much of each agent moves by each audit", _AUDIT,
         _rows(records.AUDITS, "agents", "audit_agents")),
    View("loads", "each speed of each load replay", _LOAD, _rows(records.LOADS, "speeds", "loads")),
    View("backlogs", "calls due and not done over the time of each replay", _LOAD,
         _rows(records.LOADS, "backlog", "backlogs")),
    View("frontiers", "each model that was run at several precisions", _QUANTIZE, records.frontiers),
    View("precisions", "each precision of a model", _QUANTIZE, _rows(records.FRONTIERS, "precisions", "precisions")),
    View("conversions", "each conversion with a ledger", _CONVERT, learning.ledgers),
    View("conversion_rows", "each set-up in the gate of a conversion", _CONVERT, learning.rows),
    View("conversion_steps", "each step of a ledger, from the logs to the gate", _CONVERT, learning.steps),
    View("conversion_training", "each line of a training", _CONVERT, learning.training),
    View("conversion_files", "each file that a conversion exported", _CONVERT, learning.files),
    View("conversion_general", "what a converted model does beside its task", _CONVERT, learning.general),
    View("curves", "what more training rows buy", _CURVE, learning.curves),
    View("routes", "each routing policy, with what was certified", _ROUTE, routing.routes),
    View("route_kinds", "each kind of policy that was tried", _ROUTE, _rows(routing.ROUTES, "kinds", "route_kinds")),
    View("route_figures", "what the traffic gets by each policy, and without it", _ROUTE,
         _rows(routing.ROUTES, "figures", "route_figures")),
    View("route_tasks", "what each policy does with each task", _ROUTE,
         _rows(routing.ROUTES, "clusters", "route_tasks")),
    View("route_curves", "every threshold of each kind on the test split", _ROUTE,
         _rows(routing.ROUTES, "curve", "route_curves")),
    View("route_rungs", "thresholds that were tested for a certificate, in order", _ROUTE,
         _rows(routing.ROUTES, "rungs", "route_rungs")),
    View("route_prices", "each policy at other prices", _ROUTE, _rows(routing.ROUTES, "prices", "route_prices")),
    View("route_loads", "each policy under more calls", _ROUTE, _rows(routing.ROUTES, "loads", "route_loads")),
    View("route_calls", "what each policy does with each call of its test split", _ROUTE, routing.route_calls),
    View("watches", "each folder of monitors, as it stands", _MONITOR, routing.watches),
    View("monitors", "each monitor of a policy, as it stands", _MONITOR,
         _rows(routing.MONITORS, "monitors", "monitors")),
    View("moments", "its evidence and estimates over time", _MONITOR, _rows(routing.MONITORS, "moments", "moments")),
    View("iterations", "each look at new calls", _ITERATE, looking.iterations),
    View("todos", "what to do again, by the money at stake", _ITERATE, _rows(looking.LOOKS, "todo", "todos")),
    View("stale", "verdicts that something speaks against", _ITERATE, _rows(looking.LOOKS, "verdicts", "stale")),
    View("drift", "old and new calls of each task compared", _ITERATE, _rows(looking.LOOKS, "drift", "drift")),
    View("drift_figures", "each figure by which they were compared", _ITERATE,
         _rows(looking.LOOKS, "measures", "drift_figures")),
    View("changes", "tools, instructions and models that changed", _ITERATE,
         _rows(looking.LOOKS, "changes", "changes")),
    View("new_tasks", "tasks that were not there", _ITERATE, _rows(looking.LOOKS, "new_tasks", "new_tasks")),
    View("growth", "new calls of known tasks", _ITERATE, _rows(looking.LOOKS, "tasks", "growth")),
    View("router_drift", "what the router's logs say of each task", _ITERATE,
         _rows(looking.LOOKS, "router", "router_drift")),
    View("iterate_steps", "what iterate.apply=true did", _ITERATE, _rows(looking.LOOKS, "steps", "iterate_steps")),
    View("clusters", "recurring tasks, of folders in query.clusters", _CLUSTER,
         partial(records.clusters, table="clusters", name="clusters")),
    View("weeks", "calls of each of those tasks by week", _CLUSTER,
         partial(records.clusters, table="weeks", name="weeks")),
)  # fmt: skip
VIEWS: Final[dict[str, View]] = {one.name: one for one in _ALL}
EXAMPLES: Final = (
    (
        "the best run of each model on each suite",
        "SELECT suite, model, protocol, accuracy, accuracy_low, accuracy_high FROM runs "
        "WHERE standing = 'ranked' ORDER BY suite, accuracy DESC",
    ),
    (
        "what is lost most, by model and category",
        "SELECT model, category, miss, count(*) AS n FROM attempts WHERE miss IS NOT NULL "
        "GROUP BY ALL ORDER BY n DESC LIMIT 10",
    ),
    (
        "which samples no run gets right",
        "SELECT suite, sample, count(*) AS attempts FROM scores GROUP BY ALL HAVING max(value) = 0 ORDER BY ALL",
    ),
)
"""Questions with their SQL."""
