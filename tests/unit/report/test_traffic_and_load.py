"""The accuracy by traffic, what does not fit, and the page of a load replay."""

from dataclasses import replace

from harness.load.judge import point_of, sentence
from harness.records import ReplayReference, ReplayTarget
from harness.records.load import LoadBook, LoadTraffic
from harness.records.summary import DecisionTable, Interval, OverflowSummary, TrafficSummary
from harness.report.leaderboard import build_leaderboard
from harness.report.load import build_page
from harness.report.table import markdown_page, markdown_table
from harness.report.view import RunView
from tests.support.report_runs import made_run
from tests.unit.load.test_load_judge import GOAL, queue

WIDE = Interval(low=0.3, high=0.6, level=0.95, method="gaffke")


def weighted(**more: object) -> RunView:
    """A run of a suite that stands for traffic."""
    run = made_run()
    traffic = TrafficSummary(accuracy=0.45, interval=WIDE, covered_frac=0.8, calls=900.0, effective_n=31.0)
    shares = {name: one.model_copy(update={"traffic_frac": 0.25}) for name, one in run.summary.by_category.items()}
    update = {"traffic": traffic, "by_category": shares, **more}
    return replace(run, summary=run.summary.model_copy(update=update))


def test_the_table_has_the_accuracy_by_traffic_and_says_what_it_covers() -> None:
    table = markdown_table([weighted().summary])

    assert "| by traffic |" in table
    assert "45.0% (30.0% … 60.0%) *" in table
    assert "by traffic of the clusters with a scored sample, 80.0% of it." in table


def test_a_suite_without_traffic_has_no_such_column() -> None:
    assert "by traffic" not in markdown_page(made_run().summary)
    assert "By traffic" not in build_leaderboard([made_run()])


def test_each_category_tells_its_share_of_the_traffic() -> None:
    assert "share of traffic" in markdown_page(weighted().summary)
    assert "of the traffic</small>" in build_leaderboard([weighted()])


def test_replayed_steps_have_their_table_of_calling_or_not() -> None:
    run = made_run()
    target = ReplayTarget(references=(ReplayReference(text="yes"),), text="decision")
    steps = tuple(sample.model_copy(update={"target": target}) for sample in run.samples)
    table = DecisionTable(
        should_call_called=1201, should_call_silent=32, should_abstain_called=43, should_abstain_silent=54
    )
    replayed = replace(run, samples=steps, summary=run.summary.model_copy(update={"decisions": table}))

    page = " ".join(build_leaderboard([replayed]).split())

    assert "<td><b>1,201</b></td><td>32</td><td>43</td><td><b>54</b></td>" in page
    assert "On record: words" not in build_leaderboard([run])


def test_what_does_not_fit_stands_at_the_head_of_the_page_and_under_the_table() -> None:
    over = OverflowSummary(n=3, of=12, traffic_frac=0.1, text_frac=0.5, context_tokens=8192)

    run = weighted(overflow=over)

    told = "3 of 12 calls (25.0%; 10.0% of the traffic, 50.0% of the text) do not fit into the context of 8,192 tokens"
    assert told in markdown_table([run.summary])
    assert told in build_leaderboard([run]).partition("<main")[0]


def book(model: str = "small") -> LoadBook:
    points = (point_of(queue(0.5), GOAL), point_of(queue(1.3, speed=2.0), GOAL))
    run = made_run()
    backend = run.manifest.backend
    assert backend is not None
    return LoadBook(
        run="it", suite="support", suite_hash="0" * 64, model=model, model_title=model, protocol="native",
        quantization=None, backend=backend, machine=run.manifest.machine, started_at="2026-11-21T00:00:00+00:00",
        goal=GOAL, points=points, not_played=(4.0,), holds_up_to=1.0, overloaded_from=2.0,
        verdict=sentence(points, GOAL), conditions=("A <b>condition</b>.",), harness="0",
        traffic=LoadTraffic(
            arrivals=9, calls=10.0, whole=True, first=0.0, last=3600.0, per_s=0.1, busiest_minute=4.0,
            kept_sessions=False,
        ),
    )  # fmt: skip


def test_the_page_of_a_load_has_verdicts_pictures_and_what_was_not_played() -> None:
    page = build_page(book())

    assert "Holds the traffic up to 1 × today" in page
    assert page.count("<svg") >= 6
    assert "not played: a lower speed is overloaded" in page
    assert "nan" not in page.lower().replace("nanum", "")


def test_the_page_of_a_load_runs_nothing_of_what_it_is_told() -> None:
    page = build_page(book("<script>alert(1)</script>"))

    assert "<script" not in page
    assert "A &lt;b&gt;condition&lt;/b&gt;." in page
