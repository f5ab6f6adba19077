"""Real agents' calls as rows: a careless split is caught, and every row of a careful one is right by the scorer."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.building import BuildOptions
from harness.config.convert import ConvertData
from harness.convert.data import prepare
from harness.convert.data.answers import reply_of
from harness.convert.data.contamination import compare
from harness.convert.data.files import read_rows
from harness.convert.data.likeness import Likeness
from harness.errors import DataError
from harness.records import Sample
from harness.suite.build import build
from harness.suite.jsonl import Jsonl
from tests.support.convert_samples import setup
from tests.support.replay_calls import calls_of, curated

LOG = Path(__file__).parents[3].parent / "shared" / "data" / "sample500.jsonl.xz"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not LOG.is_file(), reason="../shared is not beside the checkout"),
]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """A suite of 90 calls, every third to the test, whatever its session is."""
    folder = tmp_path_factory.mktemp("suite")
    calls = [
        replace(one, split="test" if number % 3 == 0 else "train") for number, one in enumerate(calls_of(LOG, limit=90))
    ]
    curated(folder / "calls", calls)
    options = BuildOptions(calls=str(folder / "calls"), name="made", out=str(folder), splits=("test", "train"))
    build(options)
    return list(Jsonl(folder / "made" / "samples.jsonl", "replay", {"split": "all"}, ()).samples())


def test_a_split_by_call_is_refused(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="same_session"):
        prepare(ConvertData(), samples, setup("native"), tmp_path)


def test_rows_of_a_careful_split_are_right_by_the_scorer(samples: list[Sample], tmp_path: Path) -> None:
    train = [one for one in samples if one.split == "train"]
    gate = [one for one in samples if one.split == "test"]
    with Likeness(samples) as likeness:
        bad = {pair.gate for pair in compare(train, gate, likeness).pairs}
    careful = [*train, *(one for one in gate if one.id not in bad)]

    manifest = prepare(ConvertData(validation=0, near=None), careful, setup("native"), tmp_path)

    by_id = {one.id: one for one in careful}
    scorer = setup().scorer
    rows = read_rows(tmp_path / "train.jsonl")
    assert manifest.n_train == len(rows) > 30
    assert all(
        scorer.score(by_id[one.sample], reply_of(one.reply), "native").value == 1.0  # type: ignore[union-attr]
        for one in rows
    )
