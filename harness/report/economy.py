"""What a run says of money, energy and size: cells of the table, and from how many calls a day a machine pays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import JsonValue, ValidationError

from harness.config import DoctorOptions, HardwareConfig, hardware_named
from harness.cost import break_even_calls_per_day, machine_usd_apart
from harness.fit import GIB, judge
from harness.fit_slm import Latency, SlmVerdict, practical, slm_verdict, tokens_per_s_bound
from harness.records.summary import CostInterval, Quantiles
from harness.report.formats import usd
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["BreakEven", "break_evens", "cost_range", "pace_of", "small_model", "watt_hours"]

_DAY_S = 86_400
_OPTIONS = DoctorOptions()


def watt_hours(run: RunView) -> float | None:
    """Energy of 1,000 attempts in watt-hours; None where it was not measured."""
    joules = run.summary.energy_joules
    finished = run.summary.n_planned - run.summary.n_not_run
    return joules / 3600 * 1000 / finished if joules is not None and finished else None


def cost_range(interval: CostInterval | None) -> str:
    """An interval of 1,000 costs in words; empty without one."""
    if interval is None:
        return ""
    high = f"to {usd(interval.high * 1000)}" if interval.high is not None else "upwards, without a bound"
    return f"{interval.level * 100:g} % interval {usd(interval.low * 1000)} {high} ({interval.method})"


@cache
def _usual_device() -> HardwareConfig:
    return hardware_named(_OPTIONS.device)


def _hardware(run: RunView) -> HardwareConfig | None:
    """The machine that the run was told of; None in a folder of another version of the harness."""
    try:
        return HardwareConfig.model_validate(run.manifest.config.get("hardware"))
    except ValidationError:
        return None


def small_model(run: RunView) -> tuple[SlmVerdict, str] | None:
    """Whether it is a small model in the paper's sense (arXiv:2506.02153, section 2), and on which device.

    None for a model whose weights and memory are not seen. The device is the run's own if that is a consumer's, and its
    latency then the measured one, with one user at a time; else the usual one, and latency is bounded by its memory.
    """
    facts, summary = run.manifest.backend, run.summary
    if facts is None or facts.weights is None:
        return None
    own = _hardware(run)
    device = own if own is not None and own.consumer else _usual_device()
    gigabytes = device.gpu_memory_gb or device.memory_gb
    usable = None if gigabytes is None else round(gigabytes * GIB * device.usable_frac)
    need = facts.memory_bytes or facts.weights.bytes
    fits = judge(need, usable).verdict
    measured = _latency(summary.ttft_s, summary.output_tokens_per_s) if device is own and _alone(run) else None
    bound = tokens_per_s_bound(device.memory_bandwidth_gbs, facts.weights.bytes)
    latency = practical(measured, bound, ttft_s=_OPTIONS.ttft_s, tokens_per_s=_OPTIONS.tokens_per_s)
    return slm_verdict(fits, latency, consumer=device.consumer), device.title


def _latency(ttft: Quantiles | None, rate: float | None) -> Latency | None:
    return None if ttft is None or rate is None else Latency(ttft.p50, rate)


def _alone(run: RunView) -> bool:
    settings = run.manifest.config.get("run")
    return isinstance(settings, dict) and settings.get("concurrency") == 1 and _schedule(settings) is None


def _schedule(settings: Mapping[str, JsonValue]) -> str | None:
    """The kind of the arrivals where a schedule sends the requests, whatever is still under way; None: closed loop."""
    arrival = settings.get("arrival")
    kind = arrival.get("kind") if isinstance(arrival, dict) else None
    return None if kind in {None, "closed"} else str(kind)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """A machine that is paid all day beside a model that is paid by the call, on the same suite."""

    local: str
    hosted: str
    calls_per_day: float | None
    """From which on the machine is cheaper; None: never."""
    capacity: float
    """Calls a day that the run's own pace comes to."""
    machine_usd_per_day: float
    hosted_usd_per_call: float
    machine: str
    pace: str
    priced: str = ""
    """Who says what a call costs there, where it is no list price."""
    energy_usd_per_call: float = 0.0
    """Of the machine, as measured while it worked; 0: it is in the price of the day."""

    @property
    def sentence(self) -> str:
        """What the two come to."""
        if self.calls_per_day is None:
            why = "the energy of a call costs more than a call there" if self.hosted_usd_per_call else ""
            return f"never: {why or 'a call there costs nothing'}"
        if self.calls_per_day > self.capacity:
            return f"from {self.calls_per_day:,.0f} calls a day, more than the {self.capacity:,.0f} that it can answer"
        return f"from {self.calls_per_day:,.0f} calls a day; it can answer {self.capacity:,.0f}"


def break_evens(group: Group) -> tuple[BreakEven, ...]:
    """Every local run with an hour's price beside every run with a price by the call, in the order of the table.

    Costs are per reply, the accuracies left aside: the table has the cost of a success.
    """
    hosted = [(run, *_call_usd(run)) for run in group.ranked if _by_call(run)]
    found = []
    for run in group.ranked:
        hardware, pace = _hardware(run), _replies_per_s(run)
        hourly, energy = (None, 0.0) if hardware is None else machine_usd_apart(hardware, _joules_per_call(run))
        if _by_call(run) or _elsewhere(run) or hardware is None or hourly is None or pace is None:
            continue
        for other, cost, priced in hosted:
            if cost is None:
                continue
            found.append(
                BreakEven(
                    local=group.names[run.id],
                    hosted=group.names[other.id],
                    calls_per_day=break_even_calls_per_day(cost, 24 * hourly, energy),
                    capacity=pace * _DAY_S,
                    machine_usd_per_day=24 * hourly,
                    hosted_usd_per_call=cost,
                    machine=hardware.title,
                    pace=pace_of(run),
                    priced=priced,
                    energy_usd_per_call=energy,
                )
            )
    return tuple(found)


def _by_call(run: RunView) -> bool:
    """Whether answers are paid one by one: at the run's price, at that of each own model (a mixed log), or as told."""
    model = run.manifest.config.get("model")
    told = run.summary.recorded is not None and run.summary.recorded_cost is not None
    return told or (isinstance(model, dict) and (model.get("price") is not None or bool(model.get("hosted"))))


def _call_usd(run: RunView) -> tuple[float | None, str]:
    """What a call costs there, and who says so where no list price does."""
    summary = run.summary
    if summary.cost_usd_per_call is not None or summary.recorded_cost is None:
        return summary.cost_usd_per_call, ""
    told = summary.recorded_cost
    calls = told.n * (summary.calls_per_task or 1)
    return told.usd / calls, f"as told by the {' and the '.join(told.by)}, for {told.n:,} of them"


def _joules_per_call(run: RunView) -> float | None:
    summary = run.summary
    calls = (summary.n_planned - summary.n_not_run) * (summary.calls_per_task or 1)
    return summary.energy_joules / calls if summary.energy_joules is not None and calls else None


def _elsewhere(run: RunView) -> bool:
    model = run.manifest.config.get("model")
    return run.summary.recorded is not None or (isinstance(model, dict) and bool(model.get("hosted")))


def _replies_per_s(run: RunView) -> float | None:
    """Replies a second over the run's busy time; None where it is not known, or some came from the cache in no time."""
    summary = run.summary
    if summary.n_cached:
        return None
    done = (summary.n_planned - summary.n_not_run) * (summary.calls_per_task or 1)
    return done / summary.wall_s if summary.wall_s and done else None


def pace_of(run: RunView) -> str:
    """How requests were sent: how many at once, or by which schedule."""
    settings = run.manifest.config.get("run")
    if not isinstance(settings, dict):
        return "its own pace"
    schedule, at_once = _schedule(settings), settings.get("concurrency")
    if schedule is not None:
        return f"sent as its schedule says ({schedule})"
    return f"{at_once} at once" if at_once else "its own pace"
