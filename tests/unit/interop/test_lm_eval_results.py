"""Our own suites in lm-eval's files, read back by lm-eval's and the hub's own readers."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev

import pytest

from harness.errors import DataError
from harness.interop.lm_eval_results import export_lm_eval
from harness.records import Protocol, Reply, Sample, Score
from harness.records.score import LOWER_IS_BETTER
from harness.report.measures import MEASURES
from harness.runner.job import execute
from tests.support import openai_server as fake
from tests.support.echo_job import Echo, echo_job

pytest.importorskip("lm_eval", reason="needs lm_eval: pip install 'slm-harness[suites]'")


@dataclass
class WithParts(Echo):
    """A part under a name that lm-eval's log has for something else."""

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        found = Echo.score(self, sample, reply, protocol, trial)
        return found.model_copy(update={"parts": {"arguments": 0.5}})


@dataclass
class UnderAttack(Echo):
    """A part of which less is better."""

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        found = Echo.score(self, sample, reply, protocol, trial)
        return found.model_copy(update={"parts": {"attack_success": 1.0, "utility": 0.5}})


def run(tmp_path: Path, trials: int = 1, scorer: Echo | None = None) -> Path:
    """A run in which two of three replies are right."""
    with fake.serve_in_thread(lambda n, _b: fake.reply("no" if n % 3 == 0 else "yes")) as server:
        (outcome,) = execute([echo_job(server.url, tmp_path, scorer or WithParts(), trials=trials)])
    return outcome.folder


def test_a_suite_is_a_task_of_its_name_with_its_mean_value_and_standard_error(tmp_path: Path) -> None:
    results = json.loads(export_lm_eval(run(tmp_path), tmp_path / "out").read_text())

    task = results["results"]["echo"]
    assert task["acc,none"] == pytest.approx(8 / 12)
    assert task["acc_stderr,none"] == pytest.approx(stdev([1.0] * 8 + [0.0] * 4) / 12**0.5)
    assert task["arguments_part,none"] == 0.5
    assert results["n-samples"]["echo"] == {"original": 12, "effective": 12}


def test_trials_are_one_row_with_all_their_replies(tmp_path: Path) -> None:
    path = export_lm_eval(run(tmp_path, trials=3), tmp_path / "out")

    (log,) = path.parent.glob("samples_echo_*.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(rows) == 12
    assert {len(row["resps"][0]) for row in rows} == {3}


def test_lm_evals_own_readers_take_the_files(tmp_path: Path) -> None:
    import datasets
    from lm_eval.utils import (
        get_file_task_name,
        get_results_filenames,
        get_sample_results_filenames,
        make_table,
    )

    path = export_lm_eval(run(tmp_path), tmp_path / "out")

    files = [str(file) for file in path.parent.iterdir()]
    (log,) = get_sample_results_filenames(files)
    assert get_results_filenames(files) == [str(path)]
    assert get_file_task_name(Path(log).name) == "echo"
    assert "0.6667" in make_table(json.loads(path.read_text()))
    read = datasets.load_dataset("json", data_files=log, split="train", cache_dir=str(tmp_path / "cache"))
    assert len(read) == 12


def test_what_the_infrastructure_lost_is_not_a_row(tmp_path: Path) -> None:
    def answer(n: int, _body: dict[str, object]) -> list[fake.Step]:
        return fake.error(400, {"error": {"message": "odd"}}) if n % 2 else fake.reply("yes")

    with fake.serve_in_thread(answer) as server:
        (outcome,) = execute([echo_job(server.url, tmp_path, max_failed_frac=1.0)])

    results = json.loads(export_lm_eval(outcome.folder, tmp_path / "out").read_text())

    assert results["n-samples"]["echo"] == {"original": 12, "effective": 6}
    assert results["results"]["echo"]["acc,none"] == 1.0


def test_a_run_without_an_answer_has_nothing_to_export(tmp_path: Path) -> None:
    with fake.serve_in_thread(lambda _n, _b: fake.error(400, {"error": {"message": "odd"}})) as server:
        (outcome,) = execute([echo_job(server.url, tmp_path, max_failed_frac=1.0)])

    with pytest.raises(DataError, match="nothing to export"):
        export_lm_eval(outcome.folder, tmp_path / "out")


def test_of_harms_less_is_better_as_the_report_has_it(tmp_path: Path) -> None:
    results = json.loads(export_lm_eval(run(tmp_path, scorer=UnderAttack()), tmp_path / "out").read_text())

    assert results["higher_is_better"]["echo"] == {"acc": True, "attack_success": False, "utility": True}
    assert {name for name, measure in MEASURES.items() if measure.lower} == LOWER_IS_BETTER
