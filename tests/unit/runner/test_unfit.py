"""The board guard: a broken template or parser is no model that declines."""

from collections.abc import Sequence
from pathlib import Path

from harness.config import ModelConfig
from harness.records import Message, Sample, Tool, ToolTarget
from harness.records.summary import Summary
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.runner.recheck import recheck
from harness.scorers.bfcl import BfclScorer
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.openai_server import Step, serve_in_thread

CALL = '{"name": "f", "arguments": {}}'


def sample(number: int, *, wants: bool) -> Sample:
    target = ToolTarget.model_validate(
        {"expect": "calls", "calls": [{"name": "f", "arguments": {}}]} if wants else {"expect": "no_call"}
    )
    return Sample(
        id=f"s{number}", category="c", messages=(Message(role="user", content=f"question {number}"),),
        tools=(Tool(name="f"),), target=target, scorer="bfcl",
    )  # fmt: skip


def job(url: str, tmp: Path, wanting: int, quiet: int, protocol: str = "prompted") -> Job:
    samples = tuple(sample(number, wants=number < wanting) for number in range(wanting + quiet))
    found = echo_job(url, tmp, BfclScorer(), samples)
    return with_protocol(found, protocol)


def with_protocol(found: Job, protocol: str) -> Job:
    model = ModelConfig.model_validate(found.config.model.model_dump() | {"protocol": protocol})
    config = found.config.model_copy(update={"model": model})
    return Job(config, found.suite, found.suite_hash, found.samples, found.backend, None, found.scorer)


def ran(tmp: Path, text: str, wanting: int = 12, quiet: int = 4) -> Summary:
    with serve_in_thread(lambda _n, _b: fake.reply(text)) as server:
        return execute([job(server.url, tmp, wanting, quiet)])[0].summary


def test_no_readable_call_at_all_is_not_ranked(tmp_path: Path) -> None:
    summary = ran(tmp_path, "I would rather not.")

    assert summary.unfit is not None
    assert "not one readable call in 12 replies to questions that want one, and 4 of 4 samples" in summary.unfit


def test_one_readable_call_is_enough(tmp_path: Path) -> None:
    assert ran(tmp_path, CALL).unfit is None


def test_too_few_questions_are_no_evidence(tmp_path: Path) -> None:
    assert ran(tmp_path, "No.", wanting=9).unfit is None


def test_silence_where_nothing_else_was_asked_is_no_evidence_of_ability(tmp_path: Path) -> None:
    summary = ran(tmp_path, "No.", wanting=0, quiet=12)

    assert summary.unfit is not None
    assert "none of the 12 samples wants a call and none was made" in summary.unfit


def test_points_that_repair_gives_back_and_those_that_were_luck_are_told_apart(tmp_path: Path) -> None:
    summary = ran(tmp_path, '{"name": "f", "arguments": {}')

    assert summary.accuracy == 4 / 16  # nobody can read the call: right where none is wanted
    assert summary.format is not None
    assert (summary.format.points_lost, summary.format.points_repaired) == (12.0, 12.0)
    assert (summary.format.n_repaired, summary.format.points_lucky) == (12, 4.0)


def test_misses_put_again_under_a_grammar_tell_what_was_format(tmp_path: Path) -> None:
    def answer(_n: int, body: dict[str, object]) -> Sequence[Step]:
        return fake.reply(CALL if "response_format" in body else "f, please")

    with serve_in_thread(answer) as server:
        first = job(server.url, tmp_path, 12, 4)
        (outcome,) = execute([first])

        found = recheck(first, outcome, lambda config: with_protocol(first, config.model.protocol)).summary

    assert found.accuracy == 4 / 16
    assert found.grammar is not None
    assert (found.grammar.n_samples, found.grammar.points_back) == (12, 12.0)
    assert found.grammar.e2e_s is not None
    assert found.grammar.run != found.run
