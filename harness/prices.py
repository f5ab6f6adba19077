"""What hosted models cost, from the price map that comes with litellm: read as a file, nothing of litellm is run."""

import importlib.metadata
import importlib.util
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.config import LongPromptPrices, ModelConfig, PriceConfig, TokenPrices

__all__ = ["PriceMap", "find_price_map", "price_of", "priced"]

_FILE = "model_prices_and_context_window_backup.json"
_FIND = (
    "import importlib.metadata, importlib.util; found = importlib.util.find_spec('litellm'); "
    "print(importlib.metadata.version('litellm')); print(found.submodule_search_locations[0])"
)
_ASK_TIMEOUT_S = 20.0
_MODES = {"chat", "responses", "completion"}
_LONG = re.compile(r"input_cost_per_token_above_(\d+)(k?)_tokens")
_FIELDS = {
    "input_usd_per_mtok": "input_cost_per_token",
    "cached_input_usd_per_mtok": "cache_read_input_token_cost",
    "cache_write_usd_per_mtok": "cache_creation_input_token_cost",
    "output_usd_per_mtok": "output_cost_per_token",
    "reasoning_usd_per_mtok": "output_cost_per_reasoning_token",
}

Row = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class PriceMap:
    """litellm's price map and the version that it came with. USD per token, by model."""

    version: str
    rows: Mapping[str, Row]


def find_price_map(python: str | None = None) -> PriceMap | None:
    """The map of the litellm that a Python (None: this one) has installed; None where it has none."""
    found = _installed_here() if python is None else _installed_there(python)
    if found is None:
        return None
    version, folder = found
    try:
        return PriceMap(version, orjson.loads((folder / _FILE).read_bytes()))
    except (OSError, orjson.JSONDecodeError):
        return None


def _installed_here() -> tuple[str, Path] | None:
    found = importlib.util.find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        return None
    try:
        return importlib.metadata.version("litellm"), Path(found.submodule_search_locations[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def _installed_there(python: str) -> tuple[str, Path] | None:
    command = [str(Path(python).expanduser()), "-I", "-c", _FIND]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=True)
        version, folder = done.stdout.splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return version, Path(folder)


def priced(model: ModelConfig, python: str | None = None) -> ModelConfig:
    """The model with its price: its own wins, then litellm's map; as it was where it is not hosted or not in the map.

    python: the Python whose litellm is asked (`backend.python`); None: this one.
    """
    if model.price is not None or not model.hosted:
        return model
    prices = find_price_map(python)
    price = None if prices is None else price_of(model.served_name or model.name, prices)
    return model if price is None else model.model_copy(update={"price": price})


def price_of(name: str, prices: PriceMap) -> PriceConfig | None:
    """The list price of a model by litellm's name for it; None where the map has none, or one that is not per token.

    A price of 0 for input and output is none either: the map has it for what it does not price (subscriptions, local
    engines). So are prices in steps of another kind than one bound on the prompt (`tiered_pricing`).
    >>> rows = {"m": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 3e-6,
    ...               "output_cost_per_token": 15e-6, "cache_read_input_token_cost": 3e-7}}
    >>> price = price_of("acme/m", PriceMap("1.0", rows))
    >>> price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.output_usd_per_mtok, price.as_of
    (3.0, 0.3, 15.0, 'litellm 1.0')
    """
    row = _row(name, prices.rows)
    if row is None or row.get("mode") not in _MODES or "tiered_pricing" in row:
        return None
    usual = _prices(row, "")
    if usual is None or not (usual["input_usd_per_mtok"] or usual["output_usd_per_mtok"]):
        return None
    batch = _prices(row, "_batches")
    return PriceConfig(
        **usual,
        long_prompt=_long(row, usual),
        batch=None if batch is None else TokenPrices(**batch),
        as_of=f"litellm {prices.version}",
        source="list price in the price map",
    )


def _row(name: str, rows: Mapping[str, Row]) -> Row | None:
    """The map's entry under the full name, or under the name without the provider where it is that provider's."""
    if name in rows:
        return rows[name]
    provider, _, bare = name.partition("/")
    row = rows.get(bare)
    whose = str(row.get("litellm_provider")) if row is not None else ""
    return row if re.fullmatch(rf"{re.escape(provider)}([_-].+)?", whose) else None


def _prices(row: Row, suffix: str) -> dict[str, float] | None:
    """The prices of one kind of service; None without input and output."""
    found = _named(row, suffix)
    return found if {"input_usd_per_mtok", "output_usd_per_mtok"} <= found.keys() else None


def _named(row: Row, suffix: str) -> dict[str, float]:
    """The prices that a row has under keys with this ending, in USD per million tokens."""
    found: dict[str, float] = {}
    for field, key in _FIELDS.items():
        usd = row.get(key + suffix)
        if isinstance(usd, int | float) and not isinstance(usd, bool) and usd >= 0:
            found[field] = round(usd * 1_000_000, 9)  # 1e-07 x 1e6 is 0.09999999999999999
    return found


def _long(row: Row, usual: Mapping[str, float]) -> tuple[LongPromptPrices, ...]:
    """Prices above bounds on the prompt, lowest bound first; what a step does not name costs as in the step below.

    Only reasoning does not: where a step is silent on it, it costs what the step's output costs.
    """
    bounds = {int(hit[1]) * (1000 if hit[2] else 1): hit[0] for hit in map(_LONG.fullmatch, row) if hit}
    known, steps = dict(usual), []
    for over, key in sorted(bounds.items()):
        known.pop("reasoning_usd_per_mtok", None)
        known |= _named(row, key.removeprefix("input_cost_per_token"))
        steps.append(LongPromptPrices(over_tokens=over, **known))
    return tuple(steps)
