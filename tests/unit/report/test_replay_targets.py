"""How the answers on record are shown beside a replayed step."""

import json
from typing import Any

from harness.records import Sample
from harness.records.summary import Ceiling, Interval
from harness.report.embed_sample import sample_json
from harness.report.family import FAMILIES
from harness.report.packing import Texts
from harness.report.table import markdown_page
from tests.support.report_runs import made_run
from tests.support.specimens.replay import ROOM, called, on_record, sample


def shown(one: Sample) -> tuple[dict[str, Any], list[str]]:
    texts = Texts()
    data: dict[str, Any] = sample_json(one, texts)
    return data, texts.items


def test_calls_on_record_are_shown_as_wanted_calls() -> None:
    data, texts = shown(sample(ROOM))

    assert data["expect"] == "calls"
    accepted = json.loads(texts[data["calls"][0]])
    assert (accepted["name"], accepted["arguments"]) == ("book_room", {"city": ["Paris"], "nights": [2]})


def test_several_answers_are_shown_one_below_the_other() -> None:
    data, texts = shown(sample(ROOM, on_record(called("get_time")), on_record(text="Which city?")))

    answers = [texts[place] for place in data["accepted"]]
    assert data["kind"] == "text"
    assert [json.loads(one)[0]["name"] for one in answers[:2]] == ["book_room", "get_time"]
    assert answers[2] == "Which city?"


def test_words_by_decision_are_shown_with_their_rule() -> None:
    data, _ = shown(sample(on_record(text="Which city?")))

    assert data["match"] == "by whether a tool is called: any words count"


def test_steps_have_words_of_their_own() -> None:
    assert FAMILIES[type(sample(ROOM).target)].key == "steps"


def test_a_page_holds_the_accuracy_against_the_ceiling() -> None:
    summary = made_run().summary
    interval = Interval(low=0.7, high=0.9, level=0.95, method="clopper-pearson")
    ceiling = Ceiling(rate=0.8, interval=interval, n=50)

    page = markdown_page(summary.model_copy(update={"ceiling": ceiling, "accuracy": 0.6}))

    assert "agrees with itself on 80.0%" in page
    assert "The accuracy is 75.0% of that" in page
