"""What is left of a budget after each model of an audit."""

import pytest

from harness.config import BudgetConfig
from harness.records.summary import Summary
from harness.verbs.audit_runs import budget_left, is_spent
from tests.support.report_runs import made_run


def summary(**more: object) -> Summary:
    given = {
        "n_scored": 40,
        "n_failed": 2,
        "n_unscored": 0,
        "prompt_tokens": 900,
        "output_tokens": 100,
        "spent_usd": 0.5,
    }
    return made_run().summary.model_copy(update=given | more)


def test_a_run_takes_its_calls_tokens_and_money_off() -> None:
    budget = BudgetConfig(calls=100, tokens=5000, usd=2.0)

    left = budget_left(budget, None, summary(), None)

    assert (left.calls, left.tokens, left.usd, left.minutes) == (58, 4000, 1.5, None)


def test_what_an_earlier_sitting_took_is_not_taken_off_again() -> None:
    left = budget_left(BudgetConfig(calls=10), summary(n_scored=36), summary(), None)

    assert left.calls == 6


@pytest.mark.parametrize("name", ["calls", "tokens", "usd", "minutes"])
def test_a_limit_that_is_reached_ends_the_sitting(name: str) -> None:
    assert is_spent(BudgetConfig().model_copy(update={name: 0}))
    assert not is_spent(BudgetConfig().model_copy(update={name: 1}))


def test_without_limits_nothing_is_ever_spent() -> None:
    assert not is_spent(budget_left(BudgetConfig(), None, summary(), None))
