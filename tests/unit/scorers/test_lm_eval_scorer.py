"""Verdicts on replies to lm-eval's tasks, where lm-eval itself has nothing to compare with."""

import re
from pathlib import Path

import pytest
from pydantic import JsonValue

from harness.errors import ConfigError
from harness.records import Reply, Sample, Score
from harness.scorers.lm_eval import LmEvalScorer
from harness.scorers.lm_eval_tasks import task_options
from tests.support.lm_eval_tasks import samples, write_tasks

pytest.importorskip("lm_eval", reason="needs lm_eval: pip install 'slm-harness[suites]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


def sum_sample(folder: Path) -> tuple[Sample, int]:
    """A sample with the number that is right."""
    sample = samples(folder, "mini_math", limit=1)[0]
    words = str(sample.messages[-1].content).replace(".", " ").split()
    return sample, sum(int(word) for word in words if word.isdigit())


def judged(folder: Path, sample: Sample, reply: str, **options: str) -> Score:
    told: dict[str, JsonValue] = {"tasks": [sample.category], "include_path": str(folder), **options}
    return LmEvalScorer(task_options(told)).verdict(sample, Reply(content=reply))


def test_what_comes_after_a_stop_word_does_not_count(folder: Path) -> None:
    sample, right = sum_sample(folder)

    score = judged(folder, sample, f"#### {right}\n\nQuestion: and now?\nAnswer: #### 7")

    assert score.value == 1
    assert score.parts == {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 1.0}


def test_the_first_metric_is_the_value_and_the_others_are_parts(folder: Path) -> None:
    sample, right = sum_sample(folder)

    score = judged(folder, sample, f"It is {right}")

    assert (score.value, score.miss) == (0.0, "no_answer")
    assert score.parts["exact_match,flexible-extract"] == 1


def test_another_metric_can_be_the_value(folder: Path) -> None:
    sample, right = sum_sample(folder)

    score = judged(folder, sample, f"It is {right}", metric="exact_match,flexible-extract")

    assert (score.value, score.miss, score.extracted) == (1.0, None, str(right))


def test_a_metric_that_the_task_does_not_have_is_refused(folder: Path) -> None:
    sample, right = sum_sample(folder)

    with pytest.raises(ConfigError, match="f2 is no metric of mini_math; it has exact_match,strict-match"):
        judged(folder, sample, f"#### {right}", metric="f2")


def test_a_wrong_number_is_told_with_the_right_one(folder: Path) -> None:
    sample, right = sum_sample(folder)

    score = judged(folder, sample, f"#### {right + 1}")

    assert (score.value, score.miss, score.boundary) == (0.0, "wrong_answer", "model")
    assert f"read '{right + 1}'" in score.why
    assert f"#### {right}" in score.why


def test_lists_of_yes_and_no_are_counted(folder: Path) -> None:
    sample = samples(folder, "mini_rules", limit=1)[0]

    score = judged(folder, sample, "QUITE SHORT")

    assert (score.value, score.counts) == (0.0, {"each_rule,none": (2, 3)})


def test_a_task_whose_own_code_fails_gives_no_verdict_on_the_model(folder: Path, tmp_path: Path) -> None:
    write_tasks(tmp_path)
    (tmp_path / "mini_rules.py").write_text(
        "def process_results(doc, results):\n    raise KeyError('x')\n\nshare = sum\n"
    )
    sample = samples(tmp_path, "mini_rules", limit=1)[0]

    score = judged(tmp_path, sample, "a reply")

    assert score.value is None
    assert "the task's filter none fails on one reply (KeyError" in score.why


def test_a_filter_over_repeats_has_no_say_in_one_reply(folder: Path) -> None:
    sample = samples(folder, "mini_vote", limit=1)[0]

    score = judged(folder, sample, "5")

    assert list(score.parts) == ["exact_match,first"]


def test_numbers_that_are_not_for_every_answer_are_no_answer(folder: Path) -> None:
    sample = samples(folder, "mini_letters", limit=1)[0]

    score = judged(folder, sample, "[[-1.0,true]]")

    assert (score.value, score.miss) == (0.0, "no_answer")


def odd_sample(folder: Path) -> Sample:
    """Of a task with two metrics, the first of which some replies do not get, and some break."""
    text = (folder / "mini_rules.yaml").read_text().replace("mini_rules", "mini_odd")
    metrics = "".join(
        f"  - {{metric: {name}, aggregation: mean, higher_is_better: true}}\n" for name in ("hard", "soft")
    )
    (folder / "mini_odd.yaml").write_text(re.sub(r"metric_list:\n(  - .*\n)+", f"metric_list:\n{metrics}", text))
    (folder / "mini_odd.py").write_text(
        "def process_results(doc, results):\n"
        "    if results[0] == 'break':\n"
        "        raise ValueError('it broke')\n"
        "    hard = {'none': {}, 'much': {'hard': 7.0}}.get(results[0], {'hard': 0.0})\n"
        "    return {**hard, 'soft': 1.0}\n"
    )
    return samples(folder, "mini_odd", limit=1)[0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("none", "hard,none is not among what the task measured; others, for suite.options.metric: soft,none"),
        ("much", "hard,none is 7.0, no number from 0 to 1"),
        ("break", r"the task's filter none fails on one reply \(ValueError: it broke\)"),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"metric": "hard"}])
def test_a_reply_without_the_tasks_metric_is_unscored_and_not_measured_by_the_next(
    folder: Path, reply: str, words: str, asked: dict[str, str]
) -> None:
    sample = odd_sample(folder)

    assert judged(folder, sample, "else", **asked).value == 0.0
    found = judged(folder, sample, reply, **asked)

    assert found.value is None
    assert re.search(words, found.why)
