"""Which calls `do=curate` leaves out, and that its books balance."""

from pathlib import Path
from typing import Any

import pytest

from harness.curate.rules import moment
from harness.errors import ConfigError, DataError
from harness.records.logs import LogFailure
from harness.store.calls import read_calls
from tests.support.curated_calls import START, call, curated, said, sessions

_CUT = {"role": "assistant", "content": "well", "finish_reason": "length"}


def _dropped(folder: Path, *records: Any, **options: Any) -> dict[str, int]:
    done = curated(folder, [*sessions(2, 1, first=90), *records], **options)
    manifest = done.manifest
    assert manifest.read == manifest.kept + sum(row.calls for row in manifest.dropped)
    return {row.rule: row.calls for row in manifest.dropped}


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"human_chat": True}, "human chat"),
        ({"cached": True}, "answered from a cache"),
        ({"failure": LogFailure("RateLimit"), "reply": None}, "failed"),
        ({"reply": _CUT}, "cut off by the token limit"),
        ({"reply": {"role": "assistant", "content": " \n"}}, "empty reply"),
        ({"reply": None}, "empty reply"),
    ],
)
def test_each_kind_of_unusable_call_is_counted_under_its_rule(tmp_path: Path, more: dict[str, Any], rule: str) -> None:
    assert _dropped(tmp_path, call("a", "hello", **more)) == {rule: 1}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"agents": ["support"]}, "another agent"),
        ({"models": ["big-1"]}, "another model"),
        ({"min_outcome": 0.0}, "no outcome logged"),
        ({"until": "2026-02-01"}, "outside the time span"),
        ({"max_chars": 5000}, "too long"),
    ],
)
def test_what_is_not_chosen_is_left_out(tmp_path: Path, options: dict[str, Any], rule: str) -> None:
    other = call("a", "hello " * 2000, agent="other", model="other", at=START + 40 * 86400)
    records = [*sessions(2, 1, outcome=0.0), other]

    done = curated(tmp_path, records, **options)

    assert [(row.rule, row.calls) for row in done.manifest.dropped] == [(rule, 1)]


def test_outcome_below_the_least_is_left_out(tmp_path: Path) -> None:
    records = [*sessions(2, 1, outcome=1.0), call("a", "hello", outcome=0.4)]

    done = curated(tmp_path, records, min_outcome=0.5)

    assert [(row.rule, row.calls) for row in done.manifest.dropped] == [("outcome below the least", 1)]


def test_call_that_was_asked_again_after_it_failed_counts_as_retried_and_the_answer_stays(tmp_path: Path) -> None:
    failed = call("a", "hello", reply=None, failure=LogFailure("Timeout"))
    again = call("a", "hello", step=1, at=START + 1)

    done = curated(tmp_path, [*sessions(1, 1), failed, again])

    assert [(row.rule, row.calls) for row in done.manifest.dropped] == [("retried after it failed", 1)]
    assert "a/1" in {one.record for one in read_calls(done.folder)}


def test_same_failure_in_another_session_is_no_retry(tmp_path: Path) -> None:
    failed = call("a", "hello", reply=None, failure=LogFailure("Timeout"))

    assert _dropped(tmp_path, failed, call("b", "hello", at=START + 1)) == {"failed": 1}


def test_exact_duplicate_is_dropped_and_the_first_counts_for_both(tmp_path: Path) -> None:
    question = said(5)

    done = curated(tmp_path, [call("b", question, at=START + 9), call("a", question), *sessions(1, 1)])

    kept = {one.record: one for one in read_calls(done.folder)}
    assert kept["a/0"].weight == 2
    assert kept["a/0"].reference.count == 2
    assert "b/0" not in kept
    assert sum(done.manifest.split_weights.values()) == 3


def test_rule_that_is_turned_off_drops_nothing_and_ids_stay_apart(tmp_path: Path) -> None:
    done = curated(tmp_path, [call("a", "hello there"), call("b", "hello there")], drop=[])

    kept = list(read_calls(done.folder))
    assert len({one.id for one in kept}) == len(kept) == 2


def test_ids_of_tool_calls_do_not_make_two_requests_of_one(tmp_path: Path) -> None:
    def asked(name: str, drawn: str) -> Any:
        made = {"id": drawn, "name": "find_order", "arguments": "{}"}
        history = (
            {"role": "user", "content": said(3)},
            {"role": "assistant", "tool_calls": [made]},
            {"role": "tool", "tool_call_id": drawn, "content": "found"},
        )
        return call(name, "", messages=history)

    done = curated(tmp_path, [asked("a", "call_1"), asked("b", "call_x")])

    assert [(row.rule, row.calls) for row in done.manifest.dropped] == [("exact duplicate", 1)]


def test_results_of_two_parallel_calls_in_another_order_of_ids_are_another_request(tmp_path: Path) -> None:
    def asked(name: str, first: str, second: str) -> Any:
        made = [
            {"id": one, "name": "find_order", "arguments": f'{{"id": "{place}"}}'} for place, one in enumerate("xy")
        ]
        results = [
            {"role": "tool", "tool_call_id": first, "content": "p"},
            {"role": "tool", "tool_call_id": second, "content": "q"},
        ]
        return call(
            name,
            "",
            messages=({"role": "user", "content": said(3)}, {"role": "assistant", "tool_calls": made}, *results),
        )

    done = curated(tmp_path, [asked("a", "x", "y"), asked("b", "y", "x")])

    assert done.manifest.kept == 2


def test_successive_steps_of_one_session_are_no_near_duplicates(tmp_path: Path) -> None:
    done = curated(tmp_path, sessions(3, 12), drop=["duplicate", "near_duplicate"])

    assert done.manifest.kept == 36


def test_near_duplicate_of_another_session_is_dropped_where_that_is_asked_for(tmp_path: Path) -> None:
    long = said(4, words=80)
    records = [call("a", long), call("b", long + " please", at=START + 5, reply=call("a", long).reply), *sessions(1, 1)]

    done = curated(tmp_path, records, drop=["near_duplicate"])

    assert [(row.rule, row.calls) for row in done.manifest.dropped] == [("near duplicate", 1)]
    assert {one.record: one.weight for one in read_calls(done.folder)}["a/0"] == 2


def test_near_duplicate_that_was_answered_by_another_action_stays(tmp_path: Path) -> None:
    long = said(4, words=80)
    acts = {"role": "assistant", "tool_calls": [{"name": "find_order", "arguments": "{}"}]}
    records = [call("a", long), call("b", long + " please", at=START + 5, reply=acts)]

    assert curated(tmp_path, records, drop=["near_duplicate"]).manifest.kept == 2


def test_store_of_which_nothing_is_left_says_what_left_it_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 1 calls is left \(1 cut off by the token limit\)"):
        curated(tmp_path, [call("a", "hello", reply=_CUT)])


def test_time_that_is_none_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"curate\.since=yesterday is no date"):
        moment("yesterday", "curate.since")
