"""docs/metrics and docs/scorers: a page for each metric and scorer of the code, one shape, examples that hold."""

import doctest
import re
from pathlib import Path

import pytest

from harness.records.summary import Summary
from harness.registry import plugin_names
from harness.report.columns import COLUMNS
from harness.report.measures import MEASURES

DOCS = Path(__file__).parents[3] / "docs"
METRICS = sorted((DOCS / "metrics").glob("*.md"))
SCORERS = sorted((DOCS / "scorers").glob("*.md"))
PAGES = [*METRICS, *SCORERS]
HEADINGS = ["Measures", "Formula and unit", "Undefined when", "Example", "Pitfalls", "Source"]
WHAT_IT_IS = {
    "schema_version", "run", "suite", "suite_hash", "model", "model_title", "protocol", "backend", "quantization",
    "trials", "started_at", "complete", "of_run", "cost_basis", "warnings",
}  # fmt: skip
"""Fields of a summary that name the run and measure nothing."""
OF_OTHERS = {"by_category", "parts", "rates"}
"""Figures that have pages under their own names."""
FENCE = re.compile(r"```pycon\n(.*?)```", re.DOTALL)


def names_on(page: Path) -> set[str]:
    line = page.read_text().splitlines()[2]
    return set(re.findall(r"`([^`]+)`", line.removeprefix("In `summary.json`")))


def metric_names() -> set[str]:
    fields = set(Summary.model_fields) - WHAT_IT_IS - OF_OTHERS
    columns = {column.key for column in COLUMNS if column.numeric or column.key == "small"}
    return fields | columns | set(MEASURES) | {"pass_at", "pass_hat"}


def sections(page: Path) -> dict[str, str]:
    found = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_every_metric_of_board_and_summary_has_its_page_and_no_page_names_another() -> None:
    named = [name for page in METRICS for name in names_on(page)]

    assert set(named) == metric_names()
    assert len(named) == len(set(named))


def test_every_registered_scorer_has_its_page() -> None:
    assert [page.stem for page in SCORERS] == sorted(plugin_names("harness.scorers"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_page_has_all_headings_in_order_and_none_is_empty(page: Path) -> None:
    found = sections(page)

    assert list(found) == HEADINGS
    assert all(text.strip() for text in found.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_example_is_what_the_product_computes(page: Path) -> None:
    example = FENCE.search(sections(page)["Example"])
    assert example is not None
    assert "from harness." in example[1]
    test = doctest.DocTestParser().get_doctest(example[1], {}, page.stem, str(page), 0)

    told: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(test, out=told.append)

    assert tried > 1
    assert failed == 0, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_modules_that_a_page_cites_are_there(page: Path) -> None:
    cited = re.findall(r"`(harness/[\w/.*]+)`", sections(page)["Source"])

    assert all((DOCS.parent / path).exists() for path in cited), cited
