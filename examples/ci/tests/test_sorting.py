"""The repository's own tests: its code, and what it needs of the model behind it."""

from collections.abc import Callable
from typing import Any

import pytest
from sorting import LABELS, label_of


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_read_however_it_is_written(label: str) -> None:
    assert label_of(f" {label.upper()}.\n") == label


def test_anything_else_goes_to_people() -> None:
    assert label_of("I would rather not say") == "other"


def test_two_in_three_messages_are_sorted_right(harness_run: Any) -> None:
    harness_run.accuracy.at_least(0.66)


@pytest.mark.parametrize("label", ["damaged", "invoice"])
def test_no_label_that_costs_money_is_mostly_wrong(harness_run: Any, label: str) -> None:
    harness_run.category(label).at_least(0.5)


def test_the_run_is_no_worse_than_what_was_agreed(harness_run: Any) -> None:
    harness_run.no_worse_than(margin=0.05)


def test_reading_a_label_does_not_flake(harness_trials: Callable[..., Any]) -> None:
    harness_trials(lambda: label_of("Refund.") == "refund", at_least=0.95)
