"""A `results/` with a record of every verb, made up, for views, stores and frames of Python."""

from pathlib import Path

from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareOptions, MonitorOptions, RouteOptions
from harness.iterate.monitoring import alarms
from harness.records import Record
from harness.records.convert import CurvePoint, LearningCurve
from harness.records.decision import Selection
from harness.records.frontier import Frontier
from harness.records.gate import GateResult
from harness.records.interval import Interval
from harness.records.iterate import (
    DriftMeasure,
    DriftRow,
    Growth,
    Iteration,
    NewCluster,
    RouterRow,
    SourceChange,
    Stake,
    StaleVerdict,
    StepDone,
    Todo,
)
from harness.records.route import VerifiedPair
from harness.records.routing import RouteReport
from harness.route.build import route as make_route
from harness.store.runfolder import write_record
from harness.store.runs import read_run
from tests.support.audits import audit_of, mixed
from tests.support.conversions import Conversion
from tests.support.frontiers import frontier_of, stored
from tests.support.gates import gated, side
from tests.support.pictured import load_book
from tests.support.route_calls import evidence, planted
from tests.support.stored_runs import pair

__all__ = ["SECRET_NAME", "SECRET_WORDS", "every_result", "frontier", "gate", "iteration", "selection"]

SECRET_NAME = "words-of-a-new-task"
SECRET_WORDS = "a sentence of an instruction"
_AT = "2026-03-06T00:00:00+00:00"
_STAMP = "2026-03-06_00-00-00-000000"


def gate() -> GateResult:
    """One that fails, with samples lost and gained, and settings that differ."""
    old = side("old", [1] * 55 + [0] * 5, seconds=[1.0] * 60, costs=[0.001] * 60, config={"seed": 1})
    new = side("new", [0] * 20 + [1] * 40, seconds=[2.0] * 60, costs=[0.002] * 60, config={"seed": 2})
    return gated(old, new).model_copy(update={"name": _STAMP})


def selection() -> Selection:
    """One with every verdict."""
    return mixed()


def frontier(folder: Path) -> Frontier:
    """Three precisions, the last of which loses much."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 1), "Q2_K": stored("Q2_K", 22)}
    return frontier_of(folder, runs).model_copy(update={"name": _STAMP})


def _route() -> tuple[RouteReport, tuple[Record, ...]]:
    calls = [planted(200, seed, lambda sure: sure**0.5, prefix=name) for seed, name in enumerate("ab")]
    options = RouteOptions.model_validate({"margin": 0.05, "kinds": ["cascade", "cluster"], "calls_per_s": 1.0})
    built = make_route(_STAMP, evidence(calls[0], calls[1]), "no index", options)
    return built.report, built.simulated


def iteration() -> Iteration:
    """A look that found something of each kind."""
    measure = DriftMeasure(name="length of text", kind="psi", effect=0.4, p=0.001, notable=True)
    drift = DriftRow(
        where="c1", name="Orders", level="cluster", side="inputs", n_old=90, n_new=60, sessions_old=30,
        sessions_new=20, straddling=1, p=0.001, p_adjusted=0.004, drifted=True, measures=(measure,),
    )  # fmt: skip
    stake = Stake(calls_week=80.0, usd_week=12.0)
    new = NewCluster(
        id="c9+", node="n1", node_name="shop", new_node=False, name=SECRET_NAME, calls=40, sessions=12, share=0.2,
        stake=stake,
    )  # fmt: skip
    stale = StaleVerdict(
        cluster="c1", name="Orders", verdict="replace", variant="small", made_at=_AT, age_days=12.0, calls_old=90,
        calls_new=60, reasons=("inputs drifted",), stake=stake,
    )  # fmt: skip
    todo = Todo(key="verdict c1", what="Judge c1 again", why=("inputs drifted",), clusters=("c1",), stake=stake)
    change = SourceChange(kind="prompt_added", node="n1", node_name="shop", what="9f8e", text=SECRET_WORDS, calls=40)
    router = RouterRow(cluster="c1", what="handed on", n_old=90, n_new=60, old=0.1, now=0.3, p_adjusted=0.01)
    step = StepDone(name="cluster", command="python -m harness do=cluster", exit_code=0, seconds=2.0, outcome="9 tasks")
    return Iteration(
        name=_STAMP, state="shop", made_at=_AT, calls="june", clusters="shop", look=1, n_new=60, n_fresh=60, n_old=90,
        first="2026-03-01", last="2026-03-05", to_known=20, to_new=40, to_none=0,
        growth=(Growth(id="c1", name="Orders", node="n1", old=90, new=60),), new_clusters=(new,), changes=(change,),
        drift=(drift,), router=(router,), stale=(stale,), todos=(todo,), steps=(step,), alpha=0.05, tests=4,
        seconds=3.0,
    )  # fmt: skip


def _monitor(results: Path, logs: Path) -> None:
    logs.mkdir(parents=True)
    pairs = (
        VerifiedPair(
            call=str(n), at=60.0 * n, policy="shop@0", small="s", large="l", served="s", same=n % 3 > 0, routed=True
        )
        for n in range(200)
    )
    (logs / "verified-1.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in pairs))
    alarms(MonitorOptions(logs=(str(logs),), policy="shop@0", limit=0.2), results, now=86_400.0)


def _keep(results: Path, verb: str, file: str, record: Record) -> None:
    folder = results / verb / _STAMP
    folder.mkdir(parents=True)
    write_record(folder / file, record)


def every_result(base: Path) -> Path:
    """`base/results` with runs and a folder of every verb that leaves one."""
    results = base / "results"
    ledger = Conversion.made(base).ledger
    interval = Interval(low=0.2, high=0.8, level=0.95, method="Wilson")
    point = CurvePoint(rows=20, steps=4, seconds=2.0, metric=0.5, n=10, interval=interval)
    curve = LearningCurve(key="curve", points=(point,), why="one point tells nothing of more rows")
    write_record(results / "convert" / "shop" / "ledger.json", ledger.model_copy(update={"curve": curve}))
    a, b = (entry_of(read_run(one)) for one in pair(base / "pair"))
    compared = compare_pair(_STAMP, a, b, CompareOptions())
    report, simulated = _route()
    found = selection()
    for verb, file, record in (
        ("gate", "gate.json", gate()),
        ("compare", "compare.json", compared),
        ("select", "selection.json", found),
        ("audit", "audit.json", audit_of(found, {"shop": {"moves": 300, None: 100}})),
        ("load", "load.json", load_book()),
        ("quantize", "frontier.json", frontier(base / "weights")),
        ("route", "simulation.json", report),
        ("iterate", "iteration.json", iteration()),
    ):
        _keep(results, verb, file, record)
    lines = "".join(f"{one.model_dump_json()}\n" for one in simulated)
    (results / "route" / _STAMP / "simulated.jsonl").write_text(lines)
    _monitor(results, base / "verified")
    return results
