"""The leaderboard's order, its table of all suites, and what the reader can choose."""

from dataclasses import replace

import pytest

from harness.records.summary import Interval, RecordedAnswers, TrafficSummary
from harness.report.choices import choices, column_choices
from harness.report.columns import COLUMNS, columns_for
from harness.report.facts import facets_of, hardware_of, licence_of, parameters_of, where_of
from harness.report.group import group_of, groups_of
from harness.report.headline import headline
from harness.report.leaderboard import build_leaderboard
from harness.report.matrix import all_traffic, matrix
from harness.report.ranks import places
from harness.report.rows import conditions, table_rows
from harness.report.view import RunView
from tests.support.report_families import code_run, instruct_run
from tests.support.report_runs import four_runs, made_run
from tests.unit.report.test_headline import with_values


def by_traffic(run: RunView, accuracy: float, low: float, high: float, calls: float = 100.0) -> RunView:
    """The run of a suite that stands for calls, each category for as many as any other."""
    interval = Interval(low=low, high=high, level=0.95, method="gaffke")
    found = TrafficSummary(accuracy=accuracy, interval=interval, covered_frac=1.0, calls=calls, effective_n=30.0)
    share = 1 / len(run.summary.by_category)
    shares = {name: one.model_copy(update={"traffic_frac": share}) for name, one in run.summary.by_category.items()}
    return replace(run, summary=run.summary.model_copy(update={"traffic": found, "by_category": shares}))


def configured(run: RunView, **model: object) -> RunView:
    """The run with these words in the configuration of its model."""
    asked = {**dict(run.manifest.config["model"]), **model}  # type: ignore[arg-type]
    return replace(run, manifest=run.manifest.model_copy(update={"config": {**run.manifest.config, "model": asked}}))


def test_pairs_decide_an_order_that_overlapping_intervals_leave_open() -> None:
    one = with_values(made_run("a", "A"), [1.0] * 20 + [0.0] * 20)
    two = with_values(made_run("b", "B"), [1.0] * 10 + [0.0] * 30)
    first, second = one.summary.accuracy_interval, two.summary.accuracy_interval

    found = places([one, two])

    assert first is not None
    assert second is not None
    assert first.low < second.high
    assert [place.text for place in found if place] == ["1", "2"]
    assert [place.pairs for place in found if place] == [1, 1]


def test_runs_without_lines_are_ranked_by_their_intervals() -> None:
    one = with_values(made_run("a", "A"), [1.0] * 20 + [0.0] * 20)
    bare = replace(with_values(made_run("b", "B"), [1.0] * 10 + [0.0] * 30), scores=())

    found = places([one, bare])

    assert [(place.text, place.rivals, place.pairs) for place in found if place] == [("1–2", (1,), 0), ("1–2", (0,), 0)]


def test_a_tie_names_whom_it_is_with_and_how_that_was_judged() -> None:
    runs = [with_values(made_run(name, name), [1.0] * (20 - n) + [0.0] * (20 + n)) for n, name in enumerate("abc")]

    rows = table_rows(group := group_of(runs), columns_for(group))

    assert {row.rank.text for row in rows if row.rank} == {"1–3"}
    assert rows[0].rank_note.startswith("Not decided against b, prompted; c, prompted: sample by sample, 3 pairs")


def test_fifty_like_models_are_one_tie() -> None:
    runs = [
        with_values(made_run(f"m{n}", f"M{n}"), [float((s * 7 + n) % 3 == 0) for s in range(39)]) for n in range(50)
    ]

    found = places(runs)

    assert {place.text for place in found if place} == {"1–50"}


def test_a_suite_that_stands_for_traffic_is_ordered_and_headed_by_it() -> None:
    many = by_traffic(with_values(made_run("a", "A"), [1.0] * 20 + [0.0] * 19), 0.3, 0.2, 0.45)
    few = by_traffic(with_values(made_run("b", "B"), [1.0] * 15 + [0.0] * 24), 0.6, 0.4, 0.75)

    group = groups_of([many, few])[0]
    found = headline(group)

    assert [run.title for run in group.ranked] == ["B", "A"]
    assert "B, prompted: 60\u202f% by traffic, exact on 15 of 39 calls" in found.title
    assert found.findings[0].startswith("60\u202f% accuracy by traffic, 95 % interval 40–75\u202f%")
    assert 'data-key="traffic" data-group="Quality" data-numeric data-high aria-sort="descending"' in build_leaderboard(
        [many, few]
    )


def test_a_suite_in_which_one_run_knows_no_traffic_is_ordered_by_samples() -> None:
    many = with_values(made_run("a", "A"), [1.0] * 20 + [0.0] * 19)
    few = by_traffic(with_values(made_run("b", "B"), [1.0] * 15 + [0.0] * 24), 0.6, 0.4, 0.75)

    assert [run.title for run in groups_of([many, few])[0].ranked] == ["A", "B"]


def test_each_sample_counts_for_its_share_of_the_traffic() -> None:
    run = by_traffic(made_run(n=26), 0.5, 0.4, 0.6, calls=1300.0)
    heavy = run.samples[0].model_copy(update={"weight": 3.0})
    run = replace(run, samples=(heavy, *run.samples[1:]))

    found = run.traffic_weights()

    same = [sample.id for sample in run.samples if sample.category == heavy.category]
    assert [found[name] for name in same] == pytest.approx([75.0, 25.0])
    assert sum(found.values()) == pytest.approx(1300.0)


def test_the_matrix_has_a_row_for_each_set_up_and_a_column_for_each_suite() -> None:
    found = matrix(groups_of([code_run(), code_run("gemma3_270m"), instruct_run(), *four_runs()]))

    assert found is not None
    assert len(found.suites) == 3
    names = {row.name: [cell.value is not None for cell in row.cells] for row in found.rows}
    assert sum(map(len, names.values())) == 3 * len(found.rows)
    assert names["SmolLM2-135M-Instruct, constrained"].count(True) == 1
    assert not found.overall


def test_one_suite_needs_no_matrix() -> None:
    assert matrix(groups_of(four_runs())) is None
    assert 'id="matrix"' not in build_leaderboard(four_runs())


def test_all_traffic_weighs_suites_by_their_calls() -> None:
    small = by_traffic(made_run(), 0.9, 0.8, 0.95, calls=100.0)
    large = by_traffic(made_run(suite_hash="ab" * 32), 0.5, 0.4, 0.6, calls=300.0)
    only = by_traffic(made_run("b", "B"), 0.7, 0.6, 0.8, calls=100.0)

    found = matrix(groups_of([small, large, only]))

    assert found is not None
    both, half = found.rows
    assert both.overall is not None
    assert both.overall.value == pytest.approx(0.6)
    assert half.overall is not None
    assert half.overall.value is None
    assert half.overall.note == "run on 1 of the 2 suites that stand for traffic"


def test_the_interval_over_all_traffic_is_narrower_than_its_widest_part() -> None:
    parts = [
        by_traffic(made_run(), 0.5, 0.4, 0.6).summary.traffic,
        by_traffic(made_run(), 0.7, 0.6, 0.8).summary.traffic,
    ]

    value, interval = all_traffic([one for one in parts if one])

    assert value == pytest.approx(0.6)
    assert (interval.low, interval.high) == pytest.approx((0.6 - 0.1 / 2**0.5, 0.6 + 0.1 / 2**0.5))


def test_where_size_licence_and_hardware_of_a_run_are_told() -> None:
    local = made_run()
    hosted = configured(local, hosted=True, licence="unknown")
    answers = RecordedAnswers(n=40, of=40, models=("gpt",))
    recorded = replace(local, summary=local.summary.model_copy(update={"recorded": answers}))

    assert (where_of(local), where_of(hosted), where_of(recorded)) == ("local", "hosted", "on record")
    assert parameters_of(local) == 134_515_008
    assert (licence_of(local), licence_of(hosted)) == ("Apache-2.0", None)
    assert hardware_of(local) == "Example CPU 2.1 GHz, 2 cores, 8.00\u202fGiB"
    assert hardware_of(hosted) is None


def test_size_is_the_configuration_s_where_the_weights_are_not_seen() -> None:
    run = configured(made_run(), parameters=8_030_000_000)
    facts = run.manifest.backend
    assert facts is not None
    run = replace(run, manifest=run.manifest.model_copy(update={"backend": facts.model_copy(update={"weights": None})}))

    assert facets_of(run).size == "8030000000"


def test_only_fields_that_tell_runs_apart_are_offered() -> None:
    alike = choices(groups_of(four_runs()))
    apart = choices(groups_of([made_run(), configured(made_run("b", "B"), hosted=True, licence="MIT")]))

    assert alike == ()
    assert {one.facet for one in apart} == {"where", "licence", "hardware"}
    assert next(one for one in apart if one.facet == "licence").options == (("Apache-2.0",) * 2, ("MIT",) * 2)


def test_sizes_are_bounds_that_part_the_models() -> None:
    def sized(name: str, count: int) -> RunView:
        run = configured(made_run(name, name), parameters=count)
        facts = run.manifest.backend
        assert facts is not None
        backend = facts.model_copy(update={"weights": None})
        return replace(run, manifest=run.manifest.model_copy(update={"backend": backend}))

    found = choices(groups_of([sized("a", 135_000_000), sized("b", 1_700_000_000), sized("c", 3_800_000_000)]))

    size = next(one for one in found if one.facet == "size")
    assert [words for _, words in size.options] == ["up to 500\u202fM", "up to 1.00\u202fB", "up to 2.00\u202fB"]


def test_column_that_suites_name_differently_is_offered_in_general_words() -> None:
    groups = groups_of([code_run(), instruct_run()])

    offered = {
        column.key: column.title
        for _, own in column_choices([columns_for(group) for group in groups])
        for column in own
    }

    assert "model" not in offered
    assert offered["cost"] == "1k attempts"


def test_no_column_of_the_issue_is_missing() -> None:
    keys = {column.key for column in COLUMNS}

    assert keys >= {
        "accuracy", "traffic", "well_formed", "abstention", "ttft_p50", "ttft_p95", "tpot", "tpot_p95", "e2e_p50",
        "e2e_p95", "tokens", "cost", "success_cost", "memory", "licence", "parameters", "quantization", "hardware",
        "engine", "where",
    }  # fmt: skip


def test_conditions_that_show_without_opening_a_row_are_complete() -> None:
    run = configured(made_run(), name="smollm2")
    run = replace(
        run, manifest=run.manifest.model_copy(update={"config": {**run.manifest.config, "run": {"concurrency": 4}}})
    )

    rows = table_rows(group := group_of([run]), columns_for(group))

    told = rows[0].short_conditions
    for words in ("Engine: llamacpp b7012", "Context and slots: 8,192 tokens", "Load: 4 at once", "commit 0123456789ab",
                  "Hardware: Example CPU", "Weights: smollm2.gguf", "Started: 2026-03-02"):  # fmt: skip
        assert words in told
    assert dict(conditions(run))["Quantization"] == "Q4_1"
