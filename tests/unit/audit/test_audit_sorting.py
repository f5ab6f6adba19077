"""What comes next for a cluster."""

from functools import cache

import pytest

from harness.audit.sorting import next_of
from harness.records.audit import Audit, AuditCell
from harness.records.decision import Decision
from tests.support.audits import audit_of, mixed


@cache
def found() -> Audit:
    return audit_of(mixed(), {"shop": {"moves": 300, "stays": 100, None: 100}, "desk": {"hands": 300}})


def decision(cluster: str) -> Decision:
    return next(one for one in found().selection.decisions if one.cluster == cluster)


def cell(**more: object) -> AuditCell:
    given = {"variant": "small", "status": "fail", "n": 100, "accuracy": 0.0, "difference": -1.0, "more": None} | more
    return AuditCell.model_validate(given)


@pytest.mark.parametrize(
    ("cluster", "wanted"),
    [("moves", "move"), ("hands", "hybrid"), ("stays", "keep"), ("near", "convert"), ("few", "measure")],
)
def test_each_verdict_has_its_next_step(cluster: str, wanted: str) -> None:
    (one,) = (each for each in found().clusters if each.cluster == cluster)

    assert one.next == wanted
    assert one.why


def test_replies_that_break_the_form_alone_are_near() -> None:
    lost = cell(misses={"decode": 60, "wrong_value": 40}, form_misses=60)

    got = next_of(found().selection, decision("stays"), [lost])

    assert (got.next, got.nearest) == ("convert", "small")
    assert got.why == "60 of 100 misses break the form alone"


def test_prompts_that_fit_nowhere_need_a_longer_context_and_no_training() -> None:
    long = cell(misses={"context_overflow": 50, "wrong_value": 50}, overflowed=50)

    assert next_of(found().selection, decision("stays"), [long]).next == "context"
    assert next_of(found().selection, decision("stays"), [long, cell(variant="poor")]).next == "keep"


def test_a_cluster_that_no_model_was_asked_in_is_to_be_measured() -> None:
    barred = cell(status="barred", n=0, accuracy=None, difference=None)

    assert next_of(found().selection, decision("stays"), [barred]).next == "measure"


def test_an_agent_moves_as_far_as_its_clusters_do() -> None:
    shop, desk = found().agents

    assert (shop.agent, shop.calls, shop.moves, shop.open) == ("shop", 500, 0.6, 0.2)
    assert desk.moves == pytest.approx(1 - 40 / 300)


def test_a_model_that_was_not_asked_is_told_of() -> None:
    assert "gone was not asked: nothing listens there" in found().notes
