"""Energy in a run: measured where a counter is, absent with a reason where none can tell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.energy import EnergyMeter, find_sources
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts, EnergyFacts
from harness.runner.engine import Lane
from harness.runner.job import execute
from harness.runner.metering import energy_meter
from harness.runner.spending import measured_joules
from harness.store.runfolder import read_manifest
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.openai_server import Server, serve_in_thread


@pytest.fixture
def yes() -> Iterator[Server]:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        yield server


class Battery:
    """A counter that gains ten joules at each look."""

    name = "battery"

    def __init__(self) -> None:
        self.looks = 0

    def joules(self) -> float:
        self.looks += 1
        return 10.0 * self.looks


def test_a_run_here_keeps_what_the_counters_saw(yes: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runner.metering.find_sources", lambda: ([Battery()], None))

    (outcome,) = execute([echo_job(yes.url, tmp_path)])

    energy = read_manifest(outcome.folder).energy
    assert energy is not None
    assert energy.joules == energy.by_source["battery"] == outcome.summary.energy_joules
    assert energy.joules >= 10
    assert outcome.summary.wall_s is not None
    assert energy.seconds >= outcome.summary.wall_s


def test_without_a_counter_the_energy_is_unknown_and_says_why(
    yes: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = find_sources(root=tmp_path / "no such tree", library=None)
    monkeypatch.setattr("harness.runner.metering.find_sources", lambda: ([], none[1]))

    (outcome,) = execute([echo_job(yes.url, tmp_path)])

    energy = read_manifest(outcome.folder).energy
    assert energy is not None
    assert (energy.joules, outcome.summary.energy_joules) == (None, None)
    assert energy.reason is not None
    assert "no RAPL counter here" in energy.reason


def test_of_two_runs_in_turn_neither_gets_the_energy_of_both(yes: Server, tmp_path: Path) -> None:
    one = echo_job(yes.url, tmp_path)

    outcomes = execute([one, echo_job(yes.url, tmp_path, seed=1)])

    for outcome in outcomes:
        energy = read_manifest(outcome.folder).energy
        assert energy is not None
        assert energy.joules is None
        assert energy.reason == "2 runs in turn: the counters see them together; run them one by one"


@pytest.mark.parametrize(
    ("url", "hosted", "measured"),
    [
        ("http://127.0.0.1:1/v1", False, True),
        ("http://localhost:1/v1", False, True),
        ("http://[::1]:1/v1", False, True),
        ("http://127.0.0.1:1/v1", True, False),
        ("http://192.0.2.7:1/v1", False, False),
        ("https://models.example/v1", False, False),
    ],
)
def test_only_what_answers_on_this_machine_is_measured(url: str, hosted: bool, measured: bool, tmp_path: Path) -> None:
    job = echo_job(url, tmp_path)
    model = job.config.model.model_copy(update={"hosted": hosted})
    endpoint = Endpoint(base_url=url, model="m", facts=BackendFacts(name="endpoint"))
    lane = Lane(model, endpoint, job.config.run, lambda _sample, _attempt: None)

    meter = energy_meter([lane])

    assert (meter is not None) == measured


def test_energy_of_a_part_is_not_taken_for_all() -> None:
    facts = EnergyFacts(joules=100.0, seconds=50.0)

    assert measured_joules(facts, 51.0) == 100.0
    assert measured_joules(facts, 80.0) is None
    assert measured_joules(EnergyFacts(joules=None, seconds=50.0), 50.0) is None
    assert EnergyMeter([], reason="x").reading().joules is None
