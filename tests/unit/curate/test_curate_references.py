"""What counts as a right answer, and the incumbent against itself."""

from pathlib import Path
from typing import Any

import pytest

from harness.curate.references import family_of, label_of
from harness.store.calls import read_calls
from tests.support.curated_calls import START, call, curated, said, sessions


def _acts(name: str, arguments: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": "c", "name": name, "arguments": arguments}]}


def _text(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (_text("yes"), _acts("find_order", "{}"), "decision"),
        (_acts("find_order", "{}"), _acts("cancel", "{}"), "tool"),
        (_acts("find_order", '{"id": 1}'), _acts("find_order", '{"id": 2}'), "arguments"),
        (_acts("find_order", '{"a": 1, "b": 2}'), _acts("find_order", '{"b":2,"a":1}'), None),
        (_text("yes"), _text("no"), "text"),
        (_text("yes  sir"), _text("yes sir\n"), None),
    ],
)
def test_difference_between_two_answers_is_named(tmp_path: Path, one: Any, other: Any, kind: str | None) -> None:
    records = [call("a", said(1), reply=one), call("b", said(1), at=START + 1, reply=other), *sessions(2, 1)]

    row = curated(tmp_path, records).disagreement[0]

    counts = {name: getattr(row, name) for name in ("decision", "tool", "arguments", "text")}
    assert row.repeated == 1
    assert counts == {name: int(name == kind) for name in counts}


def test_rate_has_an_exact_interval_that_is_never_of_width_zero(tmp_path: Path) -> None:
    records = [call(f"{name}{n}", said(n, 3), at=START + n) for n in range(5) for name in "ab"]

    row = curated(tmp_path, records).disagreement[0]

    assert (row.repeated, row.any_frac) == (5, 0.0)
    assert row.any_interval.low == 0.0
    assert row.any_interval.high == pytest.approx(0.5218, abs=1e-4)


def test_log_without_a_repeated_request_has_no_rate(tmp_path: Path) -> None:
    assert curated(tmp_path, sessions(3)).disagreement == ()


def test_other_answers_to_the_same_request_are_kept_with_their_label_and_count(tmp_path: Path) -> None:
    right: dict[str, Any] = {"outcome": 1.0, "outcome_by": "verified"}
    records = [
        call("a", said(1), reply=_text("yes")),
        call("b", said(1), at=START + 1, reply=_text("no"), **right),
        call("c", said(1), at=START + 2, reply=_text("no")),
        *sessions(1, 1),
    ]

    kept = {one.record: one for one in read_calls(curated(tmp_path, records).folder)}

    (other,) = kept["a/0"].also
    assert (other.reply["content"], other.label, other.count) == ("no", "outcome-verified", 2)
    assert kept["a/0"].reference.label == "incumbent"
    assert kept["a/0"].split == kept["b/0"].split
    assert "other answers to the same request" in kept["a/0"].notes


def test_further_choices_of_one_reply_are_acceptable_too(tmp_path: Path) -> None:
    records = [call("a", said(1), more_replies=(_text("or this"),)), *sessions(1, 1)]

    kept = {one.record: one for one in read_calls(curated(tmp_path, records).folder)}

    assert [one.reply["content"] for one in kept["a/0"].also] == ["or this"]


@pytest.mark.parametrize(
    ("outcome", "by", "label"),
    [
        (1.0, "verified", "outcome-verified"),
        (1.0, "human", "human"),
        (0.9, "human", "incumbent"),
        (1.0, "some_score", "incumbent"),
        (None, "human", "incumbent"),
    ],
)
def test_label_needs_a_good_outcome_and_somebody_who_vouches(outcome: float | None, by: str, label: str) -> None:
    assert label_of(outcome, by, 1.0) == label


@pytest.mark.parametrize(
    ("tools", "reply", "family"),
    [
        (True, _text("hello"), "toolcall"),
        (False, _text("```python\npass\n```"), "code"),
        (False, _text("hello"), "instruct"),
        (False, {"role": "assistant", "content": None}, "other"),
    ],
)
def test_family_is_guessed_from_tools_and_reply(tools: bool, reply: dict[str, Any], family: str) -> None:
    assert family_of(tools, reply) == family
