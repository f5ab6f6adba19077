"""From curated calls to sessions: which calls belong together, where a session ends, and that the log survives it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from harness.backends.recorded import Recorded
from harness.config import BuildOptions, ModelConfig, RecordedConfig, SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import Attempt, Sample, Score, TrajectoryTarget, target_of
from harness.records.call import Call, Reference
from harness.records.summary import Ceiling, Interval
from harness.scorers.trajectory import judge_trajectory
from harness.suite.build import Built, build
from harness.suite.build_trajectory import session_ceiling
from harness.suite.spec import load_suite
from tests.support.replay_calls import call, calls_of, curated, says, uses

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
TOOLS = tuple(
    {"name": name, "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}
    for name in ("find.order", "cancel")
)
Message = dict[str, Any]


def told(identity: str, content: str) -> Message:
    return {"role": "tool", "tool_call_id": identity, "content": content}


def asked(content: str) -> Message:
    return {"role": "user", "content": content}


def found(number: int, **more: Any) -> Message:
    reply = uses("find.order", json.dumps({"id": f"A{number}"}), **more)
    reply["tool_calls"][0]["id"] = f"id-{number}"
    return reply


def history(*parts: Message) -> tuple[Message, ...]:
    return tuple({name: value for name, value in one.items() if name != "finish_reason"} for one in parts)


def logged(name: str = "a", **more: Any) -> list[Call]:
    """A session of three calls: it looks an order up, asks, and is told which; then it says so."""
    first, second, third = found(1), says("Cancel it?"), says("Done.")
    start = history(asked(f"Cancel my order. ({name})"))
    one = history(*start, first, told("id-1", '{"state": "open"}'))
    two = history(*one, second, asked("Yes."))
    steps = [(start, first), (one, second), (two, third)]
    fields: dict[str, Any] = {"session": f"s-{name}", "tools": TOOLS, **more}
    return [call(f"{name}{n}", reply, messages=messages, **fields) for n, (messages, reply) in enumerate(steps)]


def options(tmp: Path, **more: Any) -> BuildOptions:
    return BuildOptions(
        calls=str(tmp / "calls"), name="support", out=str(tmp / "suites"), **{"replay": "trajectory", **more}
    )


def built(tmp: Path, calls: Sequence[Call], **more: Any) -> Built:
    curated(tmp / "calls", calls)
    return build(options(tmp, **more))


def samples(made: Built, tmp: Path) -> tuple[Sample, ...]:
    return load_suite(SuiteConfig(name="support", path=str(made.folder)), tmp / "cache").samples


def target(sample: Sample) -> TrajectoryTarget:
    return target_of(sample, TrajectoryTarget)


def incumbents(made: Built) -> dict[str, Attempt]:
    """What the log's model answered, as a run reads it."""
    known = {"name": "incumbent", "title": "incumbent", "licence": "unknown", "protocol": "native"}
    config = RecordedConfig(name="recorded", path=str(made.folder / "incumbent.jsonl"))
    return {one.sample: one for one in Recorded(config, ModelConfig.model_validate(known)).attempts()}


def scores(made: Built, tmp: Path) -> list[Score]:
    answers = incumbents(made)
    return [judge_trajectory(sample, answers[sample.id]) for sample in samples(made, tmp)]


def test_a_session_is_one_sample_with_its_first_calls_messages(tmp_path: Path) -> None:
    made = built(tmp_path, logged())

    (sample,) = samples(made, tmp_path)
    assert [one.content for one in sample.messages] == ["Cancel my order. (a)"]
    assert (sample.session, sample.weight, sample.scorer) == ("s-a", 3.0, "trajectory")
    first, second, third = target(sample).steps
    assert (first.target.references[0].calls[0].name, first.results) == ("find_order", ('{"state": "open"}',))
    assert [one.content for one in second.then] == ["Yes."]
    assert (third.target.references[0].text, third.results, third.then) == ("Done.", (), ())


def test_the_order_of_the_calls_in_the_folder_does_not_matter(tmp_path: Path) -> None:
    first = built(tmp_path / "one", logged())
    second = built(tmp_path / "two", logged()[::-1])

    assert samples(first, tmp_path) == samples(second, tmp_path)


def test_a_step_whose_call_was_left_out_is_taken_from_the_history(tmp_path: Path) -> None:
    start, _, end = logged()

    made = built(tmp_path, [start, end])

    (sample,) = samples(made, tmp_path)
    assert len(target(sample).steps) == 3
    steps = incumbents(made)[sample.id].steps
    assert [step.usage.prompt_tokens for step in steps] == [100, None, 100]
    assert "1 steps have no call in the curated folder" in (made.folder / "datasheet.md").read_text()


def test_the_log_itself_survives_with_what_it_took(tmp_path: Path) -> None:
    made = built(tmp_path, [*logged("a"), *logged("b")])

    assert [score.value for score in scores(made, tmp_path)] == [1.0, 1.0]
    attempt = next(iter(incumbents(made).values()))
    assert (attempt.origin, attempt.usage.prompt_tokens, attempt.recorded_cost_usd) == ("recorded", 300, 0.003)
    assert attempt.timing.end_ns == 1_500_000_000


def test_a_history_that_does_not_go_on_from_the_answer_begins_another_sample(tmp_path: Path) -> None:
    first, second, third = logged()
    other = history(asked("A summary of what was."), found(7), told("id-7", "{}"))
    more = call("n", says("So?"), messages=other, session="s-a", tools=TOOLS)
    last = call(
        "o", says("Bye."), messages=history(*other, says("So?"), asked("Bye.")), session="s-a", tools=TOOLS
    )  # fmt: skip

    made = built(tmp_path, [first, second, third, more, last])

    assert sorted(len(target(one).steps) for one in samples(made, tmp_path)) == [2, 3]


def test_sessions_of_another_agent_or_with_other_tools_are_not_mixed(tmp_path: Path) -> None:
    first, second, third = logged()
    user = [
        call(f"u{n}", one.reference.reply, messages=one.messages, session="s-a", tools=TOOLS[:1], agent="user")
        for n, one in enumerate((first, second))
    ]

    made = built(tmp_path, [first, second, third, *user])

    assert sorted((one.category, len(target(one).steps)) for one in samples(made, tmp_path)) == [
        ("support, other", 3),
        ("user, other", 2),
    ]


def test_a_call_without_a_result_ends_the_session(tmp_path: Path) -> None:
    first, _, _ = logged()
    start = history(asked("Cancel my order. (a)"))
    silent = history(*start, found(1), asked("Well?"))
    calls = [
        first,
        call("x", found(2), messages=silent, session="s-a", tools=TOOLS),
        call("y", says("So."), messages=history(*silent, found(2), told("id-2", "{}")), session="s-a", tools=TOOLS),
    ]

    with pytest.raises(DataError, match="fewer than 2 steps, then: a call has no result on record"):
        built(tmp_path, calls)


def test_a_call_that_is_followed_by_nothing_at_all_ends_the_session_too(tmp_path: Path) -> None:
    first, second, third = logged()
    lost = history(*third.messages, found(3))
    calls = [
        first,
        second,
        call("x", found(3), messages=third.messages, session="s-a", tools=TOOLS),
        call("y", says("Done."), messages=lost, session="s-a", tools=TOOLS),
    ]

    made = built(tmp_path, calls)

    (sample,) = samples(made, tmp_path)
    assert len(target(sample).steps) == 3
    assert scores(made, tmp_path)[0].value == 1.0
    assert "a call has no result on record 1" in (made.folder / "datasheet.md").read_text()


def test_calls_of_which_none_has_a_session_are_told_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"without a session: 2.*leave build\.replay out"):
        built(tmp_path, [call("z", says("Hello."), session=None), call("w", says("Hi."), session=None)])


def test_an_answer_that_was_cut_off_ends_the_session_before_it(tmp_path: Path) -> None:
    first, second, third = logged()
    third.reference.reply["finish_reason"] = "length"

    made = built(tmp_path, [first, second, third])

    (sample,) = samples(made, tmp_path)
    assert len(target(sample).steps) == 2
    assert "the reply on record was cut off 1" in (made.folder / "datasheet.md").read_text()


def test_the_rest_of_a_session_can_be_asked_from_a_step_on(tmp_path: Path) -> None:
    made = built(tmp_path, logged(), first_step=1)

    (sample,) = samples(made, tmp_path)
    assert [one.role for one in sample.messages] == ["user", "assistant", "tool"]
    assert len(target(sample).steps) == 2
    assert scores(made, tmp_path)[0].value == 1.0


def test_a_session_can_be_cut_after_some_steps(tmp_path: Path) -> None:
    made = built(tmp_path, logged(), most_steps=2)

    assert [len(target(one).steps) for one in samples(made, tmp_path)] == [2]
    assert scores(made, tmp_path)[0].value == 1.0


def test_calls_without_a_session_are_counted_and_left_out(tmp_path: Path) -> None:
    made = built(tmp_path, [*logged(), call("z", says("Hello."), session=None)])

    assert len(samples(made, tmp_path)) == 1
    assert "1 without a session" in (made.folder / "datasheet.md").read_text()


@pytest.mark.parametrize(("unstable", "steps"), [("any", 3), ("drop", 2)])
def test_a_request_with_several_answers_is_kept_or_ends_the_session(tmp_path: Path, unstable: str, steps: int) -> None:
    first, second, third = logged()
    several = call(
        "a2", third.reference.reply, messages=third.messages, session="s-a", tools=TOOLS,
        also=[Reference(found(9), "incumbent", 1)],
    )  # fmt: skip

    made = built(tmp_path, [first, second, several], unstable=unstable)

    (sample,) = samples(made, tmp_path)
    assert len(target(sample).steps) == steps


def test_read_only_tools_are_named_as_in_the_sample(tmp_path: Path) -> None:
    made = built(tmp_path, logged(), match="fifo", read_only=["find.*"])

    (sample,) = samples(made, tmp_path)
    assert (target(sample).match, target(sample).read_only) == ("fifo", ("find_order",))
    assert scores(made, tmp_path)[0].value == 1.0


def test_a_name_of_no_tool_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"build.read_only=get_\* is the name of no tool .* cancel, find.order"):
        built(tmp_path, logged(), match="fifo", read_only=["get_*"])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"replay": "step", "match": "fifo"}, "it is for whole sessions; add build.replay=trajectory"),
        ({"replay": "step", "most_steps": 3}, "it is for whole sessions"),
        ({"read_only": ["find.*"]}, "it is for build.match=fifo"),
    ],
    ids=["match", "most_steps", "read_only"],
)
def test_settings_that_would_do_nothing_are_refused(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        options(tmp_path, **more)


def test_the_ceiling_of_a_session_is_that_of_a_step_to_the_power_of_its_steps() -> None:
    step = Ceiling(rate=0.9, interval=Interval(low=0.8, high=1.0, level=0.95, method="exact"), n=20)

    found = session_ceiling(step, [1, 2])

    assert found is not None
    assert (found.rate, found.interval.low, found.interval.high) == pytest.approx((0.855, 0.72, 1.0))
    assert (found.step_rate, found.n) == (0.9, 20)
    assert session_ceiling(None, [1, 2]) is None


@pytest.mark.shared
@pytest.mark.parametrize("match", ["strict", "fifo"])
def test_the_incumbent_survives_its_own_real_sessions(tmp_path: Path, match: str) -> None:
    log = SHARED / "sample500.jsonl.xz"
    if not log.exists():
        pytest.skip("../shared/data/sample500.jsonl.xz is not here")

    made = built(tmp_path, list(calls_of(log)), match=match)

    found = scores(made, tmp_path)
    assert len(found) >= 20
    assert {score.value for score in found} == {1.0}
    lines = (made.folder / "samples.jsonl").read_bytes().splitlines()
    assert sum(len(orjson.loads(line)["target"]["steps"]) for line in lines) > 200
