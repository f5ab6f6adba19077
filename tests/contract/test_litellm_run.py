"""A run of a hosted model as a user types it: its cost, its key in nothing that is left behind, and how it can fail."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.backends.server_probe import get_json
from harness.errors import BackendError, ConfigError
from tests.contract.test_backend_litellm import (
    CANARY,
    CLAUDE,
    PYTHON,
    ask,
    entry,
    needs_litellm,
    relays,
    serving,
)
from tests.support import anthropic_server as claude

SUITE = """
name: sums
title: Sums
description: Small sums.
licence: CC0-1.0
loader: jsonl
scorer: text
"""
QUESTIONS = [
    {"prompt": f"What is 2 + {n}?", "target": {"kind": "text", "match": "numeric", "accepted": [str(n + 2)]}}
    for n in range(4)
]


def suite(folder: Path) -> Path:
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "samples.jsonl").write_text("\n".join(json.dumps(line) for line in QUESTIONS))
    return folder


def run(cwd: Path, home: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "suite=local", f"suite.path={home}", "model=hosted", "progress=off"]
    command += [f"model.name={CLAUDE}", f"model.url={url}", f"backend.python={PYTHON}", "run.warmup=0", "run.retries=1"]
    environment = {**os.environ, "ANTHROPIC_API_KEY": CANARY, "OTHER_API_KEY": CANARY[::-1]}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=environment)


ANSWER = [claude.begin(1000, read=2000, written=400), *claude.text(0, "It is ", "2."), *claude.finish(100)]
ECHO = f"x-api-key: {CANARY}, also known as {CANARY[:16]}"
REFUSED = claude.Refusal(401, "authentication_error", f"invalid {ECHO}")
BROKEN = [claude.begin(10), claude.broken("api_error", f"Traceback: {ECHO}")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, subprocess.CompletedProcess[str]]]:
    """Two at the same time: one with a break in the middle of a reply, one that is refused at its second call."""

    def one(trouble: list[claude.Part] | claude.Refusal) -> tuple[Path, subprocess.CompletedProcess[str]]:
        folder = tmp_path_factory.mktemp("run")
        home = suite(folder / "sums")
        with claude.serve(lambda number, _: trouble if number == 1 else ANSWER) as server:
            done = run(folder, home, server.url)
        assert [one["x-api-key"] for one in server.headers[:2]] == [CANARY, CANARY], done.stderr
        return folder, done

    with ThreadPoolExecutor() as pool:
        found = pool.map(one, (BROKEN, REFUSED))
    return dict(zip(("broken", "refused"), found, strict=True))


Runs = dict[str, tuple[Path, subprocess.CompletedProcess[str]]]


@needs_litellm
@pytest.mark.slow
def test_a_run_costs_what_the_price_map_says_for_each_kind_of_token(runs: Runs) -> None:
    folder, done = runs["broken"]

    summary = json.loads((folder / "results/run/latest/summary.json").read_text())
    manifest = json.loads((folder / "results/run/latest/manifest.json").read_text())

    assert done.returncode == 0, done.stderr
    assert (summary["n_scored"], summary["n_failed"]) == (4, 0)
    per_call = (1000 * 3 + 2000 * 0.3 + 400 * 3.75 + 100 * 15) / 1e6  # Claude Sonnet 4.5: 0.0066 USD
    assert summary["cost_usd"] == pytest.approx(4 * per_call)
    assert summary["recorded_cost"]["by"] == ["litellm"]  # it works the cost out; Anthropic says none
    assert summary["recorded_cost"]["usd"] == pytest.approx(summary["cost_usd"])
    assert summary["cost_basis"].startswith("list price in the price map of litellm 1.")
    assert manifest["config"]["model"]["price"]["as_of"].startswith("litellm 1.")


@needs_litellm
@pytest.mark.slow
@pytest.mark.parametrize("case", ["broken", "refused"])
def test_no_key_is_left_in_any_file_or_word_of_a_run(runs: Runs, case: str) -> None:
    folder, done = runs[case]

    left = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shown = {**left, "stdout": done.stdout.encode(), "stderr": done.stderr.encode()}

    assert len(left) > 5
    for key in (CANARY, CANARY[:16], CANARY[::-1]):
        assert [name for name, data in shown.items() if key.encode() in data] == []
    assert b"x-api-key" in b"".join(shown.values()) or b"REDACTED" in b"".join(shown.values())


@needs_litellm
@pytest.mark.slow
def test_a_refused_key_ends_the_run_in_one_line(runs: Runs) -> None:
    _, done = runs["refused"]

    assert done.returncode == 3
    assert done.stderr.strip().splitlines()[-1].startswith("harness: the endpoint cannot be used (auth): HTTP 401")


@needs_litellm
@pytest.mark.slow
async def test_a_relay_that_dies_during_the_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    before = {one.pid for one in relays()}

    async def run() -> None:
        async with serving(entry(CLAUDE)) as endpoint:
            (child,) = [one for one in relays() if one.pid not in before]
            child.kill()
            await get_json(f"{endpoint.base_url}/models", timeout_s=5)

    with pytest.raises(BackendError, match=r"^the relay to litellm was ended by SIGKILL.* during the run"):
        await run()
    assert {one.pid for one in relays()} == before


@needs_litellm
@pytest.mark.slow
async def test_a_provider_that_does_not_listen_is_told_as_such() -> None:
    async with serving(entry(CLAUDE, "http://127.0.0.1:9")) as endpoint:
        failure = (await ask(endpoint)).failure

    assert failure is not None
    assert (failure.kind, failure.status) == ("server_error", 502)
    assert "the provider cannot be reached" in failure.message


@needs_litellm
@pytest.mark.slow
async def test_a_missing_key_is_told_with_the_variable_that_the_provider_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    with pytest.raises(ConfigError, match=r"^anthropic/claude-sonnet-4-5 needs a key.*export ANTHROPIC_API_KEY=…"):
        async with serving(entry(CLAUDE)):
            pass


@pytest.mark.skipif(importlib.util.find_spec("litellm") is not None, reason="litellm is here")
async def test_without_litellm_one_line_says_what_to_type() -> None:
    with pytest.raises(BackendError, match=r"^litellm is not installed in this Python: pip install 'slm-harness\[hos"):
        async with serving(entry(CLAUDE), python=None):
            pass
