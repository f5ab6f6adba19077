"""Which runs the machine's energy counters can be read for."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from harness.energy import EnergyMeter, find_sources
from harness.runner.engine import Lane

__all__ = ["energy_meter"]


def energy_meter(lanes: Sequence[Lane]) -> EnergyMeter | None:
    """A meter over this machine's counters; None where no model of these lanes answers here.

    With several lanes it measures nothing and says why: the counters see all of them together. Takes some milliseconds.
    """
    here = [one for one in lanes if one.spread is None and not one.model.hosted and _is_here(one.endpoint.base_url)]
    if not here:
        return None
    if len(lanes) > 1:
        return EnergyMeter([], reason=f"{len(lanes)} runs in turn: the counters see them together; run them one by one")
    sources, reason = find_sources()
    return EnergyMeter(sources, reason=reason)


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
