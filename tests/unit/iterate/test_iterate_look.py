"""A look at new calls of a made-up shop: what was planted is found, and what did not change raises nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.assets.progress import silent
from harness.config import IterateOptions
from harness.iterate.look import Before, Looked, look
from harness.iterate.state import read_seen, write_seen
from harness.iterate.world import find_world
from harness.records.call import Call
from harness.records.iterate import IterateState
from tests.support.new_traffic import SCHEMA, START, SYSTEM, WEEK, known_tasks, traffic
from tests.support.replay_calls import curated

LATER = START + 5 * WEEK
Look = Callable[..., Looked]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clusters of the old calls; nothing in it is changed by looking."""
    root = tmp_path_factory.mktemp("known")
    known_tasks(root, traffic(90))
    return root


@pytest.fixture
def look_at(known: Path, tmp_path: Path) -> Look:
    """Looks at new calls with nothing but the clusters known; `before` for a further look."""

    def run(calls: list[Call], before: Before | None = None, *, texts: bool = True, **options: Any) -> Looked:
        folder = curated(tmp_path / f"new{len(list(tmp_path.iterdir()))}", calls)
        chosen = IterateOptions.model_validate(
            {"calls": str(folder), "clusters": str(known / "clusters" / "shop"), "out": str(tmp_path / "iterate")}
            | options
        )
        world = find_world(chosen, (), tmp_path / "results")
        return look(world, folder, chosen, before or Before(IterateState(name="shop"), {}), silent, texts=texts)

    return run


def drifted(looked: Looked) -> set[tuple[str, str]]:
    return {(one.level, one.side) for one in looked.found.drift if one.drifted}


def test_unchanged_calls_raise_nothing(look_at: Look) -> None:
    looked = look_at(traffic(60, first=1_000, at=LATER))

    assert looked.found.tests > 0
    assert drifted(looked) == set()
    assert (looked.found.changes, looked.found.new_clusters, looked.found.todos) == ((), (), ())
    assert looked.found.n_new == 120


def test_a_new_task_is_found_with_what_it_takes_a_week(look_at: Look) -> None:
    looked = look_at([*traffic(45, first=1_000, at=LATER), *traffic(40, first=2_000, at=LATER, topics=["garden"])])

    task = looked.found.new_clusters[0]
    assert task.calls >= 30  # tfidf sees several tasks in it
    assert task.sessions >= 15
    assert task.stake.usd_week == pytest.approx(task.calls * 0.01 / 4, rel=0.1)
    assert f"new {task.node} {task.id}" in {one.key for one in looked.found.todos}


def test_a_new_agent_is_told_though_each_of_its_tasks_is_small(look_at: Look) -> None:
    other = "You quote prices for freight. Answer with the price and the carrier alone."
    strange = traffic(20, first=2_000, at=LATER, topics=["garden", "card", "flight", "recipe"], system=other)

    looked = look_at([*traffic(45, first=1_000, at=LATER), *strange])

    (node,) = looked.found.new_clusters
    assert (node.new_node, node.id, node.calls, node.sessions) == (True, node.node, 40, 20)
    assert node.stake.usd_week == pytest.approx(40 * 0.01 / 4, rel=0.1)
    assert looked.found.to_new == 40
    assert f"new {node.node} {node.id}" in {one.key for one in looked.found.todos}


def test_a_few_strange_calls_are_no_task_yet(look_at: Look) -> None:
    looked = look_at([*traffic(45, first=1_000, at=LATER), *traffic(4, first=2_000, at=LATER, topics=["garden"])])

    assert looked.found.new_clusters == ()


def test_a_changed_schema_is_told_by_tool_and_property(look_at: Look) -> None:
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "region": {"type": "string"}}}

    looked = look_at(traffic(45, first=1_000, at=LATER, schema=schema))

    (change,) = looked.found.changes
    assert (change.kind, change.what, change.detail) == ("tool_changed", "find_order", ("region added",))
    assert (change.calls, change.since) == (90, "2026-02-09")


def test_a_silent_drop_of_quality_is_drift_of_outcomes_alone(look_at: Look) -> None:
    looked = look_at(traffic(60, first=1_000, at=LATER, good=0.4))

    assert {side for _, side in drifted(looked)} == {"outcomes"}
    (measure,) = [
        each for one in looked.found.drift if one.level == "all" and one.side == "outcomes" for each in one.measures[:1]
    ]
    assert (measure.name, measure.kind) == ("outcome", "mean")
    assert measure.now is not None
    assert measure.old is not None
    assert measure.now < measure.old - 0.3


def test_another_mix_of_the_known_tasks_is_drift_of_the_node_s_inputs(look_at: Look) -> None:
    looked = look_at(traffic(60, first=1_000, at=LATER, topics=["card"]))

    assert ("node", "inputs") in drifted(looked)
    (row,) = [one for one in looked.found.drift if (one.level, one.side) == ("node", "inputs")]
    assert "task" in {one.name for one in row.measures if one.notable}


@pytest.mark.parametrize("texts", [True, False])
def test_a_new_sentence_is_known_by_its_hash_and_shown_only_where_samples_are(look_at: Look, *, texts: bool) -> None:
    said = "Always answer in two words."

    looked = look_at(traffic(45, first=1_000, at=LATER, system=f"{SYSTEM} {said}"), texts=texts)

    (change,) = looked.found.changes
    assert change.kind == "prompt_added"
    assert len(change.what) == 12
    assert change.text == (said if texts else None)
    assert said not in looked.state.model_dump_json()


def test_another_model_of_the_log_is_told(look_at: Look) -> None:
    looked = look_at(traffic(45, first=1_000, at=LATER, model="big-2"))

    assert [(one.kind, one.what) for one in looked.found.changes] == [
        ("model_added", "big-2"),
        ("model_removed", "big-1"),
    ]


def test_calls_are_gathered_until_there_are_enough_and_then_tested_once(look_at: Look, tmp_path: Path) -> None:
    first = look_at(traffic(10, first=1_000, at=LATER))
    tmp_path.joinpath("iterate", "shop").mkdir(parents=True)
    write_seen(tmp_path / "iterate" / "shop", first.seen)
    kept = Before(first.state, read_seen(tmp_path / "iterate" / "shop"))
    second = look_at(traffic(22, first=1_000, at=LATER), kept)
    third = look_at(traffic(26, first=1_000, at=LATER), Before(second.state, second.seen))

    assert [looked.found.tests > 0 for looked in (first, second, third)] == [False, True, False]
    assert [looked.found.n_fresh for looked in (first, second, third)] == [20, 24, 8]


def test_looking_changes_no_file_of_the_clusters(look_at: Look, known: Path) -> None:
    before = {file.name: file.read_bytes() for file in (known / "clusters" / "shop").iterdir()}

    look_at(traffic(30, first=1_000, at=LATER, topics=["garden"]))

    assert {file.name: file.read_bytes() for file in (known / "clusters" / "shop").iterdir()} == before


def test_a_repeated_call_of_another_session_is_a_new_one(look_at: Look) -> None:
    again = [replace(call, session=f"again {call.session}") for call in traffic(90)[:40]]

    looked = look_at(again)

    assert looked.found.n_new == 40
    assert looked.found.n_old == 180


def test_later_calls_of_an_old_session_are_in_no_test(look_at: Look) -> None:
    later = [replace(call, session="s3") for call in traffic(30, first=1_000, at=LATER)]

    looked = look_at(later)

    assert looked.found.tests == 0
    assert any("sessions that began before" in note for note in looked.found.notes)


def test_nothing_of_the_calls_is_in_the_state(look_at: Look) -> None:
    looked = look_at(traffic(60, first=1_000, at=LATER, topics=["garden"], good=0.2))

    told = looked.state.model_dump_json()

    assert not any(word in told for word in ("compost", "roses", "s1000", "Never promise"))
