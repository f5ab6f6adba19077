"""What the scorer of likeness needs shows before the run."""

import sys

import pytest

from harness.errors import ConfigError
from harness.scorers.embedding import EmbeddingScorer
from tests.support.specimens.embedding import SPECIMENS


async def test_a_package_that_is_not_there_shows_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ConfigError, match="embeddings need onnxruntime: make suites in a clone, else pip"):
        await EmbeddingScorer().ready([one.sample for one in SPECIMENS])


@pytest.mark.model
async def test_with_the_packages_there_it_is_ready() -> None:
    await EmbeddingScorer().ready([one.sample for one in SPECIMENS])
