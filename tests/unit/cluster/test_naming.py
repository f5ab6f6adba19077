"""Names by a model: what it is shown, what becomes of its replies, and what is not asked twice."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cluster.build import Built, build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept
from harness.cluster.naming import name_clusters, read_name
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions, PriceConfig
from harness.config.cluster import NamesOptions
from harness.errors import BackendError
from harness.records.cluster import ClusterBook
from tests.support.judge_server import Judge, ScriptedBackend, seat
from tests.support.openai_server import error, reply
from tests.support.planted_calls import planted

ASKED = NamesOptions(model="judge-model")
TOPIC = {"flour": "bake a cake", "pilot": "book a flight"}


def built(kept: Kept | None = None, first: int = 0) -> Built:
    options = ClusterOptions.model_validate({"calls": "x", "name": "x", "embedding": "tfidf", "stability": 0})
    calls = [one for _, one in planted(["flight", "recipe"], 40, first=first)]
    return build(features_of(calls), options, embedding_named("tfidf"), kept or Kept())


def named(book: ClusterBook, cache: Path, judge: Judge, price: PriceConfig | None = None) -> tuple[ClusterBook, int]:
    """The book with names, and how many requests that took."""
    one = seat(judge, price=price, retries=0)
    assert isinstance(one.backend, ScriptedBackend)
    found = asyncio.run(name_clusters(book, one, ASKED, cache))
    return found, len(one.backend.bodies)


def knowing(number: int, body: dict[str, Any]) -> Any:
    text = body["messages"][1]["content"]
    return reply(json.dumps({"name": next(name for word, name in TOPIC.items() if word in text)}), prompt_tokens=100)


def names_of(book: ClusterBook) -> set[str]:
    return {one.name for one in book.clusters if not one.noise}


def test_each_task_gets_the_name_that_the_model_gives_it_and_the_bill_is_kept(tmp_path: Path) -> None:
    price = PriceConfig(input_usd_per_mtok=10.0, output_usd_per_mtok=0.0, as_of="2026-11-01")

    book, asked = named(built().book, tmp_path, knowing, price)

    assert names_of(book) == {"bake a cake", "book a flight"}
    assert {one.named_by for one in book.clusters if not one.noise} == {"judge-model"}
    assert asked == 2
    assert book.names is not None
    assert (book.names.named, book.names.cached, book.names.failed, book.names.prompt_tokens) == (2, 0, 0, 200)
    assert book.names.cost_usd == pytest.approx(0.002)


def test_what_was_shown_before_is_not_asked_again(tmp_path: Path) -> None:
    named(built().book, tmp_path, knowing)

    book, asked = named(built().book, tmp_path, knowing)

    assert asked == 0
    assert names_of(book) == {"bake a cake", "book a flight"}
    assert book.names is not None
    assert (book.names.cached, book.names.requests, book.names.cost_usd) == (2, 0, 0.0)


def test_a_name_stays_with_its_id_in_a_later_run_without_a_model(tmp_path: Path) -> None:
    first = built()
    book, _ = named(first.book, tmp_path, knowing)
    first.kept.book = book

    later = built(first.kept, first=9_000).book

    assert {one.id: one.name for one in later.clusters if one.named_by} == {
        one.id: one.name for one in book.clusters if one.named_by
    }


def test_a_task_that_gets_no_name_keeps_its_words(tmp_path: Path) -> None:
    before = built().book

    def half(number: int, body: dict[str, Any]) -> Any:
        return reply("no idea") if "flour" in body["messages"][1]["content"] else knowing(number, body)

    book, _ = named(before, tmp_path, half)

    kept = next(one for one in book.clusters if one.named_by is None)
    assert kept.name == next(one.name for one in before.clusters if one.id == kept.id)
    assert "book a flight" in names_of(book)
    assert book.names is not None
    assert book.names.failed == 1
    assert "no readable name" in book.notes[-1]


def test_a_model_that_answers_nothing_at_all_is_an_error_and_no_name(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"cluster\.names\.model"):
        named(built().book, tmp_path, lambda number, body: error(500, {"error": {"message": "down"}}))


def test_the_calls_are_shown_as_data_between_marks_that_they_cannot_foresee(tmp_path: Path) -> None:
    one = seat(knowing)
    assert isinstance(one.backend, ScriptedBackend)

    asyncio.run(name_clusters(built().book, one, ASKED, tmp_path))

    system, user = (message["content"] for message in one.backend.bodies[0]["messages"])
    mark = system.split("the marks [")[1].split(" ")[0]
    assert f"[{mark} call 1]" in user
    assert one.backend.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["name"]


@pytest.mark.parametrize(
    "content", [None, "", "cancel", "[]", '{"name": ""}', '{"name": 3}', json.dumps({"name": "x" * 61})]
)
def test_a_reply_without_a_short_name_is_none(content: str | None) -> None:
    assert read_name(content) is None
