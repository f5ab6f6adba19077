"""do=build over several processors: the same suite as on one."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.config import BuildOptions
from harness.cores import ONE_CORE, Cores
from harness.errors import DataError
from harness.executor.cores import LocalCores
from harness.records.call import Call, Reference
from harness.store.calls import CONTENTS
from harness.suite.build import Built, build
from tests.support.posted import Posted
from tests.support.replay_calls import call, curated, says, uses

TOOL = {"name": "find.order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}


def logged() -> Iterator[Call]:
    """Sessions of three steps, among them a request that comes again, one with two answers, one that cannot be asked,
    one of another split."""
    for number in range(12):
        messages: tuple[dict[str, object], ...] = ({"role": "user", "content": f"Where is {number % 5}?"},)
        for step in range(3):
            name, reply = f"{number}-{step}", uses("find.order", f'{{"id": "A{number % 4}"}}')
            also = [Reference(says("Which order?"), "incumbent", 1)] if number % 3 == 0 else []
            yield call(
                name, {**reply, "finish_reason": "length"} if number == 7 else reply, also=also, messages=messages,
                tools=(TOOL,), session=f"s{number}", split="train" if number in {2, 3} else "test",
                agent=f"desk {number % 2}", at=None if number == 5 else 1_700_000_000.0 + number,
            )  # fmt: skip
            answer = {key: value for key, value in reply.items() if key != "finish_reason"}
            result: dict[str, object] = {"role": "tool", "tool_call_id": "c1", "content": f"done {step}"}
            then: dict[str, object] = {"role": "user", "content": f"And {step}?"}
            messages = (*messages, answer, result, then)
    yield call("alone", says("Yes."), session=None)


def made(tmp: Path, name: str, cores: Cores, replay: str) -> tuple[Built, dict[str, str]]:
    where = {"calls": str(tmp / "calls"), "name": "support", "out": str(tmp / name)}
    built = build(BuildOptions.model_validate({**where, "replay": replay}), cores)
    return built, {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in built.folder.iterdir()}


@pytest.fixture
def two() -> Iterator[LocalCores]:
    with LocalCores(2) as cores:
        yield cores


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.suite.build_survey._ROWS", 7)
    monkeypatch.setattr("harness.suite.build_survey._TAKEN", 4)


@pytest.mark.parametrize("replay", ["step", "trajectory"])
def test_a_suite_is_the_same_bytes_in_small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replay: str) -> None:
    curated(tmp_path / "calls", logged())
    one, whole = made(tmp_path, "one", ONE_CORE, replay)
    monkeypatch.setattr("harness.suite.build_survey._ROWS", 7)
    monkeypatch.setattr("harness.suite.build_survey._TAKEN", 4)

    posted, parts = made(tmp_path, "posted", Posted(), replay)

    assert set(whole) == {
        "suite.yaml", "samples.jsonl", "incumbent.jsonl", "datasheet.md", "arrivals.jsonl", ".gitignore",
    }  # fmt: skip
    assert parts == whole
    assert (posted.facts, posted.strata, posted.spec.ceiling) == (one.facts, one.strata, one.spec.ceiling)
    assert one.facts.read == 37
    assert one.facts.unfit


@pytest.mark.usefixtures("_small_parts")
def test_a_suite_is_the_same_bytes_from_two_processes(tmp_path: Path, two: LocalCores) -> None:
    curated(tmp_path / "calls", logged())

    _, one = made(tmp_path, "one", ONE_CORE, "step")
    _, spawned = made(tmp_path, "spawned", two, "step")

    assert spawned == one


@pytest.mark.usefixtures("_small_parts")
def test_a_damaged_folder_is_one_line_from_another_process_too(tmp_path: Path, two: LocalCores) -> None:
    folder = curated(tmp_path / "calls", logged())
    (folder / CONTENTS).write_bytes(b"nothing")

    with pytest.raises(DataError, match=r"contents\.parquet cannot be read") as told:
        made(tmp_path, "two", two, "step")

    assert "\n" not in str(told.value)
