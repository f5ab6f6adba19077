"""After how many calls a training has paid for itself, from what it took and what a call saves."""

from collections.abc import Sequence

from harness.config import HardwareConfig
from harness.cost import machine_usd_per_hour
from harness.records.convert import Payback
from harness.records.paired import Span
from harness.stats.bounded import units_of
from harness.stats.latency import t_half_width

__all__ = ["payback"]

_LEVEL = 0.95


def payback(
    hours: float,
    teacher_usd: float | None,
    hardware: HardwareConfig,
    saved: Sequence[float],
    against: str | None,
    sessions: Sequence[str | None] = (),
) -> Payback:
    """Calls until training is paid: (hours × the machine's hour + the teacher) / what a call saves.

    saved: USD that each call costs less than `against`'s, sample by sample; empty where that is not known. The interval
    is Student's of the mean saved, by session; without an upper end where it may save nothing.
    >>> rented = HardwareConfig(name="x", title="x", usd_per_hour=0.8)
    >>> payback(0.5, None, rented, [0.002, 0.003, 0.004], "gpt").calls
    133.33333333333334
    """
    hourly = machine_usd_per_hour(hardware)
    spent = None if hourly is None else hours * hourly + (teacher_usd or 0.0)
    found = Payback(
        training_usd=spent,
        training_hours=hours,
        machine_usd_per_hour=hourly,
        teacher_usd=teacher_usd,
        saved_usd_per_call=sum(saved) / len(saved) if saved else None,
        against=against,
    )
    return found.model_copy(update=_calls(found, saved, sessions))


def _calls(found: Payback, saved: Sequence[float], sessions: Sequence[str | None]) -> dict[str, object]:
    if found.training_usd is None:
        return {"why": "the machine's hour has no price; name one: hardware=…"}
    if found.saved_usd_per_call is None:
        who = "no other model is there to be held against" if found.against is None else f"{found.against} has no cost"
        return {"why": f"{who}: name a run with one, convert.gate.reference=results/run/…"}
    if found.saved_usd_per_call <= 0:
        return {"why": f"a call costs no less than {found.against}'s: training never pays"}
    calls = found.training_usd / found.saved_usd_per_call
    half = t_half_width(units_of(saved, list(sessions)), _LEVEL)
    interval = None
    if half is not None:
        low, high = found.saved_usd_per_call - half, found.saved_usd_per_call + half
        most = found.training_usd / low if low > 0 else None
        interval = Span(
            value=calls, low=found.training_usd / high, high=most, level=_LEVEL, method="t of what a call saves"
        )
    return {"calls": calls, "interval": interval}
