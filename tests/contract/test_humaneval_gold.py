"""HumanEval's own solutions in the sandbox: the self-check that stands before every run."""

import asyncio
import shutil
from pathlib import Path

import pytest

from harness.assets import cache_dir
from harness.config import SandboxConfig, SuiteConfig
from harness.scorers.code import CodeScorer
from harness.suite.spec import load_suite


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_all_164_canonical_solutions_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load_suite(SuiteConfig(name="humaneval"), cache_dir())
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))

    asyncio.run(CodeScorer(SandboxConfig(kind="bwrap", timeout_s=30), 2).ready(suite.samples))

    assert len(list((tmp_path / "checked").iterdir())) == len(suite.samples) == 164
