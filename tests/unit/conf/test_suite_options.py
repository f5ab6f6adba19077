"""What pages, data sheets and comments say can be typed, can be."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from harness.config import SuiteConfig, ValidateConfig, known_keys, parse, register_defaults
from harness.errors import AssetError
from harness.explain import explain
from harness.paths import conf_dir
from harness.records import TextTarget
from harness.suite import jsonl
from harness.suite.spec import load_suite

ROOT = Path(__file__).parents[3]
SUITES = sorted(path.stem for path in (ROOT / "conf" / "suite").glob("*.yaml"))
PAGES = {
    "agentdojo": "agentdojo",
    "airgapped": "mbpp",
    "code": "mbpp",
    "inspect": "inspect",
    "lm_eval": "lm_eval",
    "reference": "local",
    "replay": "local",
    "suites": "local",
}
"""The suite that a page of docs/ is about, where a line does not name one."""
TYPED = re.compile(r"\+?suite\.options\.[A-Za-z_.]*[A-Za-z_](?:=(?:\[[^]\s]*\]|[^\s`'\"),;\]|]+))?")


def composed(*overrides: str) -> object:
    """The configuration of a command line. Raises what Hydra raises."""
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("config", overrides=list(overrides)), resolve=False)


def mentions() -> Iterator[tuple[str, str, str]]:
    """Where, of which suite, and what is to be typed; a value is put where only the key is named."""
    folders = {"docs": "*.md", "suites": "*/datasheet.md", "conf": "suite/*.yaml", "": "README.md"}
    files = [file for folder, glob in folders.items() for file in sorted((ROOT / folder).glob(glob))]
    for file in files:
        about = file.parent.name if file.name == "datasheet.md" else PAGES.get(file.stem, file.stem)
        for line in file.read_text().splitlines():
            suite = named[1] if (named := re.search(r"\bsuite=(\w+)", line)) else about
            if file.name == "README.md" and (row := re.match(r"\| `(\w+)`", line)):
                suite = row[1]
            for typed in TYPED.findall(line):
                key, given, value = typed.partition("=")
                yield file.name, suite, f"{key}={value.replace('…', 'x') if given else 'x'}"


MENTIONS = sorted(set(mentions()))


def test_there_is_something_to_check() -> None:
    assert len(MENTIONS) > 20
    assert {suite for _, suite, _ in MENTIONS} >= {"agentdojo", "humaneval", "ifbench", "inspect", "local", "mbpp"}


@pytest.mark.parametrize(("file", "suite", "typed"), MENTIONS)
def test_each_option_that_is_documented_can_be_typed(file: str, suite: str, typed: str) -> None:
    assert suite in SUITES, f"{file}: {typed} of which suite?"

    whole = composed(f"suite={suite}", typed.replace("NAME=", "name="))

    assert isinstance(whole, dict)
    key = typed.partition("=")[0].removeprefix("+suite.options.").removeprefix("suite.options.")
    node = whole["suite"]["options"]
    for name in key.replace("NAME", "name").split("."):
        node = node[name]
    assert node is not None


@pytest.mark.parametrize("suite", SUITES)
def test_options_that_a_table_lists_are_in_the_suites_file(suite: str) -> None:
    page = (ROOT / "docs" / "lm_eval.md").read_text()
    table = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", page[: page.index("## Figures")], flags=re.MULTILINE)
    listed = composed(f"suite={suite}", *(["suite.path=x"] if suite == "local" else []))

    assert isinstance(listed, dict)
    options = listed["suite"]["options"]
    if suite in {"lm_eval", "gsm8k", "gpqa", "mmlu", "mmlu_pro"}:
        assert {name for row in table for name in re.findall(r"`(\w+)`", row)} == set(options)
    if suite == "local":
        assert set(options) == {*jsonl.OPTIONS, "judge"}
        assert set(TextTarget.model_fields) - {"kind", "accepted", "human", "human_answer", "schema_"} <= set(options)


@pytest.mark.parametrize("suite", ["toolcall", "toolcall_multi_turn", "ifeval", "ifbench", "humaneval", "mbpp"])
def test_a_file_of_ones_own_that_is_not_there_names_the_key_that_is(suite: str, tmp_path: Path) -> None:
    config = SuiteConfig(name=suite, options={"file": str(tmp_path / "none")})

    with pytest.raises(AssetError, match=r"correct suite\.options\.file="):
        load_suite(config, tmp_path)
    composed(f"suite={suite}", "suite.options.file=x")


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_every_key_of_judging_and_of_agents_can_be_typed(verb: str) -> None:
    keys = [key for key in known_keys(verb, "llamacpp") if key.startswith(("scoring.", "agent."))]

    composed(f"do={verb}", *(f"{key}=null" for key in keys))

    assert "scoring.sandbox.memory_mb" in keys


def test_validate_has_the_defaults_of_the_schema() -> None:
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = parse(compose("config", overrides=["do=validate"]))

    assert isinstance(config, ValidateConfig)
    assert (config.agent, config.scoring) == (type(config.agent)(), type(config.scoring)())


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["suite=mbpp", "suite.options.prat=x"],
            "suite.options.file, suite.options.part; did you mean suite.options.part?",
        ),
        (["suite=gsm8k", "suite.options.gen_kwargs.untl=x"], "did you mean suite.options.gen_kwargs.until?"),
    ],
)
def test_a_mistyped_option_is_told_with_those_that_the_suite_has(overrides: list[str], words: str) -> None:
    with pytest.raises(Exception, match="Could not override") as failed:
        composed(*overrides)

    assert isinstance(failed.value, Exception)
    assert words in explain(failed.value, overrides)
