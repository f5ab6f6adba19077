"""A new kind of call that a known task took in, and the order of what is to be done."""

import numpy as np
import pytest

from harness.cluster.build import build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept
from harness.cluster.vectors import BESIDE, embedding_named
from harness.config import ClusterOptions, DriftOptions
from harness.iterate.calls import Traffic, read_traffic
from harness.iterate.novel import novel_within
from harness.iterate.place import Placed
from harness.iterate.plan import command_of
from harness.iterate.todo import ordered
from harness.records.iterate import DriftMeasure, DriftRow, Stake, Todo
from tests.support.new_traffic import traffic
from tests.support.replay_calls import curated

TEXTS = DriftMeasure(name="texts", kind="auc", effect=0.8, p=0.001, notable=True)
ROW = DriftRow(
    where="c1", name="c1", level="cluster", side="inputs", n_old=1, n_new=1, sessions_old=1, sessions_new=1,
    straddling=0, p=0.001, p_adjusted=0.001, drifted=True, measures=(TEXTS,),
)  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traffic, Placed]:
    """120 calls of 60 sessions in task c1, the second half new; of these 40 lie elsewhere than all others."""
    calls = traffic(60, topics=["card"])
    folder = curated(tmp_path_factory.mktemp("novel") / "calls", calls)
    found = read_traffic(folder, (), {call.id for call in calls[:60]})
    options = ClusterOptions(calls="x", name="x", embedding="tfidf", stability=0, algorithm="kmeans", k=1)
    built = build(features_of(calls), options, embedding_named("tfidf"), Kept())
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(120, 16 + BESIDE)).astype(np.float32)
    rows[80:, 0] += 20
    node = built.book.nodes[0].id
    return found, Placed(built, ["c1"] * 120, [node] * 120, ["c1"] * 120, rows=dict(enumerate(rows)))


def test_new_calls_among_their_own_kind_are_told(seen: tuple[Traffic, Placed]) -> None:
    (found,) = novel_within(*seen, [ROW], DriftOptions(), texts=False)

    assert (found.id, found.within, found.name) == ("c1+", "c1", "c1+")
    assert found.calls == pytest.approx(40, abs=2)


@pytest.mark.parametrize("changed", [{"drifted": False}, {"side": "outcomes"}, {"measures": ()}])
def test_without_drift_of_texts_nothing_is_looked_for(
    seen: tuple[Traffic, Placed], changed: dict[str, object]
) -> None:  # fmt: skip
    assert novel_within(*seen, [ROW.model_copy(update=changed)], DriftOptions(), texts=True) == []


def test_alarms_come_first_and_then_the_money() -> None:
    todos = [
        Todo(key="calls", what="", why=(), stake=Stake(calls_week=1e6)),
        Todo(key="cheap", what="", why=(), stake=Stake(usd_week=1.0, calls_week=5.0)),
        Todo(key="saves", what="", why=(), stake=Stake(usd_week=2.0, saved_usd_week=9.0)),
        Todo(key="alarm", what="", why=(), urgent=True),
    ]
    before = [Todo(key="cheap", what="", why=(), since="2026-01-01")]

    found = ordered(todos, before, "2026-02-01")

    assert [one.key for one in found] == ["alarm", "saves", "cheap", "calls"]
    assert [one.since for one in found] == ["2026-02-01", "2026-02-01", "2026-01-01", "2026-02-01"]


def test_commands_are_quoted_for_a_shell() -> None:
    assert command_of(("do=cluster", "cluster.split=[c4]")) == "python -m harness do=cluster 'cluster.split=[c4]'"
