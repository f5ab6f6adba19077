"""`suite=inspect` within one process: what a task of Inspect's leaves in a run's folder."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import hydra
import pytest
from inspect_ai.log import list_eval_logs, read_eval_log
from inspect_ai.model import GenerateConfig, get_model

from harness.config import RunConfig, parse, register_defaults
from harness.errors import BackendError, ConfigError
from harness.interop.exports import writer
from harness.interop.inspect_provider import LostError
from harness.interop.inspect_run import execute_inspect, is_inspect
from harness.paths import conf_dir
from harness.runner.job import Outcome
from tests.support.inspect_tasks import TASKS, adds
from tests.support.openai_server import Server, Step, error, serve_in_thread


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Inspect puts handlers of its own on the root logger."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.py"
    file.write_text(TASKS)
    return file


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(adds, models=("scripted",)) as found:
        yield found


def config(tasks: Path, name: str, server: Server, *more: str) -> RunConfig:
    words = [
        "suite=inspect", f"suite.task='{tasks}@{name}'", "model=endpoint", f"model.url={server.url}",
        "model.name=scripted", "progress=off", "run.warmup=0", f"paths.results='{tasks.parent / 'results'}'", *more,
    ]  # fmt: skip
    register_defaults()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        found = parse(hydra.compose("config", overrides=words))
    assert isinstance(found, RunConfig)
    return found


def run(tasks: Path, name: str, server: Server, *more: str) -> Outcome:
    (outcome,) = execute_inspect([config(tasks, name, server, *more)], None)
    return outcome


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_only_the_suite_inspect_is_run_by_inspect(tasks: Path, server: Server) -> None:
    found = config(tasks, "sums", server)

    other = found.model_copy(update={"suite": found.suite.model_copy(update={"name": "toolcall"})})

    assert is_inspect(found)
    assert not is_inspect(other)


def test_each_sample_is_an_attempt_with_steps_timing_and_a_score(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "sums", server, "run.trials=2")

    summary = outcome.summary
    assert (summary.accuracy, summary.n_scored, summary.n_samples, summary.complete) == (1, 4, 2, True)
    assert summary.calls_per_task == 2
    assert summary.ttft_s is not None
    assert summary.ttft_s.n == 8
    assert summary.pass_hat[1].value == 1
    for attempt in lines(outcome.folder / "attempts.jsonl"):
        steps = attempt["steps"]
        assert isinstance(steps, list)
        assert steps[0]["results"][0]["call"]["name"] == "add"
        assert steps[0]["timing"]["first_tool_ns"] > 0


def test_each_trial_has_a_seed_of_its_own(tasks: Path, server: Server) -> None:
    run(tasks, "sums", server, "run.trials=2", "run.seed=5")

    assert {body["seed"] for body in server.bodies} == {5, 6}


def test_no_folder_of_the_users_is_in_the_run(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "sums", server)

    assert "tasks.py@sums" in (outcome.folder / "manifest.json").read_text()
    for file in outcome.folder.glob("*.json*"):
        assert str(tasks.parent) not in file.read_text()


def test_an_agent_of_inspects_with_a_tool_of_its_own(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "agent", server)

    (attempt,) = lines(outcome.folder / "attempts.jsonl")
    steps = attempt["steps"]
    assert isinstance(steps, list)
    assert [one["results"][0]["call"]["name"] for one in steps] == ["add", "submit"]
    assert (outcome.summary.accuracy, attempt["ended"]) == (1, "answered")


def test_scores_of_several_values_are_parts_and_a_fallen_scorer_scores_nobody(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "parts", server, "+suite.options.headline=short")

    summary = outcome.summary
    scores = {one["sample"]: one for one in lines(outcome.folder / "scores.jsonl")}
    assert (summary.accuracy, summary.n_scored, summary.n_failed) == (0.5, 2, 1)
    assert summary.failures == {"task_error": 1}
    assert scores["1"]["parts"] == {"graded/good": 1.0, "graded/short": 0.5}
    assert (scores["2"]["value"], scores["2"]["boundary"]) == (None, "infrastructure")
    assert "the grader fell over" in str(scores["2"]["why"])


def test_a_limit_draws_samples_and_arguments_reach_the_task(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "words", server, "suite.limit=3", "+suite.options.n=5")

    samples = lines(outcome.folder / "samples.jsonl")
    assert len(samples) == len(lines(outcome.folder / "scores.jsonl")) == 3
    assert outcome.summary.accuracy == 1


def test_concurrency_is_kept(tasks: Path, server: Server) -> None:
    outcome = run(tasks, "words", server, "run.concurrency=3")

    (log,) = [read_eval_log(one) for one in list_eval_logs(str(outcome.folder / "inspect"))]
    assert log.eval.config.max_samples == 3
    assert log.plan.config.max_connections == 3


def test_a_dead_endpoint_ends_the_run_and_scores_nobody(tasks: Path) -> None:
    with serve_in_thread(lambda _, __: error(500, {"error": {"message": "broken"}}), models=("scripted",)) as server:
        settings = config(tasks, "words", server, "run.retries=0")

        with pytest.raises(BackendError, match="lost to the infrastructure"):
            execute_inspect([settings], None)

    (folder,) = (tasks.parent / "results" / "run").glob("2*")
    scores = lines(folder / "scores.jsonl")
    assert scores
    assert all(one["value"] is None for one in scores)


def test_a_lost_request_is_tried_again_and_counted(tasks: Path) -> None:
    def flaky(number: int, body: dict[str, object]) -> Sequence[Step]:
        return error(503, {"error": {"message": "busy"}}) if number == 1 else adds(number, body)

    with serve_in_thread(flaky, models=("scripted",)) as server:
        outcome = run(tasks, "words", server, "+suite.options.n=3")

    assert (outcome.summary.accuracy, outcome.summary.n_failed) == (1, 0)
    assert sorted(one["tries"] for one in lines(outcome.folder / "attempts.jsonl")) == [1, 1, 2]  # type: ignore[type-var]


def test_a_refused_key_is_not_tried_again(tasks: Path) -> None:
    with serve_in_thread(lambda _, __: error(401, {"error": {"message": "bad key"}}), models=("scripted",)) as server:
        with pytest.raises(BackendError, match="auth"):
            run(tasks, "words", server, "backend.check=false")

        assert len(server.bodies) == 1


def test_a_budget_ends_the_run_and_the_same_command_goes_on(tasks: Path, server: Server) -> None:
    first = run(tasks, "words", server, "run.budget.calls=3")
    second = run(tasks, "words", server)

    assert first.stopped is not None
    assert first.summary.n_not_run > 0
    assert (first.folder, second.stopped) == (second.folder, None)
    assert (second.summary.n_scored, second.summary.accuracy) == (12, 1)
    scores = lines(second.folder / "scores.jsonl")
    assert len(scores) == len({one["sample"] for one in scores}) == 12
    (log,) = [read_eval_log(one) for one in list_eval_logs(str(second.folder / "inspect"))]
    assert (log.status, len(log.samples or [])) == ("success", 12)


def test_a_finished_run_is_not_made_again(tasks: Path, server: Server) -> None:
    first = run(tasks, "words", server, "suite.limit=2")
    asked = len(server.bodies)

    again = run(tasks, "words", server, "suite.limit=2", f"run.resume='{first.folder}'")

    assert len(server.bodies) == asked
    assert again.summary.n_scored == 2


def test_samples_lost_once_are_made_again(tasks: Path) -> None:
    broken = True

    def sometimes(number: int, body: dict[str, object]) -> Sequence[Step]:
        bad = broken and "word 1." in json.dumps(body)
        return error(400, {"error": {"message": "no"}}) if bad else adds(number, body)

    with serve_in_thread(sometimes, models=("scripted",)) as server:
        first = run(tasks, "words", server, "+suite.options.n=4")
        broken = False
        again = run(tasks, "words", server, "+suite.options.n=4", f"run.resume='{first.folder}'")

    assert (first.summary.n_scored, first.summary.n_failed) == (3, 1)
    assert (again.summary.n_scored, again.summary.n_failed, again.summary.accuracy) == (4, 0, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run.arrival.kind=constant", "run.arrival.rate_per_s=2"], "closed loop only"),
        (["run.stop=verdict"], "run.stop is for suites whose requests are ours"),
        (["run.recheck=constrained"], "run.recheck"),
        (["+suite.options.range=[1]"], "range"),
    ],
)
def test_settings_that_there_is_no_room_for_are_refused(
    tasks: Path, server: Server, words: list[str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        run(tasks, "sums", server, *words)


def test_a_run_of_inspects_is_exported_with_its_own_values(tasks: Path, server: Server, tmp_path: Path) -> None:
    outcome = run(tasks, "sums", server)

    log = read_eval_log(str(writer("inspect")(outcome.folder, tmp_path)))

    assert log.eval.task == "tasks.py@sums"
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1


async def test_a_model_of_ours_answers_without_a_task(server: Server) -> None:
    model = get_model("harness/endpoint", memoize=False, url=server.url, name="scripted")

    output = await model.generate("Say hello", config=GenerateConfig(max_tokens=5, seed=9))

    assert output.completion == "hello"
    assert (output.metadata or {})["e2e_s"] > 0
    assert server.bodies[-1]["max_tokens"] == 5
    assert server.bodies[-1]["seed"] == 9


async def test_what_may_pass_is_worth_a_retry_and_the_rest_is_not(server: Server) -> None:
    from harness.records import Failure

    api = get_model("harness/endpoint", memoize=False, url=server.url, name="scripted").api
    busy = Failure(boundary="infrastructure", kind="rate_limit", message="slow down", retry_after_s=2.0)
    refused = Failure(boundary="infrastructure", kind="auth", message="bad key", status=401)

    decision = api.should_retry(LostError(busy))

    assert (decision.retry, decision.kind, decision.retry_after) == (True, "rate_limit", 2.0)  # type: ignore[union-attr]
    assert not api.should_retry(LostError(refused))
    assert api.is_auth_failure(LostError(refused))
    assert not api.should_retry(ValueError("ours"))
