"""When a run of agents' tasks says nothing of its model."""

import pytest

from harness.runner.agents_unfit import agents_unfit


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"readable": [0, 10], "called": [0, 5]}, "not one of the agent's 10 replies could be read"),
        ({"readable": [7, 20], "called": [0, 10]}, "not one call in 10 tasks that need some (7 of 20 replies"),
        ({"readable": [0, 9], "called": [0, 5]}, None),
        ({"readable": [20, 20], "called": [0, 9]}, None),
        ({"readable": [1, 20], "called": [1, 10]}, None),
        ({"readable": [30, 30]}, None),
        ({}, None),
    ],
)
def test_a_run_without_a_readable_reply_or_a_call_says_nothing_of_its_model(
    counts: dict[str, list[int]], said: str | None
) -> None:
    found = agents_unfit(counts, 10)

    assert (found is None) if said is None else said in (found or "")
