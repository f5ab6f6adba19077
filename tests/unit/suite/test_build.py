"""From curated calls to a suite: what is in it, and that the log's own answers are right by it."""

import hashlib
import json
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.backends.recorded_line import told
from harness.config import BuildOptions, SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import Attempt, RawToolCall, ReplayTarget, Reply, Sample
from harness.records.call import Call, Reference
from harness.records.summary import DecisionTable
from harness.runner.tally import Tally
from harness.scorers.replay import ReplayScorer
from harness.suite.build import Built, build
from harness.suite.build_pick import Candidate, pick
from harness.suite.spec import load_suite, read_spec
from tests.support.pictured import task_book
from tests.support.replay_calls import call, calls_of, curated, says, uses

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
TOOL = {"name": "find.order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}
OTHER = {"name": "find_order", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}


def options(tmp: Path, **more: Any) -> BuildOptions:
    return BuildOptions(calls=str(tmp / "calls"), name="support", out=str(tmp / "suites"), **more)


def built(tmp: Path, *calls: Call, **more: Any) -> Built:
    curated(tmp / "calls", calls)
    return build(options(tmp, **more))


def samples(made: Built, tmp: Path, **more: Any) -> tuple[Sample, ...]:
    config = SuiteConfig(name="support", path=str(made.folder), **more)
    return load_suite(config, tmp / "cache").samples


def answers(made: Built) -> dict[str, dict[str, Any]]:
    lines = (made.folder / "incumbent.jsonl").read_bytes().splitlines()
    return {one["id"]: one for one in map(orjson.loads, lines)}


def played(suite: tuple[Sample, ...], replies: dict[str, Reply]) -> Tally:
    """A run with these replies, added up as a run is."""
    tally, scorer = Tally(), ReplayScorer()
    for sample in suite:
        score = scorer.score(sample, replies[sample.id], "native")
        data = told({"id": sample.id, "content": ""})
        attempt = Attempt(
            sample=sample.id, model="m", protocol="native", backend="recorded", reply=replies[sample.id],
            timing=data.timing, origin="recorded",
        )  # fmt: skip
        tally.add(sample, attempt, score)
    return tally


def mixed() -> Iterator[Call]:
    """Seven steps with a call on record, three with words."""
    for number in range(7):
        yield call(f"c{number}", uses("find.order", f'{{"id": "A{number}"}}'), tools=(TOOL,), family="toolcall")
    for number in range(3):
        yield call(f"w{number}", says("Which order?"), tools=(TOOL,), family="toolcall")


def test_a_call_is_asked_as_it_was_logged(tmp_path: Path) -> None:
    history = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Where is"}, {"type": "text", "text": "my order?"}]},
        uses("find.order", '{ "id" : "A1"}', reasoning="hm"),
        {"role": "tool", "tool_call_id": "c1", "content": "sent"},
    )
    params = {"tool_choice": {"type": "function", "function": {"name": "find.order"}}, "temperature": 0.3, "seed": 7}
    one = call("a", uses("find.order", '{"id":"A2"}'), messages=history, tools=(TOOL, OTHER), params=params, weight=4)

    made = built(tmp_path, one)

    (sample,) = samples(made, tmp_path)
    assert [message.content for message in sample.messages] == ["Be brief.", "Where is\nmy order?", None, "sent"]
    assert sample.messages[2].tool_calls[0].name == "find_order_2"
    assert sample.messages[2].tool_calls[0].arguments == {"id": "A1"}
    assert [tool.name for tool in sample.tools] == ["find_order_2", "find_order"]
    assert sample.params == {
        "tool_choice": {"type": "function", "function": {"name": "find_order_2"}},
        "temperature": 0.3,
    }
    assert (sample.session, sample.weight, sample.arrival_s) == ("s-a", 4.0, 1_700_000_000.0)
    assert (sample.category, sample.split) == ("support, other", "test")


def test_the_incumbent_is_right_by_its_own_record(tmp_path: Path) -> None:
    made = built(tmp_path, *mixed())

    suite = samples(made, tmp_path)
    replies = {name: told(line).reply for name, line in answers(made).items()}

    tally = played(suite, {name: one for name, one in replies.items() if one is not None})
    assert (tally.value_sum, tally.n_scored) == (10.0, 10)
    line = answers(made)["c0"]
    assert (line["model"], line["latency_s"], line["cost_usd"]) == ("big-1", 0.5, 0.001)
    assert line["usage"] == {"prompt_tokens": 100, "completion_tokens": 9}


@pytest.mark.parametrize(
    ("reply", "table", "value"),
    [
        (
            Reply(tool_calls=(RawToolCall(name="find_order", arguments='{"id": "A0"}'),)),
            DecisionTable(should_call_called=7, should_abstain_called=3),
            1.0,
        ),
        (
            Reply(content="I cannot."),
            DecisionTable(should_call_silent=7, should_abstain_silent=3),
            3.0,
        ),
    ],
    ids=["always calls", "never calls"],
)
def test_a_model_that_always_does_the_same_scores_as_the_table_says(
    reply: Reply, table: DecisionTable, value: float, tmp_path: Path
) -> None:
    suite = samples(built(tmp_path, *mixed()), tmp_path)

    tally = played(suite, dict.fromkeys((one.id for one in suite), reply))

    assert tally.decision_table() == table
    assert tally.value_sum == value


def test_several_answers_count_and_say_how_far_the_incumbent_agrees_with_itself(tmp_path: Path) -> None:
    other = Reference(uses("find.order", '{"id": "B"}'), "human", 1)
    twice = call("a", uses("find.order", '{"id": "A"}'), tools=(TOOL,), also=[other], count=2)
    same = call("b", uses("find.order", '{"id": "A"}'), tools=(TOOL,), count=2)

    made = built(tmp_path, twice, same)

    target = samples(made, tmp_path)[0].target
    assert isinstance(target, ReplayTarget)
    assert made.spec.ceiling is not None
    assert made.spec.ceiling.n == 2
    assert made.spec.ceiling.rate == pytest.approx((1 / 3 + 1) / 2)
    assert made.spec.ceiling.interval.low < made.spec.ceiling.rate < made.spec.ceiling.interval.high
    assert made.facts.several == 1
    assert "66.7%" in (made.folder / "datasheet.md").read_text()


def test_unstable_requests_can_be_left_out(tmp_path: Path) -> None:
    other = Reference(says("No."), "incumbent", 1)

    made = built(tmp_path, call("a", says("Yes."), also=[other]), call("b", says("Yes.")), unstable="drop")

    assert [one.id for one in samples(made, tmp_path)] == ["b"]
    assert made.facts.unfit.total() == 1


@pytest.mark.parametrize(
    ("reply", "more", "why"),
    [
        (says(" "), {}, "says nothing"),
        (uses("find.order", "{"), {"tools": (TOOL,)}, "no JSON object"),
        (uses("gone", "{}"), {"tools": (TOOL,)}, "not offered"),
        (says("x") | {"finish_reason": "length"}, {}, "cut off"),
        (says("x"), {"messages": ({"role": "user", "content": [{"type": "image_url"}]},)}, "more than text"),
    ],
)
def test_what_cannot_be_asked_is_left_out_and_counted(
    reply: dict[str, Any], more: dict[str, Any], why: str, tmp_path: Path
) -> None:
    made = built(tmp_path, call("a", reply, **more), call("b", says("Yes.")))

    assert [one.id for one in samples(made, tmp_path)] == ["b"]
    (reason,) = made.facts.unfit
    assert why in reason
    assert reason in (made.folder / "datasheet.md").read_text()


def test_a_suite_of_nothing_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"can be asked again .*says nothing: 1"):
        built(tmp_path, call("a", says("")))


def test_the_same_request_twice_is_one_sample_with_both_weights(tmp_path: Path) -> None:
    asked = ({"role": "user", "content": "Hello?"},)
    one = call("a", says("Yes."), messages=asked, weight=2, params={"seed": 1})
    two = call("b", says("Yes!"), messages=asked, weight=3, params={"seed": 2})

    made = built(tmp_path, one, two)

    (sample,) = samples(made, tmp_path)
    assert (sample.id, sample.weight) == ("a", 5.0)


def test_clusters_are_the_strata_where_a_file_says_them(tmp_path: Path) -> None:
    table = pa.table({"call": ["c0", "c1", "w0"], "cluster": ["refunds", "refunds", "greetings"]})
    pq.write_table(table, tmp_path / "assignments.parquet")

    made = built(tmp_path, *mixed(), clusters=str(tmp_path))

    found = Counter(one.category for one in samples(made, tmp_path))
    assert found == {"refunds": 2, "greetings": 1, "unassigned": 7}


def test_clusters_with_names_are_called_by_them(tmp_path: Path) -> None:
    table = pa.table({"call": ["c0", "c1", "w0"], "cluster": ["c0", "c0", "c1"]})
    pq.write_table(table, tmp_path / "assignments.parquet")
    (tmp_path / "clusters.json").write_text(task_book()[0].model_dump_json(), encoding="utf-8")

    made = built(tmp_path, *mixed(), clusters=str(tmp_path))

    assert made.spec.titles == {"c0": "refund of order number 0", "c1": "refund of order number 1"}
    assert read_spec("it", made.folder).titles == made.spec.titles


def test_a_file_that_assigns_nothing_is_refused_with_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": ["c0"], "cluster": ["x"]}), tmp_path / "assignments.parquet")

    with pytest.raises(ConfigError, match=r"columns row, cluster; needed: call"):
        built(tmp_path, *mixed(), clusters=str(tmp_path / "assignments.parquet"))


def test_a_stratum_gives_as_many_as_wanted_and_its_weights_are_its_traffic() -> None:
    members = [Candidate(f"c{n}", "big", "test", f"s{n % 5}", 2) for n in range(50)]

    (big,) = pick(members, 20, None, 0)
    (apart,) = pick(members, 20, 1, 0)

    assert (len(big.taken), big.traffic, big.usable) == (20, 100, 50)
    assert sum(big.taken.values()) == pytest.approx(100)
    assert len(apart.taken) == 5
    assert sum(apart.taken.values()) == pytest.approx(100)


def test_a_run_takes_the_first_split_and_another_when_told(tmp_path: Path) -> None:
    calls = [
        call("a", says("Yes.")),
        call("b", says("Yes."), split="calibration"),
        call("c", says("Yes."), split="train"),
    ]

    made = built(tmp_path, *calls, splits=("test", "calibration"))

    assert [one.id for one in samples(made, tmp_path)] == ["a"]
    assert [one.id for one in samples(made, tmp_path, options={"split": "calibration"})] == ["b"]
    assert [one.id for one in samples(made, tmp_path, options={"split": "all"})] == ["a", "b"]
    assert made.facts.elsewhere == 1


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    made = built(tmp_path, *mixed())

    with pytest.raises(ConfigError, match=r"split=tset, allowed: train, calibration, test, or all"):
        samples(made, tmp_path, options={"split": "tset"})


def test_a_split_that_the_suite_does_not_hold_is_named_with_those_it_does(tmp_path: Path) -> None:
    made = built(tmp_path, *mixed())

    with pytest.raises(DataError, match=r"no sample of the split train; it holds test; .*build\.splits="):
        samples(made, tmp_path, options={"split": "train"})


def test_a_request_field_that_no_call_has_is_refused_with_those_they_have(tmp_path: Path) -> None:
    one = call("a", says("Yes."), params={"reasoning_effort": "low", "max_completion_tokens": 9})
    made = built(tmp_path, one, params=("reasoning_effort", "max_completion_tokens"))

    with pytest.raises(ConfigError, match=r"build\.params=colour .*reasoning_effort"):
        build(options(tmp_path, params=("colour",), replace=True))
    with pytest.raises(ConfigError, match=r"options\.params=colour .*reasoning_effort"):
        samples(made, tmp_path, options={"params": ["colour"]})

    assert samples(made, tmp_path)[0].params == {"reasoning_effort": "low", "max_tokens": 9}
    assert samples(made, tmp_path, options={"params": ["tool_choice"]})[0].params == {}


def test_logged_parameters_are_sent_unless_told_otherwise(tmp_path: Path) -> None:
    one = call("a", says("Yes."), tools=(TOOL,), params={"tool_choice": "required", "temperature": 1.0})

    made = built(tmp_path, one)

    (asked,) = samples(made, tmp_path, options={"params": ["tool_choice"]})
    assert asked.params == {"tool_choice": "required"}


def test_the_same_calls_make_the_same_suite_and_nobody_else_reads_it(tmp_path: Path) -> None:
    first = built(tmp_path, *mixed())
    before = (first.folder / "samples.jsonl").read_bytes()

    again = build(options(tmp_path, replace=True))

    assert (again.folder / "samples.jsonl").read_bytes() == before
    assert again.spec.built["samples.jsonl"] == hashlib.sha256(before).hexdigest()
    assert stat.S_IMODE((again.folder / "samples.jsonl").stat().st_mode) == 0o600
    assert (again.folder / ".gitignore").read_text().endswith("*\n")


def test_a_suite_is_not_written_over_unless_told(tmp_path: Path) -> None:
    built(tmp_path, *mixed())

    with pytest.raises(ConfigError, match=r"build\.replace=true"):
        build(options(tmp_path))


def test_a_folder_of_anything_else_is_left_alone(tmp_path: Path) -> None:
    curated(tmp_path / "calls", mixed())
    (tmp_path / "suites" / "support").mkdir(parents=True)

    with pytest.raises(ConfigError, match="left alone"):
        build(options(tmp_path, replace=True))


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "sample500.jsonl.xz").is_file(), reason="../shared is not beside the checkout")
def test_on_real_logs_the_incumbent_scores_full_marks_on_its_own_record(tmp_path: Path) -> None:
    made = built(tmp_path, *calls_of(SHARED / "sample500.jsonl.xz"))

    suite = samples(made, tmp_path)
    replies = {name: told(line).reply for name, line in answers(made).items()}
    tally = played(suite, {name: one for name, one in replies.items() if one is not None})

    table = tally.decision_table()
    assert tally.value_sum == tally.n_scored == len(suite) == 499
    assert table is not None
    assert (table.should_call_silent, table.should_abstain_called) == (0, 0)
    assert json.loads(suite[0].model_dump_json())["target"]["kind"] == "replay"
