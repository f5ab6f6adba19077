"""In-context examples: which are chosen, and never from the test split."""

import json
from pathlib import Path

import pytest

from harness.config import EndpointConfig, HardwareConfig, ModelConfig, RunConfig, RunnerConfig, SuiteConfig
from harness.errors import ConfigError
from harness.records import Message, ReplayReference, ReplayTarget, Sample, TextTarget, Tool, ToolCall
from harness.records.call import Split
from harness.suite.examples import Example, choose, example_of, with_examples

FIND, SEND = Tool(name="find"), Tool(name="send")


def asked(
    identity: str, text: str, *tools: Tool, split: Split = "train", category: str = "c", session: str | None = None,
    calls: tuple[ToolCall, ...] = (), words: str | None = None,
) -> Sample:  # fmt: skip
    target = ReplayTarget(references=(ReplayReference(calls=calls, text=words or (None if calls else "Yes.")),))
    return Sample(id=identity, category=category, session=session, messages=(Message(role="user", content=text),),
                  tools=tools, target=target, scorer="replay", split=split)  # fmt: skip


def ready(*samples: Sample) -> list[Example]:
    return [one for sample in samples if (one := example_of(sample)) is not None]


def shown(sample: Sample) -> list[str | None]:
    return [message.content for message in sample.examples if message.role == "user"]


def test_a_question_of_the_test_split_is_never_an_example() -> None:
    assert example_of(asked("a", "Where is order 7?", split="test")) is None
    assert example_of(asked("a", "Where is order 7?", split="calibration")) is not None


def test_the_most_similar_come_last_nearest_to_the_question() -> None:
    pool = ready(asked("a", "Where is my order?"), asked("b", "Sing a song"), asked("c", "Where is my order 7 now?"))

    (found,) = choose([asked("q", "Where is my order 7 now please?", split="test")], pool, 2, similar=True)

    assert shown(found) == ["Where is my order?", "Where is my order 7 now?"]
    assert [message.role for message in found.examples] == ["user", "assistant", "user", "assistant"]


def test_examples_of_the_same_category_come_first() -> None:
    pool = ready(asked("a", "Where is my order?", category="other"), asked("b", "Refund me", category="c"))

    (found,) = choose([asked("q", "Where is my order?", split="test")], pool, 1, similar=True)

    assert shown(found) == ["Refund me"]


def test_fixed_examples_are_the_same_for_all() -> None:
    pool = ready(*(asked(f"e{n}", f"Question {n}") for n in range(9)))

    found = choose([asked("q", "Question 3", split="test"), asked("r", "Other", split="test")], pool, 3, similar=False)

    assert shown(found[0]) == shown(found[1])
    assert len(shown(found[0])) == 3


def test_an_example_calls_only_tools_that_are_offered() -> None:
    call = (ToolCall(name="send", arguments={}),)
    pool = ready(asked("a", "Send it", FIND, SEND, calls=call), asked("b", "Hello", FIND), asked("c", "No tools"))

    (found,) = choose([asked("q", "Send it", FIND, split="test")], pool, 3, similar=True)

    assert shown(found) == ["Hello"]


def test_an_example_is_of_another_session_and_not_the_question_itself() -> None:
    pool = ready(asked("q", "Where?", session="s"), asked("a", "Where?", session="s"), asked("b", "When?"))

    (found,) = choose([asked("q", "Where?", session="s")], pool, 3, similar=True)

    assert shown(found) == ["When?"]


@pytest.mark.parametrize(
    ("match", "accepted", "usable"), [("exact", ("4",), True), ("regex", ("[0-9]",), False), ("judge", ("4",), False)]
)
def test_patterns_and_rubrics_are_no_answers(match: str, accepted: tuple[str, ...], usable: bool) -> None:
    target = TextTarget.model_validate({"match": match, "accepted": accepted})
    sample = Sample(id="a", category="c", messages=(Message(role="user", content="2 + 2?"),), target=target,
                    scorer="text", split="train")  # fmt: skip

    assert (example_of(sample) is not None) is usable


def test_questions_without_a_word_do_not_break_the_choice() -> None:
    (found,) = choose([asked("q", "??", split="test")], ready(asked("a", "!!")), 1, similar=True)

    assert shown(found) == ["!!"]


def test_a_suite_without_such_a_split_is_refused_with_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        "{name: mine, title: M, description: M., licence: MIT, loader: jsonl, scorer: text, options: {match: exact}}"
    )
    (tmp_path / "samples.jsonl").write_text(json.dumps({"id": "q", "prompt": "What is 2 + 2?", "answer": "4"}))
    config = RunConfig(
        do="run",
        suite=SuiteConfig(name="mine", path=str(tmp_path)),
        model=ModelConfig(name="m", title="m", licence="MIT", examples=2),
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="none", title="none"),
        run=RunnerConfig(),
    )

    with pytest.raises(ConfigError, match=r"suite mine has no question in the split train .*build\.splits"):
        with_examples([], config, tmp_path)
