"""Audits made up: from lanes to a record, without a log or a run."""

from collections.abc import Mapping

from harness.audit.build import Agents, Log, Told, build_audit
from harness.records.audit import Audit, AuditRun, AuditStep
from harness.records.decision import Selection
from harness.records.summary import OverflowSummary
from tests.support.lanes import lane, questions, selected

COMMAND = "python -m harness do=audit logs.path=calls.jsonl model=small"


def mixed() -> Selection:
    """Clusters that move, hand on, stay, are near, and have too few samples."""
    names = ("moves", "hands", "stays", "near")
    asked = [one for name in names for one in questions(300, name)] + questions(9, "few")
    signals = dict.fromkeys(range(300, 340), "unreadable")
    wrong = [*range(300, 340), *range(600, 900), *range(900, 1000)]
    small = lane("small", asked, wrong, cost=0.1, seconds=0.5, signals=signals)
    return selected(lane("big", asked, seconds=2.0), [small, lane("poor", asked, range(1209), cost=0.2)], asked)


def audit_of(
    selection: Selection, calls: Mapping[str, Mapping[str | None, int]] | None = None, **more: object
) -> Audit:
    """The audit of a selection. calls: of each agent by cluster."""
    runs = (
        AuditRun(model="small", protocol="prompted", status="complete", run="small", said="1,209 answers",
                 overflow=OverflowSummary(n=3, of=12, traffic_frac=0.25, text_frac=0.5, context_tokens=8192),
                 command="python -m harness suite=local suite.path=s model=small"),
        AuditRun(model="gone", protocol="native", status="failed", said="nothing listens there", command=COMMAND),
    )  # fmt: skip
    step = AuditStep(
        name="curate", said="9 of 9 calls", reused=True, seconds=None, command="python -m harness do=curate"
    )
    links = {
        "leaderboard": "leaderboard.html",
        "selection": "select.html",
        "run small": "../results/run/small/summary.md",
    }
    told = Told(steps=(step,), estimates=(), runs=runs, links=links, command=COMMAND)
    made = build_audit("2026-01-01", selection, (), Log(("calls.jsonl",), agents=Agents(calls or {})), told)
    return made.model_copy(update=more)
