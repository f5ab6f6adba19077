"""From two runs and a policy to pass, fail or inconclusive, and what cannot be judged at all."""

import pytest

from harness.errors import BackendError, ConfigError, DataError
from harness.gate.side import Side
from harness.records.gate import Outcome
from tests.support.gates import check, gated, side

GOOD = [1.0] * 100


def worse(lost: int, n: int = 100) -> list[float]:
    return [0.0] * lost + [1.0] * (n - lost)


def test_a_run_without_a_loss_passes_from_59_samples_on() -> None:
    enough, few = (gated(side("old", [1.0] * n), side("new", [1.0] * n)) for n in (59, 58))

    assert (enough.verdict, enough.exit_code) == ("pass", 0)
    assert (few.verdict, few.exit_code) == ("inconclusive", 2)
    assert (check(few, "accuracy").more or 0) >= 1


def test_a_large_loss_fails_and_names_the_samples() -> None:
    found = gated(side("old", GOOD), side("new", worse(30)))

    assert (found.verdict, found.exit_code) == ("fail", 1)
    assert found.lost == tuple(sorted(f"q{place}" for place in range(30)))
    assert (check(found, "accuracy").lost, check(found, "accuracy").gained) == (30, 0)


@pytest.mark.parametrize(("policy", "code"), [("stop", 2), ("pass", 0), ("fail", 1)])
def test_the_policy_says_what_inconclusive_means(policy: str, code: int) -> None:
    found = gated(side("old", [1.0] * 20), side("new", [1.0] * 20), inconclusive=policy)

    assert (found.verdict, found.exit_code) == ("inconclusive", code)


def test_a_failure_of_the_tier_warning_does_not_decide() -> None:
    found = gated(side("old", GOOD, costs=[0.01] * 100), side("new", GOOD, costs=[0.02] * 100))

    assert check(found, "cost").status == "fail"
    assert check(found, "cost").estimate == pytest.approx(2.0)
    assert found.exit_code == 0


def test_a_blocking_check_that_nobody_measured_is_no_pass() -> None:
    found = gated(side("old", GOOD), side("new", GOOD), cost={"tier": "blocking"})

    assert check(found, "cost").status == "not_judged"
    assert found.verdict == "inconclusive"


def test_needless_calls_fail_by_their_own_limit() -> None:
    silent: dict[str, object] = {"wants_call": False}
    quiet = side("old", GOOD, outcome={**silent, "decision": 1.0})
    calls = side("new", GOOD, outcome={**silent, "decision": 0.0})

    found = gated(quiet, calls)

    assert check(found, "wrong_calls").status == "fail"
    assert check(found, "missed_calls").status == "no_samples"
    assert found.verdict == "fail"


def test_decisions_that_no_scorer_told_are_no_pass() -> None:
    untold: dict[str, object] = {"wants_call": False}

    found = gated(side("old", GOOD, outcome=untold), side("new", GOOD, outcome=untold))

    assert (check(found, "wrong_calls").status, check(found, "missed_calls").status) == ("not_judged", "no_samples")
    assert found.verdict == "inconclusive"


def test_relative_and_absolute_limits_are_checks_of_their_own() -> None:
    found = gated(
        side("old", worse(20, 300)), side("new", worse(20, 300)), accuracy={"margin": None, "keep": 0.9, "least": 0.99}
    )

    assert check(found, "accuracy", "keep").status == "pass"
    assert check(found, "accuracy", "least").status == "fail"
    assert check(found, "accuracy", "least").candidate == pytest.approx(280 / 300)


def test_a_fixed_limit_that_few_samples_leave_open_says_how_many_more() -> None:
    found = gated(side("old", [1.0] * 30), side("new", [1.0] * 30), accuracy={"margin": None, "least": 0.95})

    assert check(found, "accuracy").status == "inconclusive"
    assert (check(found, "accuracy").more or 0) >= 29  # 59 right ones show more than 95 %


def test_a_cluster_that_matters_fails_where_the_whole_does_not() -> None:
    def split(name: str, lost: int) -> Side:
        made = side(name, worse(lost, 400))
        outcomes = tuple(
            one.model_copy(update={"category": "refunds" if place < 40 else "rest"})
            for place, one in enumerate(made.outcomes)
        )
        return Side(made.run, outcomes)

    found = gated(split("old", 0), split("new", 10), clusters={"tier": "blocking", "names": ["refunds"]})

    assert check(found, "accuracy").status == "pass"
    assert check(found, "cluster refunds").status == "fail"
    assert found.verdict == "fail"


def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"gate\.clusters\.names: the suite has no refunds; it has a, or say all"):
        gated(side("old", GOOD), side("new", GOOD), clusters={"names": ["refunds"]})


def test_failing_is_corrected_over_the_checks_of_a_tier() -> None:
    one = gated(side("old", GOOD), side("new", worse(11)))
    several = gated(
        side("old", GOOD), side("new", worse(11)), clusters={"tier": "blocking", "names": "all", "margin": 0.5}
    )

    alone, among = (check(found, "accuracy") for found in (one, several))
    assert alone.p_failing is not None
    assert alone.p_failing_adjusted == pytest.approx(alone.p_failing)
    assert among.p_failing_adjusted == pytest.approx(2 * alone.p_failing)


def test_other_samples_are_bad_input_and_said() -> None:
    old, new = side("old", GOOD), side("new", [1.0] * 101, suite_hash="1" * 64)
    changed = tuple(one.model_copy(update={"digest": "f" * 16}) if one.sample == "q7" else one for one in new.outcomes)

    with pytest.raises(DataError, match=r"1 new \(q100\), 1 changed \(q7\) of 101\. Run the baseline's set-up"):
        gated(old, Side(new.run, changed))


def test_another_order_of_the_same_samples_is_judged_and_noted() -> None:
    new = side("new", GOOD, suite_hash="1" * 64)

    found = gated(side("old", GOOD), Side(new.run, new.outcomes[::-1]))

    assert found.verdict == "pass"
    assert found.notes == ("The samples are the baseline's, in another order.",)


def test_the_baseline_is_not_held_against_itself() -> None:
    with pytest.raises(DataError, match="is the baseline itself"):
        gated(side("old", GOOD), side("old", GOOD))


def test_a_run_that_lost_much_to_the_infrastructure_is_not_judged() -> None:
    with pytest.raises(BackendError, match=r"lost 3 of 100 attempts of the candidate new; a gate takes 2 %"):
        gated(side("old", GOOD), side("new", GOOD, n_failed=3))


def test_what_the_infrastructure_lost_is_in_no_check() -> None:
    found = gated(side("old", [1.0] * 100), side("new", [None, None, *[1.0] * 98], n_failed=2))

    assert check(found, "accuracy").n == 98
    assert found.notes == ("2 of 100 attempts of the candidate were lost to the infrastructure: they are in no check.",)


def test_a_run_without_a_readable_reply_fails_by_name() -> None:
    found = gated(side("old", [0.0] * 100), side("new", [0.0] * 100, unfit="no reply could be read"))

    assert check(found, "fit").why == "no reply could be read"
    assert found.verdict == "fail"


def test_what_was_set_differently_is_told() -> None:
    old = side("old", GOOD, config={"model": {"temperature": 0.0}, "suite": {"limit": 1}})
    new = side("new", GOOD, config={"model": {"temperature": 0.7}, "suite": {"limit": 2}})

    (one,) = gated(old, new).changed

    assert (one.key, one.baseline, one.candidate) == ("model.temperature", 0.0, 0.7)


def test_the_majority_of_trials_is_one_outcome() -> None:
    def thrice(name: str, values: tuple[float, float, float]) -> Side:
        made = side(name, GOOD)
        outcomes = [
            Outcome.model_validate(one.model_dump() | {"trial": trial, "value": value})
            for one in made.outcomes
            for trial, value in enumerate(values)
        ]
        return Side(made.run, tuple(outcomes))

    found = gated(thrice("old", (1.0, 1.0, 1.0)), thrice("new", (1.0, 0.0, 1.0)))

    assert check(found, "accuracy").n == 100
    assert found.verdict == "pass"
