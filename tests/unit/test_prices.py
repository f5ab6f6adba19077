"""Prices are read from litellm's map as they stand there, and calls cost what a person works out from it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir

from harness.config import HardwareConfig, JudgeConfig, ModelConfig, PriceConfig, ScoringConfig, register_defaults
from harness.cost import break_even_calls_per_day, cost_basis, hosted_cost_usd
from harness.paths import conf_dir
from harness.prices import PriceMap, find_price_map, price_of, priced
from harness.records import Usage
from harness.scorers.context import judge_seat
from tests.contract.test_backend_litellm import PYTHON, needs_litellm

VERSION = "1.103.7"


def row(provider: str, usd_in: float, usd_out: float, **more: object) -> dict[str, Any]:
    base = {"litellm_provider": provider, "mode": "chat"}
    return {**base, "input_cost_per_token": usd_in, "output_cost_per_token": usd_out, **more}


READ, WRITE = "cache_read_input_token_cost", "cache_creation_input_token_cost"
ROWS = {
    "claude-sonnet-4-5": row(
        "anthropic", 3e-06, 1.5e-05, input_cost_per_token_batches=1.5e-06, output_cost_per_token_batches=7.5e-06,
        cache_read_input_token_cost_batches=1.5e-07, **{READ: 3e-07, WRITE: 3.75e-06},
    ),
    "claude-haiku-4-5": row("anthropic", 1e-06, 5e-06, **{READ: 1e-07, WRITE: 1.25e-06}),
    "gpt-4.1-mini": row(
        "openai", 4e-07, 1.6e-06, input_cost_per_token_batches=2e-07, output_cost_per_token_batches=8e-07,
        **{READ: 1e-07},
    ),
    "gpt-5": row("openai", 1.25e-06, 1e-05, **{READ: 1.25e-07}),
    "gemini/gemini-2.5-flash": row(
        "gemini", 3e-07, 2.5e-06, output_cost_per_reasoning_token=2.5e-06, **{READ: 3e-08}
    ),
    "gemini/gemini-2.5-pro": row(
        "gemini", 1.25e-06, 1e-05, input_cost_per_token_above_200k_tokens=2.5e-06,
        output_cost_per_token_above_200k_tokens=1.5e-05, cache_read_input_token_cost_above_200k_tokens=2.5e-07,
        **{READ: 1.25e-07},
    ),
    "mistral/mistral-large-latest": row("mistral", 5e-07, 1.5e-06),
    "perplexity/sonar-deep-research": row("perplexity", 2e-06, 8e-06, output_cost_per_reasoning_token=3e-06),
    "ollama/llama2": row("ollama", 0.0, 0.0),
}  # fmt: skip
"""What the calls below need, as it stands in the maps of litellm 1.103.7 (locked) and 1.106.2 alike."""
MAP = PriceMap(VERSION, ROWS)


def usage(prompt: int | None, output: int, cached: int = 0, written: int = 0, reasoning: int = 0) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        counted_by="server",
    )


def price(name: str) -> PriceConfig:
    found = price_of(name, MAP)
    assert found is not None
    return found


# Worked out by hand; prices in USD per million tokens.
CALLS = [
    # 1,000 x 3 + 200 x 15 = 3,000 + 3,000 = 6,000 millionths
    ("anthropic/claude-sonnet-4-5", usage(1_000, 200), False, 0.006),
    # first call, 4,000 written: 500 x 3 + 4,000 x 3.75 + 200 x 15 = 1,500 + 15,000 + 3,000 = 19,500
    ("anthropic/claude-sonnet-4-5", usage(4_500, 200, written=4_000), False, 0.0195),
    # second call, 4,000 read: 500 x 3 + 4,000 x 0.3 + 200 x 15 = 1,500 + 1,200 + 3,000 = 5,700
    ("anthropic/claude-sonnet-4-5", usage(4_500, 200, cached=4_000), False, 0.0057),
    # batch, 4,000 read: 500 x 1.5 + 4,000 x 0.15 + 200 x 7.5 = 750 + 600 + 1,500 = 2,850
    ("anthropic/claude-sonnet-4-5", usage(4_500, 200, cached=4_000), True, 0.00285),
    # 300 fresh, 2,000 read, 700 written: 300 x 1 + 2,000 x 0.1 + 700 x 1.25 + 50 x 5 = 300 + 200 + 875 + 250 = 1,625
    ("anthropic/claude-haiku-4-5", usage(3_000, 50, cached=2_000, written=700), False, 0.001625),
    # 1,024 of 1,500 read: 476 x 0.4 + 1,024 x 0.1 + 100 x 1.6 = 190.4 + 102.4 + 160 = 452.8
    ("openai/gpt-4.1-mini", usage(1_500, 100, cached=1_024), False, 0.0004528),
    # 700 of 800 reasoned, at the output's price: 2,000 x 1.25 + 800 x 10 = 2,500 + 8,000 = 10,500
    ("openai/gpt-5", usage(2_000, 800, reasoning=700), False, 0.0105),
    # reasoning has a price, the output's: 1,000 x 0.3 + 300 x 2.5 + 100 x 2.5 = 300 + 750 + 250 = 1,300
    ("gemini/gemini-2.5-flash", usage(1_000, 400, reasoning=300), False, 0.0013),
    # over 200,000: 100,000 x 2.5 + 150,000 x 0.25 + 1,000 x 15 = 250,000 + 37,500 + 15,000 = 302,500
    ("gemini/gemini-2.5-pro", usage(250_000, 1_000, cached=150_000), False, 0.3025),
    # reasoning at a price of its own: 1,000 x 2 + 200 x 8 + 5,000 x 3 = 2,000 + 1,600 + 15,000 = 18,600
    ("perplexity/sonar-deep-research", usage(1_000, 5_200, reasoning=5_000), False, 0.0186),
]


@pytest.mark.parametrize(("name", "used", "batch", "usd"), CALLS)
def test_a_call_costs_what_a_person_works_out_from_the_map(name: str, used: Usage, batch: bool, usd: float) -> None:
    assert hosted_cost_usd(used, price(name), batch=batch) == pytest.approx(usd, rel=1e-12)


@needs_litellm
def test_the_ten_calls_cost_the_same_by_the_installed_map() -> None:
    found = find_price_map(PYTHON)
    assert found is not None

    for name, used, batch, usd in CALLS:
        installed = price_of(name, found)
        assert installed is not None
        assert hosted_cost_usd(used, installed, batch=batch) == pytest.approx(usd, rel=1e-12), name


def test_a_prompt_of_exactly_the_bound_is_not_a_long_one() -> None:
    assert hosted_cost_usd(usage(200_000, 0), price("gemini/gemini-2.5-pro")) == pytest.approx(0.25)


def test_what_is_not_known_costs_none_and_not_nothing() -> None:
    assert hosted_cost_usd(usage(None, 10), price("openai/gpt-5")) is None
    assert hosted_cost_usd(usage(10, 10), price("mistral/mistral-large-latest"), batch=True) is None
    assert break_even_calls_per_day(None, 10.0) is None
    assert break_even_calls_per_day(0.01, None) is None


@pytest.mark.parametrize("name", ["openai/claude-sonnet-4-5", "openai/gpt-99", "ollama/llama2", "gpt", ""])
def test_a_model_that_the_map_does_not_price_has_no_price(name: str) -> None:
    assert price_of(name, MAP) is None


@pytest.mark.parametrize("provider", ["bedrock_converse", "bedrock"])
def test_a_provider_is_known_by_its_services_too(provider: str) -> None:
    rows = {"anthropic.claude-x": row(provider, 1e-06, 2e-06)}

    assert price_of("bedrock/anthropic.claude-x", PriceMap("1", rows)) is not None


def test_prices_in_steps_of_another_kind_are_left_unknown() -> None:
    rows = {"m": row("acme", 1e-06, 2e-06, tiered_pricing=[{"range": [0, 32000]}])}

    assert price_of("m", PriceMap("1", rows)) is None


def test_a_price_of_ones_own_wins_and_a_local_model_gets_none() -> None:
    own = PriceConfig(input_usd_per_mtok=1, output_usd_per_mtok=2, as_of="2026-11-01")
    hosted = ModelConfig(name="openai/gpt-5", title="x", licence="x", hosted=True, price=own)
    local = ModelConfig(name="openai/gpt-5", title="x", licence="x")

    assert priced(hosted, PYTHON).price == own
    assert priced(local, PYTHON).price is None


def test_the_basis_says_what_was_read_and_where_from() -> None:
    said = cost_basis(price("openai/gpt-5"), HardwareConfig(name="none", title="x"))

    assert said == "list price in the price map of litellm 1.103.7, USD per million tokens: 1.25 in, 10 out"


@needs_litellm
def test_the_rows_above_stand_in_the_installed_map() -> None:
    found = find_price_map(PYTHON)

    assert found is not None
    assert len(found.rows) > 1000
    for name, wanted in ROWS.items():
        assert {key: found.rows[name].get(key) for key in wanted} == wanted


@needs_litellm
def test_a_hosted_model_gets_its_price_from_the_installed_map() -> None:
    model = ModelConfig(name="anthropic/claude-sonnet-4-5", title="x", licence="x", hosted=True)

    found = priced(model, PYTHON).price

    assert found is not None
    assert found.as_of.startswith("litellm 1.")


def test_a_python_without_litellm_or_none_at_all_has_no_map(tmp_path: Path) -> None:
    assert find_price_map(str(tmp_path / "nowhere")) is None


def test_the_map_is_read_without_running_litellm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model_prices_and_context_window_backup.json").write_text(json.dumps(ROWS))
    info = tmp_path / "litellm-9.9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [one for one in sys.modules if one.partition(".")[0] == "litellm"]:  # of another test in this process
        monkeypatch.delitem(sys.modules, name)

    found = find_price_map()

    assert found == PriceMap("9.9.9", ROWS)
    assert "litellm" not in sys.modules


@needs_litellm
def test_a_judge_is_priced_as_a_model_under_test_is() -> None:
    told = (f"model.name={CALLS[0][0]}", f"backend.python={PYTHON}")
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        seat = judge_seat(ScoringConfig(judge=JudgeConfig(model="hosted", overrides=told)))

    assert seat is not None
    assert seat.config.model.price is not None
    assert seat.config.model.price.cache_write_usd_per_mtok == 3.75
