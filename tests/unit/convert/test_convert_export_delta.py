"""How much of the training is left in a file: what passes, what is said, what is refused, and with which words."""

from typing import Any

import pytest

from harness.convert.export.delta import delta_report
from harness.records.convert import DeltaReport


def report(*survived: float, type_: str = "Q8_0", base: str | None = "Q4_1") -> DeltaReport:
    tensors = [
        {"name": f"blk.{n}.attn_q.weight", "type": type_, "relative": 0.008, "survived": one}
        for n, one in enumerate(survived)
    ]
    mean = sum(survived) / len(survived)
    found: dict[str, Any] = {
        "tensors": tensors,
        "dot": 4.0 * mean,
        "change": 4.0,
        "base": 40_000.0,
        "same": 10,
        "count": 100,
    }
    return delta_report("x.gguf", type_, found, least=0.5, warn=0.85, base_type=base)


def test_a_file_that_keeps_all_of_it_passes() -> None:
    found = report(1.0, 0.99)

    assert found.verdict == "pass"
    assert found.survived == pytest.approx(0.995)
    assert found.relative == pytest.approx(0.01)
    assert found.unchanged == pytest.approx(0.1)


def test_the_grid_of_the_base_itself_is_refused_and_said_to_be_the_reason() -> None:
    found = report(0.07, 0.066, type_="Q4_1")

    assert found.verdict == "refuse"
    assert found.why.startswith("6.8% of what was learned is left in Q4_1, 50% must be")
    assert "the grid of Q4_1" in found.why


def test_another_type_with_too_little_left_is_refused_without_that_reason() -> None:
    found = report(0.3, type_="Q2_K")

    assert found.verdict == "refuse"
    assert "grid" not in found.why


def test_a_share_between_the_limits_is_said() -> None:
    assert report(0.7).verdict == "warn"


def test_one_tensor_that_lost_nearly_all_is_named_though_the_mean_is_high() -> None:
    found = report(*[0.95] * 20, 0.06, type_="Q4_K_M", base="F16")

    assert found.verdict == "warn"
    assert "6.0% in blk.20.attn_q.weight" in found.why


def test_a_training_that_changed_nothing_is_refused() -> None:
    found = delta_report("x.gguf", "Q8_0", {"tensors": [], "change": 0.0}, least=0.5, warn=0.85, base_type=None)

    assert (found.verdict, found.survived) == ("refuse", None)
