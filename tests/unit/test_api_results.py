"""`harness.load_route`, `load_audit` and `load_conversion`: records and frames of what other verbs left."""

import shutil
from pathlib import Path

import pytest

import harness
from harness.errors import DataError
from tests.support.every_result import every_result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_result(tmp_path_factory.mktemp("api"))


def test_a_policy_is_its_record_and_its_frames(results: Path) -> None:
    found = harness.load_route(results=results)

    kinds = found.frame("route_kinds")

    assert list(kinds["kind"]) == [one.kind for one in found.record.kinds]
    assert len(found.frame("route_calls")) == found.record.tested_on
    assert {"routes", "route_curves", "route_tasks"} <= set(found.views)


def test_an_audit_and_a_conversion_by_their_names(results: Path) -> None:
    (name,) = (one.name for one in (results / "audit").iterdir())

    audit, conversion = harness.load_audit(name, results), harness.load_conversion(results / "convert" / "shop")

    assert list(audit.frame("audits")["cluster"]) == [one.cluster for one in audit.record.clusters]
    assert conversion.record.gate is not None
    assert list(conversion.frame("conversion_rows")["row"]) == [one.row for one in conversion.record.gate.rows]
    assert "curves" in conversion.views


def test_frames_hold_the_rows_of_one_folder(results: Path, tmp_path: Path) -> None:
    (kept,) = (results / "route").iterdir()
    for name in ("one", "other's"):
        shutil.copytree(kept, tmp_path / "route" / name)

    found = harness.load_route("other's", tmp_path)

    assert set(found.frame("route_kinds")["route"]) == {"other's"}


def test_a_mistake_is_one_line_with_what_there_is(results: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the newest there: shop"):
        harness.load_conversion("nope", results)
    with pytest.raises(DataError, match="none; make one: do=audit"):
        harness.load_audit(results=tmp_path)
    with pytest.raises(DataError, match="there are: routes"):
        harness.load_route(results=results).frame("gates")
