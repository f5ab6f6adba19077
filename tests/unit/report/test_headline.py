from harness.records import Protocol, Score
from harness.records.summary import Interval
from harness.report import RunView
from harness.report.group import group_of
from harness.report.headline import headline
from harness.report.pairs import pair_up
from harness.report.ranks import ranks
from tests.support.report_runs import made_run, wilson


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="Wilson")


def with_values(run: RunView, values: list[float]) -> RunView:
    """The run as if these were its values, samples that want a call first, and the rest were not scored."""
    wanted = sorted(run.samples, key=lambda sample: sample.tool_target.expect == "no_call")
    scores = [
        Score(sample=sample.id, category=sample.category, scorer="bfcl", value=value)
        for sample, value in zip(wanted, values, strict=False)
    ]
    mean = sum(values) / len(values)
    update = {"accuracy": mean, "accuracy_interval": wilson(sum(values), len(values)), "n_scored": len(values)}
    return RunView.of(run.manifest, run.summary.model_copy(update=update), run.samples, run.attempts, scores)


def test_intervals_apart_decide_each_place() -> None:
    places = ranks([interval(0.7, 0.8), interval(0.4, 0.6), interval(0.1, 0.3)])

    assert [place.text for place in places if place] == ["1", "2", "3"]


def test_overlap_makes_a_span_and_names_the_rivals() -> None:
    first, second, third = ranks([interval(0.5, 0.8), interval(0.4, 0.6), interval(0.1, 0.3)])

    assert first
    assert second
    assert third
    assert (first.text, first.rivals, first.decided) == ("1–2", (1,), False)
    assert (second.text, second.rivals) == ("1–2", (0,))
    assert third.text == "3"


def test_overlap_is_not_handed_on_from_neighbour_to_neighbour() -> None:
    first, _, third = ranks([interval(0.6, 0.8), interval(0.4, 0.65), interval(0.2, 0.45)])

    assert first
    assert third
    assert first.rivals == (1,)
    assert third.text == "2–3"


def test_touching_intervals_are_not_decided() -> None:
    first, _ = ranks([interval(0.5, 0.8), interval(0.3, 0.5)])

    assert first
    assert not first.decided


def test_run_without_interval_has_no_place_and_takes_none() -> None:
    places = ranks([interval(0.5, 0.8), None])

    assert places[1] is None
    assert places[0]
    assert places[0].text == "1"


def test_title_counts_exact_calls_of_the_best_run() -> None:
    best = with_values(made_run(protocol="constrained"), [1.0] * 30 + [0.0] * 2)
    other = with_values(made_run(protocol="prompted"), [0.0] * 30 + [1.0] * 2)

    found = headline(group_of([best, other]))

    assert found.title == "Best: SmolLM2-135M-Instruct, constrained: exact on 30 of 32 calls."


def test_title_does_not_call_a_run_best_that_is_not_shown_to_be() -> None:
    one = with_values(made_run(protocol="constrained"), [1.0] * 5 + [0.0] * 5)
    two = with_values(made_run(protocol="prompted"), [1.0] * 4 + [0.0] * 6)

    found = headline(group_of([one, two]))

    assert found.title.startswith("Highest: ")
    assert "not decided" in found.title
    assert any("not shown to be better than SmolLM2-135M-Instruct, prompted" in text for text in found.findings)


def test_partial_credit_is_not_told_as_a_count_of_exact_calls() -> None:
    run = with_values(made_run(), [0.5] * 10)

    assert headline(group_of([run])).title == "SmolLM2-135M-Instruct, prompted: 50\u202f% over 10 attempts."


def test_grammar_that_returns_most_points_is_told_as_format() -> None:
    before = with_values(made_run(protocol="prompted"), [0.0] * 9 + [1.0])
    after = with_values(made_run(protocol="constrained"), [1.0] * 8 + [0.0, 1.0])

    pairs = pair_up([after, before])

    assert pairs[0].sentence == "Of 90 points lost when prompted, 80 return under a grammar."
    told = "SmolLM2-135M-Instruct from 1 to 9 exact of 10 wanted calls: most of its loss is format."
    assert f"The grammar alone moves {told}" in headline(group_of([after, before]), pairs).findings


def test_silence_where_no_call_is_wanted_is_not_taken_for_format() -> None:
    run = made_run(protocol="prompted")
    silent = [sample for sample in run.samples if sample.tool_target.expect == "no_call"]

    def all_worth(protocol: Protocol, value: float) -> RunView:
        made = made_run(protocol=protocol)
        scores = [Score(sample=s.id, category=s.category, scorer="bfcl", value=value) for s in silent]
        wanted = with_values(made, [0.0] * 4)
        return RunView.of(made.manifest, made.summary, made.samples, made.attempts, [*wanted.scores, *scores])

    pair = pair_up([all_worth("prompted", 1.0), all_worth("constrained", 0.0)])[0]

    assert (pair.n, pair.lost, pair.n_silent, pair.silent_before, pair.silent_after) == (
        4,
        0,
        len(silent),
        len(silent),
        0,
    )
    assert f"{len(silent)} before, 0 after" in pair.meaning


def test_points_that_the_grammar_costs_are_told_too() -> None:
    before = with_values(made_run(protocol="prompted"), [1.0, 1.0, 0.0, 0.0])
    after = with_values(made_run(protocol="constrained"), [0.0, 1.0, 1.0, 0.0])

    pair = pair_up([before, after])[0]

    assert pair.sentence.endswith("25 return under a grammar; 25 go missing that were there before.")
    assert (pair.both, pair.gained, pair.lost, pair.neither) == (1, 1, 1, 1)
    assert "On balance the grammar brings nothing back" in pair.meaning


def test_pairs_count_only_samples_scored_in_both_runs() -> None:
    before = with_values(made_run(protocol="prompted"), [0.0] * 10)
    after = with_values(made_run(protocol="constrained"), [1.0] * 4)

    assert pair_up([before, after])[0].n == 4


def test_runs_of_other_models_or_suites_are_not_paired() -> None:
    before = made_run(protocol="prompted")
    other_model = made_run("gemma3_270m", "Gemma", "constrained")
    other_suite = made_run(protocol="constrained", suite_hash="0" * 64)

    assert pair_up([before, other_model, other_suite]) == []


def test_run_that_never_calling_would_equal_is_named() -> None:
    run = with_values(made_run(), [0.0] * 40)

    assert any(
        finding.startswith("No better than never calling a tool") for finding in headline(group_of([run])).findings
    )


def test_many_models_do_not_flood_the_head() -> None:
    ways: tuple[tuple[Protocol, float], ...] = (("prompted", 0.0), ("constrained", 1.0))
    runs = [
        with_values(made_run(f"m{place}", f"Model {place}", protocol), [value] * 9 + [1 - value])
        for place in range(5)
        for protocol, value in ways
    ]

    found = headline(group_of(runs), pair_up(runs)).findings

    assert sum("The grammar" in finding for finding in found) == 3
    assert "2 more models told of below." in found
