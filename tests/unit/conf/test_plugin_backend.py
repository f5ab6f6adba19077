"""Engines of other packages in the configuration: their keys, and what is said to a name that nobody has."""

import pytest

from harness.config import PluginConfig, RunConfig, compose_apart
from harness.errors import ConfigError
from harness.registry import plugin_names


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "harness.config.backends.plugin_names", lambda group: sorted([*plugin_names(group), "our_engine"])
    )


@pytest.mark.usefixtures("installed")
def test_an_engine_of_another_package_takes_options_of_its_own() -> None:
    config = compose_apart("model=smollm2", "~backend", "+backend={name: our_engine, options: {port: 8000}}")

    assert isinstance(config, RunConfig)
    assert config.backend == PluginConfig(name="our_engine", options={"port": 8000})


@pytest.mark.usefixtures("installed")
def test_a_key_beside_the_options_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^backend\.port is not a key of this group"):
        compose_apart("model=smollm2", "~backend", "+backend={name: our_engine, port: 8000}")


def test_an_engine_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"^backend\.name='our_engine': no engine of that name; there are: .*llama"):
        compose_apart("model=smollm2", "~backend", "+backend={name: our_engine}")


def test_keys_of_our_own_engines_are_named_as_they_are_typed() -> None:
    with pytest.raises(ConfigError, match=r"^backend\.slots=0: "):
        compose_apart("model=smollm2", "backend.slots=0")
