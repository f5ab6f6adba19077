"""The leakage report: planted leaks are counted in the ways that take less care, and are gone as it was done."""

from pathlib import Path

import pytest

from tests.support.curated_calls import START, call, curated, said, sessions


def test_copies_across_sessions_show_where_sessions_alone_are_kept_together(tmp_path: Path) -> None:
    records = sessions(30, 2)
    for number in range(30):
        question = said(500 + number, words=80)
        records.append(call(f"x{number}", question, at=START + number))
        records.append(call(f"y{number}", question + " ok", at=START + 900 + number))

    rows = {row.split: row for row in curated(tmp_path, records).leakage.rows}

    assert rows["sessions"].at_threshold > 0
    assert rows["sessions"].shared_sessions == 0
    assert rows["groups"].at_threshold == rows["groups"].at_80 == 0
    assert rows["groups"].interval is not None
    assert rows["groups"].interval.high > 0


def test_splitting_single_calls_shares_sessions(tmp_path: Path) -> None:
    rows = {row.split: row for row in curated(tmp_path, sessions(20, 6)).leakage.rows}

    assert rows["calls"].shared_sessions > 0
    assert rows["calls"].same_tool_result > 0
    assert rows["groups"].shared_sessions == rows["groups"].same_tool_result == 0
    assert rows["groups"].same_system == rows["groups"].test_calls


def test_shared_last_user_text_and_user_are_counted(tmp_path: Path) -> None:
    records = [
        call(f"s{n}", "", at=START + n, user="one", messages=(
            {"role": "user", "content": said(n + 1, words=60)},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "thanks, and now?"},
        ))
        for n in range(40)
    ]  # fmt: skip

    row = curated(tmp_path, records, split={"users": False}).leakage.rows[-1]

    assert row.same_last_user == row.test_calls > 0
    assert row.shared_users == 1


@pytest.mark.parametrize("by", ["seed", "time"])
def test_overlap_in_time_is_none_only_where_the_split_is_by_time(tmp_path: Path, by: str) -> None:
    report = curated(tmp_path, sessions(40, 2), split_by=by).leakage

    assert (report.test_before_train_ends == 0) == (by == "time")


def test_split_without_a_test_has_no_share(tmp_path: Path) -> None:
    row = curated(tmp_path, sessions(1), split={"train": 1.0, "calibration": 0.0, "test": 0.0}).leakage.rows[-1]

    assert (row.test_calls, row.looked_at, row.interval) == (0, 0, None)
