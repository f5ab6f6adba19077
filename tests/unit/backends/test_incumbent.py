"""What the log's own model answered, as a row of the board: found beside the suite, named, priced, never timed anew."""

import json
import lzma
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.backends.incumbent import seated
from harness.backends.recorded import Recorded
from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PriceConfig,
    RecordedConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.errors import ConfigError, DataError
from harness.measure import e2e_s, ttft_s
from harness.prices import find_price_map
from harness.records import Attempt
from harness.records.summary import Summary
from harness.report.provenance import answers_text
from harness.verbs.run import main

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "sample500.jsonl.xz"
SPEC = "name: logged\ntitle: Logged\ndescription: Calls.\nlicence: CC0-1.0\nloader: jsonl\nscorer: {scorer}\n"
LOGGED = {"name": "incumbent", "title": "incumbent", "licence": "unknown", "hosted": True, "protocol": "native"}


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """The verb takes SIGTERM for its own process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def config(tmp: Path, *, path: str | None = None, **model: object) -> RunConfig:
    return RunConfig.model_validate(
        {
            "do": "run",
            "paths": {"results": str(tmp / "results"), "reports": str(tmp / "reports")},
            "progress": "off",
            "suite": SuiteConfig(name="local", path=str(tmp / "suite")),
            "model": ModelConfig.model_validate({**LOGGED, **model}),
            "backend": RecordedConfig(name="recorded", path=path),
            "hardware": HardwareConfig(name="none", title="none"),
            "run": RunnerConfig(),
        }
    )


def suite(tmp: Path, samples: list[dict[str, Any]], answers: list[dict[str, Any]] | None, scorer: str = "text") -> Path:
    folder = tmp / "suite"
    folder.mkdir()
    (folder / "suite.yaml").write_text(SPEC.format(scorer=scorer))
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, samples)))
    if answers is not None:
        (folder / "incumbent.jsonl").write_text("\n".join(map(json.dumps, answers)))
    return folder


QUESTIONS = [{"id": f"q{n}", "prompt": "2 + 2?", "answer": "4"} for n in range(4)]


def answer(number: int, **more: object) -> dict[str, Any]:
    return {"id": f"q{number}", "model": "gpt-4.1", "reply": "4", **more}


def run(tmp: Path, price: PriceConfig | None = None) -> Summary:
    main([config(tmp, price=price)])
    return Summary.model_validate_json((tmp / "results/run/latest/summary.json").read_bytes())


def attempts(tmp: Path, *lines: dict[str, Any], **model: object) -> list[Attempt]:
    file = tmp / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return list(Recorded(RecordedConfig(name="recorded", path=str(file)), made(**model)).attempts())


def made(**changes: object) -> ModelConfig:
    return ModelConfig.model_validate({**LOGGED, **changes})


def test_the_row_has_the_logs_name_its_times_and_both_costs_apart(tmp_path: Path) -> None:
    price = PriceConfig(input_usd_per_mtok=2, output_usd_per_mtok=8, as_of="2026-11-01")
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    suite(tmp_path, QUESTIONS, [answer(n, usage=usage, cost_usd=0.001, latency_s=1.5) for n in range(4)])

    summary = run(tmp_path, price=price)

    assert (summary.model, summary.model_title, summary.backend) == ("gpt-4.1", "incumbent (gpt-4.1)", "recorded")
    assert (summary.accuracy, summary.n_scored, summary.wall_s) == (1.0, 4, None)
    assert summary.cost_usd == pytest.approx(4 * 0.0028)
    assert summary.recorded_cost is not None
    assert (summary.recorded_cost.usd, summary.recorded_cost.by) == (0.004, ("log",))
    assert summary.spent_usd == 0.0
    assert summary.e2e_s is not None
    assert (summary.e2e_s.p50, summary.ttft_s) == (1.5, None)


def test_the_page_says_that_times_are_the_logs_and_not_ours(tmp_path: Path) -> None:
    suite(tmp_path, QUESTIONS, [answer(n, latency_s=1.5, latency_source="timestamp_delta") for n in range(4)])

    said = answers_text(run(tmp_path))

    assert said is not None
    assert said.startswith("4 of 4 answers are on record (gpt-4.1), none was asked for here.")
    assert "Times are the log's (4 end to end, taken from timestamp_delta)" in said
    assert "1.50 s (log)" in (tmp_path / "results/run/latest/summary.md").read_text()
    assert re.search(r"1\.50\s(s) \(log\)", (tmp_path / "reports/leaderboard.html").read_text())


def test_several_models_of_one_log_are_one_row_that_names_them(tmp_path: Path) -> None:
    suite(tmp_path, QUESTIONS, [answer(n, model="gpt-4.1" if n else "claude-sonnet-4-5") for n in range(4)])

    summary = run(tmp_path)

    assert (summary.model, summary.model_title) == ("incumbent", "incumbent (gpt-4.1, claude-sonnet-4-5)")
    assert summary.recorded is not None
    assert summary.recorded.models == ("gpt-4.1", "claude-sonnet-4-5")


@pytest.mark.skipif(find_price_map() is None, reason="litellm, whose price map is read, is not here")
def test_each_answer_of_a_mixed_log_costs_what_its_own_model_does(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    models = ("gpt-4.1", "claude-sonnet-4-5", "nobody-knows-it")

    found = attempts(tmp_path, *(answer(n, model=name, usage=usage) for n, name in enumerate(models)))

    assert [one.cost_usd for one in found][2] is None
    assert found[0].cost_usd == pytest.approx(2.0)
    assert found[1].cost_usd is not None


def test_answers_may_stand_in_the_samples_themselves(tmp_path: Path) -> None:
    lines = [{**one, "incumbent": {"model": "gpt-4.1", "reply": "4"}} for one in QUESTIONS[:3]]
    suite(tmp_path, [*lines, QUESTIONS[3]], None)

    summary = run(tmp_path)

    assert (summary.model, summary.n_scored, summary.n_not_run) == ("gpt-4.1", 3, 1)


def test_without_answers_one_line_says_what_is_missing_and_how_to_make_it(tmp_path: Path) -> None:
    suite(tmp_path, QUESTIONS, None)

    with pytest.raises(
        ConfigError, match=r'incumbent\.jsonl is missing\. Write one line.*"reply": "…"\}.*backend\.path='
    ):
        main([config(tmp_path)])


def test_answers_to_other_samples_are_refused(tmp_path: Path) -> None:
    suite(tmp_path, QUESTIONS, [{"id": "elsewhere", "reply": "4"}])

    with pytest.raises(ConfigError, match=r"^incumbent\.jsonl has no answer to any sample of this run"):
        main([config(tmp_path)])


def test_a_model_that_is_asked_keeps_its_configuration(tmp_path: Path) -> None:
    asked = config(tmp_path).model_copy(update={"backend": EndpointConfig(name="endpoint")})

    assert seated(asked, ["q0"], [tmp_path]) == asked


@pytest.mark.parametrize(
    ("line", "whole", "first"),
    [
        ({"latency_s": 2.0}, 2.0, None),
        ({"latency_s": 2.0, "ttft_s": 0.5}, 2.0, 0.5),
        ({"latency_s": 0.5, "latency_source": "litellm.response_time", "stream": True}, None, 0.5),
        ({"latency_s": 2.0, "latency_source": "litellm.response_time", "stream": False}, 2.0, None),
        ({"latency_s": 0.5, "latency_source": "response_time"}, None, None),
        ({"latency_s": 0.01, "ttft_s": 0.01, "cache_hit": True}, None, None),
    ],
)
def test_a_logged_time_keeps_its_meaning(
    tmp_path: Path, line: dict[str, Any], whole: float | None, first: float | None
) -> None:
    (attempt,) = attempts(tmp_path, answer(0, **line))

    assert (e2e_s(attempt.timing), ttft_s(attempt.timing)) == (whole, first)
    if whole is None and first is None:
        assert attempt.latency_source is not None
        assert attempt.latency_source.startswith("left aside")


def test_a_logged_failure_is_no_score_unless_it_is_the_models(tmp_path: Path) -> None:
    failures: list[object] = [{"kind": "rate_limit", "message": "slow down"}, "content_filter", {"status": 503}]

    found = attempts(tmp_path, *({"id": f"q{n}", "failure": one} for n, one in enumerate(failures)))

    assert [one.failure and (one.failure.boundary, one.failure.kind) for one in found] == [
        ("infrastructure", "rate_limit"), ("model", "content_filter"), ("infrastructure", "server_error"),
    ]  # fmt: skip
    assert {one.reply for one in found} == {None}


@pytest.mark.parametrize("protocol", ["prompted", "constrained"])
def test_calls_of_a_log_are_native_whatever_the_protocol_is(tmp_path: Path, protocol: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}

    (called,) = attempts(tmp_path, {"id": "s", "response": {"choices": [{"message": message}]}}, protocol=protocol)

    assert (called.protocol, called.origin) == ("native", "recorded")


def test_counts_of_caches_are_read_by_every_name_and_only_where_they_are_part_of_the_prompt(tmp_path: Path) -> None:
    usages = [
        {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}},
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 20,
        },
        {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40},
        {"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": 60},
    ]

    found = attempts(tmp_path, *(answer(n, usage=one) for n, one in enumerate(usages)))

    counted = [(one.usage.cached_tokens, one.usage.cache_write_tokens) for one in found]
    assert counted == [(60, None), (60, 20), (60, None), (None, None)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"id": "a", "reply": "x", "latency_s": -1}, "latency_s=-1 is no number from 0"),
        ({"id": "a", "reply": "x", "cost_usd": "free"}, "cost_usd='free' is no number from 0"),
        ({"id": "a", "reply": "x", "trial": "one"}, "trial='one' is no number from 0"),
        ({"id": "a", "reply": "x", "at": "yesterday"}, "yesterday"),
        ({"id": "a", "incumbent": "4", "prompt": "?"}, '"incumbent" is an object'),
        ({"id": "a", "reply": {}}, "holds no reply that can be read"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match="line 1") as failed:
        attempts(tmp_path, line)
    assert words in str(failed.value)


def accepted(value: Any) -> Any:
    """A logged argument as a target has it: each value of an object in a list of its own."""
    if isinstance(value, dict):
        return {key: [accepted(one)] for key, one in value.items()}
    return [accepted(one) for one in value] if isinstance(value, list) else value


def logged_calls(model: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Sample and answer of each real call with tools: the target is the call itself."""
    with lzma.open(SHARED) as file:
        for row in map(json.loads, file):
            calls = row["response"]["choices"][0]["message"].get("tool_calls")
            if row["model"] != model or not calls:
                continue
            name = f"{row['trace_id']}-{row['step']}"
            wanted = [
                {"name": one["function"]["name"], "arguments": {key: [accepted(value)] for key, value in
                 json.loads(one["function"]["arguments"]).items()}} for one in calls
            ]  # fmt: skip
            tools = [
                {key: value for key, value in one["function"].items() if key != "strict"}
                for one in row["request"]["tools"]
            ]
            target = {"kind": "tool_calls", "expect": "calls", "calls": wanted}
            yield (
                {"id": name, "category": row["agent"], "session": row["trace_id"], "tools": tools, "target": target,
                 "prompt": "?"},
                {"id": name, "model": row["model"], "response": row["response"], "latency_s": row.get("latency_s"),
                 "latency_source": row.get("latency_source"), "cost_usd": row.get("cost_usd"), "at": row["timestamp"]},
            )  # fmt: skip


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason="../shared is not here")
def test_a_real_log_is_right_where_it_is_its_own_target(tmp_path: Path) -> None:
    both = list(logged_calls("gpt-4.1"))[:60]
    suite(tmp_path, [one for one, _ in both], [one for _, one in both], scorer="bfcl")

    summary = run(tmp_path)

    assert len(both) == 60
    assert (summary.accuracy, summary.n_scored, summary.model) == (1.0, 60, "gpt-4.1")
    assert summary.recorded is not None
    assert summary.recorded.latency_sources == ("timestamp_delta",)
    assert summary.recorded_cost is not None
    assert summary.recorded_cost.n == 60
    if summary.cost_usd is not None:  # by litellm's map, where that is here
        assert (
            summary.recorded_cost.usd < summary.cost_usd
        )  # as README of the data says: the log counts no cached tokens
