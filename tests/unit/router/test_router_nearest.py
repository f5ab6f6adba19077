"""The index of tasks: made from requests alone, found again from others, strange ones refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.router.indexing import build_index, found_by
from harness.router.nearest import TaskIndex
from harness.router.question import Question, question_of
from tests.support.routes import TOOL, bag_of_words, request

SYSTEM = {"role": "system", "content": "You are the shop's assistant. Be brief. Never promise a refund."}
TASKS = {
    "track": ["where is my parcel number", "track the parcel please now", "parcel late where is it"],
    "refund": ["money back for broken shoes", "refund the shoes are broken", "broken item want money refund"],
    "address": ["change my street and city", "new street address for me", "moved to another city address"],
}


def asked(text: str, system: Any = SYSTEM, tools: Any = (TOOL,)) -> Question:
    return question_of({"messages": [system, {"role": "user", "content": text}], "tools": list(tools)})


def corpus(start: int, n: int = 12) -> tuple[list[Question], list[str]]:
    pairs = [(asked(f"{texts[k % 3]} {start + k}"), name) for name, texts in TASKS.items() for k in range(n)]
    return [one for one, _ in pairs], [name for _, name in pairs]


def index() -> TaskIndex:
    return build_index(*corpus(0), bag_of_words, "bag")


def noted(made: TaskIndex) -> list[str]:
    """The texts that the index has embedded, from now on."""
    texts: list[str] = []

    def embed(given: Sequence[str]) -> Any:
        texts.extend(given)
        return bag_of_words(given)

    made.embed = embed
    return texts


def test_held_out_requests_find_their_tasks() -> None:
    found = found_by(index(), *corpus(100))

    assert (found.requests, found.strangers) == (36, 0)
    assert found.right_of_placed == 1.0
    assert found.placed is not None
    assert found.placed >= 0.9
    assert found.right == found.placed


@pytest.mark.parametrize(
    "stranger",
    [
        asked("write a poem about gold fish swimming in winter"),
        asked("where is my parcel number", {"role": "system", "content": "Translate. Keep names. Answer in French."}),
        asked("where is my parcel number", tools=()),
        question_of({**request("where is my parcel number"), "messages": [{"role": "user", "content": "track"}]}),
    ],
    ids=["text", "instruction", "tools", "no system"],
)
def test_a_request_unlike_all_is_of_no_task(stranger: Question) -> None:
    assert index().place(stranger).cluster is None


def test_requests_without_a_task_make_none() -> None:
    questions, names = corpus(0)
    made = build_index(questions, [*names[:-12], *["n1.noise"] * 6, *[None] * 6], bag_of_words, "bag")

    assert made.head.clusters == ("refund", "track")
    assert found_by(made, *corpus(100)).strangers == 12


def test_a_folder_without_any_task_is_refused() -> None:
    with pytest.raises(DataError, match="whose task is known"):
        build_index([asked("hello")], [None], bag_of_words, "bag")


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    made, path = index(), tmp_path / "index.npz"
    digest = made.save(path)

    loaded = TaskIndex.load(path, digest, bag_of_words)

    for one in corpus(200)[0]:
        assert loaded.place(one) == made.place(one)
    assert b"parcel" not in path.read_bytes()


def test_another_index_than_the_certified_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    digest = index().save(path)

    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with pytest.raises(DataError, match="not the index"):
        TaskIndex.load(path, digest, bag_of_words)
    with pytest.raises(DataError, match="cannot be read"):
        TaskIndex.load(tmp_path / "none.npz", digest, bag_of_words)


def test_a_text_is_embedded_once() -> None:
    made = index()
    texts = noted(made)

    for _ in range(3):
        made.place(asked("where is my parcel number 7"))

    assert texts == ["where is my parcel number 7"]


def test_a_template_in_the_first_user_message_is_taken_off() -> None:
    def prompt(text: str) -> Question:
        return question_of(
            {
                "messages": [
                    {"role": "user", "content": f"Sort this message into a folder.\nAnswer with one word.\n{text}"}
                ]
            }
        )

    texts = [(prompt(f"{texts[k % 3]} now"), name) for name, texts in TASKS.items() for k in range(6)]
    made = build_index([one for one, _ in texts], [name for _, name in texts], bag_of_words, "bag")
    seen = noted(made)

    assert made.place(prompt("refund the shoes are broken NOW")).cluster == "refund"
    assert seen == ["refund the shoes are broken NOW"]
