"""A suite that is made from logs on the way: what a person is told who stops it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness.chain
from harness.assets.progress import silent
from harness.config.verbs import SuiteVerbConfig
from harness.verbs.suited import suited


def test_who_stops_it_is_told_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(harness.chain, "make_chain", stopped)
    given: dict[str, Any] = {"chain": object(), "paths": SimpleNamespace(reports=str(tmp_path))}
    config = SuiteVerbConfig.model_construct(**given)
    said: list[str] = []

    with pytest.raises(KeyboardInterrupt):
        suited([config], silent, said.append)

    assert said == ["stopped; the same command goes on after the last step that was done"]
