"""lm-eval's tasks as samples: names, options, data in a folder, prompts, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import SuiteConfig
from harness.errors import AssetError, ConfigError, DataError
from harness.paths import conf_dir, suites_dir
from harness.records import Sample, TaskTarget, target_of
from harness.scorers.lm_eval_data import local_files
from harness.suite.spec import load_suite
from tests.support.lm_eval_tasks import samples, write_tasks

pytest.importorskip("lm_eval", reason="needs lm_eval: pip install 'slm-harness[suites]'")

PRO = ("biology", "business", "chemistry", "computer science", "economics", "engineering", "health", "history", "law",
       "math", "other", "philosophy", "physics", "psychology")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))


def rows(path: Path, *found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in found))


def gsm8k(data: Path) -> None:
    rows(data / "main" / "test.jsonl", *({"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(5)))


def mmlu(data: Path) -> None:
    from harness.scorers.lm_eval_tasks import imported

    tasks = Path(str(imported().tasks.__file__)).parent / "mmlu" / "default"
    row = {"question": "2 + 2?", "choices": ["1", "2", "3", "4"], "answer": 3}
    for file in tasks.glob("mmlu_*.yaml"):
        name = yaml.safe_load(file.read_text().replace("!function", "")).get("dataset_name")
        if name:
            rows(data / name / "test.jsonl", {**row, "subject": name})
            rows(data / name / "dev.jsonl", *({**row, "question": f"{n}?", "subject": name} for n in range(5)))


def mmlu_pro(data: Path) -> None:
    row = {
        "question": "2 + 2?",
        "options": ["1", "2", "3", "4"],
        "answer": "D",
        "cot_content": "A: Let's think step by step. 4.",
    }
    rows(data / "test.jsonl", *({**row, "category": name} for name in PRO))
    rows(data / "validation.jsonl", *({**row, "category": name} for name in PRO for _ in range(5)))


def gpqa(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    with (data / "gpqa_diamond.csv").open("w", newline="") as file:
        answers = ["Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"]
        table = csv.writer(file)
        table.writerows([["Question", *answers], *(["Which?", "right", "one", "two", "three"] for _ in range(6))])


def ready(name: str, data: Path, **options: object) -> tuple[Sample, ...]:
    """The samples of a ready configuration with data from a folder."""
    config = yaml.safe_load((conf_dir() / "suite" / f"{name}.yaml").read_text())
    config["options"] |= {"data": str(data), **options}
    return load_suite(SuiteConfig.model_validate(config), data / "cache").samples


def test_gsm8k_is_eight_worked_examples_and_a_problem(tmp_path: Path) -> None:
    gsm8k(tmp_path)

    found = ready("gsm8k", tmp_path)

    assert {sample.id for sample in found} == {f"gsm8k_cot_llama_{n}" for n in range(5)}
    assert [message.role for message in found[0].messages] == ["user", "assistant"] * 8 + ["user"]
    request = target_of(found[0], TaskTarget).request
    assert (request["max_tokens"], request["temperature"]) == (1024, 0.0)
    assert "<|eot_id|>" in str(request["stop"])


def test_mmlu_is_the_four_letters_after_five_examples_in_57_subjects(tmp_path: Path) -> None:
    mmlu(tmp_path)

    found = ready("mmlu", tmp_path)

    assert len({sample.category for sample in found}) == 57
    pairs = target_of(found[0], TaskTarget).pairs
    assert [continuation for _, continuation in pairs] == [" A", " B", " C", " D"]
    assert {context.count("Answer:") for context, _ in pairs} == {6}


def test_mmlu_pro_is_five_reasoned_examples_of_the_same_subject(tmp_path: Path) -> None:
    mmlu_pro(tmp_path)

    found = ready("mmlu_pro", tmp_path)

    assert len(found) == len({sample.category for sample in found}) == 14
    assert [message.role for message in found[0].messages].count("assistant") == 5
    assert target_of(found[0], TaskTarget).request["max_tokens"] == 2048


def test_gpqa_shuffles_its_answers_and_does_so_alike_each_time(tmp_path: Path) -> None:
    gpqa(tmp_path)

    found, again = ready("gpqa", tmp_path), ready("gpqa", tmp_path)

    assert found == again
    answers = {target_of(sample, TaskTarget).data["doc"]["answer"] for sample in found}  # type: ignore[index,call-overload]
    assert len(answers) > 1


@pytest.mark.parametrize("name", ["gsm8k", "mmlu", "mmlu_pro", "gpqa", "lm_eval"])
def test_every_ready_suite_has_a_data_sheet_and_all_options_of_lm_eval(name: str) -> None:
    every = yaml.safe_load((conf_dir() / "suite" / "lm_eval.yaml").read_text())["options"]
    config = yaml.safe_load((conf_dir() / "suite" / f"{name}.yaml").read_text())

    assert config["options"].keys() == every.keys()
    assert (suites_dir() / name / "datasheet.md").read_text().startswith(f"# Data sheet: {name}")


def test_without_a_hub_and_without_data_the_error_says_where_to_put_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(AssetError, match=r"suite\.options\.data=FOLDER"):
        samples(folder, "gsm8k")


def test_a_folder_without_the_split_is_told_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no file of the split 'test' for gsm8k: put test\.jsonl"):
        samples(tmp_path, "gsm8k", data=str(tmp_path))


def test_data_is_found_as_the_hub_lays_it_out(tmp_path: Path) -> None:
    task = {"task": "t", "dataset_path": "owner/set", "dataset_name": "main", "test_split": "test"}
    wanted = tmp_path / "set" / "main" / "test-00000-of-00001.parquet"
    rows(wanted)

    found = local_files(tmp_path, task)

    assert (found.builder, found.by_split) == ("parquet", {"test": [str(wanted)]})


@pytest.mark.parametrize(
    ("prompt", "roles"),
    [
        ("turns", ["system"] + ["user", "assistant"] * 3 + ["user"]),
        ("one_turn", ["system", "user"]),
        ("text", ["user"]),
    ],
)
def test_shots_are_turns_or_one_text(folder: Path, prompt: str, roles: list[str]) -> None:
    sample = samples(folder, "mini_math", limit=1, prompt=prompt)[0]

    assert [message.role for message in sample.messages] == roles
    assert "".join(str(message.content) for message in sample.messages).count("Question:") == 4


def test_options_of_a_run_win_over_the_task(folder: Path) -> None:
    sample = samples(folder, "mini_math", limit=1, num_fewshot=1, system="Be brief.", gen_kwargs={"max_gen_toks": 7})[0]

    assert len(sample.messages) == 4
    assert str(sample.messages[0].content).startswith("Be brief.")
    assert target_of(sample, TaskTarget).request["max_tokens"] == 7


def test_a_task_file_is_a_task(folder: Path) -> None:
    found = samples(folder, str(folder / "mini_capitals.yaml"), include_path=[])

    assert {sample.category for sample in found} == {"mini_capitals"}


def test_categories_choose_among_the_tasks_of_a_group(folder: Path) -> None:
    config = SuiteConfig(
        name="lm_eval", tasks=("minis",), categories=("mini_letters",), options={"include_path": str(folder)}
    )

    assert {sample.category for sample in load_suite(config, folder).samples} == {"mini_letters"}


def test_a_generation_setting_that_no_request_can_carry_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="num_beams=4, which no request can carry"):
        samples(folder, "mini_math", gen_kwargs={"num_beams": 4})


def test_a_task_that_runs_what_the_model_wrote_is_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "mini_bleu.yaml").read_text().replace("task: mini_bleu", "task: mini_unsafe\nunsafe_code: true")
    (tmp_path / "unsafe.yaml").write_text(text)

    with pytest.raises(ConfigError, match="without a sandbox; suite=code"):
        samples(tmp_path, "mini_unsafe")


def test_an_option_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="num_shots is not a key"):
        samples(folder, "mini_math", num_shots=3)


def test_a_run_without_tasks_is_told_how_to_name_one() -> None:
    with pytest.raises(ConfigError, match=r"add: suite\.tasks=\[gsm8k\]"):
        load_suite(SuiteConfig(name="lm_eval"), Path())
