"""Lanes and selections made up: what each variant answered, sample by sample."""

from collections.abc import Mapping, Sequence

from harness.config import HardwareConfig, SelectOptions, StatsConfig
from harness.records.decision import Selection, Variant
from harness.select.build import Subject, select
from harness.select.lane import Answer, Lane, Question

NOWHERE = HardwareConfig(name="none", title="unknown machine")


def questions(count: int, cluster: str = "a", *, session: str | None = None, wants: bool | None = None,
              weight: float = 1.0) -> list[Question]:  # fmt: skip
    """So many samples of a cluster, each on its own unless a session is named."""
    return [Question(f"{cluster}{n}", cluster, session, weight, wants) for n in range(count)]


def variant(name: str, **more: object) -> Variant:
    """A variant by its name, which is its model, run and label too."""
    given = {"id": name, "run": name, "label": name, "model": name, "title": name, "deployment": name,
             "protocol": "prompted", "backend": "llamacpp"} | more  # fmt: skip
    return Variant.model_validate(given)


def lane(name: str, asked: Sequence[Question], wrong: Sequence[int] = (), *, cost: float | None = 1.0,
         seconds: float | None = 1.0, signals: Mapping[int, str] | None = None, **more: object) -> Lane:  # fmt: skip
    """A lane that has all right but the samples at these places."""
    answers = {}
    for place, one in enumerate(asked):
        right = place not in wrong
        signal = (signals or {}).get(place)
        answers[one.id] = (
            Answer(
                value=float(right),
                decision=None if one.wants_call is None else float(right),
                formed=float(signal in {None, "no_call"}),
                signal=signal,  # type: ignore[arg-type]
                action="x" if right else f"y{place}",
                ttft_s=seconds,
                e2e_s=seconds,
                cost_usd=cost,
                tokens=100,
            ),
        )
    figures = {"cost_usd_per_call": cost, "ttft_p95_s": seconds, "e2e_p50_s": seconds, "e2e_p95_s": seconds}
    return Lane(variant(name, **(figures | more)), answers)


def subject(base: Lane, lanes: Sequence[Lane], asked: Sequence[Question]) -> Subject:
    """The baseline with its candidates."""
    return Subject("suite", "0" * 64, tuple(asked), (base, *lanes), base)


def selected(base: Lane, lanes: Sequence[Lane], asked: Sequence[Question], hardware: HardwareConfig = NOWHERE,
             stats: Mapping[str, object] | None = None, **options: object) -> Selection:  # fmt: skip
    """The selection among these lanes; `stats` and `options` as in the configuration."""
    return select(
        "2026-01-01",
        subject(base, lanes, asked),
        StatsConfig.model_validate(stats or {}),
        SelectOptions.model_validate(options),
        hardware,
    )
