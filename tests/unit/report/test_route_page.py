"""The page of a policy says what was certified, and no more."""

from functools import cache
from html import unescape

import numpy as np

from harness.config import RouteOptions
from harness.records.routing import RouteReport
from harness.report.route import build_page
from harness.report.route_table import markdown_page, route_tables
from harness.route.build import route
from tests.support.route_calls import evidence, planted


@cache
def report(right: float | None = None) -> RouteReport:
    """Of a confidence that tells right from wrong, or of a small model that is right with this chance."""

    def chance(sure: float) -> float:
        return float(np.sqrt(sure)) if right is None else right

    calls = planted(200, 1, chance, prefix="a"), planted(200, 2, chance, prefix="b")
    given = {"margin": 0.05, "kinds": ["cascade", "cluster"], "calls_per_s": 1.0, "load": [1.0, 20.0]}
    return route("2026-01-01", evidence(*calls), "no index of tasks", RouteOptions.model_validate(given)).report


def test_the_headline_is_the_certificate() -> None:
    page = build_page(report())

    assert f"<h1>{report().sentence}</h1>" in page
    assert "At most 5 points below large with 95 % confidence" in page


def test_a_policy_that_is_not_certified_has_no_certified_point_and_the_reason() -> None:
    found = report(0.0)
    page = unescape(build_page(found))

    assert found.chosen is None
    assert found.sentence.startswith("No threshold is shown")
    assert 'class="facts"' not in page
    assert found.kinds[0].why_not is not None
    assert found.kinds[0].why_not in page


def test_a_kind_that_could_not_be_made_says_why() -> None:
    assert "no index of tasks" in build_page(report())
    assert "not made: no index of tasks" in markdown_page(report())


def test_the_certified_point_is_in_the_picture() -> None:
    page = build_page(report())

    assert page.count("cascade, certified:") >= 2
    assert "large less 5 points" in page


def test_a_small_engine_that_never_catches_up_is_named() -> None:
    assert "never catches up" in build_page(report())


def test_names_from_outside_are_text() -> None:
    found = report().model_copy(update={"suite": "<script>alert(1)</script>", "notes": ("<b>bold</b>",)})

    page = build_page(found)

    assert "<script>alert" not in page
    assert "<b>bold</b>" not in page


def test_all_tables_have_what_the_page_shows() -> None:
    tables = {one.name: one for one in route_tables(report())}

    assert [len(tables[name].rows) for name in ("kinds", "figures", "clusters", "prices", "loads")] == [2, 5, 1, 4, 2]
    certified = report().kinds[0].certified
    assert certified is not None
    assert len(tables["rungs"].rows) == len(certified.rungs)
    assert all(len(row) == len(one.fields) for one in tables.values() for row in one.rows)


def test_the_report_is_the_same_after_it_was_written_and_read() -> None:
    assert RouteReport.model_validate_json(report().model_dump_json()) == report()
