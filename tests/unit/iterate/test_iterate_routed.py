"""What the router's day files say: before a look, and since."""

from pathlib import Path

import numpy as np
import pytest

from harness.config import DriftOptions
from harness.errors import DataError
from harness.iterate.routed import Routed, compare_routed, read_routed
from harness.records.route import RouteDecision, VerifiedPair


def write(folder: Path, *, unsure: tuple[float, float], other: tuple[float, float]) -> Path:
    """200 calls of 100 sessions in cluster c1 before time 1,000 and as many after; shares handed on and different."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    decisions, pairs = [], []
    for side in (0, 1):
        for number in range(200):
            name, at = f"{side}-{number}", 1_000.0 * side + number + 1
            reason = "unsure" if draw.random() < unsure[side] else "kept"
            told = {"call": name, "at": at, "session": f"s{side}-{number // 2}", "cluster": "c1", "policy": "p@1"}
            decision = {**told, "mode": "on", "model": "small", "asked": ("small",), "reason": reason, "router_s": 0.0}
            decisions.append(RouteDecision.model_validate(decision))
            same = bool(draw.random() >= other[side])
            pair = {**told, "small": "a", "large": "b", "served": "a", "same": same, "routed": True}
            pairs.append(VerifiedPair.model_validate(pair))
    (folder / "decisions-2026-01-01.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in decisions))
    (folder / "verified-2026-01-01.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in pairs))
    return folder


def test_more_calls_handed_on_than_before_are_found(tmp_path: Path) -> None:
    routed = read_routed([write(tmp_path / "log", unsure=(0.1, 0.5), other=(0.1, 0.1))])

    rows = compare_routed(routed, 1_000.0, DriftOptions(), 0)

    assert [(one.cluster, one.what, one.drifted) for one in rows] == [
        ("c1", "handed on", True),
        ("c1", "other answer", False),
    ]
    assert rows[0].now > rows[0].old + 0.3


def test_more_answers_that_differ_than_before_are_found(tmp_path: Path) -> None:
    routed = read_routed([write(tmp_path / "log", unsure=(0.1, 0.1), other=(0.05, 0.4))])

    assert [one.drifted for one in compare_routed(routed, 1_000.0, DriftOptions(), 0)] == [False, True]


def test_lines_are_gathered_over_looks_until_there_are_enough(tmp_path: Path) -> None:
    routed = read_routed([write(tmp_path / "log", unsure=(0.1, 0.5), other=(0.1, 0.1))])
    soon = Routed(tuple(one for one in routed.handed_on if one.at <= 1_020), ())

    assert compare_routed(soon, 1_000.0, DriftOptions(), 0) == []

    (row, _) = compare_routed(routed, 1_000.0, DriftOptions(), 0)
    assert (row.n_new, row.drifted, row.until) == (200, True, 1_200.0)
    tested = {"handed on c1": 1_200.0, "other answer c1": 1_200.0}
    assert compare_routed(routed, 1_000.0, DriftOptions(), 0, tested) == []


def test_a_line_ahead_of_the_clock_waits_and_hides_no_others(tmp_path: Path) -> None:
    folder = write(tmp_path / "log", unsure=(0.1, 0.5), other=(0.1, 0.1))
    file = folder / "decisions-2026-01-01.jsonl"
    last = file.read_text().splitlines()[-1]
    file.write_text(file.read_text() + last.replace("1200.0", "4000000000.0").replace("1-199", "ahead") + "\n")

    routed = read_routed([folder], now=2_000.0)

    assert routed.until == 1_200.0
    assert len(routed.handed_on) == 400


def test_the_first_look_compares_nothing_and_tells_how_far_it_read(tmp_path: Path) -> None:
    routed = read_routed([write(tmp_path / "log", unsure=(0.1, 0.5), other=(0.1, 0.1))])

    assert compare_routed(routed, None, DriftOptions(), 0) == []
    assert routed.until == 1_200.0


def test_a_line_that_is_being_written_is_left_for_the_next_look(tmp_path: Path) -> None:
    folder = write(tmp_path / "log", unsure=(0.1, 0.1), other=(0.1, 0.1))
    file = folder / "decisions-2026-01-01.jsonl"
    file.write_text(file.read_text() + '{"call": "x"')

    assert len(read_routed([folder]).handed_on) == 400


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "log", unsure=(0.1, 0.1), other=(0.1, 0.1))
    file = folder / "verified-2026-01-01.jsonl"
    file.write_text('{"call": "x"}\n' + file.read_text())

    with pytest.raises(DataError, match=r"verified-2026-01-01\.jsonl line 1 is no line of the router"):
        read_routed([folder])
