"""What a call costs: list prices for hosted models, the machine's hour for local ones. None where it is not known."""

from harness.config import HardwareConfig, PriceConfig
from harness.records import Usage

__all__ = ["cost_basis", "hosted_cost_usd", "machine_usd_per_hour"]

_MTOK = 1_000_000


def hosted_cost_usd(usage: Usage, price: PriceConfig) -> float | None:
    """USD of one call: uncached input, cached input and output at their prices; None where tokens were not counted.

    Without a price for cached input, it costs what input costs.
    >>> price = PriceConfig(
    ...     input_usd_per_mtok=2, cached_input_usd_per_mtok=1, output_usd_per_mtok=8, as_of="2026-01-01"
    ... )
    >>> hosted_cost_usd(Usage(prompt_tokens=1000, cached_tokens=500, output_tokens=250, counted_by="server"), price)
    0.0035
    """
    if usage.prompt_tokens is None or usage.output_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    cached_price = (
        price.input_usd_per_mtok if price.cached_input_usd_per_mtok is None else price.cached_input_usd_per_mtok
    )
    fresh = (usage.prompt_tokens - cached) * price.input_usd_per_mtok
    return (fresh + cached * cached_price + usage.output_tokens * price.output_usd_per_mtok) / _MTOK


def machine_usd_per_hour(hardware: HardwareConfig) -> float | None:
    """USD of an hour of the machine: its rent, or price / lifetime + power × price of energy; None if unknown.

    >>> owned = HardwareConfig(name="x", title="x", price_usd=900, lifetime_hours=9000, watts=50, usd_per_kwh=0.2)
    >>> round(machine_usd_per_hour(owned), 6)
    0.11
    """
    if hardware.usd_per_hour is not None:
        return hardware.usd_per_hour
    if hardware.price_usd is None or hardware.lifetime_hours is None:
        return None
    energy = (hardware.watts or 0.0) / 1000 * (hardware.usd_per_kwh or 0.0)
    return hardware.price_usd / hardware.lifetime_hours + energy


def cost_basis(price: PriceConfig | None, hardware: HardwareConfig) -> str | None:
    """One line that says what costs were computed from; None if they could not be."""
    if price is not None:
        prices = f"{price.input_usd_per_mtok:g} in, {price.output_usd_per_mtok:g} out"
        return f"list price of {price.as_of}, USD per million tokens: {prices}"
    hourly = machine_usd_per_hour(hardware)
    return None if hourly is None else f"{hardware.title}: {hourly:.4g} USD an hour × busy time"
