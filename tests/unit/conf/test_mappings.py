"""Mappings whose keys nobody knows beforehand can be typed as they are, for every engine that has one."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from harness.config import RunConfig, parse, register_defaults
from harness.paths import conf_dir

CASES = [
    (file.stem, key)
    for file in sorted((conf_dir() / "backend").glob("*.yaml"))
    for key in ("extra_body", "template_options")
    if f"\n{key}:" in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize(("backend", "key"), CASES)
def test_a_mapping_is_typed_without_a_plus_and_empty_without_being_typed(backend: str, key: str) -> None:
    register_defaults()
    name = ["model=served", "model.name=m", f"backend={backend}", "model.url=http://127.0.0.1:1/v1"]

    with initialize_config_dir(str(Path(conf_dir())), version_base=None):
        typed = parse(compose("config", overrides=[*name, f"backend.{key}={{enable_thinking: false}}"]))
        silent = parse(compose("config", overrides=name))

    assert isinstance(typed, RunConfig)
    assert isinstance(silent, RunConfig)
    assert getattr(typed.backend, key) == {"enable_thinking": False}
    assert getattr(silent.backend, key) == {}


def test_there_are_engines_with_such_mappings() -> None:
    assert len(CASES) > 8
