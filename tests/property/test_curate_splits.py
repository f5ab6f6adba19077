"""Splits: no group is ever cut, shares are reached, and new logs move no old call."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.curate.groups import Links
from harness.records.call import Call, Split
from harness.records.logs import LogRecord
from harness.store.calls import read_calls
from tests.support.curated_calls import START, call, curated, said, sessions

Told = tuple[int, int, int, int, str]
_CALL = st.tuples(
    st.integers(0, 8),  # session
    st.integers(0, 5),  # user
    st.integers(0, 25),  # what is asked
    st.integers(0, 1),  # a little different
    st.sampled_from(("yes", "no")),
)


def _record(number: int, told: Told) -> LogRecord:
    session, user, asked, more, answer = told
    question = said(asked + 1, words=60) + " please" * more
    return call(
        f"s{session}", question, step=number, at=START + number * 60, user=f"u{user}",
        reply={"role": "assistant", "content": answer}, agent=f"agent{session % 2}",
    )  # fmt: skip


def _calls(records: list[LogRecord], **options: Any) -> list[Call]:
    with TemporaryDirectory() as folder:
        return list(read_calls(curated(Path(folder), records, **options).folder))


def _parts(calls: list[Call], key: str) -> dict[object, set[Split]]:
    found: dict[object, set[Split]] = defaultdict(set)
    for one in calls:
        found[getattr(one, key)].add(one.split)
    return found


@settings(deadline=None, max_examples=25)
@given(st.lists(_CALL, min_size=1, max_size=30), st.sampled_from(("seed", "time")), st.integers(0, 3))
def test_no_session_user_request_or_near_duplicate_is_ever_cut(told: list[Told], by: str, seed: int) -> None:
    records = [_record(number, one) for number, one in enumerate(told)]

    with TemporaryDirectory() as folder:
        done = curated(Path(folder), records, split_by=by, split={"seed": seed})
        calls = list(read_calls(done.folder))

    for key in ("session", "user_group", "duplicate_group"):
        assert all(len(parts) == 1 for parts in _parts(calls, key).values())
    row = done.leakage.rows[-1]
    assert (row.at_threshold, row.same_request, row.shared_sessions, row.shared_users) == (0, 0, 0, 0)


@settings(deadline=None, max_examples=25)
@given(st.lists(_CALL, min_size=1, max_size=30), st.integers(0, 3))
def test_dropping_what_is_too_near_leaves_nothing_near_across_splits(told: list[Told], seed: int) -> None:
    records = [_record(number, one) for number, one in enumerate(told)]

    with TemporaryDirectory() as folder:
        done = curated(Path(folder), records, split={"seed": seed, "chains": "drop"})

    assert done.leakage.rows[-1].at_threshold == 0
    assert done.leakage.rows[-1].same_request == 0
    assert done.manifest.read == done.manifest.kept + sum(row.calls for row in done.manifest.dropped)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 50), st.integers(5, 25), st.integers(1, 25))
def test_new_sessions_move_no_call_that_was_there(seed: int, old: int, new: int) -> None:
    before = {one.id: one.split for one in _calls(sessions(old, 2), split={"seed": seed})}

    after = {one.id: one.split for one in _calls(sessions(old + new, 2), split={"seed": seed})}

    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("keep", [False, True])
def test_logs_that_come_late_move_no_call_where_the_folder_is_made_anew_or_kept_to(tmp_path: Path, keep: bool) -> None:
    done = curated(tmp_path, sessions(20, 2))
    before = {one.id: one.split for one in read_calls(done.folder)}
    late = [*sessions(20, 5), *sessions(15, 3, first=0, agent="other")]

    split = {"keep": str(done.folder)} if keep else {}
    again = curated(tmp_path, late, "other" if keep else "it", split=split)

    after = {one.id: one.split for one in read_calls(again.folder)}
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_group_that_joins_train_and_test_goes_to_train(tmp_path: Path) -> None:
    records = [call(f"s{n}", said(n, words=40), at=START + n, user=f"u{n}") for n in range(30)]
    before = {one.record: one.split for one in read_calls(curated(tmp_path, records).folder)}
    test = next(name for name, split in before.items() if split == "test")
    train = next(name for name, split in before.items() if split == "train")
    joined = [replace(one, user="both") if one.id in (test, train) else one for one in records]

    after = {one.record: one.split for one in read_calls(curated(tmp_path, joined).folder)}

    assert after == {**before, test: "train"}


def test_near_duplicate_that_comes_later_goes_where_the_first_is() -> None:
    old = sessions(20, 2)
    before = {one.id: one.split for one in _calls(old)}
    question = str(old[7].messages[1]["content"])
    copy = call("late", "", messages=(old[7].messages[0], {"role": "user", "content": question + " x"}), at=START + 1e7)

    after = {one.record: one for one in _calls([*old, copy])}

    assert {one.id: one.split for one in after.values() if one.record != "late/0"} == before


@pytest.mark.parametrize("seed", range(4))
def test_shares_are_reached_within_one_session(seed: int) -> None:
    steps = 3
    calls = _calls(sessions(100, steps), split={"seed": seed, "train": 0.5, "calibration": 0.2, "test": 0.3})

    counts = Counter[str](one.split for one in calls)
    for split, share in (("train", 0.5), ("calibration", 0.2), ("test", 0.3)):
        assert abs(counts[split] - share * len(calls)) <= 2 * steps


def test_each_agent_has_its_shares() -> None:
    records = [*sessions(60, 2, agent="rare"), *sessions(60, 2, first=100, agent="other")]

    calls = _calls(records)

    for agent in ("rare", "other"):
        counts = Counter[str](one.split for one in calls if one.agent == agent)
        assert 20 <= counts["test"] <= 28


def test_another_seed_splits_otherwise() -> None:
    one, other = ({call.id: call.split for call in _calls(sessions(40, 1), split={"seed": seed})} for seed in (0, 1))

    assert one != other


def test_by_time_the_latest_groups_are_the_test() -> None:
    calls = _calls(sessions(30, 2), split_by="time")

    assert [one.split for one in calls] == ["train"] * 36 + ["calibration"] * 12 + ["test"] * 12


@pytest.mark.parametrize(("straddling", "kept"), [("earlier", 61), ("drop", 60)])
def test_session_that_goes_on_after_the_cut_is_kept_on_the_earlier_side_or_dropped(straddling: str, kept: int) -> None:
    late = call("s1", said(99), step=9, at=START + 1e6)

    calls = _calls([*sessions(30, 2), late], split_by="time", split={"straddling": straddling})

    assert len(calls) == kept
    assert {one.split for one in calls if one.session == "s1"} == {"train"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_links_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    links = Links(31)
    for one, other in pairs:
        links.join(one, other)

    parts = {one: {one} for one in range(31)}
    for one, other in pairs:
        both = parts[one] | parts[other]
        for member in both:
            parts[member] = both
    assert [links.root(one) for one in range(31)] == [min(parts[one]) for one in range(31)]
