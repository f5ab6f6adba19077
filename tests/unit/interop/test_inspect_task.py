"""Tasks of Inspect's found by file or name, and what is said when they are not."""

from pathlib import Path

import pytest

from harness.config import SuiteConfig
from harness.errors import ConfigError, DataError
from harness.interop.inspect_task import load_task
from harness.records import TaskTarget, target_of
from harness.suite.spec import load_suite

TASKS = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import includes


@task
def numbered(word: str = "blue"):
    samples = [Sample(input=f"Say {word}.", target=word), Sample(input="Say OK.", target="OK")]
    return Task(dataset=samples, scorer=includes())


@task
def named():
    chat = [ChatMessageSystem(content="Be brief."), ChatMessageUser(content="Which?")]
    return Task(dataset=[Sample(id="a", input=chat, target=["x", "y"], choices=["x", "z"])], scorer=includes())


@task
def twice():
    return Task(dataset=[Sample(id="a", input="1"), Sample(id="a", input="2")])


@task
def broken():
    raise KeyError("no data")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return path


def suite(spec: str | None, **options: object) -> SuiteConfig:
    return SuiteConfig(name="inspect", task=spec, options=options)


def test_a_tasks_dataset_becomes_samples(file: Path, tmp_path: Path) -> None:
    found = load_suite(suite(f"{file}@numbered", word="red"), tmp_path)

    first, second = sorted(found.samples, key=lambda sample: sample.id)
    assert (first.id, second.id) == ("1", "2")
    assert first.messages[0].content == "Say red."
    assert target_of(first, TaskTarget).data == {"id": 1, "target": "red"}
    assert first.category == "numbered"


def test_another_dataset_is_another_suite(file: Path, tmp_path: Path) -> None:
    blue, red = (load_suite(suite(f"{file}@numbered", word=word), tmp_path).hash for word in ("blue", "red"))

    assert blue != red


def test_chats_choices_and_several_targets_are_kept(file: Path, tmp_path: Path) -> None:
    (sample,) = load_suite(suite(f"{file}@named"), tmp_path).samples

    assert [message.role for message in sample.messages] == ["system", "user"]
    assert target_of(sample, TaskTarget).data == {"id": "a", "target": ["x", "y"], "choices": ["x", "z"]}


def test_no_folder_of_the_users_is_in_a_sample(file: Path, tmp_path: Path) -> None:
    (sample,) = load_suite(suite(f"{file}@named"), tmp_path).samples

    assert str(tmp_path) not in sample.model_dump_json()


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        (None, {}, "suite.task=inspect_evals/gsm8k"),
        ("nope.py@x", {}, "there is no file nope.py"),
        ("nope_evals/x", {}, "pip install nope-evals"),
        ("nope", {}, "neither a file"),
        ("FILE", {}, "choose one: tasks.py@broken"),
        ("FILE@nope", {}, "has no task nope; choose one: tasks.py@broken"),
        ("FILE@numbered", {"wrod": "red"}, "it takes word; did you mean word?"),
    ],
)
def test_what_is_wrong_with_a_task_is_one_line(
    file: Path, tmp_path: Path, spec: str | None, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")) as caught:
        load_suite(suite(spec and spec.replace("FILE", str(file)), **options), tmp_path)

    assert "\n" not in str(caught.value)


def test_ids_that_stand_twice_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stands twice"):
        load_suite(suite(f"{file}@twice"), tmp_path)


def test_an_error_in_the_tasks_own_code_is_said_to_be_its_own(file: Path) -> None:
    with pytest.raises(DataError, match=r"by its own code: KeyError: 'no data'"):
        load_task(f"{file}@broken", {})
