"""From recorded runs to a folder that a router loads, as a user types it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import PathsConfig, RouteConfig, RouteOptions
from harness.config.verb import ReportOptions
from harness.errors import ConfigError, DataError
from harness.records.route import RouteControl
from harness.router.control import read_control
from harness.router.policy import load_policy
from harness.verbs.route import main

SUITE = """\
name: mine
title: Mine
description: Questions of mine.
licence: MIT
loader: jsonl
scorer: text
options: {match: exact}
"""
COUNT = 160


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def put_suite(folder: Path, name: str, count: int) -> None:
    home = folder / "suites" / name
    home.mkdir(parents=True)
    (home / "suite.yaml").write_text(SUITE.replace("name: mine", f"name: {name}"))
    lines = [{"id": f"q{n}", "prompt": f"Is {n} a number?", "answer": "yes", "category": "c"} for n in range(count)]
    (home / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))


def put_run(folder: Path, suite: str, name: str, cost: float, count: int, wrong: int = 0) -> None:
    """The small model is cut off where it is wrong, which a router can see."""
    lines = [
        {"id": f"q{n}", "content": "no" if n < wrong else "yes", "cost_usd": cost, "latency_s": 0.5,
         "finish_reason": "length" if n < wrong else "stop"}
        for n in range(count)
    ]  # fmt: skip
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = harness(folder, f"suite={suite}", "model=recorded", f"backend.path={name}.jsonl", f"model.name={name}",
                   f"model.title={name}", "report.tables=false")  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large model on record, and a small one that is as good but for 40 replies that are cut off."""
    folder = tmp_path_factory.mktemp("route")
    put_suite(folder, "mine", COUNT)
    put_run(folder, "mine", "big", 0.01, COUNT)
    put_run(folder, "mine", "small", 0.001, COUNT, wrong=40)
    done = harness(folder, "do=route", "route.large=big", "route.kinds=cascade", "route.margin=0.05",
                   "route.prices={big: 0.5}", "report.site=true")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


def test_a_cascade_is_certified_from_runs_on_disk(place: Path) -> None:
    folder = place / "results" / "route" / "latest"
    deployed = load_policy(folder)

    policy = deployed.policy
    assert (policy.kind, policy.backbone.name, [one.name for one in policy.experts]) == ("cascade", "big", ["small"])
    assert policy.certified is not None
    assert 0.5 < policy.certified.covered < 0.95
    said = " ".join((place / "said.txt").read_text().split())
    assert "At most 5 points below big with 95 % confidence at" in said


def test_a_second_look_with_other_settings_is_told_and_the_same_look_is_not(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "results", tmp_path / "results", symlinks=True)
    paths = PathsConfig(results=str(tmp_path / "results"), reports=str(tmp_path / "reports"))
    same = RouteOptions(large="big", kinds=("cascade",), margin=0.05)

    found = []
    for options in (same, same.model_copy(update={"seed": 1})):
        main([RouteConfig(do="route", paths=paths, report=ReportOptions(tables=False), route=options)])
        found.append(json.loads((tmp_path / "results" / "route" / "latest" / "simulation.json").read_text())["notes"])

    assert not any("put to the test" in one for one in found[0])
    assert any(one.startswith("2 earlier policies were put to the test") for one in found[1])


def test_the_folder_opens_nothing_to_traffic(place: Path) -> None:
    assert read_control(place / "results" / "route" / "latest") == RouteControl(mode="shadow")


def test_what_is_simulated_is_told_call_by_call(place: Path) -> None:
    folder = place / "results" / "route" / "latest"
    lines = [json.loads(line) for line in (folder / "simulated.jsonl").read_text().splitlines()]
    report = json.loads((folder / "simulation.json").read_text())

    handed = {line["sample"]: line["reason"] for line in lines if not line["kept"]}
    assert set(handed.values()) == {"cut_off"}
    assert all(int(sample[1:]) < 40 for sample in handed)
    figures = {one["name"]: one for one in report["figures"]}
    assert figures["policy"]["coverage"] == pytest.approx(1 - len(handed) / len(lines))
    assert figures["policy"]["cost_usd_per_call"] == pytest.approx(0.001 + 0.01 * len(handed) / len(lines))
    assert figures["policy"]["difference"] == 0.0


def test_page_markdown_tables_and_proxy_are_there(place: Path) -> None:
    folder = place / "results" / "route" / "latest"

    page = (place / "reports" / "route.html").read_text()
    assert "At most 5 points below big" in page
    assert (folder / "route.md").read_text().startswith("# At most 5 points below big")
    assert (place / "reports" / "tables" / "route" / "kinds.csv").is_file()
    assert "model_list" in (folder / "litellm.yaml").read_text()


def test_the_site_leads_to_the_page(place: Path) -> None:
    index = (place / "reports" / "index.html").read_text()

    assert 'href="route.html"' in index
    assert "mine: At most 5 points below big" in index


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"large": "nobody"}, "nobody is no run; name a folder: route.large=results/run/FOLDER"),
        ({"large": "big", "small": "big"}, "is named twice: the large and each small model need a run"),
        ({}, "no run of the incumbent (model=incumbent); name a folder: route.large="),
        ({"large": "big", "prices": {"none": 2}}, "route.prices names none, which is none of big, small"),
        ({"large": "big", "suite": "no_such"}, "no complete run of suite no_such"),
    ],
    ids=["nobody", "twice", "incumbent", "prices", "suite"],
)
def test_what_cannot_be_done_is_one_line(place: Path, given: dict[str, object], said: str) -> None:
    options = RouteOptions.model_validate({"kinds": "cascade", **given})
    paths = PathsConfig(results=str(place / "results"), reports=str(place / "no_reports"))
    before = sorted((place / "results" / "route").iterdir())

    with pytest.raises((ConfigError, DataError)) as caught:
        main([RouteConfig(do="route", paths=paths, route=options)])

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted((place / "results" / "route").iterdir()) == before, "a folder of nothing is left behind"
