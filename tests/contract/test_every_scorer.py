"""What every registered scorer must do, of either kind, on the specimens that it brings."""

import asyncio
import shutil
from collections.abc import Coroutine
from typing import TypeVar, cast

import pytest

from harness.protocols import Case, Checkable
from harness.records import Attempt, Sample, Score
from harness.registry import plugin_names
from harness.runner.validate import GARBAGE, attempt_of, judging, validate
from harness.scorers.context import make_scorer
from tests.support.specimens import Specimen, specimens_of

T = TypeVar("T")
ALL = [(name, number) for name in plugin_names("harness.scorers") for number in range(len(specimens_of(name)))]


def run(work: Coroutine[object, object, T]) -> T:
    return asyncio.run(work)


@pytest.fixture(params=ALL, ids=[f"{name}-{number}" for name, number in ALL])
def named(request: pytest.FixtureRequest) -> tuple[str, Specimen]:
    name, number = request.param
    specimen = specimens_of(name)[number]
    if specimen.needs is not None and shutil.which(specimen.needs) is None:
        pytest.skip(f"{specimen.needs} is not installed here")
    return name, specimen


async def scores(name: str, specimen: Specimen, attempts: list[Attempt]) -> list[Score]:
    async with judging(make_scorer(name, specimen.context)) as judge:
        return [await judge(specimen.sample, attempt) for attempt in attempts]


def replies(sample: Sample) -> list[Attempt]:
    return [attempt_of(sample, Case("near_miss", "garbage", reply)) for reply in GARBAGE]


def test_its_own_cases_the_empty_reply_and_garbage_score_as_they_must(named: tuple[str, Specimen]) -> None:
    name, specimen = named

    found = run(validate(make_scorer(name, specimen.context), [specimen.sample]))

    assert found.findings == []
    assert found.checked["garbage"] == len(GARBAGE)


def test_every_scorer_has_a_specimen_with_a_gold_case_and_one_with_a_near_miss() -> None:
    for name in plugin_names("harness.scorers"):
        kinds = set()
        for specimen in specimens_of(name):
            scorer = cast(Checkable, make_scorer(name, specimen.context))
            kinds |= {case.kind for case in scorer.cases(specimen.sample)}
        assert kinds == {"gold", "near_miss"}, name


def test_a_verdict_names_its_sample_trial_and_scorer_and_can_be_written(named: tuple[str, Specimen]) -> None:
    name, specimen = named
    attempts = [one.model_copy(update={"trial": 3}) for one in replies(specimen.sample)[:2]]

    for score in run(scores(name, specimen, attempts)):
        assert (score.sample, score.category) == (specimen.sample.id, specimen.sample.category)
        assert (score.trial, score.scorer) == (3, name)
        assert Score.model_validate_json(score.model_dump_json()) == score


def test_a_miss_has_a_class_a_boundary_and_a_reason(named: tuple[str, Specimen]) -> None:
    name, specimen = named

    for score in run(scores(name, specimen, replies(specimen.sample))):
        if score.value == 1:
            assert (score.miss, score.boundary) == (None, None)
        else:
            assert (score.boundary, bool(score.why)) == ("model", True)
            assert score.miss is not None


def test_a_huge_reply_gets_a_small_score(named: tuple[str, Specimen]) -> None:
    name, specimen = named

    for score in run(scores(name, specimen, replies(specimen.sample))):
        assert len(score.model_dump_json()) < 20_000
