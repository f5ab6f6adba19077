"""Which run a test is about: a stored one, or one that is made for the marker, once a session."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from harness.errors import DataError, HarnessError
from harness.pytest_plugin.answers import Answer
from harness.pytest_plugin.of_run import HarnessRun, run_at

__all__ = ["run_of"]

_KEYS = ("suite", "model", "limit", "run")


def run_of(request: pytest.FixtureRequest, places: pytest.TempPathFactory) -> HarnessRun:
    """The run of a test. Ends the set-up, with the line that says why, where there is none."""
    config = request.config
    answer = cast(Answer, config.getoption("harness_inconclusive") or "fail")
    results = Path(config.rootpath, config.getoption("harness_results"))
    try:
        return run_at(_folder(request, places, results), results, answer)
    except HarnessError as error:
        reason = str(error)
    pytest.fail(f"harness_run: {reason}", pytrace=False)


def _folder(request: pytest.FixtureRequest, places: pytest.TempPathFactory, results: Path) -> Path:
    from harness.gate.find import latest_run

    config, marker = request.config, request.node.get_closest_marker("harness")
    told = dict(marker.kwargs) if marker else {}
    words = tuple(map(str, marker.args)) if marker else ()
    if unknown := sorted(told.keys() - set(_KEYS)):
        raise DataError(f"the marker harness has no {', '.join(unknown)}; it takes {', '.join(_KEYS)}")
    if told.get("model") is not None or words:
        return _made(_command(told, words), places, config)
    named = told.get("run") or config.getoption("harness_run")
    if named is not None:
        return Path(config.invocation_params.dir, os.fspath(named)).resolve()
    suite = told.get("suite")
    return latest_run(results, None if suite is None else frozenset({str(suite)}))


def _command(told: dict[str, object], words: tuple[str, ...]) -> list[str]:
    """The words of the command line that the marker stands for."""
    keys = {"suite": "suite", "model": "model", "limit": "suite.limit"}
    return [f"{key}={told[name]}" for name, key in keys.items() if told.get(name) is not None] + list(words)


def _made(words: list[str], places: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """The folder of a run with these words, made by whoever asks first; other workers of xdist wait for it."""
    from filelock import FileLock

    base = places.getbasetemp()
    shared = base.parent if hasattr(config, "workerinput") else base
    home = shared / f"harness-{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]}"
    home.mkdir(exist_ok=True)
    latest = home / "results" / "run" / "latest"
    with FileLock(home / "lock"):
        if not latest.exists():
            _run(words, home, config.rootpath)
    return latest.resolve()


def _run(words: list[str], home: Path, cwd: Path) -> None:
    """Makes the run. Raises DataError with the command's last line where it does not end well."""
    places = [f"paths.results={home / 'results'}", f"paths.reports={home / 'reports'}", "progress=off"]
    command = [sys.executable, "-m", "harness", *words, *places]
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "it said nothing")
        raise DataError(f"python -m harness {' '.join(words)} ended with {done.returncode}: {last}")
