"""What a call costs: list prices for hosted models, the machine's hour for local ones. None where it is not known."""

from harness.config import HardwareConfig, PriceConfig, TokenPrices
from harness.energy import energy_usd
from harness.records import Usage

__all__ = [
    "break_even_calls_per_day",
    "cost_basis",
    "hosted_cost_usd",
    "machine_usd",
    "machine_usd_apart",
    "machine_usd_per_hour",
]

_MTOK = 1_000_000


def hosted_cost_usd(usage: Usage, price: PriceConfig, *, batch: bool = False) -> float | None:
    """USD of one call at list price: each kind of token at its own; None where tokens or prices are not known.

    cost = fresh × input + cached × cached_input + written × cache_write + (output - reasoning) × output + reasoning ×
    reasoning, with fresh = prompt - cached - written. A kind without a price of its own costs as input or output does.
    A prompt over a bound of `long_prompt` puts the whole call at those prices. batch: at the prices of the batch
    service; None where it has none, and for long prompts, whose batch prices are not kept.
    >>> price = PriceConfig(
    ...     input_usd_per_mtok=2, cached_input_usd_per_mtok=1, output_usd_per_mtok=8, as_of="2026-01-01"
    ... )
    >>> hosted_cost_usd(Usage(prompt_tokens=1000, cached_tokens=500, output_tokens=250, counted_by="server"), price)
    0.0035
    """
    if usage.prompt_tokens is None or usage.output_tokens is None:
        return None
    prices = _prices_for(usage.prompt_tokens, price, batch)
    if prices is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    written = min(usage.cache_write_tokens or 0, usage.prompt_tokens - cached)
    reasoning = min(usage.reasoning_tokens or 0, usage.output_tokens)
    fresh, said = usage.prompt_tokens - cached - written, usage.output_tokens - reasoning
    read = fresh * prices.input_usd_per_mtok
    read += cached * _or(prices.cached_input_usd_per_mtok, prices.input_usd_per_mtok)
    read += written * _or(prices.cache_write_usd_per_mtok, prices.input_usd_per_mtok)
    made = said * prices.output_usd_per_mtok
    made += reasoning * _or(prices.reasoning_usd_per_mtok, prices.output_usd_per_mtok)
    return (read + made) / _MTOK


def _or(price: float | None, otherwise: float) -> float:
    return otherwise if price is None else price


def _prices_for(prompt_tokens: int, price: PriceConfig, batch: bool) -> TokenPrices | None:
    """The prices that hold for a prompt of this length."""
    steps = [step for step in price.long_prompt if prompt_tokens > step.over_tokens]
    if batch:
        return None if steps else price.batch
    return max(steps, key=lambda step: step.over_tokens) if steps else price


def break_even_calls_per_day(
    hosted_usd_per_call: float | None, machine_usd_per_day: float | None, local_usd_per_call: float = 0.0
) -> float | None:
    """Calls a day from which on a machine that is paid all day costs less than the hosted model.

    machine_usd_per_day / (hosted_usd_per_call - local_usd_per_call). local_usd_per_call: what a call costs besides the
    machine's day, such as the energy that only work takes, or the share that goes on to the hosted model all the same.
    None where a cost is not known, and where each call costs no less here than there: then no number of calls does.
    Whether the machine can answer so many is another question: calls_per_day = 86,400 × concurrency / seconds a call.
    >>> break_even_calls_per_day(0.002, 24 * 0.8)
    9600.0
    >>> break_even_calls_per_day(0.002, 24 * 0.8, local_usd_per_call=0.003) is None
    True
    """
    if hosted_usd_per_call is None or machine_usd_per_day is None or hosted_usd_per_call <= local_usd_per_call:
        return None
    return round(machine_usd_per_day / (hosted_usd_per_call - local_usd_per_call), 6)


def machine_usd_per_hour(hardware: HardwareConfig) -> float | None:
    """USD of an hour of the machine: its rent, or price / lifetime + power × price of energy; None if unknown.

    >>> owned = HardwareConfig(name="x", title="x", price_usd=900, lifetime_hours=9000, watts=50, usd_per_kwh=0.2)
    >>> round(machine_usd_per_hour(owned), 6)
    0.11
    """
    written_off = _written_off_per_hour(hardware)
    if written_off is None:
        return hardware.usd_per_hour
    return written_off + (hardware.watts or 0.0) / 1000 * (hardware.usd_per_kwh or 0.0)


def machine_usd(hardware: HardwareConfig, seconds: float, joules: float | None = None) -> float | None:
    """USD of so much busy time: rent, or the share of the price and the energy; None if unknown.

    joules: energy measured in that time; then it, and not `watts`, is what energy is paid for.
    >>> owned = HardwareConfig(name="x", title="x", price_usd=900, lifetime_hours=9000, watts=50, usd_per_kwh=0.2)
    >>> round(machine_usd(owned, 3600), 6), round(machine_usd(owned, 3600, joules=90_000), 6)
    (0.11, 0.105)
    """
    paid = energy_usd(joules, hardware.usd_per_kwh)
    written_off = _written_off_per_hour(hardware)
    if paid is not None and written_off is not None:
        return seconds / 3600 * written_off + paid
    hourly = machine_usd_per_hour(hardware)
    return None if hourly is None else seconds / 3600 * hourly


def machine_usd_apart(hardware: HardwareConfig, joules_per_call: float | None) -> tuple[float | None, float]:
    """USD of an hour of the machine, working or not, and USD of a call besides: its energy where that was measured.

    Without measured energy, and of a rented machine, all is in the hour.
    >>> owned = HardwareConfig(name="x", title="x", price_usd=900, lifetime_hours=9000, watts=50, usd_per_kwh=0.2)
    >>> machine_usd_apart(owned, 3_600)
    (0.1, 0.0002)
    """
    written_off, paid = _written_off_per_hour(hardware), energy_usd(joules_per_call, hardware.usd_per_kwh)
    if written_off is None or paid is None:
        return machine_usd_per_hour(hardware), 0.0
    return written_off, paid


def _written_off_per_hour(hardware: HardwareConfig) -> float | None:
    """USD of an hour's share of the price of a machine of one's own; None for a rented or unknown one."""
    if hardware.usd_per_hour is not None or hardware.price_usd is None or hardware.lifetime_hours is None:
        return None
    return hardware.price_usd / hardware.lifetime_hours


def cost_basis(price: PriceConfig | None, hardware: HardwareConfig, joules: float | None = None) -> str | None:
    """One line that says what costs were computed from; None if they could not be."""
    if price is not None:
        prices = f"{price.input_usd_per_mtok:g} in, {price.output_usd_per_mtok:g} out"
        whose = f"{price.source} of {price.as_of}" if price.source else f"list price of {price.as_of}"
        return f"{whose}, USD per million tokens: {prices}"
    written_off = _written_off_per_hour(hardware)
    if written_off is not None and joules is not None and hardware.usd_per_kwh is not None:
        paid = f"measured energy at {hardware.usd_per_kwh:g} USD per kWh (processor and cards alone)"
        return f"{hardware.title}: {written_off:.4g} USD an hour × busy time, and {paid}"
    hourly = machine_usd_per_hour(hardware)
    return None if hourly is None else f"{hardware.title}: {hourly:.4g} USD an hour × busy time"
