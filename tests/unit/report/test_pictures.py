from itertools import combinations

from harness.report.breakdown import miss_bars
from harness.report.embed import embed
from harness.report.formats import seconds
from harness.report.group import group_of
from harness.report.labels import Box, place_labels
from harness.report.scatter import pareto, scatter
from harness.report.text import clip, visible
from harness.report.view import RunView
from tests.support.explorer_data import joined
from tests.support.report_runs import four_runs, made_run


def e2e(run: RunView) -> float | None:
    return run.summary.e2e_s.p50 if run.summary.e2e_s else None


def test_labels_cover_neither_each_other_nor_an_obstacle() -> None:
    frame, obstacle = Box(0, 0, 600, 400), Box(250, 150, 350, 250)
    points = [(300.0 + 3 * place, 200.0 + 5 * place, f"Model number {place}") for place in range(12)]

    boxes = [label.box for label in place_labels(points, [obstacle], frame) if label]

    assert len(boxes) >= 8
    assert not any(one.hits(two) for one, two in combinations(boxes, 2))
    assert not any(box.hits(obstacle) or not box.inside(frame) for box in boxes)


def test_label_without_room_is_left_out() -> None:
    assert place_labels([(5.0, 5.0, "a name too long for its frame")], [], Box(0, 0, 40, 40)) == [None]


def test_front_holds_what_nothing_beats_in_both() -> None:
    assert pareto([(1.0, 0.2), (2.0, 0.2), (2.0, 0.6), (3.0, 0.6)]) == [True, False, True, False]


def test_runs_that_are_equal_in_both_share_the_front() -> None:
    assert pareto([(1.0, 0.5), (1.0, 0.5)]) == [True, True]


def test_marks_and_error_bars_stay_in_the_frame_in_the_right_order() -> None:
    plot = scatter(four_runs(), e2e, seconds, "time", 620, 400)

    assert plot
    for mark in plot.marks:
        assert mark.low is not None
        assert mark.high is not None
        assert plot.frame.top <= mark.high <= mark.y <= mark.low <= plot.frame.bottom
        assert plot.frame.left < mark.x < plot.frame.right


def test_run_without_the_price_is_named_instead_of_drawn() -> None:
    priced, free = made_run(), made_run("gemma3_270m", "Gemma 3 270M", usd_per_s=None)

    plot = scatter([priced, free], lambda run: run.summary.cost_usd_per_sample, str, "cost", 620, 400)

    assert plot
    assert [mark.run for mark in plot.marks] == [priced.id]
    assert plot.left_out == ("Gemma 3 270M, prompted",)


def test_bar_parts_add_up_to_every_attempt() -> None:
    run = made_run()

    bar = miss_bars([run])[0]

    assert sum(part.count for part in bar.segments) == bar.n == len(run.attempts)
    assert abs(sum(part.width for part in bar.segments) - 100) < 1e-9
    assert bar.segments[-1].key == "unscored"


def test_same_sample_of_two_suites_that_differs_is_kept_twice() -> None:
    one, two = made_run(n=1), made_run(n=1, suite_hash="0" * 64)
    changed = two.samples[0].model_copy(update={"messages": ()})

    other = RunView.of(two.manifest, two.summary, [changed], two.attempts, two.scores)
    data = embed([group_of([one]), group_of([other])])

    assert [one["id"] for one in joined(data.json)["samples"]] == ["simple_python_0"] * 2


def test_clip_keeps_head_and_tail() -> None:
    assert clip("a" * 50 + "z" * 50, 10) == "aaaaaaaa … 90 characters left out … zz"


def test_visible_keeps_ordinary_text_of_any_script() -> None:
    text = "Zürich 東京 עברית 👩‍💻 \t tab\nline"

    assert visible(text) == text


def test_visible_spells_out_what_hides() -> None:
    assert visible("a\u200bb\u202e\U000e0041\ud800") == "a⟦U+200B⟧b⟦U+202E⟧⟦U+E0041⟧⟦U+D800⟧"
