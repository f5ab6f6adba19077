"""Gates put to runs whose truth is known: how often they pass what should not, and fail what should not."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from tests.support.gates import ELSEWHERE, check, gated, side

GATES, ALPHA = 200, 0.05
MOST = int(binom.ppf(0.999, GATES, ALPHA))
"""More false verdicts than that in 200 gates come of a chance of α only once in a thousand times."""
IFEVAL = Path(__file__).parents[3].parent / "shared" / "data" / "ifeval_17models.jsonl.gz"

Draw = Callable[[np.random.Generator], tuple[list[float], list[float]]]


def verdicts(draw: Draw, margin: float = 0.05) -> dict[str, int]:
    """Verdicts of 200 gates of right answers alone."""
    rng = np.random.default_rng(0)
    found = dict.fromkeys(("pass", "fail", "inconclusive"), 0)
    for _ in range(GATES):
        before, after = draw(rng)
        found[gated(side("old", before), side("new", after), alpha=ALPHA, accuracy={"margin": margin}).verdict] += 1
    return found


def answers(rng: np.random.Generator, chances: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[float]:
    return [float(one) for one in rng.random(len(chances)) < chances]


def easy_and_hard(n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Most samples are always right, some never, a sixth is a matter of chance."""
    return np.array([(1.0, 1.0, 1.0, 0.6, 0.0, 1.0)[place % 6] for place in range(n)])


def test_identical_models_are_failed_less_often_than_alpha() -> None:
    chances = easy_and_hard(120)

    found = verdicts(lambda rng: (answers(rng, chances), answers(rng, chances)))

    assert found["fail"] <= MOST
    assert found["pass"] > 0  # it is no gate that never opens


def test_an_identical_run_of_few_samples_does_not_pass_by_accident() -> None:
    chances = np.ones(40)

    found = verdicts(lambda rng: (answers(rng, chances), answers(rng, chances)))

    assert found == {"pass": 0, "fail": 0, "inconclusive": GATES}  # 59 without a loss show less than 5 points


def test_a_loss_of_the_margin_passes_less_often_than_alpha() -> None:
    def draw(rng: np.random.Generator) -> tuple[list[float], list[float]]:
        before = answers(rng, np.full(200, 0.9))
        kept = rng.random(200) >= 0.05 / 0.9  # 5 points of all are lost
        return before, [one * float(keep) for one, keep in zip(before, kept, strict=True)]

    found = verdicts(draw)

    assert found["pass"] <= MOST


def test_a_loss_of_five_points_fails_at_a_margin_of_one() -> None:
    def draw(rng: np.random.Generator) -> tuple[list[float], list[float]]:
        before = answers(rng, np.full(300, 0.9))
        kept = rng.random(300) >= 0.05 / 0.9
        return before, [one * float(keep) for one, keep in zip(before, kept, strict=True)]

    found = verdicts(draw, margin=0.01)

    assert found["pass"] == 0
    assert found["fail"] > 0.6 * GATES


def test_sessions_that_fail_whole_do_not_pass_more_often_than_alpha() -> None:
    rng = np.random.default_rng(1)
    labels = [str(place // 10) for place in range(150)]
    passed = 0
    for _ in range(GATES):
        lost = np.repeat(rng.random(15) < 0.05, 10)
        after = [1.0 - float(one) for one in lost]
        found = gated(side("old", [1.0] * 150, sessions=labels), side("new", after, sessions=labels), alpha=ALPHA)
        passed += found.verdict == "pass"

    assert passed <= MOST


def timed(rng: np.random.Generator, slower: float) -> str:
    """The status of the whole reply's time: 80 pairs whose times differ by 14 %, the candidate slower on average."""
    usual = rng.lognormal(0.0, 0.6, 80)
    before, after = (usual * rng.lognormal(0.0, 0.1, 80) for _ in range(2))
    base = side("old", [1.0] * 80, seconds=before.tolist(), job="one")
    new = side("new", [1.0] * 80, seconds=(after * slower).tolist(), job="one")
    return check(gated(base, new, e2e={"ratio": 1.05}), "e2e").status


def test_times_of_identical_models_are_failed_less_often_than_alpha() -> None:
    rng = np.random.default_rng(2)

    found = [timed(rng, 1.0) for _ in range(GATES)]

    assert found.count("fail") <= MOST
    assert found.count("pass") > 0.5 * GATES


def test_a_slow_down_of_the_limit_passes_less_often_than_alpha() -> None:
    rng = np.random.default_rng(3)

    found = [timed(rng, 1.05) for _ in range(GATES)]

    assert found.count("pass") <= MOST


def test_a_slow_down_of_ten_per_cent_fails_at_a_limit_of_five() -> None:
    rng = np.random.default_rng(4)

    found = [timed(rng, 1.10) for _ in range(GATES)]

    assert found.count("fail") > 0.6 * GATES
    assert found.count("pass") == 0


def test_a_neighbour_that_slows_both_down_in_turn_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    usual, busy = rng.lognormal(0.0, 0.6, 80), np.where(np.arange(80) % 50 < 25, 3.0, 1.0)
    before, after = ((usual * busy * rng.lognormal(0.0, 0.1, 80)).tolist() for _ in range(2))

    found = gated(side("old", [1.0] * 80, seconds=before, job="one"), side("new", [1.0] * 80, seconds=after, job="one"))

    assert check(found, "e2e").status == "pass"


def test_times_of_another_machine_are_not_judged_however_slow() -> None:
    found = gated(
        side("old", [1.0] * 80, seconds=[1.0] * 80), side("new", [1.0] * 80, seconds=[3.0] * 80, machine=ELSEWHERE)
    )

    assert check(found, "e2e").status == check(found, "ttft").status == "not_judged"


@pytest.mark.shared
@pytest.mark.skipif(not IFEVAL.is_file(), reason="needs ../shared/data")
def test_a_model_drawn_twice_from_recorded_verdicts_is_failed_less_often_than_alpha() -> None:
    with gzip.open(IFEVAL, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chances = np.array([np.mean([float(one["ok"]) for one in row["responses"].values()]) for row in rows[:100]])

    found = verdicts(lambda rng: (answers(rng, chances), answers(rng, chances)))

    assert found["fail"] <= MOST
