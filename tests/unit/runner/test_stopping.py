"""The rule of `run.stop`: what is asked next, what is certain, and that the order of arrival decides nothing."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from harness.config import VerdictConfig
from harness.errors import ConfigError
from harness.records import Attempt, Failure, Reply, Sample, Score, TextTarget, Timing
from harness.runner.identity import config_hash
from harness.runner.job import execute
from harness.runner.stopping import Stopping
from harness.runner.stopping_against import facing
from harness.runner.stopping_book import Seat, Spent
from harness.runner.stopping_plan import strata
from tests.support.echo_job import echo_job

TARGET = TextTarget(match="exact", accepted=("yes",))


def sample(name: str, category: str = "c", session: str | None = None, weight: float = 1.0) -> Sample:
    return Sample(id=name, category=category, session=session, weight=weight, messages=(), target=TARGET, scorer="text")


def attempt(one: Sample, usd: float | None = None, failure: Failure | None = None) -> Attempt:
    return Attempt(
        sample=one.id, model="m", protocol="native", backend="b", timing=Timing(at=0.0, end_ns=10**9), cost_usd=usd,
        reply=None if failure else Reply(content="yes"), failure=failure,
    )  # fmt: skip


def score(one: Sample, value: float | None) -> Score:
    return Score(sample=one.id, category=one.category, scorer="text", value=value)


class Table:
    """Seats at the rule, and answers by a function of seat and sample."""

    def __init__(
        self, samples: list[Sample], worth: Callable[[str, Sample], float], *names: str,
        settings: VerdictConfig | None = None, usd: dict[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.worth, self.usd = worth, usd or {}
        self.seats = {name: Seat(name, 1) for name in names}
        baseline, *candidates = self.seats.values()
        settings = settings or VerdictConfig()
        self.rule = Stopping(baseline, candidates, strata(samples, settings.by, 0), settings)
        self.asked: Counter[tuple[str, str]] = Counter()

    def answer(self, seat: Seat, one: Sample) -> None:
        self.rule.hear(seat, one, attempt(one, self.usd.get(seat.name)), score(one, self.worth(seat.name, one)))

    def run(self, at_once: int = 1, rng: Random | None = None) -> None:
        """Answers come back in order, or in any order of those that are on their way."""
        waiting: list[tuple[Seat, Sample]] = []
        for seat, one, _ in self.rule.work(list(self.seats.values())):
            self.asked[seat.name, one.category] += 1
            waiting.append((seat, one))
            if len(waiting) >= at_once:
                self.answer(*waiting.pop(rng.randrange(len(waiting)) if rng else 0))
        for seat, one in waiting:
            self.answer(seat, one)

    def verdicts(self) -> dict[tuple[str, str], str]:
        return {(one.contest.first.name, one.contest.stratum.name): one.verdict for one in self.rule.duels}


def plain(count: int = 200, category: str = "c", **more: float) -> list[Sample]:
    return [sample(f"{category}{n}", category, **more) for n in range(count)]  # type: ignore[arg-type]  # weight alone


def share_of(shares: dict[str, float]) -> Callable[[str, Sample], float]:
    """Right in so many of the samples, each model by a draw of its own."""
    return lambda name, one: float(Random(f"{name} {one.id}").random() < shares[name])


def test_a_better_candidate_passes_and_a_worse_one_fails_before_all_is_asked() -> None:
    table = Table(plain(), share_of({"base": 0.7, "better": 0.95, "worse": 0.3}), "base", "better", "worse",
                  settings=VerdictConfig(eliminate=False))  # fmt: skip

    table.run()

    assert table.verdicts() == {("better", "c"): "pass", ("worse", "c"): "fail"}
    assert table.rule.settled
    assert max(table.asked.values()) < 100


def test_what_is_decided_is_asked_no_more_while_others_go_on() -> None:
    table = Table(plain(), share_of({"base": 0.7, "alike": 0.7, "worse": 0.1}), "base", "alike", "worse",
                  settings=VerdictConfig(eliminate=False))  # fmt: skip

    table.run()

    assert table.verdicts() == {("alike", "c"): "need_more", ("worse", "c"): "fail"}
    assert table.asked["worse", "c"] < 60
    assert table.asked["alike", "c"] == table.asked["base", "c"] == 200
    assert table.rule.settled


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_the_verdict_hangs_on_no_order_of_arrival(at_once: int) -> None:
    shares = {"base": 0.6, "better": 0.9}
    table, calm = (Table(plain(), share_of(shares), "base", "better") for _ in range(2))

    table.run(at_once, Random(at_once))
    calm.run()

    (shuffled,), (ordered,) = table.rule.duels, calm.rule.duels
    assert shuffled.verdict == ordered.verdict == "pass"
    assert shuffled.decided_at == ordered.decided_at


def test_a_unit_waits_for_those_before_it() -> None:
    table = Table(plain(20), share_of({"base": 1.0, "other": 1.0}), "base", "other")
    order = [unit[0] for unit in table.rule.strata[0].units]

    for one in order[1:]:
        for seat in table.seats.values():
            table.answer(seat, one)
    before = table.rule.duels[0].test.n_pairs
    for seat in table.seats.values():
        table.answer(seat, order[0])

    assert before == 0
    assert table.rule.duels[0].test.n_pairs == 20


def test_a_lost_attempt_is_no_pair_and_holds_nothing_up() -> None:
    table = Table(plain(3), share_of({"base": 1.0, "other": 1.0}), "base", "other")
    lost = Failure(boundary="infrastructure", kind="timeout", message="late")
    first, *rest = (unit[0] for unit in table.rule.strata[0].units)

    table.rule.hear(table.seats["base"], first, attempt(first, failure=lost), score(first, None))
    table.answer(table.seats["other"], first)
    for one in rest:
        for seat in table.seats.values():
            table.answer(seat, one)

    assert table.rule.duels[0].test.n_pairs == 2


def test_a_session_is_one_unit_that_counts_when_it_is_whole() -> None:
    samples = [sample(f"{n}-{k}", session=f"s{n}") for n in range(10) for k in range(4)]
    table = Table(samples, share_of({"base": 1.0, "other": 1.0}), "base", "other")
    unit = table.rule.strata[0].units[0]

    for one in unit[:-1]:
        for seat in table.seats.values():
            table.answer(seat, one)
    before = table.rule.duels[0].contest.looks
    for seat in table.seats.values():
        table.answer(seat, unit[-1])

    assert {len(one) for one in table.rule.strata[0].units} == {4}
    assert (before, table.rule.duels[0].contest.looks) == (0, 1)


def test_the_samples_of_a_session_are_asked_one_after_the_other() -> None:
    samples = [sample(f"{n}-{k}", session=f"s{n}") for k in range(3) for n in range(5)]
    table = Table(samples, share_of({"base": 1.0, "other": 1.0}), "base", "other")

    asked = [one.session for seat, one, _ in table.rule.work([table.seats["other"]])]

    assert asked == [session for session in dict.fromkeys(asked) for _ in range(3)]


def test_a_dominated_model_is_dropped_and_says_by_whom() -> None:
    table = Table(plain(), share_of({"base": 0.5, "best": 0.97, "alike": 0.5}), "base", "best", "alike",
                  usd={"best": 0.001, "alike": 0.001, "base": 0.01})  # fmt: skip

    table.run()

    duel = table.rule.duels[1]
    assert table.verdicts() == {("best", "c"): "pass", ("alike", "c"): "dominated"}
    assert duel.dominated_by == "best"
    assert table.asked["alike", "c"] < 100


def test_a_better_model_that_costs_more_drops_nobody() -> None:
    table = Table(plain(), share_of({"base": 0.5, "best": 0.97, "alike": 0.5}), "base", "best", "alike",
                  usd={"best": 0.002, "alike": 0.001, "base": 0.01})  # fmt: skip

    table.run()

    assert table.verdicts()["alike", "c"] != "dominated"


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (Spent(n=2, usd=2.0, n_priced=2, seconds=9), Spent(n=1, usd=1.0, n_priced=1, seconds=1), True),
        (Spent(n=2, usd=3.0, n_priced=2), Spent(n=1, usd=1.0, n_priced=1), False),
        (Spent(n=2, seconds=2.0), Spent(n=1, seconds=2.0), True),
        (Spent(n=2, seconds=2.0), Spent(n=1, usd=9.0, n_priced=1, seconds=9.0), False),
        (Spent(), Spent(n=1, seconds=2.0), False),
    ],
    ids=["same price", "dearer", "faster, no prices", "one price alone", "nothing asked"],
)
def test_what_costs_no_more(one: Spent, other: Spent, wanted: bool) -> None:
    assert one.costs_no_more(other) is wanted


def test_the_cluster_with_most_traffic_is_settled_first() -> None:
    samples = [*plain(150, "small", weight=1.0), *plain(150, "large", weight=9.0)]
    table = Table(samples, share_of({"base": 0.5, "better": 0.95}), "base", "better")
    left: list[str] = []

    for seat, one, _ in table.rule.work(list(table.seats.values())):
        left.append(one.category)
        table.answer(seat, one)
        if table.verdicts()["better", "large"] == "pass":
            break

    assert Counter(left)["small"] <= 2 * 4 < Counter(left)["large"]


def test_a_cluster_that_cannot_be_settled_comes_last() -> None:
    samples = [*plain(100, "even", weight=2.0), *plain(100, "clear", weight=1.0)]
    worth = {("base", "even"): 0.5, ("other", "even"): 0.5, ("base", "clear"): 0.0, ("other", "clear"): 1.0}
    table = Table(samples, lambda name, one: float(Random(f"{name}{one.id}").random() < worth[name, one.category]),
                  "base", "other")  # fmt: skip
    order: list[str] = []

    for seat, one, _ in table.rule.work(list(table.seats.values())):
        order.append(one.category)
        table.answer(seat, one)

    assert table.verdicts()["other", "clear"] == "pass"
    last_clear = len(order) - 1 - order[::-1].index("clear")
    assert Counter(order[last_clear:])["even"] > 100


def test_many_clusters_and_models_at_the_margin_share_alpha() -> None:
    wrong = 0
    for run in range(40):
        samples = [one for k in range(4) for one in plain(60, f"{run} {k}")]
        table = Table(samples, share_of({"base": 0.80, "a": 0.75, "b": 0.75}), "base", "a", "b",
                      settings=VerdictConfig(eliminate=False))  # fmt: skip
        table.run()
        wrong += any(one != "need_more" for one in table.verdicts().values())

    assert wrong <= 8  # 2 × 5 % of 40, and what chance adds


def test_the_order_is_that_of_the_seed_and_not_of_the_suite() -> None:
    samples = plain(50)

    orders = [[unit[0].id for unit in strata(samples, "category", seed)[0].units] for seed in (0, 0, 1)]

    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != [one.id for one in samples]
    assert sorted(orders[0]) == sorted(one.id for one in samples)


def test_clusters_count_by_the_calls_they_stand_for() -> None:
    samples = [*plain(10, "a", weight=3.0), *plain(10, "b", weight=1.0)]

    own = {one.name: one.share for one in strata(samples, "category", 0)}
    told = {one.name: one.share for one in strata(samples, "category", 0, None, {"a": 10.0, "b": 90.0})}
    whole = [(one.name, one.share, one.n_samples) for one in strata(samples, "suite", 0, {"a1", "b2"})]

    assert own == {"a": 0.75, "b": 0.25}
    assert told == {"a": 0.1, "b": 0.9}
    assert whole == [("all", 1.0, 2)]


def test_a_job_without_the_rule_has_the_hash_it_always_had(tmp_path: Path) -> None:
    plan = echo_job("http://127.0.0.1:1/v1", tmp_path)

    assert facing([plan]) == [plan]
    assert config_hash(facing([plan])[0]) == config_hash(plan)


def test_the_rule_without_a_baseline_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a baseline, which do=run finds"):
        execute([echo_job("http://127.0.0.1:1/v1", tmp_path, stop="verdict")])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stop": "verdict"}, "needs a baseline"),
        ({"against": "results/run/latest"}, "add run.stop=verdict"),
        ({"stop": "verdict", "against": "nowhere"}, "neither the folder of a run nor one of this command's models"),
        ({"stop": "verdict", "against": "test-model"}, "is the only model of this command"),
        ({"stop": "verdict", "against": "x", "order": "prefix"}, "wants another"),
        ({"stop": "verdict", "against": "x", "recheck": "constrained"}, "is for a whole run"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(settings: dict[str, object], said: str, tmp_path: Path) -> None:
    plan = echo_job("http://127.0.0.1:1/v1", tmp_path, **settings)

    with pytest.raises(ConfigError, match=said) as caught:
        facing([plan])

    assert "\n" not in str(caught.value)
