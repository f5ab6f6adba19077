"""How the configuration of an audit is composed."""

import pytest
from hydra import compose, initialize_config_dir

from harness import app
from harness.config import AuditConfig, parse, register_defaults
from harness.errors import ConfigError
from harness.paths import conf_dir


def audit(*words: str) -> AuditConfig:
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        found = parse(compose("config", overrides=["do=audit", *words]))
    assert isinstance(found, AuditConfig)
    return found


def test_all_splits_of_a_log_are_built_and_asked() -> None:
    found = audit("logs.path=calls.jsonl")

    assert found.chain is not None
    assert found.chain.build.splits == ("test", "calibration", "train")
    assert found.chain.build.per_cluster == 120
    assert found.suite.options["split"] == "all"


def test_the_number_of_samples_and_a_split_can_be_chosen() -> None:
    found = audit("logs.path=x", "audit.per_cluster=7", "build.splits=[test]", "suite.options.split=test")

    assert found.chain is not None
    assert (found.chain.build.per_cluster, found.chain.build.splits) == (7, ("test",))
    assert found.suite.options["split"] == "test"


def test_a_suite_that_is_there_takes_no_log() -> None:
    found = audit("suite=toolcall", "model=smollm2", "stats=strict")

    assert found.chain is None
    assert found.suite.name == "toolcall"
    assert found.stats.name == "strict"


def test_a_run_that_ends_early_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run\.stop ends a run before an audit has its samples"):
        audit("logs.path=x", "run.stop=verdict")


def test_lists_of_models_names_and_protocols_are_kept_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, list[str]] = {}
    monkeypatch.setattr(app, "_side_by_side", kept)

    taken = app._take_models(["model=[a, b]", "model.name=[x,x,y]", "model.protocol=native", "model=[]"])

    assert taken == ["model=a", "model.name=x", "model.protocol=native", "model=[]"]
    assert kept == {"model": ["a", "b"], "model.name": ["x", "y"]}
