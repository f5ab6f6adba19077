"""Runs under `run.stop`: sittings that end before the rule does, trials, lost attempts, and what the files say."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.protocols import Endpoint
from harness.records import Sample
from harness.records.manifest import BackendFacts
from harness.records.sequential import EarlyStop
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.runner.stopping_against import facing
from harness.store.compact import compact
from harness.store.journal import read_journal
from harness.store.runfolder import MANIFEST, PARQUET, read_manifest, write_record
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import SAMPLES, Attached, echo_job
from tests.support.openai_server import Server, Step, serve_in_thread

MANY = tuple(
    SAMPLES[0].model_copy(
        update={
            "id": f"s{n}",
            "category": f"c{n % 2}",
            "messages": (SAMPLES[0].messages[0].model_copy(update={"content": f"question {n}"}),),
        }
    )
    for n in range(120)
)


def answer(_number: int, body: dict[str, Any]) -> Sequence[Step]:
    """A model's name says how often it is right: `m70`."""
    model, question = body["model"], body["messages"][-1]["content"]
    right = Random(f"{model} {question}").random() < int(model[1:]) / 100
    return fake.reply("yes" if right else "no")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(answer) as found:
        yield found


def job(server: Server, tmp: Path, name: str, samples: tuple[Sample, ...] = MANY, /, **run: object) -> Job:
    found = echo_job(server.url, tmp, None, samples, stop="verdict", **run)
    model = found.config.model.model_copy(update={"name": name})
    return replace(
        found, config=found.config.model_copy(update={"model": model}), backend=_Named(server.url, model=name)
    )


@dataclass
class _Named(Attached):
    """The same backend under a model's own name."""

    model: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        yield Endpoint(base_url=self.url, model=self.model, facts=BackendFacts(name="endpoint"))


def pair(server: Server, tmp: Path, *names: str, samples: tuple[Sample, ...] = MANY, **run: object) -> list[Outcome]:
    return execute(facing([job(server, tmp, name, samples, **run) for name in names]))


def early(outcome: Outcome) -> EarlyStop:
    found = outcome.summary.early
    assert found is not None
    return found


def said(outcome: Outcome) -> dict[str, tuple[str, int | None]]:
    return {one.cluster: (one.verdict, one.seen.decided_at) for one in early(outcome).clusters}


def test_a_budget_ends_a_sitting_and_the_next_ones_end_with_the_same_verdict(server: Server, tmp_path: Path) -> None:
    whole = pair(server, tmp_path / "whole", "m40", "m95")
    sittings = [pair(server, tmp_path / "parts", "m40", "m95", budget={"calls": 30})]
    while sittings[-1][0].stopped:
        sittings.append(pair(server, tmp_path / "parts", "m40", "m95", budget={"calls": 30}))

    first, last = sittings[0][1], sittings[-1][1]
    assert len(sittings) > 1
    assert len({one[1].folder for one in sittings}) == 1
    assert not early(first).stopped
    assert read_manifest(last.folder).status == "settled"
    assert said(last) == said(whole[1])
    assert len(read_run(last.folder).attempts) == len(read_run(whole[1].folder).attempts)


def test_a_run_killed_after_its_last_verdict_asks_nothing_more(server: Server, tmp_path: Path) -> None:
    ended = pair(server, tmp_path, "m30", "m99")
    asked = len(server.bodies)
    for outcome in ended:
        write_record(outcome.folder / MANIFEST, read_manifest(outcome.folder).model_copy(update={"status": "running"}))

    again = pair(server, tmp_path, "m30", "m99")

    assert len(server.bodies) == asked
    assert [one.folder for one in again] == [one.folder for one in ended]
    assert [read_manifest(one.folder).status for one in again] == ["settled", "settled"]
    assert said(again[1]) == said(ended[1])


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_verdict_is_that_of_one_at_a_time_however_many_are_on_their_way(
    server: Server, tmp_path: Path, concurrency: int
) -> None:
    calm = pair(server, tmp_path / "one", "m40", "m95")
    many = pair(server, tmp_path / "many", "m40", "m95", concurrency=concurrency)

    assert {name: verdict for name, (verdict, _) in said(many[1]).items()} == {"c0": "pass", "c1": "pass"}
    assert {name: verdict for name, (verdict, _) in said(calm[1]).items()} == {"c0": "pass", "c1": "pass"}


def test_the_trials_of_a_sample_are_one_unit_and_asked_one_after_the_other(server: Server, tmp_path: Path) -> None:
    _, outcome = pair(server, tmp_path, "m30", "m99", trials=3)

    run = read_run(outcome.folder)
    found = early(outcome)
    assert read_manifest(outcome.folder).status == "settled"
    assert len(run.attempts) == 3 * len({one.sample for one in run.attempts})
    assert found.saved.of == 360
    assert found.saved.attempts == 360 - len(run.attempts)


def test_lost_attempts_are_no_pairs_and_come_again(tmp_path: Path) -> None:
    broken = True

    def flaky(number: int, body: dict[str, Any]) -> Sequence[Step]:
        lost = broken and body["messages"][-1]["content"].endswith("7")
        return fake.error(503, {"error": "busy"}) if lost else answer(number, body)

    with serve_in_thread(flaky) as server:
        first = pair(server, tmp_path, "m55", "m60", samples=MANY[:20], max_failed_frac=1.0)
        broken = False
        words = {"resume": str(first[1].folder)}
        retried = facing([job(server, tmp_path, "m55", MANY[:20], resume=str(first[0].folder)),
                          job(server, tmp_path, "m60", MANY[:20], **words)])  # fmt: skip
        second = execute(retried)

    assert sum(one.seen.n_pairs for one in early(first[1]).clusters) == 18
    assert sum(one.seen.n_pairs for one in early(second[1]).clusters) == 20
    assert second[1].summary.n_failed == 0


def test_what_holds_for_a_fixed_number_alone_is_left_out(server: Server, tmp_path: Path) -> None:
    _, outcome = pair(server, tmp_path, "m40", "m95")

    summary = outcome.summary
    assert summary.accuracy_interval is not None
    assert {one.interval.method for one in summary.by_category.values() if one.interval} == {
        "betting confidence sequence"
    }
    assert all(one.interval is None for one in summary.parts.values())
    assert all(one.interval is None for one in summary.pass_at)
    assert summary.cost_usd_per_sample_interval is None
    assert any("stopped early, certain" in one for one in summary.warnings)


def test_a_stored_run_pairs_only_where_it_was_asked_the_same(server: Server, tmp_path: Path) -> None:
    plain = replace(job(server, tmp_path, "m40", MANY[:60]))
    settings = plain.config.run.model_copy(update={"stop": None})
    (base,) = execute([replace(plain, config=plain.config.model_copy(update={"run": settings}))])
    other = MANY[0].model_copy(update={"category": "elsewhere"})

    (candidate,) = facing([job(server, tmp_path, "m95", (other, *MANY[1:80]), against=str(base.folder))])
    (outcome,) = execute([candidate])

    assert candidate.against is not None
    assert set(candidate.against.values) == {one.id for one in MANY[1:60]}
    assert early(outcome).not_paired == 21
    assert {one.sample for one in read_run(outcome.folder).attempts} <= {one.id for one in MANY[1:60]}
    assert read_manifest(outcome.folder).status == "settled"


def test_a_stopped_run_is_no_baseline(server: Server, tmp_path: Path) -> None:
    _, stopped = pair(server, tmp_path, "m30", "m99")

    with pytest.raises(ConfigError, match="was itself run with"):
        facing([job(server, tmp_path, "m95", against=str(stopped.folder))])


def test_a_settled_run_has_its_table_and_can_be_read_like_any_other(server: Server, tmp_path: Path) -> None:
    _, outcome = pair(server, tmp_path, "m30", "m99")

    target = compact(outcome.folder)

    assert target == outcome.folder / PARQUET
    assert len(list(read_journal(outcome.folder / "samples.jsonl", Sample))) == 120
