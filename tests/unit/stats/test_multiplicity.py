"""Adjusted p values."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.multiplicity import adjusted, benjamini_hochberg, holm


def test_holm_steps_down_and_keeps_the_order_given() -> None:
    assert holm([0.01, 0.02, 0.03, 0.9]) == pytest.approx([0.04, 0.06, 0.06, 0.9])
    assert holm([0.9, 0.03, 0.02, 0.01]) == pytest.approx([0.9, 0.06, 0.06, 0.04])


def test_benjamini_and_hochberg_by_hand() -> None:
    assert benjamini_hochberg([0.01, 0.02, 0.03, 0.9]) == pytest.approx([0.04, 0.04, 0.04, 0.9])


@pytest.mark.parametrize("method", ["holm", "bh", "none"])
def test_no_adjustment_makes_p_smaller_or_turns_the_order(method: str) -> None:
    ps = np.random.default_rng(1).random(50).tolist()

    found = adjusted(ps, method)  # type: ignore[arg-type]  # each of the three is one of the literals

    assert all(after >= before for before, after in zip(ps, found, strict=True))
    order = np.argsort(ps)
    assert np.all(np.diff(np.array(found)[order]) >= 0)
    assert max(found) <= 1


def test_nothing_to_adjust_is_nothing() -> None:
    assert (holm([]), benjamini_hochberg([]), adjusted([], "none")) == ([], [], [])


def test_what_is_no_p_is_refused() -> None:
    for strange in ([1.2], [-0.1], [float("nan")]):
        with pytest.raises(DataError, match="0\\.\\.1"):
            holm(strange)
