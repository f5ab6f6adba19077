"""A suite of one's own: short lines, whole samples, and words for a line that makes no sense."""

import json
from pathlib import Path

import pytest

from harness.config import SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import Sample, TextTarget, ToolTarget
from harness.suite.spec import load_suite, read_spec

HEAD = "name: mine\ntitle: Mine\ndescription: A few.\nlicence: CC0-1.0\nloader: jsonl\nscorer: bfcl\n"


def home(folder: Path, *lines: object, options: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(HEAD + options)
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "samples.jsonl").write_text("\n".join(written))
    return folder


def samples(folder: Path, **config: object) -> tuple[Sample, ...]:
    chosen = SuiteConfig.model_validate({"name": "local", "path": str(folder), **config})
    return load_suite(chosen, folder / "cache").samples


def text_target(sample: Sample) -> TextTarget:
    assert isinstance(sample.target, TextTarget)
    return sample.target


def test_a_prompt_and_an_answer_are_enough(tmp_path: Path) -> None:
    (sample,) = samples(home(tmp_path / "s", {"prompt": "Capital of France?", "answer": "Paris"}))

    assert (sample.id, sample.category, sample.messages[0].content) == ("1", "all", "Capital of France?")
    assert (text_target(sample).match, text_target(sample).accepted) == ("normalised", ("Paris",))


def test_what_the_suite_says_holds_for_all_lines_and_a_line_wins(tmp_path: Path) -> None:
    options = 'options: {system: "Be brief.", match: numeric, tolerance: 0.5}\n'
    own = {"id": "a", "prompt": "1+1?", "answers": [2, "two"], "system": "Reckon.", "category": "sums"}
    folder = home(tmp_path / "s", own, {"id": "b", "prompt": "2+2?", "answer": 4}, options=options)

    found = {sample.id: sample for sample in samples(folder)}

    assert [message.content for message in found["a"].messages] == ["Reckon.", "1+1?"]
    assert found["b"].messages[0].content == "Be brief."
    assert text_target(found["a"]).accepted == ("2", "two")
    assert (text_target(found["b"]).match, text_target(found["b"]).tolerance) == ("numeric", 0.5)


def test_a_whole_sample_is_taken_as_it_is(tmp_path: Path) -> None:
    line = {
        "id": "call", "messages": [{"role": "user", "content": "Time?"}], "tools": [{"name": "get_time"}],
        "target": {"kind": "tool_calls", "expect": "calls", "calls": [{"name": "get_time", "arguments": {}}]},
    }  # fmt: skip

    (sample,) = samples(home(tmp_path / "s", line))

    assert isinstance(sample.target, ToolTarget)
    assert sample.target.calls[0].name == "get_time"


def test_categories_and_limit_hold_here_too(tmp_path: Path) -> None:
    lines = [{"prompt": f"{n}", "answer": "x", "category": "even" if n % 2 == 0 else "odd"} for n in range(6)]
    folder = home(tmp_path / "s", *lines)

    assert {one.category for one in samples(folder, categories=["odd"])} == {"odd"}
    assert len(samples(folder, limit=4)) == 4


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is no JSON object"),
        ({"prompt": "x"}, 'line 2: a line needs "answer", "answers" or "target"'),
        ({"answer": "x"}, 'line 2: a line needs "prompt" or "messages"'),
        ({"prompt": "x", "answer": "y", "colour": 1}, "line 2: colour is not a key"),
        ({"prompt": "x", "answer": "y", "id": "1"}, "lines 1 and 2 have one id: 1"),
        ({"prompt": "x", "answer": "y", "weight": 0}, "line 2: weight=0"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: object, words: str) -> None:
    folder = home(tmp_path / "s", {"prompt": "ok", "answer": "ok"}, line)

    with pytest.raises(DataError) as failed:
        samples(folder)
    assert words in str(failed.value)


def test_a_match_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    folder = home(tmp_path / "s", {"prompt": "x", "answer": "y"}, options="options: {match: fuzzy}\n")

    with pytest.raises(ConfigError, match="match='fuzzy', allowed: exact"):
        samples(folder)


def test_a_folder_without_a_description_is_refused_with_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no suite.yaml; see docs/suites.md"):
        read_spec("local", tmp_path)


def test_the_data_may_lie_elsewhere_relative_to_the_description(tmp_path: Path) -> None:
    folder = home(tmp_path / "s", options="data: {source: path, path: rows/mine.jsonl}\n")
    (folder / "rows").mkdir()
    (folder / "rows" / "mine.jsonl").write_text('{"prompt": "x", "answer": "y"}\n')

    assert [sample.id for sample in samples(folder)] == ["1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{mach: exact}", "mach is none of them: .* did you mean match?"),
        ("{match: exact, judge: {mode: pairwise}}", "judge is none of them"),
    ],
)
def test_an_option_that_nobody_reads_is_refused_with_the_nearest(tmp_path: Path, options: str, words: str) -> None:
    folder = home(tmp_path / "s", {"prompt": "x", "answer": "y"}, options=f"options: {options}\n")

    with pytest.raises(ConfigError, match=words):
        samples(folder)


def test_an_option_that_the_scorer_reads_is_no_mistake(tmp_path: Path) -> None:
    line = {"prompt": "x", "answer": "y"}
    folder = home(tmp_path / "s", line, options="options: {match: judge, judge: {mode: pairwise}}\n")
    (folder / "suite.yaml").write_text((folder / "suite.yaml").read_text().replace("scorer: bfcl", "scorer: judge"))

    assert len(samples(folder)) == 1


def test_an_option_that_is_null_counts_as_not_given(tmp_path: Path) -> None:
    folder = home(tmp_path / "s", {"prompt": "x", "answer": "1"}, options="options: {match: numeric}\n")

    (sample,) = samples(folder, options={"match": None, "tolerance": 0.5, "judge": None})

    assert (text_target(sample).match, text_target(sample).tolerance) == ("numeric", 0.5)


def test_a_line_says_for_itself_how_its_answer_is_judged(tmp_path: Path) -> None:
    chosen = {"prompt": "Which?", "answer": "B", "match": "choice", "choices": ["A", "B"], "choice_texts": ["a", "b"]}
    fitting = {"prompt": "A year?", "answer": "^\\d{4}$", "match": "regex", "example": "1999"}
    labelled = {"prompt": "Why?", "answer": "So.", "match": "judge", "human": 0.5, "human_answer": "Thus."}
    folder = home(tmp_path / "s", chosen, fitting, labelled, options="options: {match: exact}\n")

    found = {sample.id: text_target(sample) for sample in samples(folder)}

    assert (found["1"].match, found["1"].choice_texts) == ("choice", ("a", "b"))
    assert found["2"].example == "1999"
    assert (found["3"].human, found["3"].human_answer) == (0.5, "Thus.")


def test_what_belongs_into_a_lines_target_is_refused_beside_it(tmp_path: Path) -> None:
    target = {"kind": "text", "match": "exact", "accepted": ["y"]}

    with pytest.raises(DataError, match='line 1: put "human" into the line\'s "target"'):
        samples(home(tmp_path / "s", {"prompt": "x", "target": target, "human": 1}))
