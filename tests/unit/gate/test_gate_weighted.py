"""Right answers by traffic, and machines that are told apart by their graphics cards."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from harness.gate.side import Side
from harness.gate.times import compare_times
from harness.records import Message, Sample, TextTarget
from harness.runner.facts import machine_facts
from harness.store.digests import sample_digest
from tests.support.gates import HERE, check, gated, side


def weighted(found: Side, weights: list[float]) -> Side:
    outcomes = [one.model_copy(update={"weight": w}) for one, w in zip(found.outcomes, weights, strict=True)]
    return Side(found.run, tuple(outcomes))


def test_a_suite_whose_samples_all_count_the_same_has_no_check_by_traffic() -> None:
    found = gated(side("old", [1.0] * 70), weighted(side("new", [1.0] * 70), [3.0] * 70))

    assert "weighted" not in {one.name for one in found.checks}


def test_a_loss_where_the_traffic_is_shows_by_traffic_alone() -> None:
    weights = [40.0] * 10 + [1.0] * 300
    new = weighted(side("new", [0.0] * 8 + [1.0] * 302), weights)

    found = gated(side("old", [1.0] * 310), new, weighted={"tier": "blocking"})

    assert check(found, "accuracy").status == "pass"
    assert check(found, "weighted").status == "fail"
    assert check(found, "weighted").estimate == pytest.approx(-320 / 700)
    assert check(found, "weighted").candidate == pytest.approx(380 / 700)
    assert found.verdict == "fail"
    assert "by their calls" in check(found, "weighted").why


def test_by_default_it_is_a_warning() -> None:
    new = weighted(side("new", [0.0] * 8 + [1.0] * 302), [40.0] * 10 + [1.0] * 300)

    found = gated(side("old", [1.0] * 310), new)

    assert (check(found, "weighted").tier, found.verdict) == ("warning", "pass")


def test_a_share_by_traffic_is_held_against_a_floor_and_the_baseline_s() -> None:
    values = [0.0] * 8 + [1.0] * 302
    new = weighted(side("new", values), [40.0] * 10 + [1.0] * 300)

    found = gated(side("old", [1.0] * 310), new, weighted={"margin": None, "least": 0.9, "keep": 0.9})

    assert check(found, "weighted", "least").estimate == pytest.approx(380 / 700)
    assert check(found, "weighted", "keep").candidate == pytest.approx(380 / 700)


def test_a_loss_of_the_margin_by_traffic_passes_less_often_than_alpha() -> None:
    """Samples stand for 1 to 9 calls, and whoever stands for more is lost more often; in sessions over clusters."""
    rng, passed = np.random.default_rng(0), 0
    weights = (1 + np.arange(200) % 9).astype(float)
    chance = 0.05 * weights * weights.sum() / (weights**2).sum()
    labels = [str(place // 2) for place in range(200)]
    for _ in range(100):
        lost = rng.random(200) < chance
        new = weighted(side("new", (1.0 - lost).tolist(), sessions=labels), weights.tolist())
        old = side("old", [1.0] * 200, sessions=labels)
        passed += check(gated(old, new), "weighted").status == "pass"

    assert passed <= binom.ppf(0.999, 100, 0.05)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"gpus": ("NVIDIA L4, 23034 MiB",), "gpu_driver": "550"}, "graphics none known and NVIDIA L4, 23034 MiB"),
        ({}, None),
    ],
    ids=["card", "none"],
)
def test_times_of_another_card_are_refused(other: dict[str, object], said: str | None) -> None:
    times = compare_times(side("old", [1.0]), side("new", [1.0], machine=HERE.model_copy(update=other)))

    assert (times.how == "refused") == (said is not None)
    assert (said or "equal facts") in times.why


def test_another_driver_is_another_machine() -> None:
    card = {"gpus": ("NVIDIA L4, 23034 MiB",), "gpu_driver": "550"}
    old, new = (HERE.model_copy(update=card | {"gpu_driver": driver}) for driver in ("550", "560"))

    assert "(driver 550) and" in compare_times(side("old", [1.0], machine=old), side("new", [1.0], machine=new)).why


@pytest.mark.parametrize(
    ("script", "cards", "driver"),
    [
        ("echo 'NVIDIA L4, 23034 MiB, 550.54.15'\necho 'NVIDIA L4, 23034 MiB, 550.54.15'",
         ("NVIDIA L4, 23034 MiB", "NVIDIA L4, 23034 MiB"), "550.54.15"),
        ("echo 'no devices were found'; exit 6", (), None),
    ],
    ids=["two cards", "not well"],
)  # fmt: skip
def test_a_machine_s_cards_are_in_its_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, cards: tuple[str, ...], driver: str | None
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    facts = machine_facts()

    assert (facts.gpus, facts.gpu_driver) == (cards, driver)


def test_the_instruction_to_all_samples_is_no_part_of_the_question() -> None:
    target = TextTarget(match="exact", accepted=("yes",))

    def sample(system: str) -> Sample:
        words = (Message(role="system", content=system), Message(role="user", content="?"))
        return Sample(id="a", category="c", messages=words, target=target, scorer="text")

    assert sample_digest(sample("Be short."), "Be short.") == sample_digest(sample("Be long."), "Be long.")
    assert sample_digest(sample("Be short."), None) != sample_digest(sample("Be long."), None)
