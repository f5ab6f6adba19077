"""Inspect's record of a sample as an attempt and a score of ours."""

from datetime import UTC, datetime

import pytest
from inspect_ai.event import Event, ModelEvent, SpanBeginEvent, SpanEndEvent, ToolEvent
from inspect_ai.log import EvalError, EvalSample, EvalSampleLimit
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.scorer import Score as InspectScore
from inspect_ai.scorer._metric import Value
from inspect_ai.tool import ToolCallError

from harness.errors import ConfigError
from harness.interop.inspect_chat import Asked, metadata_of
from harness.interop.inspect_read import Asker, Reading, attempt_of, score_of, was_cancelled
from harness.records import Attempt, Message, Reply, Sample, Score, Step, TaskTarget, Timing, Usage

MODEL = "harness/m"
ASKER = Asker(MODEL, "m", "constrained", "llamacpp", seed=5)
OURS = Sample(
    id="s",
    category="c",
    messages=(Message(role="user", content="2 + 3?"),),
    target=TaskTarget(task="t"),
    scorer="inspect",
)


def replied(text: str, *, role: str | None = None, model: str = MODEL, span: str | None = None) -> ModelEvent:
    step = Step(
        turn=0,
        reply=Reply(content=text, finish_reason="stop"),
        timing=Timing(at=2.0, first_content_ns=1, last_ns=5, end_ns=9),
        usage=Usage(prompt_tokens=10, output_tokens=3, counted_by="server"),
    )
    output = ModelOutput.from_content(model, text)
    output.metadata = metadata_of(step, Asked("constrained", (), 5))
    return asked(output, role=role, model=model, span=span)


def asked(
    output: ModelOutput,
    *,
    error: str | None = None,
    role: str | None = None,
    model: str = MODEL,
    span: str | None = None,
) -> ModelEvent:
    return ModelEvent(
        model=model,
        role=role,
        input=[],
        tools=[],
        tool_choice="auto",
        config=GenerateConfig(),
        output=output,
        error=error,
        span_id=span,
    )


def sample(
    *events: Event,
    scores: dict[str, Value] | None = None,
    text: str = "five",
    error: str | None = None,
    limit: EvalSampleLimit | None = None,
    epoch: int = 1,
) -> EvalSample:
    return EvalSample(
        id="s",
        epoch=epoch,
        input="2 + 3?",
        target="5",
        output=ModelOutput.from_content(MODEL, text) if error is None else ModelOutput(),
        scores={
            name: InspectScore(value=value, answer="a", explanation="why") for name, value in (scores or {}).items()
        },
        events=list(events),
        started_at=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        working_time=1.5,
        error=EvalError(message=error, traceback="", traceback_ansi="") if error else None,
        limit=limit,
    )


def judged(one: EvalSample, reading: Reading | None = None) -> Score:
    return score_of(one, OURS, attempt_of(one, ASKER), reading or Reading())


def attempt(*events: Event, **more: object) -> Attempt:
    return attempt_of(sample(*events, **more), ASKER)  # type: ignore[arg-type]


def test_one_request_is_a_plain_attempt_with_its_own_timing() -> None:
    made = attempt(replied("five"), epoch=3)

    assert made.steps == ()
    assert (made.trial, made.seed, made.model, made.protocol) == (2, 7, "m", "constrained")
    assert made.timing == Timing(at=2.0, first_content_ns=1, last_ns=5, end_ns=9)
    assert made.usage.output_tokens == 3
    assert made.reply is not None
    assert made.reply.content == "five"


def test_tools_make_it_an_agents_task_with_steps_and_results() -> None:
    ran = ToolEvent(id="c1", function="add", arguments={"x": 2}, result="5", working_time=0.25)
    failed = ToolEvent(id="c2", function="sub", arguments={}, error=ToolCallError("parsing", "x is missing"))

    made = attempt(replied("call"), ran, failed, replied("five"))

    assert [len(step.results) for step in made.steps] == [2, 0]
    good, bad = made.steps[0].results
    assert (good.call.name, good.content, good.error, good.took_ns) == ("add", "5", False, 250_000_000)
    assert (bad.content, bad.error, bad.ran) == ("x is missing", True, False)
    assert (made.usage.prompt_tokens, made.usage.output_tokens, made.timing.end_ns) == (20, 6, 1_500_000_000)
    assert made.ended == "answered"


def test_what_graders_and_simulated_users_say_is_not_the_models_work() -> None:
    scoring = SpanBeginEvent(id="k", name="scorers", type="scorers")
    within = SpanBeginEvent(id="k2", parent_id="k", name="grader", type="scorer")

    made = attempt(
        replied("hello", role="user"),
        replied("hello", model="other/m"),
        replied("five"),
        scoring,
        within,
        replied("GRADE: C", span="k2"),
        SpanEndEvent(id="k"),
    )

    assert made.steps == ()
    assert made.reply is not None
    assert made.reply.content == "five"
    assert made.usage.output_tokens == 3


def test_tries_that_were_lost_are_counted() -> None:
    made = attempt(asked(ModelOutput(), error="reset"), asked(ModelOutput(), error="reset"), replied("five"))

    assert made.tries == 3


def test_a_reply_from_inspects_cache_has_no_timing_of_tokens() -> None:
    output = ModelOutput.from_content(MODEL, "five")
    output.usage = ModelUsage(input_tokens=4, output_tokens=2, total_tokens=6)

    made = attempt(asked(output))

    assert made.timing.first_content_ns is None
    assert (made.usage.prompt_tokens, made.usage.output_tokens) == (4, 2)


def test_what_the_infrastructure_lost_is_unscored_with_its_kind() -> None:
    one = sample(error="LostError('lost to the infrastructure (rate_limit): HTTP 429: slow down')")

    made, score = attempt_of(one, ASKER), judged(one)

    assert made.failure is not None
    assert (made.failure.boundary, made.failure.kind) == ("infrastructure", "rate_limit")
    assert made.failure.message == "HTTP 429: slow down"
    assert (score.value, score.miss, score.boundary) == (None, "transport", "infrastructure")


def test_an_error_of_the_tasks_own_code_is_nobodys_score() -> None:
    one = sample(error="KeyError('colour')")

    score = judged(one)

    assert attempt_of(one, ASKER).failure is not None
    assert score.value is None
    assert score.why == "KeyError('colour')"


def test_a_sample_broken_off_has_no_outcome_yet() -> None:
    assert was_cancelled(sample(error="CancelledError()"))
    assert not was_cancelled(sample(error="KeyError('Cancelled')"))


@pytest.mark.parametrize(
    ("raw", "value"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (False, 0), (0.25, 0.25), ("yes", 1), ("0.5", 0.5), (1, 1)],
)
def test_inspects_values_are_shares_of_one(raw: Value, value: float) -> None:
    assert judged(sample(replied("five"), scores={"match": raw})).value == value


@pytest.mark.parametrize("raw", [float("nan"), "maybe", float("inf")])
def test_what_inspect_did_not_score_is_not_zero(raw: Value) -> None:
    score = judged(sample(replied("five"), scores={"match": raw}))

    assert score.value is None
    assert "not scored" in score.why


def test_a_number_outside_its_range_is_refused_until_the_range_is_said() -> None:
    one = sample(replied("five"), scores={"rating": 7})

    assert judged(one).value is None
    assert "range=[worst,best]" in judged(one).why
    assert judged(one, Reading.of({"range": [1, 10]})).value == pytest.approx(6 / 9)
    assert judged(one, Reading.of({"range": [10, 0]})).value == pytest.approx(0.3)


def test_several_scores_are_one_value_and_parts() -> None:
    scores: dict[str, Value] = {"bench": {"utility": 1.0, "security": 0.0}, "style": "P"}
    one = sample(replied("five"), scores=scores)

    first = judged(one)
    chosen = judged(one, Reading.of({"headline": "security"}))
    declared = judged(one, Reading.of({}, "style"))

    assert (first.value, chosen.value, declared.value) == (1, 0, 0.5)
    assert first.parts == {"bench/utility": 1.0, "bench/security": 0.0, "style": 0.5}
    assert judged(one, Reading.of({"headline": "speed"})).value is None


def test_a_task_without_a_score_is_unscored() -> None:
    assert judged(sample(replied("five"))).value is None


@pytest.mark.parametrize(
    ("one", "miss"),
    [
        (sample(replied("x"), scores={"m": "I"}), "wrong_answer"),
        (sample(replied("x"), scores={"m": "I"}, limit=EvalSampleLimit(type="message", limit=8)), "step_limit"),
        (sample(replied(""), scores={"m": "I"}, text=""), "no_answer"),
    ],
)
def test_a_miss_says_where_the_sample_was_lost(one: EvalSample, miss: str) -> None:
    score = judged(one)

    assert (score.value, score.miss, score.boundary) == (0, miss, "model")


@pytest.mark.parametrize("ends", [[1], "x", [2, 2], [1, "b"]])
def test_a_range_that_is_none_is_refused(ends: object) -> None:
    with pytest.raises(ConfigError, match="range"):
        Reading.of({"range": ends})  # type: ignore[dict-item]
