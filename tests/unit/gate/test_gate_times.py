"""Which times are held against each other, and in which tier."""

import re
from typing import Any

import pytest

from harness.errors import DataError
from harness.gate.times import compare_times
from tests.support.gates import ELSEWHERE, HERE, check, gated, side

GOOD = [1.0] * 60
QUICK, SLOW = ([1.0 + place % 7 / 10 for place in range(60)], [2.0 + place % 7 / 5 for place in range(60)])


def test_times_of_one_job_are_judged_in_their_own_tier() -> None:
    found = gated(
        side("old", GOOD, seconds=QUICK, job="one"), side("new", GOOD, seconds=SLOW, job="one"),
        e2e={"tier": "blocking"}, times_across="refuse",
    )  # fmt: skip

    assert (check(found, "e2e").tier, check(found, "e2e").status) == ("blocking", "fail")
    assert check(found, "e2e").estimate == pytest.approx(2.0)


def test_times_of_two_jobs_on_equal_machines_are_a_warning_at_most() -> None:
    found = gated(
        side("old", GOOD, seconds=QUICK), side("new", GOOD, seconds=SLOW), e2e={"tier": "blocking"},
        times_across="warning",
    )  # fmt: skip

    assert (check(found, "e2e").tier, check(found, "e2e").status) == ("warning", "fail")
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"machine": ELSEWHERE}, r"another machine \(cpu a processor and another processor\)"),
        ({"machine": HERE.model_copy(update={"memory_bytes": 2**30})}, "memory 16.0 GiB and 1.0 GiB"),
        ({"machine": HERE.model_copy(update={"memory_bytes": None})}, "memory not known"),
        ({"hosted": True}, "the candidate was answered by a server"),
        ({"local": False, "backend": "endpoint"}, r"the candidate was answered by a server \(endpoint\)"),
        ({"local": False, "backend": "recorded"}, "the candidate is on record"),
        ({"config": {"run": {"concurrency": 8}}}, "run.concurrency is None in the baseline and 8 in the candidate"),
    ],
    ids=["processor", "memory", "memory not known", "hosted", "server", "record", "load"],
)
def test_times_that_do_not_compare_are_refused_with_the_reason(other: dict[str, Any], why: str) -> None:
    old, new = side("old", GOOD, seconds=QUICK), side("new", GOOD, seconds=QUICK, **other)

    times = compare_times(old, new)
    found = gated(old, new)

    assert times.how == "refused"
    assert re.search(why, times.why)
    assert check(found, "e2e").status == "not_judged"
    assert found.times == f"not judged: {times.why}"


def test_a_little_less_memory_after_a_restart_is_the_same_machine() -> None:
    less = HERE.model_copy(update={"memory_bytes": 16 * 2**30 - 4096})

    assert compare_times(side("old", GOOD), side("new", GOOD, machine=less)).how == "machine"


def test_times_are_held_against_the_run_beside_the_candidate() -> None:
    old = side("old", GOOD, seconds=SLOW, machine=ELSEWHERE)
    again = side("old", GOOD, seconds=QUICK, job="one", run="again")
    new = side("new", GOOD, seconds=QUICK, job="one")

    found = gated(old, new, again, e2e={"tier": "blocking"})

    assert (check(found, "e2e").status, found.verdict) == ("pass", "pass")
    assert found.beside is not None
    assert found.baseline.run == "old"


def test_a_run_of_another_job_or_set_up_is_not_beside() -> None:
    old, new = side("old", GOOD), side("new", GOOD, job="one")

    with pytest.raises(DataError, match=r"gate\.beside=again was not made in the job of new"):
        gated(old, new, side("old", GOOD, run="again"))
    with pytest.raises(DataError, match=r"gate\.beside=again is other \(native\), and not the baseline's old"):
        gated(old, new, side("other", GOOD, run="again", job="one"))


def test_cached_answers_have_no_times() -> None:
    cached = side("new", GOOD, seconds=SLOW, job="one", outcome={"origin": "cached"})

    found = gated(side("old", GOOD, seconds=QUICK, job="one"), cached)

    assert check(found, "e2e").status == "not_judged"
    assert check(found, "e2e").why == "not known of the candidate"


def test_a_limit_in_seconds_is_the_candidates_own() -> None:
    found = gated(
        side("old", GOOD), side("new", GOOD, seconds=SLOW), e2e={"ratio": None, "p95_s": 5.0},
        ttft={"ratio": None, "p95_s": 0.5},
    )  # fmt: skip

    assert check(found, "e2e", "within").status == "pass"
    assert check(found, "ttft", "within").status == "fail"


def test_costs_of_the_machines_time_are_refused_with_the_times() -> None:
    old = side("old", GOOD, costs=[0.01] * 60, cost_from_time=True)
    new = side("new", GOOD, costs=[0.02] * 60, cost_from_time=True, machine=ELSEWHERE)

    found = check(gated(old, new), "cost")

    assert (found.status, found.p_failing) == ("not_judged", None)
    assert "costs are of the machine's time" in found.why
