"""The pytest plugin: a gate as tests, assertions with exact bounds, and functions tried until it is certain."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.errors import DataError
from harness.pytest_plugin.of_run import HarnessRun
from harness.pytest_plugin.trials import try_often
from harness.stats.proportion import clopper_pearson
from tests.support.gates import side

Failed = pytest.fail.Exception
Skipped = pytest.skip.Exception


def of(*values: float, inconclusive: str = "fail", **more: object) -> HarnessRun:
    """A run with these values."""
    return HarnessRun(side("new", values, **more), Path("new"), Path("results"), inconclusive)  # type: ignore[arg-type]


def test_a_share_is_held_against_its_exact_lower_bound() -> None:
    found = of(*[1.0] * 59)

    finding = found.accuracy.at_least(0.95)

    assert finding.status == "pass"
    assert found.accuracy.lower() == pytest.approx(0.05 ** (1 / 59), abs=1e-4)
    exact = clopper_pearson(59, 59)
    assert found.accuracy.interval.low == pytest.approx(exact.low, abs=1e-6)


def test_one_sample_less_is_undecided_and_says_how_many_more() -> None:
    with pytest.raises(
        Failed, match=r"at least 95.0 %: neither shown nor refuted; observed 100.0 % of 58 .* samples more"
    ):
        of(*[1.0] * 58).accuracy.at_least(0.95)


@pytest.mark.parametrize(("answer", "raised"), [("fail", Failed), ("skip", Skipped), ("pass", None)])
def test_what_shows_neither_comes_to_what_was_asked(answer: str, raised: type[BaseException] | None) -> None:
    rate = of(*[1.0] * 10, inconclusive=answer).accuracy

    if raised is None:
        assert rate.at_least(0.95).status == "inconclusive"
    else:
        with pytest.raises(raised):
            rate.at_least(0.95)


def test_a_share_that_is_too_small_fails_whatever_is_done_with_undecided_ones() -> None:
    run = of(*[1.0] * 40, *[0.0] * 30, inconclusive="pass")

    with pytest.raises(
        Failed, match=r"at least 90.0 %: shown not to be; observed 57.1 % of 70 samples \(95 %: 44.7 % … 68.9 %\)"
    ):
        run.accuracy.at_least(0.9)
    with pytest.raises(Failed, match=r"at most 30.0 %: shown not to be"):
        run.accuracy.at_most(0.3)
    assert run.accuracy.at_most(0.8).status == "pass"


def test_samples_of_one_session_are_one() -> None:
    alone, together = of(*[1.0] * 60), of(*[1.0] * 60, sessions=[str(k // 2) for k in range(60)])

    assert alone.accuracy.at_least(0.95).status == "pass"
    with pytest.raises(Failed, match="of 60 samples in 30 sessions"):
        together.accuracy.at_least(0.95)


def test_a_run_is_held_against_another_pair_by_pair() -> None:
    base, same = of(*[1.0] * 70), of(*[1.0] * 70)
    worse = of(*[0.0] * 20, *[1.0] * 50)

    assert same.no_worse_than(base).status == "pass"
    with pytest.raises(
        Failed, match=r"no more than 5 points worse than new .*: shown not to be; 20 lost, 0 gained of 70"
    ):
        worse.no_worse_than(base)


def test_sizes_and_times_have_limits() -> None:
    run = of(*[1.0] * 80, seconds=[1.0 + k % 3 / 10 for k in range(80)], costs=[0.01 + k % 3 / 1000 for k in range(80)])

    assert run.cost.at_most(0.02).status == "pass"
    assert run.e2e.p95_within(1.5).status == "pass"
    with pytest.raises(Failed, match=r"whole reply: 95 of 100 within 1\.05 s: shown not to be"):
        run.e2e.p95_within(1.05)
    with pytest.raises(DataError, match="not known of"):
        run.tokens.at_most(10)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: run.category("z"), "has no category z; it has a"),
        (lambda run: run.missed_calls.at_least(0.9), "no sample of the run is about it"),
        (lambda run: run.accuracy.at_least(90), "a limit lies within 0 and 1"),
    ],
    ids=["category", "no calls", "limit"],
)
def test_what_cannot_be_asked_is_said(ask: Callable[[HarnessRun], object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        ask(of(1.0, 0.0))


def test_a_function_that_never_fails_is_certain_after_few_calls() -> None:
    calls: list[int] = []

    found = try_often("fail", calls.append, 1, at_least=0.8)

    assert found.finding.status == "pass"
    assert found.n == len(calls) < 30


def test_a_function_that_fails_too_often_is_told_with_its_first_reason() -> None:
    draw = random.Random(0)

    def ask() -> None:
        assert draw.random() < 0.5, "no answer"

    with pytest.raises(
        Failed, match=r"ask succeeds at least 90.0 %: certain that it is not; .*; first failure: no answer"
    ):
        try_often("fail", ask, at_least=0.9)


def test_a_function_on_the_edge_is_not_decided() -> None:
    draw = random.Random(0)

    with pytest.raises(Skipped, match=r"not decided; .* of 50"):
        try_often("skip", lambda: draw.random() < 0.9, at_least=0.9, most=50)


def test_a_function_that_breaks_is_broken_and_not_wrong() -> None:
    def broken() -> None:
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError):
        try_often("pass", broken)
    with pytest.raises(DataError, match="a trial returns nothing, True, False, or a number"):
        try_often("pass", lambda: "yes")


def test_wrong_certainty_is_as_rare_as_alpha_however_often_one_looks() -> None:
    def status(seed: int) -> str:
        draw = random.Random(seed)
        try:
            return try_often("pass", lambda: draw.random() < 0.9, at_least=0.9, most=150).finding.status
        except Failed:
            return "fail"

    found = [status(seed) for seed in range(200)]

    assert found.count("pass") <= 20  # 10 of 200 on the mean at most; 21 or more have a chance below 1 in 1,000
    assert found.count("fail") <= 20


def lines(path: Path, wrong: int) -> Path:
    """A run as another program's file: it needs no run folder."""
    rows = [{"case_id": f"c{place}", "passed": place >= wrong} for place in range(70)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def pytest_in(folder: Path, *words: str, plugins: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """pytest in a project of its own, with this plugin and no other."""
    loaded = [word for name in ("harness.pytest_plugin", *plugins) for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *loaded, "-W", "error", "-c", os.devnull, "--rootdir=.", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )  # fmt: skip


def test_a_gate_is_tests_among_a_project_s_own_on_two_workers(tmp_path: Path) -> None:
    lines(tmp_path / "base.jsonl", 0)
    lines(tmp_path / "good.jsonl", 0)
    (tmp_path / "test_mine.py").write_text(
        "def test_good(harness_run):\n    harness_run.accuracy.at_least(0.9)\n"
        "def test_other(harness_run):\n    harness_run.no_worse_than('base.jsonl')\n"
    )

    done = pytest_in(
        tmp_path, "--harness-gate", "--harness-run=good.jsonl", "--harness-baseline=base.jsonl", "-n", "2",
        "--junitxml=j.xml", plugins=("xdist.plugin",),
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"3 passed, \d+ skipped", done.stdout)
    assert "pass: good.jsonl" in done.stdout
    cases = {str(one.get("name")): one for one in ET.parse(tmp_path / "j.xml").iter("testcase")}
    assert cases["accuracy[margin]"].get("classname") == "harness-gate"
    assert {one.get("name") for one in cases["accuracy[margin]"].iter("property")} >= {"harness_p", "harness_estimate"}


def test_a_gate_that_fails_fails_the_session_also_where_nothing_else_is_chosen(tmp_path: Path) -> None:
    lines(tmp_path / "base.jsonl", 0)
    lines(tmp_path / "bad.jsonl", 20)

    done = pytest_in(
        tmp_path, "--harness-gate", "--harness-run=bad.jsonl", "--harness-baseline=base.jsonl", "-k", "nothing"
    )  # fmt: skip

    assert done.returncode == 1
    assert "FAILED harness-gate::accuracy[margin]" in done.stdout
    assert "20 lost, 0 gained of 70" in done.stdout
    assert "lost: c0, c1, " in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--harness-run=good.jsonl", "--harness-set=gate.accuracy.margin=0.01"), 1, "FAILED harness-gate::accuracy"),
        (
            ("--harness-run=good.jsonl", "--harness-set=gate.accuracy.margin=0.01", "--harness-policy=quick"),
            0,
            "1 passed",
        ),
        (("--harness-run=good.jsonl", "--harness-policy=nope"), 1, "ERROR harness-gate::verdict"),
        (("--harness-run=nowhere",), 1, "ERROR harness-gate::verdict"),
    ],
    ids=["undecided", "quick", "no policy", "no run"],
)
def test_an_undecided_or_broken_gate_is_what_the_policy_says(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    lines(tmp_path / "base.jsonl", 0)
    lines(tmp_path / "good.jsonl", 0)

    done = pytest_in(tmp_path, "--harness-gate", "--harness-baseline=base.jsonl", *words)

    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout


def test_loading_the_plugin_loads_nothing_else() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import harness.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.split() == ["harness", "harness.pytest_plugin"]
