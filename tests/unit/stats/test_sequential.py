"""Evidence at every look: what it says of pairs of known truth, exactly where that can be counted."""

from collections import Counter
from math import comb, exp, inf, log

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.sequential import STAKES, Evidence, certain, mean_sequence
from harness.stats.sequential_pairs import PairedSequence, sequential_verdict


def chance_of_ever(
    gained: float, lost: float, margin: float, looks: int, *, better: bool, alpha: float = 0.05
) -> float:
    """Chance that the capital reaches 1/alpha at any of the looks: counted over all ways of the two numbers.

    The capital depends on how many were gained and lost so far and not on their order, so that these are all states.
    """
    wins = np.array([1.0, 0.0, -1.0])
    gains = (wins + margin) / (1 - margin) if better else -(wins + margin) / (1 + margin)
    steps = np.log1p(np.outer(gains, STAKES))
    alive, crossed = np.zeros((looks + 1, looks + 1)), 0.0
    alive[0, 0] = 1.0
    b, c = np.arange(looks + 1)[:, None, None], np.arange(looks + 1)[None, :, None]
    for n in range(1, looks + 1):
        after = alive * (1 - gained - lost)
        after[1:] += alive[:-1] * gained
        after[:, 1:] += alive[:, :-1] * lost
        ties = np.maximum(n - b - c, 0)
        logs = b * steps[0] + ties * steps[1] + c * steps[2]
        over = np.exp(logs - log(1 / alpha)).mean(axis=2) >= 1
        crossed += float(after[over].sum())
        alive = np.where(over, 0.0, after)
    return crossed


@pytest.mark.parametrize(("gained", "lost"), [(0.0, 0.05), (0.05, 0.10), (0.20, 0.25), (0.45, 0.50)])
@pytest.mark.parametrize("better", [True, False], ids=["pass", "fail"])
def test_at_the_margin_a_wrong_verdict_at_any_of_many_looks_is_rarer_than_alpha(
    gained: float, lost: float, better: bool
) -> None:
    found = chance_of_ever(gained, lost, 0.05, 90, better=better)

    assert 0.0 < found <= 0.05


def test_away_from_the_margin_a_verdict_comes_and_is_right() -> None:
    better = chance_of_ever(0.30, 0.05, 0.05, 60, better=True)
    worse = chance_of_ever(0.05, 0.40, 0.05, 60, better=False)

    assert better > 0.9
    assert worse > 0.85


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("looks", [1, 7])
def test_the_capital_is_a_fair_game_where_the_mean_is_at_the_null(side: str, looks: int) -> None:
    share, expected = 0.3, 0.0

    for wins in range(looks + 1):
        test = Evidence(null=share, side=side)  # type: ignore[arg-type]  # parametrised words
        now = 0.0
        for place in range(looks):
            now = test.look(1.0 if place < wins else 0.0)
        expected += comb(looks, wins) * share**wins * (1 - share) ** (looks - wins) * exp(now)

    assert expected == pytest.approx(1.0, abs=1e-9)


def test_the_capital_does_not_hang_on_the_order_of_what_was_seen() -> None:
    first, second = PairedSequence(0.05, largest=2), PairedSequence(0.05, largest=2)
    units = [(1.0,), (0.0, -1.0), (0.0,), (0.5, 1.0), (-1.0,)]

    ends = [[test.better.look(sum(unit), len(unit)) for unit in order][-1]
            for test, order in ((first, units), (second, units[::-1]))]  # fmt: skip

    assert ends[0] == pytest.approx(ends[1], abs=1e-12)


def test_what_was_certain_once_stays_certain() -> None:
    test = Evidence(null=0.5, side="above")
    for _ in range(12):
        test.look(1.0)
    before = test.best

    for _ in range(30):
        test.look(0.0)

    assert test.best == before
    assert test.p < 0.05


def test_no_single_pair_ruins_a_capital() -> None:
    test = PairedSequence(0.05)
    test.look(-1.0)
    for _ in range(400):
        test.look(1.0)

    assert test.verdict().verdict == "pass"


def test_a_session_counts_once_for_itself_and_not_for_each_of_its_samples() -> None:
    pairs = [1.0] * 40
    alone = sequential_verdict(pairs, margin=0.05)
    together = sequential_verdict(pairs, margin=0.05, sessions=["one"] * 40)
    four = sequential_verdict(pairs, margin=0.05, sessions=[n // 10 for n in range(40)])

    assert alone.verdict == "pass"
    assert together.verdict == "need_more"
    assert (together.n_blocks, together.n_pairs) == (1, 40)
    assert alone.decided_at is not None
    assert alone.decided_at < four.n_pairs


def test_sessions_whose_samples_are_all_alike_do_not_pass_too_often_at_the_margin() -> None:
    rng, passed = np.random.default_rng(3), 0
    for run in range(200):
        sizes = rng.integers(1, 8, 60)
        worth = rng.choice([1.0, -1.0, 0.0], 60, p=[0.10, 0.15, 0.75])
        found = sequential_verdict(
            np.repeat(worth, sizes).tolist(), margin=0.05, sessions=np.repeat(np.arange(60), sizes).tolist(), seed=run
        )
        passed += found.verdict == "pass"

    assert passed <= 0.05 * 200


def test_a_drifting_suite_is_looked_at_in_an_order_that_hides_no_drift() -> None:
    """The candidate is 20 points better in the first half, 30 worse in the second: at the margin in all."""
    halves = [1.0] * 20 + [0.0] * 80 + [-1.0] * 30 + [0.0] * 70

    as_it_comes = sequential_verdict(halves, margin=0.05, seed=None)
    shuffled = [sequential_verdict(halves, margin=0.05, seed=seed).verdict for seed in range(100)]

    assert as_it_comes.verdict == "pass"
    assert shuffled.count("pass") <= 5


def test_an_interval_is_never_of_width_zero_and_holds_the_mean() -> None:
    for wins in (0, 1, 20, 39, 40):
        blocks = Counter({(1.0, 1): wins, (0.0, 1): 40 - wins})
        blocks = +blocks

        found = mean_sequence(blocks)

        assert found is not None
        assert 0.0 <= found.low <= wins / 40 <= found.high <= 1.0
        assert found.high - found.low > 0.05


def test_no_look_is_no_interval() -> None:
    assert mean_sequence(Counter()) is None


def test_the_interval_narrows_with_what_is_seen_and_widens_with_the_size_of_sessions() -> None:
    def width(times: int, largest: int) -> float:
        found = mean_sequence(Counter({(1.0, 1): times, (0.0, 1): times}), largest=largest)
        assert found is not None
        return found.high - found.low

    assert width(200, 1) < width(50, 1)
    assert width(50, 1) < width(50, 10)


def test_the_interval_misses_the_truth_at_any_of_many_looks_less_often_than_it_may() -> None:
    """A value is outside as soon as one of the two capitals against it reaches 2 / (1 − level)."""
    both = chance_of_ever(0.10, 0.15, 0.05, 60, better=True, alpha=0.025) + chance_of_ever(
        0.10, 0.15, 0.05, 60, better=False, alpha=0.025
    )

    assert both <= 0.05


def test_a_lower_end_of_the_interval_is_where_the_capital_is_just_not_enough() -> None:
    test = PairedSequence(0.05)
    for value in [1.0] * 6 + [0.0] * 40 + [-1.0] * 2:
        test.look(value)
    interval = test.verdict().interval
    assert interval is not None

    at_the_end = Evidence(null=interval.low, side="above", low=-1.0)
    reached = [at_the_end.look(value) for value in [1.0] * 6 + [0.0] * 40 + [-1.0] * 2][-1]

    assert reached == pytest.approx(log(2 / 0.05), abs=1e-6)


@pytest.mark.parametrize(
    ("best", "correction", "wanted"),
    [
        ([], "holm", []),
        ([3.0, 2.9], "holm", [False, False]),
        ([3.7, 3.0], "holm", [True, True]),
        ([3.0, 3.7], "bonferroni", [False, True]),
        ([3.0, 2.9], "none", [True, False]),
    ],
)
def test_several_verdicts_share_alpha(best: list[float], correction: str, wanted: list[bool]) -> None:
    assert certain(best, 0.05, correction) == wanted  # type: ignore[arg-type]  # parametrised words


def test_what_does_not_lean_to_either_side_has_no_end_in_sight() -> None:
    test = PairedSequence(0.05)
    for value in [0.0] * 19 + [-1.0]:
        test.look(value)

    assert test.better.to_go(3.0) == inf
    assert test.worse.to_go(3.0) == inf


def test_words_of_the_verdict_are_those_of_the_evidence() -> None:
    found = sequential_verdict([-1.0] * 30, margin=0.05)

    assert found.verdict == "fail"
    assert found.p_inferior <= 0.05
    assert found.p_noninferior == 1.0
    assert found.difference == -1.0
    assert found.decided_at == found.n_pairs < 30


@pytest.mark.parametrize("wrong", [lambda: PairedSequence(0.0), lambda: PairedSequence(0.05, alpha=0.6),
                                   lambda: PairedSequence(0.05).look(1.5), lambda: PairedSequence(0.05).look(0.0, 0.0),
                                   lambda: PairedSequence(0.05).look(),
                                   lambda: sequential_verdict([0.0], margin=0.05, sessions=[])])  # fmt: skip
def test_what_is_out_of_bounds_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(DataError):
        wrong()
