"""What part of the traffic can move, and how sure that is."""

from dataclasses import replace

import pytest

from harness.records.decision import Selection, Share
from harness.select.lane import Lane
from tests.support.lanes import lane, questions, selected


def share(found: Selection, unit: str) -> Share:
    return next(one for one in found.shares if one.unit == unit)


def test_shares_are_by_traffic_and_never_of_width_zero() -> None:
    asked = [*questions(300, "a", weight=3.0), *questions(300, "b")]
    slm = lane("slm", asked, range(300, 600), cost=0.1)

    found = selected(lane("llm", asked, cost=1.0), [slm], asked)

    calls = share(found, "calls")
    assert (calls.replace, calls.not_refuted) == (0.75, 0.75)
    assert calls.interval is not None
    assert calls.interval.low < 0.75 < calls.interval.high
    assert share(found, "usd").saved == pytest.approx(0.75 * 0.9)


def test_everything_moving_still_has_an_interval() -> None:
    asked = questions(300)

    found = selected(lane("llm", asked), [lane("slm", asked, cost=0.1)], asked)

    interval = share(found, "calls").interval
    assert interval is not None
    assert interval.high == 1.0
    assert 0.95 < interval.low < 1.0


def test_a_hybrid_counts_for_the_calls_that_it_answers() -> None:
    asked = questions(300)
    slm = lane("slm", asked, range(60), cost=0.1, signals=dict.fromkeys(range(60), "schema"))

    calls = share(selected(lane("llm", asked), [slm], asked), "calls")

    assert (calls.replace, calls.not_refuted) == (0.0, 1.0)
    assert calls.with_hybrid == pytest.approx(0.8)


def test_what_was_not_measured_has_no_share() -> None:
    asked = questions(100)

    found = selected(lane("llm", asked, cost=None, seconds=None), [lane("slm", asked, cost=None)], asked)

    assert share(found, "usd").replace is None
    assert share(found, "seconds").interval is None
    assert share(found, "calls").replace is not None


def test_claims_stand_beside_what_was_measured() -> None:
    asked = questions(300)

    found = selected(lane("llm", asked, cost=1.0), [lane("slm", asked, cost=0.05)], asked)

    by_text = {one.text.split(":")[0]: one for one in found.claims}
    assert (by_text["MetaGPT"].low, by_text["MetaGPT"].measured) == (0.6, 1.0)
    assert found.claims[-1].measured == pytest.approx(20)
    assert (found.claims[-1].low, found.claims[-1].high) == (10, 30)


def test_a_variant_like_the_baseline_saves_nothing_whatever_samples_weigh() -> None:
    asked = [replace(one, weight=10.0 if place % 10 == 0 else 1.0) for place, one in enumerate(questions(600))]
    figures = [10.0 if place % 10 == 0 else 1.0 for place in range(600)]

    def priced(name: str) -> Lane:
        made = lane(name, asked)
        return Lane(
            made.variant,
            {
                id_: tuple(replace(one, cost_usd=figure, e2e_s=figure) for one in held)
                for figure, (id_, held) in zip(figures, made.answers.items(), strict=True)
            },
        )

    found = selected(priced("llm"), [priced("slm")], asked)

    assert share(found, "calls").replace == 1.0
    assert share(found, "usd").saved == pytest.approx(0.0)
    assert share(found, "seconds").saved == pytest.approx(0.0)


def test_what_is_spent_where_the_baseline_was_free_is_counted() -> None:
    asked = questions(400)
    made = lane("llm", asked)
    base = Lane(
        made.variant,
        {
            id_: tuple(replace(one, cost_usd=0.0 if place % 2 else 1.0) for one in held)
            for place, (id_, held) in enumerate(made.answers.items())
        },
    )

    found = selected(base, [lane("slm", asked, cost=0.1)], asked)

    assert share(found, "usd").saved == pytest.approx(1 - 0.1 / 0.5)
