"""A gate's result for machines of others: JUnit XML, GitHub's annotations and step summary, and a badge."""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.errors import DataError
from harness.gate.page import annotated, headline, markdown_page, status_text
from harness.gate.words import label_of
from harness.records.gate import GateCheck, GateResult

__all__ = ["annotations", "badge_json", "badge_svg", "junit", "step_summary"]

_COLOURS = {"pass": ("brightgreen", "#2f7d32"), "fail": ("red", "#b3261e"), "inconclusive": ("yellow", "#8a6100")}
_LABEL = "slm gate"
_PX, _PAD, _HEIGHT = 7, 10, 20
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: GateResult) -> str:
    """JUnit XML, a test case for each check.

    A check that decides against the candidate is a failure, one that stops the gate undecided an error; warnings pass
    with their words in `system-out`, and what could not be judged is skipped.
    """
    told = {id(check): level for level, check in annotated(result)}
    suite = ET.Element("testsuite", name=_xml(f"gate {result.suite}"), timestamp=result.made_at)
    for check in result.checks:
        case = ET.SubElement(
            suite, "testcase", classname=_xml(f"gate.{check.tier}"), name=_xml(f"{label_of(check.name)}: {check.rule}")
        )
        words = _xml(f"{status_text(check)}: {check.why}")
        kind = _kind(check, told.get(id(check)), result)
        if kind is not None:
            ET.SubElement(case, kind, message=words)
        ET.SubElement(case, "system-out").text = words
    counts = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")}
    suite.attrib |= {
        "tests": str(len(result.checks)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
    }
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _kind(check: GateCheck, level: str | None, result: GateResult) -> str | None:
    if level == "error":
        return "error" if check.status != "fail" and result.exit_code == 2 else "failure"
    undecided = check.status in {"not_judged", "no_samples"} or (
        check.status == "inconclusive" and check.tier == "blocking"
    )
    return "skipped" if undecided else None


def _xml(text: str) -> str:
    """The text without characters that XML 1.0 has no way to write."""
    return _NOT_XML.sub("\ufffd", text)


def annotations(result: GateResult) -> str:
    """Workflow commands of GitHub Actions, a line for each check that is not as it should be; empty where all are."""
    return "".join(
        f"::{level} title={_property(f'gate: {label_of(check.name)}')}::"
        f"{_data(f'{check.rule}: {status_text(check)}. {check.why}')}\n"
        for level, check in annotated(result)
    )


def _data(text: str) -> str:
    r"""As GitHub's runner wants the text of a command: no line of it can start another.

    >>> _data("50 %\n::stop")
    '50 %25%0A::stop'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def step_summary(result: GateResult, environment: Mapping[str, str]) -> Path | None:
    """Appends the Markdown to `$GITHUB_STEP_SUMMARY` and returns that file; None where there is none.

    Raises DataError where it cannot be written.
    """
    name = environment.get("GITHUB_STEP_SUMMARY")
    if not name:
        return None
    file = Path(name)
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(markdown_page(result))
    except OSError as error:
        raise DataError(f"GITHUB_STEP_SUMMARY={name} cannot be written ({error.strerror}); unset it") from None
    return file


def badge_json(result: GateResult) -> str:
    """A badge as the endpoint of shields.io reads it."""
    import orjson

    badge = {"schemaVersion": 1, "label": _LABEL, "message": result.verdict, "color": _COLOURS[result.verdict][0]}
    return orjson.dumps(badge, option=orjson.OPT_INDENT_2).decode() + "\n"


def badge_svg(result: GateResult) -> str:
    """The same badge as a picture, with its sentence as title for those who cannot see it."""
    left, right = (len(text) * _PX + _PAD for text in (_LABEL, result.verdict))
    svg = ET.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", width=str(left + right), height=str(_HEIGHT), role="img"
    )  # fmt: skip
    ET.SubElement(svg, "title").text = _xml(headline(result))
    for x, width, colour in ((0, left, "#444444"), (left, right, _COLOURS[result.verdict][1])):
        ET.SubElement(svg, "rect", x=str(x), width=str(width), height=str(_HEIGHT), fill=colour)
    for x, width, text in ((0, left, _LABEL), (left, right, result.verdict)):
        attributes = {"font-family": "Verdana,DejaVu Sans,sans-serif", "font-size": "11", "text-anchor": "middle"}
        ET.SubElement(svg, "text", {"x": str(x + width / 2), "y": "14", "fill": "#ffffff", **attributes}).text = text
    return ET.tostring(svg, encoding="unicode") + "\n"
