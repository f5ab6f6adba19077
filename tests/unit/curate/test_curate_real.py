"""The real logs beside the checkout, curated: repeated requests are found, and nothing leaks."""

import lzma
from pathlib import Path

import pytest

from harness.curate.curated import Curated
from harness.logs.reading import read_logs
from harness.store.calls import read_calls
from tests.support.curated_calls import curated

_DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not _DATA.is_dir(), reason="needs ../shared/data"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Curated:
    folder = tmp_path_factory.mktemp("dev")
    log = folder / "dev.jsonl"
    log.write_bytes(lzma.decompress((_DATA / "dev.jsonl.xz").read_bytes()))
    records = [one.item.record for one in read_logs([str(log)]) if one.item.record is not None]
    return curated(folder, records)


def test_the_seventy_requests_that_occur_twice_are_found(done: Curated) -> None:
    every, *agents = done.disagreement

    assert every.repeated == 70
    assert sum(row.repeated for row in agents) == 70
    assert (every.decision, every.tool, every.arguments, every.text) == (0, 4, 0, 23)


def test_books_balance_and_weights_stand_for_what_was_dropped(done: Curated) -> None:
    manifest = done.manifest
    dropped = {row.rule: row.calls for row in manifest.dropped}

    assert manifest.read == 3587
    assert manifest.kept + sum(dropped.values()) == 3587
    assert sum(manifest.split_weights.values()) == manifest.kept + dropped["exact duplicate"]


def test_groups_leak_nothing_where_sessions_alone_do(done: Curated) -> None:
    calls, sessions, groups = done.leakage.rows

    assert calls.at_threshold > sessions.at_threshold > 20
    assert (groups.at_threshold, groups.same_request, groups.shared_sessions) == (0, 0, 0)


def test_good_outcomes_of_the_benchmark_are_verified(done: Curated) -> None:
    for call in read_calls(done.folder):
        verified = call.outcome == 1.0 and call.outcome_by == "verified"
        assert (call.reference.label == "outcome-verified") >= verified
