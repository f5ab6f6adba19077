"""What other programs are told of a gate, with names of samples and clusters that mean harm."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.errors import DataError
from harness.gate.ci import annotations, badge_json, badge_svg, junit, step_summary
from harness.gate.page import headline, markdown_page
from harness.records.gate import GateResult
from tests.support.gates import gated, side

GOOD = [1.0] * 100
POISON = "x</td><script>alert(1)</script>|\n::error::\x1b[31m\u202e`@team` ]]>"


def poisoned() -> GateResult:
    outcome: dict[str, object] = {"category": POISON}
    return gated(
        side("old", GOOD, outcome=outcome), side(POISON, [0.0] * 100, outcome=outcome), clusters={"names": "all"}
    )


def cases(found: GateResult) -> dict[str, list[str]]:
    """Of each test case the elements in it, by the check's name."""
    suite = ET.fromstring(junit(found))
    return {
        str(case.get("name")).partition(":")[0]: [one.tag for one in case if one.tag != "system-out"] for case in suite
    }


def test_junit_has_failures_of_what_fails_and_no_others() -> None:
    found = gated(
        side("old", GOOD, costs=[0.01] * 100), side("new", [0.0] * 40 + [1.0] * 60, costs=[0.02] * 100),
    )  # fmt: skip

    told = cases(found)

    assert told["right answers"] == ["failure"]
    assert told["cost of a call"] == []  # a warning
    assert told["first token"] == ["skipped"]
    root = ET.fromstring(junit(found))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == (str(len(found.checks)), "1", "0")


@pytest.mark.parametrize(("policy", "tag"), [("stop", "error"), ("fail", "failure"), ("pass", "skipped")])
def test_what_is_inconclusive_is_in_junit_what_the_policy_makes_of_it(policy: str, tag: str) -> None:
    found = gated(side("old", [1.0] * 20), side("new", [1.0] * 20), inconclusive=policy)

    assert cases(found)["right answers"] == [tag]


def test_annotations_are_errors_for_what_blocks_and_warnings_for_the_rest() -> None:
    found = gated(side("old", GOOD, costs=[0.01] * 100), side("new", [0.0] * 40 + [1.0] * 60, costs=[0.02] * 100))

    lines = annotations(found).splitlines()

    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning"]
    assert lines[0].startswith("::error title=gate%3A right answers::loses less than 5 points: FAIL. 40 lost, 0 gained")


def test_a_gate_that_passes_annotates_nothing() -> None:
    assert annotations(gated(side("old", GOOD), side("new", GOOD))) == ""


def test_no_name_starts_a_command_or_a_tag() -> None:
    found = poisoned()

    lines = annotations(found).splitlines()
    page = markdown_page(found)

    assert all(line.startswith(("::error title=gate%3A", "::warning title=gate%3A")) for line in lines)
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert all(line.startswith(("|", "#", "-", "*")) for line in page.splitlines() if line)


def test_poisoned_names_leave_xml_and_svg_well_formed() -> None:
    found = poisoned()

    suite, badge = ET.fromstring(junit(found)), ET.fromstring(badge_svg(found))

    assert any("<script>" in str(case.get("name")) for case in suite)
    assert [one.tag.rpartition("}")[2] for one in badge] == ["title", "rect", "rect", "text", "text"]


def test_the_badge_says_the_verdict_as_shields_reads_it() -> None:
    found = gated(side("old", GOOD), side("new", GOOD))

    assert json.loads(badge_json(found)) == {
        "schemaVersion": 1, "label": "slm gate", "message": "pass", "color": "brightgreen",
    }  # fmt: skip
    assert ">pass</text>" in badge_svg(found)


def test_the_step_summary_is_appended(tmp_path: Path) -> None:
    found, file = gated(side("old", GOOD), side("new", GOOD)), tmp_path / "summary.md"
    file.write_text("before\n")

    assert step_summary(found, {"GITHUB_STEP_SUMMARY": str(file)}) == file
    assert file.read_text() == "before\n" + markdown_page(found)
    assert step_summary(found, {}) is None


def test_a_step_summary_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    found = gated(side("old", GOOD), side("new", GOOD))

    with pytest.raises(DataError, match=r"GITHUB_STEP_SUMMARY=.* cannot be written"):
        step_summary(found, {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "summary.md")})


def test_the_headline_claims_no_more_than_the_verdict() -> None:
    passed, failed, neither = (
        headline(gated(side("old", values), side("new", others)))
        for values, others in ((GOOD, GOOD), (GOOD, [0.0] * 100), ([1.0] * 9, [1.0] * 9))
    )

    assert passed.startswith("pass: new against the baseline old on mine is shown to hold its one blocking limit")
    assert "shown not to hold: right answers (loses less than 5 points; 100 lost" in failed
    assert "neither shown to hold nor to miss: right answers (inconclusive, ≈ " in neither


def test_a_result_reads_back_from_its_file() -> None:
    found = poisoned()

    assert GateResult.model_validate_json(found.model_dump_json()) == found
