"""The pytest plugin: `pytest --harness-gate`, the marker `harness`, the fixtures `harness_run` and `harness_trials`.

pytest imports this file in every session of every project beside which the harness is installed: it imports pytest and
the standard library alone, and what is needed comes when it is asked for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.pytest_plugin.items import Judged
    from harness.pytest_plugin.of_run import HarnessRun
    from harness.pytest_plugin.trials import Trials

__all__ = ["harness_run", "harness_trials"]

_MARKER = (
    "harness(*words, suite=None, model=None, limit=None, run=None): which run the fixture harness_run is about: a "
    "stored one (run=FOLDER, or the newest of the suite), or, with a model, one that is made once a session"
)
_ANSWERS = ("fail", "skip", "pass")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("harness", "slm-harness: gates and assertions with intervals")
    group.addoption(
        "--harness-gate", action="store_true", help="judge a run against its baseline, a test for each check"
    )
    group.addoption("--harness-run", metavar="FOLDER", help="the run that is judged; default: the newest")
    group.addoption("--harness-baseline", metavar="FOLDER", help="what it is held against; default: what was accepted")
    group.addoption("--harness-policy", metavar="NAME", default="default", help="conf/gate: default, strict or quick")
    group.addoption(
        "--harness-set", metavar="KEY=VALUE", action="append", default=[],
        help="a key of the policy, such as gate.accuracy.margin=0.02; may be repeated",
    )  # fmt: skip
    group.addoption("--harness-results", metavar="FOLDER", default="results", help="where runs and baselines lie")
    group.addoption(
        "--harness-inconclusive", choices=_ANSWERS,
        help="what comes of what shows neither; default: fail, and in a gate what its policy says",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hands the gate's result to a worker of xdist: it is judged once."""
    if node.config.getoption("harness_gate"):
        node.workerinput["harness_gate"] = _judged(node.config).as_text()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds a test for each check of the gate, after `-k` and `-m` have chosen: a gate is not deselected by accident."""
    if config.getoption("harness_gate"):
        from harness.pytest_plugin.items import gate_items

        items.extend(gate_items(session, _judged(config)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The gate in words, below the tests."""
    if config.getoption("harness_gate"):
        from harness.pytest_plugin.items import section_lines

        terminalreporter.section("harness gate")
        for line in section_lines(_judged(config)):
            terminalreporter.write_line(line)


_KEY = pytest.StashKey["Judged"]()


def _judged(config: pytest.Config) -> "Judged":
    from harness.pytest_plugin.items import judged_of

    if _KEY not in config.stash:
        config.stash[_KEY] = judged_of(config)
    return config.stash[_KEY]


@pytest.fixture
def harness_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "HarnessRun":
    """A run with its figures: `harness_run.accuracy.at_least(0.9)`, `harness_run.no_worse_than(baseline)`.

    Which run it is, the marker `harness` says; without it the one of `--harness-run`, or the newest.
    """
    from harness.pytest_plugin.finding import run_of

    return run_of(request, tmp_path_factory)


@pytest.fixture
def harness_trials(request: pytest.FixtureRequest) -> "Callable[..., Trials]":
    """Calls a function until it is certain that it succeeds often enough, or that it does not."""
    from functools import partial

    from harness.pytest_plugin.trials import try_often

    return partial(try_often, request.config.getoption("harness_inconclusive") or "fail")
