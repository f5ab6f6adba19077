"""Which pairs of many models are decided."""

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.paired import Pairs, mcnemar_p
from harness.stats.ranking import not_decided, rank

IFEVAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "ifeval_17models.jsonl.gz"


def of_counts(gained: int, lost: int, n: int) -> dict[str, dict[str, float]]:
    first = {str(i): float(i < gained or i >= gained + lost) for i in range(n)}
    second = {str(i): float(i >= gained) for i in range(n)}
    return {"one": first, "two": second}


def test_a_pair_is_decided_by_mcnemars_p() -> None:
    found = rank(of_counts(22, 5, 160))

    pair = found.pairs[0]
    assert (pair.better, pair.worse, pair.gained, pair.lost, pair.n) == ("one", "two", 22, 5, 160)
    assert pair.p == pytest.approx(mcnemar_p(Pairs(160, 22, 5)))
    assert found.decided == 1


def test_a_pair_that_is_not_decided_says_on_how_much_it_stands() -> None:
    found = rank(of_counts(20, 17, 160))

    assert not found.pairs[0].decided
    assert not_decided(found.pairs[0]).startswith(
        "one and two are not separated: 37 of 160 samples differ (20 for one,"
    )


def test_a_pair_that_is_decided_says_so() -> None:
    assert not_decided(rank(of_counts(22, 0, 160)).pairs[0]).startswith("one is better than two: 22 of 160")


def test_the_number_of_pairs_makes_each_harder_to_decide() -> None:
    rng = np.random.default_rng(1)
    values = {f"m{i}": {str(s): float(rng.random() < 0.4 + 0.06 * i) for s in range(100)} for i in range(6)}

    together, alone = rank(values), rank(values, method="none")

    assert len(together.pairs) == 15
    assert together.decided < alone.decided
    assert all(pair.p_adjusted >= pair.p for pair in together.pairs)


def test_samples_of_one_session_decide_less() -> None:
    values = of_counts(12, 0, 60)

    tied = rank(values, sessions={str(i): f"s{i // 6}" for i in range(60)})

    assert rank(values).decided == 1
    assert tied.decided == 0


def test_models_without_a_shared_sample_are_no_pair() -> None:
    found = rank({"a": {"x": 1.0}, "b": {"y": 1.0}})

    assert found.pairs == ()
    assert found.models == ("a", "b")


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(DataError, match="two models"):
        rank({"a": {"x": 1.0}})
    with pytest.raises(DataError, match="b has no value"):
        rank({"a": {"x": 1.0}, "b": {}})


@pytest.fixture(scope="module")
def ifeval() -> dict[str, dict[str, float]]:
    if not IFEVAL.is_file():
        pytest.skip("../shared/data/ifeval_17models.jsonl.gz is not there")
    found: dict[str, dict[str, float]] = {}
    with gzip.open(IFEVAL, "rt", encoding="utf-8") as lines:
        for line in lines:
            asked = json.loads(line)
            for model, reply in asked["responses"].items():
                found.setdefault(model, {})[str(asked["key"])] = float(reply["ok"])
    return found


@pytest.mark.shared
def test_all_pairs_of_seventeen_models_are_judged_in_seconds(ifeval: dict[str, dict[str, float]]) -> None:
    began = time.process_time()
    found = rank(ifeval)
    spent = time.process_time() - began

    assert len(found.pairs) == 136
    assert spent < 10
    assert 0 < found.decided < 136
    assert (found.models[0], round(found.means[0], 2)) == ("gpt-4o-2024-08-06", 0.84)
    close = [pair for pair in found.pairs if pair.difference < 0.01]
    assert close
    assert not any(pair.decided for pair in close)
    assert all(pair.decided for pair in found.pairs if pair.difference > 0.12)


@pytest.mark.shared
def test_what_a_fifth_of_the_prompts_decides_the_rest_does_not_contradict(
    ifeval: dict[str, dict[str, float]],
) -> None:
    keys = sorted(next(iter(ifeval.values())), key=int)
    part, rest = keys[::5], [key for i, key in enumerate(keys) if i % 5]

    found = rank({model: {key: held[key] for key in part} for model, held in ifeval.items()})

    means = {model: np.mean([held[key] for key in rest]) for model, held in ifeval.items()}
    decided = [pair for pair in found.pairs if pair.decided]
    assert len(decided) > 20
    assert all(means[pair.better] > means[pair.worse] for pair in decided)


def test_what_a_sample_counts_for_can_turn_an_order_round() -> None:
    values = {"one": {"x": 1.0, "y": 0.0, "z": 0.0}, "two": {"x": 0.0, "y": 1.0, "z": 1.0}}

    plain, weighted = rank(values), rank(values, weights={"x": 5.0})

    assert plain.models == ("two", "one")
    assert weighted.models == ("one", "two")
    assert weighted.means == pytest.approx((5 / 7, 2 / 7))
    assert weighted.pairs[0].difference == pytest.approx(3 / 7)


def test_scores_of_many_models_are_decided_where_draws_alone_could_not() -> None:
    rng = np.random.default_rng(3)
    values = {
        f"m{i:02d}": {
            str(s): float(np.clip(0.3 + 0.3 * (i == 0) + 0.2 * rng.standard_normal(), 0, 1)) for s in range(300)
        }
        for i in range(40)
    }

    found = rank(values)

    assert len(found.pairs) == 780  # the least p of 20,000 draws times 780 would be above 2 %, times 1,225 above 5 %
    best = [pair for pair in found.pairs if pair.better == "m00"]
    assert len(best) == 39
    assert all(pair.decided and pair.p < 1 / 20_001 for pair in best)


def test_draws_agree_with_the_exact_p_of_scores() -> None:
    rng = np.random.default_rng(5)
    apart = rng.integers(1, 9, 40) * rng.choice([-1, 1, 1], 40) / 8
    values = {
        "one": {str(i): max(0.0, d) for i, d in enumerate(apart)},
        "two": {str(i): max(0.0, -d) for i, d in enumerate(apart)},
    }

    exact = rank(values).pairs[0].p
    nudged = {
        name: {key: value * (1 + 1e-5 * int(key)) for key, value in held.items()} for name, held in values.items()
    }

    assert rank(nudged).pairs[0].p == pytest.approx(exact, abs=0.01)


def test_equal_models_are_decided_at_most_at_alpha() -> None:
    rng = np.random.default_rng(11)
    false = 0
    for _ in range(60):
        hard = rng.random(120)
        values = {
            f"m{i}": {str(s): float(0.5 * hard[s] + 0.5 * rng.random() < 0.5) for s in range(120)} for i in range(8)
        }
        false += rank(values, sessions={str(s): f"s{s // 3}" for s in range(120)}).decided > 0

    assert false <= 8  # binomial(60, 0.05) is above that once in 280 times
