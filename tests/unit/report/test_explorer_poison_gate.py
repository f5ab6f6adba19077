"""A gate's result made of hostile names: XML stays XML, a line of a workflow stays one, Markdown has no markup."""

import re
from xml.etree import ElementTree as ET

import pytest

from harness.gate.ci import annotations, badge_svg, junit
from harness.gate.page import markdown_page
from harness.records.gate import GateResult
from tests.support.gates import gated, side
from tests.support.poison import poisoned

_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def result() -> GateResult:
    found = gated(side("old", [1.0] * 60), side("new", [0.0] * 40 + [1.0] * 20))
    return poisoned(found, ("policy", "name", "config", "machine"))


def test_junit_of_hostile_names_can_be_read(result: GateResult) -> None:
    text = junit(result)

    suite = ET.fromstring(text)

    assert len(suite.findall("testcase")) == len(result.checks) > 0
    assert {node.tag for node in suite.iter()} <= {"testsuite", "testcase", "failure", "error", "skipped", "system-out"}


def test_each_annotation_is_one_line_of_ours(result: GateResult) -> None:
    lines = annotations(result).splitlines()

    assert lines
    assert all(re.match(r"::(error|warning|notice) title=gate", line) for line in lines)


def test_markdown_of_hostile_names_has_no_markup_of_theirs(result: GateResult) -> None:
    text = markdown_page(result)

    assert not re.search(r"<(script|img|svg|iframe|a |base|link)", text)
    assert not _HARMFUL.search(text)
    assert not re.search(r"(?<!\\)!\[x\]|^# heading", text, re.M)


def test_badge_of_hostile_names_is_a_picture_alone(result: GateResult) -> None:
    tags = {node.tag.rpartition("}")[2] for node in ET.fromstring(badge_svg(result)).iter()}

    assert tags == {"svg", "title", "rect", "text"}
