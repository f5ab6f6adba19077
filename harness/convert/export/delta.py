"""How much of what training changed is left in a file: the verdict, and what to type where too little is."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median

from pydantic import JsonValue

from harness.records.convert import DeltaReport, TensorDelta

__all__ = ["delta_report"]

_SMALL = 0.1
"""A part of what is left in all that one tensor may have before it is named: 6 % of a mean of 91 % is."""


def delta_report(
    file: str, type_: str, found: Mapping[str, JsonValue], *, least: float, warn: float, base_type: str | None
) -> DeltaReport:
    """The report from the child's sums. base_type: what the base's file is stored as, for the words.

    survived = Σ <stored − base, change> / Σ <change, change>. Measured on SmolLM2 135M: Q4_1 on a Q4_1 base 0.07, and 0
    of 20 exact calls where the checkpoint had 12; Q8_0 1.00 and 13.
    """
    tensors = tuple(TensorDelta.model_validate(one) for one in _list(found.get("tensors")))
    change, base = _number(found.get("change")), _number(found.get("base"))
    if not tensors or change <= 0:
        why = "training changed no weight: there is nothing to export"
        return DeltaReport(file=file, type=type_, limit=least, verdict="refuse", why=why)
    survived = _number(found.get("dot")) / change
    count = _number(found.get("count"))
    kept = [one for one in tensors if one.survived is not None]
    worst = min(kept, key=lambda one: one.survived or 0.0)
    verdict, why = _judged(survived, worst, least, warn, type_, base_type)
    return DeltaReport(
        file=file,
        type=type_,
        relative=sqrt(change / base) if base > 0 else None,
        survived=survived,
        worst=worst,
        median=median([one.survived for one in kept if one.survived is not None]),
        unchanged=_number(found.get("same")) / count if count else None,
        tensors=tensors,
        limit=least,
        verdict=verdict,
        why=why,
    )


def _judged(
    survived: float, worst: TensorDelta, least: float, warn: float, type_: str, base_type: str | None
) -> "tuple[str, str]":
    said = f"{survived:.1%} of what was learned is left in {type_}"
    on_grid = base_type is not None and base_type.upper() == type_.upper()
    because = f": the base's weights lie on the grid of {type_} already" if on_grid else ""
    if survived < least:
        return "refuse", f"{said}, {least:.0%} must be{because}"
    if survived < warn:
        return "warn", f"{said}{because}; a finer type keeps more"
    if (worst.survived or 0.0) < _SMALL * survived:
        return "warn", f"{said}, but {worst.survived or 0.0:.1%} in {worst.name} ({worst.type})"
    return "pass", said


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else []
