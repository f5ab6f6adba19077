"""The real BFCL data and the reference checker, fetched once through the package registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.assets import cache_dir, fetch
from harness.records import Sample
from harness.suite.bfcl import Bfcl
from harness.suite.spec import read_spec
from tests.support.bfcl_reference import CHECKER, Reference, loaded_reference


@pytest.fixture(scope="session")
def bfcl_folder() -> Path:
    data = read_spec("toolcall").data
    assert data is not None
    return fetch(data, cache=cache_dir()).path


@pytest.fixture(scope="session")
def bfcl_samples(bfcl_folder: Path) -> dict[str, Sample]:
    return {sample.id: sample for sample in Bfcl(bfcl_folder).samples()}


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    with loaded_reference(fetch(CHECKER, cache=cache_dir()).path) as loaded:
        yield loaded
